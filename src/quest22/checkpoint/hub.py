"""Checkpoints from the Hugging Face Hub: the files that are needed, once, pinned to a commit.

Only here does the room speak to the network; the Hub's errors become CheckpointErrors.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quest22.checkpoint.files import PICKLED, foreign_format
from quest22.checkpoint.weights import INDEX, SINGLE, shard_names
from quest22.errors import CheckpointError
from quest22.settings import silence_telemetry

DESCRIPTION = (
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
    INDEX,
)
"""The small files of a checkpoint; its weights follow when these are known."""


def download(hub_id: str, *, revision: str | None = None, token: str | None = None) -> Path:
    """The folder of a checkpoint's files in the Hub's cache, named by its commit.

    What the cache holds is not fetched again, and serves alone where the Hub cannot be reached or
    ``HF_HUB_OFFLINE`` is set. ``model.safetensors`` is taken, or else the shards its index names,
    never another form of the weights. Raises :class:`CheckpointError`.
    """
    silence_telemetry()
    from huggingface_hub import snapshot_download

    with _translated(hub_id, revision):
        folder = Path(
            snapshot_download(
                hub_id, revision=revision, token=token, allow_patterns=list(DESCRIPTION)
            )
        )
        _fetch_weights(hub_id, folder, token)
    return folder


def _fetch_weights(hub_id: str, folder: Path, token: str | None) -> None:
    """Into the folder, from the commit that it is named by."""
    from huggingface_hub import hf_hub_download, snapshot_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    commit = folder.name
    if (folder / INDEX).is_file() and not (folder / SINGLE).is_file():
        shards = sorted(set(shard_names(folder / INDEX).values()))
        snapshot_download(hub_id, revision=commit, token=token, allow_patterns=shards)
        return
    try:
        hf_hub_download(hub_id, SINGLE, revision=commit, token=token)
    except LocalEntryNotFoundError:
        raise
    except EntryNotFoundError as exc:
        raise _without_weights(hub_id, commit, token) from exc


def _without_weights(hub_id: str, commit: str, token: str | None) -> CheckpointError:
    from huggingface_hub import HfApi

    names = HfApi(token=token).list_repo_files(hub_id, revision=commit)
    found = foreign_format(names) or f"has no weights: expected {SINGLE} or its shards"
    other = f"; or name a revision that has {SINGLE} (often refs/pr/1)" if found == PICKLED else ""
    return CheckpointError(f"{hub_id} on the Hub {found}{other}")


@contextmanager
def _translated(hub_id: str, revision: str | None) -> Iterator[None]:
    """The Hub's errors, each as one line that says what to do."""
    from huggingface_hub import errors

    asked = f"{hub_id} at revision {revision!r}" if revision else hub_id
    try:
        yield
    except errors.GatedRepoError as exc:
        raise CheckpointError(
            f"{hub_id} is gated: accept its terms at its page on the Hub, then give a token that "
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
        raise CheckpointError(f"{hub_id!r} is no Hub id: expected org/name") from exc
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as exc:
        raise _unreachable(asked) from exc
    except errors.HfHubHTTPError as exc:
        raise _refused(exc.response.status_code, asked) from exc
    except CheckpointError:
        raise
    except Exception as exc:
        # Its HTTP library's errors come through as they are, and which library differs by version.
        raise CheckpointError(
            f"{asked} could not be fetched or stored ({type(exc).__name__}: {exc}): try again"
        ) from exc


def _refused(status: int, asked: str) -> CheckpointError:
    if status in (401, 403):
        return CheckpointError(
            f"the Hub does not accept the token for {asked} (answer {status}): log in again, or "
            "give a token that may read it (HF_TOKEN or --token)"
        )
    return CheckpointError(f"the Hub answered {status} for {asked}: try again later")


def _unreachable(asked: str) -> CheckpointError:
    return CheckpointError(
        f"the Hub cannot be reached and {asked} is not whole in the cache: connect (and unset "
        "HF_HUB_OFFLINE), give a model's folder, or use the embedded model 'nano'"
    )
