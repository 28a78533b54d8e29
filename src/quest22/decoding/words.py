"""Words with times, from the times of tokens: split, corrected, and assigned to their segments.

Works on records; knows nothing of models or windows. The method is openai/whisper's
(``add_word_timestamps`` in ``timing.py``): words that last too long at the ends of sentences and
after pauses are shortened, punctuation joins its words, and a segment begins with its first word
and ends with its last, unless the segment's own times are more plausible. Unlike there, a word that
crosses from one segment into the next belongs to the one where it begins, and later segments keep
all their words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from quest22.checkpoint.word_splitting import TextTokens, TokenWord, split_to_words
from quest22.decoding.word_durations import WordDurations
from quest22.records import Alignment, Segment, Word
from quest22.settings import APPEND_PUNCTUATIONS, PREPEND_PUNCTUATIONS, DecodingSettings

SENTENCE_ENDS = ".。!！?？"


@dataclass(frozen=True, slots=True)
class TokenTimes:
    """Times of text tokens, one after the other, in seconds from ``offset_s`` in the clip.

    ``spans_s`` are starts and ends. ``probabilities`` are the tokens' own, from 0 to 1.
    """

    offset_s: float
    spans_s: tuple[tuple[float, float], ...]
    probabilities: tuple[float, ...]

    @classmethod
    def of(cls, alignment: Alignment, offset_s: float) -> TokenTimes:
        """The times of a hypothesis whose timestamps count from ``offset_s``."""
        bounds = alignment.bounds_s
        spans = tuple(pairwise(bounds))
        return cls(offset_s, spans, alignment.probabilities)


@dataclass(slots=True, eq=False)
class _TimedWord:
    """A word in progress; ``first`` is the index of its first token, times are the tokens'."""

    first: int
    text: str
    start_s: float
    end_s: float
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class WordTimer:
    """Adds words to segments; ``prepended`` and ``appended`` punctuation joins its word."""

    vocabulary: TextTokens
    prepended: str = PREPEND_PUNCTUATIONS
    appended: str = APPEND_PUNCTUATIONS

    @classmethod
    def of(cls, settings: DecodingSettings, vocabulary: TextTokens) -> WordTimer | None:
        """None if word timestamps are off."""
        if not settings.word_timestamps:
            return None
        return cls(vocabulary, settings.prepend_punctuations, settings.append_punctuations)

    def add_words(
        self,
        segments: Sequence[Segment],
        times: TokenTimes,
        language: str | None,
        last_speech_s: float,
    ) -> list[Segment]:
        """The segments of one window with their words, and with starts and ends to match.

        ``times`` are those of all text tokens of the segments. The clip's last word before them
        ended at ``last_speech_s``.
        """
        texts = [_text_tokens(segment, self.vocabulary) for segment in segments]
        tokens = [token for text in texts for token in text]
        words = _timed_words(split_to_words(tokens, self.vocabulary, language), times)
        lengths = WordDurations.of([word.end_s - word.start_s for word in words])
        if lengths.median_s:
            _shorten_at_sentence_ends(words, lengths)
        words = _append(_prepend(words, self.prepended), self.appended)
        timed: list[Segment] = []
        first = 0
        for segment, text in zip(segments, texts, strict=True):
            own = [word for word in words if first <= word.first < first + len(text)]
            first += len(text)
            timed.append(lengths.fit(segment, _to_words(own, times.offset_s), last_speech_s))
            last_speech_s = timed[-1].end_s if own else last_speech_s
        return timed


def last_word_end(segments: Iterable[Segment]) -> float | None:
    """Where the last word of segments ends; None if there is no word."""
    ends = [words[-1].end_s for segment in segments if (words := segment.words)]
    return ends[-1] if ends else None


def _text_tokens(segment: Segment, vocabulary: TextTokens) -> list[int]:
    return [token for token in segment.tokens if token < vocabulary.eot]


def _timed_words(words: Iterable[TokenWord], times: TokenTimes) -> list[_TimedWord]:
    timed, first = [], 0
    for word in words:
        stop = first + len(word.tokens)
        share = float(np.mean(times.probabilities[first:stop]))
        start_s, end_s = times.spans_s[first][0], times.spans_s[stop - 1][1]
        timed.append(_TimedWord(first, word.text, start_s, end_s, share))
        first = stop
    return timed


def _shorten_at_sentence_ends(words: Sequence[_TimedWord], lengths: WordDurations) -> None:
    """Cut the pause off a mark that ends a sentence, or off the word right after it."""
    for before, word in pairwise(words):
        if word.end_s - word.start_s > lengths.longest_s:
            if word.text in SENTENCE_ENDS:
                word.end_s = word.start_s + lengths.longest_s
            elif before.text in SENTENCE_ENDS:
                word.start_s = word.end_s - lengths.longest_s


def _prepend(words: Sequence[_TimedWord], punctuation: str) -> list[_TimedWord]:
    """Opening punctuation joins the word after it, whose times and probability stay."""
    joined: list[_TimedWord] = []
    for word in reversed(words):
        if joined and word.text.startswith(" ") and word.text.strip() in punctuation:
            joined[-1].text = word.text + joined[-1].text
            joined[-1].first = word.first
        else:
            joined.append(word)
    return joined[::-1]


def _append(words: Iterable[_TimedWord], punctuation: str) -> list[_TimedWord]:
    """Closing punctuation joins the word before it, whose times and probability stay."""
    joined: list[_TimedWord] = []
    for word in words:
        if joined and not joined[-1].text.endswith(" ") and word.text in punctuation:
            joined[-1].text += word.text
        else:
            joined.append(word)
    return joined


def _to_words(words: Iterable[_TimedWord], offset_s: float) -> list[Word]:
    """Words with times in the clip, rounded to 0.01 s."""
    return [
        Word(
            start_s=round(offset_s + word.start_s, 2),
            end_s=round(offset_s + word.end_s, 2),
            text=word.text,
            probability=word.probability,
        )
        for word in words
    ]
