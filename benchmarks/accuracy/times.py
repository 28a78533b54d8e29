"""When words start and end, against a forced alignment by an independent program.

    python -m benchmarks.accuracy.times [--speech FOLDER] [--model base] [--sets en_ljspeech30,…]

CMU PocketSphinx, with the acoustic model in its package, aligns the transcripts of English clips;
words that are recognised as written are compared. It is no truth to the frame, but it knows nothing
of Whisper. Needs ``pip install pocketsphinx``; clips with words that its dictionary lacks are left
out.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.recordings import Recording, decoded, read_sets
from quest22 import Transcriber
from quest22.records import Samples, Transcript

SETS = "en_ljspeech30,en_commonvoice100"
FRAMES_PER_S = 100

TimedWord = tuple[str, float, float]
"""Letters, start and end in seconds."""


@dataclass(frozen=True, slots=True)
class Differences:
    """How much later words start and end than in the alignment, in seconds."""

    starts_s: list[float]
    ends_s: list[float]
    first_s: list[float]
    last_s: list[float]

    def lines(self) -> Iterator[str]:
        """A Markdown table."""
        yield "| | words | median | median, absolute | 90 of 100 within |"
        yield "|---|--:|--:|--:|--:|"
        rows = {
            "starts of words": self.starts_s,
            "ends of words": self.ends_s,
            "start of a clip's first word": self.first_s,
            "end of its last word": self.last_s,
        }
        for name, values in rows.items():
            middle, far = np.median(values), np.quantile(np.abs(values), 0.9)
            absolute = np.median(np.abs(values))
            yield f"| {name} | {len(values)} | {middle:+.3f} s | {absolute:.3f} s | {far:.2f} s |"


def letters(text: str) -> str:
    """A word without case and punctuation."""
    return re.sub(r"[^a-z']", "", text.lower())


def aligned(decoder: Any, samples: Samples, text: str) -> list[TimedWord]:
    """The words of a text where PocketSphinx finds them; none if it lacks one or finds no way."""
    words = [letters(word) for word in re.split(r"[\s-]+", text) if letters(word)]
    if any(decoder.lookup_word(word) is None for word in words):
        return []
    try:
        decoder.set_align_text(" ".join(words))
        decoder.start_utt()
        pcm = (np.clip(samples, -1, 1) * 32767).astype(np.int16).tobytes()
        decoder.process_raw(pcm, full_utt=True)
        decoder.end_utt()
    except RuntimeError:
        return []
    return [
        (
            letters(each.word.partition("(")[0]),
            each.start_frame / FRAMES_PER_S,
            (each.end_frame + 1) / FRAMES_PER_S,
        )
        for each in decoder.seg()
        if not each.word.startswith(("<", "["))
    ]


def compared(pairs: Iterable[tuple[Sequence[TimedWord], Transcript]]) -> Differences:
    """The differences of words that stand in both, over all clips."""
    found = Differences([], [], [], [])
    for reference, transcript in pairs:
        own = [
            (letters(word.text), word.start_s, word.end_s)
            for segment in transcript.segments
            for word in segment.words or ()
        ]
        spoken, written = ([word for word, _, _ in words] for words in (reference, own))
        matcher = SequenceMatcher(None, spoken, written, autojunk=False)
        for block in matcher.get_matching_blocks():
            for step in range(block.size):
                at, theirs = block.a + step, reference[block.a + step]
                ours = own[block.b + step]
                found.starts_s.append(ours[1] - theirs[1])
                found.ends_s.append(ours[2] - theirs[2])
                if at == 0:
                    found.first_s.append(ours[1] - theirs[1])
                if at == len(reference) - 1:
                    found.last_s.append(ours[2] - theirs[2])
    return found


def alignments(recordings: Iterable[Recording]) -> Iterator[tuple[Samples, list[TimedWord]]]:
    """The samples of each recording that can be aligned, with its words."""
    from pocketsphinx import Decoder

    decoder = Decoder(lm=None, loglevel="FATAL")
    for recording in recordings:
        samples = decoded(recording.path)
        if words := aligned(decoder, samples, recording.text):
            yield samples, words


def main() -> int:
    """Align, transcribe, compare, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speech", type=Path, default=os.environ.get("QUEST22_SPEECH"))
    parser.add_argument("--model", default="base")
    parser.add_argument("--sets", default=SETS)
    parser.add_argument("--long-form", default="pauses")
    given = parser.parse_args()
    names = given.sets.split(",")
    sets = [each for each in read_sets(Path(given.speech)) if each.name in names]
    recordings = [each for part in sets for each in part.recordings]
    clips = list(alignments(recordings))
    print(f"{len(clips)} of {len(recordings)} clips aligned")
    options: dict[str, Any] = {"language": "en", "word_timestamps": True, "timestamps": True}
    with Transcriber(given.model, long_form=given.long_form, **options) as transcriber:
        results = transcriber.transcribe_many([samples for samples, _ in clips])
        pairs = ((words, result) for (_, words), result in zip(clips, results, strict=True))
        print("\n".join(compared(pairs).lines()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
