from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quest22.audio.log_mel import LogMel
from quest22.checkpoint.load import Checkpoint, load
from quest22.checkpoint.word_splitting import split_to_words
from quest22.decoding.alignment import alignment_heads, mel_frames
from quest22.decoding.timestamps import drop_unfinished
from quest22.engine.build import build_engine
from quest22.engine.engine import WhisperEngine
from quest22.metrics import Metrics
from quest22.records import DecodingOptions, Hypothesis, Window
from quest22.settings import EngineSettings
from tests.support.openai_whisper import OpenaiWhisper
from tests.support.recordings import NANO_IS_HERE, recordings
from tests.support.sounds import tone
from tests.support.whisper_reference import WhisperReference

FRAME_S = 0.02


def windows(language: str | None, count: int = 3) -> list[Window]:
    """Sounds of several lengths, every other with timestamps."""
    return [
        Window(
            tone(16_000, 0.7 + 4 * place, 200 + 50 * place),
            0.0,
            DecodingOptions(
                language, timestamps=bool(place % 2), words=True, max_new_tokens=8 + 5 * place
            ),
        )
        for place in range(count)
    ]


def text_of(checkpoint: Checkpoint, hypothesis: Hypothesis) -> list[int]:
    kept, _ = drop_unfinished(hypothesis.tokens, checkpoint.tokens.timestamp_begin)
    return [token for token in kept if token < checkpoint.tokens.eot]


def test_only_windows_that_ask_get_alignments(engine):
    asked = windows("en")
    silent = replace(asked[1], decoding=replace(asked[1].decoding, words=False))
    found = engine("small-test").run([asked[0], silent, asked[2]])
    assert [each.alignment is None for each in found] == [False, True, False]
    assert found[1] == engine("small-test").run([silent])[0]


def test_alignments_do_not_change_what_is_heard(engine):
    asked = windows("en")
    bare = [replace(each, decoding=replace(each.decoding, words=False)) for each in asked]
    with_words = engine("small-test").run(asked)
    assert [replace(each, alignment=None) for each in with_words] == engine("small-test").run(bare)


def test_windows_of_a_batch_do_not_meet(engine, checkpoint):
    asked = windows("en", 5)
    together = engine("small-test").run(asked)
    for window, heard in zip(asked, together, strict=True):
        (alone,) = engine("small-test").run([window])
        assert heard.alignment.bounds_s == alone.alignment.bounds_s
        assert heard.alignment.probabilities == pytest.approx(
            alone.alignment.probabilities, abs=1e-6
        )
        text = text_of(checkpoint("small-test"), heard)
        assert len(text) == len(heard.alignment.probabilities)
        assert len(text) + 1 == len(heard.alignment.bounds_s)


@pytest.mark.parametrize("name", ["small-test", "small-test.en", "small-test-v3"])
@pytest.mark.parametrize("duration_s", [0.0, 0.01, 0.05, 30.0])
def test_times_lie_in_the_sound(engine, name, duration_s):
    language = None if name.endswith(".en") else "en"
    samples = tone(16_000, duration_s, 300)
    asked = Window(samples, 0.0, DecodingOptions(language, words=True, max_new_tokens=20))
    (heard,) = engine(name).run([asked])
    assert all(0 <= time_s <= duration_s for time_s in heard.alignment.bounds_s)


@pytest.mark.parametrize("compute_type", ["int8_kv_float32", "int8_kv_bfloat16"])
def test_sound_in_int8_is_aligned_alike(engine, compute_type):
    exact = engine("small-test").run(windows("en"))
    for right, found in zip(
        exact, engine("small-test", compute_type).run(windows("en")), strict=True
    ):
        assert found.tokens == right.tokens
        shares = found.alignment.probabilities
        assert shares == pytest.approx(right.alignment.probabilities, rel=0.1)
        assert len(found.alignment.bounds_s) == len(right.alignment.bounds_s)


def test_a_text_that_fills_all_places(engine):
    asked = Window(tone(16_000, 3, 300), 0.0, DecodingOptions("en", words=True, max_new_tokens=448))
    (heard,) = engine("small-test").run([asked])
    assert len(heard.alignment.probabilities) == len(heard.alignment.bounds_s) - 1


