"""Chooses the long form of each clip by its settings; refuses unsupported options."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from quest22.errors import UsageError
from quest22.protocols import ConfiguredStrategy, LongForm
from quest22.records import SAMPLE_RATE_HZ, Clip
from quest22.settings.clip_options import ClipOptions, ClipSettings
from quest22.settings.longform import LongFormSettings

if TYPE_CHECKING:
    from quest22.audio.log_mel import LogMel
    from quest22.audio.vad.silero.model import SileroModel
    from quest22.checkpoint.load import Checkpoint
    from quest22.decoding.logits_rules import LogitsRulesCache
    from quest22.settings.decoding import DecodingSettings
    from quest22.settings.live import LiveSettings

TURBO_LAYERS = (32, 4)
"""Layers of the encoder and the decoder of large-v3-turbo, and of no other model."""

RECENT_SETTINGS = 64
"""The number of strategies to cache."""

_log = logging.getLogger("quest22")


class PerClipStrategy:
    """Opens clips of one checkpoint: see :class:`quest22.protocols.Strategy`.

    At pauses, chunked or sequential, by the clip's settings; ``settings`` are those of clips
    without options. Thread-safe.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        features: LogMel,
        settings: ClipSettings,
        *,
        each_channel: bool = False,
    ) -> None:
        """``each_channel``: blocks of audio may have several, each transcribed for itself."""
        self._checkpoint = checkpoint
        self._features = features
        self._settings = settings
        self._each_channel = each_channel
        self._recent: dict[ClipSettings, ConfiguredStrategy] = {}

    def open(self, clip: Clip, options: ClipOptions | None = None) -> LongForm:
        return self.configured(options).open(clip)

    def configured(self, options: ClipOptions | None = None) -> ConfiguredStrategy:
        """The strategy for all clips with these options.

        Raises :class:`UsageError` for what the checkpoint or the long form does not support.
        """
        settings = self._settings if options is None else options.applied_to(self._settings)
        strategy = self._recent.pop(settings, None) or self._build(settings)
        self._recent[settings] = strategy
        for oldest in list(self._recent)[:-RECENT_SETTINGS]:
            self._recent.pop(oldest, None)
        return strategy

    def _build(self, settings: ClipSettings) -> ConfiguredStrategy:
        self._check_decoding(settings)
        if settings.live is not None:
            return self._live(settings, settings.live)
        check_long_form(settings)
        strategy = self._of_one_channel(settings)
        if not self._each_channel:
            return strategy
        from quest22.longform.each_channel import EachChannelStrategy

        return EachChannelStrategy(strategy)

    def _of_one_channel(self, settings: ClipSettings) -> ConfiguredStrategy:
        if settings.longform.long_form == "pauses":
            return self._with_sound(self._pauses(settings), settings)
        if settings.vad.vad in ("on", "auto"):
            return self._vad_filtered(settings)
        return self._with_sound(self._long_form(settings, settings.decoding), settings)

    def _with_sound(
        self, strategy: ConfiguredStrategy, settings: ClipSettings
    ) -> ConfiguredStrategy:
        """The strategy, whose windows without sound need no model."""
        from quest22.longform.soundless import SoundlessStrategy

        long_form = settings.longform.long_form
        listens = long_form != "pauses" and settings.vad.vad is None
        detector = self._silero.open if listens else None
        return SoundlessStrategy(strategy, detector, of_features=long_form == "sequential")

    def _live(self, settings: ClipSettings, live: LiveSettings) -> ConfiguredStrategy:
        """Audio that is still spoken, of one channel."""
        from quest22.longform.live.build import build_strategy

        if self._each_channel:
            raise UsageError("--channel each does not go with live captions: open a session each")
        tokens = self._checkpoint.tokens
        opener = self._silero.open_live
        return build_strategy(
            settings, live, tokens, opener, is_multilingual=tokens.is_multilingual
        )

    def _pauses(self, settings: ClipSettings) -> ConfiguredStrategy:
        """Windows cut at pauses."""
        from quest22.longform.faint import FaintSpeech
        from quest22.longform.pauses.build import build_strategy

        tokens = self._checkpoint.tokens
        return build_strategy(
            settings,
            tokens,
            lambda: FaintSpeech(self._silero.open()),
            is_multilingual=tokens.is_multilingual,
        )

    def _long_form(self, settings: ClipSettings, decoding: DecodingSettings) -> ConfiguredStrategy:
        from quest22.audio.log_mel import LogMelStream
        from quest22.longform.chunked import ChunkedStrategy
        from quest22.longform.sequential import SequentialStrategy

        arguments = (
            settings.longform,
            decoding,
            self._checkpoint.tokens,
            settings.hallucination,
        )
        if settings.longform.long_form == "chunked":
            return ChunkedStrategy(*arguments, packed=settings.vad.vad in ("on", "auto"))
        return SequentialStrategy(
            *arguments,
            lambda: LogMelStream(self._features),
            by_words=settings.decoding.word_timestamps,
        )

    def _vad_filtered(self, settings: ClipSettings) -> ConfiguredStrategy:
        """The long form, applied to speech only; segments are placed by their words."""
        from quest22.audio.vad.endpoints import EndpointRules
        from quest22.audio.vad.speech_stream import SpeechStream
        from quest22.longform.vad_filtered import VadFilteredStrategy, VadFilterOptions

        rules, decoding = EndpointRules.of(settings.vad, settings.longform), settings.decoding
        has_times = decoding.timestamps or decoding.word_timestamps
        inner = self._long_form(settings, replace(decoding, word_timestamps=has_times))
        strategy = self._with_sound(inner, settings)
        window = round(settings.longform.chunk_length_s * SAMPLE_RATE_HZ)
        options = VadFilterOptions(
            self._checkpoint.tokens,
            whole_spans=settings.longform.long_form == "chunked",
            whole_clip=window if settings.vad.vad == "auto" else 0,
            language=decoding.language,
            keep_words=decoding.word_timestamps,
        )
        silero = self._silero
        return VadFilteredStrategy(strategy, lambda: SpeechStream(silero.open(), rules), options)

    @cached_property
    def _silero(self) -> SileroModel:
        from quest22.audio.vad.silero.model import SileroModel

        return SileroModel()

    @cached_property
    def _rules(self) -> LogitsRulesCache:
        from quest22.decoding.logits_rules import LogitsRulesCache

        checkpoint = self._checkpoint
        vocabulary = checkpoint.dimensions.vocab_size
        return LogitsRulesCache(checkpoint.tokens, checkpoint.generation, vocabulary)

    def _check_decoding(self, settings: ClipSettings) -> None:
        """Refuse what the checkpoint does not support now, not at the first window.

        Warns if the model was not trained to translate.
        """
        checkpoint, decoding = self._checkpoint, settings.decoding
        tokens = checkpoint.tokens
        named = (decoding.language, decoding.fallback_language, *decoding.languages)
        languages: list[str | None] = [language for language in named if language is not None]
        for language in languages or ["en" if tokens.is_multilingual else None]:
            tokens.initial_tokens(language, decoding.task, timestamps=decoding.timestamps)
        self._rules.rules(decoding.suppression())
        layers = (checkpoint.dimensions.encoder_layers, checkpoint.dimensions.decoder_layers)
        if decoding.task == "translate" and layers == TURBO_LAYERS:
            _log.warning(
                "%s: the turbo model was not trained to translate and will mostly transcribe; use "
                "large-v3 or medium to translate",
                checkpoint.name,
            )


def check_long_form(settings: ClipSettings) -> None:
    """Refuse options that only another long form supports, instead of ignoring them."""
    longform, silence = settings.longform, settings.hallucination.hallucination_silence_threshold
    if longform.long_form != "sequential" and (silence is not None or longform.clip_timestamps):
        raise UsageError(
            "--clip-timestamps and --hallucination-silence-threshold require --long-form sequential"
        )
    if silence is not None and not settings.decoding.word_timestamps:
        raise UsageError("--hallucination-silence-threshold requires --word-timestamps")
    if settings.vad.vad in ("on", "auto") and longform.clip_timestamps:
        raise UsageError("--clip-timestamps and --vad exclude each other: give one of them")
    if longform.long_form == "pauses" and settings.vad.vad_min_speech_duration_ms:
        raise UsageError("--vad-min-speech-duration-ms requires --long-form chunked or sequential")
    if longform.long_form != "chunked" and longform.stride_s != LongFormSettings().stride_s:
        raise UsageError("--stride-length-s requires --long-form chunked")
