"""faster-whisper: its batched pipeline over clips of one long sound, or its model for one clip.

CTranslate2 counts the prompt into a length and halves it (``max_length / 2`` in its Whisper
replica), so that twice as many tokens are asked for as are wanted.
"""

from __future__ import annotations

from importlib.metadata import version
from itertools import pairwise
from typing import Any

import numpy as np

from quest22.bench.worker import Loaded, Output, serve
from quest22.bench.workload import Workload
from quest22.records import SAMPLE_RATE_HZ

PROMPT_TOKENS = 4


def load(workload: Workload) -> Loaded:
    """The weights through CTranslate2's own converter, then the model."""
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
    pieces = workload.pieces()
    about = f"{version('faster-whisper')}, {workload.compute_type}"
    if workload.manner == "single":
        return lambda: _output(model.transcribe(pieces[0], **options)), f"{about}, sequential"
    pipeline = BatchedInferencePipeline(model)
    ends = np.cumsum([0] + [len(piece) for piece in pieces]) / SAMPLE_RATE_HZ
    options["batch_size"] = workload.batch_size
    options["clip_timestamps"] = [
        {"start": float(start), "end": float(end)} for start, end in pairwise(ends)
    ]
    sound = workload.flat()
    about = f"{about}, batched pipeline, batch {workload.batch_size}"
    return lambda: _output(pipeline.transcribe(sound, vad_filter=False, **options)), about


def _output(answer: Any) -> Output:
    segments = list(answer[0])
    return Output(sum(len(segment.tokens) for segment in segments), len(segments))


def _converted(workload: Workload) -> str:
    from ctranslate2.converters import TransformersConverter

    folder = workload.folder("ctranslate2")
    if not folder.exists():
        copied = ["tokenizer.json", "preprocessor_config.json"]
        TransformersConverter(workload.model, copy_files=copied).convert(str(folder))
    return str(folder)


if __name__ == "__main__":
    serve(load)
