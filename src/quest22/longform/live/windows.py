"""How the windows of a session are decoded, at first and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from quest22.longform.live.segment import OpenSegment
from quest22.longform.live.words import HeardWord, tokens_of
from quest22.longform.pauses.quality import UNSURE, Quality
from quest22.longform.policy import DecodingPolicy
from quest22.records import AudioContext, DecodingOptions, DetectionOptions, SearchOptions

CERTAIN_LANGUAGE, CERTAIN_AFTER_S = 0.7, 3.0
"""A segment's language is settled if it is so probable, or after so much sound; until then it is
taken to be in the language of the one before."""

RETRY_TEMPERATURE = 0.4
MOST_TRIES = 3


@dataclass(frozen=True, slots=True, eq=False)
class WindowOptions:
    """Options for the windows of one session.

    All are decoded greedily, with ``audio_context``; last windows, and previews whose improbable
    words will stay, also as ``quality`` says, if greedy decoding was unsure.
    ``knows_language``: it is given, or the model has only one.
    """

    policy: DecodingPolicy
    audio_context: AudioContext
    quality: Quality
    knows_language: bool

    def first(
        self,
        segment: OpenSegment,
        known: Sequence[HeardWord],
        past_language: str | None,
        sound_s: float,
        *,
        thorough: bool,
    ) -> DecodingOptions:
        """The options of a segment's next window, which begins with ``known`` words.

        The segment has ``sound_s`` of sound; the one before it was in ``past_language``.
        ``thorough``: words of this window will stay that are not certain.
        """
        decoding, context = self.policy.decoding, segment.context
        language = decoding.language if self.knows_language else segment.language
        shortened = not thorough or self.quality.greedy_first
        return replace(
            decoding,
            language=language if segment.settled else None,
            timestamps=False,
            previous=self._prompt(context.previous),
            prefix=self._prefix(segment) + tokens_of(known),
            draft=tokens_of(segment.tail),
            detection=self._detection(past_language, sound_s),
            search=self._thorough if thorough else self._greedy,
            words=True,
            ends_complete=True,
            quick_words=True,
            audio_context=self.audio_context if shortened else decoding.audio_context,
        )

    @staticmethod
    def behind_mark(decoding: DecodingOptions, mark: tuple[int, ...]) -> DecodingOptions:
        """The options of a window that goes on behind a mark, whatever the model makes of it."""
        draft = decoding.draft
        if draft[: len(mark)] == mark:
            draft = draft[len(mark) :]
        return replace(decoding, prefix=decoding.prefix + mark, draft=draft)

    @property
    def _greedy(self) -> SearchOptions:
        return replace(
            self.policy.decoding.search, beam_size=1, max_repeats=self.quality.max_repeats
        )

    @property
    def _thorough(self) -> SearchOptions:
        return replace(
            self._greedy,
            beam_size=self.quality.beam_size,
            greedy_logprob=UNSURE[False] if self.quality.greedy_first else None,
            beams_in_full=False,
        )

    def again(self, decoding: DecodingOptions, tries: int) -> DecodingOptions:
        """Options for a further try, without a draft: with beams, then with a temperature."""
        beams = max(self.quality.retry_beam_size, decoding.search.beam_size)
        search = replace(decoding.search, beam_size=beams, greedy_logprob=None)
        if tries == 1:
            return replace(decoding, search=search, draft=(), audio_context="full")
        search = replace(search, best_of=self.quality.best_of)
        return replace(
            decoding,
            search=search,
            draft=(),
            temperature=RETRY_TEMPERATURE,
            audio_context="full",
        )

    def _prefix(self, segment: OpenSegment) -> tuple[int, ...]:
        """The user's prefix, which the session's first text continues."""
        is_first = not segment.number and not segment.committed
        return self.policy.prompt_context.prefix if is_first else ()

    def _prompt(self, previous: tuple[int, ...]) -> tuple[int, ...]:
        context = self.policy.prompt_context
        if context.carry_initial or not previous:
            previous = context.initial + previous
        return context.with_hotwords(previous)

    def _detection(self, past_language: str | None, sound_s: float) -> DetectionOptions:
        """Short sounds are often taken for another language: then the last one goes on."""
        detection = self.policy.decoding.detection
        if past_language is None or detection.fallback or sound_s >= CERTAIN_AFTER_S:
            return detection
        return replace(detection, threshold=CERTAIN_LANGUAGE, fallback=past_language)
