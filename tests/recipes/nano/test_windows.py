from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from recipes.nano.config import load
from recipes.nano.losses import IGNORED
from recipes.nano.shards import Item
from recipes.nano.transcript import Transcript, Wish, transcript
from recipes.nano.vocabulary import Vocabulary, letters
from recipes.nano.windows import KINDS, Placed, Plan, nothing

WORDS = ("Где", "моя", "красная", "чашка?")


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    words = {*WORDS, "Where", "is", "my", "red", "cup?"}
    return Vocabulary.of_words(load().tokenizer, words)


@pytest.fixture
def item() -> Item:
    edges = np.array([0.0, 0.3, 0.6, 1.2, 1.7], np.float32)
    mels = np.zeros((180, 80), np.float16)
    return Item("ru", WORDS, "Where is my red cup?", mels, 0, 180, edges[:-1], edges[1:], True)


def window(item: Item, at: int, frames: int = 3000) -> Plan:
    return Plan(KINDS["full"], "ru", (Placed(item, at, 1.0),), frames, 0, frames)


def written(plan: Plan, wish: Wish, vocabulary: Vocabulary) -> tuple[str, Transcript]:
    said = transcript(plan, wish, vocabulary, random.Random(0))
    official = [vocabulary.used[token] for token in said.tokens]
    return vocabulary.tokenizer.decode(official, skip_special_tokens=False), said


def test_a_whole_sentence(vocabulary: Vocabulary, item: Item) -> None:
    text, said = written(window(item, 20), Wish(), vocabulary)
    head = "<|startoftranscript|><|ru|><|transcribe|><|notimestamps|>"
    assert text == f"{head} Где моя красная чашка?<|endoftext|>"
    assert said.letters == letters("где моя красная чашка")


def test_times_stand_around_each_sentence(vocabulary: Vocabulary, item: Item) -> None:
    text, _ = written(window(item, 20), Wish(stamps=True), vocabulary)
    assert text.endswith("<|transcribe|><|0.20|> Где моя красная чашка?<|1.90|><|endoftext|>")


def test_translation(vocabulary: Vocabulary, item: Item) -> None:
    text, _ = written(window(item, 0), Wish(translate=True), vocabulary)
    assert text.endswith("<|translate|><|notimestamps|> Where is my red cup?<|endoftext|>")


def test_words_cut_at_the_beginning_are_left_out(vocabulary: Vocabulary, item: Item) -> None:
    text, _ = written(window(item, -50), Wish(), vocabulary)
    assert text.endswith("<|notimestamps|> красная чашка?<|endoftext|>")


def test_words_cut_at_the_end_are_left_out(vocabulary: Vocabulary, item: Item) -> None:
    text, _ = written(window(item, 2900), Wish(), vocabulary)
    assert text.endswith("<|notimestamps|> Где моя<|endoftext|>")


def test_with_times_a_sentence_cut_at_the_end_is_its_start_alone(
    vocabulary: Vocabulary, item: Item
) -> None:
    text, _ = written(window(item, 2900), Wish(stamps=True), vocabulary)
    assert text.endswith(("<|29.00|><|endoftext|>", "<|1.00|><|endoftext|>"))


def test_previous_text_is_no_target(vocabulary: Vocabulary, item: Item) -> None:
    text, said = written(window(item, 0), Wish(prompt=("Где чашка?",)), vocabulary)
    assert text.startswith("<|startofprev|> Где чашка?<|startoftranscript|>")
    start = said.tokens.index(vocabulary.compact[50258])
    assert all(target == IGNORED for target in said.targets()[:start])
    assert said.targets()[start] == vocabulary.compact[50263]


def test_silence_is_no_speech(vocabulary: Vocabulary) -> None:
    plan = nothing(KINDS["full"], random.Random(0))
    said = transcript(plan, Wish(), vocabulary, random.Random(0))
    learnt = [token for token in said.targets() if token != IGNORED]
    assert learnt == [vocabulary.compact[50362], vocabulary.compact[50257]]


def test_guided_places_follow_the_words(vocabulary: Vocabulary, item: Item) -> None:
    said = transcript(window(item, 100), Wish(), vocabulary, random.Random(0))
    spans = [span for span in said.spans if span[0] >= 0]
    assert spans[0][0] == pytest.approx(1.0 - 0.02, abs=1e-3)
    assert spans[-1][1] == pytest.approx(2.7 + 0.02, abs=1e-3)
    assert all(left[0] <= right[0] for left, right in pairwise(spans))


def test_the_configuration_is_read() -> None:
    config = load()
    assert isinstance(config.cache, Path)
    assert config.training.stages[-1].until == 1.0
