"""Log-mel features, as Whisper was trained on them. Knows nothing of files or models.

The reference is ``WhisperFeatureExtractor`` of Transformers (and ``log_mel_spectrogram`` of
openai/whisper): a 400-sample periodic Hann window every 160 samples, reflected edges, power
spectrum, Slaney mel filters, log10 clamped at 1e-10, at most 8 below the window's maximum.

:func:`log10_mel` is plain NumPy; :class:`LogMel` computes the same fast.
"""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from quest22.env import silence_telemetry
from quest22.errors import EngineError
from quest22.native.library import address, open_library
from quest22.records import HOP_SAMPLES, SAMPLE_RATE_HZ, WINDOW_SAMPLES, Samples
from quest22.system.forks import kept_in_children
from quest22.system.machine import quota_cores
from quest22.system.openvino_core import openvino_core

FFT_SAMPLES = 400
FLOOR = -10.0
CHUNK_FRAMES = 500
FRAMES = WINDOW_SAMPLES // HOP_SAMPLES
EDGE = FFT_SAMPLES // 2

Features = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class MelTables:
    """The Hann window ``[400]`` and the mel filters ``[n_mels, 201]``."""

    window: Features
    filters: Features


def _hz_to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's scale: linear below 1 kHz, logarithmic above (Auditory Toolbox, 1998)."""
    linear = hz * 3.0 / 200.0
    logarithmic = 15.0 + np.log(np.maximum(hz, 1e-10) / 1000.0) * 27.0 / np.log(6.4)
    return np.where(hz < 1000.0, linear, logarithmic)


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = mel * 200.0 / 3.0
    logarithmic = 1000.0 * np.exp(np.log(6.4) / 27.0 * (mel - 15.0))
    return np.where(mel < 15.0, linear, logarithmic)


