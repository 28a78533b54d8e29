"""Measures how right live captions are, and how soon, apart from the time that the engine takes.

    python -m benchmarks.live_accuracy [--model base] [--sets en_commonvoice100,joined] [--policy …]

``--part even`` or ``odd`` takes every other recording, so that what was chosen on one half can be
checked on the other.

The last lines tell what the table can tell: the difference of all sets together, and its bounds in
95 of 100 drawings of the recordings. In a set of 166 words, half a point is one word.

Recordings of a set are joined with pauses and fed in blocks of 100 ms; each window is answered at
once, so the same command gives the same figures on every machine of one kind. The offline result is
the same model's, with the default long form, for the same sound. A word's latency counts from its
end by the offline alignment to the sound that was fed when the word was first seen, or committed.

With ``--engine-share 0.6`` each window takes time: so much of the processor time that it takes
here, on one thread; sound comes meanwhile, in blocks of 40 ms. So the delays are those of a machine
that is idle, also on one that is not. With ``--window-ms 43,6.4`` it takes 43 ms and 6.4 ms for
each second of its sound: so the delays are those of another machine, and the same in every run.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np

from benchmarks.accuracy.joined import LEVEL, levelled, trimmed
from benchmarks.accuracy.measure import model_path
from benchmarks.accuracy.recordings import HALVES, Recording, decoded, read_sets
from benchmarks.accuracy.score import Score, score
from benchmarks.live_errors import KINDS, Recorded, differences, recorded, summed
from benchmarks.speech_folder import speech_folder
from quest22.audio.log_mel import LogMel
from quest22.bench.live import nonspeech
from quest22.checkpoint.load import load
from quest22.engine.build import build_engine
from quest22.evaluation.word_diff import align_words
from quest22.longform.live.clip import LiveClip
from quest22.metrics import Metrics
from quest22.protocols import Engine
from quest22.records import (
    SAMPLE_RATE_HZ,
    Clip,
    LiveEvent,
    LiveWord,
    Origin,
    Samples,
    Transcript,
    Window,
)
from quest22.runtime.strategy import PerClipStrategy
from quest22.settings import DecodingSettings, EngineSettings
from quest22.settings.clip_options import ClipOptions, ClipSettings
from quest22.settings.live import LiveSettings

BLOCK, SHORT_BLOCK = SAMPLE_RATE_HZ // 10, SAMPLE_RATE_HZ // 25
PAUSES_S = (0.4, 2.0)
"""The shortest and the longest pause between joined recordings."""

SEEN_WITHIN_S = 0.6
"""A word is seen if it is shown this near to its place in the final text."""

QUANTILES = (0.5, 0.95)


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Recordings in one language, joined; ``texts`` are what is said in each."""

    name: str
    language: str | None
    samples: Samples
    texts: tuple[str, ...]

    @property
    def text(self) -> str:
        """What is said in all of them."""
        return " ".join(self.texts)


@dataclass(frozen=True, slots=True)
class Told:
    """An event, and the seconds of sound that were fed when it came."""

    fed_s: float
    event: LiveEvent


@dataclass(slots=True)
class Figures:
    """What is measured of one piece, or of several by ``+``; latencies are in seconds."""

    recorded: list[Recorded] = field(default_factory=list)
    final: Score = field(default_factory=Score)
    shown_s: list[float] = field(default_factory=list)
    committed_s: list[float] = field(default_factory=list)
    ended_s: list[float] = field(default_factory=list)
    steps: int = 0
    sound_s: float = 0.0

    def __add__(self, other: Figures) -> Figures:
        names = [each.name for each in fields(self)]
        return Figures(*(getattr(self, name) + getattr(other, name) for name in names))


@dataclass(frozen=True, slots=True)
class EngineTime:
    """What a window takes: a ``share`` of its processor time here, and times that are given."""

    share: float = 0.0
    window_s: float = 0.0
    per_second_s: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.share or self.window_s or self.per_second_s)

    def of(self, window: Window, processor_s: float) -> float:
        """The seconds that a window takes, which took ``processor_s`` here."""
        return self.share * processor_s + self.window_s + self.per_second_s * window.duration_s

    @classmethod
    def parsed(cls, text: str) -> EngineTime:
        """Of ``43,6.4``: milliseconds of a window, and of each second of its sound."""
        window_ms, per_second_ms = map(float, text.split(","))
        return cls(0.0, window_ms / 1000, per_second_ms / 1000)


