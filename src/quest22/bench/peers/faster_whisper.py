"""faster-whisper: its batched pipeline over all clips, joined, or its model for a single clip.

CTranslate2 includes the prompt in the maximum length and halves it (``max_length / 2`` in its
Whisper replica), so twice the number of tokens is requested.
"""

from __future__ import annotations

from importlib.metadata import version
from itertools import pairwise
from typing import Any

import numpy as np

from quest22.bench.worker import LoadedProgram, RunOutput, serve
from quest22.bench.workload import Workload
from quest22.records import SAMPLE_RATE_HZ

PROMPT_TOKENS = 4


def load(workload: Workload) -> LoadedProgram:
    """Convert the weights with CTranslate2's own converter, then load them."""
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    model = WhisperModel(
        _converted(workload),
        device="cpu",
        compute_type=workload.compute_type,
        cpu_threads=workload.threads or 0,
    )
    options: dict[str, Any] = {
        "language": workload.language,
        "beam_size": 1,
        "temperature": 0.0,
        "without_timestamps": True,
        "condition_on_previous_text": False,
        "no_speech_threshold": None,
        "log_prob_threshold": None,
        "compression_ratio_threshold": None,
    }
    if workload.tokens is not None:
        options["max_new_tokens"] = 2 * workload.tokens - PROMPT_TOKENS
    windows = workload.windows()
    about = f"{version('faster-whisper')}, {workload.compute_type}"
    if workload.kind == "single":
        return lambda: _output(model.transcribe(windows[0], **options)), f"{about}, sequential"
    pipeline = BatchedInferencePipeline(model)
    ends = np.cumsum([0] + [len(window) for window in windows]) / SAMPLE_RATE_HZ
    options["batch_size"] = workload.batch_size
    options["clip_timestamps"] = [
        {"start": float(start), "end": float(end)} for start, end in pairwise(ends)
    ]
    samples = workload.concatenated()
    about = f"{about}, batched pipeline, batch {workload.batch_size}"
    return lambda: _output(pipeline.transcribe(samples, vad_filter=False, **options)), about


def _output(transcription: Any) -> RunOutput:
    segments = list(transcription[0])
    return RunOutput(sum(len(segment.tokens) for segment in segments), len(segments))


def _converted(workload: Workload) -> str:
    from ctranslate2.converters import TransformersConverter

    folder = workload.folder("ctranslate2")
    if not folder.exists():
        copied = ["tokenizer.json", "preprocessor_config.json"]
        TransformersConverter(workload.model, copy_files=copied).convert(str(folder))
    return str(folder)


if __name__ == "__main__":
    serve(load)
