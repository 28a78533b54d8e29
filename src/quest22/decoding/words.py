"""Words with times, from the times of tokens: split, mended, and given to their segments.

Works on records; knows nothing of models or windows. The method is openai/whisper's
(``add_word_timestamps`` in ``timing.py``): words that last too long at the ends of sentences and
after pauses are shortened, punctuation joins its words, and a segment begins with its first word
and ends with its last, unless the segment's own times are more likely. Unlike there, a word that
crosses from one segment into the next costs no later segment a word: it belongs where it begins.
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

    ``spans_s`` are starts and ends.
    """

    offset_s: float
    spans_s: tuple[tuple[float, float], ...]
    probabilities: tuple[float, ...]

    @classmethod
    def of(cls, alignment: Alignment, offset_s: float) -> TokenTimes:
        """Those of a hypothesis whose timestamps count from ``offset_s``."""
        bounds = alignment.bounds_s
        spans = tuple(pairwise(bounds))
        return cls(offset_s, spans, alignment.probabilities)


@dataclass(slots=True, eq=False)
class _Timed:
    """A word in the making; ``first`` is the place of its first token, times are as in tokens'."""

    first: int
    text: str
    start_s: float
    end_s: float
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class WordTimer:
    """Adds words to segments; ``prepended`` and ``appended`` punctuation joins its words."""

    vocabulary: TextTokens
    prepended: str = PREPEND_PUNCTUATIONS
    appended: str = APPEND_PUNCTUATIONS

    @classmethod
    def of(cls, settings: DecodingSettings, vocabulary: TextTokens) -> WordTimer | None:
        """None where no words are asked for."""
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

        ``times`` are those of all their text tokens, ``last_speech_s`` is where the clip's last
        word before them ended.
        """
        texts = [_text_tokens(segment, self.vocabulary) for segment in segments]
        tokens = [token for text in texts for token in text]
        words = _timed(split_to_words(tokens, self.vocabulary, language), times)
        lengths = WordDurations.of([word.end_s - word.start_s for word in words])
        if lengths.median_s:
            _shorten_at_sentence_ends(words, lengths)
        words = _append(_prepend(words, self.prepended), self.appended)
        found: list[Segment] = []
        begun = 0
        for segment, text in zip(segments, texts, strict=True):
            own = [word for word in words if begun <= word.first < begun + len(text)]
            begun += len(text)
            found.append(lengths.fit(segment, _placed(own, times.offset_s), last_speech_s))
            last_speech_s = found[-1].end_s if own else last_speech_s
        return found


def last_word_end(segments: Iterable[Segment]) -> float | None:
    """Where the last word of segments ends; None where there is no word."""
    ends = [words[-1].end_s for segment in segments if (words := segment.words)]
    return ends[-1] if ends else None


def _text_tokens(segment: Segment, vocabulary: TextTokens) -> list[int]:
    return [token for token in segment.tokens if token < vocabulary.eot]


def _timed(words: Iterable[TokenWord], times: TokenTimes) -> list[_Timed]:
    timed, first = [], 0
    for word in words:
        stop = first + len(word.tokens)
        share = float(np.mean(times.probabilities[first:stop]))
        start_s, end_s = times.spans_s[first][0], times.spans_s[stop - 1][1]
        timed.append(_Timed(first, word.text, start_s, end_s, share))
        first = stop
    return timed


def _shorten_at_sentence_ends(words: Sequence[_Timed], lengths: WordDurations) -> None:
    """A mark that ends a sentence takes no pause after it, the word behind it none before it."""
    for before, word in pairwise(words):
        if word.end_s - word.start_s > lengths.longest_s:
            if word.text in SENTENCE_ENDS:
                word.end_s = word.start_s + lengths.longest_s
            elif before.text in SENTENCE_ENDS:
                word.start_s = word.end_s - lengths.longest_s


def _prepend(words: Sequence[_Timed], punctuation: str) -> list[_Timed]:
    """Opening punctuation joins the word behind it, whose times and probability remain."""
    joined: list[_Timed] = []
    for word in reversed(words):
        if joined and word.text.startswith(" ") and word.text.strip() in punctuation:
            joined[-1].text = word.text + joined[-1].text
            joined[-1].first = word.first
        else:
            joined.append(word)
    return joined[::-1]


def _append(words: Iterable[_Timed], punctuation: str) -> list[_Timed]:
    """Closing punctuation joins the word before it, likewise."""
    joined: list[_Timed] = []
    for word in words:
        if joined and not joined[-1].text.endswith(" ") and word.text in punctuation:
            joined[-1].text += word.text
        else:
            joined.append(word)
    return joined


def _placed(words: Iterable[_Timed], offset_s: float) -> list[Word]:
    """Words of the clip, their times rounded to the hundredth."""
    return [
        Word(
            start_s=round(offset_s + word.start_s, 2),
            end_s=round(offset_s + word.end_s, 2),
            text=word.text,
            probability=word.probability,
        )
        for word in words
    ]
