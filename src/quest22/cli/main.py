"""Where the command ``quest22`` starts and ends."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from quest22.cli.exits import run_guarded


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code and never raises for a user's mistake."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    return run_guarded(lambda: _run(given), debug="--debug" in given)


def _run(given: list[str]) -> object:
    """Everything that takes time to import comes in here, where an interruption is expected."""
    from quest22.cli.app import app
    from quest22.env import disable_torch, silence_telemetry

    _never_stumble_over_letters()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop as cleanly as by Ctrl-C
    silence_telemetry()
    disable_torch()
    return app(given, prog_name="quest22", standalone_mode=False)


def _never_stumble_over_letters() -> None:
    """Letters that a terminal's encoding lacks are escaped; UTF-8 shows all of them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
