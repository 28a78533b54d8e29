"""``quest22 models info``: all about one model that is on this machine, or has a short name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from quest22.checkpoint.known_models import KNOWN_MODELS
from quest22.cli.exits import Exit, say
from quest22.cli.figures import size
from quest22.cli.models.names import complete_known
from quest22.cli.terminal import output_console
from quest22.env import silence_progress_bars
from quest22.errors import CheckpointError

if TYPE_CHECKING:
    from quest22.cli.models.description import ModelInfo

EPILOG = """\
[bold]Examples[/]

quest22 models info large-v3-turbo

quest22 models info ./whisper-finetuned --json
"""

FEW_LANGUAGES = 12


def info(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Any model that [cyan]--model[/] takes and that is on this machine, or a short "
            "name.",
            show_default=False,
            autocompletion=complete_known,
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Describe a model: sizes, languages, tokenizer, generation settings, files, and how it runs.

    Nothing is downloaded. Memory is computed: weights, and the caches of 16 windows decoded
    greedily.
    """
    from quest22.checkpoint.resolve import locate
    from quest22.cli.models.description import describe, describe_known

    silence_progress_bars()
    found = locate(name)
    if found is not None:
        described = describe(found)
    elif name.strip() in KNOWN_MODELS:
        described = describe_known(KNOWN_MODELS[name.strip()])
    else:
        raise CheckpointError(
            f"{name} is not on this machine: download it with quest22 models pull {name}"
        )
    if as_json:
        typer.echo(json.dumps(described, ensure_ascii=False))
        return Exit.DONE
    _show(output_console(), described)
    if found is None:
        say(f"{name} is not on this machine: quest22 models pull {name} downloads it")
    return Exit.DONE


def _show(console: Console, described: ModelInfo) -> None:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for heading, value in _lines(described):
        table.add_row(heading, Text(value))  # names from elsewhere are no markup
    console.print(table)


def _lines(it: ModelInfo) -> Iterator[tuple[str, str]]:
    yield "model", it["name"]
    if it["origin"]:
        yield "from", it["origin"]
    if it["path"]:
        yield "path", it["path"]
    if it["revision"]:
        yield "revision", it["revision"]
    if it["format"]:
        weights = ", ".join(f"{name} {size(count)}" for name, count in it["weights"].items())
        yield "format", f"{it['format']} ({weights})"
    yield "parameters", f"{it['parameters']:,}"
    yield "sizes", ", ".join(f"{name} {value}" for name, value in it["dimensions"].items())
    yield "languages", _languages(it)
    if it["tokenizer"]:
        yield "tokenizer", ", ".join(f"{value:,} {name}" for name, value in it["tokenizer"].items())
    if it["generation"]:
        yield "generation", ", ".join(_settings(it["generation"]))
        yield "alignment", _heads(it)
    yield "memory", ", ".join(f"{name} {size(count)}" for name, count in it["memory_bytes"].items())
    yield "speed", f"{it['relative_speed']:g} × tiny's, computed"
    yield "runs on", f"{it['engine']['name']} in {it['engine']['compute_type']}"
    if it["engine"]["why"]:
        yield "because", it["engine"]["why"]
    yield "--compute-type", ", ".join(it["compute_types"])
    for index, (name, count) in enumerate(it["files"].items()):
        yield "" if index else "files", f"{name}  {size(count)}"
    if it["path"]:
        yield "disk", size(it["disk_bytes"])


def _languages(it: ModelInfo) -> str:
    codes = it["languages"]
    if codes is None or len(codes) > FEW_LANGUAGES:
        return f"{it['language_count']}, by its tokens"
    return ", ".join(codes)


def _settings(generation: Mapping[str, int | None]) -> Iterator[str]:
    for name, value in generation.items():
        if value is not None:
            yield f"{name} {value}"


def _heads(it: ModelInfo) -> str:
    heads = it["alignment_heads"]
    if not heads:
        return "no heads named: times of words use all heads of the upper half"
    return ", ".join(f"layer {layer} head {head}" for layer, head in heads)
