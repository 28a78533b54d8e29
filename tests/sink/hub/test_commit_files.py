from __future__ import annotations

import pyarrow as pa

from quest22.sink.hub.commit_files import HubTarget, UploadState
from quest22.sink.hub.dataset_card import RunDescription


def target(plan) -> HubTarget:
    description = RunDescription("me/out", plan, "quest22", "train")
    return HubTarget(None, description, None, None)  # type: ignore[arg-type]


def test_the_upload_state_survives_as_json():
    state = UploadState(3, pa.schema([("id", pa.string()), ("speaker", pa.int64())]))
    assert UploadState.from_json(state.to_json()) == state
    assert UploadState.from_json(UploadState().to_json()) == UploadState()


def test_its_names_are_those_of_earlier_journals():
    assert UploadState(2).to_json() == {"shipped": 2, "schema": ""}


def test_a_run_is_known_by_its_plan_alone():
    assert target({"a": 1, "b": 2}).run == target({"b": 2, "a": 1}).run
    assert target({"a": 1}).run != target({"a": 2}).run
    assert len(target({"a": "\udcff"}).run) == 16
