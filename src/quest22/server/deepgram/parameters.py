"""What a client of Deepgram asks for, in our own terms."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from quest22.capture.raw_pcm import RawFormat
from quest22.errors import UsageError
from quest22.server.deepgram.query import Query
from quest22.server.refusal import Refusal

UNSUPPORTED = {
    "callback": "the text is in the answer",
    "redact": "nothing is taken out of the text here",
    "diarize": "speakers are not told apart here; multichannel=true hears each channel for itself",
    "diarize_model": "speakers are not told apart here",
    "profanity_filter": "no word is left out here",
    "detect_entities": "entities are not found here",
    "dictation": "spoken punctuation stays as it is said",
    "measurements": "measures stay as the model writes them",
    "replace": "words stay as they are heard",
    "search": "look for it in the text",
    "summarize": "nothing is summed up here",
    "topics": "topics are not found here",
    "intents": "intents are not found here",
    "sentiment": "sentiments are not found here",
}
"""What changes the text or adds to it and does not exist here: refused rather than left out."""

MODELS = (
    "nova",
    "enhanced",
    "base",
    "whisper",
    "general",
    "meeting",
    "phonecall",
    "finance",
    "conversationalai",
    "voicemail",
    "video",
    "medical",
    "custom",
)
"""What Deepgram's own models are called, up to a hyphen."""

DETECTED = ("multi", "auto")
DEFAULT_LANGUAGE = "en"

RAW = {"linear16": "s16le", "linear32": "f32le", "alaw": "alaw", "mulaw": "mulaw"}
"""Encoding → FFmpeg's name of these samples."""

TELEPHONE = ("alaw", "mulaw")
TELEPHONE_HZ = 8_000
FRAMED = ("flac", "amr-nb", "amr-wb", "opus", "ogg-opus", "speex")
MAX_CHANNELS = 8

DEFAULT_ENDPOINT_MS = 300
MIN_ENDPOINT_MS, MAX_ENDPOINT_MS = 200, 10_000
MIN_UTTERANCE_END_MS, MAX_UTTERANCE_END_MS = 1_000, 60_000


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """How the sound is written.

    ``encoding`` None: a container, recognised by its first bytes; ``raw`` are samples without one.
    """

    encoding: str | None = None
    raw: RawFormat | None = None
    channels: int | None = None

    @classmethod
    def of(cls, query: Query) -> SoundFormat:
        """Raises :class:`Refusal`."""
        encoding = query.text("encoding")
        channels = query.whole("channels", 1, MAX_CHANNELS)
        rate = query.whole("sample_rate", 1_000, 768_000)
        if encoding is None or encoding in FRAMED:
            return cls(encoding, None, channels)
        if encoding not in RAW:
            known = ", ".join((*RAW, *FRAMED))
            raise _refused("encoding", f"{encoding[:40]!r} is not known here: expected {known}")
        if rate is None and encoding in TELEPHONE:
            rate = TELEPHONE_HZ
        if rate is None:
            raise _refused("sample_rate", f"encoding={encoding} has no header: give sample_rate")
        try:
            return cls(encoding, RawFormat(RAW[encoding], rate, channels or 1), channels)
        except UsageError as exc:
            raise _refused("sample_rate", str(exc)) from exc


@dataclass(slots=True)
class Formatting:
    """How words are written; without ``punctuated``, in small letters and without marks."""

    punctuated: bool = False
    tells_language: bool = False


@dataclass(frozen=True, slots=True)
class Parameters:
    """Of a live session and of a recording. ``language`` None: it is detected."""

    model: str | None
    language: str | None
    sound: SoundFormat
    keyterms: tuple[str, ...]
    punctuated: bool
    multichannel: bool
    tags: tuple[str, ...]
    extra: dict[str, str]

    @classmethod
    def of(cls, query: Query, served: Collection[str]) -> Parameters:
        """Raises :class:`Refusal` for what cannot be, or is not here."""
        for name, instead in UNSUPPORTED.items():
            if query.asks_for(name):
                raise _refused(name, f"{name} is not available: {instead}; leave it out")
        return cls(
            model=_model(query.text("model"), served),
            language=_language(query),
            sound=SoundFormat.of(query),
            keyterms=keyterms(query),
            punctuated=query.flag("punctuate") or query.flag("smart_format"),
            multichannel=query.flag("multichannel"),
            tags=query.every("tag"),
            extra=dict(_split(each) for each in query.every("extra")),
        )

    def formatting(self) -> Formatting:
        """As a stream begins; it may be changed on the way."""
        return Formatting(self.punctuated, tells_language=self.language is None)

    def options(self) -> dict[str, Any]:
        """As :class:`quest22.Transcriber` calls them."""
        options: dict[str, Any] = {"language": self.language}
        if self.keyterms:
            options["hotwords"] = ", ".join(self.keyterms)
        return options


@dataclass(frozen=True, slots=True)
class LiveParameters:
    """Of a live session alone. None: no such thing happens."""

    interim_results: bool
    endpointing_ms: int | None
    utterance_end_s: float | None
    vad_events: bool

    @classmethod
    def of(cls, query: Query) -> LiveParameters:
        """Raises :class:`Refusal` for what cannot be."""
        interim = query.flag("interim_results")
        gap_ms = None
        if query.asks_for("utterance_end_ms"):
            gap_ms = query.whole("utterance_end_ms", MIN_UTTERANCE_END_MS, MAX_UTTERANCE_END_MS)
        if gap_ms is not None and not interim:
            raise _refused("utterance_end_ms", "utterance_end_ms requires interim_results=true")
        return cls(
            interim_results=interim,
            endpointing_ms=_endpointing(query),
            utterance_end_s=None if gap_ms is None else gap_ms / 1000,
            vad_events=query.flag("vad_events"),
        )

    def options(self) -> dict[str, Any]:
        """As :class:`quest22.Transcriber` calls them."""
        pause_ms = self.endpointing_ms or DEFAULT_ENDPOINT_MS
        exact = {} if pause_ms == DEFAULT_ENDPOINT_MS else {"sure_endpoint_ms": pause_ms}
        return {"endpoint_ms": pause_ms, **exact, "voice_events": True}


def keyterms(query: Query) -> tuple[str, ...]:
    """The words to expect; of older ``keywords``, those that are not to be suppressed."""
    found = list(query.every("keyterm"))
    for each in query.every("keywords"):
        word, weight = _split(each)
        if not weight.startswith("-"):
            found.append(word)
    return tuple(found)


def _split(pair: str) -> tuple[str, str]:
    name, _, value = pair.partition(":")
    return name, value


def _model(name: str | None, served: Collection[str]) -> str | None:
    """The name to resolve: Deepgram's own stand for any, unless one is served by that name."""
    if name is None or name in served:
        return name
    size = name.removeprefix("whisper-")
    if size in served:
        return size
    return None if name.partition("-")[0] in MODELS else name


def _language(query: Query) -> str | None:
    if query.asks_for("detect_language"):
        return None
    tag = query.text("language") or DEFAULT_LANGUAGE
    if tag.lower() in DETECTED:
        return None
    return tag.replace("_", "-").split("-")[0]


def _endpointing(query: Query) -> int | None:
    value = query.text("endpointing")
    if value is None or value.lower() == "true":
        return DEFAULT_ENDPOINT_MS
    if not query.asks_for("endpointing"):
        return None
    wanted = query.whole("endpointing", 0, 600_000) or 0
    return min(max(wanted, MIN_ENDPOINT_MS), MAX_ENDPOINT_MS)


def _refused(name: str, message: str) -> Refusal:
    return Refusal("bad_request", message, parameter=name)
