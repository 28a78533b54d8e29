"""Whisper independent of any device: windows in, hypotheses out.

Encodes and decodes batches, in parts where a backend has no room for all of them; knows when text
is doubtful, when memory has run out, and whose turn it is. Knows nothing of clips and files, nor of
how a backend computes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from weakref import WeakValueDictionary

import numpy as np

from quest22.checkpoint.load import Checkpoint
from quest22.decoding.alignment import MEL_FRAMES_A_FRAME, AlignmentInput
from quest22.decoding.audio_context import context_frames, is_doubtful, token_limit
from quest22.decoding.language_detection import DetectedLanguage
from quest22.decoding.token_decoders import DecodeResult
from quest22.engine.backend import (
    Backend,
    CrossKV,
    DecodeFlow,
    Features,
    SmallerBatchError,
    explain,
)
from quest22.engine.requests import Requests
from quest22.errors import EngineError, UsageError
from quest22.metrics import Metrics
from quest22.protocols import FeatureExtractor
from quest22.records import DecodingOptions, Hypothesis, Window


@dataclass(eq=False)
class EncodedBatch:
    """A batch that is encoded, and decoded once it is finished or its room is needed.

    Where memory does not hold all of it, it is encoded later, in parts (``cross_kv`` of None).
    ``outcome`` is what decoding gave, until :meth:`WhisperEngine.finish` takes it.
    """

    number: int
    windows: Sequence[Window]
    cross_kv: CrossKV | None
    outcome: list[Hypothesis] | Exception | None = None
    finished: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Encoded windows of a batch, and their rows in it."""

    rows: Sequence[int]
    windows: Sequence[Window]
    cross_kv: CrossKV


