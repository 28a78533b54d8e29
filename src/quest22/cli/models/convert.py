"""``quest22 models convert``: any model as a standard folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

from quest22.cli.exits import Exit
from quest22.cli.figures import size
from quest22.cli.models.names import complete_known
from quest22.cli.terminal import output_console
from quest22.env import hub_token, silence_progress_bars

EPILOG = """\
[bold]Examples[/]

quest22 models convert Systran/faster-whisper-small whisper-small

quest22 models convert ggml-base-q5_1.bin whisper-base --dtype float16
"""


def convert(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="Any model that [cyan]--model[/] takes: a short name, a Hub id, a folder of "
            "Transformers' or CTranslate2's, whisper.cpp's file.",
            show_default=False,
            autocompletion=complete_known,
        ),
    ],
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A new folder.", show_default=False)
    ],
    dtype: Annotated[
        str | None,
        typer.Option(
            help="Type of the weights: [cyan]float32[/], [cyan]float16[/] or [cyan]bfloat16[/].",
            metavar="TYPE",
            show_default="as they are; float32 for quantised ones",
        ),
    ] = None,
    revision: Annotated[
        str | None, typer.Option(help="Branch, tag or commit of the model.", metavar="REV")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> int:
    """Write a model as a standard folder with safetensors weights, which Transformers reads too.

    The folder appears once it is whole. Nothing is overwritten.
    """
    from quest22.checkpoint.load import load
    from quest22.checkpoint.save import check_dtype, refuse_content, save

    check_dtype(dtype)
    refuse_content(folder)
    if quiet:
        silence_progress_bars()
    checkpoint = load(source, revision=revision, token=hub_token())
    with _progress(quiet=quiet) as progress:
        bar = progress.add_task("", total=None)
        written = save(
            checkpoint,
            folder,
            dtype,
            lambda done, total: progress.update(bar, completed=done, total=total),
        )
    if not quiet:
        _show_written(output_console(), folder, written)
    return Exit.DONE


def _progress(*, quiet: bool) -> Progress:
    """A bar on a terminal, nothing elsewhere."""
    console = Console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn())
    return Progress(
        *columns, console=console, transient=True, disable=quiet or not console.is_terminal
    )


def _show_written(console: Console, folder: Path, written: dict[str, int]) -> None:
    for name, count in written.items():
        console.print(f"{folder / name}  {size(count)}", markup=False)
    console.print(f"{size(sum(written.values()))} in {folder}", markup=False)
