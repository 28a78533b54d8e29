"""The script that quest22 began as: Transformers' pipeline called clip by clip.

It streams a dataset and calls the pipeline, in float32, once for each clip, so that the pipeline's
batch size has no effect.
"""

from __future__ import annotations

from quest22.bench.peers.transformers_pipeline import CountingPipeline
from quest22.bench.worker import LoadedProgram, RunOutput, serve
from quest22.bench.workload import Workload


def load(workload: Workload) -> LoadedProgram:
    """Load the pipeline; each run streams the dataset from the start."""
    import io

    import soundfile
    from datasets import Audio, load_dataset

    counted = CountingPipeline(workload)

    def run() -> RunOutput:
        rows = load_dataset(
            "parquet", data_files=list(workload.urls), split="train", streaming=True
        ).cast_column("audio", Audio(decode=False))
        for row in rows:
            samples, rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32")
            sound = {"raw": samples, "sampling_rate": rate}
            counted.pipe(sound, batch_size=8, generate_kwargs=counted.options)
        return counted.output()

    return run, "one pipeline call for each clip, float32"


if __name__ == "__main__":
    serve(load)
