"""Every error of the product, as one tree.

    Quest22Error
    ├── UsageError              the settings cannot be carried out: change the command
    │   └── MissingExtraError   the feature needs a package that is not installed
    ├── SourceError             a dataset, file or column is not there or not readable
    ├── CheckpointError         a model folder, name or file is not a usable Whisper checkpoint
    ├── EngineError             the inference library refused or failed
    ├── SinkError               a result could not be written
    ├── TooManyFailuresError    more clips failed than the run was told to bear
    └── ClipError               one clip cannot be transcribed; the run goes on

Foreign errors are translated where they enter a room (``raise … from exc``). A message says what
was expected, what came, and what to do, in one line.
"""

from __future__ import annotations


class Quest22Error(Exception):
    """Base of all errors that the product raises on purpose."""


class UsageError(Quest22Error):
    """The settings name something that does not exist or do not go together."""


class MissingExtraError(UsageError):
    """A feature was asked for whose optional packages are not installed."""

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


class SinkError(Quest22Error):
    """A transcript could not be written."""


class TooManyFailuresError(Quest22Error):
    """A clip failed, and the run was told to stop there."""


class ClipError(Quest22Error):
    """One clip cannot be transcribed; it becomes a :class:`quest22.records.Failure`.

    ``stage`` is the room it failed in: ``source``, ``audio``, ``engine`` or ``longform``.
    """

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(reason)
        self.stage = stage
        self.reason = reason
