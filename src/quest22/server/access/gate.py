"""Admits or refuses each request once, before any of its audio is accepted.

An admitted request is served to the end.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, NoReturn, TypeAlias

from quest22.server.access.keys import Key, KeyRing
from quest22.server.access.limits import AudioBudget, CallerLimits
from quest22.server.access.load import Load
from quest22.server.operations.request_context import RequestContext, current_request
from quest22.server.operations.server_metrics import ServerMetrics
from quest22.server.refusal import RETRY_S, Reason, Refusal
from quest22.settings.server import ServerSettings

Kind: TypeAlias = Literal["file", "live"]


MAX_RETRY_S = 120.0

MAX_BUDGETS = 10_000
"""How many audio budgets to keep; above that, full ones are discarded."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request: a key's name, or without keys the peer's address; with its limits.

    ``key_hash`` distinguishes this key from a later one of the same name.
    """

    name: str
    limits: CallerLimits = field(default_factory=lambda: CallerLimits.of(ServerSettings()))
    key_hash: str = field(default="", repr=False)


@dataclass(slots=True, eq=False)
class Admission:
    """An admitted request; the service counts its audio.

    ``on_audio`` is called with the seconds that are counted.
    """

    caller: Caller
    kind: Kind
    audio_s: float = 0.0
    on_audio: Callable[[float], None] = lambda _: None

    @property
    def limits(self) -> CallerLimits:
        """The caller's limits."""
        return self.caller.limits

    def count_audio(self, seconds: float) -> None:
        """Count more accepted audio."""
        self.audio_s += seconds
        self.on_audio(seconds)


@dataclass(slots=True, eq=False)
class AudioUsage:
    """Counts the audio of one recording or live session on its admission.

    Each second counts once, however often it is transcribed.
    """

    admission: Admission
    counted_s: float = 0.0

    def reach(self, end_s: float) -> None:
        """Its audio was taken until then."""
        if end_s > self.counted_s:
            self.admission.count_audio(end_s - self.counted_s)
            self.counted_s = end_s


