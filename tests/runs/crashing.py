"""Pipelines whose decoder kills the process at some clips, in a process of its own too."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from quest22.audio import decode_process
from quest22.audio.decode import MediaDecoder
from quest22.audio.decode_apart import PROGRAM, ProcessDecoder
from quest22.audio.decoding_notes import DecodingNotes
from quest22.audio.guarded_decoder import GuardedDecoder
from quest22.protocols import AudioDecoder
from quest22.records import Audio, Clip, Samples
from quest22.runs.file_run import FileRun, transcribe_files
from quest22.runs.write import WriteOptions
from quest22.runtime.build import file_source
from quest22.runtime.progress import ProgressBoard
from quest22.settings import EngineSettings, OutputSettings, PipelineSettings
from tests.torture.worker import DigestPipeline, RunSpec

POISONED = ("utt-004", "utt-009")

CHILD = PROGRAM.replace(
    "from quest22.audio.decode_process import main", "from tests.runs.crashing import main"
)


class CrashingDecoder(MediaDecoder):
    """Dies after the first block of a poisoned clip."""

    def decode(self, clip: Clip) -> Audio:
        audio = super().decode(clip)
        return Audio(clip, _crashing(clip, audio.blocks), audio.damage)


def _crashing(clip: Clip, blocks: Iterator[Samples]) -> Iterator[Samples]:
    for block in blocks:
        yield block
        if Path(clip.name).stem in POISONED:
            signal.raise_signal(signal.SIGSEGV)  # in this thread, at once


class CrashingPipeline(DigestPipeline):
    """The usual pipeline with that decoder."""

    def _decoder(
        self, board: ProgressBoard | None = None, notes: DecodingNotes | None = None
    ) -> AudioDecoder:
        assert notes is not None
        apart = ProcessDecoder(self.settings.audio, self.metrics, program=CHILD)
        return GuardedDecoder(CrashingDecoder(self.settings.audio, self.metrics), apart, notes)


def main() -> None:
    """What the process that decodes apart does: crash as well."""
    decode_process.MediaDecoder = CrashingDecoder  # type: ignore[misc]
    decode_process.main()


def transcribe(data: Path, folder: Path, load: type[DigestPipeline]) -> None:
    """Transcribe the WAV files in a folder."""
    talks = sorted(str(path) for path in data.glob("*.wav"))
    pipeline = PipelineSettings(EngineSettings("nano", compute_type="float32"))
    output = OutputSettings(("jsonl",), folder)
    run = FileRun(lambda client: file_source(talks, client), pipeline, output, WriteOptions())
    transcribe_files(run, load=load)


if __name__ == "__main__":
    kind, data, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if kind == "dataset":
        RunSpec(data, folder, load=CrashingPipeline).run()
    else:
        transcribe(data, folder, CrashingPipeline)
