"""The consoles that tables are printed on."""

from __future__ import annotations

import sys

from rich.console import Console

PIPE_WIDTH = 160
"""Columns where nobody set a width, so that no table is cut in a pipe or a file."""


def output_console() -> Console:
    """Standard output: coloured on a terminal, plain and wide in a pipe."""
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(highlight=False, width=width)
