"""Shards in one folder: another number goes on with what is left, and what cannot be."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from quest22.errors import SourceError, UsageError
from quest22.runs.run_status import run_status, status
from quest22.runs.shards import SiblingShards
from quest22.runs.store import LocalRunStore
from quest22.settings import DatasetSettings, HubSettings
from quest22.sink.build import NOTES
from quest22.sink.file_state import Notes
from tests.runs.dying import DyingDigestPipeline
from tests.torture.reshards import rows_in
from tests.torture.rows import write_rows
from tests.torture.worker import DigestPipeline, RunSpec


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_rows(folder, 30)
    return folder


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    RunSpec(data, folder, load=DigestPipeline).run()
    return rows_in(folder)


def shard(data, folder, number, index, load=DigestPipeline, **dataset):
    rows = {"num_shards": number, "shard_index": index, **dataset}
    return RunSpec(data, folder, load=load, dataset=rows)


def interrupted(data, folder, number, index):
    with pytest.raises(KeyboardInterrupt):
        shard(data, folder, number, index, DyingDigestPipeline).run()


def folders_of_runs(folder):
    return [store.folder for store in LocalRunStore(folder).runs()]


@pytest.mark.parametrize("numbers", [(2, 1), (1, 3), (2, 5, 2)])
def test_another_number_goes_on_with_what_is_left(data, whole, tmp_path, numbers):
    for number in numbers[:-1]:
        with suppress(KeyboardInterrupt):  # a small shard may come to its end
            shard(data, tmp_path, number, 0, DyingDigestPipeline).run()
    for index in range(numbers[-1]):
        assert shard(data, tmp_path, numbers[-1], index).run().finished
    assert rows_in(tmp_path) == whole
    folder = status(tmp_path)
    assert folder.finished
    assert (folder.transcripts, folder.failures) == (23, 7)
    assert len(folder.runs) == len(folders_of_runs(tmp_path))


@pytest.mark.parametrize("again", [False, True], ids=["then others", "died twice, then others"])
def test_what_a_shard_wrote_and_did_not_record_is_cut_off(data, whole, tmp_path, again):
    interrupted(data, tmp_path, 2, 1)
    (folder,) = folders_of_runs(tmp_path)
    for name, notes in (("transcripts", "jsonl"), ("failures", "failures")):
        noted = Notes(folder / ".quest22" / NOTES[notes])
        with (folder / f"{name}.jsonl").open("ab") as file:
            noted.add(file.tell(), b'{"id": "written but not recorded"}\n')
            file.write(b'{"id": "written but not recorded"}\n')
        noted.close()
    with (folder / ".quest22" / "names.jsonl").open("a") as file:
        file.write('{"stem": "talk"}\n')
    (folder / "Talk.srt").write_text("of a clip that was not recorded")
    (folder / "Talk.txt.partial").write_text("of a cap")
    if again:  # it forgets the names that it had given out and not recorded
        interrupted(data, tmp_path, 2, 1)
    shard(data, tmp_path, 1, 0).run()
    assert rows_in(tmp_path) == whole
    done = run_status(LocalRunStore(folder)).transcripts
    assert (folder / "transcripts.parquet").exists()
    # and it can itself go on once more: there is nothing left
    assert shard(data, tmp_path, 2, 1).run().finished
    assert run_status(LocalRunStore(folder)).transcripts == done
    assert rows_in(tmp_path) == whole


def test_a_changed_row_is_noticed(tmp_path):
    write_rows(tmp_path / "data", 60)
    interrupted(tmp_path / "data", tmp_path / "out", 2, 0)
    interrupted(tmp_path / "data", tmp_path / "out", 3, 0)
    write_rows(tmp_path / "data", 6)
    with pytest.raises(SourceError, match="has changed since the run began"):
        shard(tmp_path / "data", tmp_path / "out", 3, 0).run()


def test_two_numbers_never_run_at_the_same_time(data, tmp_path):
    interrupted(data, tmp_path, 2, 0)
    with (
        LocalRunStore(tmp_path / "shard-00000-of-00002").lock(),
        pytest.raises(
            UsageError, match="wait for the runs with 2 shards or stop them, then run 3 shards"
        ),
    ):
        shard(data, tmp_path, 3, 0).run()


def test_what_is_refused(data, tmp_path):
    interrupted(data, tmp_path, 2, 0)
    with pytest.raises(UsageError, match="keep_columns was"):
        shard(data, tmp_path, 3, 0, keep_columns=()).run()
    with pytest.raises(UsageError, match="shuffle was"):
        shard(data, tmp_path, 3, 0, shuffle=True).run()
    with pytest.raises(UsageError, match="remove the folder"):
        replace(shard(data, tmp_path, 3, 0), changes={"restart": True}).run()


def test_published_shards_keep_their_number(data, tmp_path):
    interrupted(data, tmp_path, 2, 0)
    settings = shard(data, tmp_path, 3, 0).settings()
    siblings = SiblingShards.of(LocalRunStore(tmp_path), settings.dataset)
    siblings.check(settings)
    for each in siblings.shards:
        each.journal.plan["output"]["push_to_hub"] = "me/speech"
    hub = HubSettings("me/speech")
    with pytest.raises(UsageError, match="must keep its number of shards"):
        siblings.check(replace(settings, push_to_hub=hub))


def test_shards_of_one_number_take_nothing_over(data, tmp_path):
    interrupted(data, tmp_path, 2, 0)
    siblings = SiblingShards.of(
        LocalRunStore(tmp_path), shard(data, tmp_path, 2, 1).settings().dataset
    )
    assert [each.num_shards for each in siblings.shards] == [2]
    assert (siblings.other_numbers, siblings.completed()) == ((), ())
    assert siblings.take_over() is siblings


def test_a_run_alone_has_no_siblings(data, tmp_path):
    RunSpec(data, tmp_path, load=DigestPipeline).run()
    assert SiblingShards.of(LocalRunStore(tmp_path), DatasetSettings("d")).shards == ()
