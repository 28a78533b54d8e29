"""Performs what a worker's procedure asks for: with a ledger, threads and this machine's clock."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Any

from quest22.cluster.ledger import Attempt, Lease, Ledger, LedgerUnavailableError
from quest22.cluster.procedure import (
    Abandoned,
    AttemptError,
    Policy,
    Procedure,
    Release,
    Request,
    Transcribe,
    Wait,
    Worker,
    heartbeat,
    performer,
)
from quest22.errors import Quest22Error, unexpected

MAX_FAILED_IN_ROW = 10
"""Units that fail on one machine before it is taken to be the machine's fault."""

STOPPING_WAIT_S = 0.5
"""The longest wait of a worker that is stopped, between tries to reach its ledger."""

_log = logging.getLogger("quest22")

Transcription = Callable[[Lease, Callable[[], bool]], Attempt]
"""Transcribes a unit; raises :class:`UnitAbandonedError` soon after the function returns True."""


class UnitAbandonedError(Exception):
    """A unit's transcription was ended early: the worker is stopped, or others were faster."""


class ClusterDriver:
    """Runs one worker in the calling thread until all units have ended, or :meth:`stop`."""

    def __init__(
        self, name: str, ledger: Ledger, transcribe: Transcription, policy: Policy
    ) -> None:
        rng = random.Random()  # noqa: S311 -- spreads workers, keeps no secret
        self._ledger = ledger
        self._ask = performer(ledger)
        self._policy = policy
        self._transcribe = transcribe
        self._rng = rng
        self._worker = Worker(name, ledger.units, policy, time.monotonic, rng)
        self._stopping = threading.Event()
        self._lease: Lease | None = None
        self._failed_in_row = 0
        self._is_waiting = False

    def run(self) -> None:
        """Work. Raises :class:`Quest22Error` if the store refuses, or if every unit fails here."""
        procedure = self._worker.run()
        try:
            request = next(procedure)
            while True:
                request = self._answered(procedure, request)
        except StopIteration:
            return

    def _answered(self, procedure: Procedure[None], request: Request) -> Request:
        """Perform a request; the next one."""
        try:
            answer = self._perform(request)
        except LedgerUnavailableError as exc:
            if not self._is_waiting:
                _log.warning("%s; trying again until the store answers", exc)
            self._is_waiting = True
            return procedure.throw(exc)
        self._is_waiting = False
        return procedure.send(answer)

    def stop(self) -> None:
        """End soon, from any thread: the unit at hand is given back to the others."""
        self._worker.stopping = True
        self._stopping.set()

    @property
    def stopped(self) -> bool:
        """Whether it was asked to end."""
        return self._stopping.is_set()

    @property
    def lease(self) -> Lease | None:
        """The unit that is being transcribed."""
        return self._lease

    def release(self) -> None:
        """Give back the unit at hand, from any thread, if the one that works on it hangs."""
        lease = self._lease
        if lease is not None:
            self._ask(Release(lease))

    def _perform(self, request: Request) -> Any:
        if isinstance(request, Wait):
            if self.stopped:
                time.sleep(min(request.seconds, STOPPING_WAIT_S))
            else:
                self._stopping.wait(request.seconds)
            return None
        if isinstance(request, Transcribe):
            return self._attempt(request.lease)
        return self._ask(request)

    def _attempt(self, lease: Lease) -> Attempt | AttemptError | Abandoned:
        """Transcribe a unit while a thread renews its lease."""
        beating = _Heartbeat(lease, self._policy, self._ledger, self._rng)
        self._lease = lease
        try:
            with beating:
                made = self._transcribe(lease, lambda: self.stopped or beating.superseded)
        except UnitAbandonedError:
            return Abandoned(published=beating.superseded)
        except Quest22Error as exc:
            return self._failed(lease, str(exc), exc)
        except Exception as exc:
            _log.debug("unit %d", lease.unit, exc_info=True)
            return self._failed(lease, unexpected(exc), exc)
        finally:
            self._lease = None
        self._failed_in_row = 0
        return made

    def _failed(self, lease: Lease, reason: str, error: Exception) -> AttemptError:
        _log.warning("unit %d, attempt %d: %s", lease.unit, lease.attempt, reason)
        self._failed_in_row += 1
        if self._failed_in_row >= MAX_FAILED_IN_ROW:
            self._ask(Release(lease))
            raise Quest22Error(
                f"{MAX_FAILED_IN_ROW} units in a row failed on this machine, the last because: "
                f"{reason}"
            ) from error
        return AttemptError(reason)


class _Heartbeat:
    """Renews a lease in a thread; ``superseded`` once another worker has published the unit."""

    def __init__(self, lease: Lease, policy: Policy, ledger: Ledger, rng: random.Random) -> None:
        self.superseded = False
        self._over = threading.Event()
        self._ask = performer(ledger)
        self._beating = heartbeat(lease, policy, rng)
        self._thread = threading.Thread(target=self._beat, daemon=True, name="quest22-lease")

    def __enter__(self) -> _Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """A renewal that hangs is not waited for: it does no harm."""
        self._over.set()

    def _beat(self) -> None:
        request: Any = next(self._beating)
        while not self._over.is_set():
            try:
                if isinstance(request, Wait):
                    self._over.wait(request.seconds)
                    request = self._beating.send(None)
                    continue
                request = self._renewed(request)
            except StopIteration:
                self.superseded = True
                return

    def _renewed(self, request: Any) -> Any:
        try:
            answer = self._ask(request)
        except LedgerUnavailableError as exc:
            return self._beating.throw(exc)
        except Quest22Error as exc:  # told by the worker, which uses the same store
            _log.debug("%s", exc)
            return self._beating.throw(LedgerUnavailableError(str(exc)))
        return self._beating.send(answer)
