"""The stages of the product, in the order of data flow.

    Source ──▶ AudioDecoder ──▶ LongForm ──▶ Engine ──▶ LongForm ──▶ Sink

:mod:`quest22.runtime` drives them; :mod:`quest22.runtime.build` chooses the implementations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from quest22.records import (
    Audio,
    Clip,
    Failure,
    Hypothesis,
    LiveEvent,
    Partial,
    ReplayedBatch,
    Samples,
    SpeechChunk,
    Transcript,
    Window,
)
from quest22.settings.clip_options import ClipOptions

SinkState: TypeAlias = dict[str, Any]
"""What a sink needs to resume after its published results, as JSON values."""


class Source(Protocol):
    """Clips in a fixed order, read lazily.

    Rows and files that cannot be read yield a Failure at their position.
    """

    def __iter__(self) -> Iterator[Clip | Failure]: ...


class AudioDecoder(Protocol):
    """Decodes encoded audio to blocks of mono 16 kHz samples."""

    def decode(self, clip: Clip) -> Audio:
        """Start decoding; errors of the audio itself are raised as blocks are taken."""
        ...


class SpeechDetector(Protocol):
    """Finds the speech spans of a clip."""

    def feed(self, samples: Samples) -> list[SpeechChunk]:
        """Process the next block of audio; return the speech that is certain."""
        ...

    def flush(self) -> list[SpeechChunk]:
        """The audio has ended; return the rest."""
        ...


class SpeechProbabilities(Protocol):
    """The probability of speech in each frame of 512 samples (32 ms) of a clip."""

    def feed(self, samples: Samples) -> NDArray[np.float32]:
        """Process the next block of audio; return the complete frames: ``[frames]``."""
        ...

    def flush(self) -> NDArray[np.float32]:
        """The audio has ended; return the rest, the last frame padded with silence."""
        ...


class FeatureExtractor(Protocol):
    """Computes log-mel features of samples."""

    def __call__(self, samples: Samples) -> NDArray[np.float32]:
        """Features of up to 30 s of audio, padded with silence: ``[mel bins, 3000]``."""
        ...


class FrameStream(Protocol):
    """Log-mel frames of a clip as its audio arrives: log10 of mel power, not normalised."""

    def feed(self, samples: Samples) -> NDArray[np.float32]:
        """Process the next block of audio; return the complete frames: ``[mel bins, n]``."""
        ...

    def flush(self) -> NDArray[np.float32]:
        """The audio has ended; return the rest, a frame for every whole 10 ms."""
        ...


class Engine(Protocol):
    """A Whisper checkpoint, ready to run."""

    @property
    def batch_size(self) -> int:
        """The maximum number of windows per call, which is also the most efficient one."""
        ...

    @property
    def batches_in_flight(self) -> int:
        """How many batches may be in flight; 1: more would gain nothing."""
        ...

    def same_in_any_batch(self, windows: Sequence[Window]) -> bool:
        """Whether their results are the same, to the last bit, whatever they share a batch with."""
        ...

    def run(self, windows: Sequence[Window]) -> list[Hypothesis]:
        """Transcribe windows, in order; ``finish(begin(windows))``.

        The same windows always give the same results: calls share no state, and random numbers
        depend only on the windows. Apart from rounding in reduced precisions, the result of a
        window does not depend on the others.
        """
        ...

    def begin(self, windows: Sequence[Window]) -> Any:
        """Start transcribing windows; returns a ticket, which must be finished."""
        ...

    def finish(self, ticket: Any) -> list[Hypothesis]:
        """Wait for the batch of a ticket; tickets may be finished in any order.

        Raises what ``run`` raises; the ticket counts as finished even then.
        """
        ...

    def abandon(self, ticket: Any) -> None:
        """Finish a ticket whose results nobody needs, without waiting where that can be."""
        ...

    def close(self) -> None:
        """Free the model's memory; whatever runs afterwards raises ``UsageError``."""
        ...


class LongForm(Protocol):
    """Turns the audio of one clip into a transcript: it is fed, flushed at the end, then closed.

    It returns windows to run and takes their hypotheses, in any order. It runs nothing itself, so
    that windows of many clips can share a batch.
    """

    def feed(self, samples: Samples) -> list[Window]:
        """Take the next block of audio; return the windows that are ready."""
        ...

    def flush(self) -> list[Window]:
        """The audio has ended; return the windows that waited for more of it."""
        ...

    def add_result(self, window: Window, hypothesis: Hypothesis) -> list[Window]:
        """Take a window's hypothesis; return the windows that waited for it."""
        ...

    @property
    def wants_audio(self) -> bool:
        """Whether it can use more audio now; if not, audio waits outside."""
        ...

    @property
    def finished(self) -> bool:
        """True once flushed and the result of every window was added."""
        ...

    def partial(self) -> Partial:
        """The transcript so far.

        Its committed segments are the first of the transcript that ``close`` returns, and of every
        later partial.
        """
        ...

    def close(self) -> Transcript:
        """Join the hypotheses; call only when ``finished``."""
        ...


@runtime_checkable
class LiveLongForm(LongForm, Protocol):
    """Turns audio that is still being spoken into events.

    ``feed``, ``commit`` and ``flush`` return final windows, at the ends of segments. Windows of
    segments that go on are asked for with ``preview`` when the engine is free, so that none is out
    of date when it runs.
    """

    def commit(self) -> list[Window]:
        """End the segment that goes on, without waiting for silence; more audio may follow."""
        ...

    def add_failure(self, window: Window, reason: str) -> list[Window]:
        """The engine failed on a window: go on without its text.

        A segment whose final window failed ends with what is committed.
        """
        ...

    def preview(self) -> Window | None:
        """An interim window of all audio so far; None if it is too early, or one is running."""
        ...

    @property
    def unheard_s(self) -> float:
        """Seconds of speech that no window has covered yet; somebody speaks if there are any."""
        ...

    def take_events(self) -> list[LiveEvent]:
        """The events since the last call, without latencies."""
        ...


class ConfiguredStrategy(Protocol):
    """A long-form method with its settings: opens a long form for each clip."""

    def open(self, clip: Clip) -> LongForm: ...


class Strategy(ConfiguredStrategy, Protocol):
    """Opens a long form for each clip, which may have its own options."""

    def configured(self, options: ClipOptions | None = None) -> ConfiguredStrategy:
        """The strategy of all clips with these options; raises as :meth:`open`."""
        ...

    def open(self, clip: Clip, options: ClipOptions | None = None) -> LongForm:
        """Open a clip; ``options`` None: with the strategy's own settings.

        Raises :class:`quest22.errors.UsageError` for options that the model does not support.
        """
        ...


class ReplayStore(Protocol):
    """Stores the window results of clips that are not published yet, across processes.

    Clips are identified by their number among all results of a run, from 0, and by their keys.
    """

    @property
    def clips(self) -> range:
        """The clips to reopen on resume, some of which may have results."""
        ...

    def recall(self, number: int, key: str) -> Sequence[ReplayedBatch]:
        """The batches of a clip in an earlier process, in order; call once."""
        ...

    def note(self, batch: Sequence[tuple[int, str, ReplayedBatch]]) -> None:
        """Store a batch, clip by clip."""
        ...


class Sink(Protocol):
    """Writes results, in the order of the source."""

    def write(self, result: Transcript | Failure) -> None: ...

    def publish(self) -> SinkState:
        """Make everything written so far durable; return what a later run resumes from.

        After ``close`` that is the end.
        """
        ...

    def close(self) -> None:
        """Publish what was written and finish; nothing may be lost after this returns."""
        ...
