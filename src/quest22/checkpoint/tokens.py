"""A checkpoint's tokenizer: text to token numbers and back, and the numbers of control tokens.

Knows Whisper's vocabulary layout (text, end of text, control tokens, timestamps in this order);
knows no model and no decoding rule.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tokenizers import Tokenizer

from quest22.checkpoint.config import Dimensions, GenerationConfig
from quest22.checkpoint.vocabulary import read_tokenizer
from quest22.errors import CheckpointError, UsageError
from quest22.records import Task
from quest22.settings.languages import LANGUAGES

TIMESTAMP_STEP_S = 0.02
TIMESTAMP_COUNT = 1501
_ENGLISH_ONLY = "the model is English-only: it transcribes English; use one without '.en'"
_TIMESTAMP = re.compile(r"<\|\d+\.\d+\|>")
_ROLES = {
    "eot": ("<|endoftext|>",),
    "sot": ("<|startoftranscript|>",),
    "transcribe": ("<|transcribe|>",),
    "translate": ("<|translate|>",),
    "sot_lm": ("<|startoflm|>",),
    "prev": ("<|startofprev|>",),
    "no_speech": ("<|nospeech|>", "<|nocaptions|>"),
    "no_timestamps": ("<|notimestamps|>",),
}


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """Text ↔ token numbers for one checkpoint, and the numbers of its control tokens.

    ``languages`` maps codes to tokens and is empty for an English-only checkpoint. Tokens from
    ``timestamp_begin`` on are times within a window, ``timestamp_count`` of them.
    """

    tokenizer: Tokenizer
    eot: int
    sot: int
    transcribe: int
    translate: int
    sot_lm: int
    prev: int
    no_speech: int
    no_timestamps: int
    languages: Mapping[str, int]
    is_multilingual: bool
    timestamp_count: int = TIMESTAMP_COUNT

    @classmethod
    def read(cls, folder: Path, dimensions: Dimensions, generation: GenerationConfig) -> Tokens:
        """From a folder's tokenizer files; raises :class:`CheckpointError` on a foreign one."""
        tokenizer = read_tokenizer(folder)
        control = _control(tokenizer, generation, folder)
        begin = control["no_timestamps"] + 1
        if begin > dimensions.vocab_size:
            raise CheckpointError(
                f"{folder}: the tokenizer has {begin} tokens before the timestamps, the model "
                f"{dimensions.vocab_size} in all: they do not belong together"
            )
        languages = _languages(tokenizer, generation)
        multilingual = generation.is_multilingual
        if multilingual is None:
            multilingual = dimensions.vocab_size >= 51865
        return cls(
            tokenizer=tokenizer,
            **control,
            languages=MappingProxyType(languages if multilingual else {}),
            is_multilingual=multilingual,
            timestamp_count=min(TIMESTAMP_COUNT, dimensions.vocab_size - begin),
        )

    @property
    def timestamp_begin(self) -> int:
        """The token of 0.00 s."""
        return self.no_timestamps + 1

    def encode(self, text: str) -> list[int]:
        """Text to tokens, without control tokens; what spells one in ``text`` is taken as text."""
        encoded: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        if all(token < self.eot for token in encoded):
            return encoded
        return [token for piece in _SPELT.split(text) for token in self._encode_plain(piece)]

    def _encode_plain(self, piece: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(piece, add_special_tokens=False).ids
        return ids

    def decode(self, tokens: Sequence[int]) -> str:
        """Tokens to text, control and timestamp tokens left out.

        Equal to Transformers' ``WhisperTokenizer.decode(skip_special_tokens=True)``: a leading
        prompt is left out too, and bytes that are no whole UTF-8 become U+FFFD.
        """
        kept = [
            token
            for token in self._after_prompt(tokens)
            if token < self.eot or token >= self.timestamp_begin
        ]
        return _TIMESTAMP.sub("", self.tokenizer.decode(kept, skip_special_tokens=True))

    def initial_tokens(
        self, language: str | None, task: Task = "transcribe", *, timestamps: bool
    ) -> tuple[int, ...]:
        """The start of a transcript: ``<|startoftranscript|>``, language, task, timestamps or not.

        An English-only checkpoint takes ``None`` or ``"en"`` and has neither language nor task
        tokens. Raises :class:`UsageError` for what the checkpoint does not know.
        """
        start = (self.sot, *self._language_and_task(language, task))
        return start if timestamps else (*start, self.no_timestamps)

    def is_timestamp(self, token: int) -> bool:
        return self.timestamp_begin <= token < self.timestamp_begin + self.timestamp_count

    def timestamp(self, token: int) -> float:
        """Seconds from the start of the window that a timestamp token stands for."""
        return round((token - self.timestamp_begin) * TIMESTAMP_STEP_S, 2)

    def _after_prompt(self, tokens: Sequence[int]) -> Sequence[int]:
        if not tokens or tokens[0] != self.prev:
            return tokens
        starts = [at for at, token in enumerate(tokens) if token == self.sot]
        return tokens[starts[0] :] if starts else ()

    def _language_and_task(self, language: str | None, task: Task) -> tuple[int, ...]:
        if not self.is_multilingual:
            if language not in (None, "en"):
                raise UsageError(f"language {language!r}: {_ENGLISH_ONLY}")
            if task != "transcribe":
                raise UsageError(f"task {task!r}: {_ENGLISH_ONLY}")
            return ()
        if language is None or language not in self.languages:
            known = "any of Whisper's" if len(self.languages) >= 99 else ", ".join(self.languages)
            raise UsageError(f"the model does not know the language {language!r}: expected {known}")
        return self.languages[language], self.translate if task == "translate" else self.transcribe


_SPELT = re.compile(r"(?<=<)(?=\|)")
"""Where a text that spells a control token is cut, so that it stays text."""


def _control(tokenizer: Tokenizer, generation: GenerationConfig, folder: Path) -> dict[str, int]:
    """Ids by their usual names; ``generation_config.json`` decides where it names one."""
    said = {
        "eot": generation.eos_token_id,
        "sot": generation.decoder_start_token_id,
        "transcribe": generation.task_to_id.get("transcribe"),
        "translate": generation.task_to_id.get("translate"),
        "prev": generation.prev_sot_token_id,
        "no_timestamps": generation.no_timestamps_token_id,
    }
    ids: dict[str, int] = {}
    for role, names in _ROLES.items():
        found = next((i for n in names if (i := tokenizer.token_to_id(n)) is not None), None)
        value = said.get(role)
        ids[role] = _present(folder, names[0], found if value is None else value)
    return ids


def _present(folder: Path, name: str, token: int | None) -> int:
    if token is None:
        raise CheckpointError(
            f"{folder}: the tokenizer has no {name}: expected that of a Whisper model"
        )
    return token


def _languages(tokenizer: Tokenizer, generation: GenerationConfig) -> dict[str, int]:
    """Language code → token, in the order of the tokens."""
    named = {
        name.removeprefix("<|").removesuffix("|>"): token
        for name, token in generation.lang_to_id.items()
    }
    if not named:
        found = {code: tokenizer.token_to_id(f"<|{code}|>") for code in LANGUAGES}
        named = {code: token for code, token in found.items() if token is not None}
    return dict(sorted(named.items(), key=lambda item: item[1]))
