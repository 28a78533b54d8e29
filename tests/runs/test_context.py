from __future__ import annotations

from dataclasses import replace

import pytest

from quest22.metrics import Metrics
from quest22.runs import context
from quest22.runs.context import RunContext, reusing
from quest22.runs.events import ModelLoaded, ModelLoading
from quest22.runtime.build import PipelineSettings
from quest22.settings import EngineSettings
from tests.torture.worker import DigestPipeline


def loaded(**engine):
    pipeline = DigestPipeline(PipelineSettings(EngineSettings(**engine)), Metrics())
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
def test_a_pipeline_is_used_again_where_it_fits(monkeypatch, own, needed, fits):
    monkeypatch.setattr(context, "Pipeline", DigestPipeline)
    pipeline = loaded(**own)
    engine = replace(pipeline.settings.engine, **needed)
    given = reusing(pipeline)(replace(pipeline.settings, engine=engine), pipeline.metrics)
    assert (given is pipeline) is fits
    assert given.settings.engine == (pipeline.settings.engine if fits else engine)


def test_loading_is_told():
    events = []
    RunContext(events.append, DigestPipeline).pipeline(PipelineSettings())
    assert events == [ModelLoading("nano"), ModelLoaded("digest", "auto")]
