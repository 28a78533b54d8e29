"""Builds the strategy of live sessions from their settings."""

from __future__ import annotations

from collections.abc import Callable

from quest22.longform.live.clip import LiveStrategy
from quest22.longform.live.commit import CommitPolicy
from quest22.longform.live.context import ContextRules
from quest22.longform.live.endpointing import ONSET_FRAMES, EndpointRules, frames_of
from quest22.longform.live.guards import Guards
from quest22.longform.live.rules import LiveRules
from quest22.longform.pauses.quality import Quality
from quest22.longform.pauses.trust import Trust
from quest22.longform.policy import DecodingPolicy
from quest22.longform.window_passes import Vocabulary
from quest22.protocols import SpeechProbabilities
from quest22.settings.clip_options import ClipSettings
from quest22.settings.live import LiveSettings, PolicyName
from quest22.settings.vad import VadSettings

HYSTERESIS = 0.15
"""Speech lasts while frames are no more than this below its threshold."""

QUIET = 0.15
"""A frame below it has no soft end of a word."""

SURE_SHARE = 2 / 3
"""Of the silence that ends a segment, so much does where its text is certain."""

UNFINISHED = 2
"""Where the sentence seems to go on, a segment ends after so many times that silence."""

ENGLISH = "en"


def build_strategy(
    settings: ClipSettings,
    live: LiveSettings,
    tokens: Vocabulary,
    probabilities: Callable[[], SpeechProbabilities],
    *,
    is_multilingual: bool,
) -> LiveStrategy:
    """``probabilities`` opens the voice activity detector for a session."""
    decoding, hallucination = settings.decoding, settings.hallucination
    policy = DecodingPolicy.of(decoding, hallucination, tokens, (0.0,))
    rules = LiveRules(
        policy=policy,
        guards=Guards(Trust(policy.fallback, tokens)),
        language=decoding.language if is_multilingual else ENGLISH,
        commit=CommitPolicy(_policy(settings, live), live.hold_back_s),
        endpoints=_endpoints(settings.vad, live),
        context=_context(settings),
        step_s=live.step_s,
        max_segment_s=live.max_segment_s,
        history_s=3600 * live.history_h,
        audio_context=decoding.audio_context or "auto",
        quality=Quality.of(settings.longform.quality, decoding, hallucination.max_repeats),
        voice_events=live.voice_events,
        pre_roll_s=live.pre_roll_ms / 1000,
    )
    return LiveStrategy(rules, probabilities)


def _policy(settings: ClipSettings, live: LiveSettings) -> PolicyName:
    """Translations do not follow the sound word by word: there two steps must agree too."""
    translated = settings.decoding.task == "translate" and live.policy == "alignatt"
    return "both" if translated else live.policy


def _endpoints(vad: VadSettings, live: LiveSettings) -> EndpointRules:
    threshold, low = vad.vad_threshold, vad.vad_neg_threshold
    eager = frames_of(live.eager_ms)
    silence = max(frames_of(live.endpoint_ms), eager + 1)
    sure_ms = live.sure_endpoint_ms
    soon = round(SURE_SHARE * silence) if sure_ms is None else frames_of(sure_ms)
    most_ms = live.unfinished_endpoint_ms
    most = UNFINISHED * silence if most_ms is None else frames_of(most_ms)
    neg_threshold = max(threshold - HYSTERESIS, 0.01) if low is None else low
    return EndpointRules(
        threshold=threshold,
        neg_threshold=neg_threshold,
        quiet=min(QUIET, neg_threshold),
        onset=frames_of(vad.vad_min_speech_duration_ms or ONSET_FRAMES * 32),
        eager=eager,
        soon=max(soon, eager + 1),
        silence=silence,
        most=max(most, silence),
    )


def _context(settings: ClipSettings) -> ContextRules:
    if settings.decoding.condition_on_previous_text:
        return ContextRules()
    return ContextRules(audio_s=0.0, prompt_letters=0)
