"""The data types that stages exchange, in the order in which audio becomes text.

    Clip ──▶ Audio ──▶ Window ──▶ Hypothesis ──▶ Transcript
    source   audio     longform   engine         longform

Records are frozen: a stage never changes its input.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quest22.errors import UsageError

SAMPLE_RATE_HZ = 16_000
WINDOW_S = 30.0
WINDOW_SAMPLES = 480_000
FRAMES_PER_S = 100
"""Log-mel frames per second; the encoder halves them."""
HOP_SAMPLES = SAMPLE_RATE_HZ // FRAMES_PER_S
VAD_FRAME_SAMPLES = 512
"""A voice detector gives a probability of speech for each frame of 32 ms."""

Samples: TypeAlias = NDArray[np.float32]
"""Mono audio at 16 kHz, float32 in −1…1, shape ``[samples]``.

Blocks of an :class:`Audio` may be ``[samples, channels]``, if each channel is transcribed."""

Task: TypeAlias = Literal["transcribe", "translate"]

AudioContext: TypeAlias = Literal["auto", "full"] | float
"""How much of a 30 s window the encoder computes: the sound and a margin, all of it, or so many
seconds, though never less than the sound."""

Media: TypeAlias = bytes | Path | Samples | Callable[[], BinaryIO]
"""Encoded audio: a file's bytes, a local path, a function that opens a seekable binary file (for
remote files), or samples that are already decoded.

A function with an attribute ``undecoded_bytes`` occupies that many bytes until it is released."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a clip came from, precisely enough to find it again."""

    dataset: str
    revision: str | None = None
    file: str | None = None
    row: int | None = None


RowLocation: TypeAlias = tuple[str | None, int | None]
"""A data file and a row in it, as an :class:`Origin` names them; no row: the whole file."""


@dataclass(frozen=True, slots=True)
class Position:
    """Progress through a source: the number of results, and the last one.

    ``open_end``: the last one stands for all that was left of its data file.
    """

    results: int
    key: str
    origin: Origin
    open_end: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One row of a dataset or one file, with its audio encoded.

    ``key`` is unique within a run; ``name`` is what outputs are named after (a file name, or the
    key); ``columns`` are the source columns to copy to the output. The clip is the stretch of its
    media from ``offset_s`` on, ``duration_s`` long (None: to the end), in seconds; times in its
    transcript count from there. ``most_s``: a longer one fails, also where the settings allow more.
    """

    key: str
    name: str
    media: Media
    origin: Origin
    reference: str | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)
    offset_s: float = 0.0
    duration_s: float | None = None
    most_s: float | None = None


@dataclass(frozen=True, slots=True)
class Damage:
    """A place in a clip where sound is missing, with its times in seconds, and the reason.

    Silence stands there in its stead. What is missing at the end lies behind the clip's duration.
    """

    start_s: float
    end_s: float
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """A clip's audio as a stream of blocks, so that no recording is held in memory as a whole.

    Taking a block may raise :class:`quest22.errors.ClipError`. ``damage`` is complete when the last
    block has been taken.
    """

    clip: Clip
    blocks: Iterator[Samples]
    damage: list[Damage] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class SpeechChunk:
    """A chunk of speech in a clip; ``start`` counts the clip's samples from 0.

    Chunks come in order. A span of speech may consist of several adjacent chunks; ``last`` marks
    its end.
    """

    samples: Samples
    start: int
    last: bool


@dataclass(frozen=True, slots=True)
class DetectionOptions:
    """Options of language detection, used when no language is given.

    Only ``languages`` (codes; none: all) are considered; their probabilities add up to 1. If the
    most probable one is below ``threshold``, ``fallback`` is used if set.
    """

    languages: tuple[str, ...] = ()
    threshold: float = 0.0
    fallback: str | None = None


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How the tokens of a window are searched.

    At temperature 0, ``beam_size`` hypotheses are followed until ``patience`` times as many have
    ended; above it, ``best_of`` are sampled. ``length_penalty`` is the exponent of the length
    normalisation that ranks them; None: by mean log-probability. ``seed`` alone determines
    what is sampled at a temperature; the engine adds the window's audio to it, so that a recording
    has the same text by any name.

    At temperature 0 with a ``greedy_logprob``, a window is first decoded greedily, with a shortened
    audio context if the options have one, and that hypothesis stands if its mean log-probability is
    at least this; the others are then decoded with the beams, and ``beams_in_full`` audio context,
    or with what is encoded already. None: beams at once.

    A hypothesis ends where the same tokens have come more than ``max_repeats`` times in a row.
    None: loops run to the limit of tokens.
    """

    beam_size: int = 1
    patience: float = 1.0
    best_of: int = 1
    length_penalty: float | None = None
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    seed: tuple[int, ...] = (0,)
    greedy_logprob: float | None = None
    max_repeats: int | None = None
    beams_in_full: bool = field(default=True, repr=False)


