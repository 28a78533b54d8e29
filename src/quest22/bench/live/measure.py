"""Plays sound into programs, in turn, and tells when each word came out.

Every playing has a process of its own, so that no program waits in the memory of another's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from quest22.bench.live.live_process import LiveProcess, Played
from quest22.bench.live.offline import transcribe
from quest22.bench.live.peers import OURS, LivePeer
from quest22.bench.live.reference import Sound
from quest22.bench.live.score import Score, lost_tails, score
from quest22.bench.live.sessions import COMMITTED_LIMIT_S, most_sessions
from quest22.bench.live.summary import LiveSummary
from quest22.bench.live.timeline import Timeline
from quest22.bench.live.weights import weights_for
from quest22.errors import Quest22Error
from quest22.evaluation.score import Errors
from quest22.evaluation.texts import compared
from quest22.records import SAMPLE_RATE_HZ

WARM_UP, WARM_UP_S = "warmup.wav", 5.0

STAGGER_S = 1.3
"""Sessions begin one after another, so that their steps do not fall together."""

Log = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LiveBenchSettings:
    """What to measure: a ``folder`` for weights and logs, and the ``programs`` in turn.

    ``sessions`` are numbers of sessions at once, each measured; None: as many as each program can
    take. ``live_options`` and ``model_options`` are quest22's, by their names in Python.
    """

    folder: Path
    model: str
    language: str | None = "en"
    sessions: tuple[int, ...] | None = (1,)
    rounds: int = 1
    threads: int | None = None
    live_options: Mapping[str, Any] = field(default_factory=dict)
    model_options: Mapping[str, Any] = field(default_factory=dict)
    programs: tuple[LivePeer, ...] = (OURS,)
    log: Log = print

    def job(self, files: Mapping[str, str]) -> dict[str, Any]:
        """What a worker is told."""
        return {
            "model": self.model,
            "model_name": Path(self.model).name,
            "language": self.language,
            "threads": self.threads,
            "live_options": dict(self.live_options),
            "model_options": dict(self.model_options),
            "files": dict(files),
        }


@dataclass(frozen=True, slots=True)
class OfflineFigures:
    """What the same model makes of the whole sound at once: the best that live text can be."""

    error_rate: Annotated[float | None, "A fraction; null if nobody speaks."]
    lost_tails: Annotated[int, "Utterances whose last word did not come out."]
    text: str = ""


@dataclass(frozen=True, slots=True)
class LiveMeasurement:
    """One playing of a sound into live sessions of a program."""

    program: str
    about: Annotated[str, "Version and configuration."]
    sound: Annotated[str, "What was played."]
    ends: Annotated[str, "How the ends of words are known; empty if there are no words."]
    sessions: Annotated[int, "Sessions at once."]
    seconds: Annotated[float, "Length of the sound."]
    summary: Annotated[LiveSummary | None, "Of all sessions; null if the program failed."]
    offline: Annotated[OfflineFigures | None, "Null if nobody speaks."] = None
    idle_bytes: Annotated[int, "Memory of the process before the first session."] = 0
    peak_bytes: Annotated[int, "The most while sessions were open."] = 0
    grown_bytes: Annotated[
        int, "How much more the last quarter of the time needs than the second, by medians."
    ] = 0
    cores: Annotated[float, "Processor time for each second."] = 0.0
    late_s: Annotated[float, "By how much the program did not take the sound in time."] = 0.0
    unended: Annotated[int, "Sessions that did not end soon after the sound."] = 0
    texts: Annotated[tuple[str, ...], "What each session came to."] = ()
    failure: Annotated[str | None, "Why there is nothing else."] = None
    bytes_a_session: Annotated[
        float | None,
        "What a session adds to the memory, compared with the playing of the fewest; null for it.",
    ] = None

    @property
    def keeps_up(self) -> bool:
        """Whether 95 % of the words were committed in time, and every session ended."""
        committed_s = self.summary.committed.p95_s if self.summary else None
        return committed_s is not None and committed_s <= COMMITTED_LIMIT_S and not self.unended


def with_bytes_a_session(measured: Sequence[LiveMeasurement]) -> list[LiveMeasurement]:
    """What was measured, with what a session adds to the memory."""
    return [replace(each, bytes_a_session=bytes_a_session(each, measured)) for each in measured]


def bytes_a_session(each: LiveMeasurement, measured: Sequence[LiveMeasurement]) -> float | None:
    """What a session adds to the memory of a program that has some already.

    Compares with the playing of fewest sessions; None if this is it. Loading, and what a program
    keeps for its first session, do not count.
    """
    alike = [
        other
        for other in measured
        if (other.program, other.sound) == (each.program, each.sound) and other.summary
    ]
    fewest = min(alike, key=lambda other: other.sessions, default=each)
    if fewest.sessions >= each.sessions:
        return None
    added = (each.peak_bytes - fewest.peak_bytes) / (each.sessions - fewest.sessions)
    return max(0.0, added)


def measure_live(bench: LiveBenchSettings, sounds: Sequence[Sound]) -> Iterator[LiveMeasurement]:
    """Play each sound into each program in turn; yields what came of each playing."""
    _write_warm_up(bench.folder, sounds)
    for sound in sounds:
        offline = _offline(bench, sound)
        if bench.sessions is None:
            for peer in bench.programs:
                yield from _search(bench, peer, sound, offline)
            continue
        for count in bench.sessions:
            for _ in range(bench.rounds):
                for peer in bench.programs:
                    yield _measured(bench, peer, sound, count, offline)


def _search(
    bench: LiveBenchSettings, peer: LivePeer, sound: Sound, offline: OfflineFigures | None
) -> list[LiveMeasurement]:
    """All playings on the way to the largest number of sessions."""
    tried: list[LiveMeasurement] = []

    def keeps_up(count: int) -> bool:
        tried.append(_measured(bench, peer, sound, count, offline))
        return tried[-1].keeps_up

    most = most_sessions(keeps_up)
    bench.log(f"{peer.name}: keeps up with {_counted(most)}")
    return tried


def _measured(
    bench: LiveBenchSettings,
    peer: LivePeer,
    sound: Sound,
    count: int,
    offline: OfflineFigures | None,
) -> LiveMeasurement:
    sounds = [sound.rotated(number / count) for number in range(count)]
    bench.log(f"{peer.name}: plays {sound.name}, {sound.duration_s:.0f} s, {_counted(count)}")
    try:
        about, played = _play(bench, peer, sounds)
    except Quest22Error as error:
        bench.log(str(error))
        return LiveMeasurement(
            peer.name, "", sound.name, sound.ends, count, sound.duration_s, None, failure=str(error)
        )
    total = Score()
    timelines = [Timeline(updates, sound.language) for updates in played.updates]
    for each, timeline in zip(sounds, timelines, strict=True):
        total += score(each.words, timeline)
    memory = np.array([each for _, each in played.memory])
    quarters = np.array_split(memory, 4)
    return LiveMeasurement(
        program=peer.name,
        about=about,
        sound=sound.name,
        ends=sound.ends,
        sessions=count,
        seconds=sound.duration_s,
        summary=LiveSummary.of(total),
        offline=offline,
        idle_bytes=played.idle_bytes,
        peak_bytes=int(memory.max()),
        grown_bytes=int(np.median(quarters[3]) - np.median(quarters[1])) if len(memory) > 8 else 0,
        cores=played.processor_s / played.seconds,
        late_s=played.late_s,
        unended=played.unended,
        texts=tuple(timeline.text() for timeline in timelines),
    )


def _counted(count: int) -> str:
    return "1 session" if count == 1 else f"{count} sessions"


def _play(bench: LiveBenchSettings, peer: LivePeer, sounds: Sequence[Sound]) -> tuple[str, Played]:
    files = weights_for(bench.model, peer.weights, bench.folder)
    files["warmup"] = str(bench.folder / WARM_UP)
    process = LiveProcess(peer, bench.job(files), bench.folder / f"{peer.name}.log")
    try:
        process.wait()
        return process.about, process.play(sounds, STAGGER_S)
    finally:
        process.kill()


def _write_warm_up(folder: Path, sounds: Sequence[Sound]) -> None:
    """The beginning of a sound, if possible of speech: programs hear it before they are timed."""
    import soundfile

    first = next((sound for sound in sounds if sound.words), sounds[0])
    samples = first.samples[: round(WARM_UP_S * SAMPLE_RATE_HZ)]
    soundfile.write(folder / WARM_UP, samples, SAMPLE_RATE_HZ)


def _offline(bench: LiveBenchSettings, sound: Sound) -> OfflineFigures | None:
    if not sound.words:
        return None
    bench.log(f"quest22: transcribes {sound.name} offline")
    (found,) = transcribe(bench.job({}), [sound.samples], bench.folder)
    texts = compared(sound.text, found.text, sound.language)
    lost = lost_tails(sound.words, found.text, sound.language)
    return OfflineFigures(Errors.of(texts).words.rate, len(lost), found.text)
