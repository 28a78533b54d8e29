"""Log10 mel power of frames, in the native library or as an OpenVINO graph.

Knows frames, but neither windows of 30 s nor the normalisation that models expect.
"""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from quest22.env import silence_telemetry
from quest22.errors import EngineError
from quest22.native.arrays import address
from quest22.records import Samples

FFT_SAMPLES = 400
HOP_SAMPLES = 160
FLOOR = -10.0
CHUNK_FRAMES = 500

Features = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class MelTables:
    """The Hann window ``[400]`` and the mel filters ``[n_mels, 201]``."""

    window: Features
    filters: Features


class MelBackend(Protocol):
    """Computes log10 mel power; may be called by several threads."""

    def __call__(self, samples: Samples, features: Features) -> None:
        """Fill ``features [n_mels, frames]``; frame t starts at sample 160 t; zeros follow the end.

        The last axis of ``features`` must be contiguous.
        """
        ...


class NativeMel:
    """The native library's transform, see ``log_mel.h``."""

    def __init__(self, library: ctypes.CDLL, tables: MelTables) -> None:
        angles = -2.0 * np.pi * np.arange(FFT_SAMPLES) / FFT_SAMPLES
        roots = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
        self._library = library
        self._arrays = [
            np.ascontiguousarray(each, np.float32)
            for each in (tables.window, roots, tables.filters)
        ]
        shapes = (FFT_SAMPLES,), roots.shape, (len(tables.filters), FFT_SAMPLES // 2 + 1)
        self._tables = np.array(
            [
                address(array, np.float32, shape)
                for array, shape in zip(self._arrays, shapes, strict=True)
            ],
            np.uintp,
        )

    def __call__(self, samples: Samples, features: Features) -> None:
        mels, frames = features.shape
        if mels != len(self._arrays[2]):
            raise EngineError(f"features have {mels} mel bins: expected {len(self._arrays[2])}")
        address(features[0], np.float32, (frames,))
        contiguous = np.ascontiguousarray(samples, np.float32)
        self._library.quest22_log_mel(
            self._tables.ctypes.data,
            mels,
            contiguous.ctypes.data,
            len(contiguous),
            frames,
            features.ctypes.data,
            features.strides[0] // features.itemsize,
        )


class GraphMel:
    """An OpenVINO graph, 500 frames a call."""

    def __init__(self, tables: MelTables, threads: int | None) -> None:
        silence_telemetry()
        import openvino as ov

        # On machines with bfloat16, float32 is not the default.
        properties: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        if threads is not None:
            properties["INFERENCE_NUM_THREADS"] = threads
        compiled = ov.Core().compile_model(_chunk_graph(tables), "CPU", properties)
        self._request = compiled.create_infer_request()
        self._lock = threading.Lock()

    def __call__(self, samples: Samples, features: Features) -> None:
        count = features.shape[1]
        whole = -(-count // CHUNK_FRAMES) * CHUNK_FRAMES + 2
        rows = np.zeros(whole * HOP_SAMPLES, np.float32)
        known = min(len(samples), len(rows))
        rows[:known] = samples[:known]
        rows = rows.reshape(-1, HOP_SAMPLES)
        for start in range(0, count, CHUNK_FRAMES):
            with self._lock:
                self._request.infer({0: rows[start : start + CHUNK_FRAMES + 2]}, share_inputs=True)
                mel = self._request.get_output_tensor(0).data
                features[:, start : start + CHUNK_FRAMES] = mel[:, : count - start]


def _chunk_graph(tables: MelTables) -> Any:
    """Log10 mel power of 500 frames as an OpenVINO model: ``[502, 160]`` → ``[n_mels, 500]``.

    Two and a half rows of 160 samples make a frame. The window is symmetric, so the transform
    needs sums (for cosines) and differences (for sines) of samples n and 400 − n only.
    """
    import openvino as ov
    from openvino import opset15 as op

    half = FFT_SAMPLES // 2
    rows = op.parameter([CHUNK_FRAMES + 2, HOP_SAMPLES], ov.Type.f32)
    frames = _frames(rows)
    trailing = op.gather(frames, op.constant(np.arange(FFT_SAMPLES - 1, half, -1)), op.constant(1))
    leading = _slice(frames, (0, CHUNK_FRAMES), (1, half))
    middle = _slice(frames, (0, CHUNK_FRAMES), (half, half + 1))
    cosines, sines = _fourier(tables.window)
    sums = op.concat([op.add(leading, trailing), middle], 1)
    real = op.matmul(sums, op.constant(cosines), False, False)
    imaginary = op.matmul(op.subtract(leading, trailing), op.constant(sines), False, False)
    power = op.add(op.multiply(real, real), op.multiply(imaginary, imaginary))
    mel = op.matmul(op.constant(tables.filters), power, False, True)
    natural = op.log(op.maximum(mel, np.float32(10.0**FLOOR)))
    decimal = op.multiply(natural, np.float32(1.0 / np.log(10.0)))
    return ov.Model([op.result(decimal)], [rows], "log_mel")


def _frames(rows: Any) -> Any:
    """Frame t is rows t, t + 1 and the first half of t + 2: ``[500, 400]``."""
    from openvino import opset15 as op

    rest = FFT_SAMPLES - 2 * HOP_SAMPLES
    widths = (HOP_SAMPLES, HOP_SAMPLES, rest)
    parts = [_slice(rows, (t, t + CHUNK_FRAMES), (0, width)) for t, width in enumerate(widths)]
    return op.concat(parts, 1)


def _slice(matrix: Any, rows: tuple[int, int], columns: tuple[int, int]) -> Any:
    from openvino import opset15 as op

    start, stop = np.array([rows[0], columns[0]]), np.array([rows[1], columns[1]])
    return op.slice(matrix, start, stop, np.array([1, 1]), np.array([0, 1]))


def _fourier(hann: Features) -> tuple[Features, Features]:
    """The windowed Fourier transform for samples 1…200 and 1…199: cosines and sines by bin."""
    bins = np.arange(FFT_SAMPLES // 2 + 1)
    samples = np.arange(1, FFT_SAMPLES // 2 + 1)[:, None]
    angles = 2.0 * np.pi * samples * bins / FFT_SAMPLES
    window = hann.astype(np.float64)[1 : FFT_SAMPLES // 2 + 1, None]
    cosines = (np.cos(angles) * window).astype(np.float32)
    sines = (np.sin(angles) * window).astype(np.float32)
    return cosines, sines[:-1]
