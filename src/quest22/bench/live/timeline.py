"""What a program showed, and when: updates as they came, and the text that they add up to.

Programs differ in how they report: words of segments, lines that grow, or a buffer beside committed
text. All of it is told as *updates*: words that are committed from now on, and the tail that may
still change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from quest22.bench.live.tokens import Tokens, tokens_of


@dataclass(frozen=True, slots=True)
class Update:
    """What a program showed of a segment at a time, in seconds since the sound began.

    Of the segment's committed words the first ``kept`` stay, which are all unless the program takes
    words back; ``committed`` come after them. ``tail`` replaces the former tail. ``final``: the
    segment has ended. A program without segments has one, which never ends.
    """

    at_s: float
    segment: int
    kept: int
    committed: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()
    final: bool = False


@dataclass(frozen=True, slots=True)
class CommittedToken:
    """A token of the text that stayed; ``early``: committed before its segment had ended."""

    text: str
    segment: int
    at_s: float
    early: bool


@dataclass(frozen=True, slots=True)
class View:
    """The tokens on show at a time: the first ``stable`` of the text that stayed, then a tail."""

    at_s: float
    stable: int
    tail: Tokens


@dataclass(slots=True)
class _Segment:
    committed: list[tuple[str, float, bool]] = field(default_factory=list)
    tail: tuple[str, ...] = ()
    final_s: float | None = None
    lasting: int = 0

    def words(self) -> list[str]:
        return [word for word, _, _ in self.committed]

    def apply(self, update: Update) -> int:
        """Take an update; returns how many committed words were taken back."""
        taken_back = len(self.committed) - update.kept
        del self.committed[update.kept :]
        early = not update.final
        self.committed += [(word, update.at_s, early) for word in update.committed]
        self.tail = update.tail
        if update.final:
            self.final_s = update.at_s
        return taken_back


class Timeline:
    """All updates of one session, in the order of their times."""

    def __init__(self, updates: Iterable[Update], language: str | None = "en") -> None:
        self.updates = tuple(updates)
        self.language = language
        segments: dict[int, _Segment] = {}
        self.taken_back = 0
        """Committed words that the program took back."""
        for update in self.updates:
            self.taken_back += segments.setdefault(update.segment, _Segment()).apply(update)
        self._segments = {number: segments[number] for number in sorted(segments)}

    @property
    def finals_s(self) -> Mapping[int, float]:
        """When each segment ended, for those that did."""
        return {
            number: segment.final_s
            for number, segment in self._segments.items()
            if segment.final_s is not None
        }

    def words(self) -> dict[int, list[tuple[str, bool]]]:
        """The words of each segment that stayed, and whether each came before its end."""
        return {
            number: [(word, early) for word, _, early in segment.committed]
            for number, segment in self._segments.items()
        }

    def text(self) -> str:
        """All words that stayed."""
        return " ".join(word for words in self.words().values() for word, _ in words)

    def tokens(self) -> list[CommittedToken]:
        """The tokens of all words that stayed, in the order of the text."""
        return [
            CommittedToken(token, number, at_s, early)
            for number, segment in self._segments.items()
            for word, at_s, early in segment.committed
            for token in tokens_of(word, self.language)
        ]

    def views(self) -> Iterator[View]:
        """What was on show after each update.

        The text that stayed is followed from its beginning as far as it was committed then. What
        was on show beyond that is the tail: also words that were taken back later, and those that a
        later segment had committed already.
        """
        on_show: dict[int, _Segment] = {}
        waiting, ended = list(self._segments), 0
        for update, stay in zip(self.updates, self._lasting(), strict=True):
            segment = on_show.setdefault(update.segment, _Segment())
            segment.apply(update)
            segment.lasting = stay
            while waiting and waiting[0] in on_show and on_show[waiting[0]].final_s is not None:
                ended += len(self._plain(on_show.pop(waiting.pop(0)).words()))
            yield self._view(update.at_s, ended, [on_show[number] for number in sorted(on_show)])

    def _lasting(self) -> list[int]:
        """For each update, how many of the segment's committed words are never taken back."""
        lasting: list[int] = []
        after: dict[int, int] = {}
        for update in reversed(self.updates):
            held = update.kept + len(update.committed)
            lasting.append(min(held, after.get(update.segment, held)))
            after[update.segment] = min(update.kept, after.get(update.segment, update.kept))
        return lasting[::-1]

    def _view(self, at_s: float, ended: int, on_show: list[_Segment]) -> View:
        stable, tail = ended, list[str]()
        for number, segment in enumerate(on_show):
            words = segment.words()
            lasting = segment.lasting if number == 0 else 0
            stable += len(self._plain(words[:lasting]))
            tail += self._plain([*words[lasting:], *segment.tail])
        return View(at_s, stable, tuple(tail))

    def _plain(self, words: Iterable[str]) -> list[str]:
        return [token for word in words for token in tokens_of(word, self.language)]
