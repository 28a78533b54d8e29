"""The gate that every request passes once, before any of its sound is taken.

It is passed at the handshake and never shut afterwards: whoever was let in is served to the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from quest22.server.refusal import Refusal
from quest22.settings.server import ServerSettings

Kind: TypeAlias = Literal["file", "live"]

RETRY_S = 5.0
"""When to try again where no better guess is known."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the name of a key, or the address of whoever needs none."""

    name: str


@dataclass(slots=True, eq=False)
class Visit:
    """A request that was let in; protocols pass it to the service, which counts on it."""

    caller: Caller
    kind: Kind
    audio_s: float = 0.0

    def count_audio(self, seconds: float) -> None:
        """So much more sound was taken."""
        self.audio_s += seconds


@dataclass(slots=True)
class Gate:
    """Lets requests in, or raises :class:`Refusal`; for use in one event loop."""

    settings: ServerSettings
    draining: bool = False
    _inside: dict[Kind, int] = field(default_factory=lambda: {"file": 0, "live": 0})

    def identify(self, key: str | None, peer: str) -> Caller:
        """Who asks, by the key that came with the request; raises :class:`Refusal`."""
        del key  # nobody needs one yet
        return Caller(peer)

    @contextmanager
    def admit(self, caller: Caller, kind: Kind) -> Iterator[Visit]:
        """Let a request in for the time of the block; raises :class:`Refusal` at its beginning."""
        if self.draining:
            raise Refusal("draining", "the server is shutting down", retry_after_s=RETRY_S)
        most = self.settings.max_live if kind == "live" else self.settings.max_requests
        if self._inside[kind] >= most:
            what = "live sessions are open" if kind == "live" else "recordings are in work"
            raise Refusal("overloaded", f"{most} {what} already", retry_after_s=RETRY_S)
        self._inside[kind] += 1
        try:
            yield Visit(caller, kind)
        finally:
            self._inside[kind] -= 1
