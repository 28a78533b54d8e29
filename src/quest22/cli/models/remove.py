"""``quest22 models rm``: deletes models from the caches."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from quest22.cli.exits import Exit, say
from quest22.cli.figures import size
from quest22.cli.models.names import complete_cached
from quest22.errors import UsageError

if TYPE_CHECKING:
    from quest22.checkpoint.removal import CacheEntry

EPILOG = """\
[bold]Examples[/]

quest22 models rm small                               [dim]# says what it frees, and asks[/]

quest22 models rm --yes org/whisper-finetuned Systran/faster-whisper-base
"""


def remove(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME",
            help="Names from [cyan]quest22 models[/]: short names, Hub ids, paths in a cache.",
            show_default=False,
            autocompletion=complete_cached,
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> int:
    """Delete models from the Hub's cache, with all their revisions, or from quest22's own.

    Of a short name, what [cyan]--model[/] takes is deleted; another copy of it stays. Folders that
    are in no cache are refused, and links are never followed.
    """
    from quest22.checkpoint.removal import delete_entry, find_entry

    entries = list({entry.path: entry for entry in map(find_entry, names)}.values())
    if not yes and not sys.stdin.isatty():
        raise UsageError("quest22 models rm asks before it deletes: expected a terminal, or --yes")
    if not yes and not _agreed(entries):
        say("nothing was deleted")
        return Exit.NOTHING_DONE
    for entry in entries:
        delete_entry(entry)
        say(f"deleted {_described(entry)}")
    return Exit.DONE


def _agreed(entries: list[CacheEntry]) -> bool:
    for entry in entries:
        say(f"{_described(entry)} in {entry.path}")
    total = sum(entry.size_bytes for entry in entries)
    sys.stderr.write(f"quest22: delete it and free {size(total)}? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _described(entry: CacheEntry) -> str:
    freed = size(entry.size_bytes)
    if entry.revisions > 1:
        return f"{entry.title}, {entry.revisions} revisions, {freed}"
    return f"{entry.title}, {freed}"
