"""Where the command ``quest22`` starts and ends."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

from quest22.cli.exits import run_guarded
from quest22.errors import UsageError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; a user's mistake is reported, not raised."""
    _open_closed()
    command = list(sys.argv[1:] if arguments is None else arguments)
    return run_guarded(lambda: _run(command), debug="--debug" in command)


def _run(command: list[str]) -> object:
    """Slow imports happen here, where an interruption is expected."""
    if sys.stdout is None:
        raise UsageError(
            "standard output is closed: expected a terminal, a file or a pipe; redirect it to "
            f"{os.devnull} to see no text"
        )
    from quest22.cli.app import app
    from quest22.env import disable_torch, silence_telemetry

    _escape_unencodable()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop as cleanly as by Ctrl-C
    silence_telemetry()
    disable_torch()
    return app(command, prog_name="quest22", standalone_mode=False)


def _open_closed() -> None:
    """Give standard input and standard error that are closed the null device.

    Python has None in their place, and the next file to be opened would get their descriptor.
    """
    if sys.stdin is None:
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115


def _escape_unencodable() -> None:
    """Escape characters that a terminal's encoding lacks; UTF-8 shows all of them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