@dataclass(frozen=True, slots=True)
class SuppressionOptions:
    """Which tokens are never chosen; -1 among ``tokens`` stands for the checkpoint's own list.

    ``blank`` forbids a lone space at the start, ``numerals`` forbids all digits and currency signs.
    The first timestamp is at most ``max_initial_timestamp_s``; None: the checkpoint's value.
    """

    tokens: tuple[int, ...] = (-1,)
    blank: bool = True
    numerals: bool = False
    max_initial_timestamp_s: float | None = None


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """How the engine decodes a window.

    ``language`` is a code such as ``"en"``; None lets the engine detect it. ``previous`` goes
    before the start of the transcript (``<|startofprev|>``), ``prefix`` begins the transcript and
    is spoken in the window. ``words`` requests an alignment of the hypothesis behind it; of all its
    text if ``ends_complete``, else without what follows the last pair of timestamps
    (:func:`quest22.decoding.timestamps.drop_unfinished`).
    ``quick_words``: the alignment may be of the attention while decoding, which costs no further
    pass; it differs a little. This holds for greedy decoding without timestamps, where the engine
    can, and such windows are decoded one by one.
    ``audio_context`` is how much is encoded, where the engine can encode less than 30 s; see
    :mod:`quest22.decoding.audio_context`.
    ``draft`` guesses the tokens after the prefix. It changes nothing about the hypothesis: greedy
    decoding checks it in one pass, and goes on from the first wrong guess.
    """

    language: str | None = None
    task: Task = "transcribe"
    timestamps: bool = False
    previous: tuple[int, ...] = ()
    prefix: tuple[int, ...] = ()
    temperature: float = 0.0
    max_new_tokens: int | None = None
    detection: DetectionOptions = DetectionOptions()
    search: SearchOptions = SearchOptions()
    suppression: SuppressionOptions = SuppressionOptions()
    words: bool = False
    ends_complete: bool = False
    quick_words: bool = field(default=False, repr=False)
    audio_context: AudioContext = "full"
    draft: tuple[int, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """At most 30 s of a clip's audio; ``index`` counts the windows of one clip from 0.

    ``skip_frames`` is 0 except for a window that is run again from where the model stopped. Its
    log-mel features are computed and normalised over all of ``samples``; then the first
    ``skip_frames`` frames (10 ms each) are removed and zeros are appended. The hypothesis'
    timestamps count from there.

    A strategy that needs more than the window's own audio to compute its features passes
    ``features``, ``[mel bins, 3000]``, of which the first ``frames`` hold audio, and no samples.

    An ``interim`` window is a preview: another will replace its hypothesis, so it may wait behind
    final ones.
    """

    samples: Samples
    start_s: float
    decoding: DecodingOptions
    index: int = 0
    skip_frames: int = 0
    features: NDArray[np.float32] | None = None
    frames: int = 0
    interim: bool = False

    @property
    def duration_s(self) -> float:
        """Seconds of audio in the window, before padding."""
        if self.features is not None:
            return self.frames / FRAMES_PER_S
        return len(self.samples) / SAMPLE_RATE_HZ

    @property
    def fingerprint(self) -> int:
        """A 32-bit hash of the time, the options and the audio.

        Only every sixteenth value is hashed: enough to distinguish windows, at no cost.
        """
        sound = self._sound
        times = (self.index, self.start_s, self.skip_frames, self.frames)
        identity = (*times, len(sound), self.decoding)
        return zlib.crc32(repr(identity).encode(), zlib.crc32(sound[::16].tobytes()))

    @property
    def sound_hash(self) -> int:
        """A 32-bit hash of the audio alone."""
        return zlib.crc32(self._sound.tobytes())

    @property
    def _sound(self) -> NDArray[np.float32]:
        return self.samples if self.features is None else self.features.reshape(-1)


@dataclass(frozen=True, slots=True)
class Word:
    """A word with its times in the clip, in seconds."""

    start_s: float
    end_s: float
    text: str
    probability: float


@dataclass(frozen=True, slots=True)
class Alignment:
    """When the text tokens of a hypothesis are spoken, in seconds.

    Times count from where the hypothesis' timestamps do. Token i lasts from ``bounds_s[i]`` to
    ``bounds_s[i + 1]``; ``probabilities`` are the tokens' among all text tokens.
    """

    bounds_s: tuple[float, ...]
    probabilities: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """The engine's transcription of one window.

    ``tokens`` are text and timestamp tokens, without control tokens and without the end of text.
    ``avg_logprob`` is their mean log-probability, end of text included (as openai/whisper counts).
    ``languages`` are the five most probable with their probabilities, if the language was detected.
    """

    tokens: tuple[int, ...]
    language: str | None
    language_probability: float
    avg_logprob: float
    no_speech_prob: float
    temperature: float = 0.0
    languages: tuple[tuple[str, float], ...] = ()
    alignment: Alignment | None = None


@dataclass(frozen=True, slots=True)
class WindowResult:
    """The result of a window: a hypothesis, or the reason why there is none.

    ``window`` is its :attr:`Window.fingerprint`.
    """

    window: int
    hypothesis: Hypothesis | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ReplayedBatch:
    """A clip's part in one batch, as a run records it for replay.

    ``exhausted``: the clip had no further window, so the batch was filled from the clips after it.
    Without results: its audio ended while the batch was filled.

    A run with several batches in flight records a batch twice, under its number ``batch``: when it
    has ``begun`` (the results have neither a hypothesis nor a reason), and when it has finished.
    """

    results: tuple[WindowResult, ...]
    exhausted: bool
    batch: int | None = None
    begun: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """A span of a transcript with its times in the clip, in seconds.

    ``channel`` counts from 0; None: the recording was not transcribed channel by channel.
    """

    start_s: float
    end_s: float
    text: str
    tokens: tuple[int, ...] = ()
    avg_logprob: float = 0.0
    no_speech_prob: float = 0.0
    compression_ratio: float = 0.0
    temperature: float = 0.0
    words: tuple[Word, ...] | None = None
    language: str | None = None
    language_probability: float = 0.0
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class Confidence:
    """The model's confidence in a clip's text.

    Means over its segments, weighted by their tokens; the compression ratio of the whole text; the
    highest temperature. None if there is no segment.
    """

    avg_logprob: float | None = None
    no_speech_prob: float | None = None
    compression_ratio: float | None = None
    temperature: float | None = None


@dataclass(frozen=True, slots=True)
class DroppedSegment:
    """A span of a clip without text, with its times in the clip in seconds, and the reason.

    ``reason`` is a few words such as ``"no speech"``; ``text`` is the rejected text, empty if the
    model did not run. ``channel`` is as a :class:`Segment`'s.
    """

    start_s: float
    end_s: float
    reason: str
    text: str = ""
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """A clip's text, without white space around it.

    ``segments`` are in order, do not overlap and lie within the clip; their texts, joined as they
    are, make ``text``. Without timestamps each window yields one segment; silence yields none.
    Segments of different channels may overlap: they are ordered by their starts.
    ``dropped`` are the spans without text, in order; ``damage`` the places where sound is missing.
    """

    key: str
    name: str
    text: str
    language: str | None
    language_probability: float
    duration_s: float
    segments: tuple[Segment, ...]
    origin: Origin
    reference: str | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)
    dropped: tuple[DroppedSegment, ...] = ()
    confidence: Confidence = Confidence()
    damage: tuple[Damage, ...] = ()


