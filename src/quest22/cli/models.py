"""``quest22 models``: the models with a short name, and which of them are on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Annotated

import typer
from rich.table import Table

from quest22.checkpoint.known_models import EMBEDDED_MODELS, KNOWN_MODELS, KnownModel
from quest22.cli.figures import size
from quest22.cli.terminal import output_console
from quest22.env import silence_progress_bars

EMBEDDED_LANGUAGES = "English, Russian"
MULTILINGUAL, ENGLISH = "about 100", "English"


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A row of the list; ``download_bytes`` is None if unknown."""

    name: str
    hub_id: str | None
    parameters_m: float | None
    download_bytes: int | None
    languages: str
    local: bool


def models(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> int:
    """List the models with a short name, and whether they are on this machine.

    [cyan]--model[/] also accepts the Hub id of any Whisper model, or a local model folder.
    """
    silence_progress_bars()
    rows = list(available_models())
    if as_json:
        for each in rows:
            typer.echo(json.dumps(asdict(each)))
        return 0
    console = output_console()
    console.print(_table(rows))
    console.print(
        "Any Whisper model on the Hub works by its id, and any folder by its path.", style="dim"
    )
    return 0


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
        local=_is_cached(str(model.hub_id)),
    )


def _is_cached(hub_id: str) -> bool:
    """Whether the Hub's cache holds the configuration, and the weights or their index."""
    from huggingface_hub import try_to_load_from_cache

    def has(name: str) -> bool:
        return isinstance(try_to_load_from_cache(hub_id, name), str)

    return has("config.json") and (has("model.safetensors") or has("model.safetensors.index.json"))


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
