from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from quest22.errors import UsageError
from quest22.runs.journal import JOURNAL, Journal
from quest22.runs.plan import (
    as_begun,
    flat_plan,
    grouped_plan,
    known_plan,
    pinned,
    plan_differences,
    requested,
    resolved,
    settings_from_plan,
    whole_plan,
)
from quest22.runs.settings import RunSettings
from quest22.settings import (
    AudioSettings,
    CaptionSettings,
    DatasetSettings,
    DecodingSettings,
    EngineSettings,
    HallucinationSettings,
    HubSettings,
    LongFormSettings,
    PipelineSettings,
    VadSettings,
)

SETTINGS = RunSettings(
    DatasetSettings("org/d", "en", keep_columns=("a", "b"), take=7, token="secret"),
    PipelineSettings(
        EngineSettings("tiny", batch_size=3, token="secret"),
        DecodingSettings("ru", "translate", timestamps=True, temperature=(0.0, 0.4)),
        LongFormSettings(20.0, (2.0, 3.0), "sequential", clip_timestamps=(1.0, 2.0)),
        AudioSettings(channel=1, workers=2, max_duration_s=7200.0),
        HallucinationSettings(max_repeats=4),
        vad=VadSettings("auto", vad_threshold=0.4, vad_min_silence_duration_ms=300),
    ),
    ("jsonl", "srt"),
    CaptionSettings(max_line_width=42, sentences=True),
    HubSettings("me/d", token="secret"),
)
PIPELINE = SimpleNamespace(
    checkpoint_revision="d" * 40,
    weights_fingerprint="w",
    compute_type="int8_float32",
    engine_name="native",
    device="cpu",
)
COMMIT = "c" * 40
PLAN = json.loads(json.dumps(whole_plan(SETTINGS, PIPELINE, COMMIT)))


def test_a_plan_holds_no_secret():
    assert "secret" not in json.dumps([PLAN, requested(SETTINGS)])


def test_a_plan_is_grouped():
    assert list(PLAN) == [
        "quest22",
        "dataset",
        "model",
        "decoding",
        "long_form",
        "audio",
        "hallucination",
        "vad",
        "captions",
        "output",
    ]
    assert PLAN["model"] == {
        "name": "tiny",
        "revision": "d" * 40,
        "weights": "w",
        "compute_type": "int8_float32",
        "engine": "native",
        "device": "cpu",
    }
    assert PLAN["audio"] == {
        "channel": 1,
        "audio_track": None,
        "max_duration_s": 7200.0,
        "max_damage": 0.9,
    }
    assert PLAN["output"] == {"formats": ["jsonl", "srt"], "push_to_hub": "me/d"}


def test_what_is_known_is_the_plan_without_what_it_resolves_to():
    assert plan_differences(PLAN, known_plan(SETTINGS), whole=False) == []
    left = plan_differences(PLAN, known_plan(SETTINGS), whole=True)
    assert [line.split(" was ")[0] for line in left] == [
        "dataset.revision",
        "model.compute_type",
        "model.device",
        "model.engine",
        "model.revision",
        "model.weights",
    ]


def test_settings_come_back_from_a_plan():
    engine = EngineSettings(batch_size=9, threads=2, token="other")
    back = settings_from_plan(PLAN, engine)
    assert known_plan(back) == known_plan(SETTINGS)
    assert requested(back) == resolved(PLAN)
    assert (back.pipeline.engine.batch_size, back.pipeline.engine.threads) == (9, 2)
    assert back.dataset.token == back.push_to_hub.token == "other"


def test_what_was_left_open_is_as_it_became():
    begun = pinned(SETTINGS, PLAN, requested(SETTINGS))
    assert requested(begun) == resolved(PLAN)
    assert begun.pipeline.engine.batch_size == 3


def test_the_batch_size_is_that_of_the_beginning_unless_another_is_asked_for():
    open_engine = replace(SETTINGS.pipeline.engine, batch_size=None)
    settings = replace(SETTINGS, pipeline=replace(SETTINGS.pipeline, engine=open_engine))
    assert pinned(settings, PLAN, {"batch_size": 5}).pipeline.engine.batch_size == 5
    assert pinned(SETTINGS, PLAN, {"batch_size": 5}).pipeline.engine.batch_size == 3


