"""The words of a hypothesis with their tokens and times in the session."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor

from quest22.checkpoint.word_splitting import TokenWord, split_to_words
from quest22.decoding.words import TokenTimes
from quest22.errors import EngineError
from quest22.longform.window_passes import Vocabulary
from quest22.records import Hypothesis, LiveWord, Word
from quest22.settings.decoding import APPEND_PUNCTUATIONS, PREPEND_PUNCTUATIONS

SHORTEST_WORD_S = 0.08
"""Nobody says words in less time than this."""

SENTENCE_ENDS, CLOSING = ".?!…。？！", "\"'’”»」』)]"
"""Marks that end a sentence, and those that may stand behind them."""

_MARKS = re.compile(r"[^\w']", re.UNICODE)


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A word with the marks that belong to it; times are seconds in the session.

    The last ``marks`` of its tokens are those of marks behind it.
    """

    text: str
    tokens: tuple[int, ...]
    start_s: float
    end_s: float
    probability: float
    marks: int = 0

    @property
    def spelling(self) -> str:
        """Its letters, small, without marks: what is the same word has the same."""
        return _MARKS.sub("", self.text).lower()

    def shown(self, *, stable: bool) -> LiveWord:
        """The word as events tell it."""
        return LiveWord(self.start_s, self.end_s, self.text, self.probability, stable)

    def timed(self) -> Word:
        """The word as transcripts hold it."""
        return Word(self.start_s, self.end_s, self.text, self.probability)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where words may lie, in seconds of the session: after the last one, in the heard sound."""

    start_s: float
    end_s: float


def heard_words(
    hypothesis: Hypothesis,
    vocabulary: Vocabulary,
    offset_s: float,
    bounds: Bounds,
    known: Sequence[HeardWord] = (),
) -> list[HeardWord]:
    """The words of a window that begins at ``offset_s``, with times that never fall.

    ``known`` are the words before them, which the window's sound may have, too.

    Raises :class:`EngineError` if the engine gave no alignment.
    """
    tokens = [token for token in hypothesis.tokens if token < vocabulary.eot]
    alignment = hypothesis.alignment
    if alignment is None or len(alignment.probabilities) != len(tokens):
        raise EngineError("the engine returned no word timestamps: expected one for each token")
    times = TokenTimes.of(alignment, offset_s)
    pieces = split_to_words(tokens, vocabulary, hypothesis.language)
    words = _with_marks(_timed(pieces, times))
    return in_bounds(without_repeated(words, known, bounds.start_s), bounds)


def without_repeated(
    words: Sequence[HeardWord], known: Sequence[HeardWord], from_s: float
) -> list[HeardWord]:
    """The words without those at their beginning that repeat the last ``known`` ones.

    Only where the alignment leaves them hardly any sound from ``from_s`` on, where new words begin:
    who says a word twice takes time for it.
    """
    first = next((at for at, word in enumerate(words) if word.spelling), len(words))
    before = [word.spelling for word in known if word.spelling]
    for size in range(min(len(before), len(words) - first), 0, -1):
        run = words[first : first + size]
        if [word.spelling for word in run] == before[-size:]:
            own_s = run[-1].end_s - max(from_s, run[0].start_s)
            if own_s < size * SHORTEST_WORD_S:
                return list(words[first + size :])
    return list(words)


def in_bounds(words: Iterable[HeardWord], bounds: Bounds) -> list[HeardWord]:
    """The words with times made to increase and to lie within the bounds, to 0.01 s."""
    placed: list[HeardWord] = []
    earliest_s = ceil(round(100 * bounds.start_s, 6)) / 100
    latest_s = floor(round(100 * bounds.end_s, 6)) / 100
    latest_s = max(earliest_s, latest_s)
    for word in words:
        start_s = min(max(round(word.start_s, 2), earliest_s), latest_s)
        end_s = min(max(round(word.end_s, 2), start_s), latest_s)
        placed.append(replace(word, start_s=start_s, end_s=end_s))
        earliest_s = end_s
    return placed


def without_first_mark(words: Sequence[HeardWord]) -> list[HeardWord]:
    """The words of a new segment: marks that close the one before it are not shown.

    Their tokens go before those of the first word, so that the model sees what it said.
    """
    if not words or words[0].text not in APPEND_PUNCTUATIONS:
        return list(words)
    mark, *others = words
    return (
        [replace(others[0], tokens=mark.tokens + others[0].tokens), *others[1:]] if others else []
    )


def last_mark(words: Sequence[HeardWord]) -> tuple[int, ...]:
    """The tokens of the mark behind the last word."""
    return words[-1].tokens[-words[-1].marks :] if words and words[-1].marks else ()


def ends_sentence(text: str) -> bool:
    """Whether the mark behind a word or a text ends a sentence."""
    return text.rstrip().rstrip(CLOSING).endswith(tuple(SENTENCE_ENDS))


def with_first_mark(words: Sequence[HeardWord], mark: tuple[int, ...]) -> list[HeardWord]:
    """Words behind a mark that the model was given: its tokens go before those of the first one."""
    first = [replace(each, tokens=mark + each.tokens) for each in words[:1]]
    return [*first, *words[1:]]


def without_last_mark(words: Sequence[HeardWord]) -> list[HeardWord]:
    """Words whose sentence may go on: the mark behind the last one has no tokens."""
    if not words or not words[-1].marks:
        return list(words)
    *others, last = words
    return [*others, replace(last, tokens=last.tokens[: -last.marks], marks=0)]


def text_of(words: Iterable[HeardWord]) -> str:
    """The words' text, with the space that stands before the first one."""
    return "".join(word.text for word in words)


def tokens_of(words: Iterable[HeardWord]) -> tuple[int, ...]:
    """The words' tokens."""
    return tuple(token for word in words for token in word.tokens)


def _timed(pieces: Sequence[TokenWord], times: TokenTimes) -> Iterable[HeardWord]:
    first = 0
    for piece in pieces:
        stop = first + len(piece.tokens)
        probability = sum(times.probabilities[first:stop]) / len(piece.tokens)
        start_s, end_s = times.spans_s[first][0], times.spans_s[stop - 1][1]
        yield HeardWord(
            piece.text, piece.tokens, start_s + times.offset_s, end_s + times.offset_s, probability
        )
        first = stop


def _with_marks(words: Iterable[HeardWord]) -> list[HeardWord]:
    """Opening marks join the word after them, closing ones the word before; it keeps its times."""
    joined: list[HeardWord] = []
    opening: HeardWord | None = None
    for word in words:
        whole = word if opening is None else _joined(opening, word, word)
        opening = None
        if word.text.startswith(" ") and word.text.strip() in PREPEND_PUNCTUATIONS:
            opening = whole
        elif joined and word.text in APPEND_PUNCTUATIONS:
            joined[-1] = _joined(joined[-1], whole, joined[-1], marks=len(whole.tokens))
        else:
            joined.append(whole)
    return joined if opening is None else [*joined, opening]


def _joined(first: HeardWord, second: HeardWord, timed: HeardWord, marks: int = 0) -> HeardWord:
    """Two pieces as one word, with the times of ``timed``; ``marks`` more tokens are marks."""
    return replace(
        timed,
        text=first.text + second.text,
        tokens=first.tokens + second.tokens,
        marks=timed.marks + marks,
    )
