"""UFAL's whisper_streaming and SimulStreaming: their online processors, with voice activity.

A session's thread does what their own servers do: it takes the sound that has come, and asks the
processor for more text. Both need a checkout of theirs on the path of their Python, and the package
``silero-vad``, because they would fetch their voice detector from the network.
"""

from __future__ import annotations

import logging
import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from live_pipe import Job, OpenSession, Updates, serve

STEP_S = {"local-agreement": 1.0, "alignatt": 1.2}
"""Their defaults of ``--min-chunk-size``."""

BLOCK_S = 0.04
"""Their default of ``--vac-chunk-size``."""

SAMPLE_RATE_HZ = 16_000


def load(job: Job) -> tuple[str, OpenSession]:
    """Load the model and open processors for it."""
    _use_local_voice_detector()
    policy = job["policy"]
    makers = {"local-agreement": _whisper_streaming, "alignatt": _simul_streaming}
    open_processor = makers[policy](job)
    return f"{policy}, every {STEP_S[policy]} s", lambda updates: _Session(
        open_processor(), updates
    )


def _use_local_voice_detector() -> None:
    import torch
    from silero_vad import load_silero_vad

    torch.hub.load = lambda **_: (load_silero_vad(), None)


def _whisper_streaming(job: Job) -> Callable[[], Any]:
    """Its backend is made for GPUs; its source says to change these arguments for CPUs."""
    from faster_whisper import WhisperModel
    from whisper_online import FasterWhisperASR, VACOnlineASRProcessor

    class OnCpu(FasterWhisperASR):  # type: ignore[misc]
        def load_model(self, *_: Any, **__: Any) -> Any:
            threads = job["threads"] or 0
            folder = job["files"]["ctranslate2"]
            return WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=threads)

    backend = OnCpu(job["language"], model_dir=job["files"]["ctranslate2"])
    backend.transcribe(_warm_up(job))
    return lambda: VACOnlineASRProcessor(
        STEP_S["local-agreement"],
        backend,
        None,
        buffer_trimming=("segment", 15),
        logfile=sys.stderr,
    )


def _simul_streaming(job: Job) -> Callable[[], Any]:
    """One model, one session: the decoder's state is the model's."""
    import torch
    from simulstreaming.whisper.simul_whisper import simul_whisper, whisper
    from simulstreaming.whisper.whisper_streaming.vac_online_processor import (
        VACOnlineASRProcessor,
    )
    from simulstreaming_whisper import SimulWhisperASR, SimulWhisperOnline

    logging.disable(logging.WARNING)
    if job["threads"]:
        torch.set_num_threads(job["threads"])

    def load_model(**_: Any) -> Any:
        model = whisper.load_model(_openai_file(job), device="cpu")
        model.set_alignment_heads(whisper._ALIGNMENT_HEADS[job["model_name"]])
        return model

    simul_whisper.load_model = load_model
    backend = SimulWhisperASR(
        language=job["language"] or "auto",
        model_path=job["model_name"],
        cif_ckpt_path=None,
        frame_threshold=25,
        audio_max_len=30.0,
        audio_min_len=0.0,
        segment_length=STEP_S["alignatt"],
        beams=1,
        task="transcribe",
        decoder_type="greedy",
        never_fire=False,
        init_prompt=None,
        static_init_prompt=None,
        max_context_tokens=None,
        logdir=None,
    )
    backend.warmup(torch.from_numpy(_warm_up(job)))
    opened: list[Any] = []

    def open_processor() -> Any:
        if opened:
            sys.exit("SimulStreaming has one session for each model in memory")
        opened.append(VACOnlineASRProcessor(STEP_S["alignatt"], SimulWhisperOnline(backend)))
        return opened[0]

    return open_processor


def _openai_file(job: Job) -> str:
    """The weights as openai/whisper stores them, written once from tensors of the same names."""
    import json

    import torch
    from safetensors.torch import load_file

    source = Path(job["files"]["openai"])
    target = source.with_suffix(".pt")
    if not target.exists():
        dimensions = json.loads(source.with_suffix(".json").read_text(encoding="utf-8"))
        torch.save({"dims": dimensions, "model_state_dict": load_file(source)}, target)
    return str(target)


def _warm_up(job: Job) -> Any:
    import soundfile

    return soundfile.read(job["files"]["warmup"], dtype="float32")[0]


class _Session:
    def __init__(self, processor: Any, updates: Updates) -> None:
        self._processor = processor
        self._updates = updates
        self._blocks: queue.Queue[bytes | None] = queue.Queue()
        self._text = ""
        threading.Thread(target=self._run, daemon=True).start()

    def feed(self, pcm: bytes) -> None:
        self._blocks.put(pcm)

    def end(self) -> None:
        self._blocks.put(None)

    def _run(self) -> None:
        while (pcm := self._taken()) is not None:
            samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
            self._processor.insert_audio_chunk(samples)
            self._show(self._processor.process_iter())
        if self._processor.status == "voice":  # else it has told the last text, and would again
            self._show(self._processor.finish())
        self._updates.ended()

    def _taken(self) -> bytes | None:
        """All sound that has come; waits for some."""
        taken = b""
        while not taken or not self._blocks.empty():
            pcm = self._blocks.get()
            if pcm is None:
                if taken:
                    self._blocks.put(None)
                    break
                return None
            taken += pcm
        return taken

    def _show(self, found: Any) -> None:
        """Committed text: one program gives a dictionary, the other start, end and text."""
        if isinstance(found, tuple):
            text, final = found[2] or "", False
        else:
            text, final = found.get("text", ""), found.get("is_final", False)
        self._text += text + (" " if final else "")
        self._updates.show(self._text, "")


if __name__ == "__main__":
    serve(load)
