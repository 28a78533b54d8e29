"""What a Whisper writes for a planned window: tokens, and where each of them is heard.

Conventions of the paper (section 2.3): a segment that the window's end cuts off is written as
its start time alone where timestamps are asked for; previous text is prompt, not target.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from recipes.nano.losses import IGNORED
from recipes.nano.shards import Item, Shards
from recipes.nano.vocabulary import (
    END,
    LANGUAGES,
    NO_SPEECH,
    NO_TIMESTAMPS,
    PREVIOUS,
    START,
    TIMESTAMPS,
    TRANSCRIBE,
    TRANSLATE,
    Vocabulary,
    letters,
)
from recipes.nano.windows import FRAMES, FRAMES_A_SECOND, Placed, Plan

POSITION_S = 0.02
MARKED_SLACK_S, UNMARKED_SLACK_S, STAMP_SLACK_S = 0.02, 0.2, 0.1
MAX_PROMPT = 80
TRANSLATE_SHARE = 0.42
SPELLINGS = {
    "gray": "grey", "favorite": "favourite", "theater": "theatre", "neighbor": "neighbour",
    "Katherine": "Catherine", "Stephen": "Steven", "Sarah": "Sara", "Nicholas": "Nikolas",
    "Sophia": "Sofia", "Philip": "Phillip",
}  # fmt: skip
NOWHERE = (-1.0, -1.0)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of the decoder in one window."""

    translate: bool = False
    stamps: bool = False
    prompt: tuple[str, ...] = ()
    respelled: frozenset[str] = frozenset()


@dataclass
class Transcript:
    """Compact tokens from the first to end-of-text; ``spans`` in seconds, one a token."""

    tokens: list[int] = field(default_factory=list)
    spans: list[tuple[float, float]] = field(default_factory=list)
    silent: int = 0
    letters: list[int] = field(default_factory=list)
    masked: set[int] = field(default_factory=set)
    instead: dict[int, int] = field(default_factory=dict)

    def add(self, token: int, span: tuple[float, float] = NOWHERE) -> None:
        """Append one token."""
        self.tokens.append(token)
        self.spans.append(span)

    def targets(self) -> list[int]:
        """The next token at every position but the last, with those not learnt masked."""
        wanted = [self.instead.get(i, token) for i, token in enumerate(self.tokens)]
        hidden = [
            IGNORED if i <= self.silent or i in self.masked else token
            for i, token in enumerate(wanted)
        ]
        return hidden[1:]


def wish(plan: Plan, shards: Shards, rng: random.Random, stamps_share: float) -> Wish:
    """Draw what is asked: task, timestamps and previous text."""
    whole = all(p.at >= 0 and p.at + p.frames <= plan.frames for p in plan.placed)
    translate = plan.language == "ru" and whole and rng.random() < TRANSLATE_SHARE
    stamps = rng.random() < stamps_share
    if rng.random() >= 0.12 or plan.kind.name == "single":
        return Wish(translate, stamps)
    heard = [word.strip(".,!?") for p in plan.placed for word in p.item.words]
    spelled = [word for word in heard if word in SPELLINGS]
    if plan.language == "en" and spelled:
        word = rng.choice(spelled)
        context = rng.choice(shards.by_word[word])
        respelled = frozenset([word]) if rng.random() < 0.6 else frozenset()
        return Wish(translate, stamps, (_respell(" ".join(context.words), respelled),), respelled)
    before = [shards.draw(plan.language, rng) for _ in range(rng.choice([1, 1, 2, 3]))]
    return Wish(translate, stamps, tuple(_said(item, translate) for item in before))


def transcript(plan: Plan, asked: Wish, vocabulary: Vocabulary, rng: random.Random) -> Transcript:
    """The tokens of a window."""
    out, compact = Transcript(), vocabulary.compact
    if asked.prompt:
        out.add(compact[PREVIOUS])
        for token in vocabulary.text(" ".join(asked.prompt))[-MAX_PROMPT:]:
            out.add(token)
    out.silent = len(out.tokens)
    out.add(compact[START])
    out.add(compact[LANGUAGES[plan.language]])
    out.add(compact[TRANSLATE if asked.translate else TRANSCRIBE])
    if asked.translate:
        out.masked.add(len(out.tokens) - 1)
    if not asked.stamps:
        out.add(compact[NO_TIMESTAMPS])
    if plan.placed:
        _speech(out, plan, asked, vocabulary, rng)
    else:
        _silence(out, asked, vocabulary)
    out.add(compact[END])
    return out


def _silence(out: Transcript, asked: Wish, vocabulary: Vocabulary) -> None:
    """After the start "no speech" is right; the forced tokens that follow are not learnt."""
    out.instead[out.silent + 1] = vocabulary.compact[NO_SPEECH]
    out.masked |= {out.silent + 2}
    if asked.stamps:
        out.add(vocabulary.first_stamp)
    else:
        out.masked.add(out.silent + 3)


def _speech(
    out: Transcript, plan: Plan, asked: Wish, vocabulary: Vocabulary, rng: random.Random
) -> None:
    limit_s = plan.frames / FRAMES_A_SECOND
    for index, placed in enumerate(plan.placed):
        first, last = plan.audible(placed)
        cut_off = placed.at + placed.frames > plan.frames and placed.ends_s[-1] > limit_s
        words = placed.item.words[first:last]
        out.letters += letters((" " if out.letters else "") + " ".join(words)) if words else []
        start_s = max(0.0, float(placed.starts_s[first])) if words else max(0, placed.at) / 100
        if asked.stamps and cut_off and plan.frames == FRAMES:
            _stamp(out, start_s, plan, vocabulary, capped=index == 0 and rng.random() < 0.5)
            return
        if not words:
            continue
        if asked.stamps:
            _stamp(out, start_s, plan, vocabulary, capped=index == 0 and rng.random() < 0.5)
        if asked.translate:
            span = (start_s, float(placed.ends_s[-1]))
            for token in vocabulary.text(placed.item.english):
                out.add(token, span)
        else:
            _words(out, placed, (first, last), asked, vocabulary)
        if asked.stamps:
            _stamp(out, min(limit_s, float(placed.ends_s[last - 1])), plan, vocabulary, False)


def _words(
    out: Transcript, placed: Placed, which: tuple[int, int], asked: Wish, vocabulary: Vocabulary
) -> None:
    slack = MARKED_SLACK_S if placed.item.marked else UNMARKED_SLACK_S
    starts, ends = placed.starts_s, placed.ends_s
    for index in range(*which):
        tokens = vocabulary.word(_respell(placed.item.words[index], asked.respelled))
        begin, step = float(starts[index]), float(ends[index] - starts[index]) / len(tokens)
        for at, token in enumerate(tokens):
            from_s, to_s = begin + at * step, begin + (at + 1) * step
            out.add(token, (from_s - slack, to_s + slack))


def _stamp(
    out: Transcript, time_s: float, plan: Plan, vocabulary: Vocabulary, capped: bool
) -> None:
    """A timestamp; ``capped`` obeys the decoder's rule that the first is at most 1.00."""
    place = round(time_s / POSITION_S) + plan.begin
    if capped and plan.frames == FRAMES:
        place = min(place, 50)
    span = (time_s - STAMP_SLACK_S, time_s + STAMP_SLACK_S)
    out.add(vocabulary.first_stamp + min(TIMESTAMPS - 1, place), span)


def _respell(text: str, words: frozenset[str]) -> str:
    for word in words:
        text = text.replace(word, SPELLINGS[word])
    return text


def _said(item: Item, translate: bool) -> str:
    return item.english if translate else " ".join(item.words)
