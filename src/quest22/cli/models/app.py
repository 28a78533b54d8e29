"""The commands of ``quest22 models``; without one of them, the list."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from quest22.cli.command_line import CommandGroup, TolerantCommand
from quest22.cli.exits import Exit
from quest22.cli.models import convert, info, pull, remove
from quest22.cli.terminal import output_console
from quest22.env import silence_progress_bars

EPILOG = """\
[bold]Examples[/]

quest22 models                     [dim]# what there is, and what it takes[/]

quest22 models pull large-v3-turbo distil-whisper/distil-large-v3.5

quest22 models info small

quest22 models convert Systran/faster-whisper-small whisper-small

quest22 models rm small            [dim]# says what it frees, and asks[/]
"""

app = typer.Typer(
    cls=CommandGroup, invoke_without_command=True, rich_markup_mode="rich", epilog=EPILOG
)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object per line.")]


@app.callback()
def models(context: typer.Context, as_json: AsJson = False) -> int:
    """List, download, describe, convert and delete models.

    Lists what is in the caches of this machine, and the models with a short
    name: their memory (weights, and the caches of 16 windows decoded greedily)
    and their speed relative to tiny's, both computed from their sizes.

    [cyan]--model[/] also accepts the Hub id of any Whisper model, or a local folder.
    """
    if context.invoked_subcommand is not None:
        return Exit.DONE
    return list_models(as_json=as_json)


@app.command("list", cls=TolerantCommand)
def list_models(as_json: AsJson = False) -> int:
    """The same as [cyan]quest22 models[/]."""
    from quest22.cli.models.catalogue import available_models, cached_models
    from quest22.cli.models.listing import show_models

    silence_progress_bars()
    found, rows = list(cached_models()), list(available_models())
    if as_json:
        for row in map(asdict, rows):
            typer.echo(json.dumps(row))
        for row in map(asdict, found):
            typer.echo(json.dumps(row | {"path": str(row["path"])}))
        return Exit.DONE
    show_models(output_console(), found, rows)
    return Exit.DONE


app.command("pull", cls=TolerantCommand, epilog=pull.EPILOG, no_args_is_help=True)(pull.pull)
app.command("info", cls=TolerantCommand, epilog=info.EPILOG, no_args_is_help=True)(info.info)
app.command("convert", cls=TolerantCommand, epilog=convert.EPILOG, no_args_is_help=True)(
    convert.convert
)
app.command("rm", cls=TolerantCommand, epilog=remove.EPILOG, no_args_is_help=True)(remove.remove)
