"""What a run writes, where, and how many clips may fail."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from quest22.errors import UsageError
from quest22.settings.captions import CaptionSettings
from quest22.settings.forms import NAMES
from quest22.settings.option import check_at_least, check_choice, declared, option

PANEL = "Output"

OPENAI_FORMATS = ("txt", "vtt", "srt", "tsv", "json")
"""Those of openai/whisper's command."""

CAPTION_FORMATS = (*OPENAI_FORMATS, "lrc", "ass")
"""Formats with a file for each clip."""

FORMATS = (*CAPTION_FORMATS, "jsonl", "parquet")

RUN_FOLDER = ".quest22"
"""Subfolder of an output folder for the journal and for output that is not final."""

OnError: TypeAlias = Literal["skip", "stop"]


@dataclass(frozen=True, slots=True)
class OutputSettings:
    """Which formats are written, and where; without a folder, to standard output.

    ``overwrite`` lets a run replace the ``transcripts.*`` of an earlier one. A ``journaled`` run
    stores what it needs to continue beside its journal, which is in ``folder`` unless
    ``journal_folder`` is another. Raises :class:`UsageError` for formats that
    the destination does not support.
    """

    formats: tuple[str, ...] = field(
        metadata=declared(
            flags=("--output-format", "-f"),
            form=NAMES,
            help="[cyan]txt srt vtt tsv json lrc ass jsonl parquet[/], or several: "
            "[cyan]srt,vtt[/]. [cyan]jsonl[/] and [cyan]parquet[/] have a row per clip, the "
            "others a file per clip. "
            "[cyan]all[/] stands for the first five. The flag may be repeated.",
            metavar="FORMAT",
            unset="txt for files, jsonl for datasets",
            panel=PANEL,
        )
    )
    folder: Path | None = option(
        None,
        flags=("--output-dir", "-o"),
        help="Folder for the results, created if needed.",
        metavar="FOLDER",
        unset="standard output",
        panel=PANEL,
    )
    overwrite: bool = option(
        False,
        name="restart",
        flags=("--restart", "--overwrite"),
        help="Start over, replacing an earlier run in the folder.",
        panel=PANEL,
    )
    journaled: bool = False
    journal_folder: Path | None = None
    captions: CaptionSettings = field(default_factory=CaptionSettings)

    @property
    def workspace(self) -> Path:
        """The folder for output that is not final."""
        return (self.journal_folder or self.folder or Path()) / RUN_FOLDER

    def __post_init__(self) -> None:
        if not self.formats:
            raise UsageError(f"no output format: expected one or more of {', '.join(FORMATS)}")
        if self.folder is None and len(self.formats) > 1:
            raise UsageError(
                f"{len(self.formats)} formats ({', '.join(self.formats)}) cannot share standard "
                "output: name a folder with --output-dir, or one format"
            )
        if self.folder is None and self.formats == ("parquet",):
            raise UsageError(
                "parquet cannot go to standard output: name a folder with --output-dir"
            )


@dataclass(frozen=True, slots=True)
class FailureSettings:
    """When a run stops because clips fail."""

    on_error: OnError = option(
        "skip",
        flags="--on-error",
        help="When a clip fails: [cyan]skip[/] it, or [cyan]stop[/] the run.",
        metavar="skip|stop",
        panel=PANEL,
    )
    max_failures: int | None = option(
        None,
        flags="--max-failures",
        help="Stop when more clips than this have failed.",
        metavar="N",
        unit="clips",
        unset="no limit",
        panel=PANEL,
    )

    def __post_init__(self) -> None:
        check_choice("on_error", self.on_error, get_args(OnError))
        check_at_least("max_failures", self.max_failures, 0)

    @property
    def limit(self) -> int | None:
        """How many clips may fail before the run stops; None: no limit."""
        return 0 if self.on_error == "stop" else self.max_failures


def parse_formats(named: Iterable[str]) -> tuple[str, ...]:
    """Formats from ``srt,vtt`` and the like, each once; ``all`` is openai/whisper's five.

    Raises :class:`UsageError` for a name that is not a format.
    """
    names = [name.strip().lower() for text in named for name in text.split(",")]
    chosen: list[str] = []
    for name in names:
        if name not in (*FORMATS, "all"):
            hint = "; recordings are named without a flag" if set("./\\") & set(name) else ""
            raise UsageError(
                f"unknown output format {name!r}: expected one or more of {', '.join(FORMATS)}, "
                f"all{hint}"
            )
        chosen += OPENAI_FORMATS if name == "all" else [name]
    return tuple(dict.fromkeys(chosen))
