"""Several devices as one engine: each batch goes to the one that has the fewest.

Batches are formed, and results taken, by one run as with one device; so outputs, their order and
what is kept for a continued run are the same. Each device has a batch in its engine and another on
the way. A device whose process dies leaves its batches to the others.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from quest22.errors import DevicesLostError, EngineError, Quest22Error, UsageError
from quest22.metrics import Metrics
from quest22.records import Hypothesis, Window
from quest22.runtime.devices.device import DeviceProcess, error_of
from quest22.runtime.devices.messages import Done, Opened
from quest22.system.forks import HomeProcess

BATCHES_A_DEVICE = 2

_PATIENCE_S = 0.5
"""On Windows, Ctrl-C comes between two waits alone."""

_log = logging.getLogger("quest22")


@dataclass(slots=True, eq=False)
class DeviceBatch:
    """A batch that was given to a device, perhaps to another later."""

    windows: Sequence[Window]
    done: threading.Event = field(default_factory=threading.Event)
    outcome: list[Hypothesis] | Quest22Error | None = None

    def end(self, outcome: list[Hypothesis] | Quest22Error) -> None:
        """Wake who waits for it."""
        self.outcome = outcome
        self.done.set()


@dataclass(slots=True, eq=False)
class _Member:
    """A device, the batches that it was sent, and those that wait to be."""

    device: DeviceProcess
    sent: deque[DeviceBatch] = field(default_factory=deque)
    waiting: deque[DeviceBatch] = field(default_factory=deque)
    alive: bool = True

    @property
    def load(self) -> int:
        return len(self.sent) + len(self.waiting)


class DevicesEngine:
    """A :class:`quest22.protocols.Engine` made of devices that have the same model."""

    def __init__(
        self,
        devices: Sequence[DeviceProcess],
        opened: Sequence[Opened],
        metrics: Metrics,
    ) -> None:
        """Takes the devices over: they are closed with it. Raises :class:`UsageError`."""
        check_alike(devices, opened)
        self.devices = tuple(each.name for each in devices)
        self.backend_name, self.device = opened[0].backend_name, opened[0].device
        self.compute_type = opened[0].compute_type
        self.batch_size = min(each.batch_size for each in opened)
        self.batches_in_flight = BATCHES_A_DEVICE * len(devices)
        self._same_in_any_batch = all(each.same_in_any_batch for each in opened)
        self._crew = _Crew(devices, metrics)
        weakref.finalize(self, self._crew.close)

    def same_in_any_batch(self, windows: Sequence[Window]) -> bool:
        """See :class:`quest22.protocols.Engine`; alignments are computed for several windows."""
        return self._same_in_any_batch and not any(each.decoding.words for each in windows)

    def run(self, windows: Sequence[Window]) -> list[Hypothesis]:
        """Transcribe up to ``batch_size`` windows on one device, in order.

        Raises :class:`EngineError` if inference fails there, :class:`UsageError` if a window
        requests what the checkpoint does not support, and :class:`DevicesLostError` if no device is
        left.
        """
        return self.finish(self.begin(windows))

    def begin(self, windows: Sequence[Window]) -> DeviceBatch:
        """Give windows to a device, which :meth:`finish` waits for; raises as :meth:`run` does."""
        if len(windows) > self.batch_size:
            raise EngineError(
                f"{len(windows)} windows in one call: expected at most {self.batch_size}"
            )
        batch = DeviceBatch(list(windows))
        self._crew.assign(batch)
        return batch

    def finish(self, ticket: DeviceBatch) -> list[Hypothesis]:
        """Wait for a batch. Raises as :meth:`run`."""
        while not ticket.done.wait(_PATIENCE_S):
            pass
        if isinstance(ticket.outcome, Quest22Error):
            raise ticket.outcome
        return ticket.outcome or []

    def abandon(self, ticket: DeviceBatch) -> None:
        """Nobody will wait for the batch: it is not sent if it was not."""
        self._crew.drop(ticket)

    def close(self) -> None:
        """End all processes. The engine cannot be used again."""
        self._crew.close()


class _Crew:
    """The devices and their threads: one that sends batches, and one that takes the answers.

    Threads keep this alive, but not the engine, which closes it when it is no longer used.
    """

    def __init__(self, devices: Sequence[DeviceProcess], metrics: Metrics) -> None:
        self._members = [_Member(each) for each in devices]
        self._metrics = metrics
        self._home = HomeProcess()
        self._changed = threading.Condition()
        self._closed = False
        for member in self._members:
            for work in (self._send, self._receive):
                name = f"quest22-{member.device.name}"
                threading.Thread(target=work, args=(member,), name=name, daemon=True).start()

    def assign(self, batch: DeviceBatch) -> None:
        """Give a batch to the device with the fewest; its end tells if none is left."""
        with self._changed:
            if self._closed:
                raise UsageError("the model is closed: load it again to transcribe more")
            alive = [each for each in self._members if each.alive]
            if alive:
                min(alive, key=lambda each: each.load).waiting.append(batch)
                self._changed.notify_all()
                return
        names = ", ".join(each.device.name for each in self._members)
        batch.end(DevicesLostError(f"no device is left of {names}: their processes have died"))

    def drop(self, batch: DeviceBatch) -> None:
        with self._changed:
            for each in self._members:
                if batch in each.waiting:
                    each.waiting.remove(batch)
        batch.end([])

    def close(self) -> None:
        if not self._home.is_here:  # a forked child: the processes are its parent's
            return
        with self._changed:
            if self._closed:
                return
            self._closed = True
            left = [batch for each in self._members for batch in (*each.sent, *each.waiting)]
            self._changed.notify_all()
        for each in self._members:
            each.device.close()
        for batch in left:
            batch.end(UsageError("the model is closed: load it again to transcribe more"))

    def _send(self, member: _Member) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._may_send(member))
                if self._closed or not member.alive:
                    return
                batch = member.waiting.popleft()
                member.sent.append(batch)
            try:
                member.device.send(batch.windows)
            except (OSError, ValueError):  # it has died, which its other thread notices
                return

    def _may_send(self, member: _Member) -> bool:
        ready = bool(member.waiting) and len(member.sent) < BATCHES_A_DEVICE
        return self._closed or not member.alive or ready

    def _receive(self, member: _Member) -> None:
        while True:
            try:
                answer = member.device.answer()
            except EOFError:
                self._bury(member)
                return
            with self._changed:
                batch = member.sent.popleft()
                self._changed.notify_all()
            if isinstance(answer, Done):
                self._count(answer)
                batch.end(list(answer.hypotheses))
            else:
                batch.end(error_of(answer))

    def _count(self, done: Done) -> None:
        """Devices work side by side: their seconds count as a share of the run's time."""
        for name, seconds in done.seconds.items():
            self._metrics.add_seconds(name, seconds / len(self._members))
        self._metrics.count("tokens", done.tokens)

    def _bury(self, member: _Member) -> None:
        """A device's process has ended: others do what it had."""
        with self._changed:
            if self._closed:
                return
            member.alive = False
            orphans = [*member.sent, *member.waiting]
            member.sent.clear()
            member.waiting.clear()
            others = [each.device.name for each in self._members if each.alive]
            self._changed.notify_all()
        how = member.device.death()
        goes_on = f"its work goes to {', '.join(others)}" if others else "no device is left"
        _log.warning("the process of %s has died (%s): %s", member.device.name, how, goes_on)
        for batch in orphans:
            if not batch.done.is_set():
                self._reassign(batch)

    def _reassign(self, batch: DeviceBatch) -> None:
        try:
            self.assign(batch)
        except UsageError as error:  # closed meanwhile
            batch.end(error)


def check_alike(devices: Sequence[DeviceProcess], opened: Sequence[Opened]) -> None:
    """Raise :class:`UsageError` if devices compute in different ways."""
    first = opened[0]
    for device, each in zip(devices, opened, strict=True):
        if (each.backend_name, each.compute_type) != (first.backend_name, first.compute_type):
            raise UsageError(
                f"{devices[0].name} computes in {first.compute_type} ({first.backend_name}) and "
                f"{device.name} in {each.compute_type} ({each.backend_name}), so texts would "
                "depend on who is free: choose one --engine and --compute-type for all"
            )
