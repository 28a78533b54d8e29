"""``--devices`` of ``quest22 work`` and of ``quest22 retry STORE``: a worker a device.

Workers share nothing but the store, as on several machines: each has units of its own, reads and
decodes its own sound, and no device waits for the end of another's unit. This process only starts
them, passes on what they say, and stops them. A worker stops when its input ends, so that whatever
ends this process ends them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import IO, Any

from quest22.cli.exits import Exit, run_guarded, say
from quest22.cli.output_flags import ReportFlags
from quest22.cli.terminal import configure_logging
from quest22.env import disable_torch, silence_telemetry, with_one_gpu
from quest22.errors import UsageError
from quest22.settings import EngineSettings
from quest22.settings.cluster import ClusterWorkSettings
from quest22.system.machine import usable_cores

PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from quest22.cli.workers import main; sys.exit(main())"
)
_LEAVES_AFTER_S = 30.0
"""A worker whose starter is gone, and that has not ended in an orderly way, ends anyhow."""


@dataclass(frozen=True, slots=True)
class WorkerOrder:
    """What a worker is to do: units of a plan, or of a round of ``retries``."""

    store: str
    retries: bool
    engine: EngineSettings
    patience: ClusterWorkSettings
    report: ReportFlags


def run_workers(order: WorkerOrder, devices: Sequence[str]) -> int:
    """Let a worker on each device work until all units have ended; the exit code.

    A worker that dies costs the unit that it was at, which another takes. A first signal stops all
    in an orderly way, a second one at once.
    """
    if order.report.stats_json is not None:
        raise UsageError(
            "--stats-json is about one worker: leave it out, or start quest22 work with --device "
            "once for each device"
        )
    threads = max(1, (order.engine.cpu_threads or usable_cores()) // len(devices))
    engine = replace(order.engine, devices=(), threads=threads)
    workers: list[_Worker] = []
    with _StopSignals(workers) as signals:
        for place, name in enumerate(devices, 1):
            label = f"{name} ({place} of {len(devices)})" if devices.count(name) > 1 else name
            own = replace(engine, device=name.partition(":")[0])  # it sees no other GPU
            workers.append(_Worker(label, name, replace(order, engine=own)))
            if signals.stopped:
                workers[-1].stop()
        codes = [each.ended() for each in workers]
    if signals.stopped:
        return Exit.INTERRUPTED
    if Exit.DONE in codes:  # which a worker ends with when all units have ended
        return Exit.DONE
    return next((code for code in codes if code > 0), Exit.NOTHING_DONE)


class _Worker:
    def __init__(self, label: str, device: str, order: WorkerOrder) -> None:
        self._label = label
        kind, _, number = device.partition(":")
        self._process = subprocess.Popen(  # noqa: S603 -- our own program
            [sys.executable, "-I", "-c", PROGRAM, json.dumps(sys.path)],
            env=with_one_gpu(int(number)) if kind == "cuda" else None,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="backslashreplace",
            start_new_session=True,
        )
        from quest22.runtime.devices.codec import encode

        (text,) = encode(order)
        self._tell(bytes(text).decode() + "\n")
        self._thread = threading.Thread(target=self._pass_on, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let it give its unit back and end."""
        with suppress(OSError):
            self._input.close()

    def kill(self) -> None:
        self._process.kill()

    def ended(self) -> int:
        """Wait for its end; the exit code, below 0 for a signal."""
        self._thread.join()
        return self._process.wait()

    def _tell(self, text: str) -> None:
        with suppress(OSError):  # it has died, which is noticed next
            self._input.write(text)
            self._input.flush()

    def _pass_on(self) -> None:
        for line in self._process.stderr or ():
            say(f"{self._label}: {line.removeprefix('quest22: ')}")
        code = self._process.wait()
        if code < 0:
            with suppress(ValueError):
                how = signal.Signals(-code).name
                say(f"the worker on {self._label} has died ({how}): others take its unit over")

    @property
    def _input(self) -> IO[str]:
        assert self._process.stdin is not None  # noqa: S101 -- a pipe
        return self._process.stdin


class _StopSignals:
    """A first signal stops workers, a second one kills them."""

    def __init__(self, workers: Sequence[_Worker]) -> None:
        self.stopped = False
        self._workers = workers
        self._former: dict[int, Any] = {}

    def __enter__(self) -> _StopSignals:
        for name in ("SIGTERM", "SIGINT", "SIGUSR1"):
            number = getattr(signal, name, None)
            if number is not None:
                self._former[number] = signal.signal(number, self._stop)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            for each in self._workers:
                each.kill()
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _stop(self, number: int, frame: object) -> None:
        again, self.stopped = self.stopped, True
        for each in list(self._workers):
            (each.kill if again else each.stop)()


def main() -> int:
    """Do what the first line of standard input says, until that ends."""
    from quest22.runtime.devices.codec import decode

    order: WorkerOrder = decode([sys.stdin.readline().encode()], {"WorkerOrder": WorkerOrder})
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    silence_telemetry()
    disable_torch()
    threading.Thread(target=_stop_at_end_of_input, daemon=True).start()
    return run_guarded(lambda: _work(order), debug=order.report.debug)


def _work(order: WorkerOrder) -> int:
    from quest22.cli.retry import retry_in_store
    from quest22.cli.work import work_in_store

    configure_logging(order.report)
    return (retry_in_store if order.retries else work_in_store)(order)


def _stop_at_end_of_input() -> None:
    while os.read(0, 1 << 10):  # a thread in sys.stdin would hold its lock at exit
        pass
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # nobody reads what it says any more
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(_LEAVES_AFTER_S)
    os._exit(Exit.INTERRUPTED)
