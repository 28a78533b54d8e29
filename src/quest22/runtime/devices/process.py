"""The process of one device: opens the model there, and transcribes the batches that it is sent.

It ends when the process that started it does, however that ends; signals are for that one alone.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from queue import SimpleQueue

from quest22.engine.engine import WhisperEngine
from quest22.env import silence_telemetry
from quest22.errors import Quest22Error, unexpected
from quest22.metrics import Metrics
from quest22.runtime.devices.channel import Channel
from quest22.runtime.devices.messages import Batch, Done, Failed, Logged, Opened, Opening

PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from quest22.runtime.devices.process import main; main()"
)


def command() -> list[str]:
    """Starts such a process; it finds its modules where this one does."""
    return [sys.executable, "-I", "-c", PROGRAM, json.dumps(sys.path)]


def main() -> None:
    """Serve the process at the other end of the standard streams until it closes them."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    target = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no message
    channel = Channel(sys.stdin.buffer, target)
    silence_telemetry()
    try:
        opening: Opening = channel.receive()
        _send_logs(channel, opening)
        metrics = Metrics()
        engine = _open(channel, opening, metrics)
        if engine is None:
            return
        batches: SimpleQueue[Batch] = SimpleQueue()
        threading.Thread(target=_receive, args=(channel, batches), daemon=True).start()
        while True:
            channel.send(_answer(engine, batches.get(), metrics))
    except (EOFError, OSError):
        return  # nobody is there any more


def _open(channel: Channel, opening: Opening, metrics: Metrics) -> WhisperEngine | None:
    """The engine, which the other process is told of; None if it cannot be opened."""
    from quest22.audio.log_mel import LogMel
    from quest22.checkpoint.load import load
    from quest22.engine.build import build_engine

    settings = opening.settings
    try:
        checkpoint = load(opening.model)
        features = LogMel(checkpoint.dimensions.mel_bins, settings.cpu_threads)
        draft = None
        if settings.draft_model is not None:
            draft = load(settings.draft_model, token=settings.token)
        engine = build_engine(checkpoint, features, settings, metrics, draft)
    except Exception as error:
        channel.send(_failed(error))
        return None
    channel.send(
        Opened(
            engine.backend_name,
            engine.device,
            engine.compute_type,
            engine.batch_size,
            engine.same_in_any_batch([]),
        )
    )
    return engine


def _receive(channel: Channel, batches: SimpleQueue[Batch]) -> None:
    """Take the next batch while one is in the engine; end as soon as nobody waits for any."""
    try:
        while True:
            batches.put(channel.receive())
    except (EOFError, OSError):
        os._exit(0)  # the engine may have minutes to go


def _answer(engine: WhisperEngine, batch: Batch, metrics: Metrics) -> Done | Failed:
    try:
        hypotheses = engine.run(batch.windows)
    except Exception as error:
        return _failed(error)
    done = Done(tuple(hypotheses), metrics.seconds(), metrics.counts().get("tokens", 0.0))
    metrics.reset()
    return done


def _failed(error: Exception) -> Failed:
    if isinstance(error, Quest22Error):
        return Failed(type(error).__name__, str(error))
    logging.getLogger("quest22").debug("unexpected", exc_info=error)
    return Failed("EngineError", unexpected(error))


def _send_logs(channel: Channel, opening: Opening) -> None:
    logger = logging.getLogger("quest22")
    logger.addHandler(_LogSender(channel))
    logger.setLevel(opening.log_level)
    logger.propagate = False


class _LogSender(logging.Handler):
    """Sends what is logged to the other process, which logs it."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._channel.send(Logged(record.name, record.levelno, record.getMessage()))
        except OSError:
            return  # nobody is there any more
