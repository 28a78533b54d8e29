"""Scores what a program showed against what was said: when each word came out, and which are wrong.

**Shown**: a word counts from the first update that shows it, in normalised form and at its place in
the text, and since which no update was without it. **Committed**: from the update that commits it.
**Final**: from the end of an utterance to the end of the segment that has its last word; where a
program has no segments, to the commitment of its last word. All are counted from the end of the
word, or of the utterance, in the sound: a program that shows a word before it ends is below 0.

Knows texts and times; no programs, no sound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from quest22.bench.live.alignment import Heard, Pair, Said, align
from quest22.bench.live.reference import SpokenWord, times_of
from quest22.bench.live.timeline import CommittedToken, Timeline, View
from quest22.bench.live.tokens import Tokens, tokens_of
from quest22.evaluation.score import ErrorRate, Errors
from quest22.evaluation.texts import compared

SPARE_TOKENS = 8
"""A tail is compared with so many more tokens of the text than it has."""


@dataclass(frozen=True, slots=True)
class WordTimes:
    """When a word that was said came out, in seconds of the sound."""

    word: SpokenWord
    end_s: float
    shown_s: float
    committed_s: float


@dataclass(frozen=True, slots=True)
class UtteranceEnd:
    """When an utterance ended, and when its text was final."""

    end_s: float
    final_s: float


@dataclass(frozen=True, slots=True)
class Score:
    """Of one session, or of several (``+``).

    ``words`` and ``ends`` have what came out right; ``said`` counts the words whose end is known.
    ``errors`` are those of the whole text, ``committed_errors`` those of what was committed before
    its segment's end, beside what was said until there. ``lost_tails`` are utterances whose last
    word did not come out, nor another in its place. ``withdrawn`` counts words that were shown and
    then gone, ``taken_back`` such words that had been committed.
    """

    words: tuple[WordTimes, ...] = ()
    ends: tuple[UtteranceEnd, ...] = ()
    said: int = 0
    utterances: int = 0
    lost_tails: tuple[int, ...] = ()
    errors: ErrorRate = field(default_factory=ErrorRate)
    committed_errors: ErrorRate = field(default_factory=ErrorRate)
    withdrawn: int = 0
    taken_back: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(
            self.words + other.words,
            self.ends + other.ends,
            self.said + other.said,
            self.utterances + other.utterances,
            self.lost_tails + other.lost_tails,
            self.errors + other.errors,
            self.committed_errors + other.committed_errors,
            self.withdrawn + other.withdrawn,
            self.taken_back + other.taken_back,
        )


def score(words: Sequence[SpokenWord], timeline: Timeline) -> Score:
    """Compare a session's updates with the words that were said, in order."""
    said = _said(words, timeline.language)
    tokens = timeline.tokens()
    pairs = align(
        [Said(text, end_s) for text, end_s, _ in said],
        [Heard(token.text, token.at_s) for token in tokens],
    )
    shown_s, withdrawn = _shown(tokens, timeline)
    heard = {first: second for first, second in pairs if first is not None}
    by_word: dict[int, list[int | None]] = {}
    for number, (text, _, word) in enumerate(said):
        at = heard[number]
        right = at is not None and tokens[at].text == text
        by_word.setdefault(word, []).append(at if right else None)
    lost = _lost_tails(words, said, heard)
    return Score(
        words=tuple(_times(words, by_word, tokens, shown_s)),
        ends=tuple(_ends(words, said, heard, tokens, timeline.finals_s)),
        said=sum(words[word].end_s is not None for word in by_word),
        utterances=len({word.utterance for word in words}),
        lost_tails=tuple(lost),
        errors=_errors(" ".join(word.text for word in words), timeline.text(), timeline.language),
        committed_errors=_committed_errors(words, said, pairs, timeline),
        withdrawn=withdrawn,
        taken_back=timeline.taken_back,
    )


def lost_tails(words: Sequence[SpokenWord], text: str, language: str | None) -> list[int]:
    """The utterances whose last word is missing in a text that has no times."""
    said = _said(words, language)
    end_s = said[-1][1] if said else 0.0
    heard = [Heard(token, end_s) for word in text.split() for token in tokens_of(word, language)]
    pairs = align([Said(token, end_s) for token, _, _ in said], heard)
    return _lost_tails(words, said, {a: b for a, b in pairs if a is not None})


_SaidToken = tuple[str, float, int]
"""A token, the end of its word, and the word's index."""


def _said(words: Sequence[SpokenWord], language: str | None) -> list[_SaidToken]:
    return [
        (token, end_s, number)
        for number, (word, end_s) in enumerate(zip(words, times_of(words), strict=True))
        for token in tokens_of(word.text, language)
    ]


def _times(
    words: Sequence[SpokenWord],
    by_word: Mapping[int, Sequence[int | None]],
    tokens: Sequence[CommittedToken],
    shown_s: Sequence[float],
) -> list[WordTimes]:
    """Of the words that came out whole and whose end is known."""
    times = []
    for number, found in by_word.items():
        word, right = words[number], [at for at in found if at is not None]
        if word.end_s is not None and len(right) == len(found):
            shown = max(shown_s[at] for at in right)
            committed = max(tokens[at].at_s for at in right)
            times.append(WordTimes(word, word.end_s, shown, committed))
    return times