AT_ONCE = EngineTime()


class Model:
    """A checkpoint with its engine, live and offline."""

    def __init__(self, name: str, threads: int) -> None:
        checkpoint = load(model_path(name))
        features = LogMel(checkpoint.dimensions.mel_bins, threads)
        self._checkpoint, self._features = checkpoint, features
        self.is_multilingual = checkpoint.tokens.is_multilingual
        self.engine: Engine = build_engine(
            checkpoint, features, EngineSettings(threads=threads), Metrics()
        )
        self._strategies: dict[str | None, PerClipStrategy] = {}

    def strategy(self, language: str | None) -> PerClipStrategy:
        """The long forms in a language; None: it is detected."""
        language = language if self.is_multilingual else None
        if language not in self._strategies:
            decoding = DecodingSettings(language=language)
            self._strategies[language] = PerClipStrategy(
                self._checkpoint, self._features, ClipSettings(decoding=decoding)
            )
        return self._strategies[language]


def offline(model: Model, piece: Piece, language: str | None) -> Transcript:
    """The transcript of a whole piece with the times of its words."""
    decoding = DecodingSettings(
        language=language if model.is_multilingual else None, timestamps=True, word_timestamps=True
    )
    clip = Clip(piece.name, piece.name, piece.samples, Origin("live"))
    long_form = model.strategy(language).open(clip, ClipOptions(decoding=decoding))
    waiting = long_form.feed(piece.samples) + long_form.flush()
    while waiting:
        batch, waiting = waiting[: model.engine.batch_size], waiting[model.engine.batch_size :]
        for window, hypothesis in zip(batch, model.engine.run(batch), strict=True):
            waiting += long_form.add_result(window, hypothesis)
    return long_form.close()


def live(
    model: Model,
    piece: Piece,
    settings: LiveSettings,
    language: str | None,
    engine_time: EngineTime = AT_ONCE,
) -> tuple[list[Told], int]:
    """All events of a piece that is fed as it would be spoken, and the number of windows."""
    clip = Clip(piece.name, piece.name, b"", Origin("live"))
    session = model.strategy(language).open(clip, ClipOptions(live=settings))
    if not isinstance(session, LiveClip):
        raise TypeError("the strategy opened no live session")
    told: list[Told] = []
    waiting: list[Window] = []
    blocks = _blocks(piece.samples, SHORT_BLOCK if engine_time else BLOCK)
    coming, now_s, windows, flushed = next(blocks, None), 0.0, 0, False

    while True:
        while coming is not None and coming[0] <= now_s:
            waiting += session.feed(coming[1])
            coming = next(blocks, None)
        if coming is None and not flushed:
            waiting, flushed = waiting + session.flush(), True
        told.extend(Told(now_s, each) for each in session.take_events())
        window = waiting.pop(0) if waiting else session.preview()
        if window is not None:
            windows += 1
            begun_s = time.process_time()
            (hypothesis,) = model.engine.run([window])
            now_s += engine_time.of(window, time.process_time() - begun_s)
            waiting += session.add_result(window, hypothesis)
        elif coming is not None:
            now_s = coming[0]
        else:
            return told, windows


def _blocks(samples: Samples, size: int) -> Iterator[tuple[float, Samples]]:
    """Blocks, and the seconds after which each has been spoken."""
    for start in range(0, len(samples), size):
        block = samples[start : start + size]
        yield (start + len(block)) / SAMPLE_RATE_HZ, block


def final_words(told: Iterable[Told]) -> list[tuple[int, LiveWord]]:
    """The words of the final texts with their segments."""
    finals = [each.event for each in told if each.event.type == "final"]
    return [(event.segment, word) for event in finals for word in event.words]


