"""The product on one page: its stages, in the order of flow.

    Source ──▶ AudioDecoder ──▶ LongForm ──▶ Engine ──▶ LongForm ──▶ Sink

:mod:`quest22.runtime` drives them, and its ``build`` chooses the concrete ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quest22.records import (
    Audio,
    Clip,
    Failure,
    Hypothesis,
    Partial,
    ReplayedBatch,
    Samples,
    SpeechChunk,
    Transcript,
    Window,
)
from quest22.settings.clip_options import ClipOptions

SinkState: TypeAlias = dict[str, Any]
"""What a sink needs to go on after what it published: values of JSON."""


class Source(Protocol):
    """Clips in a fixed order, read as they are asked for.

    A row or file that cannot become a Clip comes out as a Failure in its place.
    """

    def __iter__(self) -> Iterator[Clip | Failure]: ...


class AudioDecoder(Protocol):
    """Undecoded sound to blocks of mono 16 kHz samples."""

    def decode(self, clip: Clip) -> Audio:
        """Start decoding; errors of the sound itself are raised as blocks are taken."""
        ...


class SpeechDetector(Protocol):
    """A clip's sound to the spans of it that hold speech."""

    def feed(self, samples: Samples) -> list[SpeechChunk]:
        """Take the next block of sound; give what is known to be speech."""
        ...

    def flush(self) -> list[SpeechChunk]:
        """The sound has ended; give the rest."""
        ...


class FeatureExtractor(Protocol):
    """Samples to log-mel features."""

    def __call__(self, samples: Samples) -> NDArray[np.float32]:
        """Up to 30 s of sound, padded with silence: ``[mel bins, 3000]``."""
        ...


class FrameStream(Protocol):
    """A clip's sound to log-mel frames as it comes: log10 of mel power, not yet normalised."""

    def feed(self, samples: Samples) -> NDArray[np.float32]:
        """Take the next block of sound; give the frames that are complete: ``[mel bins, n]``."""
        ...

    def flush(self) -> NDArray[np.float32]:
        """The sound has ended; give the rest, a frame for every whole 10 ms."""
        ...


class Engine(Protocol):
    """A Whisper checkpoint, ready to run."""

    @property
    def batch_size(self) -> int:
        """The number of windows that a call runs best with, and accepts at most."""
        ...

    @property
    def batches_in_flight(self) -> int:
        """How many batches may have begun and not finished; 1: nothing is gained by more."""
        ...

    def run(self, windows: Sequence[Window]) -> list[Hypothesis]:
        """Transcribe windows, in order; ``finish(begin(windows))``.

        The same windows together always give the same: nothing is remembered from call to call,
        and chance is drawn from the windows alone. What one gives does not depend on the others
        but for the last digits of reduced precisions.
        """
        ...

    def begin(self, windows: Sequence[Window]) -> Any:
        """Start transcribing windows; gives a ticket, which must be finished."""
        ...

    def finish(self, ticket: Any) -> list[Hypothesis]:
        """Wait for the batch of a ticket; tickets may be finished in any order.

        Raises what ``run`` raises; the ticket is finished even so.
        """
        ...

    def close(self) -> None:
        """Free the model's memory; whatever runs afterwards raises ``UsageError``."""
        ...


class LongForm(Protocol):
    """One clip between sound and transcript: fed with sound, flushed at its end, then closed.

    It gives windows to run and takes their hypotheses, in any order. It never runs anything
    itself, so windows of many clips share a batch.
    """

    def feed(self, samples: Samples) -> list[Window]:
        """Take the next block of sound; give the windows that are ready."""
        ...

    def flush(self) -> list[Window]:
        """The sound has ended; give the windows that waited for more of it."""
        ...

    def add_result(self, window: Window, hypothesis: Hypothesis) -> list[Window]:
        """Take a window's hypothesis; give the windows that waited for it."""
        ...

    @property
    def wants_audio(self) -> bool:
        """Whether more sound is of use now; where it is not, sound waits outside."""
        ...

    @property
    def finished(self) -> bool:
        """True once flushed and every window given out has come back."""
        ...

    def partial(self) -> Partial:
        """What is known so far.

        Its committed segments are the first of the transcript that ``close`` gives, and of every
        later partial.
        """
        ...

    def close(self) -> Transcript:
        """Join the hypotheses; only when ``finished``."""
        ...


class ConfiguredStrategy(Protocol):
    """A way to cut long sound into windows, with its settings: opens a long form for each clip."""

    def open(self, clip: Clip) -> LongForm: ...


class Strategy(ConfiguredStrategy, Protocol):
    """Opens a long form for each clip, which may have options of its own."""

    def configured(self, options: ClipOptions | None = None) -> ConfiguredStrategy:
        """The strategy of all clips with these options; raises as :meth:`open`."""
        ...

    def open(self, clip: Clip, options: ClipOptions | None = None) -> LongForm:
        """Open a clip; ``options`` None: with the strategy's own settings.

        Raises :class:`quest22.errors.UsageError` for options that the model cannot carry out.
        """
        ...


class ReplayStore(Protocol):
    """Window results of clips that are not published yet; it outlives the process.

    Clips are known by their number among all results of a run, from 0, and by their keys.
    """

    @property
    def clips(self) -> range:
        """The clips that a run begins with again: of these there may be results."""
        ...

    def recall(self, number: int, key: str) -> Sequence[ReplayedBatch]:
        """The batches of a clip in an earlier process, in order; they are given once."""
        ...

    def note(self, batch: Sequence[tuple[int, str, ReplayedBatch]]) -> None:
        """Keep a batch, clip by clip."""
        ...


class Sink(Protocol):
    """Somewhere results are written, in the order of the source."""

    def write(self, result: Transcript | Failure) -> None: ...

    def publish(self) -> SinkState:
        """Make durable what was written so far; what a later run needs to go on from here.

        After ``close``: what one needs to go on from the end.
        """
        ...

    def close(self) -> None:
        """Publish what was written and finish; nothing may be lost after this returns."""
        ...
