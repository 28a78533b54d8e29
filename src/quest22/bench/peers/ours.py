"""quest22 itself, run by the same pipeline as its commands and Python API.

It does the same work as the other programs: every window is decoded, once and greedily.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version

from quest22.bench.worker import LoadedProgram, RunOutput, serve
from quest22.bench.workload import Workload
from quest22.records import Clip, Failure, Origin
from quest22.runtime.build import Pipeline
from quest22.settings import (
    DatasetSettings,
    DecodingSettings,
    EngineSettings,
    LongFormSettings,
    PipelineSettings,
    VadSettings,
)


def load(workload: Workload) -> LoadedProgram:
    """Load the model, with a run for the workload's kind."""
    is_single = workload.kind == "single"
    engine = EngineSettings(
        model=workload.model,
        compute_type=workload.compute_type,
        batch_size=1 if is_single else workload.batch_size,
        threads=workload.threads,
    )
    decoding = DecodingSettings(
        language=workload.language, max_new_tokens=workload.tokens, temperature=(0.0,)
    )
    longform = LongFormSettings(long_form="chunked")
    settings = PipelineSettings(engine, decoding, longform, vad=VadSettings(vad="off"))
    pipeline = Pipeline(settings)  # the tones are no speech
    samples = [] if workload.kind == "stream" else workload.clips()
    clips = [
        Clip(str(index), f"sound {index}", clip, Origin("memory", row=index))
        for index, clip in enumerate(samples)
    ]

    def run() -> RunOutput:
        if workload.kind == "stream":
            return _count(
                pipeline, pipeline.stream(DatasetSettings("parquet", data_files=workload.urls))
            )
        return _count(pipeline, pipeline.run(clips))

    about = f"{version('quest22')}, {pipeline.compute_type}, batch {pipeline.batch_size}"
    return run, about


def _count(pipeline: Pipeline, results: Iterable[object]) -> RunOutput:
    for result in results:
        if isinstance(result, Failure):
            raise SystemExit(f"a clip failed: {result.reason}")
    counts = pipeline.metrics.counts()
    return RunOutput(int(counts["tokens"]), int(counts["windows"]), pipeline.metrics.seconds())


if __name__ == "__main__":
    serve(load)
