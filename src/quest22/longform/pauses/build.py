"""Builds the strategy from the settings of a clip."""

from __future__ import annotations

from collections.abc import Callable

from quest22.errors import UsageError
from quest22.longform.pauses.clip import PausesStrategy
from quest22.longform.pauses.cutting import FRAME_S, CuttingRules
from quest22.longform.pauses.quality import Quality
from quest22.longform.pauses.retries import Retries
from quest22.longform.pauses.speech_windows import WindowingRules
from quest22.longform.pauses.trust import Trust
from quest22.longform.pauses.window_transcriber import TranscriptionRules
from quest22.longform.policy import DecodingPolicy
from quest22.longform.window_passes import Vocabulary
from quest22.protocols import SpeechProbabilities
from quest22.records import SAMPLE_RATE_HZ, VAD_FRAME_SAMPLES
from quest22.settings.clip_options import ClipSettings

MARGIN_S = 1.0
"""Windows are this much shorter than Whisper's, so that silence follows their last word."""

QUIET = 0.2
SILENCE_MS = 2000
PAD_MS = 500
SHORTEST_SHARE = 5
"""Speech is not cut into pieces shorter than this part of the longest."""


def build_strategy(
    settings: ClipSettings,
    tokens: Vocabulary,
    probabilities: Callable[[], SpeechProbabilities],
    *,
    is_multilingual: bool = True,
) -> PausesStrategy:
    """``probabilities`` opens the voice activity detector for a clip.

    ``is_multilingual``: the checkpoint knows several languages, on which a clip's windows vote.
    Raises :class:`UsageError` for windows that are too short to be cut.
    """
    decoding, hallucination = settings.decoding, settings.hallucination
    quality = Quality.of(settings.longform.quality, decoding, hallucination.max_repeats)
    temperatures = quality.retry_temperatures
    policy = DecodingPolicy.of(decoding, hallucination, tokens, (0.0, *temperatures))
    retries = Retries(
        Trust(policy.fallback, tokens), quality.retry_beam_size, temperatures, quality.best_of
    )
    detected = decoding.language is None and not decoding.languages
    voted = is_multilingual and decoding.language is None and not decoding.multilingual
    rules = TranscriptionRules(
        policy=policy,
        quality=quality,
        retries=retries,
        speech_threshold=settings.vad.vad_threshold,
        one_language=voted,
        doubt_language=detected and not decoding.language_threshold,
        needs_speech=settings.vad.vad != "off",
    )
    return PausesStrategy(windowing_rules(settings), rules, probabilities)


def windowing_rules(settings: ClipSettings) -> WindowingRules:
    """How clips are cut; raises :class:`UsageError` if windows would be shorter than a second."""
    vad, longform = settings.vad, settings.longform
    longest_s = min(
        vad.vad_max_speech_duration_s or longform.chunk_length_s,
        longform.chunk_length_s - MARGIN_S,
    )
    if longest_s < MARGIN_S:
        raise UsageError(
            f"windows of {longform.chunk_length_s} s with at most {longest_s} s of speech are too "
            "short to be cut at pauses: expected at least 2 s and 1 s"
        )
    longest = int(longest_s / FRAME_S)
    silence = _frames(vad.vad_min_silence_duration_ms, SILENCE_MS)
    quiet = QUIET if vad.vad_neg_threshold is None else vad.vad_neg_threshold
    cutting = CuttingRules(
        quiet=0.0 if vad.vad == "off" else quiet,
        silence=max(silence, 1),
        pad=min(_frames(vad.vad_speech_pad_ms, PAD_MS), silence // 2),
        longest=longest,
        shortest=longest // SHORTEST_SHARE,
    )
    whole = 0.0 if vad.vad == "on" else longform.chunk_length_s
    return WindowingRules(cutting, whole_clip=round(whole * SAMPLE_RATE_HZ))


def _frames(given_ms: int | None, default_ms: int) -> int:
    """Milliseconds as frames, rounded up."""
    milliseconds = default_ms if given_ms is None else given_ms
    return -(-milliseconds * SAMPLE_RATE_HZ // (1000 * VAD_FRAME_SAMPLES))
