"""What the demo hears: the samples that ship, the user's folder, or people's speech on the Hub.

The repository holds no voice of a person, so people's speech comes from the user or from the Hub.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from quest22.errors import SourceError, UsageError
from quest22.runtime.build import Pipeline, Run
from quest22.settings import DatasetSettings
from quest22.source.listing import find_media

METADATA = ("metadata.csv", "metadata.jsonl")
"""Where a folder may hold its recordings' texts, as in ``datasets``' AudioFolder."""

SPEECH = DatasetSettings(
    "hf-internal-testing/librispeech_asr_dummy", config="clean", split="validation"
)
"""73 clips of LibriVox readers in English (LibriSpeech: public domain recordings, CC BY 4.0)."""


@dataclass(frozen=True, slots=True)
class Recordings:
    """Recordings of the demo.

    ``described`` follows "streaming"; ``total`` is their number, if known. ``served`` is the folder
    to serve over local HTTP, None if they come from elsewhere. ``start`` transcribes them with a
    pipeline, given the served folder's address.
    """

    described: str
    total: int | None
    served: Path | None
    start: Callable[[Pipeline, str], Run]


def sample_recordings(take: int | None = None) -> Recordings:
    """The embedded samples: synthetic voices, in Parquet files."""
    files = sample_files()
    total = count_rows(files) if take is None else min(take, count_rows(files))

    def start(pipeline: Pipeline, url: str) -> Run:
        urls = tuple(f"{url}/{file.name}" for file in files)
        return pipeline.stream(
            DatasetSettings("parquet", data_files=urls, keep_columns=("language",), take=take)
        )

    return Recordings(f"{total} clips in {len(files)} Parquet files", total, files[0].parent, start)


def folder_recordings(folder: Path, take: int | None = None) -> Recordings:
    """The audio and video files in a folder, with the texts of its metadata file if it has one.

    Raises :class:`UsageError` if it is no folder, and :class:`SourceError` if none are in it.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder: expected one of recordings")
    media = find_media(str(folder))
    if media[0].missing:
        raise SourceError(media[0].missing)
    names = [each.name for each in media][:take]
    described = f"{len(names)} recordings of {folder}"
    metadata = [name for name in METADATA if (folder / name).is_file()][:1]

    def start(pipeline: Pipeline, url: str) -> Run:
        if metadata:
            files = tuple(f"{url}/{quote(name)}" for name in (*names, *metadata))
            return pipeline.stream(DatasetSettings("audiofolder", data_files=files, take=take))
        return pipeline.files([f"{url}/{quote(name)}" for name in names])

    return Recordings(described, len(names), folder, start)


def people_recordings(take: int | None = None) -> Recordings:
    """People's speech with its texts, streamed from the Hub."""
    return Recordings(
        f"people's speech from {SPEECH.path} on the Hub",
        take,
        None,
        lambda pipeline, _url: pipeline.stream(replace(SPEECH, take=take)),
    )


def sample_files() -> list[Path]:
    """The embedded samples; raises :class:`SourceError` if they are not installed."""
    folder = Path(str(resources.files("quest22.demo") / "samples"))
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise SourceError("this installation lacks the demo's samples: reinstall quest22")
    return files


def count_rows(files: Sequence[Path]) -> int:
    """The number of clips, from the files' footers, so that the display can show progress."""
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(file).num_rows for file in files)
