"""The part of the official vocabulary that nano's training uses.

Training works on compact ids: the text tokens that the grammar can produce, the control tokens,
all timestamps, and one last id that stands for every unused token. Its logit is raised by the
logarithm of how many it stands for, which makes the compact softmax equal to the full one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tokenizers import Tokenizer

OFFICIAL_SIZE = 51865
END, START, TRANSLATE, TRANSCRIBE, PREVIOUS = 50257, 50258, 50358, 50359, 50361
NO_SPEECH, NO_TIMESTAMPS, FIRST_TIMESTAMP = 50362, 50363, 50364
LANGUAGES = {"en": 50259, "ru": 50263}
TIMESTAMPS = 1501
CONTROLS = (END, START, *LANGUAGES.values(), TRANSLATE, TRANSCRIBE, PREVIOUS, NO_SPEECH,
            NO_TIMESTAMPS)  # fmt: skip
LETTERS = " abcdefghijklmnopqrstuvwxyzабвгдеёжзийклмнопрстуфхцчшщъыьэюя'-"


@dataclass
class Vocabulary:
    """Official ids in use, in ascending order; timestamps come last."""

    used: list[int]
    tokenizer: Tokenizer
    _words: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def of_words(cls, tokenizer: Path, words: set[str]) -> Vocabulary:
        """The vocabulary of all these words (with their punctuation, without spaces)."""
        encoder = Tokenizer.from_file(str(tokenizer))
        spaced = sorted(f" {word}" for word in words)
        batches = encoder.encode_batch(spaced, add_special_tokens=False)
        text = {index for encoding in batches for index in encoding.ids}
        stamps = range(FIRST_TIMESTAMP, FIRST_TIMESTAMP + TIMESTAMPS)
        return cls(sorted(text | set(CONTROLS)) + list(stamps), encoder)

    @cached_property
    def compact(self) -> dict[int, int]:
        """Official id → compact id."""
        return {official: index for index, official in enumerate(self.used)}

    @property
    def unused(self) -> int:
        """How many official tokens the last compact id stands for."""
        return OFFICIAL_SIZE - len(self.used)

    @property
    def first_stamp(self) -> int:
        """The compact id of ``<|0.00|>``."""
        return len(self.used) - TIMESTAMPS

    def word(self, word: str) -> list[int]:
        """Compact ids of a word with a space before it."""
        if word not in self._words:
            ids = self.tokenizer.encode(f" {word}", add_special_tokens=False).ids
            self._words[word] = [self.compact[index] for index in ids]
        return self._words[word]

    def covers(self, text: str) -> bool:
        """Whether every token of a text is in use."""
        words = [f" {word}" for word in text.split()]
        found = self.tokenizer.encode_batch(words, add_special_tokens=False)
        return all(index in self.compact for encoding in found for index in encoding.ids)

    def text(self, text: str) -> list[int]:
        """Compact ids of a text; the pre-tokenizer never joins two words."""
        return [index for word in text.split() for index in self.word(word)]


def letters(text: str) -> list[int]:
    """The CTC labels of a text: its letters in lower case, counted from 1 (0 is blank)."""
    return [LETTERS.index(letter) + 1 for letter in text.lower() if letter in LETTERS]
