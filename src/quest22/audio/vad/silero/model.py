"""Runs Silero's network over a stream of sound. Knows probabilities, not what is made of them.

The network looks at frames of 32 ms, each with the last 4 ms of the one before, and remembers what
it heard (an LSTM). Probabilities equal those of Silero's own ONNX wrapper and of faster-whisper
(``SileroVADModel``), but for the last frame: faster-whisper sets its last 4 ms to zero.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from quest22.errors import EngineError
from quest22.records import Samples

if TYPE_CHECKING:
    import openvino as ov

FRAME_SAMPLES = 512
CONTEXT_SAMPLES = 64
STATE_SHAPE = (1, 1, 128)
FRAMES_AT_ONCE = 256
"""Always so many, but for the end: what comes out does not depend on how the sound came in."""

Probabilities = NDArray[np.float32]


class SileroModel:
    """The network, compiled once; clips are heard one call after another.

    Raises :class:`EngineError` where OpenVINO cannot take it.
    """

    def __init__(self) -> None:
        import openvino as ov

        weights = resources.files("quest22.audio.vad.silero").joinpath("silero_vad_v6.onnx")
        properties = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
        try:
            core = ov.Core()
            model = core.read_model(weights.read_bytes(), b"")
            self._request: ov.InferRequest = core.compile_model(
                model, "CPU", properties
            ).create_infer_request()
        except RuntimeError as exc:
            reason = str(exc).strip().splitlines()[-1]
            raise EngineError(f"the network that finds speech cannot be set up: {reason}") from exc

    def open(self) -> SpeechProbabilities:
        """A new clip, with nothing heard yet."""
        return SpeechProbabilities(self)

    def run(self, frames: NDArray[np.float32], state: State) -> tuple[Probabilities, State]:
        """``[frames, 576]`` and what was heard before → ``[frames]``, and what is remembered."""
        results = self._request.infer({"input": frames, "h": state[0], "c": state[1]})
        probabilities, hidden, cell = (np.array(value) for value in results.values())
        return probabilities.ravel(), (hidden, cell)


State = tuple[NDArray[np.float32], NDArray[np.float32]]


class SpeechProbabilities:
    """One clip: blocks of any size in, a probability for each whole frame out."""

    def __init__(self, network: SileroModel) -> None:
        self._network = network
        self._state: State = (np.zeros(STATE_SHAPE, np.float32), np.zeros(STATE_SHAPE, np.float32))
        self._waiting = np.zeros(CONTEXT_SAMPLES, np.float32)  # the context and what follows it

    def feed(self, samples: Samples) -> Probabilities:
        """Take the next block, ``[samples]``; give the frames that are due: ``[frames]``."""
        self._waiting = np.concatenate((self._waiting, samples))
        block = FRAMES_AT_ONCE * FRAME_SAMPLES
        found = []
        while len(self._waiting) >= CONTEXT_SAMPLES + block:
            found.append(self._run(self._waiting[: CONTEXT_SAMPLES + block]))
            self._waiting = self._waiting[block:]
        return np.concatenate(found) if found else np.empty(0, np.float32)

    def flush(self) -> Probabilities:
        """The rest, filled up with 1 to 512 zeros to a whole frame, as faster-whisper does."""
        rest = len(self._waiting) - CONTEXT_SAMPLES
        return self._run(np.pad(self._waiting, (0, FRAME_SAMPLES - rest % FRAME_SAMPLES)))

    def _run(self, sound: Samples) -> Probabilities:
        length = CONTEXT_SAMPLES + FRAME_SAMPLES
        frames = np.lib.stride_tricks.sliding_window_view(sound, length)[::FRAME_SAMPLES]
        found, self._state = self._network.run(np.ascontiguousarray(frames), self._state)
        return found
