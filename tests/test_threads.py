"""One Transcriber, used from many threads at once, gives each what it would get alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import quest22
from quest22.records import Samples
from tests.support.recordings import recordings

SAMPLES = str(Path(quest22.__file__).parent / "demo" / "samples" / "*.parquet")
THREADS = 8

Options = dict[str, object]
KINDS: dict[str, Options] = {
    "chunked": {},
    "words": {"word_timestamps": True, "timestamps": True},
    "sequential, vad": {"long_form": "sequential", "vad": "on"},
}


@pytest.fixture(
    scope="module", params=[*((kind, "on") for kind in KINDS), ("words", "off")], ids=str
)
def whisper(request: pytest.FixtureRequest) -> Iterator[quest22.Transcriber]:
    """One of each kind with its decoder in C, where there is a library for it; one as a graph."""
    kind, native = request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUEST22_NATIVE", native)
        yield quest22.Transcriber("nano", compute_type="float32", batch_size=4, **KINDS[kind])  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def clips() -> list[Samples]:
    """Eight sounds, one of them longer than a window."""
    short = recordings("en", 4, longest_s=6.0) + recordings("ru", 3, longest_s=6.0)
    long = np.concatenate([*short, short[0], short[1]])
    return [*short[:3], long[: 16_000 * 35], *short[3:]]


def together(calls: Sequence[Callable[[], object]]) -> list[object]:
    """What the calls give when as many as there are threads run at once, in their order."""
    with ThreadPoolExecutor(THREADS) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def contents(transcripts: Iterator[quest22.Transcript]) -> list[object]:
    return [content(each) for each in transcripts]


def content(transcript: quest22.Transcript) -> object:
    """The words and times of a transcript; probabilities differ in their last digits."""
    return (
        transcript.text,
        transcript.language,
        [
            (each.text, each.start_s, each.end_s, [word.text for word in each.words or ()])
            for each in transcript.segments
        ],
    )


def test_calls_of_all_kinds_from_many_threads(
    whisper: quest22.Transcriber, clips: list[Samples]
) -> None:
    def one(clip: Samples) -> Callable[[], object]:
        return lambda: content(whisper.transcribe(clip))

    def many(part: list[Samples]) -> Callable[[], object]:
        return lambda: contents(whisper.transcribe_many(part))

    def rows(skip: int) -> Callable[[], object]:
        return lambda: contents(whisper.stream("parquet", data_files=SAMPLES, take=2, skip=skip))

    calls = [one(clip) for clip in clips]
    calls += [many(clips[:3]), many(clips[5:]), rows(0), rows(2)]
    expected = [call() for call in calls]
    assert together(calls) == expected


def test_generators_in_turn_in_one_thread(
    whisper: quest22.Transcriber, clips: list[Samples]
) -> None:
    halves = [clips[:3], clips[5:]]
    expected = [contents(whisper.transcribe_many(half)) for half in halves]
    taken = [whisper.transcribe_many(half) for half in halves]
    pairs = list(zip(*taken, strict=True))
    assert [[content(pair[side]) for pair in pairs] for side in (0, 1)] == expected