def test_a_branch_named_again_is_the_commit_it_was():
    branch = replace(SETTINGS, dataset=replace(SETTINGS.dataset, revision="main"))
    assert pinned(branch, PLAN, requested(branch)).dataset.revision == COMMIT
    other = replace(SETTINGS, dataset=replace(SETTINGS.dataset, revision="v2"))
    assert pinned(other, PLAN, requested(branch)).dataset.revision == "v2"


def test_a_run_goes_on_with_its_model_where_none_is_named():
    engine = replace(SETTINGS.pipeline.engine, model=None)
    settings = replace(SETTINGS, pipeline=replace(SETTINGS.pipeline, engine=engine))
    assert plan_differences(PLAN, known_plan(settings), whole=False) == []
    assert pinned(settings, PLAN, requested(SETTINGS)).pipeline.engine.model == "tiny"


def test_differences_are_named():
    assert plan_differences(
        {"a": 1, "group": {"b": [1, 2], "c": 3}}, {"group": {"b": (1, 2), "c": 4}}, whole=True
    ) == ["a was 1 and is None", "group.c was 3 and is 4"]


def test_a_setting_that_is_new_was_at_its_default():
    begun = {"long_form": {"chunk_length_s": 30.0}}
    for quality, differences in (
        ("balanced", []),
        ("fast", ["long_form.quality was 'balanced' and is 'fast'"]),
    ):
        now = {"long_form": {"chunk_length_s": 30.0, "quality": quality}}
        assert plan_differences(begun, now, whole=True) == differences


def test_a_run_begun_by_an_earlier_version_keeps_its_captions():
    captions = {name: value for name, value in PLAN["captions"].items() if name != "caption_length"}
    begun = {**PLAN, "captions": captions}
    assert settings_from_plan(begun, EngineSettings()).captions.caption_length is None
    for settings in (as_begun(SETTINGS, begun), pinned(SETTINGS, begun, requested(SETTINGS))):
        assert plan_differences(begun, known_plan(settings), whole=False) == []
    assert as_begun(SETTINGS, PLAN) == SETTINGS
    shorter = replace(SETTINGS, captions=CaptionSettings(caption_length=60))
    assert as_begun(shorter, begun) == shorter
    assert "captions.caption_length was None and is 60" in plan_differences(
        begun, known_plan(shorter), whole=False
    )


def test_a_flat_plan_has_names_that_users_know():
    flat = flat_plan(PLAN)
    assert (flat["dataset"], flat["dataset_revision"]) == ("org/d", COMMIT)
    assert (flat["model"], flat["compute_type"]) == ("tiny", "int8_float32")
    assert (flat["language"], flat["vad"], flat["max_line_width"]) == ("ru", "auto", 42)
    assert not [name for name, value in flat.items() if isinstance(value, dict)]


def test_groups_come_back_from_a_flat_plan():
    assert grouped_plan(flat_plan(PLAN)) == PLAN


OLD_JOURNAL = (Path(__file__).parent / "flat_journal.json").read_text(encoding="utf-8")
"""Written for five rows, with ``--take 5 -o out``, before plans had groups."""

FORMER_DEFAULTS = PipelineSettings(
    EngineSettings("nano"),
    decoding=DecodingSettings(beam_size=1, best_of=1),
    longform=LongFormSettings(long_form="chunked"),
    vad=VadSettings("off", vad_speech_pad_ms=400),
)
"""Of the version that wrote it, which did not know of qualities."""


def read_old(folder: Path) -> Journal:
    (folder / JOURNAL).parent.mkdir()
    (folder / JOURNAL).write_text(OLD_JOURNAL, encoding="utf-8")
    journal = Journal.read(folder)
    assert journal is not None
    return journal


def test_a_journal_with_a_flat_plan_is_read(tmp_path):
    journal = read_old(tmp_path)
    assert flat_plan(journal.plan) == json.loads(OLD_JOURNAL)["plan"]
    assert (journal.progress.results, journal.progress.finished) == (5, True)
    rows = DatasetSettings("parquet", data_files=("samples/*.parquet",), take=5)
    settings = as_begun(RunSettings(rows, FORMER_DEFAULTS), journal.plan)
    journal.check_known(known_plan(settings))
    pipeline = SimpleNamespace(
        checkpoint_revision=None,
        weights_fingerprint=journal.plan["model"]["weights"],
        compute_type=journal.plan["model"]["compute_type"],
        engine_name="torch",  # a plan of that time does not tell
        device="cuda",
    )
    journal.check(whole_plan(settings, pipeline, None))
    with pytest.raises(UsageError, match=r"dataset\.take was 5 and is 6"):
        journal.check_known(known_plan(replace(settings, dataset=replace(rows, take=6))))
    with pytest.raises(UsageError, match=r"long_form\.long_form was 'chunked' and is 'pauses'"):
        journal.check_known(known_plan(RunSettings(rows)))


