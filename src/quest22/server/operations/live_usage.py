"""Counts the audio of live sessions against their callers' limits as it arrives."""

from __future__ import annotations

from quest22.runtime.live_session import LiveSession
from quest22.server.access.gate import Admission, AudioUsage


class LiveUsage:
    """The open live sessions, and how much of each one's audio has been counted."""

    def __init__(self) -> None:
        self._open: dict[LiveSession, AudioUsage] = {}

    def add(self, session: LiveSession, admission: Admission) -> None:
        """Start counting a session's audio."""
        self._open[session] = AudioUsage(admission, session.fed_s)

    def remove(self, session: LiveSession) -> None:
        """Count the rest of a session that has ended."""
        self._count(session)
        self._open.pop(session, None)

    def count(self) -> None:
        """Count the audio that has arrived since the last call."""
        for session in list(self._open):
            self._count(session)

    def _count(self, session: LiveSession) -> None:
        if session in self._open:
            self._open[session].reach(session.fed_s)
