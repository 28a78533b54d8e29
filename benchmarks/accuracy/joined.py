"""Long recordings joined from short clips by seeded recipes, so that their transcripts are known.

Pauses, speech that runs on, noise, and music between: what long recordings are made of, and where
words get lost or come twice. The same clips give the same recordings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.accuracy import recordings
from benchmarks.accuracy.recordings import HALVES, Recording, RecordingSet, decoded
from quest22.bench.live import nonspeech
from quest22.bench.live.nonspeech import Random, Signal
from quest22.records import SAMPLE_RATE_HZ, Samples

NAME = "joined"
VERSION = 1
"""To be raised when a recipe changes: then the recordings are made anew."""

LEVEL = 0.07
"""Root mean square of each clip's speech."""

FILLER_LEVEL, FILLER_SHARE, FILLER_S = 0.04, 0.15, (4.0, 12.0)
"""Music or noise between clips: how loud, after how many of them, how long."""

FRAME = SAMPLE_RATE_HZ // 100


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a recording is joined from, and how.

    ``sources`` are sets; ``language`` selects among their clips, and ``first`` or ``rest`` the
    first clips of the first set or those after them. ``pause_s`` are the shortest and the longest
    pause, ``noise_db`` the level of speech over brown noise.
    """

    name: str
    sources: tuple[str, ...]
    pause_s: tuple[float, float]
    language: str = "en"
    first: int | None = None
    rest: int = 0
    noise_db: float | None = None
    filler: bool = False
    shuffled: bool = False


RECIPES = (
    Recipe("pauses", ("en_commonvoice100",), (0.2, 2.5), first=25),
    Recipe("music", ("en_commonvoice100",), (0.3, 3.0), rest=25, noise_db=12, filler=True),
    Recipe("reading", ("en_ljspeech30",), (0.03, 0.12)),
    Recipe(
        "voices",
        ("en_commonvoice100", "fleurs5x10", "telephone_noisy"),
        (0.05, 0.3),
        first=12,
        noise_db=20,
        shuffled=True,
    ),
    Recipe("german", ("fleurs5x10",), (0.1, 0.8), "de"),
    Recipe("spanish", ("fleurs5x10",), (0.1, 0.8), "es"),
    Recipe("french", ("fleurs5x10",), (0.1, 0.8), "fr"),
    Recipe("portuguese", ("fleurs5x10",), (0.1, 0.8), "pt"),
    Recipe("russian", ("ru_golos15",), (0.2, 1.5), "ru"),
)


def make(sets: Sequence[RecordingSet], folder: Path) -> None:
    """Write the set of joined recordings, unless the folder holds it; nothing without clips."""
    by_name = {each.name: each for each in sets}
    used = {name: by_name[name] for recipe in RECIPES for name in recipe.sources if name in by_name}
    digest = recordings.fingerprint(list(used.values()), VERSION)
    if used and not recordings.is_made(folder, digest):
        recordings.write_set(folder, _all(used), digest)


def _all(sets: Mapping[str, RecordingSet]) -> Iterator[tuple[Recording, Samples]]:
    for part in HALVES:
        for number, recipe in enumerate(RECIPES):
            if clips := selected(recipe, sets, part):
                random = np.random.default_rng((22, HALVES.index(part), number))
                if recipe.shuffled:
                    clips = [clips[place] for place in random.permutation(len(clips))]
                samples = join([decoded(clip.path) for clip in clips], recipe, random)
                text = " ".join(clip.text.strip() for clip in clips)
                path = Path(f"{recipe.name}-{part}.flac")
                duration_s = len(samples) / SAMPLE_RATE_HZ
                yield Recording(path, text, recipe.language, duration_s, part), samples


def selected(recipe: Recipe, sets: Mapping[str, RecordingSet], part: str) -> list[Recording]:
    """The clips of a recipe, in order; none if one of its sets is missing."""
    if any(name not in sets for name in recipe.sources):
        return []
    leading, *others = [
        [clip for clip in sets[name].of(part) if clip.language == recipe.language]
        for name in recipe.sources
    ]
    return sum(others, leading[recipe.rest : recipe.first])


def join(clips: Sequence[Samples], recipe: Recipe, random: Random) -> Samples:
    """Clips at one level, each followed by a pause, maybe by music or noise; float32 in −1…1."""
    pieces: list[Signal] = []
    for clip in clips:
        pieces += [levelled(trimmed(clip.astype(np.float64)), LEVEL)]
        pieces += [_silence(random.uniform(*recipe.pause_s))]
        if recipe.filler and random.random() < FILLER_SHARE:
            pieces += [_filler(random), _silence(0.2)]
    signal = np.concatenate(pieces)
    if recipe.noise_db is not None:
        signal += LEVEL * 10 ** (-recipe.noise_db / 20) * _brown(len(signal), random)
    signal += 1e-4 * random.normal(size=len(signal))
    return np.clip(signal, -1, 1).astype(np.float32)


def trimmed(clip: Signal) -> Signal:
    """Without the quiet before and after the speech: frames below 3 % of the loudest one."""
    if not len(clip):
        return clip
    starts = np.arange(0, len(clip), FRAME)
    level = np.sqrt(np.add.reduceat(clip**2, starts) / FRAME)
    loud = np.nonzero(level >= 0.03 * level.max())[0]
    return clip[max(0, loud[0] - 3) * FRAME : (loud[-1] + 4) * FRAME]


def levelled(signal: Signal, level: float) -> Signal:
    """With this root mean square."""
    return signal * (level / max(1e-4, float(np.sqrt(np.mean(signal**2)))))


def _filler(random: Random) -> Signal:
    count = round(SAMPLE_RATE_HZ * random.uniform(*FILLER_S))
    if random.random() < 0.5:
        return FILLER_LEVEL * _brown(count, random)
    music = nonspeech.music(-(-count // SAMPLE_RATE_HZ), random)[:count]
    return levelled(music, FILLER_LEVEL)


def _brown(count: int, random: Random) -> Signal:
    return nonspeech.coloured(-(-count // SAMPLE_RATE_HZ), random, exponent=2.0)[:count]


def _silence(seconds: float) -> Signal:
    return np.zeros(round(SAMPLE_RATE_HZ * seconds))
