"""The settings of a session, read from and written to GA's and the beta's formats.

Fields that an update leaves out keep their values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, get_args

from quest22.capture.raw_pcm import RawFormat
from quest22.server.openai.realtime.fields import EventError, Fields
from quest22.settings.live import LiveSettings

FormatName: TypeAlias = Literal["audio/pcm", "audio/pcmu", "audio/pcma"]
Delay: TypeAlias = Literal["minimal", "low", "medium", "high", "xhigh"]
TurnType: TypeAlias = Literal["server_vad", "semantic_vad"]
Eagerness: TypeAlias = Literal["low", "medium", "high", "auto"]

BETA_FORMATS: dict[str, FormatName] = {
    "pcm16": "audio/pcm",
    "g711_ulaw": "audio/pcmu",
    "g711_alaw": "audio/pcma",
}
PCM_RATE_HZ, TELEPHONE_RATE_HZ = 24_000, 8_000
PCM_RATES_HZ = (8_000, 48_000)

HOLD_BACK_S: dict[Delay, float] = {
    "minimal": 0.2,
    "low": 0.5,
    "medium": 1.0,
    "high": 2.0,
    "xhigh": 3.0,
}
"""``delay`` → how much audio must follow a word before it is sent."""

PAUSE_MS: dict[Eagerness, int] = {"low": 1500, "medium": 800, "auto": 800, "high": 500}
"""``eagerness`` → the pause that ends a turn with ``semantic_vad``."""

MANUAL_MODELS = ("gpt-realtime-whisper", "gpt-live-transcribe")
"""With these models, turn detection is off by default."""

LOGPROBS = "item.input_audio_transcription.logprobs"
MAX_PROMPT_CHARACTERS, MAX_LIST_ITEMS, MAX_KEYWORDS = 8_192, 20, 100
MAX_PAUSE_MS, MAX_PADDING_MS = 30_000, 5_000


@dataclass(frozen=True, slots=True)
class Transcription:
    """How audio is transcribed. None: the default; for the language: detected."""

    model: str | None = None
    language: str | None = None
    languages: tuple[str, ...] = ()
    prompt: str | None = None
    keywords: tuple[str, ...] = ()
    delay: Delay | None = None

    def updated(self, fields: Fields) -> Transcription:
        language = fields.text("language", self.language, 40)
        languages = fields.texts("languages", self.languages, MAX_LIST_ITEMS)
        if "languages" in fields and "language" not in fields:
            language = None
        elif "language" in fields and "languages" not in fields:
            languages = ()
        return Transcription(
            model=fields.text("model", self.model, 300),
            language=language,
            languages=languages,
            prompt=fields.text("prompt", self.prompt, MAX_PROMPT_CHARACTERS),
            keywords=fields.texts("keywords", self.keywords, MAX_KEYWORDS),
            delay=None
            if fields.is_null("delay")
            else fields.choice("delay", self.delay, get_args(Delay)),
        )

    def fields(self) -> dict[str, Any]:
        found = {
            "model": self.model,
            "language": self.language,
            "languages": list(self.languages) or None,
            "prompt": self.prompt,
            "keywords": list(self.keywords) or None,
            "delay": self.delay,
        }
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class TurnDetection:
    """How the server detects turns."""

    type: TurnType = "server_vad"
    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500
    eagerness: Eagerness = "auto"

    def updated(self, fields: Fields) -> TurnDetection:
        padding = fields.number("prefix_padding_ms", self.prefix_padding_ms, 0, MAX_PADDING_MS)
        pause = fields.number("silence_duration_ms", self.silence_duration_ms, 0, MAX_PAUSE_MS)
        return TurnDetection(
            fields.choice("type", self.type, get_args(TurnType)) or self.type,
            fields.number("threshold", self.threshold, 0, 1),
            round(padding),
            round(pause),
            fields.choice("eagerness", self.eagerness, get_args(Eagerness)) or self.eagerness,
        )

    @property
    def pause_ms(self) -> int:
        """The pause that ends a turn."""
        is_semantic = self.type == "semantic_vad"
        return PAUSE_MS[self.eagerness] if is_semantic else self.silence_duration_ms

    def fields(self) -> dict[str, Any]:
        if self.type == "semantic_vad":
            return {"type": self.type, "eagerness": self.eagerness}
        return {
            "type": self.type,
            "threshold": self.threshold,
            "prefix_padding_ms": self.prefix_padding_ms,
            "silence_duration_ms": self.silence_duration_ms,
        }


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """All settings. ``turns`` None: depends on the model; False: no turn detection."""

    format: FormatName = "audio/pcm"
    rate_hz: int = PCM_RATE_HZ
    transcription: Transcription = field(default_factory=Transcription)
    turns: TurnDetection | Literal[False] | None = None
    noise_reduction: Mapping[str, Any] | None = None
    include: tuple[str, ...] = ()

    def updated(self, session: object) -> SessionSettings:
        """The settings after an update in GA's or the beta's format; raises EventError."""
        fields = Fields(session, "session")
        audio = fields.inner("audio")
        found = replace(self, include=fields.texts("include", self.include, MAX_LIST_ITEMS))
        if audio is not None and (given := audio.inner("input")) is not None:
            found = found._with_input(given, "transcription", "noise_reduction")
            found = found._with_format(given)
        found = found._with_input(
            fields, "input_audio_transcription", "input_audio_noise_reduction"
        )
        return found._with_beta_format(fields)

    @property
    def turn_detection(self) -> TurnDetection | None:
        """How turns are detected; None: the client commits."""
        if self.turns is None:
            is_manual = (self.transcription.model or "").startswith(MANUAL_MODELS)
            return None if is_manual else TurnDetection()
        return self.turns or None

    @property
    def raw_format(self) -> RawFormat:
        """The format of the audio bytes."""
        names = {"audio/pcm": "s16le", "audio/pcmu": "mulaw", "audio/pcma": "alaw"}
        return RawFormat(names[self.format], self.rate_hz, 1)

    @property
    def has_logprobs(self) -> bool:
        """Whether events include log probabilities."""
        return LOGPROBS in self.include

    def live_options(self) -> dict[str, Any]:
        """The live session's options, named as in :meth:`quest22.Transcriber.live`."""
        given = self.transcription
        options: dict[str, Any] = {"voice_events": True, "initial_prompt": given.prompt}
        languages = [each.partition("-")[0] for each in given.languages]
        if given.language:
            languages = [given.language.partition("-")[0]]
        if len(languages) == 1:
            options["language"] = languages[0]
        elif languages:
            options["languages"] = ",".join(languages)
        if given.keywords:
            options["hotwords"] = ", ".join(given.keywords)
        if given.delay is not None:
            options["hold_back_s"] = HOLD_BACK_S[given.delay]
        turns = self.turn_detection
        if turns is not None:
            for name in ("endpoint_ms", "sure_endpoint_ms", "unfinished_endpoint_ms"):
                options[name] = turns.pause_ms
            options["eager_ms"] = min(LiveSettings().eager_ms, turns.pause_ms)
            options["vad_threshold"] = turns.threshold
            options["pre_roll_ms"] = turns.prefix_padding_ms
        return options

    def fields(self) -> dict[str, Any]:
        """The settings in GA's format."""
        turns = self.turn_detection
        audio_format: dict[str, Any] = {"type": self.format}
        if self.format == "audio/pcm":
            audio_format["rate"] = self.rate_hz
        return {
            "audio": {
                "input": {
                    "format": audio_format,
                    "transcription": self.transcription.fields(),
                    "noise_reduction": self.noise_reduction,
                    "turn_detection": None if turns is None else turns.fields(),
                }
            },
            "include": list(self.include) or None,
        }

    def beta_fields(self) -> dict[str, Any]:
        """The settings in the beta's format."""
        turns = self.turn_detection
        name = next(name for name, each in BETA_FORMATS.items() if each == self.format)
        return {
            "modalities": ["text"],
            "input_audio_format": name,
            "input_audio_transcription": self.transcription.fields(),
            "input_audio_noise_reduction": self.noise_reduction,
            "turn_detection": None if turns is None else turns.fields(),
            "include": list(self.include) or None,
        }

    def _with_input(self, fields: Fields, transcription: str, noise: str) -> SessionSettings:
        """Update the fields that GA and the beta share under different names."""
        found = self
        if fields.is_null(transcription):
            model = self.transcription.model
            found = replace(found, transcription=Transcription(model))
        elif (given := fields.inner(transcription)) is not None:
            found = replace(found, transcription=self.transcription.updated(given))
        if noise in fields:
            kind = fields.inner(noise)
            name = kind and kind.choice("type", None, ("near_field", "far_field"))
            found = replace(found, noise_reduction={"type": name} if name else None)
        if fields.is_null("turn_detection"):
            found = replace(found, turns=False)
        elif (turns := fields.inner("turn_detection")) is not None:
            found = replace(found, turns=(self.turn_detection or TurnDetection()).updated(turns))
        return found

    def _with_format(self, fields: Fields) -> SessionSettings:
        audio_format = fields.inner("format")
        if audio_format is None:
            return self
        name = audio_format.choice("type", self.format, get_args(FormatName)) or self.format
        if name != "audio/pcm":
            return replace(self, format=name, rate_hz=TELEPHONE_RATE_HZ)
        rate = round(audio_format.number("rate", PCM_RATE_HZ, *PCM_RATES_HZ))
        return replace(self, format=name, rate_hz=rate)

    def _with_beta_format(self, fields: Fields) -> SessionSettings:
        name = fields.choice("input_audio_format", None, tuple(BETA_FORMATS))
        if name is None:
            return self
        rate = PCM_RATE_HZ if name == "pcm16" else TELEPHONE_RATE_HZ
        return replace(self, format=BETA_FORMATS[name], rate_hz=rate)


__all__ = ["EventError", "SessionSettings", "Transcription", "TurnDetection"]
