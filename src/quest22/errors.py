"""Every error of the product, as one tree.

    Quest22Error
    ├── UsageError             the settings are unknown or contradictory: fix the command
    │   └── MissingExtraError  a feature needs packages that are not installed
    ├── SourceError            a dataset, file or column is missing or unreadable
    │   └── NetworkError       a server failed for longer than it is retried (source.io.retry)
    ├── CheckpointError        a model folder, name or file is not a usable Whisper checkpoint
    ├── EngineError            the inference library failed
    ├── DevicesLostError       the processes of all devices have died (runtime.devices)
    ├── SinkError              a result could not be written
    ├── TooManyFailuresError   the failure limit was exceeded
    ├── WorkerError            a benchmarked program failed (bench.worker_process)
    └── ClipError              one clip cannot be transcribed; the run goes on
        └── TooLongError       its sound is longer than is allowed

Errors of libraries are translated at the border of each package (``raise … from exc``). A message
is one line that says what was expected, what came, and what to do.
"""

from __future__ import annotations


class Quest22Error(Exception):
    """Base of all errors that the product raises deliberately."""


class UsageError(Quest22Error):
    """The settings name something that does not exist, or contradict each other."""


class MissingExtraError(UsageError):
    """A requested feature needs optional packages that are not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs packages that are not installed; run: pip install 'quest22[{extra}]'"
        )


class SourceError(Quest22Error):
    """A source could not be found, reached or read."""


class CheckpointError(Quest22Error):
    """A checkpoint could not be found, reached or understood."""


class EngineError(Quest22Error):
    """Inference could not be set up or failed."""


class DevicesLostError(Quest22Error):
    """No device is left to run the model on: the run stops, and can be continued."""


class SinkError(Quest22Error):
    """A transcript could not be written."""


class TooManyFailuresError(Quest22Error):
    """More clips failed than the failure limit allows; the run stops."""


class ClipError(Quest22Error):
    """One clip cannot be transcribed; it becomes a :class:`quest22.records.Failure`.

    ``stage`` says where it failed: ``source``, ``audio``, ``engine`` or ``longform``.
    """

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(reason)
        self.stage = stage
        self.reason = reason


class TooLongError(ClipError):
    """A clip has more sound than the settings, or its caller's limit, allow."""

    def __init__(self, reason: str) -> None:
        super().__init__("audio", reason)


def unexpected(error: BaseException) -> str:
    """One line for an exception that nobody foresaw: its kind and its message."""
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