def when(told: Sequence[Told], segment: int, word: LiveWord, name: str, *, stable: bool) -> float:
    """How much sound was fed when a final word was first seen, or committed, in seconds."""
    for each in told:
        if each.event.segment != segment:
            continue
        for seen in each.event.words:
            near = abs(seen.start_s - word.start_s) <= SEEN_WITHIN_S
            if near and (seen.stable or not stable) and _key(seen.text) == name:
                return each.fed_s
    raise ValueError(f"{word} is in no event")


def _key(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())


@dataclass(frozen=True, slots=True)
class Seen:
    """Seconds from a word's end until it is seen, committed, and final.

    The last only for the last word of a segment.
    """

    shown_s: float
    committed_s: float
    final_s: float | None


def latencies(told: Sequence[Told], transcript: Transcript) -> Iterator[Seen]:
    """For the words that both texts have, in order."""
    heard = [(segment, word) for segment, word in final_words(told) if _key(word.text)]
    known = [
        word for segment in transcript.segments for word in segment.words or () if _key(word.text)
    ]
    finals = {each.event.segment: each.fed_s for each in told if each.event.type == "final"}
    ours, theirs = [_key(word.text) for _, word in heard], [_key(word.text) for word in known]
    at = place = 0
    for span in align_words(theirs, ours):
        if span.kind == "equal":
            for step in range(len(span.reference)):
                segment, word = heard[place + step]
                end_s, name = known[at + step].end_s, ours[place + step]
                following = heard[place + step + 1 : place + step + 2]
                is_last = not following or following[0][0] != segment
                yield Seen(
                    when(told, segment, word, name, stable=False) - end_s,
                    when(told, segment, word, name, stable=True) - end_s,
                    finals[segment] - end_s if is_last else None,
                )
        at += len(span.reference)
        place += len(span.hypothesis)


def check_events(told: Sequence[Told]) -> None:
    """Raise :class:`ValueError` if committed text changed, or times are impossible."""
    stable: dict[int, tuple[LiveWord, ...]] = {}
    for each in told:
        event = each.event
        before = stable.get(event.segment, ())
        kept = tuple(word for word in event.words if word.stable)
        if kept[: len(before)] != before:
            raise ValueError(f"committed words changed from {before} to {kept}")
        stable[event.segment] = kept
        times = [time_s for word in event.words for time_s in (word.start_s, word.end_s)]
        if times != sorted(times) or (times and times[-1] > event.audio_end_s + 0.01):
            raise ValueError(f"words lie outside the sound or overlap: {event}")


def measured(
    model: Model,
    piece: Piece,
    settings: LiveSettings,
    language: str | None,
    known: Transcript,
    engine_time: EngineTime = AT_ONCE,
) -> Figures:
    """The figures of one piece, whose offline transcript is known."""
    told, windows = live(model, piece, settings, language, engine_time)
    check_events(told)
    text = " ".join(each.event.text for each in told if each.event.type == "final")
    seen = list(latencies(told, known))
    return Figures(
        recorded=recorded(piece.texts, (each.event for each in told), known.text, piece.language),
        final=score(piece.text, text, piece.language),
        shown_s=[each.shown_s for each in seen],
        committed_s=[each.committed_s for each in seen],
        ended_s=[each.final_s for each in seen if each.final_s is not None],
        steps=windows,
        sound_s=len(piece.samples) / SAMPLE_RATE_HZ,
    )


def pieces(name: str, recordings: Sequence[Recording], most_s: float) -> list[Piece]:
    """Recordings joined with pauses, language by language, at one level."""
    random = np.random.default_rng((22, *name.encode()))
    made: list[Piece] = []
    for language in dict.fromkeys(each.language for each in recordings):
        own = [each for each in recordings if each.language == language]
        parts: list[Samples] = []
        texts: list[str] = []
        for each in own:
            if sum(map(len, parts)) > most_s * SAMPLE_RATE_HZ:
                break
            samples = decoded(each.path).astype(np.float64)
            if each.duration_s < 60:
                samples = trimmed(samples)
            parts.append(levelled(samples, LEVEL).astype(np.float32))
            pause = round(random.uniform(*PAUSES_S) * SAMPLE_RATE_HZ)
            parts.append((1e-4 * random.normal(size=pause)).astype(np.float32))
            texts.append(each.text.strip())
        label = f"{name} {language}" if language else name
        made.append(Piece(label, language, np.clip(np.concatenate(parts), -1, 1), tuple(texts)))
    return made


