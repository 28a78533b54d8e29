"""Translates Deepgram's parameters into this server's options."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from quest22.capture.raw_pcm import RawFormat
from quest22.errors import UsageError
from quest22.server.deepgram.query import Query
from quest22.server.refusal import Refusal

UNSUPPORTED = {
    "callback": "the transcript is in the response",
    "redact": "the transcript is not redacted",
    "diarize": "there is no diarization; multichannel=true transcribes each channel separately",
    "diarize_model": "there is no diarization",
    "profanity_filter": "no words are removed",
    "detect_entities": "entities are not detected",
    "dictation": "spoken punctuation is transcribed as words",
    "measurements": "measurements are written as the model writes them",
    "replace": "words are not replaced",
    "search": "search the transcript instead",
    "summarize": "there are no summaries",
    "topics": "topics are not detected",
    "intents": "intents are not detected",
    "sentiment": "sentiment is not analysed",
}
"""Parameter → what happens instead. Refused: a transcript that silently lacks them is worse."""

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
"""The names of Deepgram's own models, up to the first hyphen."""

DETECT_LANGUAGE = ("multi", "auto")
DEFAULT_LANGUAGE = "en"

RAW = {"linear16": "s16le", "linear32": "f32le", "alaw": "alaw", "mulaw": "mulaw"}
"""Encoding → FFmpeg's name of the sample format."""

G711 = ("alaw", "mulaw")
G711_HZ = 8_000
FILE_ENCODINGS = ("flac", "amr-nb", "amr-wb", "opus", "ogg-opus", "speex")
MAX_CHANNELS = 8

DEFAULT_ENDPOINT_MS = 300
MIN_ENDPOINT_MS, MAX_ENDPOINT_MS = 200, 10_000
MIN_UTTERANCE_END_MS, MAX_UTTERANCE_END_MS = 1_000, 60_000


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """The format of the audio.

    ``encoding`` None: a container, detected from its first bytes. ``raw``: samples without one.
    """

    encoding: str | None = None
    raw: RawFormat | None = None
    channels: int | None = None

    @classmethod
    def of(cls, query: Query) -> AudioFormat:
        """Raises :class:`Refusal`."""
        encoding = query.text("encoding")
        channels = query.integer("channels", 1, MAX_CHANNELS)
        rate = query.integer("sample_rate", 1_000, 768_000)
        if encoding is None or encoding in FILE_ENCODINGS:
            return cls(encoding, None, channels)
        if encoding not in RAW:
            known = ", ".join((*RAW, *FILE_ENCODINGS))
            raise _refused("encoding", f"{encoding[:40]!r} is not supported: expected {known}")
        if rate is None and encoding in G711:
            rate = G711_HZ
        if rate is None:
            raise _refused("sample_rate", f"encoding={encoding} has no header: give sample_rate")
        try:
            return cls(encoding, RawFormat(RAW[encoding], rate, channels or 1), channels)
        except UsageError as exc:
            raise _refused("sample_rate", str(exc)) from exc


@dataclass(slots=True)
class Formatting:
    """How words are formatted; unless ``punctuated``, in lower case without punctuation."""

    punctuated: bool = False
    tells_language: bool = False


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of live sessions and recordings. ``language`` None: detected."""

    model: str | None
    language: str | None
    audio: AudioFormat
    keyterms: tuple[str, ...]
    punctuated: bool
    multichannel: bool
    tags: tuple[str, ...]
    extra: dict[str, str]

    @classmethod
    def of(cls, query: Query, served: Collection[str]) -> Parameters:
        """Raises :class:`Refusal` for invalid and unsupported parameters."""
        for name, instead in UNSUPPORTED.items():
            if query.is_set(name):
                raise _refused(name, f"{name} is not supported: {instead}; leave it out")
        return cls(
            model=_model(query.text("model"), served),
            language=_language(query),
            audio=AudioFormat.of(query),
            keyterms=keyterms(query),
            punctuated=query.flag("punctuate") or query.flag("smart_format"),
            multichannel=query.flag("multichannel"),
            tags=query.values("tag"),
            extra=dict(_split(each) for each in query.values("extra")),
        )

    def formatting(self) -> Formatting:
        """The initial formatting; ``Configure`` can change it."""
        return Formatting(self.punctuated, tells_language=self.language is None)

    def options(self) -> dict[str, Any]:
        """Options named as in :class:`quest22.Transcriber`."""
        options: dict[str, Any] = {"language": self.language}
        if self.keyterms:
            options["hotwords"] = ", ".join(self.keyterms)
        return options


@dataclass(frozen=True, slots=True)
class LiveParameters:
    """The parameters of live sessions only. None: disabled."""

    interim_results: bool
    endpointing_ms: int | None
    utterance_end_s: float | None
    vad_events: bool

    @classmethod
    def of(cls, query: Query) -> LiveParameters:
        """Raises :class:`Refusal` for invalid parameters."""
        interim = query.flag("interim_results")
        gap_ms = None
        if query.is_set("utterance_end_ms"):
            gap_ms = query.integer("utterance_end_ms", MIN_UTTERANCE_END_MS, MAX_UTTERANCE_END_MS)
        if gap_ms is not None and not interim:
            raise _refused("utterance_end_ms", "utterance_end_ms requires interim_results=true")
        return cls(
            interim_results=interim,
            endpointing_ms=_endpointing(query),
            utterance_end_s=None if gap_ms is None else gap_ms / 1000,
            vad_events=query.flag("vad_events"),
        )

    def options(self) -> dict[str, Any]:
        """Options named as in :class:`quest22.Transcriber`."""
        pause_ms = self.endpointing_ms or DEFAULT_ENDPOINT_MS
        options: dict[str, Any] = {"endpoint_ms": pause_ms, "voice_events": True}
        if pause_ms != DEFAULT_ENDPOINT_MS:  # whoever asks for a pause gets exactly that
            options |= {"sure_endpoint_ms": pause_ms, "unfinished_endpoint_ms": pause_ms}
        return options


def keyterms(query: Query) -> tuple[str, ...]:
    """The words to expect: ``keyterm``, and older ``keywords`` without a negative weight."""
    found = list(query.values("keyterm"))
    for each in query.values("keywords"):
        word, weight = _split(each)
        if not weight.startswith("-"):
            found.append(word)
    return tuple(found)


def _split(pair: str) -> tuple[str, str]:
    name, _, value = pair.partition(":")
    return name, value


def _model(name: str | None, served: Collection[str]) -> str | None:
    """The model to resolve; None if it is one of Deepgram's that is not served."""
    if name is None or name in served:
        return name
    size = name.removeprefix("whisper-")
    if size in served:
        return size
    return None if name.partition("-")[0] in MODELS else name


def _language(query: Query) -> str | None:
    if query.is_set("detect_language"):
        return None
    tag = query.text("language") or DEFAULT_LANGUAGE
    if tag.lower() in DETECT_LANGUAGE:
        return None
    return tag.replace("_", "-").split("-")[0]


def _endpointing(query: Query) -> int | None:
    value = query.text("endpointing")
    if value is None or value.lower() == "true":
        return DEFAULT_ENDPOINT_MS
    if not query.is_set("endpointing"):
        return None
    wanted = query.integer("endpointing", 0, 600_000) or 0
    return min(max(wanted, MIN_ENDPOINT_MS), MAX_ENDPOINT_MS)


def _refused(name: str, message: str) -> Refusal:
    return Refusal("bad_request", message, parameter=name)
