from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.bench.tokenizer_variants import control_ids, tokenizer_json
from quest22.checkpoint.config import Dimensions, GenerationConfig
from quest22.checkpoint.tokens import Tokens
from quest22.errors import CheckpointError, UsageError
from quest22.settings.languages import LANGUAGES

TEXTS = [
    "",
    " ",
    " Hello, world!",
    " Съешь же ещё этих мягких французских булок, да выпей чаю.",
    " Ёлка — это «не» ёж… №5",
    "こんにちは世界。今日はいい天気ですね",
    "你好，世界",
    "안녕하세요 세계",
    "สวัสดีชาวโลก",
    " مرحبا بالعالم",
    " नमस्ते दुनिया",
    " 👩‍👩‍👧‍👦 flags 🇺🇦🇯🇵 and 🙂",
    "a\tb\nc\r\n  d   e",
    " don't we'll I'm 'quoted' it's",
    " 3.14159, 1,000,000 and 10%",
    " e\u0301 vs \u00e9 and \ufb01",
    " <|en|> <|endoftext|> <|1.00|> <|0.00|>",
    "\x00\x7f\u200b\ufeff",
    " " * 40 + "x" * 300,
]
LAYOUTS = [
    (51864, (50256, 50257, 50357, 50358, 50359, 50360, 50361, 50362), 0),
    (51865, (50257, 50258, 50358, 50359, 50360, 50361, 50362, 50363), 99),
    (51866, (50257, 50258, 50359, 50360, 50361, 50362, 50363, 50364), 100),
]


def read(folder: Path) -> Tokens:
    return Tokens.read(folder, Dimensions.read(folder), GenerationConfig.read(folder))


@pytest.fixture(scope="module")
def tokens(multilingual: Path) -> Tokens:
    return read(multilingual)


@pytest.mark.parametrize(("size", "expected", "languages"), LAYOUTS)
def test_each_vocabulary_has_its_control_tokens(
    checkpoints: dict[int, Path], size: int, expected: tuple[int, ...], languages: int
) -> None:
    found = read(checkpoints[size])
    assert expected == (
        found.eot,
        found.sot,
        found.translate,
        found.transcribe,
        found.sot_lm,
        found.prev,
        found.no_speech,
        found.no_timestamps,
    )
    assert (found.timestamp_begin, found.timestamp_count) == (found.no_timestamps + 1, 1501)
    assert found.timestamp_begin + found.timestamp_count == size
    assert len(found.languages) == languages
    assert found.is_multilingual is (languages > 0)


def test_languages_are_whisper_s_in_order(checkpoints: dict[int, Path]) -> None:
    assert list(read(checkpoints[51866]).languages) == list(LANGUAGES)


INITIAL = [
    (51864, None, "transcribe", False, (50257, 50362)),
    (51864, "en", "transcribe", True, (50257,)),
    (51865, "en", "transcribe", False, (50258, 50259, 50359, 50363)),
    (51865, "ru", "translate", True, (50258, 50263, 50358)),
    (51866, "yue", "transcribe", False, (50258, 50358, 50360, 50364)),
    (51866, "ru", "translate", False, (50258, 50263, 50359, 50364)),
]


@pytest.mark.parametrize(("size", "language", "task", "timestamps", "expected"), INITIAL)
def test_a_transcript_begins_as_asked(
    checkpoints: dict[int, Path],
    size: int,
    language: str | None,
    task: Any,
    timestamps: bool,
    expected: tuple[int, ...],
) -> None:
    found = read(checkpoints[size])
    assert found.initial_tokens(language, task, timestamps=timestamps) == expected


