"""Configures logging, so that libraries do not write between a command's lines, and the console."""

from __future__ import annotations

import logging
import sys
import warnings
from typing import Protocol

from rich.console import Console

from quest22.cli.exits import say
from quest22.env import silence_progress_bars
from quest22.source.io.address import redact_text

PIPE_WIDTH = 160
"""Columns in a pipe or a file, so that no table is cut."""


class Verbosity(Protocol):
    """How much a command tells: see :class:`quest22.cli.output_flags.ReportFlags`."""

    @property
    def quiet(self) -> bool: ...

    @property
    def verbose(self) -> bool: ...

    @property
    def debug(self) -> bool: ...


def configure_logging(report: Verbosity) -> None:
    """Show only the product's own warnings, or with ``verbose`` also what libraries log."""
    if report.quiet or not sys.stderr.isatty():
        silence_progress_bars()
    if report.verbose or report.debug:
        shown = logging.StreamHandler()
        shown.setFormatter(_WithoutSecrets("%(name)s: %(message)s"))
        logging.basicConfig(level=logging.INFO, handlers=[shown])
        return
    warnings.simplefilter("ignore")
    handler = _LineHandler()
    handler.addFilter(logging.Filter("quest22"))
    logging.basicConfig(level=logging.CRITICAL, handlers=[handler])
    logging.getLogger("quest22").setLevel(logging.ERROR if report.quiet else logging.WARNING)


class _WithoutSecrets(logging.Formatter):
    """Libraries log whole addresses, with their queries."""

    def format(self, record: logging.LogRecord) -> str:
        return redact_text(super().format(record))


class _LineHandler(logging.Handler):
    """Prints log messages in the format of the command's own lines."""

    def emit(self, record: logging.LogRecord) -> None:
        say(redact_text(record.getMessage()))


def output_console() -> Console:
    """Standard output: coloured on a terminal, plain and wide in a pipe."""
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(highlight=False, width=width)
