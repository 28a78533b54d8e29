"""The training corpus: utterances as raw log10 mels with their words, in resumable shards.

A shard is a pair of files: ``<name>.mel.npy`` (float16, ``[frames, 80]``, all utterances one
after another) and ``<name>.json`` (one record an utterance). Noises are a shard without words.
"""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quest22.audio.log_mel import log10_mel
from recipes.nano import acoustics
from recipes.nano.grammar.sentences import training_sentences
from recipes.nano.synthesis.spoken import Samples, Spoken, voiced_span
from recipes.nano.synthesis.voices import Manner, Speaker, known_voice, lively

FRAMES_A_SECOND = 100
LEAD_S, TAIL_S = 0.04, 0.06
NOISE_SECONDS = 30.0
Mel = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Utterance:
    """One spoken sentence; times are in seconds from the first frame of its mel."""

    language: str
    text: str
    english: str
    voice: str
    offset: int
    frames: int
    starts_s: list[float]
    ends_s: list[float]
    marked: bool


@dataclass(frozen=True, slots=True)
class Job:
    """What one shard holds."""

    language: str
    index: int
    size: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.language}-{self.index:03d}"


def trimmed(spoken: Spoken, manner: Manner) -> tuple[Samples, NDArray[np.float32]]:
    """Sound at 16 kHz from just before the first word to just after the last, and word edges."""
    samples = acoustics.resampled(spoken.samples, spoken.rate_hz, manner.warp)
    edges = np.append(spoken.starts_s, spoken.ends_s[-1:]) / manner.warp
    first, last = voiced_span(samples, acoustics.RATE_HZ)
    begin, end = max(0.0, first - LEAD_S), last + TAIL_S
    edges = np.clip(edges, first, last)
    edges[0], edges[-1] = first, last
    cut = samples[int(begin * acoustics.RATE_HZ) : int(end * acoustics.RATE_HZ)]
    missing = int((end - begin) * acoustics.RATE_HZ) - len(cut)
    return np.pad(cut, (0, max(0, missing))), (edges - begin).astype(np.float32)


def transmitted(samples: Samples, rng: np.random.Generator) -> Samples:
    """A quarter of all utterances from a room, a sixth over the telephone."""
    peak = rng.uniform(0.2, 0.9) / (np.abs(samples).max() + 1e-9)
    sound = samples * np.float32(peak)
    if rng.random() < 0.25:
        sound = acoustics.room(sound, rng)[: len(sound) + 3200]
    if rng.random() < 0.17:
        sound = acoustics.telephone(sound, rng)
    return sound


def make_shard(folder: Path, cache: Path, job: Job) -> Path:
    """Synthesise one shard of speech, unless it exists."""
    if (folder / f"{job.name}.json").exists():
        return folder / job.name
    rng = random.Random(f"{job.seed} {job.name}")
    noise = np.random.default_rng(rng.randrange(2**32))
    stream = training_sentences(rng.randrange(2**32), job.language)
    utterances, mels, offset = [], [], 0
    speaker = Speaker(cache, job.seed)
    for sentence in islice(stream, job.size):
        voice, manner = known_voice(job.language, rng), lively(rng)
        spoken = speaker.say(getattr(sentence, job.language), voice, manner)
        samples, edges = trimmed(spoken, manner)
        mel = log10_mel(transmitted(samples, noise)).T.astype(np.float16)
        times = [round(float(edge), 3) for edge in edges]
        utterances.append(
            Utterance(
                job.language, getattr(sentence, job.language), sentence.en, str(voice),
                offset, len(mel), times[:-1], times[1:], spoken.marked,
            )
        )  # fmt: skip
        mels.append(mel)
        offset += len(mel)
    return _save(folder, job.name, np.concatenate(mels), [asdict(u) for u in utterances])


def make_noises(folder: Path, count: int, seed: int) -> Path:
    """Noises of 30 s: coloured, tones, hum and music, and babble of the speech made before."""
    rng = np.random.default_rng(seed)
    paths = sorted(folder.glob("??-*.mel.npy"), key=lambda path: path.name[::-1])[:BABBLE_SHARDS]
    speech = [np.load(path, mmap_mode="r") for path in paths]
    mels: list[Mel] = []
    kinds: list[dict[str, object]] = []
    for index in range(count):
        kind = NOISE_KINDS[index % len(NOISE_KINDS)]
        if kind == "babble":
            mels.append(_babble(speech, rng))
        else:
            mels.append(log10_mel(_noise(kind, rng)).T.astype(np.float16))
        kinds.append({"kind": kind})
    return _save(folder, "noise", np.concatenate(mels), kinds)


NOISE_KINDS = (
    "babble", "white", "babble", "pink", "babble", "brown", "babble", "tones", "babble", "music",
    "babble", "hum", "mixture",
)  # fmt: skip
BABBLE_SHARDS = 8  # of both languages
SLOPES = {"white": 0.0, "pink": 1.0, "brown": 2.0}


def _noise(kind: str, rng: np.random.Generator) -> Samples:
    if kind in SLOPES:
        slope = SLOPES[kind] + rng.uniform(-0.15, 0.15)
        return acoustics.coloured(NOISE_SECONDS, slope, rng)
    if kind == "mixture":
        hiss = acoustics.coloured(NOISE_SECONDS, rng.uniform(0, 2), rng)
        return hiss * np.float32(rng.uniform(0.05, 0.6)) + _noise(
            str(rng.choice(["tones", "music", "hum"])), rng
        )
    makers = {"tones": acoustics.tones, "music": acoustics.music, "hum": acoustics.hum}
    return makers[kind](NOISE_SECONDS, rng)


def _babble(speech: list[Mel], rng: np.random.Generator) -> Mel:
    """The powers of 5 to 12 stretches of speech, added: no single voice can be followed."""
    frames, power = int(NOISE_SECONDS * FRAMES_A_SECOND), np.zeros((1, 80), np.float32)
    for _ in range(rng.integers(5, 13)):
        source = speech[rng.integers(len(speech))]
        at = rng.integers(len(source) - frames)
        part = source[at : at + frames].astype(np.float32)
        power = power + 10.0 ** (part + rng.uniform(-0.3, 0.3))
    return np.log10(power).astype(np.float16)


def _save(folder: Path, name: str, mels: Mel, records: list[dict[str, object]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{name}.mel.npy", mels)
    part = folder / f"{name}.part"
    part.write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")
    part.rename(folder / f"{name}.json")
    return folder / name
