"""What a run's process and the processes of its devices tell each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from quest22.records import Hypothesis, Window
from quest22.settings import EngineSettings


@dataclass(frozen=True, slots=True)
class Opening:
    """The first message to a process: the model, a folder or file, and how to run it.

    ``name`` is the device as users know it; the process may see it under another one.
    """

    name: str
    model: str
    settings: EngineSettings
    log_level: int


@dataclass(frozen=True, slots=True)
class Opened:
    """The answer: the engine is ready."""

    backend_name: str
    device: str
    compute_type: str
    batch_size: int
    same_in_any_batch: bool


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Every later message to a process; each is answered, in their order."""

    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """A batch's results, and what the engine has measured meanwhile."""

    hypotheses: tuple[Hypothesis, ...]
    seconds: Mapping[str, float]
    tokens: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The answer to an opening or a batch that failed: an error of the product, by its class."""

    error: str
    reason: str


@dataclass(frozen=True, slots=True)
class Logged:
    """Something that was logged, at any time."""

    logger: str
    level: int
    text: str


MESSAGES = {each.__name__: each for each in (Opening, Batch, Opened, Done, Failed, Logged)}
"""All messages by the names of their classes."""