@dataclass(frozen=True, slots=True)
class Partial:
    """A clip's transcript so far.

    ``committed`` are its first segments, which no longer change. ``interim`` is the text after
    them, which may still change.
    """

    committed: tuple[Segment, ...] = ()
    interim: str = ""

    @property
    def text(self) -> str:
        """All text so far, without white space around it."""
        return ("".join(segment.text for segment in self.committed) + self.interim).strip()


@dataclass(frozen=True, slots=True)
class Failure:
    """The result of a clip that could not be transcribed: written, counted, and retriable.

    ``open_end``: it stands for all rows of its data file from its own on, whose number is unknown
    because the file could not be read to its end. It is not counted as a clip. ``too_long``: its
    sound is longer than is allowed.
    """

    key: str
    name: str
    stage: str
    reason: str
    origin: Origin
    open_end: bool = False
    too_long: bool = False


def check_samples(samples: object) -> None:
    """Raise :class:`UsageError` for anything but mono float32 samples."""
    if not isinstance(samples, np.ndarray):
        raise UsageError(
            f"samples are a {type(samples).__name__}: expected mono float32 at 16 kHz, "
            "shape [samples]"
        )
    if samples.ndim != 1 or samples.dtype != np.float32:
        raise UsageError(
            f"samples of shape {samples.shape} and type {samples.dtype}: expected "
            "mono float32 at 16 kHz, shape [samples]"
        )


