"""The search on the device against the NumPy search, on the same model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from quest22.decoding.logits_rules import LogitsRules
from quest22.decoding.prompts import Prompt
from quest22.decoding.search import decode_in_tries
from quest22.decoding.token_decoders import DecodeRequest, DecodeResult
from quest22.engine.torch import backend as backend_module
from quest22.engine.torch.search import STEPS, runs_on_device
from quest22.errors import EngineError
from quest22.records import DecodingOptions, Hypothesis, SearchOptions, SuppressionOptions, Window
from tests.engine.torch.conftest import OpenTorchEngine
from tests.support.recordings import NANO_IS_HERE, recordings
from tests.support.windows import sweep, windows

LENGTHS = [1, STEPS, STEPS + 1, 5, 2 * STEPS + 1, STEPS - 1, 20, 30]
OPTIONS = [
    DecodingOptions("en"),
    DecodingOptions("de", "translate", timestamps=True),
    DecodingOptions(None, timestamps=True),
    DecodingOptions("en", previous=tuple(range(1000, 1040)), prefix=(500, 600)),
    DecodingOptions("en", timestamps=True, suppression=SuppressionOptions((400, 500), blank=False)),
    DecodingOptions("en", temperature=0.7, search=SearchOptions(seed=(7,))),
    DecodingOptions("en", timestamps=True, temperature=1.0, search=SearchOptions(best_of=3)),
    DecodingOptions("en", search=SearchOptions(max_repeats=1)),
]


def batch(count: int = 8) -> list[Window]:
    asked = [
        replace(OPTIONS[place % len(OPTIONS)], max_new_tokens=LENGTHS[place % len(LENGTHS)])
        for place in range(count)
    ]
    return windows(*asked)


def in_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """All requests go to the NumPy search from now on."""
    monkeypatch.setattr(backend_module, "runs_on_device", lambda *_: False)


def same(found: Sequence[Hypothesis], expected: Sequence[Hypothesis]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.tokens == other.tokens
        assert one.language == other.language
        assert one.avg_logprob == pytest.approx(other.avg_logprob, abs=1e-4)
        assert one.no_speech_prob == pytest.approx(other.no_speech_prob, abs=1e-5)


@pytest.mark.parametrize("rows", [2, 5])
def test_every_window_is_decoded_as_by_the_numpy_search(
    torch_engine: OpenTorchEngine, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    """Also where fewer are decoded at once than a batch holds, and places are filled again."""
    found = torch_engine("small-test", rows=rows).run(batch())
    in_numpy(monkeypatch)
    same(found, torch_engine("small-test").run(batch()))


@pytest.mark.skipif(not NANO_IS_HERE, reason="this checkout has no nano or no samples")
def test_texts_that_end_by_themselves(
    torch_engine: OpenTorchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    sounds = [*recordings("en", 4, longest_s=30), *recordings("ru", 4, longest_s=30)]
    asked = [
        Window(sound, 0.0, replace(OPTIONS[place % len(OPTIONS)], previous=(), prefix=()))
        for place, sound in enumerate(sounds)
    ]
    found = torch_engine("nano", rows=3).run(asked)
    in_numpy(monkeypatch)
    same(found, torch_engine("nano").run(asked))
    assert len({len(each.tokens) for each in found}) > 3


def test_the_same_batch_twice_is_the_same_to_the_last_bit(torch_engine: OpenTorchEngine) -> None:
    whisper = torch_engine("small-test", rows=5)
    first = whisper.run(batch())
    whisper.run(batch(3))
    assert whisper.run(batch()) == first


def test_what_runs_on_the_device() -> None:
    here, mps = torch.device("cpu"), torch.device("mps")

    def asked(temperature: float = 0.0, draft: tuple[int, ...] = (), **search) -> DecodeRequest:
        rules = LogitsRules(50257, 50364)
        return DecodeRequest(Prompt((1,), 0, 9), rules, SearchOptions(**search), temperature, draft)

    assert runs_on_device(asked(), here)
    assert runs_on_device(asked(), mps)
    assert runs_on_device(asked(0.5, best_of=5), here)
    assert not runs_on_device(asked(0.5), mps)
    assert not runs_on_device(asked(beam_size=2), here)
    assert not runs_on_device(asked(draft=(4,)), here)
    assert not runs_on_device(asked(repetition_penalty=1.1), here)
    assert not runs_on_device(asked(no_repeat_ngram_size=3), here)


def test_sound_that_is_not_finite_is_an_error(torch_engine: OpenTorchEngine) -> None:
    whisper = torch_engine("small-test")
    features = np.full((80, 3000), np.nan, np.float32)
    broken = Window(np.zeros(0, np.float32), 0.0, DecodingOptions("en"), features=features)
    with pytest.raises(EngineError, match="logits that are not finite"):
        whisper.run([broken, Window(sweep(1), 0.0, DecodingOptions("en", max_new_tokens=3))])
    assert whisper.run(windows(DecodingOptions("en", max_new_tokens=3)))


def test_a_search_in_tries_decodes_the_rest_with_beams() -> None:
    seen: list[tuple[list[int], int]] = []

    def decode(part, num_beams: int) -> list[DecodeResult]:
        seen.append((list(part), num_beams))
        return [DecodeResult((1,), -0.5 * window, 0.0) for window in part]

    request = DecodeRequest(
        Prompt((1,), 0, 9), LogitsRules(9, 9), SearchOptions(beam_size=4, greedy_logprob=-0.6)
    )
    assert len(decode_in_tries([request] * 3, decode)) == 3
    assert seen == [([0, 1, 2], 1), ([2], 4)]
