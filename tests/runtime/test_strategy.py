"""Options of one clip, on one loaded model: the same as a model that was loaded with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from quest22.errors import UsageError
from quest22.metrics import Metrics
from quest22.protocols import LongForm
from quest22.records import (
    Audio,
    Clip,
    Failure,
    Hypothesis,
    Origin,
    Samples,
    Transcript,
    Window,
)
from quest22.runtime.build import Pipeline, PipelineSettings
from quest22.runtime.clip_handle import ClipHandle
from quest22.runtime.clip_state import Priority
from quest22.runtime.ordered import OrderedDriver
from quest22.runtime.scheduler import ClipDone, ClipProgressed
from quest22.settings import (
    DecodingSettings,
    EngineSettings,
    HallucinationSettings,
    LongFormSettings,
    VadSettings,
)
from quest22.settings.clip_options import ClipOptions, ClipSettings
from tests.support.recordings import NANO_IS_HERE, recordings

pytestmark = pytest.mark.skipif(
    not NANO_IS_HERE, reason="no embedded checkpoint or no sample recordings"
)

ENGINE = EngineSettings("nano", compute_type="float32", batch_size=16, threads=1)
ENDS_S = 120.0
SEQUENTIAL = LongFormSettings(long_form="sequential")

REQUESTS = {
    "as loaded": ClipOptions(),
    "english": ClipOptions(DecodingSettings("en", timestamps=True)),
    "russian": ClipOptions(DecodingSettings("ru")),
    "translated": ClipOptions(DecodingSettings("ru", task="translate", timestamps=True)),
    "words": ClipOptions(DecodingSettings(timestamps=True, word_timestamps=True)),
    "sampled": ClipOptions(DecodingSettings(temperature=(0.4,), best_of=2)),
    "prompted": ClipOptions(DecodingSettings(initial_prompt="three four", beam_size=2)),
    "sequential": ClipOptions(DecodingSettings(timestamps=True), SEQUENTIAL),
    "speech": ClipOptions(DecodingSettings(timestamps=True), vad=VadSettings(vad="on")),
}


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(PipelineSettings(ENGINE))


@pytest.fixture(scope="module")
def sounds() -> list[Samples]:
    return [np.concatenate([*recordings("en", 2), *recordings("ru", 2)])] * len(REQUESTS)


def clips(sounds: Sequence[Samples]) -> list[Clip]:
    return [
        Clip(name, name, sound, Origin("test", row=row))
        for row, (name, sound) in enumerate(zip(REQUESTS, sounds, strict=True))
    ]


def alone(clip: Clip, options: ClipOptions) -> Transcript | Failure:
    """The result of a pipeline that was loaded with these settings."""
    settings = options.applied_to(ClipSettings())
    loaded = PipelineSettings(
        ENGINE,
        settings.decoding,
        settings.longform,
        hallucination=settings.hallucination,
        vad=settings.vad,
    )
    (result,) = Pipeline(loaded).run([clip])
    return result


def rounded(result: Transcript | Failure) -> object:
    """To what does not depend on the batch: probabilities differ in their last digits."""
    assert isinstance(result, Transcript)
    segments = [
        (
            each.start_s,
            each.end_s,
            each.tokens,
            each.temperature,
            each.language,
            each.words and [(word.text, word.start_s, word.end_s) for word in each.words],
        )
        for each in result.segments
    ]
    return result.text, result.language, result.dropped, segments


class Choosing:
    """Opens each clip with its own request."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._strategy = pipeline._strategy

    def open(self, clip: Clip) -> LongForm:
        return self._strategy.open(clip, REQUESTS[clip.key])


class Counting:
    """An engine that notes the sizes of its batches."""

    batches_in_flight = 1

    def __init__(self, pipeline: Pipeline) -> None:
        self._engine, self.batch_size = pipeline._engine, pipeline.batch_size
        self.batches: list[int] = []

    def same_in_any_batch(self, windows: Sequence[Window]) -> bool:
        return False

    def run(self, windows: Sequence[Window]) -> list[Hypothesis]:
        self.batches.append(len(windows))
        return self._engine.run(windows)


