"""How a command ends: exit codes, and one line for whatever went wrong."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from enum import IntEnum

from quest22.errors import Quest22Error, UsageError
from quest22.source.io.address import redact_text
from quest22.system.shortage import shortage


class Exit(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    NOTHING_DONE = 1
    USAGE = 2
    SOME_FAILED = 3
    INCOMPLETE = 4
    INTERRUPTED = 130
    READER_GONE = 141


EXIT_CODES = (
    "[bold]Exit codes[/]  0 every clip was transcribed · 1 the run ended with an error, or no clip "
    "could be transcribed · 2 the command is invalid · 3 some clips failed · 4 a data file could "
    "not be read to its end, so an unknown number of clips is missing: repeat the command · 130 "
    "interrupted · "
    "141 the reader of standard output closed it"
)


def exit_for(
    transcripts: int, failures: int, open_ends: int = 0, *, accepted: bool = False
) -> Exit:
    """The exit code of a run that completed, but for ``open_ends`` of its data files."""
    if open_ends and not accepted:
        return Exit.INCOMPLETE
    if not failures and not open_ends:
        return Exit.DONE
    return Exit.SOME_FAILED if transcripts else Exit.NOTHING_DONE


def say(text: str) -> None:
    """Print one line on standard error; line breaks in ``text`` become spaces.

    Control characters are shown as escapes: names from elsewhere must not reach the terminal.
    """
    line = "".join(
        each if each.isprintable() else repr(each)[1:-1] for each in " ".join(text.split())
    )
    sys.stderr.write(f"quest22: {line}\n")
    sys.stderr.flush()


def run_guarded(call: Callable[[], object], *, debug: bool) -> int:
    """Run a command; return its exit code. Errors become one line, with ``debug`` a traceback."""
    try:
        return int(call() or Exit.DONE)  # type: ignore[call-overload, no-any-return]
    except KeyboardInterrupt:
        say("interrupted")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        drop_standard_output()
        return Exit.READER_GONE
    except Exception as error:
        if debug:
            sys.stderr.write(redact_text(traceback.format_exc()))
        return _report(error)


def _report(error: Exception) -> Exit:
    short = None if isinstance(error, Quest22Error) else shortage(error)
    if short is not None:  # first, because what follows needs memory too
        say(f"error: {short}")
        return Exit.NOTHING_DONE
    if isinstance(error, _parser_error()):
        text = str(getattr(error, "format_message", error.__str__)()).rstrip(".")
        text = text.replace(": Value error, ", ": ")  # a prefix of Pydantic's
        if text:  # else the parser has printed the help
            context = getattr(error, "ctx", None)
            command = context.command_path if context is not None else "quest22"
            if command == "quest22":  # whose files need no command
                text = text.replace("No such command", "No such command or file")
            say(f"error: {text}; see {command} --help")
        return Exit.USAGE
    if isinstance(error, Quest22Error):
        say(f"error: {error}")
        return code_of(error)
    say(
        f"error: unexpected {type(error).__name__}: {redact_text(str(error))}; run again with "
        "--debug, and please report it"
    )
    return Exit.NOTHING_DONE


def code_of(error: Quest22Error) -> Exit:
    """The exit code of a command that ends with an error of ours."""
    return Exit.USAGE if isinstance(error, UsageError) else Exit.NOTHING_DONE


def _parser_error() -> type[Exception]:
    """The base class of the parser's errors.

    It is Click's ``UsageError``; newer versions of Typer carry their own copy and export only this
    subclass.
    """
    import typer

    return typer.BadParameter.__bases__[0]


def drop_standard_output() -> None:
    """Redirect standard output to nowhere, so that flushing it at exit does not fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
