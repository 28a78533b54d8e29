"""A device as the run's process sees it: a process that it starts, sends batches and kills."""

from __future__ import annotations

import logging
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress

from quest22 import errors
from quest22.env import with_one_gpu
from quest22.errors import EngineError, Quest22Error
from quest22.records import Window
from quest22.runtime.devices.channel import Channel
from quest22.runtime.devices.messages import Batch, Done, Failed, Logged, Opened, Opening
from quest22.runtime.devices.process import command


class DeviceProcess:
    """The process of one device, starting; :meth:`opened` waits until its model is loaded."""

    def __init__(self, opening: Opening) -> None:
        """Raises :class:`EngineError` if no process can be started."""
        self.name = opening.name
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115 -- closed with the process
        try:
            self._process = subprocess.Popen(  # noqa: S603 -- our own program
                command(),
                env=_environment(opening.name),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._printed,
                start_new_session=True,
            )
        except OSError as exc:
            self._printed.close()
            raise EngineError(
                f"no process can be started for {self.name}: {exc.strerror or exc}"
            ) from exc
        self._channel = Channel(self._process.stdout, self._process.stdin)  # type: ignore[arg-type]
        with suppress(OSError):  # it has died, which is noticed next
            self._channel.send(opening)

    def opened(self) -> Opened:
        """Wait for the model; raises what loading it there raised, with the device's name."""
        try:
            reply = self._reply()
        except EOFError as exc:
            raise EngineError(
                f"{self.name}: the process ended while it loaded the model ({self.death()})"
            ) from exc
        if isinstance(reply, Failed):
            raise error_of(reply, f"{self.name}: ")
        assert isinstance(reply, Opened)  # noqa: S101 -- our own program
        return reply

    def send(self, windows: Sequence[Window]) -> None:
        """Send a batch; raises ``OSError`` if the process has ended."""
        self._channel.send(Batch(tuple(windows)))

    def answer(self) -> Done | Failed:
        """Wait for the oldest batch that was sent; raises ``EOFError`` if the process ends."""
        reply = self._reply()
        assert isinstance(reply, Done | Failed)  # noqa: S101 -- our own program
        return reply

    def death(self) -> str:
        """How the process ended, and the last line that it printed."""
        self._process.kill()  # it has closed its output, so there is nothing to lose
        code = self._process.wait()
        how = f"exit code {code}"
        if code < 0:
            with suppress(ValueError):
                how = signal.Signals(-code).name
        said = self._last_line()
        return f"{how}: {said}" if said else how

    def close(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._printed):
            with suppress(OSError):
                stream.close()  # type: ignore[union-attr]

    def _last_line(self) -> str:
        try:
            self._printed.seek(0)
            lines = self._printed.read().decode(errors="replace").split("\n")
        except ValueError:  # closed meanwhile
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def _reply(self) -> object:
        while True:
            try:
                reply = self._channel.receive()
            except (OSError, ValueError) as exc:  # closed meanwhile
                raise EOFError from exc
            if not isinstance(reply, Logged):
                return reply
            logging.getLogger(reply.logger).log(reply.level, "%s: %s", self.name, reply.text)


def error_of(failed: Failed, before: str = "") -> Quest22Error:
    """The error that a process has told of, with its class where that takes a message alone."""
    kind = getattr(errors, failed.error, None)
    if kind not in (errors.UsageError, errors.CheckpointError):
        kind = errors.UsageError if failed.error == "MissingExtraError" else EngineError
    error: Quest22Error = kind(f"{before}{failed.reason}")
    return error


def _environment(name: str) -> Mapping[str, str] | None:
    kind, _, number = name.partition(":")
    return with_one_gpu(int(number)) if kind == "cuda" else None
