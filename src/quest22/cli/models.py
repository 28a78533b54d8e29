"""``quest22 models``: the checkpoints on this machine and those with a short name; conversion."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn
from rich.table import Table

from quest22.checkpoint.caches import CachedCheckpoint, best_cached, cached_checkpoints, find_cached
from quest22.checkpoint.known_models import EMBEDDED_MODELS, KNOWN_MODELS, KnownModel
from quest22.cli.command_line import TolerantCommand
from quest22.cli.exits import Exit
from quest22.cli.figures import size
from quest22.cli.terminal import output_console
from quest22.env import hub_token, silence_progress_bars

EMBEDDED_LANGUAGES = "English, Russian"
MULTILINGUAL, ENGLISH = "about 100", "English"
PICKLE_ADVICE = "a pickle, which is never opened: convert it with Transformers"

CONVERT_EPILOG = """\
[bold]Examples[/]

quest22 models convert Systran/faster-whisper-small whisper-small

quest22 models convert ggml-base-q5_1.bin whisper-base --dtype float16
"""

app = typer.Typer(invoke_without_command=True)


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model with a short name."""

    name: str
    hub_id: str | None
    parameters_m: Annotated[float | None, "Millions of parameters."]
    download_bytes: Annotated[int | None, "Null if unknown."]
    languages: str
    local: Annotated[bool, "It is on this machine."]


@app.callback()
def models(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> int:
    """List the checkpoints in the caches of this machine, and the models with a short name.

    [cyan]--model[/] also accepts the Hub id of any Whisper model, or a local model folder.
    """
    if context.invoked_subcommand is not None:
        return Exit.DONE
    silence_progress_bars()
    found, rows = list(cached_checkpoints()), list(available_models())
    if as_json:
        for line in (*map(asdict, rows), *map(_as_json, found)):
            typer.echo(json.dumps(line))
        return Exit.DONE
    console = output_console()
    if found:
        _show_cached(console, found)
    console.print(_table(rows))
    console.print(
        "Any Whisper model on the Hub works by its id, and any folder by its path.", style="dim"
    )
    return Exit.DONE


@app.command("convert", cls=TolerantCommand, epilog=CONVERT_EPILOG, no_args_is_help=True)
def convert(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="Any model that [cyan]--model[/] takes: a short name, a Hub id, a folder of "
            "Transformers' or CTranslate2's, whisper.cpp's file.",
            show_default=False,
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


def available_models() -> Iterator[ModelRow]:
    """The embedded checkpoint, then those on the Hub by size."""
    for name in EMBEDDED_MODELS:
        weights = resources.files("quest22.checkpoint") / name / "model.safetensors"
        if weights.is_file():
            size_bytes = len(weights.read_bytes())
            yield ModelRow(name, None, None, size_bytes, EMBEDDED_LANGUAGES, local=True)
    for model in KNOWN_MODELS.values():
        yield _from_hub(model)


def _from_hub(model: KnownModel) -> ModelRow:
    return ModelRow(
        name=model.name,
        hub_id=model.hub_id,
        parameters_m=model.parameters_m,
        download_bytes=model.download_mb * 1_000_000 if model.download_mb else None,
        languages=MULTILINGUAL if model.multilingual else ENGLISH,
        local=find_cached(model.name) is not None,
    )


def _as_json(found: CachedCheckpoint) -> dict[str, object]:
    return asdict(found) | {"path": str(found.path)}


def _show_cached(console: Console, found: list[CachedCheckpoint]) -> None:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("on this machine", "format"):
        table.add_column(heading, no_wrap=True)
    table.add_column("size", no_wrap=True, justify="right")
    table.add_column("from", overflow="fold")
    for each in found:
        origin = each.origin if each.name else f"{each.path}: {PICKLE_ADVICE}"
        table.add_row(escape(each.name or ""), each.format, size(each.size_bytes), escape(origin))
    console.print(table)
    if best := best_cached():
        console.print(f"Without --model, {best.name} is taken.", style="dim")
    console.print()


def _table(rows: list[ModelRow]) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("name", "on the Hub"):
        table.add_column(heading, no_wrap=True)
    for heading in ("parameters", "download"):
        table.add_column(heading, no_wrap=True, justify="right")
    for heading in ("languages", "here"):
        table.add_column(heading, no_wrap=True)
    for each in rows:
        table.add_row(
            each.name,
            each.hub_id or "embedded",
            f"{each.parameters_m:,.0f} M" if each.parameters_m else "",
            size(each.download_bytes) if each.download_bytes and each.hub_id else "",
            each.languages,
            "[green]yes[/]" if each.local else "",
        )
    return table


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