def test_alignment_heads(checkpoint):
    found = checkpoint("small-test")
    dims, generation = found.dimensions, found.generation
    assert alignment_heads(dims, generation) == ((1, 0),)
    assert alignment_heads(dims, replace(generation, alignment_heads=())) == ((1, 0), (1, 1))


@pytest.mark.reference
@pytest.mark.parametrize("name", ["small-test", "small-test-v3"])
def test_probabilities_are_openai_whispers(engine, checkpoint, name):
    asked = windows("en")
    reference = OpenaiWhisper(checkpoint(name).folder)
    for window, heard in zip(asked, engine(name).run(asked), strict=True):
        expected = reference_alignment(reference, checkpoint(name), window, heard)
        shares = [share for *_, share in expected]
        assert shares == pytest.approx(word_alignment(checkpoint(name), heard)[2], abs=1e-5)


nano_only = pytest.mark.skipif(not NANO_IS_HERE, reason="this checkout has no nano or no samples")


@pytest.mark.slow
@pytest.mark.reference
@nano_only
@pytest.mark.parametrize("language", ["en", "ru"])
def test_words_of_nano_are_openai_whispers(language, nano):
    checkpoint, engine = nano
    reference = OpenaiWhisper(checkpoint.folder)
    sounds = recordings(language, 16, longest_s=30)
    asked = [
        Window(sound, 0.0, DecodingOptions(language, timestamps=bool(place % 2), words=True))
        for place, sound in enumerate(sounds)
    ]
    count = 0
    for window, heard in zip(asked, engine.run(asked), strict=True):
        starts, ends, shares = word_alignment(checkpoint, heard)
        expected = reference_alignment(reference, checkpoint, window, heard)
        assert starts == pytest.approx([start_s for start_s, _, _ in expected], abs=FRAME_S + 1e-6)
        assert ends == pytest.approx([end_s for _, end_s, _ in expected], abs=FRAME_S + 1e-6)
        assert shares == pytest.approx([share for *_, share in expected], abs=1e-4)
        count += len(starts)
    assert count > 100


@pytest.mark.slow
@pytest.mark.reference
@nano_only
@pytest.mark.parametrize("language", ["en", "ru"])
def test_tokens_of_nano_mostly_end_where_transformers_says(language, nano):
    """It normalises over other tokens and other frames, so that one in ten ends elsewhere."""
    checkpoint, engine = nano
    reference = WhisperReference(checkpoint.folder)
    asked = [
        Window(sound, 0.0, DecodingOptions(language, words=True))
        for sound in recordings(language, 8, longest_s=29)
    ]
    away_s: list[float] = []
    for window, heard in zip(asked, engine.run(asked), strict=True):
        features, frames = LogMel(80)(window.samples), mel_frames(window)
        tokens, ends = reference.token_ends(features, frames, window.decoding)
        assert tokens == heard.tokens
        away_s += [abs(a - b) for a, b in zip(ends, heard.alignment.bounds_s[1:], strict=True)]
    assert len(away_s) > 50
    assert np.mean(np.array(away_s) <= FRAME_S + 1e-6) > 0.75
    assert np.median(away_s) < FRAME_S


@pytest.fixture(scope="module")
def nano() -> tuple[Checkpoint, WhisperEngine]:
    checkpoint = load("nano")
    settings = EngineSettings(compute_type="float32", batch_size=16)
    return checkpoint, build_engine(checkpoint, LogMel(80), settings, Metrics())


def word_alignment(
    checkpoint: Checkpoint, heard: Hypothesis
) -> tuple[list[float], list[float], list[float]]:
    """Starts, ends and probabilities of a hypothesis' words."""
    starts, ends, shares, at = [], [], [], 0
    assert heard.alignment is not None
    for word in split_to_words(text_of(checkpoint, heard), checkpoint.tokens, heard.language):
        stop = at + len(word.tokens)
        starts.append(heard.alignment.bounds_s[at])
        ends.append(heard.alignment.bounds_s[stop])
        shares.append(float(np.mean(heard.alignment.probabilities[at:stop])))
        at = stop
    return starts, ends, shares


def reference_alignment(
    reference: OpenaiWhisper, checkpoint: Checkpoint, window: Window, heard: Hypothesis
) -> list[tuple[float, float, float]]:
    """The same by ``find_alignment``."""
    text = text_of(checkpoint, heard)
    assert heard.language is not None
    found = reference.alignment(window.samples, text, heard.language)
    return [(word.start, word.end, word.probability) for word in found]