@dataclass(slots=True)
class Gate:
    """Admits requests or raises :class:`Refusal`; for use in one event loop."""

    settings: ServerSettings
    keys: KeyRing | None = None
    load: Load = field(default_factory=Load)
    metrics: ServerMetrics = field(default_factory=ServerMetrics)
    clock: Callable[[], float] = time.monotonic
    draining: bool = False
    _inside: Counter[Kind] = field(default_factory=Counter)
    _live: Counter[str] = field(default_factory=Counter)
    _budgets: dict[str, AudioBudget] = field(default_factory=dict)

    @property
    def inside(self) -> int:
        """How many requests are being served."""
        return self._inside.total()

    def count(self, kind: Kind) -> int:
        """How many requests of one kind are being served."""
        return self._inside[kind]

    def identify(self, key: str | None, peer: str) -> Caller:
        """The caller of a request, by its key; raises :class:`Refusal`."""
        caller = self._caller(key, peer)
        current_request().caller = caller.name
        return caller

    def identify_again(self, caller: Caller) -> Caller:
        """A caller identified earlier, with its current limits; raises :class:`Refusal`."""
        if self.keys is not None:
            key = self.keys.named(caller.name)
            if key is None or key.sha256 != caller.key_hash:
                self._refuse("unauthorized", "the API key behind it has been removed")
            caller = self._holder(caller.name, key)
        current_request().caller = caller.name
        return caller

    @contextmanager
    def admit(self, caller: Caller, kind: Kind) -> Iterator[Admission]:
        """Admit a request for the duration of the block; raises :class:`Refusal` on entry."""
        self._check_room(kind)
        self._check_caller(caller, kind)
        context = current_request()
        admission = Admission(
            caller, kind, on_audio=lambda seconds: self._count(caller, context, seconds)
        )
        self._inside[kind] += 1
        self._live[caller.name] += kind == "live"
        try:
            yield admission
        finally:
            self._inside[kind] -= 1
            self._live[caller.name] -= kind == "live"
            if not self._live[caller.name]:
                del self._live[caller.name]

    def _caller(self, key: str | None, peer: str) -> Caller:
        if self.keys is None:
            return Caller(peer, CallerLimits.of(self.settings))
        if not key:
            self._refuse("unauthorized", "this server needs an API key, and none was sent")
        found = self.keys.find(key)
        if found is None:
            self._refuse("unauthorized", "the API key is invalid")
        return self._holder(*found)

    def _holder(self, name: str, key: Key) -> Caller:
        return Caller(name, _with_key_limits(CallerLimits.of(self.settings), key), key.sha256)

    def _check_room(self, kind: Kind) -> None:
        if self.draining:
            self._refuse("draining", "the server is shutting down", RETRY_S)
        most = self.settings.max_live if kind == "live" else self.settings.max_requests
        if self._inside[kind] >= most:
            what = (
                "live sessions are open" if kind == "live" else "recordings are being transcribed"
            )
            self._refuse("overloaded", f"{most} {what} already", RETRY_S)
        if kind == "file":
            bound, wait_s = self.settings.max_wait_s, self.load.wait_s(self.clock())
            if wait_s > bound:
                message = f"recordings already wait {wait_s:.0f} s: expected at most {bound:g}"
                self._refuse("overloaded", message, max(RETRY_S, wait_s - bound))
        else:
            bound, latency_s = self.settings.max_latency_s, self.load.latency_s(self.clock())
            if latency_s > bound:
                message = f"words already arrive {latency_s:.0f} s late: expected at most {bound:g}"
                self._refuse("overloaded", message, RETRY_S)

    def _check_caller(self, caller: Caller, kind: Kind) -> None:
        most = caller.limits.max_live
        if kind == "live" and most is not None and self._live[caller.name] >= most:
            message = f"{caller.name} has {most} live sessions open already"
            self._refuse("rate_limited", message, RETRY_S)
        budget = self._budget(caller)
        if budget is not None and budget.wait_s > 0:
            message = (
                f"{caller.name} has sent more than {budget.per_minute:g} seconds of audio per "
                f"minute: wait {budget.wait_s:.0f} s"
            )
            self._refuse("rate_limited", message, budget.wait_s, MAX_RETRY_S)

    def _budget(self, caller: Caller) -> AudioBudget | None:
        per_minute = caller.limits.audio_s_per_minute
        if per_minute is None:
            return None
        budget = self._budgets.get(caller.name)
        if budget is None or budget.per_minute != per_minute:
            if len(self._budgets) >= MAX_BUDGETS:
                self._forget_budgets()
            budget = self._budgets[caller.name] = AudioBudget(per_minute, self.clock)
        return budget

    def _forget_budgets(self) -> None:
        self._budgets = {
            name: budget for name, budget in self._budgets.items() if not budget.is_full
        }

    def _count(self, caller: Caller, context: RequestContext, seconds: float) -> None:
        context.audio_s += seconds
        name = caller.name if self.keys is not None else ""
        self.metrics.count_audio(name, context.api, seconds)
        budget = self._budget(caller)
        if budget is not None:
            budget.spend(seconds)

    def _refuse(
        self,
        reason: Reason,
        message: str,
        retry_after_s: float | None = None,
        most_s: float = 60.0,
    ) -> NoReturn:
        current_request().reason = reason
        self.metrics.count_rejected(reason)
        if retry_after_s is not None:
            retry_after_s = min(retry_after_s, most_s)
        raise Refusal(reason, message, retry_after_s=retry_after_s)


def _with_key_limits(limits: CallerLimits, key: Key) -> CallerLimits:
    """The limits of a key: its own, or else the server's."""
    return CallerLimits(
        limits.max_upload_bytes if key.max_upload_mb is None else round(key.max_upload_mb * 1e6),
        limits.max_audio_s if key.max_audio_s is None else key.max_audio_s,
        limits.max_live if key.max_live is None else key.max_live,
        limits.audio_s_per_minute if key.audio_s_per_minute is None else key.audio_s_per_minute,
    )
