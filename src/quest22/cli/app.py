"""Assembles the commands of ``quest22``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import quest22
from quest22.cli import (
    bench,
    bench_live,
    completion,
    demo,
    doctor,
    evaluate,
    export,
    keys,
    models,
    plan,
    retry,
    serve,
    status,
    stream,
    transcribe,
    work,
)
from quest22.cli.command_line import TolerantCommand
from quest22.cli.exits import EXIT_CODES
from quest22.cli.live import command as live

LIVE_BENCH = "bench live"

FILES, DATASETS, SERVER, MACHINE = (
    "Files and live audio",
    "Datasets and runs",
    "Server",
    "This machine",
)
"""The tasks by which ``--help`` groups the commands."""


class Commands(TyperGroup):
    """Commands of one word, and one of two; without a command, files are transcribed."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """``quest22 talk.mp3`` and ``quest22 -m base talk.mp3`` are ``quest22 transcribe …``."""
        if args and not ctx.resilient_parsing and self._is_input(ctx, args[0]):
            args = ["transcribe", *args]
        return super().parse_args(ctx, args)

    def _is_input(self, ctx: Any, first: str) -> bool:
        own = {name for each in self.get_params(ctx) for name in each.opts}
        if first in own or self.get_command(ctx, first) is not None:
            return False
        is_place = any(sign in first for sign in "./\\*?[")  # no name of a command has one
        return first.startswith("-") or is_place or Path(first).exists()

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """``bench live`` is a command of its own; ``bench ./live`` measures a file."""
        if " ".join(args[:2]) == LIVE_BENCH:
            args = [LIVE_BENCH, *args[2:]]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="quest22",
    cls=Commands,
    help="Transcribe audio files and stream audio datasets of any size with any Whisper "
    "checkpoint.\n\n[cyan]quest22 talk.mp3[/] is short for [cyan]quest22 transcribe talk.mp3[/].",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": lambda token: token.replace("_", "-"),
    },
)
app.command(
    "transcribe",
    rich_help_panel=FILES,
    cls=TolerantCommand,
    epilog=transcribe.EPILOG,
    no_args_is_help=True,
)(transcribe.transcribe)
app.command("live", rich_help_panel=FILES, cls=TolerantCommand, epilog=live.EPILOG)(live.live)
app.command("serve", rich_help_panel=SERVER, cls=TolerantCommand, epilog=serve.EPILOG)(serve.serve)
app.add_typer(keys.app, name="keys", rich_help_panel=SERVER)
app.command(
    "stream",
    rich_help_panel=DATASETS,
    cls=TolerantCommand,
    epilog=stream.EPILOG,
    no_args_is_help=True,
)(stream.stream)
app.command(
    "eval",
    rich_help_panel=DATASETS,
    cls=TolerantCommand,
    epilog=evaluate.EPILOG,
    no_args_is_help=True,
)(evaluate.evaluate)
app.command("status", rich_help_panel=DATASETS, cls=TolerantCommand, no_args_is_help=True)(
    status.status
)
app.command("retry", rich_help_panel=DATASETS, cls=TolerantCommand, no_args_is_help=True)(
    retry.retry
)
app.command(
    "plan", rich_help_panel=DATASETS, cls=TolerantCommand, epilog=plan.EPILOG, no_args_is_help=True
)(plan.plan)
app.command("work", rich_help_panel=DATASETS, cls=TolerantCommand, no_args_is_help=True)(work.work)
app.command("export", rich_help_panel=DATASETS, epilog=export.EPILOG, no_args_is_help=True)(
    export.export
)
app.command("bench", rich_help_panel=MACHINE, cls=TolerantCommand, epilog=bench.EPILOG)(bench.bench)
app.command(LIVE_BENCH, rich_help_panel=MACHINE, cls=TolerantCommand, epilog=bench_live.EPILOG)(
    bench_live.bench_live
)
app.command("demo", rich_help_panel=MACHINE, cls=TolerantCommand)(demo.demo)
app.add_typer(models.app, name="models", rich_help_panel=MACHINE)
app.command("doctor", rich_help_panel=MACHINE, cls=TolerantCommand)(doctor.doctor)
app.command("completion", rich_help_panel=MACHINE, epilog=completion.EPILOG, no_args_is_help=True)(
    completion.completion
)


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
