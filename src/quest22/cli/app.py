"""Assembles the commands of ``quest22``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

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
    plan,
    push,
    retry,
    schema,
    serve,
    status,
    stream,
    transcribe,
    work,
)
from quest22.cli.command_line import CommandGroup, TolerantCommand
from quest22.cli.exits import EXIT_CODES
from quest22.cli.live import command as live
from quest22.cli.models import app as models

LIVE_BENCH = "bench live"

FILES, DATASETS, SERVER, MACHINE = (
    "Files and live audio",
    "Datasets and runs",
    "Server",
    "This machine",
)
"""The tasks by which ``--help`` groups the commands."""


class Commands(CommandGroup):
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


def _add(
    panel: str,
    name: str,
    function: Callable[..., Any],
    epilog: str | None = None,
    *,
    short: str | None = None,
    alone: bool = False,
) -> None:
    """Add a command; without arguments it shows its help, unless it can do its work ``alone``.

    ``short`` is its line on the page of all commands: its first sentence is too long.
    """
    app.command(
        name,
        rich_help_panel=panel,
        cls=TolerantCommand,
        epilog=epilog,
        short_help=short,
        no_args_is_help=not alone,
    )(function)


_add(FILES, "transcribe", transcribe.transcribe, transcribe.EPILOG)
_add(FILES, "live", live.live, live.EPILOG, alone=True)
_add(SERVER, "serve", serve.serve, serve.EPILOG, alone=True)
app.add_typer(keys.app, name="keys", rich_help_panel=SERVER)
_add(
    DATASETS, "stream", stream.stream, stream.EPILOG, short="Transcribe a dataset as it streams in."
)
_add(
    DATASETS,
    "eval",
    evaluate.evaluate,
    evaluate.EPILOG,
    short="Report error rates, by group, and the worst clips.",
)
_add(DATASETS, "status", status.status, short="Show how far a run is, and how to continue it.")
_add(DATASETS, "retry", retry.retry, short="Run the failed clips of a run again.")
_add(
    DATASETS,
    "export",
    export.export,
    export.EPILOG,
    short="Write a run's transcripts in other formats.",
)
_add(DATASETS, "plan", plan.plan, plan.EPILOG, short="Divide a dataset among many machines.")
_add(DATASETS, "work", work.work, short="Transcribe units of a plan until all are done.")
_add(DATASETS, "push", push.push, push.EPILOG, short="Publish a plan's transcripts on the Hub.")
app.add_typer(models.app, name="models", rich_help_panel=MACHINE)
_add(MACHINE, "doctor", doctor.doctor, alone=True)
_add(MACHINE, "demo", demo.demo, short="Stream sample recordings through a model.", alone=True)
_add(MACHINE, "bench", bench.bench, bench.EPILOG, alone=True)
_add(
    MACHINE,
    LIVE_BENCH,
    bench_live.bench_live,
    bench_live.EPILOG,
    short="Measure live captions: delays, errors, sessions at once.",
    alone=True,
)
_add(
    MACHINE,
    "schema",
    schema.schema,
    schema.EPILOG,
    short="Print JSON Schemas of outputs.",
    alone=True,
)
_add(
    MACHINE,
    "completion",
    completion.completion,
    completion.EPILOG,
    short="Print what makes a shell complete commands and flags.",
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
