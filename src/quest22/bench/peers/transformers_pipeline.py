"""Transformers' speech recognition pipeline, over all clips with a batch size, or one clip."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, cast

from quest22.bench.worker import Loaded, Output, serve
from quest22.bench.workload import Workload
from quest22.records import SAMPLE_RATE_HZ


class Counted:
    """A pipeline whose new tokens and windows are counted as they come."""

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
        if self.pipe.tokenizer.pad_token_id is None:  # it refuses to make batches otherwise
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
        found = self._generate(*args, **kwargs)
        sequences = found["sequences"] if hasattr(found, "keys") else found
        self.tokens += int((sequences < self._end).sum())
        self.windows += len(sequences)
        return found

    def output(self) -> Output:
        counted = Output(self.tokens, self.windows)
        self.tokens = self.windows = 0
        return counted


def load(workload: Workload) -> Loaded:
    """The pipeline, loaded."""
    counted = Counted(workload)
    pieces = workload.pieces()

    def run() -> Output:
        sounds = ({"raw": piece, "sampling_rate": SAMPLE_RATE_HZ} for piece in pieces)
        batch = workload.batch_size or 1
        for _ in counted.pipe(sounds, batch_size=batch, generate_kwargs=counted.options):
            pass
        return counted.output()

    about = f"{version('transformers')}, {workload.compute_type}, batch {workload.batch_size or 1}"
    return run, about


if __name__ == "__main__":
    serve(load)
