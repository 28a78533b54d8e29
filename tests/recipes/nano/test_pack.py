from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from recipes.nano.config import Shape, load
from recipes.nano.model import Heard, Nano
from recipes.nano.pack import mean_state, model_config, weights
from recipes.nano.unpack import begin_from
from recipes.nano.vocabulary import OFFICIAL_SIZE, Vocabulary

SHAPE = Shape(16, 1, 2, 2, 2, ((1, 0),), ((1, 0),))


@pytest.fixture(scope="module")
def words() -> Vocabulary:
    return Vocabulary.of_words(load().tokenizer, {"book", "книга."})


def random_model(words: Vocabulary, seed: int) -> Nano:
    torch.manual_seed(seed)
    return Nano(SHAPE, len(words.used), words.unused)


def test_unused_rows_share_one_vector_and_times_are_folded_in(words: Vocabulary) -> None:
    model = random_model(words, 1)
    rows = weights(model, words)["model.decoder.embed_tokens.weight"]
    assert rows.shape == (OFFICIAL_SIZE, SHAPE.d_model)
    assert torch.equal(rows[100], rows[101])
    folded = model.decoder.embeddings()[words.first_stamp + 50].half()
    assert torch.equal(rows[words.used[words.first_stamp + 50]], folded)


def test_states_are_averaged(tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.pt" for n in (1, 4)]
    for path, value in zip(paths, (1.0, 4.0), strict=True):
        torch.save({"model": {"weight": torch.tensor([value])}}, path)
    assert mean_state(paths)["weight"].tolist() == [2.5]
    assert mean_state(paths[:1])["weight"].tolist() == [1.0]


def test_packing_and_unpacking_keep_what_the_model_says(words: Vocabulary, tmp_path: Path) -> None:
    model, other = random_model(words, 2), random_model(words, 3)
    save_file(weights(model, words), tmp_path / "model.safetensors")
    head = {"weight": model.ctc.weight.detach(), "bias": model.ctc.bias.detach()}
    save_file(head, tmp_path / "ctc_head.safetensors")
    begin_from(tmp_path, other, words)
    heard, tokens = Heard(torch.randn(1, 80, 40), torch.arange(20)[None]), torch.tensor([[1, 4, 9]])
    first, second = model(heard, tokens), other(heard, tokens)
    assert torch.allclose(first.logits, second.logits, atol=0.02)
    assert torch.allclose(first.ctc, second.ctc, atol=0.02)


def test_the_configuration_names_the_shape() -> None:
    config = model_config(SHAPE)
    assert config["vocab_size"] == OFFICIAL_SIZE
    assert config["encoder_ffn_dim"] == 4 * config["d_model"]
