"""For machines that reach the Hub: whisper-tiny on a real dataset, here and in Transformers.

    python -m tools.verify_hub

Both hear the same decoded sound of every row. Prints each pair of texts that differ, and both word
error rates. Where the Hub cannot be reached it says so and ends well: there is nothing to compare.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from quest22 import Transcriber
from quest22.audio.decode import MediaDecoder
from quest22.env import silence_telemetry
from quest22.errors import CheckpointError, SourceError
from quest22.evaluation.score import error_rate
from quest22.metrics import Metrics
from quest22.records import SAMPLE_RATE_HZ, Clip, Samples
from quest22.settings import AudioSettings, DatasetSettings

MODEL = "openai/whisper-tiny"
DATASET = DatasetSettings(
    "hf-internal-testing/librispeech_asr_dummy", config="clean", split="validation"
)


def rows() -> Iterator[tuple[Clip, Samples]]:
    """Every clip of the dataset with its sound."""
    import numpy as np

    from quest22.source.dataset import DatasetSource

    decoder = MediaDecoder(AudioSettings())
    for clip in DatasetSource(DATASET, Metrics()):
        if isinstance(clip, Clip):
            yield clip, np.concatenate(list(decoder.decode(clip).blocks))


def transformers_texts(sounds: list[Samples]) -> list[str]:
    """What Transformers' own pipeline hears, in float32; its own default would be five beams."""
    import torch
    from transformers import pipeline

    recognizer: Any = pipeline(
        "automatic-speech-recognition",
        model=MODEL,
        dtype=torch.float32,
        chunk_length_s=30,
        stride_length_s=5,
    )
    inputs = [{"raw": sound, "sampling_rate": SAMPLE_RATE_HZ} for sound in sounds]
    greedy = {"num_beams": 1, "max_new_tokens": None, "max_length": 448}
    answers = recognizer(inputs, batch_size=8, generate_kwargs=greedy)
    return [str(answer["text"]) for answer in answers]


def main() -> int:
    """Compare; 0 if all texts are equal or the Hub is out of reach, 1 otherwise."""
    silence_telemetry()
    try:
        ours = Transcriber(MODEL, compute_type="float32")
        clips, sounds = zip(*rows(), strict=True)
    except (CheckpointError, SourceError) as error:
        print(f"Skipped: {error}")
        return 0
    heard = [transcript.text for transcript in ours.transcribe_many(sounds)]
    theirs = transformers_texts(list(sounds))
    references = [clip.reference or "" for clip in clips]
    differing = 0
    for clip, text, other in zip(clips, heard, theirs, strict=True):
        if text.strip() != other.strip():
            differing += 1
            print(f"{clip.key}\n  quest22       {text}\n  transformers  {other}")
    print(f"{len(clips)} clips, {differing} texts differ")
    for name, texts in (("quest22", heard), ("transformers", theirs)):
        rate = error_rate(zip(references, texts, strict=True)).rate
        print(f"word error rate  {name:13} {100 * (rate or 0):.2f} %")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
