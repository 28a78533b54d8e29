"""A conversation item: one turn of speech and its text so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log
from typing import Any

from quest22.records import LiveEvent, LiveWord
from quest22.server.openai.realtime.event_sender import new_id

MIN_PROBABILITY = 1e-6


@dataclass(slots=True, eq=False)
class Item:
    """What was said between two points in the audio, in seconds.

    ``announced``: the client has been told that speech started. ``stopped``: speech has stopped.
    ``committed``: the client knows that the item has ended. ``by_client``: the client ended it; the
    item is then complete after a flush or, if it ``is_empty``, right after the item before it.
    """

    start_s: float
    end_s: float = 0.0
    id: str = field(default_factory=lambda: new_id("item"))
    announced: bool = False
    stopped: bool = False
    committed: bool = False
    by_client: bool = False
    is_empty: bool = False
    transcript: str = ""
    words: list[LiveWord] = field(default_factory=list)
    segments: int = 0
    _stable_words: int = 0
    _languages: Counter[str] = field(default_factory=Counter)

    def take(self, event: LiveEvent) -> tuple[str, Sequence[LiveWord]]:
        """The new words of an event that will not change, and their text.

        The returned texts, joined, are the transcript.
        """
        stable = [word for word in event.words if word.stable]
        new = stable[self._stable_words :]
        self._stable_words = 0 if event.type == "final" else len(stable)
        text = "".join(word.text for word in new)
        if not self.transcript:
            text = text.lstrip()
        self.transcript += text
        self.words += new
        if event.language is not None:
            self._languages[event.language] += len(new)
        return text, new

    @property
    def languages(self) -> list[dict[str, str]]:
        """The detected languages, the one with the most words first."""
        return [{"code": code} for code, words in self._languages.most_common() if words]

    def fields(self) -> dict[str, Any]:
        """The item as in OpenAI's events."""
        return {
            "id": self.id,
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": None}],
        }


def logprobs(words: Sequence[LiveWord]) -> list[dict[str, Any]]:
    """Words with their log probabilities."""
    return [
        {
            "token": word.text,
            "logprob": round(log(max(word.probability, MIN_PROBABILITY)), 5),
            "bytes": list(word.text.encode()),
        }
        for word in words
    ]