def test_requests_of_all_kinds_equal_pipelines_of_their_own(
    pipeline: Pipeline, sounds: list[Samples]
) -> None:
    expected = {each.key: rounded(alone(each, REQUESTS[each.key])) for each in clips(sounds)}
    assert len({str(each) for each in expected.values()}) > 5

    engine = Counting(pipeline)
    driver = OrderedDriver(engine, Choosing(pipeline), Metrics())
    audios = [Audio(each, iter([sound])) for each, sound in zip(clips(sounds), sounds, strict=True)]
    assert {each.key: rounded(each) for each in driver.run(audios)} == expected
    assert engine.batches[0] == len(REQUESTS)  # all of them together

    with pipeline.loop() as loop:
        handles = [
            loop.add(each, REQUESTS[each.key], priority=Priority.FILE) for each in clips(sounds)
        ]
        assert {each.key: rounded(each.result(ENDS_S)) for each in handles} == expected


def test_what_a_handle_tells_is_never_taken_back(pipeline: Pipeline) -> None:
    sound = np.concatenate(recordings("en", 12))
    decoding = DecodingSettings(timestamps=True)
    options = [ClipOptions(decoding), ClipOptions(decoding, SEQUENTIAL)]
    with pipeline.loop() as loop:
        for option in options:
            session = loop.open(Clip("live", "live", b"", Origin("test")), option)
            for start in range(0, len(sound), 80_000):
                session.feed(sound[start : start + 80_000])
            session.flush()
            check_events(session)


def check_events(handle: ClipHandle) -> None:
    *progress, done = handle
    assert isinstance(done, ClipDone)
    assert isinstance(done.result, Transcript)
    for event in progress:
        assert isinstance(event, ClipProgressed)
        committed = event.partial.committed
        assert committed == done.result.segments[: len(committed)]


def test_the_loop_gives_what_a_run_gives(pipeline: Pipeline) -> None:
    corpus = [
        Clip(f"{language} {n}", "name", sound, Origin("test", row=n))
        for language in ("en", "ru")
        for n, sound in enumerate(recordings(language, 4))
    ]
    run = [rounded(result) for result in pipeline.run(corpus)]
    with pipeline.loop() as loop:
        handles = [loop.add(clip) for clip in corpus]
        assert [rounded(handle.result(ENDS_S)) for handle in handles] == run


REFUSED = [
    (ClipOptions(DecodingSettings("xx")), "xx"),
    (ClipOptions(DecodingSettings(suppress_tokens=(10**9,))), "1000000000"),
    (ClipOptions(longform=LongFormSettings(clip_timestamps=(1.0,))), "sequential"),
    (
        ClipOptions(
            longform=SEQUENTIAL,
            hallucination=HallucinationSettings(hallucination_silence_threshold=2.0),
        ),
        "word-timestamps",
    ),
    (
        ClipOptions(longform=replace(SEQUENTIAL, clip_timestamps=(1.0,)), vad=VadSettings("on")),
        "exclude each other: give one of them",
    ),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_what_the_model_cannot_do_is_refused_for_the_one_clip(
    pipeline: Pipeline, options: ClipOptions, message: str
) -> None:
    clip = Clip("key", "name", recordings("en", 1)[0], Origin("test"))
    with pipeline.loop() as loop:
        good = loop.add(clip)
        with pytest.raises(UsageError, match=message):
            loop.add(clip, options)
        assert isinstance(good.result(ENDS_S), Transcript)


def test_strategies_are_made_once_and_the_oldest_forgotten(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quest22.runtime.strategy.RECENT_SETTINGS", 2)
    strategy = pipeline._strategy
    options = [ClipOptions(DecodingSettings(initial_prompt=f"{n}")) for n in range(3)]
    first, second = map(strategy.configured, options[:2])
    assert strategy.configured(options[0]) is first
    strategy.configured(options[2])
    assert strategy.configured(options[0]) is first
    assert strategy.configured(options[1]) is not second