@lru_cache(maxsize=4)
def mel_filters(n_mels: int) -> Features:
    """Triangular filters of equal area, ``[n_mels, 201]``."""
    top = _hz_to_mel(np.array([SAMPLE_RATE_HZ / 2]))[0]
    corners = _mel_to_hz(np.linspace(0.0, top, n_mels + 2))
    bins = np.linspace(0.0, SAMPLE_RATE_HZ / 2, FFT_SAMPLES // 2 + 1)
    widths = np.diff(corners)
    slopes = corners[:, None] - bins[None, :]
    rising = -slopes[:-2] / widths[:-1, None]
    falling = slopes[2:] / widths[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    area = 2.0 / (corners[2:] - corners[:-2])
    filters = (triangles * area[:, None]).astype(np.float32)
    filters.setflags(write=False)
    return filters


@lru_cache(maxsize=1)
def hann_window() -> Features:
    """The periodic Hann window, ``[400]``."""
    phase = 2.0 * np.pi * np.arange(FFT_SAMPLES) / FFT_SAMPLES
    return (0.5 - 0.5 * np.cos(phase)).astype(np.float32)


def log10_mel(samples: Samples, n_mels: int = 80) -> Features:
    """Log10 of mel power, ``[n_mels, samples // 160]``, before the clamp to the maximum.

    In plain NumPy: for training, and to compare :class:`LogMel` with.
    """
    padded = np.pad(samples, FFT_SAMPLES // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, FFT_SAMPLES)[::HOP_SAMPLES]
    spectrum = np.fft.rfft(frames[: len(samples) // HOP_SAMPLES] * hann_window(), axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    mel: Features = mel_filters(n_mels) @ power.T
    logarithm: Features = np.log10(np.maximum(mel, np.float32(10.0**FLOOR)))
    return logarithm


def normalize(log10_power: Features, out: Features | None = None) -> Features:
    """Clamp to 8 below the maximum and scale to about −1…1, as Whisper expects; into ``out``."""
    clamped: Features = np.maximum(log10_power, log10_power.max() - np.float32(8.0), out=out)
    clamped += np.float32(4.0)
    clamped *= np.float32(0.25)
    return clamped


class LogMel:
    """Computes features fast; a thread-safe :class:`quest22.protocols.FeatureExtractor`.

    Runs in the native library if there is one,
    else on OpenVINO's threads, as the engine does: NumPy's matrix products would leave spinning
    threads behind that slow the engine down.
    """

    def __init__(self, n_mels: int, threads: int | None = None) -> None:
        """``threads`` is for OpenVINO; None lets it choose, within a quota."""
        library = open_library()
        tables = MelTables(hann_window(), mel_filters(n_mels))
        self._transform: MelBackend = (
            NativeMel(library, tables) if library else GraphMel(tables, threads)
        )
        self._n_mels = n_mels

    def __call__(self, samples: Samples) -> Features:
        """Features of one window of up to 30 s, padded with silence: ``[n_mels, 3000]``."""
        padded = _reflect_padded(samples)
        features = np.full((self._n_mels, FRAMES), FLOOR, np.float32)
        self._transform(padded, features[:, : _frames_with_samples(len(samples))])
        return normalize(features, features)

    def frames(self, padded: Samples) -> Features:
        """Log10 of mel power of every 400 samples, 160 apart: ``[n_mels, frames]``."""
        count = max((len(padded) - FFT_SAMPLES) // HOP_SAMPLES + 1, 0)
        features = np.empty((self._n_mels, count), np.float32)
        self._transform(padded, features)
        return features


def _reflect_padded(samples: Samples) -> Samples:
    """The samples padded with silence and reflected edges, ``[480400]``; one copy."""
    edge = FFT_SAMPLES // 2
    padded = np.zeros(WINDOW_SAMPLES + 2 * edge, np.float32)
    window = padded[edge:-edge]
    window[: len(samples)] = samples[:WINDOW_SAMPLES]
    padded[:edge] = window[edge:0:-1]
    padded[-edge:] = window[-2 : -edge - 2 : -1]
    return padded


def _frames_with_samples(samples: int) -> int:
    """Frames that overlap the samples; later ones are silence and need no transform."""
    return min(FRAMES, -(-(samples + FFT_SAMPLES // 2) // HOP_SAMPLES))


class LogMelStream:
    """The frames of a clip as its blocks arrive: a :class:`quest22.protocols.FrameStream`.

    openai/whisper computes the features of a whole recording, followed by 30 s of silence, and cuts
    windows out of them. This gives the same frames block by block: a frame that extends past a
    block waits for the next one. Normalisation needs the loudest frame and is left to the caller.
    Holds a few seconds of audio.
    """

    def __init__(self, mel: LogMel) -> None:
        self._mel = mel
        self._pending = np.empty(0, np.float32)
        self._started = False
        self._samples = 0
        self._frames = 0

    def feed(self, samples: Samples) -> Features:
        self._samples += len(samples)
        self._append(samples)
        complete = max(len(self._pending) - FFT_SAMPLES + HOP_SAMPLES, 0) // HOP_SAMPLES
        return self._take(complete // CHUNK_FRAMES * CHUNK_FRAMES if self._started else 0)

    def flush(self) -> Features:
        self._append(np.zeros(2 * FFT_SAMPLES, np.float32))
        return self._take(self._samples // HOP_SAMPLES - self._frames)

    def _append(self, samples: Samples) -> None:
        self._pending = np.concatenate([self._pending, samples])
        if not self._started and len(self._pending) > EDGE:
            reflected = self._pending[EDGE:0:-1]
            self._pending = np.concatenate([reflected, self._pending])
            self._started = True

    def _take(self, count: int) -> Features:
        """The next ``count`` frames; drops the samples that later frames do not need."""
        self._frames += count
        reach = (count - 1) * HOP_SAMPLES + FFT_SAMPLES
        features = self._mel.frames(self._pending[:reach])
        self._pending = self._pending[count * HOP_SAMPLES :]
        return features


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
        # On machines with bfloat16, float32 is not the default.
        properties: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        if threads := threads or quota_cores():
            properties["INFERENCE_NUM_THREADS"] = threads
        compiled = openvino_core().compile_model(_chunk_graph(tables), "CPU", properties)
        self._request = kept_in_children(compiled.create_infer_request())
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
