"""What every checkpoint of OpenAI's shares and some files leave out: control tokens, suppression.

From openai/whisper: ``tokenizer.py`` (order of control tokens, ``non_speech_tokens``) and
``__init__.py`` (``_ALIGNMENT_HEADS``, here as the pairs of layer and head that they encode).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from tokenizers import Tokenizer

from quest22.checkpoint.config import Dimensions, GenerationConfig
from quest22.settings.languages import LANGUAGES

MULTILINGUAL_VOCABULARY = 51865
"""Tokens of the smallest vocabulary that knows several languages; English-only ones have fewer."""

TEXT_TOKENS = 50257
"""Text tokens of a multilingual vocabulary; English-only ones have one less."""

MAX_INITIAL_TIMESTAMP_INDEX = 50
MAX_LENGTH = 448

_SYMBOLS = (
    *'"#()*+/:;<=>@[\\]^_`{|}~「」『』',
    *("<<", ">>", "<<<", ">>>", "--", "---", "-(", "-[", "('", '("'),
    *("((", "))", "(((", ")))", "[[", "]]", "{{", "}}", "♪♪", "♪♪♪"),
)
_MUSIC = tuple("♩♪♫♬♭♮♯")

_Heads = tuple[tuple[int, int], ...]

ALIGNMENT_HEADS: Mapping[tuple[int, int, int], _Heads] = MappingProxyType(
    {
        (384, 4, 51864): ((1, 0), (2, 0), (2, 5), (3, 0), (3, 1), (3, 2), (3, 3), (3, 4)),
        (384, 4, 51865): ((2, 2), (3, 0), (3, 2), (3, 3), (3, 4), (3, 5)),
        (512, 6, 51864): ((3, 3), (4, 7), (5, 1), (5, 5), (5, 7)),
        (512, 6, 51865): ((3, 1), (4, 2), (4, 3), (4, 7), (5, 1), (5, 2), (5, 4), (5, 6)),
        (768, 12, 51864): (
            *((6, 6), (7, 0), (7, 3), (7, 8), (8, 2), (8, 5), (8, 7), (9, 0), (9, 4), (9, 8)),
            *((9, 10), (10, 0), (10, 1), (10, 2), (10, 3), (10, 6), (10, 11), (11, 2), (11, 4)),
        ),
        (768, 12, 51865): (
            *((5, 3), (5, 9), (8, 0), (8, 4), (8, 7)),
            *((8, 8), (9, 0), (9, 7), (9, 9), (10, 5)),
        ),
        (1024, 24, 51864): (
            *((11, 4), (14, 1), (14, 12), (14, 14), (15, 4), (16, 0), (16, 4), (16, 9), (17, 12)),
            *((17, 14), (18, 7), (18, 10), (18, 15), (20, 0), (20, 3), (20, 9), (20, 14), (21, 12)),
        ),
        (1024, 24, 51865): ((13, 15), (15, 4), (15, 15), (16, 1), (20, 0), (23, 4)),
        (1280, 32, 51866): (
            *((7, 0), (10, 17), (12, 18), (13, 12), (16, 1)),
            *((17, 14), (19, 11), (21, 4), (24, 1), (25, 6)),
        ),
        (1280, 4, 51866): ((2, 4), (2, 11), (3, 3), (3, 6), (3, 11), (3, 14)),
    }
)
"""By width, decoder layers and vocabulary: the heads that follow the sound.

Absent: shapes that several checkpoints share (large-v1 and large-v2) and fine-tuned ones.
"""


def control_tokens(vocab_size: int) -> dict[str, int]:
    """Every control token's text and number, in their order; timestamps follow the last.

    Vocabularies grow by languages: 99 in 51,865 tokens, 100 in 51,866.
    """
    multilingual = vocab_size >= MULTILINGUAL_VOCABULARY
    first = TEXT_TOKENS if multilingual else TEXT_TOKENS - 1
    languages = tuple(LANGUAGES)[: 99 + max(vocab_size - MULTILINGUAL_VOCABULARY, 0)]
    names = (
        *("<|endoftext|>", "<|startoftranscript|>"),
        *(f"<|{code}|>" for code in languages),
        *("<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>"),
        *("<|nospeech|>", "<|notimestamps|>"),
    )
    return {name: number for number, name in enumerate(names, start=first)}


def non_speech_tokens(tokenizer: Tokenizer) -> tuple[int, ...]:
    """Tokens of marks that nobody says, such as brackets and notes; rising."""

    def encode(text: str) -> list[int]:
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    found = {encode(" -")[0], encode(" '")[0]}
    for symbol in (*_SYMBOLS, *_MUSIC):
        for tokens in (encode(symbol), encode(f" {symbol}")):
            if len(tokens) == 1 or symbol in _MUSIC:
                found.add(tokens[0])
    return tuple(sorted(found))


def default_generation(
    dimensions: Dimensions, tokenizer: Tokenizer, known: Mapping[str, Sequence[int]] | None = None
) -> GenerationConfig:
    """What ``generation_config.json`` of OpenAI's checkpoint of this shape says.

    ``tokenizer`` knows the control tokens. ``known`` may give ``suppress_tokens`` and
    ``begin_suppress_tokens``.
    """
    control = control_tokens(dimensions.vocab_size)
    sot, eot = control["<|startoftranscript|>"], control["<|endoftext|>"]
    never = ("<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>")
    suppressed = (*non_speech_tokens(tokenizer), sot, *(control[name] for name in never))
    space: list[int] = tokenizer.encode(" ", add_special_tokens=False).ids
    known = known or {}
    multilingual = dimensions.vocab_size >= MULTILINGUAL_VOCABULARY
    languages = {
        name: number for name, number in control.items() if name[2:-2] in LANGUAGES and multilingual
    }
    shape = (dimensions.d_model, dimensions.decoder_layers, dimensions.vocab_size)
    return GenerationConfig(
        decoder_start_token_id=sot,
        eos_token_id=eot,
        pad_token_id=eot,
        max_length=MAX_LENGTH,
        suppress_tokens=tuple(known.get("suppress_tokens", suppressed)),
        begin_suppress_tokens=tuple(known.get("begin_suppress_tokens", (*space, eot))),
        alignment_heads=ALIGNMENT_HEADS.get(shape, ()),
        lang_to_id=languages,
        task_to_id={name: control[f"<|{name}|>"] for name in ("translate", "transcribe")},
        no_timestamps_token_id=control["<|notimestamps|>"],
        prev_sot_token_id=control["<|startofprev|>"],
        is_multilingual=multilingual,
        max_initial_timestamp_index=MAX_INITIAL_TIMESTAMP_INDEX,
    )
