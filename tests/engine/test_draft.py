"""Which models fit each other, and what their encoders share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.draft import with_layers
from quest22.engine.draft import check_draft, joined, shares_encoder
from quest22.errors import UsageError
from tests.engine.conftest import OpenCheckpoint


@pytest.mark.parametrize(
    ("other", "why"),
    [("small-test.en", "has 51864 tokens and not 51865"), ("small-test-v3", "has 51866 tokens")],
)
def test_another_vocabulary_is_refused_in_one_line(
    checkpoint: OpenCheckpoint, other: str, why: str
) -> None:
    with pytest.raises(UsageError, match=f"cannot draft for .*: it {why}") as refused:
        check_draft(checkpoint("small-test"), checkpoint(other))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("dimension", ["mel_bins", "max_source_positions", "max_target_positions"])
def test_another_shape_is_refused(checkpoint: OpenCheckpoint, dimension: str) -> None:
    model = checkpoint("small-test")
    dims = replace(model.dimensions, **{dimension: 7})
    with pytest.raises(UsageError, match=" 7 "):
        check_draft(model, replace(model, dimensions=dims))


def test_other_control_tokens_are_refused(checkpoint: OpenCheckpoint) -> None:
    model = checkpoint("small-test")
    languages = dict(model.tokens.languages)
    languages["en"], languages["ru"] = languages["ru"], languages["en"]
    other = replace(model, tokens=replace(model.tokens, languages=languages))
    with pytest.raises(UsageError, match="other control tokens"):
        check_draft(model, other)
    check_draft(model, model)


def test_encoders_that_are_the_same(checkpoint: OpenCheckpoint) -> None:
    model = checkpoint("small-test")
    draft = with_layers(model, [1])
    check_draft(model, draft)
    assert shares_encoder(model, draft)
    changed = {"encoder.layer_norm.weight": "encoder.layer_norm.bias"}
    other = replace(draft, weights=draft.weights.joined(draft.weights, changed))
    assert not shares_encoder(model, other)
    assert not shares_encoder(model, replace(draft, dimensions=checkpoint("tiny").dimensions))


def test_an_encoder_for_both(checkpoint: OpenCheckpoint) -> None:
    model = checkpoint("small-test")
    both = joined(model, with_layers(model, [1]))
    assert both.dimensions.decoder_layers == model.dimensions.decoder_layers + 1
    for part in ("k_proj.weight", "v_proj.weight", "v_proj.bias"):
        added = both.weights[f"decoder.layers.2.encoder_attn.{part}"]
        assert np.array_equal(added, model.weights[f"decoder.layers.1.encoder_attn.{part}"])
    assert both.weights.cache_key() != model.weights.cache_key()
