"""How each program is loaded and what it is asked: samples in, texts out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, TypeAlias

from benchmarks.accuracy.systems import Program
from quest22.records import Failure, Samples


@dataclass(frozen=True, slots=True)
class Request:
    """A program to load: the model's folder or name, its options, and the threads it may use."""

    program: Program
    model: str
    options: Mapping[str, Any]
    compute_type: str | None
    batched: bool
    threads: int


Transcribe: TypeAlias = Callable[[Iterable[Samples]], Iterator[str]]
"""Texts of recordings, in order."""

Loaded: TypeAlias = tuple[Transcribe, str]
"""What transcribes, and its version and precision in words."""


def quest22(request: Request) -> Loaded:
    """This product; raises :class:`quest22.errors.UsageError` for options it has not."""
    from quest22 import Transcriber

    options: dict[str, Any] = dict(request.options) | {"threads": request.threads}
    if request.compute_type:
        options["compute_type"] = request.compute_type
    transcriber = Transcriber(request.model, **options)

    def transcribe(recordings: Iterable[Samples]) -> Iterator[str]:
        return (each.text for each in transcriber.transcribe_many(recordings, on_failure=_stop))

    precision = transcriber._pipeline.compute_type
    return transcribe, f"quest22 {version('quest22')}, {precision}"


def _stop(failure: Failure) -> None:
    raise RuntimeError(f"{failure.name}: {failure.stage}: {failure.reason}")


def faster_whisper(request: Request) -> Loaded:
    """faster-whisper's sequential model, or its batched pipeline; one recording at a time."""
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    model = WhisperModel(
        request.model,
        device="cpu",
        compute_type=request.compute_type or "default",
        cpu_threads=request.threads,
    )
    heard = BatchedInferencePipeline(model).transcribe if request.batched else model.transcribe

    def transcribe(recordings: Iterable[Samples]) -> Iterator[str]:
        for samples in recordings:
            segments, _ = heard(samples, **request.options)
            yield "".join(segment.text for segment in segments)

    return transcribe, f"faster-whisper {version('faster-whisper')}, {request.compute_type}"


def openai_whisper(request: Request) -> Loaded:
    """openai/whisper in float32, on the weights that the others have."""
    import torch

    from benchmarks.accuracy.openai_weights import load

    torch.set_num_threads(request.threads)
    model = load(request.model)

    def transcribe(recordings: Iterable[Samples]) -> Iterator[str]:
        for samples in recordings:
            yield model.transcribe(samples, fp16=False, **request.options)["text"]

    return transcribe, f"openai-whisper {version('openai-whisper')}, float32"


PROGRAMS: Mapping[Program, Callable[[Request], Loaded]] = {
    "quest22": quest22,
    "faster-whisper": faster_whisper,
    "openai-whisper": openai_whisper,
}
