"""Log-mel features, as Whisper was trained on them. Knows nothing of files or models.

The reference is ``WhisperFeatureExtractor`` of Transformers (and ``log_mel_spectrogram`` of
openai/whisper): a 400-sample periodic Hann window every 160 samples, reflected edges, power
spectrum, Slaney mel filters, log10 clamped at 1e-10, at most 8 below the window's maximum.

:func:`log_mel` says it in NumPy, plainly; :class:`LogMel` does the same fast for an engine.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quest22.records import SAMPLE_RATE_HZ, WINDOW_SAMPLES, Samples
from quest22.settings import silence_telemetry

FFT_SAMPLES = 400
HOP_SAMPLES = 160
FRAMES = WINDOW_SAMPLES // HOP_SAMPLES
FLOOR = -10.0
CHUNK_FRAMES = 500

Features = NDArray[np.float32]


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
    """Log10 of mel power, ``[n_mels, samples // 160]``, before the clamp to the maximum."""
    padded = np.pad(samples, FFT_SAMPLES // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, FFT_SAMPLES)[::HOP_SAMPLES]
    spectrum = np.fft.rfft(frames[: len(samples) // HOP_SAMPLES] * hann_window(), axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    mel: Features = mel_filters(n_mels) @ power.T
    logarithm: Features = np.log10(np.maximum(mel, np.float32(10.0**FLOOR)))
    return logarithm


def normalize(log10_power: Features) -> Features:
    """Clamp to 8 below the maximum and bring to about −1…1, as Whisper expects."""
    clamped: Features = np.maximum(log10_power, log10_power.max() - np.float32(8.0))
    clamped += np.float32(4.0)
    clamped /= np.float32(4.0)
    return clamped


def log_mel(samples: Samples, n_mels: int = 80) -> Features:
    """Features of one window of up to 30 s, padded with silence: ``[n_mels, 3000]``."""
    return normalize(log10_mel(_window(samples), n_mels))


def _window(samples: Samples) -> Samples:
    """The samples with silence after them, ``[480000]``."""
    window = np.zeros(WINDOW_SAMPLES, np.float32)
    window[: len(samples)] = samples[:WINDOW_SAMPLES]
    return window


class LogMel:
    """Features through OpenVINO; a :class:`quest22.stages.FeatureExtractor`, usable by threads.

    Equals :func:`log_mel` within float32 rounding. Runs on the engine's own threads: NumPy's
    matrix products would leave spinning threads behind that slow the engine down.
    """

    def __init__(self, n_mels: int, threads: int | None = None) -> None:
        silence_telemetry()
        import openvino as ov

        # Float32 is asked for by name: on bfloat16 machines it is not the default.
        properties: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        if threads is not None:
            properties["INFERENCE_NUM_THREADS"] = threads
        compiled = ov.Core().compile_model(_chunk_graph(n_mels), "CPU", properties)
        self._request = compiled.create_infer_request()
        self._n_mels = n_mels
        self._lock = threading.Lock()

    def __call__(self, samples: Samples) -> Features:
        """Features of one window of up to 30 s, padded with silence: ``[n_mels, 3000]``."""
        padded = np.pad(_window(samples), FFT_SAMPLES // 2, mode="reflect")
        features = np.full((self._n_mels, FRAMES), FLOOR, np.float32)
        self._transform(padded, features[:, : _sounding_frames(len(samples))])
        return normalize(features)

    def frames(self, padded: Samples) -> Features:
        """Log10 of mel power of every 400 samples, 160 apart: ``[n_mels, frames]``."""
        count = max((len(padded) - FFT_SAMPLES) // HOP_SAMPLES + 1, 0)
        features = np.empty((self._n_mels, count), np.float32)
        self._transform(padded, features)
        return features

    def _transform(self, padded: Samples, features: Features) -> None:
        """Fill ``features [n_mels, frames]``; frame t begins at sample 160 t of ``padded``."""
        count = features.shape[1]
        whole = -(-count // CHUNK_FRAMES) * CHUNK_FRAMES + 2
        rows = np.zeros(whole * HOP_SAMPLES, np.float32)
        known = min(len(padded), len(rows))
        rows[:known] = padded[:known]
        rows = rows.reshape(-1, HOP_SAMPLES)
        for start in range(0, count, CHUNK_FRAMES):
            with self._lock:
                self._request.infer({0: rows[start : start + CHUNK_FRAMES + 2]}, share_inputs=True)
                made = self._request.get_output_tensor(0).data
                features[:, start : start + CHUNK_FRAMES] = made[:, : count - start]


def _sounding_frames(samples: int) -> int:
    """Frames that touch the samples; those after hold silence only and need no transform."""
    return min(FRAMES, -(-(samples + FFT_SAMPLES // 2) // HOP_SAMPLES))


def _chunk_graph(n_mels: int) -> Any:
    """Log10 mel power of 500 frames as an OpenVINO model: ``[502, 160]`` → ``[n_mels, 500]``.

    Two and a half rows of 160 samples make a frame. The window is symmetric, so the transform
    needs sums (for cosines) and differences (for sines) of samples n and 400 − n only.
    """
    import openvino as ov
    from openvino import opset15 as op

    half = FFT_SAMPLES // 2
    rows = op.parameter([CHUNK_FRAMES + 2, HOP_SAMPLES], ov.Type.f32)
    frames = _frames(rows)
    mirrored = op.gather(frames, op.constant(np.arange(FFT_SAMPLES - 1, half, -1)), op.constant(1))
    ahead = _cut(frames, (0, CHUNK_FRAMES), (1, half))
    middle = _cut(frames, (0, CHUNK_FRAMES), (half, half + 1))
    cosines, sines = _transform()
    sums = op.concat([op.add(ahead, mirrored), middle], 1)
    real = op.matmul(sums, op.constant(cosines), False, False)
    imaginary = op.matmul(op.subtract(ahead, mirrored), op.constant(sines), False, False)
    power = op.add(op.multiply(real, real), op.multiply(imaginary, imaginary))
    mel = op.matmul(op.constant(mel_filters(n_mels)), power, False, True)
    natural = op.log(op.maximum(mel, np.float32(10.0**FLOOR)))
    decimal = op.multiply(natural, np.float32(1.0 / np.log(10.0)))
    return ov.Model([op.result(decimal)], [rows], "log_mel")


def _frames(rows: Any) -> Any:
    """Frame t is rows t, t + 1 and the first half of t + 2: ``[500, 400]``."""
    from openvino import opset15 as op

    rest = FFT_SAMPLES - 2 * HOP_SAMPLES
    widths = (HOP_SAMPLES, HOP_SAMPLES, rest)
    parts = [_cut(rows, (t, t + CHUNK_FRAMES), (0, width)) for t, width in enumerate(widths)]
    return op.concat(parts, 1)


def _cut(matrix: Any, rows: tuple[int, int], columns: tuple[int, int]) -> Any:
    from openvino import opset15 as op

    start, stop = np.array([rows[0], columns[0]]), np.array([rows[1], columns[1]])
    return op.slice(matrix, start, stop, np.array([1, 1]), np.array([0, 1]))


def _transform() -> tuple[Features, Features]:
    """The windowed Fourier transform for samples 1…200 and 1…199: cosines and sines by bin."""
    bins = np.arange(FFT_SAMPLES // 2 + 1)
    samples = np.arange(1, FFT_SAMPLES // 2 + 1)[:, None]
    angles = 2.0 * np.pi * samples * bins / FFT_SAMPLES
    window = hann_window().astype(np.float64)[1 : FFT_SAMPLES // 2 + 1, None]
    cosines = (np.cos(angles) * window).astype(np.float32)
    sines = (np.sin(angles) * window).astype(np.float32)
    return cosines, sines[:-1]
