"""Windows through the engine of PyTorch, the CPU's and Transformers: the same tokens in float32."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from quest22.audio.log_mel import LogMel
from quest22.bench.random_checkpoint import SHAPES, write_checkpoint
from quest22.checkpoint.load import load
from quest22.engine.build import build_engine
from quest22.engine.engine import WhisperEngine
from quest22.metrics import Metrics
from quest22.records import DecodingOptions, Hypothesis, SearchOptions, Window
from quest22.settings import EngineSettings
from tests.engine.conftest import OpenEngine
from tests.engine.openvino.test_parity import ENGLISH_ONLY, MULTILINGUAL, limited
from tests.engine.torch.conftest import OpenTorchEngine
from tests.support.recordings import NANO_IS_HERE, recordings
from tests.support.whisper_reference import WhisperReference
from tests.support.windows import windows

nano_only = pytest.mark.skipif(not NANO_IS_HERE, reason="this checkout has no nano or no samples")

RARE = [
    DecodingOptions("en", search=SearchOptions(beam_size=4)),
    DecodingOptions(None, timestamps=True, search=SearchOptions(3, patience=2.0)),
    DecodingOptions("en", search=SearchOptions(beam_size=3, greedy_logprob=-0.5)),
    DecodingOptions("de", search=SearchOptions(repetition_penalty=1.3)),
    DecodingOptions("en", timestamps=True, search=SearchOptions(no_repeat_ngram_size=2)),
    DecodingOptions("en", temperature=0.8, search=SearchOptions(best_of=3, seed=(1,))),
    DecodingOptions("en", words=True),
    DecodingOptions("ru", timestamps=True, words=True),
    DecodingOptions("en", words=True, quick_words=True),
    DecodingOptions("en", words=True, prefix=(400, 500)),
    DecodingOptions("en", draft=(400, 500, 600)),
    DecodingOptions("en", audio_context="auto"),
]


def same(found: list[Hypothesis], expected: list[Hypothesis], near_s: float = 1e-6) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.tokens == other.tokens
        assert (one.language, one.temperature) == (other.language, other.temperature)
        assert one.avg_logprob == pytest.approx(other.avg_logprob, abs=1e-4)
        assert one.no_speech_prob == pytest.approx(other.no_speech_prob, abs=1e-5)
        assert [code for code, _ in one.languages] == [code for code, _ in other.languages]
        assert (one.alignment is None) == (other.alignment is None)
        if one.alignment is not None and other.alignment is not None:
            assert one.alignment.bounds_s == pytest.approx(other.alignment.bounds_s, abs=near_s)
            shares = other.alignment.probabilities
            assert one.alignment.probabilities == pytest.approx(shares, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("small-test", MULTILINGUAL),
        ("small-test.en", ENGLISH_ONLY),
        ("small-test-v3", MULTILINGUAL[:3]),
    ],
)
def test_tokens_of_every_vocabulary(
    engine: OpenEngine, torch_engine: OpenTorchEngine, name: str, asked: list[DecodingOptions]
) -> None:
    batch = windows(*limited(asked, 20))
    same(torch_engine(name).run(batch), engine(name).run(batch))


def test_rare_options_and_words(engine: OpenEngine, torch_engine: OpenTorchEngine) -> None:
    """Beside each other in one batch; the CPU engine times quick words less exactly."""
    batch = windows(*[replace(each, max_new_tokens=14) for each in RARE])
    plain = [replace(each.decoding, quick_words=False, audio_context="full") for each in batch]
    expected = engine("small-test").run(
        [replace(each, decoding=options) for each, options in zip(batch, plain, strict=True)]
    )
    same(torch_engine("small-test", rows=5).run(batch), expected)


@pytest.mark.slow
@pytest.mark.reference
@nano_only
def test_nano_says_what_transformers_says(torch_engine: OpenTorchEngine) -> None:
    reference, features = WhisperReference(load("nano").folder), LogMel(80)
    english, russian = recordings("en", 4, longest_s=30), recordings("ru", 4, longest_s=30)
    batch = [
        *(Window(sound, 0.0, DecodingOptions("en")) for sound in english),
        *(Window(sound, 0.0, DecodingOptions("ru", timestamps=True)) for sound in russian),
        *(Window(sound, 0.0, DecodingOptions(None, timestamps=True)) for sound in english),
    ]
    for window, found in zip(batch, torch_engine("nano").run(batch), strict=True):
        expected = reference.tokens(features(window.samples), window.decoding)
        assert found.tokens == expected, window.decoding


@pytest.mark.slow
@nano_only
def test_nano_with_beams_and_words(torch_engine: OpenTorchEngine) -> None:
    sounds = recordings("en", 6, longest_s=30)
    options = [
        DecodingOptions("en", words=True),
        DecodingOptions("en", timestamps=True, search=SearchOptions(5), words=True),
        DecodingOptions(None, timestamps=True, temperature=0.4, search=SearchOptions(best_of=5)),
    ]
    batch = [Window(sound, 0.0, options[place % 3]) for place, sound in enumerate(sounds)]
    same(torch_engine("nano").run(batch), on_cpu("nano").run(batch), near_s=0.021)


@cache
def on_cpu(name: str, engine: str = "auto") -> WhisperEngine:
    found = load(name)
    settings = EngineSettings(
        compute_type="float32", batch_size=4 if "/" in name else 16, engine=engine, device="cpu"
    )
    return build_engine(found, LogMel(found.dimensions.mel_bins), settings, Metrics())


CUT = [name for name in SHAPES if "test" not in name]


@pytest.mark.slow
@pytest.mark.parametrize("name", CUT)
def test_every_size_cut_to_few_layers(tmp_path: Path, name: str) -> None:
    """True widths, heads and vocabularies; one layer of the encoder, two of the decoder."""
    shape = replace(SHAPES[name], encoder_layers=1, decoder_layers=2)
    folder = str(write_checkpoint(tmp_path / "cut", shape, dtype="BF16"))
    asked = ENGLISH_ONLY[:2] if name.endswith(".en") else MULTILINGUAL[1:3]
    batch = windows(*[replace(each, words=True) for each in limited(asked, 8)])
    same(on_cpu(folder, "torch").run(batch), on_cpu(folder).run(batch), near_s=0.021)
    on_cpu.cache_clear()


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.parametrize("name", ["tiny.en", "base"])
def test_real_weights(real_weights: dict[str, Path], name: str) -> None:
    sounds = [sound[:480_000] for sound in recordings("en", 3)]
    options = [
        DecodingOptions("en", words=True),
        DecodingOptions("en", timestamps=True),
        DecodingOptions("en", timestamps=True, search=SearchOptions(3)),
    ]
    folder = str(real_weights[name])
    batch = [Window(sound, 0.0, asked) for sound in sounds[:2] for asked in options[:2]]
    same(on_cpu(folder, "torch").run(batch), on_cpu(folder).run(batch), near_s=0.021)
    batch = [Window(sounds[2], 0.0, options[2])]
    same(on_cpu(folder, "torch").run(batch), on_cpu(folder).run(batch), near_s=0.021)
    on_cpu.cache_clear()


def test_languages_are_detected_in_pieces(torch_engine: OpenTorchEngine) -> None:
    """More windows than rows: the languages of all."""
    batch = windows(*[DecodingOptions(None, max_new_tokens=2)] * 7)
    few, all_at_once = (torch_engine("small-test", rows=rows).run(batch) for rows in (3, 16))
    same(few, all_at_once)
