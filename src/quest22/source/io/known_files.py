"""The data files that a run reads: which they are, and what each was when it was read first."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from quest22.source.io.error_kinds import SourceChangedError
from quest22.source.io.file_identity import FileIdentity, changed_message

OnChange = Callable[[str, str], None]
"""Told the name of a file that is another one than it was, and what differs."""

_log = logging.getLogger("quest22")


def refuse_change(name: str, change: str) -> None:
    """Raise SourceChangedError: a run must not mix two files."""
    raise SourceChangedError(changed_message(name, change))


def welcome_change(name: str, change: str) -> None:
    """Say that a file is another one: it may have been mended."""
    _log.warning("%s is not what it was (%s): what failed is read from it as it is", name, change)


class KnownFiles:
    """The data files of a run by name; knows none at first, and remembers.

    ``names`` are all of them in order, None if unknown. ``on_change`` decides about those that are
    other files now.
    """

    def __init__(self, on_change: OnChange = refuse_change) -> None:
        self.names: list[str] | None = None
        self.identities: dict[str, FileIdentity] = {}
        self.shown: Mapping[str, str] = {}
        """Address → name."""
        self._on_change = on_change

    def check_names(self, names: Sequence[str], dataset: str) -> None:
        """Compare the list of data files with the one that the run began with.

        Raises SourceChangedError if it differs: rows would shift, or be left out.
        """
        if self.names is None:
            self.names = list(names)
            self.names_were_added(self.names)
        if list(names) != self.names:
            raise SourceChangedError(
                f"{dataset} has changed since the run began ({_difference(self.names, names)}): "
                "put its former files back, or start over with --restart"
            )

    def check(self, name: str, identity: FileIdentity) -> None:
        """Compare a file with what it was when it was read first."""
        before = self.identities.get(name)
        change = None if before is None else before.change_to(identity)
        if change is not None:
            self._on_change(name, change)
        if before is None or change is not None:
            self.identities[name] = identity
            self.file_was_added(name, identity)

    def names_were_added(self, names: Sequence[str]) -> None:
        """Told of the list of files once; remembers nothing here."""

    def file_was_added(self, name: str, identity: FileIdentity) -> None:
        """Told of each file that is read first; remembers nothing here."""


def _difference(before: Sequence[str], now: Sequence[str]) -> str:
    gone, new = set(before) - set(now), set(now) - set(before)
    parts = [
        f"{_count(names)} {what}, such as {min(names)}"
        for names, what in ((gone, "no longer there"), (new, "new"))
        if names
    ]
    return "; ".join(parts) or "its data files are in another order"


def _count(names: set[str]) -> str:
    return f"{len(names):,} data file{'' if len(names) == 1 else 's'}"
