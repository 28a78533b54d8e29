import gc
import io
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.audio.decode import BLOCK_S
from quest22.audio.pool import decode_ahead
from quest22.errors import ClipError, SourceError
from quest22.metrics import Metrics
from quest22.records import SAMPLE_RATE_HZ, Audio, Clip, Failure, Origin, Samples
from quest22.settings import AudioSettings, MemorySettings
from tests.support.sounds import clip

SECOND = np.zeros(SAMPLE_RATE_HZ, np.float32)


class BlockDecoder:
    """Clips named after their length in seconds, decoded second by second; counts its work."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.given_s: dict[str, int] = {}
        self.closed: list[str] = []

    def decode(self, clip: Clip) -> Audio:
        return Audio(clip, self._blocks(clip))

    def _blocks(self, clip: Clip) -> Iterator[Samples]:
        try:
            for second in range(int(clip.name)):
                with self.lock:
                    self.given_s[clip.key] = second + 1
                yield SECOND + second
        finally:
            self.closed.append(clip.key)

    @property
    def total_s(self) -> int:
        with self.lock:
            return sum(self.given_s.values())


def clips(*lengths_s: int) -> list[Clip]:
    return [Clip(str(i), str(n), b"", Origin("test")) for i, n in enumerate(lengths_s)]


def ahead(seconds: float) -> MemorySettings:
    return replace(MemorySettings.of(), decoded_s=seconds)


def heard(audio: Audio) -> list[int]:
    return [int(block[0]) for block in audio.blocks]


def wait_until(condition: Callable[[], bool]) -> None:
    """For what a thread does by itself; fails by the suite's patience, not by a race."""
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.005)
    pytest.fail("waited 10 s in vain")


@pytest.fixture(autouse=True)
def no_thread_is_left_behind() -> Iterator[None]:
    yield
    gc.collect()
    wait_until(lambda: not pool_threads())


def pool_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("quest22-audio")]


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("prefetch_s", [0.0, 30.0, 1000.0])
def test_everything_comes_in_order(workers: int, prefetch_s: float) -> None:
    lengths = [3, 0, 50, 1, 1, 1, 7, 0, 30]
    options = AudioSettings(workers=workers)
    items = [*clips(*lengths), Failure("f", "f", "source", "no sound", Origin("test"))]
    results = [
        (item.clip.key, heard(item)) if isinstance(item, Audio) else item
        for item in decode_ahead(items, BlockDecoder(), options, memory=ahead(prefetch_s))
    ]
    expected = [(str(i), list(range(n))) for i, n in enumerate(lengths)]
    assert results == [*expected, items[-1]]


@settings(max_examples=25, deadline=None)
@given(data=st.data(), lengths=st.lists(st.integers(0, 40), min_size=1, max_size=8))
def test_blocks_may_be_taken_in_any_order(data: st.DataObject, lengths: list[int]) -> None:
    """No order locks up, however small the budget; every block comes once and in order."""
    memory = ahead(data.draw(st.sampled_from([0.0, 25.0, 60.0])))
    options = AudioSettings(workers=2)
    audios = list(decode_ahead(clips(*lengths), BlockDecoder(), options, memory=memory))
    left = {i: [] for i in range(len(lengths))}
    unfinished = set(left)
    while unfinished:
        number = data.draw(st.sampled_from(sorted(unfinished)))
        audio = audios[number]
        assert isinstance(audio, Audio)
        block = next(audio.blocks, None)
        if block is None:
            unfinished.discard(number)
        else:
            left[number].append(int(block[0]))
    assert left == {i: list(range(n)) for i, n in enumerate(lengths)}


def test_decoding_runs_ahead_up_to_the_budget() -> None:
    decoder = BlockDecoder()
    items = decode_ahead(clips(*[10] * 50), decoder, AudioSettings(workers=2), memory=ahead(100.0))
    first = next(items)
    wait_until(lambda: decoder.total_s >= 75)
    time.sleep(0.05)  # were there no bound, it would run on now
    assert decoder.total_s <= 100
    assert isinstance(first, Audio)
    assert heard(first) == list(range(10))
    items.close()


def test_a_long_clip_at_the_head_does_not_fill_memory_nor_starve() -> None:
    decoder = BlockDecoder()
    items = decode_ahead(clips(500, 5), decoder, AudioSettings(workers=2), memory=ahead(60.0))
    head = next(items)
    assert isinstance(head, Audio)
    for second, block in enumerate(head.blocks):
        assert int(block[0]) == second
        assert decoder.total_s <= second + 1 + 60 + BLOCK_S
    assert [heard(item) for item in items if isinstance(item, Audio)] == [list(range(5))]


