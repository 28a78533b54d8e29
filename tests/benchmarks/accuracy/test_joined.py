from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy import joined
from benchmarks.accuracy.joined import LEVEL, Recipe, join, levelled, selected, trimmed
from benchmarks.accuracy.recordings import RecordingSet, read_set
from quest22.records import SAMPLE_RATE_HZ, Samples
from tests.benchmarks.accuracy.conftest import WriteSet, recording

PAUSES = Recipe("pauses", ("clips",), (0.5, 0.5))


def tone(seconds: float = 1.0) -> Samples:
    time_s = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (0.3 * np.sin(2 * np.pi * 300 * time_s)).astype(np.float32)


def random(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("recipe", joined.RECIPES, ids=lambda recipe: recipe.name)
def test_the_same_seed_gives_the_same_sound(recipe: Recipe) -> None:
    clips = [tone(), tone(2)] * 4
    one, same, other = (join(clips, recipe, random(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert one.dtype == np.float32
    assert np.abs(one).max() <= 1


def test_clips_stand_at_one_level_with_pauses_between() -> None:
    sound = join([tone(), 0.1 * tone()], PAUSES, random())
    assert len(sound) == 3 * SAMPLE_RATE_HZ
    levels = [float(np.std(part)) for part in np.split(sound, 6)]
    assert levels == pytest.approx([LEVEL, LEVEL, 0, LEVEL, LEVEL, 0], abs=2e-3)


def test_noise_is_as_far_below_the_speech_as_the_recipe_says() -> None:
    noisy = join([tone(8)] * 2, replace(PAUSES, pause_s=(8.0, 8.0), noise_db=20), random())
    pause = noisy[8 * SAMPLE_RATE_HZ : 16 * SAMPLE_RATE_HZ]
    assert float(np.std(pause)) == pytest.approx(LEVEL / 10, rel=0.5)


def test_filler_makes_a_recording_longer() -> None:
    clips = [tone()] * 20
    plain = join(clips, PAUSES, random())
    filled = join(clips, replace(PAUSES, filler=True), random())
    assert len(filled) > len(plain) + joined.FILLER_S[0] * SAMPLE_RATE_HZ


def test_quiet_ends_are_trimmed() -> None:
    quiet = np.full(SAMPLE_RATE_HZ, 1e-4)
    kept = trimmed(np.concatenate([quiet, tone().astype(np.float64), quiet]))
    assert len(kept) == pytest.approx(SAMPLE_RATE_HZ, abs=1200)
    assert len(trimmed(np.zeros(0))) == 0


def test_silence_has_no_level() -> None:
    assert not levelled(np.zeros(100), LEVEL).any()


def test_clips_are_selected_by_language_part_and_place() -> None:
    clips = [recording(f"{n}", part=("even", "odd")[n % 2]) for n in range(6)]
    sets = {"clips": RecordingSet("clips", (*clips, recording("de", language="de")))}
    names = [clip.name for clip in selected(PAUSES, sets, "even")]
    assert names == ["0", "2", "4"]
    assert [clip.name for clip in selected(replace(PAUSES, first=1), sets, "odd")] == ["1"]
    assert [clip.name for clip in selected(replace(PAUSES, rest=1), sets, "odd")] == ["3", "5"]
    assert [clip.name for clip in selected(replace(PAUSES, language="de"), sets, "even")] == ["de"]
    assert selected(replace(PAUSES, sources=("clips", "gone")), sets, "even") == []


def test_recordings_are_made_once_and_anew_for_other_clips(
    tmp_path: Path, write_tones: WriteSet
) -> None:
    folder = tmp_path / "made"
    clips = write_tones("ru_golos15", ["раз", "два", "три"], "ru")
    joined.make([clips], folder)
    made = read_set(folder)
    assert [(each.name, each.text, each.part) for each in made.recordings] == [
        ("russian-even.flac", "раз три", "even"),
        ("russian-odd.flac", "два", "odd"),
    ]
    assert made.recordings[0].language == "ru"
    mark = (folder / "russian-even.flac").stat().st_mtime_ns
    joined.make([clips], folder)
    assert (folder / "russian-even.flac").stat().st_mtime_ns == mark
    joined.make([write_tones("ru_golos15", ["раз", "два", "четыре"], "ru")], folder)
    assert read_set(folder).recordings[0].text == "раз четыре"


def test_nothing_is_joined_without_the_clips_of_a_recipe(
    tmp_path: Path, write_tones: WriteSet
) -> None:
    joined.make([write_tones("own", ["a"])], tmp_path / "made")
    assert not (tmp_path / "made").exists()