@pytest.mark.parametrize(
    ("size", "language", "task", "message"),
    [
        (51864, "ru", "transcribe", "language 'ru': the model is English-only"),
        (51864, "en", "translate", "task 'translate': the model is English-only"),
        (51865, "yue", "transcribe", "does not know the language 'yue'"),
        (51865, None, "transcribe", "does not know the language None"),
    ],
)
def test_what_the_model_does_not_know_is_refused(
    checkpoints: dict[int, Path], size: int, language: str | None, task: Any, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        read(checkpoints[size]).initial_tokens(language, task, timestamps=False)


def test_timestamps_count_in_steps_of_20_ms(tokens: Tokens) -> None:
    begin = tokens.timestamp_begin
    assert [tokens.timestamp(begin + step) for step in (0, 1, 51, 1500)] == [0.0, 0.02, 1.02, 30.0]
    assert [tokens.is_timestamp(t) for t in (begin - 1, begin, begin + 1500, begin + 1501)] == [
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("text", TEXTS[:16])
def test_text_comes_back(tokens: Tokens, text: str) -> None:
    assert tokens.decode(tokens.encode(text)) == text


def test_what_spells_a_control_token_stays_text(tokens: Tokens) -> None:
    encoded = tokens.encode(" <|en|><|endoftext|><|startoftranscript|><|3.00|>")
    assert all(token < tokens.eot for token in encoded)
    assert tokens.decode(encoded) == " <|en|><|endoftext|><|startoftranscript|>"


@settings(max_examples=200, deadline=None)
@given(text=st.text())
def test_any_text_becomes_text_tokens_and_comes_back(tokens: Tokens, text: str) -> None:
    encoded = tokens.encode(text)
    assert all(0 <= token < tokens.eot for token in encoded)
    assert tokens.decode(encoded) == text


@settings(max_examples=200, deadline=None)
@given(text=st.lists(st.integers(0, 52_000), max_size=30))
def test_any_tokens_decode_to_text_without_control_tokens(tokens: Tokens, text: list[int]) -> None:
    decoded = tokens.decode(text)
    assert "<|endoftext|>" not in decoded
    plain = [token for token in text if token < tokens.eot]
    if text[:1] != [tokens.prev] and len(plain) == len(text):
        assert decoded == tokens.decode(tuple(plain))


def test_a_prompt_is_left_out(tokens: Tokens) -> None:
    prompt, said = tokens.encode(" earlier"), tokens.encode(" now")
    start = tokens.initial_tokens("en", timestamps=False)
    assert tokens.decode([tokens.prev, *prompt, *start, *said, tokens.eot]) == " now"
    assert tokens.decode([tokens.prev, *prompt]) == ""


@pytest.mark.parametrize("size", [51864, 51865, 51866])
def test_the_older_files_give_the_same_tokenizer(
    tmp_path: Path, checkpoints: dict[int, Path], size: int
) -> None:
    for name in ("config.json", "generation_config.json"):
        (tmp_path / name).write_bytes((checkpoints[size] / name).read_bytes())
    write_tokenizer_parts(tmp_path, size)
    older, newer = read(tmp_path), read(checkpoints[size])
    for name, token in control_ids(size).items():
        assert older.tokenizer.token_to_id(name) == newer.tokenizer.token_to_id(name) == token
    for text in TEXTS:
        assert older.encode(text) == newer.encode(text)
    everything = list(range(0, size, 7))
    assert older.decode(everything) == newer.decode(everything)


def test_older_models_call_no_speech_no_captions(
    tmp_path: Path, multilingual: Path, tokens: Tokens
) -> None:
    for name in ("config.json", "generation_config.json"):
        (tmp_path / name).write_bytes((multilingual / name).read_bytes())
    text = (multilingual / "tokenizer.json").read_text(encoding="utf-8")
    renamed = text.replace("<|nospeech|>", "<|nocaptions|>")
    (tmp_path / "tokenizer.json").write_text(renamed, encoding="utf-8")
    assert read(tmp_path).no_speech == tokens.no_speech


def test_languages_are_found_where_the_generation_settings_lack_them(multilingual: Path) -> None:
    dimensions = Dimensions.read(multilingual)
    bare = GenerationConfig(
        decoder_start_token_id=50258, eos_token_id=50257, pad_token_id=50257, max_length=448
    )
    found = Tokens.read(multilingual, dimensions, bare)
    assert found.is_multilingual
    assert list(found.languages) == list(LANGUAGES)[:99]
    assert (found.transcribe, found.no_timestamps) == (50359, 50363)


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path, multilingual: Path) -> None:
    dimensions, generation = Dimensions.read(multilingual), GenerationConfig.read(multilingual)
    (tmp_path / "tokenizer.json").write_text(
        '{"version":"1.0","added_tokens":[],"model":{"type":"BPE","vocab":{"a":0},"merges":[]}}'
    )
    with pytest.raises(CheckpointError, match=r"the tokenizer has no <\|startoflm\|>"):
        Tokens.read(tmp_path, dimensions, generation)


def test_a_tokenizer_beyond_the_model_is_refused(multilingual: Path) -> None:
    small = replace(Dimensions.read(multilingual), vocab_size=1000)
    with pytest.raises(CheckpointError, match="tokenizer and weights do not match"):
        Tokens.read(multilingual, small, GenerationConfig.read(multilingual))


@pytest.fixture(scope="module", params=[51864, 51865, 51866])
def pair(request: pytest.FixtureRequest, checkpoints: dict[int, Path]) -> tuple[Tokens, Any]:
    """Ours and Transformers' tokenizer of the same files."""
    transformers = pytest.importorskip("transformers")
    folder = checkpoints[request.param]
    return read(folder), transformers.WhisperTokenizerFast.from_pretrained(folder)


@pytest.mark.reference
@pytest.mark.parametrize("text", [text for text in TEXTS if "<|" not in text])
def test_encoding_equals_the_reference_s(pair: tuple[Tokens, Any], text: str) -> None:
    ours, theirs = pair
    assert ours.encode(text) == theirs.encode(text, add_special_tokens=False)


@pytest.mark.reference
@pytest.mark.parametrize("text", TEXTS)
def test_every_cut_of_a_text_decodes_as_the_reference_s(
    pair: tuple[Tokens, Any], text: str
) -> None:
    ours, theirs = pair
    encoded = ours.encode(text)
    for end in range(len(encoded) + 1):
        for part in (encoded[:end], encoded[end:]):
            assert ours.decode(part) == theirs.decode(part, skip_special_tokens=True)


@pytest.mark.reference
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_tokens_decode_as_the_reference_s(
    pair: tuple[Tokens, Any], data: st.DataObject
) -> None:
    ours, theirs = pair
    last = ours.timestamp_begin + 1500
    kinds = st.one_of(
        st.integers(0, last),
        st.integers(0, 255),
        st.integers(ours.eot, ours.timestamp_begin + 3),
        st.sampled_from([ours.prev, ours.sot, ours.eot]),
    )
    text = data.draw(st.lists(kinds, max_size=40))
    assert ours.decode(text) == theirs.decode(text, skip_special_tokens=True)


@pytest.mark.reference
@pytest.mark.parametrize(("language", "task"), [("en", "transcribe"), ("ru", "translate")])
@pytest.mark.parametrize("timestamps", [False, True])
def test_the_start_of_a_transcript_is_the_reference_s(
    pair: tuple[Tokens, Any], language: str, task: Any, timestamps: bool
) -> None:
    ours, theirs = pair
    if not ours.is_multilingual:
        theirs.set_prefix_tokens(predict_timestamps=timestamps)
        assert list(ours.initial_tokens(None, timestamps=timestamps)) == theirs.prefix_tokens
        return
    theirs.set_prefix_tokens(language=language, task=task, predict_timestamps=timestamps)
    found = ours.initial_tokens(language, task, timestamps=timestamps)
    assert list(found) == theirs.prefix_tokens


def write_tokenizer_parts(folder: Path, vocab_size: int = 51865) -> None:
    """Write the same vocabulary in the older form: vocab.json, merges.txt, added_tokens.json."""
    document = tokenizer_json(vocab_size)
    model = document["model"]
    added = {token["content"]: token["id"] for token in document["added_tokens"]}
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]), encoding="utf-8")
    merges = "\n".join(" ".join(pair) for pair in model["merges"])
    (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}\n", encoding="utf-8", newline="\n")
    (folder / "added_tokens.json").write_text(json.dumps(added), encoding="utf-8")