def test_a_clips_error_comes_after_the_sound_before_it() -> None:
    class Breaking(BlockDecoder):
        def _blocks(self, clip: Clip) -> Iterator[Samples]:
            yield from super()._blocks(clip)
            if clip.key == "1":
                raise ClipError("audio", "broken")

    audios = list(decode_ahead(clips(2, 3, 2), Breaking(), AudioSettings(workers=3)))
    assert [a.clip.key for a in audios if isinstance(a, Audio)] == ["0", "1", "2"]
    broken = audios[1]
    assert isinstance(broken, Audio)
    assert [int(next(broken.blocks)[0]) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ClipError, match="broken"):
        next(broken.blocks)
    assert isinstance(audios[2], Audio)
    assert heard(audios[2]) == [0, 1]


def test_a_sources_error_comes_after_the_clips_before_it() -> None:
    def source() -> Iterator[Clip]:
        yield from clips(2, 2)
        raise SourceError("the line is dead")

    items = decode_ahead(source(), BlockDecoder(), AudioSettings())
    audios = [next(items), next(items)]
    with pytest.raises(SourceError, match="the line is dead"):
        next(items)
    assert [heard(a) for a in audios if isinstance(a, Audio)] == [[0, 1], [0, 1]]


def test_closing_early_stops_the_source_and_every_thread() -> None:
    ended = threading.Event()

    def endless() -> Iterator[Clip]:
        try:
            number = 0
            while True:
                yield Clip(str(number), "1000", b"", Origin("test"))
                number += 1
        finally:
            ended.set()

    decoder = BlockDecoder()
    items = decode_ahead(endless(), decoder, AudioSettings(workers=3), memory=ahead(200.0))
    first = next(items)
    assert isinstance(first, Audio)
    next(first.blocks)
    items.close()
    assert not pool_threads()
    assert ended.is_set()
    assert sorted(decoder.closed) == sorted(decoder.given_s)
    with pytest.raises(ClipError, match="stopped"):
        heard(first)


def test_an_audio_that_is_dropped_makes_room() -> None:
    decoder = BlockDecoder()
    items = decode_ahead(clips(1000, 3), decoder, AudioSettings(workers=1), memory=ahead(40.0))
    next(items)
    second = next(items)
    assert isinstance(second, Audio)
    assert heard(second) == [0, 1, 2]
    assert decoder.closed[0] == "0"
    assert list(items) == []


@pytest.mark.parametrize(
    ("size", "limit", "most"), [(0, "clips_ahead", 10), (1000, "undecoded_bytes", 5000)]
)
def test_the_source_is_read_ahead_by_count_and_bytes(size: int, limit: str, most: int) -> None:
    memory = replace(ahead(0.0), **{limit: most})
    pulled: list[int] = []

    def source() -> Iterator[Clip]:
        for number in range(100):
            pulled.append(number)
            yield Clip(str(number), "30", bytes(size), Origin("test"))

    items = decode_ahead(source(), BlockDecoder(), AudioSettings(workers=1), memory=memory)
    next(items)
    wait_until(lambda: len(pulled) >= 5)
    time.sleep(0.05)  # were there no bound, it would run on now
    assert len(pulled) <= 11
    items.close()


def test_the_time_of_decoding_is_metered() -> None:
    class Busy(BlockDecoder):
        def _blocks(self, clip: Clip) -> Iterator[Samples]:
            sum(range(200_000))
            yield from super()._blocks(clip)

    metrics = Metrics()
    for item in decode_ahead(clips(1, 1), Busy(), AudioSettings(), metrics):
        assert isinstance(item, Audio)
        heard(item)
    assert metrics.seconds()["audio"] > 0


def test_undecoded_sound_is_let_go_when_it_is_decoded() -> None:
    class Sound:
        """Media that can be watched, which bytes cannot."""

        def __call__(self) -> io.BytesIO:
            return io.BytesIO()

    sounds = [Sound() for _ in range(3)]
    watched = [weakref.ref(sound) for sound in sounds]

    def source() -> Iterator[Clip]:
        while sounds:
            yield Clip(str(len(sounds)), "1", sounds.pop(), Origin("test"))

    audios = list(decode_ahead(source(), BlockDecoder(), AudioSettings(workers=1)))
    assert [heard(audio) for audio in audios if isinstance(audio, Audio)] == [[0]] * 3
    wait_until(lambda: [ref() for ref in watched] == [None] * 3)


def test_real_clips_come_out_decoded() -> None:
    import soundfile

    from quest22.audio.decode import MediaDecoder

    file = io.BytesIO()
    soundfile.write(file, np.zeros(8000), 8000, format="WAV")
    options = AudioSettings()
    items = decode_ahead(
        [clip(file.getvalue(), "good"), clip(b"", "bad")], MediaDecoder(options), options
    )
    good, bad = items
    assert isinstance(good, Audio)
    assert isinstance(bad, Audio)
    assert sum(len(block) for block in good.blocks) == SAMPLE_RATE_HZ
    with pytest.raises(ClipError, match="empty"):
        next(bad.blocks)