def invented(model: Model, settings: LiveSettings, seconds: int) -> dict[str, int]:
    """Words in so many seconds of each sound without a speaker."""
    counts = {}
    for name in nonspeech.RECIPES:
        piece = Piece(name, None, nonspeech.make(name, seconds), ())
        told, _ = live(model, piece, settings, None)
        counts[name] = len([word for each in told for word in each.event.words])
    return counts


def row(name: str, figures: Figures) -> str:
    """A line of the table."""
    offline, final, committed = (summed(figures.recorded, kind) for kind in KINDS)
    cells = [name, str(offline.total), _percent(offline.rate)]
    for errors in (final, committed):
        cells += [_percent(errors.rate), f"{100 * ((errors.rate or 0) - (offline.rate or 0)):+.1f}"]
    for values in (figures.shown_s, figures.committed_s, figures.ended_s):
        quantiles = np.quantile(values, QUANTILES) if values else (np.nan, np.nan)
        cells.append(" / ".join(f"{value:.2f}" for value in quantiles))
    cells.append(f"{figures.final.lost} / {figures.final.twice} / {figures.final.added}")
    cells.append(f"{figures.steps / figures.sound_s:.2f}")
    return "| " + " | ".join(cells) + " |"


HEADER = (
    "| recordings | words | offline | live | difference | of committed | difference | shown (s) "
    "| committed (s) | final (s) | lost / twice / added | windows a second |\n" + "|---" * 12 + "|"
)


def _percent(rate: float | None) -> str:
    return f"{100 * (rate or 0.0):.1f}"


def options() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live_accuracy")
    parser.add_argument("--speech", type=Path, default=speech_folder(), help="folder of sets")
    parser.add_argument("--sets", default="en_commonvoice100,fleurs5x10,longform,telephone_noisy")
    parser.add_argument("--part", choices=HALVES, help="every other recording; else all")
    parser.add_argument("--model", default="base", help="a name or a folder")
    parser.add_argument("--seconds", type=float, default=3600.0, help="of each set and language")
    parser.add_argument("--noise", type=int, default=60, help="seconds of each sound, 0: none")
    parser.add_argument("--detect", action="store_true", help="detect languages")
    parser.add_argument("--threads", type=int, default=1)
    add_engine_time(parser, default_share=0.0)
    for each in fields(LiveSettings):
        kind = type(each.default)
        parser.add_argument(f"--{each.name.replace('_', '-')}", type=kind, default=each.default)
    return parser


def add_engine_time(parser: argparse.ArgumentParser, default_share: float) -> None:
    """Add the options that say how long windows take."""
    parser.add_argument(
        "--engine-share",
        type=lambda text: EngineTime(float(text)),
        default=EngineTime(default_share),
        dest="engine_time",
        metavar="SHARE",
        help="of the processor time that windows take here; 0: they take no time",
    )
    parser.add_argument(
        "--window-ms",
        type=EngineTime.parsed,
        default=argparse.SUPPRESS,
        dest="engine_time",
        metavar="MS,MS",
        help="instead, what a window takes, and each second of its sound",
    )


def main() -> None:
    """Run the command."""
    given = options().parse_args()
    settings = LiveSettings(
        **{each.name: getattr(given, each.name) for each in fields(LiveSettings)}
    )
    sets = {each.name: each for each in read_sets(given.speech)}
    model = Model(given.model, given.threads)
    print(HEADER)
    total = Figures()
    for name in filter(None, given.sets.split(",")):
        recordings = sets[name].of(given.part) if given.part else sets[name].recordings
        for piece in pieces(name, recordings, given.seconds):
            if piece.language not in (None, "en") and not model.is_multilingual:
                continue
            language = None if given.detect else piece.language
            known = offline(model, piece, language)
            figures = measured(model, piece, settings, language, known, given.engine_time)
            print(row(piece.name, figures), flush=True)
            total += figures
    print(row("all", total))
    for line in differences(total.recorded):
        print(line)
    if given.noise:
        print(json.dumps(invented(model, settings, given.noise)))


if __name__ == "__main__":
    main()
