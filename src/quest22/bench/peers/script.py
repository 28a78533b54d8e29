"""The script that this product began as.

A dataset is streamed, and Transformers' pipeline, in float32, is called with each clip as it comes,
so that its batch size has nothing to act upon.
"""

from __future__ import annotations

from quest22.bench.peers.transformers_pipeline import Counted
from quest22.bench.worker import Loaded, Output, serve
from quest22.bench.workload import Workload


def load(workload: Workload) -> Loaded:
    """The pipeline, loaded; each run streams the dataset from its beginning."""
    import io

    import soundfile
    from datasets import Audio, load_dataset

    counted = Counted(workload)

    def run() -> Output:
        rows = load_dataset(
            "parquet", data_files=list(workload.urls), split="train", streaming=True
        ).cast_column("audio", Audio(decode=False))
        for row in rows:
            samples, rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32")
            sound = {"raw": samples, "sampling_rate": rate}
            counted.pipe(sound, batch_size=8, generate_kwargs=counted.options)
        return counted.output()

    return run, "a pipeline call a clip, float32"


if __name__ == "__main__":
    serve(load)
