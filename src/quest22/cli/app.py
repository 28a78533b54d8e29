"""Assembles the commands of ``quest22``."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import quest22
from quest22.cli import (
    bench,
    bench_live,
    demo,
    doctor,
    evaluate,
    export,
    keys,
    models,
    retry,
    serve,
    status,
    stream,
    transcribe,
)
from quest22.cli.command_line import TolerantCommand
from quest22.cli.exits import EXIT_CODES
from quest22.cli.live import command as live

LIVE_BENCH = "bench live"


class Commands(TyperGroup):
    """Commands of one word, and one of two."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """``bench live`` is a command of its own; ``bench ./live`` measures a file."""
        if " ".join(args[:2]) == LIVE_BENCH:
            args = [LIVE_BENCH, *args[2:]]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="quest22",
    cls=Commands,
    help="Transcribe audio files and stream audio datasets of any size with any Whisper "
    "checkpoint.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": lambda token: token.replace("_", "-"),
    },
)
app.command("transcribe", cls=TolerantCommand, epilog=transcribe.EPILOG, no_args_is_help=True)(
    transcribe.transcribe
)
app.command("live", cls=TolerantCommand, epilog=live.EPILOG)(live.live)
app.command("serve", cls=TolerantCommand, epilog=serve.EPILOG)(serve.serve)
app.add_typer(keys.app, name="keys")
app.command("stream", cls=TolerantCommand, epilog=stream.EPILOG, no_args_is_help=True)(
    stream.stream
)
app.command("eval", cls=TolerantCommand, epilog=evaluate.EPILOG, no_args_is_help=True)(
    evaluate.evaluate
)
app.command("status", cls=TolerantCommand, no_args_is_help=True)(status.status)
app.command("retry", cls=TolerantCommand, no_args_is_help=True)(retry.retry)
app.command("export", epilog=export.EPILOG, no_args_is_help=True)(export.export)
app.command("bench", cls=TolerantCommand, epilog=bench.EPILOG)(bench.bench)
app.command(LIVE_BENCH, cls=TolerantCommand, epilog=bench_live.EPILOG)(bench_live.bench_live)
app.command("demo", cls=TolerantCommand)(demo.demo)
app.add_typer(models.app, name="models")
app.command("doctor", cls=TolerantCommand)(doctor.doctor)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"quest22 {quest22.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            "-V",
            callback=_print_version,
            is_eager=True,
            help="Print the version and exit.",
        ),
    ] = False,
) -> None:
    """Transcribe audio files and stream audio datasets of any size with any Whisper checkpoint."""
