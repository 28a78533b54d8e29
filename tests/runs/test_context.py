from __future__ import annotations

from dataclasses import replace

import pytest

from quest22.errors import UsageError
from quest22.metrics import Metrics
from quest22.runs.context import Reusing, RunContext
from quest22.runs.events import ModelLoaded, ModelLoading
from quest22.runtime.build import PipelineSettings
from quest22.settings import EngineSettings
from tests.torture.worker import DigestPipeline


def loaded(**engine):
    pipeline = DigestPipeline(PipelineSettings(EngineSettings("digest", **engine)), Metrics())
    pipeline.checkpoint_revision = "c0ffee"
    pipeline.compute_type = "float32"
    return pipeline


@pytest.mark.parametrize(
    ("own", "needed", "fits"),
    [
        ({}, {}, True),
        ({}, {"revision": "c0ffee", "compute_type": "float32", "batch_size": 4}, True),
        ({"revision": "main"}, {"revision": "main"}, True),
        ({}, {"revision": "0ld"}, False),
        ({}, {"compute_type": "int8"}, False),
        ({}, {"batch_size": 5}, False),
        ({"batch_size": 5}, {"batch_size": 5}, True),
    ],
)
def test_a_pipeline_is_used_again_where_it_fits(own, needed, fits):
    pipeline = loaded(**own)
    engine = replace(pipeline.settings.engine, **needed)
    given = Reusing(pipeline, DigestPipeline)(
        replace(pipeline.settings, engine=engine), pipeline.metrics
    )
    assert (given is pipeline) is fits
    assert given.settings.engine == (pipeline.settings.engine if fits else engine)


def test_loading_is_told():
    events = []
    RunContext(events.append, DigestPipeline).pipeline(PipelineSettings(EngineSettings("digest")))
    assert events == [ModelLoading("digest"), ModelLoaded("digest", "auto")]


def test_a_model_that_is_there_is_not_said_to_be_loaded_and_stays_open():
    events, pipeline = [], loaded()
    with RunContext(events.append, Reusing(pipeline, DigestPipeline)) as context:
        assert context.pipeline(pipeline.settings) is pipeline
    assert events == []
    pipeline.check_open()


def test_another_model_is_said_to_be_loaded_and_why_and_is_closed():
    events, pipeline = [], loaded()
    needed = replace(pipeline.settings.engine, compute_type="int8", batch_size=5)
    with RunContext(events.append, Reusing(pipeline, DigestPipeline)) as context:
        other = context.pipeline(replace(pipeline.settings, engine=needed))
    reason = "the run was begun with compute_type int8, not float32; batch_size 5, not 4"
    assert events == [ModelLoading("digest", reason), ModelLoaded("digest", "int8")]
    with pytest.raises(UsageError, match="digest is closed: load it again"):
        other.check_open()
    pipeline.check_open()
