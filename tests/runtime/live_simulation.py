"""People who speak at the same time, on an engine and a clock that only count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from quest22.metrics import Metrics
from quest22.records import Hypothesis, LiveEvent, Samples, WindowResult
from quest22.runtime.audio_input import AudioQueue
from quest22.runtime.clip_state import ClipState, Priority
from quest22.runtime.live_session import LiveSession
from quest22.runtime.scheduler import LIVE_WINDOWS, BatchLimits, ClipDone, ClipHeard, Scheduler
from tests.runtime.fake_live import FakeLive
from tests.runtime.fakes import clip

BLOCK_S = 0.1
IDLE_S = 0.01


@dataclass
class Speaker:
    """One session: blocks of 0.1 s of sound, each fed when it is spoken.

    ``seen`` are the events: the time and type of each, the end of its words, and its latency.
    """

    session: LiveSession
    state: ClipState
    blocks: list[Samples]
    begins_s: float
    fed: int = 0
    seen: list[tuple[float, str, float, float]] = field(default_factory=list)

    def latencies(self, *kinds: str, since_s: float = 0.0) -> list[float]:
        return [
            latency for at_s, kind, _, latency in self.seen if kind in kinds and at_s >= since_s
        ]

    def delays(self, since_s: float = 0.0) -> list[float]:
        """How long the first word that an event shows has waited for it."""
        ends = [0.0, *(end_s for _, _, end_s, _ in self.seen)]
        return [
            at_s - self.begins_s - before_s
            for (at_s, _, end_s, _), before_s in zip(self.seen, ends, strict=False)
            if end_s > before_s and at_s >= since_s
        ]


class Simulation:
    """Takes batches from a scheduler, each of which costs its time, while sound comes in.

    A batch takes ``fixed_s`` and ``window_s`` for each window; ``stalls`` are times from when on
    one takes longer, and how much.
    """

    def __init__(
        self,
        batch_size: int = 16,
        fixed_s: float = 0.05,
        window_s: float = 0.1,
        live_windows: int = LIVE_WINDOWS,
        stalls: dict[float, float] | None = None,
    ) -> None:
        self.now = 0.0
        self.scheduler = Scheduler(batch_size, BatchLimits(live_windows=live_windows))
        self.speakers: list[Speaker] = []
        self.batches: list[tuple[float, list[bool]]] = []
        self._fixed_s, self._window_s = fixed_s, window_s
        self._stalls = dict(stalls or {})

    def speaks(self, sound: Samples, begins_s: float = 0.0) -> Speaker:
        """A session that is fed a sound from a time on, and then ended."""
        number = len(self.speakers)
        queue = AudioQueue(1e9)
        state = ClipState(number, clip(number), queue, FakeLive(clip(number)), Metrics())
        state.priority = Priority.LIVE_FINAL
        self.scheduler.add(state)
        size = round(16_000 * BLOCK_S)
        blocks = [sound[start : start + size] for start in range(0, len(sound), size)]
        session = LiveSession(str(number), queue, lambda: None, lambda: self.now)
        self.speakers.append(Speaker(session, state, blocks, begins_s))
        return self.speakers[-1]

    def add_file(self, state: ClipState) -> None:
        self.scheduler.add(state)

    def run(self, until_s: float, meanwhile: Callable[[], None] = lambda: None) -> None:
        while self.now < until_s:
            self._feed()
            meanwhile()
            batch = self.scheduler.next_batch(self.now)
            self._deliver(self.scheduler.take_events())
            if batch is None:
                self.now += IDLE_S
                continue
            self.batches.append((self.now, [clip.live is not None for clip, _ in batch.members]))
            self._take(self._fixed_s + self._window_s * len(batch.members))
            results = [
                WindowResult(window.fingerprint, Hypothesis((0,), "en", 1.0, 0.0, 0.0))
                for window in batch.windows
            ]
            self._deliver(self.scheduler.complete(batch, results))

    def _take(self, seconds: float) -> None:
        for begins_s in [each for each in self._stalls if each <= self.now]:
            seconds += self._stalls.pop(begins_s)
        end = self.now + seconds
        while self.now < end:  # sound goes on coming in
            self.now = min(end, self.now + IDLE_S)
            self._feed()

    def _feed(self) -> None:
        for speaker in self.speakers:
            due = int((self.now - speaker.begins_s) / BLOCK_S + 1e-6)
            while speaker.fed < min(due, len(speaker.blocks)):
                speaker.session.feed(speaker.blocks[speaker.fed])
                speaker.fed += 1
                if speaker.fed == len(speaker.blocks):
                    speaker.session.end()

    def _deliver(self, events: Sequence[object]) -> None:
        for event in events:
            if not isinstance(event, ClipHeard | ClipDone) or event.number >= len(self.speakers):
                continue
            speaker = self.speakers[event.number]
            speaker.session.put(event)
            if isinstance(event, ClipHeard):
                self._note(speaker, event.events)

    def _note(self, speaker: Speaker, events: Sequence[LiveEvent]) -> None:
        for each in events:
            latency = speaker.session._latency_s(each, self.now)
            if latency is not None:
                speaker.seen.append((self.now, each.type, each.words[-1].end_s, latency))
