"""quest22 itself: a loaded job, as its Python API and its commands run it."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version

from quest22.bench.worker import Loaded, Output, serve
from quest22.bench.workload import Workload
from quest22.records import Clip, Failure, Origin
from quest22.runtime.build import Pipeline, PipelineSettings
from quest22.settings import DatasetSettings, DecodingSettings, EngineSettings


def load(workload: Workload) -> Loaded:
    """The model, loaded; its work by the workload's manner."""
    one = workload.manner == "single"
    engine = EngineSettings(
        model=workload.model,
        compute_type=workload.compute_type,
        batch_size=1 if one else workload.batch_size,
        threads=workload.threads,
    )
    decoding = DecodingSettings(
        language=workload.language, max_new_tokens=workload.tokens, temperature=(0.0,)
    )
    job = Pipeline(PipelineSettings(engine, decoding))
    sounds = [] if workload.manner == "stream" else workload.clips()
    clips = [
        Clip(str(index), f"sound {index}", sound, Origin("memory", row=index))
        for index, sound in enumerate(sounds)
    ]

    def run() -> Output:
        if workload.manner == "stream":
            return _count(job, job.stream(DatasetSettings("parquet", data_files=workload.urls)))
        return _count(job, job.run(clips))

    about = f"{version('quest22')}, {job.compute_type}, batch {job.batch_size}"
    return run, about


def _count(job: Pipeline, results: Iterable[object]) -> Output:
    for result in results:
        if isinstance(result, Failure):
            raise SystemExit(f"a clip failed: {result.reason}")
    counts = job.metrics.counts()
    return Output(int(counts["tokens"]), int(counts["windows"]), job.metrics.seconds())


if __name__ == "__main__":
    serve(load)
