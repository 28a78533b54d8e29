"""A checkpoint's tokenizer: text to token ids and back, and the ids of control tokens.

Whisper's vocabulary is laid out as text, end of text, control tokens, timestamps. Knows no model
and no decoding rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tokenizers import Tokenizer

from quest22.checkpoint.config import Dimensions, GenerationConfig
from quest22.checkpoint.openai_defaults import MULTILINGUAL_VOCABULARY
from quest22.checkpoint.vocabulary import read_tokenizer, tokenizer_errors
from quest22.errors import CheckpointError, UsageError
from quest22.records import Task
from quest22.settings.languages import LANGUAGES

TIMESTAMP_STEP_S = 0.02
TIMESTAMP_COUNT = 1501
_ENGLISH_ONLY = "the model is English-only: use a multilingual one, without '.en' in its name"
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
    """Text ↔ token ids for one checkpoint, and the ids of its control tokens.

    ``languages`` maps codes to tokens and is empty for an English-only checkpoint. The tokens from
    ``timestamp_begin`` on are ``timestamp_count`` times within a window.
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
        """From a folder's tokenizer files; :class:`CheckpointError` if they are not Whisper's."""
        return cls.of(read_tokenizer(folder), dimensions, generation, folder)

    @classmethod
    def of(
        cls, tokenizer: Tokenizer, dimensions: Dimensions, generation: GenerationConfig, where: Path
    ) -> Tokens:
        """From a tokenizer; ``where`` it comes from is named in the :class:`CheckpointError`."""
        control = _control_tokens(tokenizer, generation, where)
        begin = control["no_timestamps"] + 1
        if begin > dimensions.vocab_size:
            raise CheckpointError(
                f"{where}: the tokenizer has {begin} tokens before the timestamps, the model "
                f"{dimensions.vocab_size} in all: tokenizer and weights do not match"
            )
        languages = _languages(tokenizer, generation)
        multilingual = generation.is_multilingual
        if multilingual is None:
            multilingual = dimensions.vocab_size >= MULTILINGUAL_VOCABULARY
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
        """Text to tokens, without control tokens: ``<|…|>`` is encoded as plain text."""
        encoded = self._encode_plain(text)
        if all(token < self.eot for token in encoded):
            return encoded
        return [
            token for piece in _CONTROL_SYNTAX.split(text) for token in self._encode_plain(piece)
        ]

    def _encode_plain(self, piece: str) -> list[int]:
        with tokenizer_errors("the model"):
            ids: list[int] = self.tokenizer.encode(piece, add_special_tokens=False).ids
        return ids

    def decode(self, tokens: Sequence[int]) -> str:
        """Tokens to text, without control and timestamp tokens.

        Identical to Transformers' ``WhisperTokenizer.decode(skip_special_tokens=True)``: a leading
        prompt is left out too, and incomplete UTF-8 becomes U+FFFD.
        """
        text_tokens = [
            token
            for token in self._after_prompt(tokens)
            if token < self.eot or token >= self.timestamp_begin
        ]
        with tokenizer_errors("the model"):
            text: str = self.tokenizer.decode(text_tokens, skip_special_tokens=True)
        return _TIMESTAMP.sub("", text)

    def initial_tokens(
        self, language: str | None, task: Task = "transcribe", *, timestamps: bool
    ) -> tuple[int, ...]:
        """``<|startoftranscript|>``, language, task; ``<|notimestamps|>`` without ``timestamps``.

        An English-only checkpoint accepts ``None`` or ``"en"`` and has neither language nor task
        tokens. Raises :class:`UsageError` for a language or task that the checkpoint lacks.
        """
        start = (self.sot, *self._language_and_task(language, task))
        return start if timestamps else (*start, self.no_timestamps)

    def is_timestamp(self, token: int) -> bool:
        return self.timestamp_begin <= token < self.timestamp_begin + self.timestamp_count

    def timestamp(self, token: int) -> float:
        """A timestamp token's time, in seconds from the start of the window."""
        return round((token - self.timestamp_begin) * TIMESTAMP_STEP_S, 2)

    def _after_prompt(self, tokens: Sequence[int]) -> Sequence[int]:
        if not tokens or tokens[0] != self.prev:
            return tokens
        starts = [index for index, token in enumerate(tokens) if token == self.sot]
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


_CONTROL_SYNTAX = re.compile(r"(?<=<)(?=\|)")
"""Splits ``<|`` in text, so that it does not encode to a control token."""


def _control_tokens(
    tokenizer: Tokenizer, generation: GenerationConfig, folder: Path
) -> dict[str, int]:
    """Control token → id; ids in ``generation_config.json`` win over the tokenizer's."""
    configured = {
        "eot": generation.eos_token_id,
        "sot": generation.decoder_start_token_id,
        "transcribe": generation.task_to_id.get("transcribe"),
        "translate": generation.task_to_id.get("translate"),
        "prev": generation.prev_sot_token_id,
        "no_timestamps": generation.no_timestamps_token_id,
    }
    ids: dict[str, int] = {}
    for role, names in _ROLES.items():
        known = next((i for n in names if (i := tokenizer.token_to_id(n)) is not None), None)
        value = configured.get(role)
        ids[role] = _required(folder, names[0], known if value is None else value)
    return ids


def _required(folder: Path, name: str, token: int | None) -> int:
    if token is None:
        raise CheckpointError(
            f"{folder}: the tokenizer has no {name}: expected the tokenizer of a Whisper model"
        )
    return token


def _languages(tokenizer: Tokenizer, generation: GenerationConfig) -> dict[str, int]:
    """Language code → token, in the order of the tokens."""
    named = {
        name.removeprefix("<|").removesuffix("|>"): token
        for name, token in generation.lang_to_id.items()
    }
    if not named:
        ids = {code: tokenizer.token_to_id(f"<|{code}|>") for code in LANGUAGES}
        named = {code: token for code, token in ids.items() if token is not None}
    return dict(sorted(named.items(), key=lambda item: item[1]))


NUMERALS = frozenset("0123456789%$£")
"""Digits and currency signs, as in WhisperX's ``find_numeral_symbol_tokens``."""


def numeral_tokens(tokens: Tokens) -> tuple[int, ...]:
    """All text tokens that contain a numeral, in order; suppressed to spell numbers out."""
    return tuple(token for token in range(tokens.eot) if NUMERALS & set(tokens.decode([token])))
