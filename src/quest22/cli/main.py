"""Where the command ``quest22`` starts and ends."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from quest22.cli.exits import run_guarded


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; a user's mistake is reported, not raised."""
    command = list(sys.argv[1:] if arguments is None else arguments)
    return run_guarded(lambda: _run(command), debug="--debug" in command)


def _run(command: list[str]) -> object:
    """Slow imports happen here, where an interruption is expected."""
    from quest22.cli.app import app
    from quest22.env import disable_torch, silence_telemetry

    _escape_unencodable()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop as cleanly as by Ctrl-C
    silence_telemetry()
    disable_torch()
    return app(command, prog_name="quest22", standalone_mode=False)


def _escape_unencodable() -> None:
    """Escape characters that a terminal's encoding lacks; UTF-8 shows all of them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
