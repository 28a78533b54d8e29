from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from quest22.audio.log_mel import LogMel
from quest22.checkpoint.weights import Weights
from quest22.engine.build import build_engine
from quest22.errors import CheckpointError, EngineError, UsageError
from quest22.metrics import Metrics
from quest22.native.library import open_library
from quest22.records import (
    AudioContext,
    DecodingOptions,
    Hypothesis,
    SearchOptions,
    SuppressionOptions,
    Window,
)
from quest22.settings import EngineSettings
from tests.engine.conftest import OpenCheckpoint, OpenEngine
from tests.support.windows import sweep, windows

SHORT = 12
MIXED = [
    DecodingOptions("en", max_new_tokens=SHORT),
    DecodingOptions("ru", timestamps=True, max_new_tokens=3),
    DecodingOptions(None, max_new_tokens=SHORT),
    DecodingOptions("de", "translate", max_new_tokens=1),
    DecodingOptions(None, previous=tuple(range(1000, 1020)), max_new_tokens=SHORT),
    DecodingOptions("en", prefix=(400, 500), timestamps=True, max_new_tokens=5),
    DecodingOptions("en", previous=(7000,), prefix=(600,), max_new_tokens=SHORT),
]


def test_a_window_is_heard_alike_alone_and_among_others(engine: OpenEngine) -> None:
    whisper = engine("small-test")
    batch = windows(*MIXED, *MIXED[::-1], MIXED[0], MIXED[1])
    together = whisper.run(batch)
    assert len(together) == len(batch) == 16
    for window, hypothesis in zip(batch, together, strict=True):
        (alone,) = whisper.run([window])
        assert alone.tokens == hypothesis.tokens
        assert alone.language == hypothesis.language
        for name in ("avg_logprob", "no_speech_prob", "language_probability"):
            assert getattr(alone, name) == pytest.approx(getattr(hypothesis, name), abs=1e-4)


def test_samples_depend_on_the_sound_and_on_nothing_around_it(engine: OpenEngine) -> None:
    whisper = engine("small-test")
    search = SearchOptions(best_of=2)
    options = DecodingOptions("en", max_new_tokens=SHORT, temperature=1.0, search=search)
    one, other = windows(options, options)
    later = replace(one, start_s=60.0, index=2)
    drawn = [each.tokens for each in whisper.run([other, one, later])]
    assert drawn[1] == drawn[2] == whisper.run([one])[0].tokens
    reseeded = replace(options, search=replace(search, seed=(1,)))
    assert drawn[1] != drawn[0]
    assert drawn[1] != whisper.run([replace(one, decoding=reseeded)])[0].tokens


@pytest.mark.parametrize(
    ("compute_type", "network"),
    [("float32", "native"), ("float32", "graph"), ("bfloat16", "native"), ("int8_kv", "native")],
)
@pytest.mark.parametrize("words", [False, True])
def test_greedy_hypotheses_stand_where_they_are_probable(
    engine: OpenEngine, compute_type: str, network: str, words: bool
) -> None:
    """Every third window has beams and no threshold, every fourth is sampled."""
    whisper = engine("small-test", compute_type, network)
    options = [replace(MIXED[place % 7], words=words) for place in range(12)]
    greedy = whisper.run(windows(*options))
    beams = SearchOptions(beam_size=3, best_of=2)
    middle = sorted(each.avg_logprob for each in greedy)[6]
    first = replace(beams, greedy_logprob=middle)
    searches = [beams if place % 3 == 0 else first for place in range(12)]
    temperatures = [0.5 if place % 4 == 0 else 0.0 for place in range(12)]

    def asked(searches: list[SearchOptions]) -> list[Window]:
        triples = zip(options, searches, temperatures, strict=True)
        return windows(*[replace(o, search=s, temperature=t) for o, s, t in triples])

    wide, found = whisper.run(asked([beams] * 12)), whisper.run(asked(searches))
    stood = [
        search is first and each.avg_logprob >= middle and temperature == 0
        for search, each, temperature in zip(searches, greedy, temperatures, strict=True)
    ]
    assert {True, False} == set(stood)
    for place, hypothesis in enumerate(found):
        expected = greedy[place] if stood[place] else wide[place]
        assert hypothesis.tokens == expected.tokens
        assert hypothesis.avg_logprob == pytest.approx(expected.avg_logprob, abs=1e-4)
        assert (hypothesis.alignment is not None) is words
        if hypothesis.alignment is not None and expected.alignment is not None:
            assert hypothesis.alignment.bounds_s == expected.alignment.bounds_s


