from __future__ import annotations

import json
from dataclasses import replace

from quest22.runs.plan import RunSettings, settings_of
from quest22.settings import (
    AudioSettings,
    CaptionSettings,
    DatasetSettings,
    DecodingSettings,
    EngineSettings,
    HallucinationSettings,
    LongFormSettings,
    PipelineSettings,
    VadSettings,
)

SETTINGS = RunSettings(
    DatasetSettings("org/d", "en", keep_columns=("a", "b"), take=7, token="secret"),
    PipelineSettings(
        EngineSettings("tiny", batch_size=3, token="secret"),
        DecodingSettings("ru", "translate", timestamps=True, temperature=(0.0, 0.4)),
        LongFormSettings(20.0, (2.0, 3.0), "sequential", (1.0, 2.0)),
        AudioSettings(channel=1, workers=2, max_duration_s=7200.0),
        HallucinationSettings(max_repeats=4),
        vad=VadSettings("auto", vad_threshold=0.4, vad_min_silence_duration_ms=300),
    ),
    ("jsonl", "srt"),
    captions=CaptionSettings(max_line_width=42, sentences=True),
)
CAME = {
    "dataset_revision": "c" * 40,
    "model_revision": "d" * 40,
    "compute_type": "int8_float32",
    "weights": "w",
}


def test_a_plan_holds_no_secret():
    assert "secret" not in json.dumps(SETTINGS.known() | SETTINGS.asked())


def test_settings_come_back_from_a_plan():
    plan = json.loads(json.dumps(SETTINGS.known() | CAME))
    engine = EngineSettings(batch_size=9, threads=2, token="other")
    back = settings_of(plan, engine)
    assert back.known() == SETTINGS.known()
    assert back.asked() == {name: CAME[name] for name in back.asked()}
    assert (back.job.engine.batch_size, back.job.engine.threads) == (9, 2)
    assert back.dataset.token == "other"


def test_what_was_left_open_is_as_it_became():
    begun = SETTINGS.as_begun(CAME, SETTINGS.asked())
    assert begun.asked() == {name: CAME[name] for name in begun.asked()}


def test_a_branch_named_again_is_the_commit_it_was():
    named = replace(SETTINGS, dataset=replace(SETTINGS.dataset, revision="main"))
    assert named.as_begun(CAME, named.asked()).dataset.revision == CAME["dataset_revision"]
    other = replace(SETTINGS, dataset=replace(SETTINGS.dataset, revision="v2"))
    assert other.as_begun(CAME, named.asked()).dataset.revision == "v2"