def test_a_journal_with_a_flat_plan_is_rewritten_with_groups(tmp_path):
    journal = read_old(tmp_path)
    journal.commit(journal.progress)
    record = json.loads((tmp_path / JOURNAL).read_text(encoding="utf-8"))
    assert (record["quest22_journal"], record["plan"]["dataset"]["take"]) == (2, 5)
    old = json.loads(OLD_JOURNAL)
    last = {**old["mark"]["last"], "open_end": False}
    mark = {**old["mark"], "last": last, "open_ends": 0, "accepted": False}
    assert (record["asked"], record["mark"]) == (old["asked"], mark)


def test_what_no_group_holds_stays_on_top():
    assert grouped_plan({"retried": "digest"})["retried"] == "digest"


def test_the_former_name_of_a_compute_type_is_as_good_as_todays():
    begun = {"model": {"name": "tiny", "revision": None, "compute_type": "int8_sound_bfloat16"}}
    now = {"model": begun["model"] | {"compute_type": "int8_kv_bfloat16"}}
    assert plan_differences(begun, now, whole=True) == []
    assert plan_differences(begun, {"model": {"compute_type": "int8"}}, whole=False) == [
        "model.compute_type was 'int8_kv_bfloat16' and is 'int8'"
    ]
    for name in ("int8_sound", "int8_kv", "auto"):
        settings = RunSettings(
            DatasetSettings("parquet"), PipelineSettings(EngineSettings(compute_type=name))
        )
        whole = begun | {"dataset": {"revision": None}}
        found = pinned(settings, whole, {"compute_type": "int8_sound"})
        assert found.pipeline.engine.compute_type == "int8_kv_bfloat16"
        assert requested(found) == resolved(whole)


@pytest.mark.parametrize(
    ("begun", "now", "kept"),
    [
        (("native", "cpu"), {}, ("auto", "cpu")),
        (("native", "cpu"), {"engine": "native"}, ("native", "cpu")),
        (("openvino", "cpu"), {"engine": "native"}, ("native", "auto")),
        (("torch", "cuda"), {"engine": "native"}, ("native", "auto")),
        (("torch", "cuda"), {}, ("torch", "cuda")),
        (("torch", "cuda"), {"device": "cuda:1"}, ("torch", "cuda:1")),
        (("torch", "cpu"), {}, ("torch", "cpu")),
        (("native", "cpu"), {"device": "cuda"}, ("auto", "cuda")),
        ((None, None), {}, ("auto", "auto")),
    ],
)
def test_a_run_keeps_its_engine_unless_another_is_named(begun, now, kept):
    model = {
        name: value for name, value in PLAN["model"].items() if name not in ("engine", "device")
    }
    if begun[0] is not None:
        model |= dict(zip(("engine", "device"), begun, strict=True))
    plan = {**PLAN, "model": model}
    engine = replace(SETTINGS.pipeline.engine, **now)
    settings = replace(SETTINGS, pipeline=replace(SETTINGS.pipeline, engine=engine))
    for found in (pinned(settings, plan, {}), settings_from_plan(plan, engine)):
        assert (found.pipeline.engine.engine, found.pipeline.engine.device) == kept


def test_the_engines_of_the_cpu_count_as_one_and_a_gpu_as_another():
    begun = {"model": {"engine": "native", "device": "cpu"}}
    same = {"model": {"engine": "openvino", "device": "cpu"}}
    assert plan_differences(begun, same, whole=True) == []
    other = {"model": {"engine": "torch", "device": "cuda"}}
    assert plan_differences(begun, other, whole=True) == [
        "model.device was 'cpu' and is 'cuda'",
        "model.engine was 'native or openvino' and is 'torch'",
    ]
    assert plan_differences({"model": {}}, other, whole=True) == []