class WhisperEngine:
    """A Whisper checkpoint on a backend. See :class:`quest22.protocols.Engine`.

    Safe to share between threads, which take turns: a backend has one set of caches, and one batch
    computes at a time.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        backend: Backend,
        features: FeatureExtractor,
        metrics: Metrics,
    ) -> None:
        self.backend_name, self.device = backend.name, backend.device_type
        self.compute_type = backend.compute_type
        self.batch_size = backend.batch_size
        self.batches_in_flight = backend.batches_in_flight
        self._backend = backend
        self._at_once = backend.windows_at_once  # fewer once memory has run out
        self._features = features
        self._weights, self._weights_checked = checkpoint.weights, False
        self._all_frames = checkpoint.dimensions.max_source_positions
        self._metrics = metrics
        self._tokens = checkpoint.tokens
        self._requests = Requests(checkpoint)
        self._turn = threading.RLock()
        self._numbers = count()
        self._begun: WeakValueDictionary[int, EncodedBatch] = WeakValueDictionary()
        self._closed = False

    def same_in_any_batch(self, windows: Sequence[Window]) -> bool:
        """See :class:`quest22.protocols.Engine`; alignments are computed for several windows."""
        return self._backend.same_in_any_batch and not any(each.decoding.words for each in windows)

    def run(self, windows: Sequence[Window]) -> list[Hypothesis]:
        """Transcribe up to ``batch_size`` windows, in order; see :class:`quest22.protocols.Engine`.

        Raises :class:`EngineError` if inference fails or samples are not finite, and
        :class:`UsageError` if a window requests what the checkpoint does not support.
        """
        with self._turn:
            return self.finish(self.begin(windows))

    def begin(self, windows: Sequence[Window]) -> EncodedBatch:
        """Encode windows, which :meth:`finish` decodes; raises as :meth:`run` does.

        At most ``batches_in_flight`` batches are encoded and not decoded. Where others fill that
        room, the oldest of them is decoded now, and its :meth:`finish` gives what came of it.
        """
        with self._turn:
            self._check(windows)
            self._make_room()
            with self._errors_explained():
                cross_kv = self._encode_together(windows) if windows else None
            batch = EncodedBatch(next(self._numbers), list(windows), cross_kv)
            self._begun[batch.number] = batch
            return batch

    def finish(self, ticket: EncodedBatch) -> list[Hypothesis]:
        """Decode the windows of a batch; hypotheses come in their order. Raises as :meth:`run`."""
        with self._turn:
            if ticket.finished:
                raise RuntimeError("this batch is finished already: begin another one")
            ticket.finished = True
            outcome = self._decode_begun(ticket) if ticket.outcome is None else ticket.outcome
            ticket.outcome = None
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def abandon(self, ticket: EncodedBatch) -> None:
        """Forget a batch, which takes no room from now on."""
        with self._turn:
            self._begun.pop(ticket.number, None)
            ticket.finished = True

    def close(self) -> None:
        """Release the device's memory. The engine cannot be used again."""
        with self._turn:
            self._closed = True
            self._backend.close()

    def _make_room(self) -> None:
        while len(self._begun) >= self.batches_in_flight:
            oldest = self._begun.get(min(self._begun.keys(), default=-1))
            if oldest is not None:  # else it was dropped just now, and has left its room
                oldest.outcome = EngineError("the batch was interrupted: run its windows again")
                oldest.outcome = self._decode_begun(oldest)

    def _decode_begun(self, batch: EncodedBatch) -> list[Hypothesis] | Exception:
        """Decode a batch, which takes no room from now on."""
        self._begun.pop(batch.number, None)
        try:
            self._check_open()
            with self._errors_explained():
                return self._hear(batch) if batch.windows else []
        except Exception as error:
            return error

    def _hear(self, batch: EncodedBatch) -> list[Hypothesis]:
        """Decode a batch; encode and decode windows again in full if their text is doubtful."""
        hypotheses = self._decode(batch.windows, batch.cross_kv)
        doubtful = [
            row
            for row, window in enumerate(batch.windows)
            if self._is_shortened(window) and self._is_doubtful(window, hypotheses[row])
        ]
        if doubtful:
            again = [_in_full(batch.windows[row]) for row in doubtful]
            heard = self._decode(again, self._encode_together(again))
            for row, hypothesis in zip(doubtful, heard, strict=True):
                hypotheses[row] = hypothesis
        return hypotheses

    def _is_doubtful(self, window: Window, hypothesis: Hypothesis) -> bool:
        search = window.decoding.search
        threshold = search.greedy_logprob if search.beams_in_full else None
        if threshold is not None and hypothesis.avg_logprob < threshold:
            return True
        text = [token for token in hypothesis.tokens if token < self._tokens.eot]
        return is_doubtful(window, self._tokens.decode(text), len(hypothesis.tokens))

    @contextmanager
    def _errors_explained(self) -> Iterator[None]:
        try:
            yield
        except EngineError:
            if not self._weights_checked:  # each clip would fail alike
                self._weights_checked = True
                self._weights.check_finite()
            raise
        except (RuntimeError, MemoryError) as exc:
            what = f"the {self._backend.name} engine could not run the model"
            raise EngineError(explain(what, exc)) from exc

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError("the model is closed: load it again to transcribe more")

    def _check(self, windows: Sequence[Window]) -> None:
        self._check_open()
        if len(windows) > self.batch_size:
            raise EngineError(
                f"{len(windows)} windows in one call: expected at most {self.batch_size}"
            )
        for window in windows:
            if not np.isfinite(window.samples).all():
                raise EngineError(
                    f"the sound from {window.start_s:.1f} s on holds values that are not finite: "
                    "expected samples between -1 and 1"
                )

    def _encode_together(self, windows: Sequence[Window]) -> CrossKV | None:
        """None where memory does not hold all of them."""
        if len(windows) > self._at_once:
            return None
        try:
            return self._encode(windows)
        except SmallerBatchError as error:
            self._take_fewer(error)
            return None

    def _encode(self, windows: Sequence[Window], flow: DecodeFlow | None = None) -> CrossKV:
        """Encode windows. Only one of ``features`` and ``encoder`` is timed at any moment."""
        with ExitStack() as encoder:

            def extract(window: Window) -> Features:
                encoder.close()
                with self._metrics.time("features"):
                    features = self._window_features(window)
                encoder.enter_context(self._metrics.time("encoder"))
                return features

            return (flow or self._backend).encode([partial(extract, window) for window in windows])

    def _window_features(self, window: Window) -> Features:
        """A window's features, of the whole window or of its audio context."""
        features = window.features
        if features is None:
            features = shift_features(self._features(window.samples), window.skip_frames)
        if not self._is_shortened(window):
            return features
        frames = context_frames(window, self._all_frames)
        return np.ascontiguousarray(features[:, : MEL_FRAMES_A_FRAME * frames])

    def _is_shortened(self, window: Window) -> bool:
        """Whether less than the whole window is encoded."""
        shorter = context_frames(window, self._all_frames) < self._all_frames
        return shorter and self._backend.shortens_context

    def _decode(self, windows: Sequence[Window], cross_kv: CrossKV | None) -> list[Hypothesis]:
        """Decode windows: together if they are encoded, else in parts that memory holds.

        Where memory runs out on the way, windows that are decoded are not decoded again.
        """
        found: dict[int, Hypothesis] = {}
        left = list(range(len(windows)))
        if cross_kv is None:
            left = self._decode_in_flow(windows, left, found)
        rows = left
        while left:
            if cross_kv is None:
                rows = ([row for row in left if row not in found] or left)[: self._at_once]
            part = [windows[row] for row in rows]
            try:
                if cross_kv is None:
                    cross_kv = self._encode(part)
                if rows[0] not in found:
                    self._decode_part(rows, part, cross_kv, found)
                self._add_alignments(rows, part, cross_kv, found)
                done = set(rows)
            except SmallerBatchError as error:
                self._take_fewer(error)
                done = {row for row in rows if row in found and not windows[row].decoding.words}
            left = [row for row in left if row not in done]
            cross_kv = None
        return [found[row] for row in range(len(windows))]

    def _decode_in_flow(
        self, windows: Sequence[Window], rows: Sequence[int], found: dict[int, Hypothesis]
    ) -> list[int]:
        """Decode what the backend takes in parts that follow one another; the rows that are left.

        Those have other searches, or are decoded already and lack their alignment.
        """
        left = list(rows)
        while (flow := self._backend.open_flow()) is not None:
            options = {row: self._options(windows[row]) for row in left if row not in found}
            todo = [
                row for row, of in options.items() if flow.takes(self._requests.of_any_language(of))
            ]
            if not todo:
                break
            try:
                for part in self._parts_in_flow(flow, windows, todo, found):
                    self._add_alignments(part.rows, part.windows, part.cross_kv, found)
                    flow.release(part.cross_kv)
                    left = [row for row in left if row not in part.rows]
            except SmallerBatchError as error:
                self._take_fewer(error)
                left = [row for row in left if row not in found or windows[row].decoding.words]
        return left

    def _parts_in_flow(
        self,
        flow: DecodeFlow,
        windows: Sequence[Window],
        rows: Sequence[int],
        found: dict[int, Hypothesis],
    ) -> Iterator[_Part]:
        """Parts of some windows as they are decoded, with their hypotheses in ``found``."""
        begun: dict[CrossKV, _Part] = {}
        first = 0
        while first < len(rows) or begun:
            some = rows[first : first + min(flow.part_size, self._at_once)]
            if some and len(some) <= flow.room:
                first += len(some)
                part = self._begin_part(flow, some, [windows[row] for row in some], found)
                begun[part.cross_kv] = part
                continue
            with self._metrics.time("decoder"):
                cross_kv = flow.collect()
            yield begun.pop(cross_kv)

    def _begin_part(
        self,
        flow: DecodeFlow,
        rows: Sequence[int],
        windows: Sequence[Window],
        found: dict[int, Hypothesis],
    ) -> _Part:
        cross_kv = self._encode(windows, flow)
        options = [self._options(window) for window in windows]
        with self._metrics.time("decoder"):
            languages = self._languages(cross_kv, options)
            requests = self._requests.of(options, languages)

        def on_result(place: int, result: DecodeResult) -> None:
            self._metrics.count("tokens", len(result.tokens))
            found[rows[place]] = self._requests.hypothesis(options[place], result, languages[place])

        flow.submit(cross_kv, requests, on_result)
        return _Part(rows, windows, cross_kv)

    def _languages(
        self, cross_kv: CrossKV, options: Sequence[DecodingOptions]
    ) -> list[DetectedLanguage]:
        return self._requests.languages(
            options, lambda tokens: self._backend.language_logits(cross_kv, tokens)
        )

    def _take_fewer(self, error: SmallerBatchError) -> None:
        if error.windows >= self._at_once:  # nothing would change
            raise error
        self._at_once = error.windows

    def _decode_part(
        self,
        rows: Sequence[int],
        windows: Sequence[Window],
        cross_kv: CrossKV,
        found: dict[int, Hypothesis],
    ) -> None:
        """Add the hypotheses of encoded windows, by their rows; of some before an error, too."""
        options = [self._options(window) for window in windows]
        finished: Mapping[int, DecodeResult] = {}
        languages: list[DetectedLanguage] = []
        try:
            with self._metrics.time("decoder"):
                languages = self._languages(cross_kv, options)
                requests = self._requests.of(options, languages)
                finished = dict(enumerate(self._backend.decode(cross_kv, requests)))
        except SmallerBatchError as error:
            finished = error.finished
            raise
        finally:
            self._metrics.count("tokens", sum(len(each.tokens) for each in finished.values()))
            for place, result in finished.items():
                found[rows[place]] = self._requests.hypothesis(
                    options[place], result, languages[place]
                )

    def _options(self, window: Window) -> DecodingOptions:
        """A window's options; a text that becomes doubtful by its length ends there."""
        options = window.decoding
        if options.temperature > 0:
            seed = (*options.search.seed, window.sound_hash)
            options = replace(options, search=replace(options.search, seed=seed))
        if not self._is_shortened(window):
            return options
        most = token_limit(window) + 1
        search = options.search
        if search.greedy_logprob is not None and search.beams_in_full:  # beams come later
            search = replace(search, beam_size=1)
        limit = min(options.max_new_tokens or most, most)
        return replace(options, max_new_tokens=limit, search=search)

    def _add_alignments(
        self,
        rows: Sequence[int],
        windows: Sequence[Window],
        cross_kv: CrossKV,
        found: dict[int, Hypothesis],
    ) -> None:
        """Add alignments to the hypotheses of encoded windows that request words."""
        timed = [place for place, window in enumerate(windows) if window.decoding.words]
        if not timed:
            return
        inputs = [
            AlignmentInput.of(place, windows[place], found[rows[place]], self._tokens)
            for place in timed
        ]
        with self._metrics.time("alignment"):
            alignments = self._backend.align(cross_kv, inputs)
        for place, each, alignment in zip(timed, inputs, alignments, strict=True):
            hypothesis = found[rows[place]]
            found[rows[place]] = replace(hypothesis, alignment=each.of_hypothesis(alignment))


def _in_full(window: Window) -> Window:
    """The window with all of its context, and with beams at once if it has any."""
    search = replace(window.decoding.search, greedy_logprob=None)
    return replace(window, decoding=replace(window.decoding, audio_context="full", search=search))


def shift_features(features: Features, frame: int) -> Features:
    """Features from a frame on, ``[mel bins, frames]``, with zeros at the end.

    As in Transformers' ``generate``, which continues a window from where the model stopped.
    """
    if not frame:
        return features
    shifted = np.zeros_like(features)
    shifted[:, : features.shape[1] - frame] = features[:, frame:]
    return shifted
