"""``quest22 models``: the names that ``--model`` knows, and what is on this machine already."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Annotated

import typer
from rich.table import Table

from quest22.checkpoint.known_models import EMBEDDED_MODELS, KNOWN_MODELS, KnownModel
from quest22.cli.console import output_console
from quest22.cli.figures import size
from quest22.settings import silence_progress_bars

EMBEDDED_LANGUAGES = "English, Russian"
MULTILINGUAL, ENGLISH = "about 100", "English"


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of the list; ``download_bytes`` None where it is not known."""

    name: str
    hub_id: str | None
    parameters_m: float | None
    download_bytes: int | None
    languages: str
    local: bool


def models(
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, for programs.")
    ] = False,
) -> int:
    """List the models that have a short name, and which of them are on this machine.

    [cyan]--model[/] also takes any Whisper on the Hub by its id, and any folder that holds one.
    """
    silence_progress_bars()
    listed = list(known_models())
    if as_json:
        for each in listed:
            typer.echo(json.dumps(asdict(each)))
        return 0
    console = output_console()
    console.print(_table(listed))
    console.print(
        "Any Whisper on the Hub works by its id, and any folder by its path.", style="dim"
    )
    return 0


def known_models() -> Iterator[Listed]:
    """The embedded checkpoints that this installation carries, then those of the Hub by size."""
    for name in EMBEDDED_MODELS[:1]:
        weights = resources.files("quest22.checkpoint") / name / "model.safetensors"
        if weights.is_file():
            count = len(weights.read_bytes())
            yield Listed(name, None, None, count, EMBEDDED_LANGUAGES, local=True)
    for model in KNOWN_MODELS.values():
        yield _from_hub(model)


def _from_hub(model: KnownModel) -> Listed:
    return Listed(
        name=model.name,
        hub_id=model.hub_id,
        parameters_m=model.parameters_m,
        download_bytes=model.download_mb * 1_000_000 if model.download_mb else None,
        languages=MULTILINGUAL if model.multilingual else ENGLISH,
        local=_is_cached(str(model.hub_id)),
    )


def _is_cached(hub_id: str) -> bool:
    """Whether the Hub's cache holds the configuration and the weights, or the weights' index."""
    from huggingface_hub import try_to_load_from_cache

    def has(name: str) -> bool:
        return isinstance(try_to_load_from_cache(hub_id, name), str)

    return has("config.json") and (has("model.safetensors") or has("model.safetensors.index.json"))


def _table(listed: list[Listed]) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("name", "on the Hub"):
        table.add_column(heading, no_wrap=True)
    for heading in ("parameters", "download"):
        table.add_column(heading, no_wrap=True, justify="right")
    for heading in ("languages", "here"):
        table.add_column(heading, no_wrap=True)
    for each in listed:
        table.add_row(
            each.name,
            each.hub_id or "embedded",
            f"{each.parameters_m:,.0f} M" if each.parameters_m else "",
            size(each.download_bytes) if each.download_bytes and each.hub_id else "",
            each.languages,
            "[green]yes[/]" if each.local else "",
        )
    return table