LiveTextType: TypeAlias = Literal["interim", "committed", "final"]
VoiceEventType: TypeAlias = Literal["speech_started", "speech_stopped", "flushed"]
LiveEventType: TypeAlias = LiveTextType | VoiceEventType


@dataclass(frozen=True, slots=True)
class LiveWord:
    """A word of a live session, with its times in the session's audio, in seconds.

    ``text`` begins with a space where one belongs. A ``stable`` word is committed: it stays as it
    is in every later event.
    """

    start_s: float
    end_s: float
    text: str
    probability: float
    stable: bool


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """What is known of one segment of a live session; replaces the segment's earlier events.

    ``text`` is the whole segment so far, and ``words`` make it up: first the stable ones, then
    those that may change. ``interim``: only the latter have changed; ``committed``: words have
    become stable; ``final``: all are, and the segment has ended (its text may be empty, if nothing
    was committed). ``segment`` counts from 0, and segments end in this order; ``revision`` counts a
    segment's events with text from 0.

    Only with the option ``voice_events``, and without text: ``speech_started`` and
    ``speech_stopped`` tell where in the audio, in ``audio_end_s``, speech began and ended. Each
    ``speech_stopped`` comes before the ``final`` of its segment, which then always comes; speech
    that is too long for a segment goes on in the next one without them. ``flushed``: all that was
    fed before a ``flush`` is final, also if nothing was said.

    ``audio_end_s`` is how much of the session's audio was heard. ``latency_s`` is the time from the
    arrival of the end of the newest word to the event, in seconds; None: the audio was not fed as
    it was spoken, or there is no word.
    """

    type: LiveEventType
    segment: int
    revision: int
    text: str
    words: tuple[LiveWord, ...]
    audio_end_s: float
    language: str | None = None
    latency_s: float | None = None