@pytest.mark.parametrize("network", ["native", "graph"])
def test_words_take_no_memory_for_keys_and_values(engine: OpenEngine, network: str) -> None:
    whisper, peaks = engine("small-test", "float32", network), []
    cross_kv = 16 * 2 * 2 * 1500 * 64 * 4  # windows, layers, keys and values, frames, width, bytes
    for words in (True, False):
        batch = windows(*[DecodingOptions("en", max_new_tokens=2, words=words)] * 16)
        whisper.run(batch)  # opens graphs
        tracemalloc.start()
        whisper.run(batch)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] - peaks[1] < cross_kv / 8


CONTEXTS: list[AudioContext] = ["auto", "full", 1.0, 12.0, 30.0]


def in_contexts(words: bool = False) -> list[Window]:
    """Sounds of several lengths in all contexts, with and without timestamps."""
    return [
        Window(
            sweep(place, 1.0 + 2.5 * (place % 4)),
            0.0,
            DecodingOptions(
                None if place == 3 else "en",
                timestamps=place % 2 == 0,
                max_new_tokens=SHORT,
                words=words,
                audio_context=CONTEXTS[place % 5],
            ),
        )
        for place in range(10)
    ]


@pytest.mark.parametrize("compute_type", ["float32", "bfloat16", "int8_kv", "int8"])
@pytest.mark.parametrize("words", [False, True])
def test_windows_of_all_contexts_are_heard_in_one_batch_as_alone(
    engine: OpenEngine, compute_type: str, words: bool
) -> None:
    whisper = engine("small-test", compute_type)
    batch = in_contexts(words)
    for window, hypothesis in zip(batch, whisper.run(batch), strict=True):
        (alone,) = whisper.run([window])
        assert (alone.tokens, alone.language) == (hypothesis.tokens, hypothesis.language)
        assert alone.avg_logprob == pytest.approx(hypothesis.avg_logprob, abs=1e-4)
        if words:
            assert alone.alignment is not None
            assert hypothesis.alignment is not None
            assert alone.alignment.bounds_s == hypothesis.alignment.bounds_s


@pytest.mark.parametrize("compute_type", ["float32", "bfloat16", "int8"])
def test_a_context_of_all_frames_is_a_full_one(engine: OpenEngine, compute_type: str) -> None:
    whisper, batch = engine("small-test", compute_type), in_contexts()
    full, all_frames = (
        whisper.run(
            [replace(w, decoding=replace(w.decoding, audio_context=context)) for w in batch]
        )
        for context in ("full", 30.0)
    )
    assert full == all_frames


@pytest.mark.parametrize("timestamps", [False, True])
def test_text_that_is_too_long_for_its_sound_is_that_of_the_full_context(
    engine: OpenEngine, timestamps: bool
) -> None:
    """Random weights talk on: three windows end after 14 tokens or 28 and are heard again."""
    whisper = engine("small-test")
    full = DecodingOptions("en", timestamps=timestamps, max_new_tokens=60)
    short = replace(full, audio_context="auto")
    sounds = [sweep(number, 1.0) for number in range(3)]
    right = whisper.run([Window(sound, 0.0, full) for sound in sounds])
    assert all(len(each.tokens) > 28 for each in right)
    assert whisper.run([Window(sound, 0.0, short) for sound in sounds]) == right