def _ends(
    words: Sequence[SpokenWord],
    said: Sequence[_SaidToken],
    heard: Mapping[int, int | None],
    tokens: Sequence[CommittedToken],
    finals_s: Mapping[int, float],
) -> list[UtteranceEnd]:
    """Of the utterances whose last word came out, or another in its place."""
    ends = []
    for number in _last_tokens(words, said).values():
        at, (_, end_s, word) = heard[number], said[number]
        if at is not None and words[word].end_s is not None:
            token = tokens[at]
            ends.append(UtteranceEnd(end_s, finals_s.get(token.segment, token.at_s)))
    return ends


def _lost_tails(
    words: Sequence[SpokenWord], said: Sequence[_SaidToken], heard: Mapping[int, int | None]
) -> list[int]:
    last = _last_tokens(words, said)
    return [utterance for utterance, number in last.items() if heard[number] is None]


def _last_tokens(words: Sequence[SpokenWord], said: Sequence[_SaidToken]) -> dict[int, int]:
    """Each utterance's last token."""
    return {words[word].utterance: number for number, (_, _, word) in enumerate(said)}


def _shown(tokens: Sequence[CommittedToken], timeline: Timeline) -> tuple[list[float], int]:
    """Since when each token was on show, and how many were shown and then gone."""
    texts = [token.text for token in tokens]
    shown_s = [token.at_s for token in tokens]
    since: dict[int, float] = {}
    before: View | None = None
    withdrawn = 0
    for view in timeline.views():
        on_show = _places(view.tail, texts, view.stable)
        since = {
            at: since.get(at, view.at_s)
            for at in (*on_show, *(each for each in since if each < view.stable))
        }
        for at in [each for each in since if each < view.stable]:
            shown_s[at] = since.pop(at)
        withdrawn += _withdrawn(before, view, texts)
        before = view
    return shown_s, withdrawn


def _withdrawn(before: View | None, view: View, texts: Sequence[str]) -> int:
    """How many tokens of the last tail are not where they were, from the first that changed."""
    if before is None:
        return 0
    now = (*texts[before.stable : view.stable], *view.tail)
    same = _common_prefix(before.tail, now)
    return len(before.tail) - same


def _places(tail: Tokens, texts: Sequence[str], stable: int) -> list[int]:
    """Which tokens of the text a tail shows at their places: fewest edits, then the first."""
    same = _common_prefix(tail, texts[stable : stable + len(tail)])
    places = list(range(stable, stable + same))
    rest, begin = tail[same:], stable + same
    ahead = texts[begin : begin + len(rest) + SPARE_TOKENS]
    return places + [begin + at for at in _matches(rest, ahead)]


def _common_prefix(first: Sequence[str], second: Sequence[str]) -> int:
    for number, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return number
    return min(len(first), len(second))


def _matches(tail: Sequence[str], ahead: Sequence[str]) -> list[int]:
    """Indices in ``ahead`` of the tokens that an edit-distance alignment of ``tail`` matches.

    What follows in ``ahead`` costs nothing: it is still to come.
    """
    if not tail or not ahead:
        return []
    costs = [list(range(len(ahead) + 1))]
    for number, token in enumerate(tail, 1):
        row = [number]
        for at, other in enumerate(ahead, 1):
            paired = costs[-1][at - 1] + (token != other)
            row.append(min(paired, costs[-1][at] + 1, row[-1] + 1))
        costs.append(row)
    at, number = min(range(len(ahead) + 1), key=costs[-1].__getitem__), len(tail)
    found = []
    while at and number:
        equal = tail[number - 1] == ahead[at - 1]
        if costs[number][at] == costs[number - 1][at - 1] + (not equal):
            number, at = number - 1, at - 1
            found += [at] if equal else []
        elif costs[number][at] == costs[number - 1][at] + 1:
            number -= 1
        else:
            at -= 1
    return found[::-1]


def _committed_errors(
    words: Sequence[SpokenWord],
    said: Sequence[_SaidToken],
    pairs: Sequence[Pair],
    timeline: Timeline,
) -> ErrorRate:
    """Errors of each segment's words that were committed before its end.

    They are compared with what was said from the segment's beginning to the last of them.
    """
    tokens = timeline.tokens()
    until = {token.segment: number for number, token in enumerate(tokens) if token.early}
    said_in: dict[int, list[int]] = {}
    waiting: list[int] = []
    for first, second in pairs:
        waiting += [] if first is None else [said[first][2]]
        if second is not None:
            segment = tokens[second].segment
            if second <= until.get(segment, -1):
                said_in.setdefault(segment, []).extend(waiting)
            waiting = []
    errors = ErrorRate()
    for segment, heard in timeline.words().items():
        if segment in until:
            reference = " ".join(words[at].text for at in dict.fromkeys(said_in.get(segment, ())))
            early = " ".join(word for word, is_early in heard if is_early)
            errors += _errors(reference, early, timeline.language)
    return errors


def _errors(reference: str, hypothesis: str, language: str | None) -> ErrorRate:
    return Errors.of(compared(reference, hypothesis, language)).words
