"""Transformers' speech recognition pipeline, over all clips with a batch size, or one clip."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, cast

from quest22.bench.worker import LoadedProgram, RunOutput, serve
from quest22.bench.workload import Workload
from quest22.records import SAMPLE_RATE_HZ


class CountingPipeline:
    """A pipeline that counts its new tokens and windows."""

    def __init__(self, workload: Workload) -> None:
        import torch
        from transformers import pipeline

        if workload.threads:
            torch.set_num_threads(workload.threads)
        self.tokens = 0
        self.windows = 0
        loaded = pipeline(
            "automatic-speech-recognition",
            model=workload.model,
            dtype=getattr(torch, workload.compute_type),
            device="cpu",
        )
        self.pipe = cast("Any", loaded)
        self._end = self.pipe.tokenizer.convert_tokens_to_ids("<|endoftext|>")
        if self.pipe.tokenizer.pad_token_id is None:  # it makes no batches without one
            self.pipe.tokenizer.pad_token_id = self._end
        self._generate = self.pipe.model.generate
        self.pipe.model.generate = self._counting
        self.options: dict[str, Any] = {
            "task": "transcribe",
            "language": workload.language,
            "num_beams": 1,
            "do_sample": False,
        }
        if workload.tokens is not None:
            self.options["max_new_tokens"] = workload.tokens

    def _counting(self, *args: Any, **kwargs: Any) -> Any:
        result = self._generate(*args, **kwargs)
        sequences = result["sequences"] if hasattr(result, "keys") else result
        self.tokens += int((sequences < self._end).sum())
        self.windows += len(sequences)
        return result

    def output(self) -> RunOutput:
        counted = RunOutput(self.tokens, self.windows)
        self.tokens = self.windows = 0
        return counted


def load(workload: Workload) -> LoadedProgram:
    """Load the pipeline."""
    counted = CountingPipeline(workload)
    windows = workload.windows()

    def run() -> RunOutput:
        clips = ({"raw": window, "sampling_rate": SAMPLE_RATE_HZ} for window in windows)
        batch = workload.batch_size or 1
        for _ in counted.pipe(clips, batch_size=batch, generate_kwargs=counted.options):
            pass
        return counted.output()

    about = f"{version('transformers')}, {workload.compute_type}, batch {workload.batch_size or 1}"
    return run, about


if __name__ == "__main__":
    serve(load)
