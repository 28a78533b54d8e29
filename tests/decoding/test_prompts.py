from __future__ import annotations

import pytest
from tokenizers import Tokenizer, models

from quest22.checkpoint.config import GenerationConfig
from quest22.checkpoint.tokens import Tokens
from quest22.decoding.prompts import Prompt, PromptBuilder
from quest22.errors import UsageError
from quest22.records import DecodingOptions

SOT, PREV, EN, RU, TRANSCRIBE, TRANSLATE, NO_TIMES = 101, 107, 102, 103, 104, 105, 109
POSITIONS = 40


def builder(max_length: int = 448, *, multilingual: bool = True) -> PromptBuilder:
    tokens = Tokens(
        tokenizer=Tokenizer(models.BPE()),
        eot=100,
        sot=SOT,
        transcribe=TRANSCRIBE,
        translate=TRANSLATE,
        sot_lm=106,
        prev=PREV,
        no_speech=108,
        no_timestamps=NO_TIMES,
        languages={"en": EN, "ru": RU} if multilingual else {},
        is_multilingual=multilingual,
    )
    generation = GenerationConfig(
        decoder_start_token_id=SOT, eos_token_id=100, pad_token_id=100, max_length=max_length
    )
    return PromptBuilder(tokens, generation, POSITIONS)


CASES = [
    (DecodingOptions(), "en", (SOT, EN, TRANSCRIBE, NO_TIMES), 0),
    (DecodingOptions(task="translate"), "ru", (SOT, RU, TRANSLATE, NO_TIMES), 0),
    (DecodingOptions(timestamps=True), "en", (SOT, EN, TRANSCRIBE), 0),
    (DecodingOptions(timestamps=True, prefix=(7, 8)), "en", (SOT, EN, TRANSCRIBE, 7, 8), 0),
    (DecodingOptions(previous=(5, 6)), "en", (PREV, 5, 6, SOT, EN, TRANSCRIBE, NO_TIMES), 3),
]


@pytest.mark.parametrize(("decoding", "language", "tokens", "start"), CASES)
def test_layout(
    decoding: DecodingOptions, language: str, tokens: tuple[int, ...], start: int
) -> None:
    prompt = builder().build(decoding, language)
    assert (prompt.tokens, prompt.sot_index) == (tokens, start)
    assert prompt.max_new_tokens == POSITIONS - len(tokens)
    assert prompt.timestamps == decoding.timestamps


def test_an_english_only_checkpoint_has_no_language_and_no_task() -> None:
    prompt = builder(multilingual=False).build(DecodingOptions(), None)
    assert prompt == Prompt((SOT, NO_TIMES), 0, POSITIONS - 2)


def test_of_what_was_said_before_the_end_is_kept() -> None:
    prompt = builder().build(DecodingOptions(previous=tuple(range(60))), "en")
    assert prompt.tokens[:20] == (PREV, *range(60 - (POSITIONS // 2 - 1), 60))
    assert prompt.tokens[prompt.sot_index] == SOT


# checkpoint's max_length, max_new_tokens, expected limit: the prompt has 4 tokens
LIMITS = [
    (448, None, 36),
    (20, None, 20),
    (448, 5, 5),
    (448, 1, 1),
    (448, 200, 37),
    (2, None, 2),
]


@pytest.mark.parametrize(("max_length", "asked", "expected"), LIMITS)
def test_limit(max_length: int, asked: int | None, expected: int) -> None:
    assert (
        builder(max_length).build(DecodingOptions(max_new_tokens=asked), "en").max_new_tokens
        == expected
    )


def test_a_prefix_that_leaves_no_place_is_refused() -> None:
    with pytest.raises(UsageError, match="the prompt has 40 tokens, 36 of them prefix"):
        builder().build(DecodingOptions(prefix=tuple(range(36))), "en")


@pytest.mark.parametrize("asked", [0, -1])
def test_no_tokens_at_all_cannot_be_asked_for(asked: int) -> None:
    with pytest.raises(UsageError, match=f"maximum of new tokens is {asked}: expected 1 or more"):
        builder().build(DecodingOptions(max_new_tokens=asked), "en")