@pytest.mark.parametrize(("in_full", "context"), [(False, "auto"), (True, "full")])
def test_beams_have_the_full_context_or_what_is_encoded_already(
    engine: OpenEngine, in_full: bool, context: AudioContext
) -> None:
    whisper, sounds = engine("small-test"), [sweep(number, 2.0) for number in range(3)]
    beams = SearchOptions(beam_size=3)
    unsure = replace(beams, greedy_logprob=0.0, beams_in_full=in_full)

    def heard(search: SearchOptions, audio_context: AudioContext) -> list[Hypothesis]:
        options = DecodingOptions(
            "en", max_new_tokens=SHORT, search=search, audio_context=audio_context, words=True
        )
        return whisper.run([Window(sound, 0.0, options) for sound in sounds])

    assert heard(unsure, "auto") == heard(beams, context)


def test_a_decoder_as_a_graph_hears_the_full_context(engine: OpenEngine) -> None:
    batch = in_contexts()
    full = [replace(w, decoding=replace(w.decoding, audio_context="full")) for w in batch]
    whisper = engine("small-test", "float32", "graph")
    assert whisper.run(batch) == whisper.run(full)


@pytest.mark.skipif(open_library() is None, reason="no native library for this processor")
def test_a_shorter_context_is_that_of_a_model_with_fewer_frames(
    checkpoint: OpenCheckpoint, engine: OpenEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model of 448 frames, encoder, decoder and alignment as graphs of that shape."""
    frames, found = 448, checkpoint("small-test")
    dims = replace(found.dimensions, max_source_positions=frames)
    monkeypatch.setenv("QUEST22_NATIVE", "off")
    settings = EngineSettings(compute_type="float32", batch_size=4)
    small = build_engine(replace(found, dimensions=dims), LogMel(80), settings, Metrics())
    monkeypatch.setenv("QUEST22_NATIVE", "on")
    decoding = DecodingOptions("en", words=True, max_new_tokens=SHORT, audio_context="auto")
    asked = [Window(sweep(number, 2.5), 0.0, decoding) for number in range(4)]
    cut = [
        replace(
            window,
            samples=np.zeros(0, np.float32),
            features=np.ascontiguousarray(LogMel(80)(window.samples)[:, : 2 * frames]),
            frames=250,
        )
        for window in asked
    ]
    for right, heard in zip(small.run(cut), engine("small-test").run(asked), strict=True):
        assert heard.tokens == right.tokens
        assert heard.avg_logprob == pytest.approx(right.avg_logprob, abs=1e-4)
        assert heard.alignment is not None
        assert right.alignment is not None
        assert heard.alignment.bounds_s == right.alignment.bounds_s


def test_sounds_make_a_difference(engine: OpenEngine) -> None:
    found = engine("small-test").run(windows(*[MIXED[0]] * 4))
    assert len({hypothesis.tokens for hypothesis in found}) > 1


def test_no_windows_no_hypotheses(engine: OpenEngine) -> None:
    assert engine("small-test").run([]) == []


def test_a_detected_language_is_the_one_that_is_used(engine: OpenEngine) -> None:
    whisper = engine("small-test")
    (window,) = windows(DecodingOptions(None, max_new_tokens=SHORT))
    (detected,) = whisper.run([window])
    assert detected.language is not None
    assert 0 < detected.language_probability < 1
    named = replace(window, decoding=DecodingOptions(detected.language, max_new_tokens=SHORT))
    (told,) = whisper.run([named])
    assert (told.tokens, told.language_probability) == (detected.tokens, 1.0)


def test_an_english_only_checkpoint_hears_english(engine: OpenEngine) -> None:
    (found,) = engine("small-test.en").run(windows(DecodingOptions(max_new_tokens=SHORT)))
    assert (found.language, found.language_probability) == ("en", 1.0)


@pytest.mark.parametrize(
    ("name", "decoding", "message"),
    [
        ("small-test.en", DecodingOptions("ru"), "English-only"),
        ("small-test.en", DecodingOptions(task="translate"), "English-only"),
        ("small-test", DecodingOptions("tlh"), "does not know the language 'tlh'"),
        (
            "small-test",
            DecodingOptions("en", suppression=SuppressionOptions((99_999,))),
            "token 99999",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(
    engine: OpenEngine, name: str, decoding: DecodingOptions, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        engine(name).run(windows(decoding))


def test_more_windows_than_a_batch_are_refused(engine: OpenEngine) -> None:
    with pytest.raises(EngineError, match="17 windows in one call: expected at most 16"):
        engine("small-test").run(windows(*[DecodingOptions("en")] * 17))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_sound_that_is_no_number_is_an_error_and_the_engine_goes_on(
    engine: OpenEngine, bad: float
) -> None:
    whisper = engine("small-test")
    good = Window(sweep(1), 0.0, MIXED[0])
    before = whisper.run([good])
    broken = sweep(2)
    broken[777] = bad
    with pytest.raises(EngineError, match=r"from 25\.0 s on holds values that are not"):
        whisper.run([good, Window(broken, 25.0, MIXED[0])])
    assert whisper.run([good]) == before


class Broken(Weights):
    """Weights one of which is no number."""

    def __init__(self, whole: Weights) -> None:
        vars(self).update(vars(whole))

    def raw(self, name: str) -> NDArray[Any]:
        values = super().raw(name).copy()
        if name == "decoder.layers.0.fc1.weight":
            values[3, 3] = np.nan
        return values

    def rows(self, name: str, rows: Any) -> NDArray[np.float32]:
        return self[name][rows]

    def cache_key(self) -> str:
        return "broken"


@pytest.mark.parametrize("compute_type", ["float32", "int8"])
def test_weights_that_are_no_numbers_never_make_text(
    checkpoint: OpenCheckpoint, compute_type: str
) -> None:
    found = checkpoint("small-test")
    broken = replace(found, weights=Broken(found.weights))
    settings = EngineSettings(compute_type=compute_type, batch_size=1)
    with pytest.raises((CheckpointError, EngineError), match="that are not finite"):
        build_engine(broken, LogMel(80), settings, Metrics()).run(windows(DecodingOptions("en")))


def test_an_empty_window_is_silence(engine: OpenEngine) -> None:
    whisper = engine("small-test")
    found = [
        whisper.run([Window(np.zeros(size, np.float32), 0.0, MIXED[0])])[0] for size in (0, 480_000)
    ]
    assert found[0] == found[1]


@pytest.mark.slow
def test_the_full_length_is_reached_and_no_more(checkpoint: OpenCheckpoint) -> None:
    found = checkpoint("small-test")
    everything = tuple(range(50257, 51865))
    silent = replace(found.generation, suppress_tokens=everything)  # the end of text included
    talkative = replace(found, generation=silent)
    settings = EngineSettings(compute_type="float32", batch_size=1)
    whisper = build_engine(talkative, LogMel(80), settings, Metrics())
    (heard,) = whisper.run(windows(DecodingOptions("en")))
    assert len(heard.tokens) == 448 - 4


def test_the_meter_knows_where_the_time_went(checkpoint: OpenCheckpoint) -> None:
    metrics = Metrics()
    settings = EngineSettings(compute_type="float32", batch_size=2)
    whisper = build_engine(checkpoint("small-test"), LogMel(80), settings, metrics)
    found = whisper.run(windows(*MIXED[:2]))
    assert {"features", "encoder", "decoder"} <= set(metrics.seconds())
    assert metrics.counts()["tokens"] == sum(len(hypothesis.tokens) for hypothesis in found)


@pytest.mark.parametrize("device", ["cuda", "gpu", "npu"])
def test_another_device_is_refused(checkpoint: OpenCheckpoint, device: str) -> None:
    with pytest.raises(UsageError, match=f"device '{device}'"):
        build_engine(checkpoint("small-test"), LogMel(80), EngineSettings(device=device), Metrics())


REPORTER = """
import sys, threading
import quest22.engine.build_cpu
import openvino
assert not [m for m in sys.modules if m.startswith("openvino_telemetry.")], "reporter loaded"
assert sys.modules["openvino_telemetry"] is None
openvino.Core().available_devices
assert [t.name for t in threading.enumerate()] == ["MainThread"], threading.enumerate()
"""


def test_openvino_reports_nothing() -> None:
    # Fresh and outside a CI, where the reporter would switch itself off.
    outside = {k: v for k, v in os.environ.items() if k not in {"CI", "GITHUB_ACTIONS", "TF_BUILD"}}
    made = subprocess.run(
        [sys.executable, "-c", REPORTER], env=outside, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
