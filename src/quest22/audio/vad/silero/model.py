"""Runs the Silero VAD model over a stream of audio; gives probabilities of speech.

The model takes frames of 32 ms, each preceded by the last 4 ms of the previous frame, and carries
an LSTM state. Probabilities equal those of Silero's own ONNX wrapper and of faster-whisper
(``SileroVADModel``), except for the last frame: faster-whisper sets its last 4 ms to zero.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from quest22.errors import EngineError
from quest22.records import VAD_FRAME_SAMPLES, Samples
from quest22.system.forks import kept_in_children
from quest22.system.openvino_core import openvino_core
from quest22.system.shortage import shortage

if TYPE_CHECKING:
    import openvino as ov

CONTEXT_SAMPLES = 64
STATE_SHAPE = (1, 1, 128)
INPUTS, OUTPUTS = ("input", "h", "c"), ("speech_probs", "hn", "cn")
FRAMES_AT_ONCE = 256
"""Frames per call, except at the end: results do not depend on the sizes of blocks."""

Probabilities = NDArray[np.float32]


class SileroModel:
    """The compiled model, shared by all clips; safe to use from several threads, one at a time.

    Raises :class:`EngineError` if OpenVINO cannot compile it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._request = _request(None)
        self._live: _FrameRequest | None = None

    def open(self) -> SpeechProbabilities:
        """Start a new clip."""
        return SpeechProbabilities(self.run, FRAMES_AT_ONCE)

    def open_live(self) -> SpeechProbabilities:
        """Start audio that is still spoken: each frame is judged as soon as it is complete."""
        with self._lock:
            if self._live is None:
                self._live = _FrameRequest()
        return SpeechProbabilities(self.run, 1)

    def run(self, frames: NDArray[np.float32], state: State) -> tuple[Probabilities, State]:
        """``[frames, 576]`` and a state → probabilities ``[frames]`` and the next state."""
        with self._lock:
            if self._live is not None and len(frames) == 1:
                return self._live.run(frames, state)
            results = self._request.infer({"input": frames, "h": state[0], "c": state[1]})
            probabilities, hidden, cell = (np.array(value) for value in results.values())
        return probabilities.ravel(), (hidden, cell)


class _FrameRequest:
    """The model for one frame a call, whose shapes are fixed and whose tensors stay.

    So a call costs 58 µs instead of 169, and gives the same numbers.
    """

    def __init__(self) -> None:
        self._request = _request(1)
        self._frames, *self._state = (self._request.get_tensor(name).data for name in INPUTS)
        self._probabilities, *self._next = (self._request.get_tensor(name).data for name in OUTPUTS)

    def run(self, frames: NDArray[np.float32], state: State) -> tuple[Probabilities, State]:
        self._frames[:] = frames
        for tensor, value in zip(self._state, state, strict=True):
            tensor[:] = value
        self._request.infer()
        hidden, cell = (tensor.copy() for tensor in self._next)
        return self._probabilities.copy(), (hidden, cell)


def _request(frames: int | None) -> ov.InferRequest:
    """The model compiled for calls with so many frames, or with any number."""
    weights = resources.files("quest22.audio.vad.silero").joinpath("silero_vad_v6.onnx")
    properties = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    try:
        core = openvino_core()
        model = core.read_model(weights.read_bytes(), b"")
        if frames is not None:
            model.reshape({"input": [frames, CONTEXT_SAMPLES + VAD_FRAME_SAMPLES]})
        compiled = core.compile_model(model, "CPU", properties)
        return kept_in_children(compiled.create_infer_request())
    except RuntimeError as exc:
        reason = shortage(exc) or str(exc).strip().splitlines()[-1]
        raise EngineError(f"the Silero VAD model cannot be set up: {reason}") from exc


State = tuple[NDArray[np.float32], NDArray[np.float32]]
Run = Callable[[NDArray[np.float32], State], tuple[Probabilities, State]]


class SpeechProbabilities:
    """One clip: blocks of any size in, a probability for each whole frame out.

    The model takes ``frames_at_once`` frames in a call.
    """

    def __init__(self, run: Run, frames_at_once: int) -> None:
        self._run_model = run
        self._block = frames_at_once * VAD_FRAME_SAMPLES
        self._state: State = (np.zeros(STATE_SHAPE, np.float32), np.zeros(STATE_SHAPE, np.float32))
        self._pending = np.zeros(CONTEXT_SAMPLES, np.float32)  # the context and what follows it

    def feed(self, samples: Samples) -> Probabilities:
        """Take the next block, ``[samples]``; return complete frames: ``[frames]``."""
        self._pending = np.concatenate((self._pending, samples))
        block = self._block
        probabilities = []
        while len(self._pending) >= CONTEXT_SAMPLES + block:
            probabilities.append(self._run(self._pending[: CONTEXT_SAMPLES + block]))
            self._pending = self._pending[block:]
        return np.concatenate(probabilities) if probabilities else np.empty(0, np.float32)

    def flush(self) -> Probabilities:
        """The rest, padded with 1 to 512 zeros to a whole frame, as faster-whisper does."""
        rest = len(self._pending) - CONTEXT_SAMPLES
        return self._run(np.pad(self._pending, (0, VAD_FRAME_SAMPLES - rest % VAD_FRAME_SAMPLES)))

    def _run(self, samples: Samples) -> Probabilities:
        length = CONTEXT_SAMPLES + VAD_FRAME_SAMPLES
        if len(samples) == length:
            frames = samples[None]
        else:
            views = np.lib.stride_tricks.sliding_window_view(samples, length)
            frames = np.ascontiguousarray(views[::VAD_FRAME_SAMPLES])
        probabilities, self._state = self._run_model(frames, self._state)
        return probabilities
