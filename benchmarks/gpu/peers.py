"""Other programs on the same device, weights and windows; one that is not installed says so."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.gpu.figures import Recorder, seconds
from benchmarks.gpu.sizes import Sizes, checkpoint, synchronize
from quest22.records import WINDOW_S


def transformers(record: Recorder, sizes: Sizes, folder: Path) -> None:
    """``generate`` over batches made by hand, and the pipeline from samples; large-v3-turbo."""
    if find_spec("transformers") is None:
        record("Transformers", 0, "× real time", "not installed")
        return
    from transformers import WhisperForConditionalGeneration

    path = checkpoint(folder, "large-v3-turbo", sizes)
    dtype = getattr(torch, sizes.dtype)
    model: Any = WhisperForConditionalGeneration.from_pretrained(path, dtype=dtype)
    model = model.to(sizes.device).eval()
    for batch in _batches(sizes):
        features = torch.randn(batch, model.config.num_mel_bins, 3000).to(sizes.device, dtype)
        counted: list[int] = []

        def run(given: torch.Tensor = features, counted: list[int] = counted) -> None:
            with torch.inference_mode():
                made = model.generate(
                    given, language="en", task="transcribe", max_new_tokens=sizes.tokens
                )
            counted[:] = [made.shape[1]]
            synchronize(sizes)

        _attempt(record, sizes, f"generate, {batch} at once", batch, run, counted)
    _pipeline(record, sizes, path)


def _pipeline(record: Recorder, sizes: Sizes, path: Path) -> None:
    from transformers import pipeline

    pipe: Any = pipeline(
        "automatic-speech-recognition",
        model=str(path),
        dtype=getattr(torch, sizes.dtype),
        device=sizes.device,
    )
    end = pipe.tokenizer.convert_tokens_to_ids("<|endoftext|>")
    if pipe.tokenizer.pad_token_id is None:
        pipe.tokenizer.pad_token_id = end
    options = {"language": "en", "task": "transcribe", "max_new_tokens": sizes.tokens}
    for batch in _batches(sizes)[-2:]:
        sounds = _noise(2 * batch)

        def run(sounds: list[Any] = sounds, batch: int = batch) -> None:
            clips = ({"raw": sound, "sampling_rate": 16_000} for sound in sounds)
            for _ in pipe(clips, batch_size=batch, generate_kwargs=options):
                pass

        _attempt(record, sizes, f"pipeline, {batch} at once", len(sounds), run, [])


def faster_whisper(record: Recorder, sizes: Sizes, folder: Path) -> None:
    """The batched pipeline; twice the tokens are asked for, since CTranslate2 halves the limit."""
    if find_spec("faster_whisper") is None:
        record("faster-whisper", 0, "× real time", "not installed")
        return
    from ctranslate2.converters import TransformersConverter
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    path, converted = checkpoint(folder, "large-v3-turbo", sizes), folder / "ctranslate2"
    if not converted.exists():
        files = ["tokenizer.json", "preprocessor_config.json"]
        TransformersConverter(str(path), copy_files=files).convert(str(converted))
    device = "cpu" if sizes.toy else "cuda"
    kind = "float32" if sizes.toy else "float16"
    pipeline = BatchedInferencePipeline(WhisperModel(str(converted), device, compute_type=kind))
    for batch in (_batches(sizes)[0] // 4 or 1, _batches(sizes)[0]):
        count = 2 * batch
        sound = np.concatenate(_noise(count))
        spans = [{"start": WINDOW_S * i, "end": WINDOW_S * (i + 1)} for i in range(count)]
        counted: list[int] = []

        def run(
            sound: Any = sound, spans: Any = spans, batch: int = batch, into: list[int] = counted
        ) -> None:
            segments, _ = pipeline.transcribe(
                sound,
                language="en",
                beam_size=1,
                temperature=0.0,
                without_timestamps=True,
                condition_on_previous_text=False,
                vad_filter=False,
                batch_size=batch,
                clip_timestamps=spans,
                max_new_tokens=2 * sizes.tokens - 4,
            )
            into[:] = [len(segment.tokens) for segment in segments]

        _attempt(record, sizes, f"batched, {batch} at once", count, run, counted)


def _attempt(
    record: Recorder,
    sizes: Sizes,
    name: str,
    windows: int,
    run: Callable[[], None],
    counted: list[int],
) -> None:
    """Time a run; one that fails has a value of 0 and says why."""
    try:
        took_s = seconds(run, sizes.rounds)
    except Exception as error:
        lines = str(error).splitlines() or [""]
        record(name, 0, "× real time", f"{type(error).__name__}: {lines[0][:120]}")
        return
    note = f"{np.mean(counted):.1f} tokens counted" if counted else ""
    record(name, WINDOW_S * windows / took_s, "× real time", note)


def _batches(sizes: Sizes) -> tuple[int, ...]:
    return sizes.batches if sizes.toy else (32, 64, 128)


def _noise(count: int) -> list[Any]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal(480_000, dtype=np.float32) * 0.1 for _ in range(count)]
