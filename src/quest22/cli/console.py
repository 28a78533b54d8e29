"""The console that tables are printed on."""

from __future__ import annotations

import sys

from rich.console import Console

PIPE_WIDTH = 160
"""Columns in a pipe or a file, so that no table is cut."""


def output_console() -> Console:
    """Standard output: coloured on a terminal, plain and wide in a pipe."""
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(highlight=False, width=width)
