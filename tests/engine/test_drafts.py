"""A draft changes nothing but the time, on trained weights, whatever it says."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.audio.log_mel import LogMel
from quest22.checkpoint.load import load
from quest22.engine.build import build_engine
from quest22.engine.engine import WhisperEngine
from quest22.metrics import Metrics
from quest22.records import DecodingOptions, Hypothesis, SearchOptions, Window
from quest22.settings import EngineSettings
from tests.support.recordings import NANO_IS_HERE, recordings

pytestmark = pytest.mark.skipif(
    not NANO_IS_HERE, reason="this checkout has no embedded checkpoint or no sample recordings"
)

VOCABULARY, EOT = 51865, 50257
OPTIONS = (
    DecodingOptions("en"),
    DecodingOptions("en", timestamps=True, max_new_tokens=12),
    DecodingOptions("en", previous=(1770, 13), search=SearchOptions(repetition_penalty=1.2)),
    DecodingOptions(None, search=SearchOptions(beam_size=2, greedy_logprob=-0.1)),
)


@cache
def nano(network: str) -> WhisperEngine:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUEST22_NATIVE", "on" if network == "native" else "off")
        settings = EngineSettings(compute_type="float32", batch_size=4)
        return build_engine(load("nano"), LogMel(80), settings, Metrics())


def windows() -> list[Window]:
    sounds = recordings("en", len(OPTIONS), longest_s=8)
    return [Window(*pair) for pair in zip(sounds, [0.0] * 4, OPTIONS, strict=True)]


@cache
def said(network: str) -> list[Hypothesis]:
    """Without drafts."""
    return nano(network).run(windows())


guesses = st.lists(
    st.integers(0, EOT - 1)
    | st.integers(EOT, VOCABULARY - 1)
    | st.sampled_from([EOT, VOCABULARY, -1, 10**9]),
    max_size=30,
).map(tuple)


@pytest.mark.parametrize("network", ["native", "graph"])
@settings(deadline=None, max_examples=12)
@given(
    rights=st.tuples(*[st.none() | st.integers(0, 60)] * len(OPTIONS)),
    tails=st.tuples(*[guesses] * len(OPTIONS)),
)
def test_the_same_tokens_and_probabilities(
    network: str, rights: tuple[int | None, ...], tails: tuple[tuple[int, ...], ...]
) -> None:
    """Of batches in which drafts are right up to any place, or missing."""
    expected = said(network)
    batch = [
        window
        if right is None
        else replace(window, decoding=replace(window.decoding, draft=text.tokens[:right] + tail))
        for window, text, right, tail in zip(windows(), expected, rights, tails, strict=True)
    ]
    for found, text in zip(nano(network).run(batch), expected, strict=True):
        assert found.tokens == text.tokens
        assert found.avg_logprob == pytest.approx(text.avg_logprob, abs=1e-4)
        assert found.no_speech_prob == pytest.approx(text.no_speech_prob, abs=1e-5)


@pytest.mark.parametrize("network", ["native", "graph"])
def test_quick_words_are_where_the_others_are(network: str) -> None:
    """With drafts and prefixes; in a graph, which keeps no attention, at just the same times."""
    asked = [
        replace(window, decoding=DecodingOptions("en", words=True, ends_complete=True))
        for window in windows()
    ]
    texts = [each.tokens for each in nano(network).run(asked)]
    given = [(0, 0), (0, 4), (4, 4), (9, 99)]
    for place, (text, (first, more)) in enumerate(zip(texts, given, strict=True)):
        prefix, draft = text[:first], text[first : first + more]
        decoding = replace(asked[place].decoding, prefix=prefix, draft=draft)
        asked[place] = replace(asked[place], decoding=decoding)
    quick = [replace(each, decoding=replace(each.decoding, quick_words=True)) for each in asked]
    pairs = zip(nano(network).run(asked), nano(network).run(quick), strict=True)
    differences: list[float] = []
    for exact, found in pairs:
        assert found.tokens == exact.tokens
        assert exact.alignment is not None
        assert found.alignment is not None
        assert len(found.alignment.probabilities) == len(exact.alignment.probabilities)
        bounds = zip(exact.alignment.bounds_s, found.alignment.bounds_s, strict=True)
        differences += [abs(one - other) for one, other in bounds]
    assert len(differences) > 40
    assert np.quantile(differences, 0.9) <= (0.0 if network == "graph" else 0.06)


@pytest.mark.parametrize("network", ["native", "graph"])
def test_quick_words_of_beams_that_replace_greedy_text(network: str) -> None:
    beams = SearchOptions(beam_size=3, greedy_logprob=-1e-6)
    decoding = DecodingOptions("en", words=True, ends_complete=True, search=beams, quick_words=True)
    for window in windows():
        (found,) = nano(network).run([replace(window, decoding=decoding)])
        assert found.tokens
        assert found.alignment is not None
        assert len(found.alignment.bounds_s) == len(found.tokens) + 1
        assert len(found.alignment.probabilities) == len(found.tokens)
