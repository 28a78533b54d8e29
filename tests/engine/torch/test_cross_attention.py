"""Attention to the sound in int8, without the kernel, against the numbers that int8 stands for."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from quest22.engine.torch.cross_attention import CrossKV, cross_attention, quantize
from quest22.records import DecodingOptions, SearchOptions, Window
from tests.engine.torch.conftest import OpenTorchEngine
from tests.support.recordings import NANO_IS_HERE, recordings
from tests.support.windows import windows


@pytest.mark.parametrize("queries", [1, 5, 40])
def test_int8_is_exact_up_to_its_rounding(queries: int) -> None:
    draw = torch.Generator().manual_seed(1)
    query = torch.randn(2, 3, queries, 16, generator=draw)
    key, value = torch.randn(2, 2, 3, 300, 16, generator=draw)
    (small_key, key_scale), (small_value, value_scale) = quantize(key), quantize(value)
    found = cross_attention(query, CrossKV(small_key, small_value, key_scale, value_scale))
    exact = F.scaled_dot_product_attention(
        query.double(),
        small_key.double() * key_scale[:, :, None].double(),
        small_value.double() * value_scale[:, :, None].double(),
    )
    assert (found - exact).abs().max() < 1e-5
    assert (found - cross_attention(query, CrossKV(key, value))).abs().max() < 0.05


def test_a_channel_without_sound_has_no_scale_of_zero() -> None:
    small, scale = quantize(torch.zeros(1, 1, 4, 16))
    assert not small.any()
    assert (scale > 0).all()


@pytest.mark.skipif(not NANO_IS_HERE, reason="this checkout has no nano or no samples")
def test_nano_hears_the_same_words(torch_engine: OpenTorchEngine) -> None:
    """Over recordings: few words may change where two are as good as each other."""
    sounds = recordings("en", 16, longest_s=30.0)
    batch = [Window(each, 0.0, DecodingOptions("en", timestamps=True)) for each in sounds]
    heard = [
        [each.tokens for each in torch_engine("nano", compute_type).run(batch)]
        for compute_type in ("float32", "int8_kv_float32")
    ]
    same = sum(one == other for one, other in zip(*heard, strict=True))
    assert same >= len(sounds) - 1
    assert len(sounds) > 8


def test_all_kinds_of_decoding_read_int8(torch_engine: OpenTorchEngine) -> None:
    asked = [
        DecodingOptions("en", max_new_tokens=8),
        DecodingOptions("en", max_new_tokens=8, search=SearchOptions(beam_size=3)),
        DecodingOptions("en", max_new_tokens=8, words=True),
        DecodingOptions(None, max_new_tokens=8, temperature=0.6, search=SearchOptions(seed=(1,))),
    ]
    batch = windows(*asked)
    engine = torch_engine("small-test", "int8_kv_float32", rows=2)  # places are filled again
    found = engine.run(batch)
    assert found == engine.run(batch)
    assert found[2].alignment is not None
    alone = [engine.run([each])[0].tokens for each in batch]
    assert [each.tokens for each in found] == alone
