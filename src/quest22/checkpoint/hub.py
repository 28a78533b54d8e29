"""Downloads checkpoints from the Hugging Face Hub: only the files needed, pinned to a commit.

The only place where checkpoints use the network. Errors of the Hub become CheckpointErrors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from quest22.checkpoint.files import (
    CTRANSLATE2_VOCABULARIES,
    CTRANSLATE2_WEIGHTS,
    PICKLED,
    WEIGHTS,
    WEIGHTS_INDEX,
    describe_other_format,
    is_ctranslate2,
)
from quest22.checkpoint.weights import shard_names
from quest22.env import silence_telemetry
from quest22.errors import CheckpointError

SMALL_FILES = (
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
    "normalizer.json",
    *CTRANSLATE2_VOCABULARIES,
    WEIGHTS_INDEX,
)
"""Downloaded first, because they tell which files of weights to download next."""


def download(hub_id: str, *, revision: str | None = None, token: str | None = None) -> Path:
    """Download a checkpoint; returns its folder in the Hub's cache, which is named by its commit.

    Cached files are not downloaded again, and suffice if the Hub cannot be reached or
    ``HF_HUB_OFFLINE`` is set. The weights are ``model.safetensors``, or else the shards named by
    its index, or else CTranslate2's ``model.bin``. Raises :class:`CheckpointError`.
    """
    silence_telemetry()
    from huggingface_hub import snapshot_download

    with _translate_errors(hub_id, revision):
        folder = Path(
            snapshot_download(
                hub_id, revision=revision, token=token, allow_patterns=list(SMALL_FILES)
            )
        )
        _download_weights(hub_id, folder, token)
    return folder


def _download_weights(hub_id: str, folder: Path, token: str | None) -> None:
    """Download into a folder of the cache, from the commit that names it."""
    from huggingface_hub import HfApi, hf_hub_download, snapshot_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    commit = folder.name
    if (folder / WEIGHTS_INDEX).is_file() and not (folder / WEIGHTS).is_file():
        shards = sorted(set(shard_names(folder / WEIGHTS_INDEX).values()))
        snapshot_download(hub_id, revision=commit, token=token, allow_patterns=shards)
        return
    try:
        hf_hub_download(hub_id, WEIGHTS, revision=commit, token=token)
    except LocalEntryNotFoundError:
        if not (folder / CTRANSLATE2_WEIGHTS).is_file():
            raise
    except EntryNotFoundError as exc:
        names = HfApi(token=token).list_repo_files(hub_id, revision=commit)
        if not is_ctranslate2(names):
            raise _no_weights(hub_id, names) from exc
        hf_hub_download(hub_id, CTRANSLATE2_WEIGHTS, revision=commit, token=token)


def _no_weights(hub_id: str, names: Sequence[str]) -> CheckpointError:
    problem = describe_other_format(names) or f"has no weights: expected {WEIGHTS} or its shards"
    hint = f"; or name a revision that has {WEIGHTS} (often refs/pr/1)"
    return CheckpointError(f"{hub_id} on the Hub {problem}{hint if problem == PICKLED else ''}")


@contextmanager
def _translate_errors(hub_id: str, revision: str | None) -> Iterator[None]:
    """Turn the Hub's errors into one line each that says what to do."""
    from huggingface_hub import errors

    model = f"{hub_id} at revision {revision!r}" if revision else hub_id
    try:
        yield
    except errors.GatedRepoError as exc:
        raise CheckpointError(
            f"{hub_id} is gated: accept its terms on its page on the Hub, then give a token that "
            "may read it (HF_TOKEN or --token)"
        ) from exc
    except errors.RevisionNotFoundError as exc:
        raise CheckpointError(
            f"{hub_id} has no revision {revision!r}: expected a branch, a tag or a full commit"
        ) from exc
    except errors.RepositoryNotFoundError as exc:
        raise CheckpointError(
            f"{hub_id} was not found on the Hub: check the spelling; if it is private, give a "
            "token that may read it (HF_TOKEN or --token)"
        ) from exc
    except errors.HFValidationError as exc:
        raise CheckpointError(f"{hub_id!r} is not a Hub id: expected org/name") from exc
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as exc:
        raise _unreachable(model) from exc
    except errors.HfHubHTTPError as exc:
        raise _refused(exc.response.status_code, model) from exc
    except CheckpointError:
        raise
    except Exception as exc:
        # The client passes on errors of its HTTP library, which differs between versions.
        raise CheckpointError(
            f"{model} could not be downloaded or stored ({type(exc).__name__}: {exc}): try again"
        ) from exc


def _refused(status: int, model: str) -> CheckpointError:
    if status in (401, 403):
        return CheckpointError(
            f"the Hub rejected the token for {model} (HTTP {status}): log in again, or "
            "give a token that may read it (HF_TOKEN or --token)"
        )
    return CheckpointError(f"the Hub responded with HTTP {status} for {model}: try again later")


def _unreachable(model: str) -> CheckpointError:
    return CheckpointError(
        f"the Hub cannot be reached and {model} is not complete in the cache: connect (and unset "
        "HF_HUB_OFFLINE), or give a model's folder; quest22 models lists those on this machine"
    )
