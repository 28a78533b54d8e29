"""``quest22 keys``: who may use the server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quest22.cli.command_line import CommandGroup, TolerantCommand
from quest22.cli.exits import Exit, say
from quest22.server.access.keys import Key, new_key, read_keys, remove_key
from quest22.settings.quantities import parse_duration_s

EPILOG = """\
[bold]Examples[/]

quest22 keys add desk                                  [dim]# into keys.json; shown once[/]

quest22 keys add partner --max-live 2 --audio-per-minute 10m

quest22 serve --keys keys.json
"""

app = typer.Typer(
    cls=CommandGroup, no_args_is_help=True, help="Who may use the server: keys, kept as hashes."
)

File = Annotated[
    Path,
    typer.Option("--keys", help="The file of keys.", metavar="FILE"),
]
Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="Whose key it is: in logs and metrics.", show_default=False
    ),
]
DEFAULT = Path("keys.json")


@app.command("add", cls=TolerantCommand, epilog=EPILOG, no_args_is_help=True)
def add(
    name: Name,
    file: File = DEFAULT,
    max_live: Annotated[
        int | None, typer.Option(help="Live sessions at once.", metavar="N")
    ] = None,
    audio_per_minute: Annotated[
        str | None,
        typer.Option(help="Sound in a minute, on average: [cyan]10m[/] …", metavar="TIME"),
    ] = None,
    max_upload_mb: Annotated[
        float | None, typer.Option(help="The largest recording.", metavar="MB")
    ] = None,
    max_audio: Annotated[
        str | None, typer.Option(help="The longest recording: [cyan]2h[/] …", metavar="TIME")
    ] = None,
) -> int:
    """Make a key, and print it: it is kept nowhere else. Limits are the server's but for these."""
    key = new_key(
        file,
        name,
        max_live=max_live,
        audio_s_per_minute=None if audio_per_minute is None else parse_duration_s(audio_per_minute),
        max_upload_mb=max_upload_mb,
        max_audio_s=None if max_audio is None else parse_duration_s(max_audio),
    )
    say(f"the key of {name}, for {file}; it is not shown again:")
    typer.echo(key)
    return Exit.DONE


@app.command("list", cls=TolerantCommand)
def names(file: File = DEFAULT) -> int:
    """Print the names in the file, and their limits."""
    for name, key in read_keys(file).items():
        typer.echo("  ".join([name, *_limits(key)]))
    return Exit.DONE


@app.command("remove", cls=TolerantCommand, no_args_is_help=True)
def remove(name: Name, file: File = DEFAULT) -> int:
    """Remove a key: a server that runs lets nobody in with it from the next seconds on."""
    remove_key(file, name)
    return Exit.DONE


def _limits(key: Key) -> list[str]:
    limits = {
        "live sessions": key.max_live,
        "s of sound a minute": key.audio_s_per_minute,
        "MB": key.max_upload_mb,
        "s a recording": key.max_audio_s,
    }
    return [f"{value:g} {unit}" for unit, value in limits.items() if value is not None]
