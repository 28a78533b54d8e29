"""Shards in one folder: another number goes on with what is left, and what cannot be."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from quest22.cli.continued import perform_journaled
from quest22.cli.output_options import OutputFlags
from quest22.cli.shards import SiblingShards, folder_of, runs_in
from quest22.cli.status import standing_of
from quest22.errors import SourceError, UsageError
from quest22.runs.journal import held
from quest22.settings import DatasetSettings
from tests.cli.test_continued import DyingDigestJob
from tests.torture.reshards import rows_in
from tests.torture.rows import write_rows
from tests.torture.worker import FORMATS, DigestJob, Errand


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_rows(folder, 30)
    return folder


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    perform_journaled(Errand(data, folder, load=DigestJob).stream())
    return rows_in(folder)


def shard(data, folder, number, index, load=DigestJob):
    stream = Errand(data, folder, load=load).stream()
    return replace(stream, rows=replace(stream.rows, num_shards=number, shard_index=index))


def test_a_shard_has_a_folder_of_its_own(tmp_path):
    assert folder_of(tmp_path, DatasetSettings("d")) == tmp_path
    settings = DatasetSettings("d", num_shards=16, shard_index=3)
    assert folder_of(tmp_path, settings) == tmp_path / "shard-00003-of-00016"
    assert runs_in(tmp_path) == []


@pytest.mark.parametrize("numbers", [(2, 1), (1, 3), (2, 5, 2)])
def test_another_number_goes_on_with_what_is_left(data, whole, tmp_path, numbers, run):
    for number in numbers[:-1]:
        perform_journaled(shard(data, tmp_path, number, 0, DyingDigestJob))
    for index in range(numbers[-1]):
        assert perform_journaled(shard(data, tmp_path, numbers[-1], index)) in (0, 3)
    assert rows_in(tmp_path) == whole
    told = json.loads(run("status", tmp_path, "--json").out)
    assert told["finished"]
    assert (told["transcripts"], told["failures"]) == (23, 7)
    assert len(told["runs"]) == len(runs_in(tmp_path))
    ended = run("status", tmp_path)
    assert f"{numbers[-1]}  finished" in ended.out


@pytest.mark.parametrize("again", [False, True], ids=["then others", "died twice, then others"])
def test_what_a_shard_wrote_and_did_not_mark_is_cut_off(data, whole, tmp_path, again):
    perform_journaled(shard(data, tmp_path, 2, 1, DyingDigestJob))
    (folder,) = runs_in(tmp_path)
    for name in ("transcripts.jsonl", "failures.jsonl"):
        with (folder / name).open("a") as file:
            file.write('{"id": "written but not marked"}\n')
    with (folder / ".quest22" / "names.jsonl").open("a") as file:
        file.write('{"stem": "talk"}\n')
    (folder / "Talk.srt").write_text("of a clip that was not marked")
    (folder / "Talk.txt.partial").write_text("of a cap")
    if again:  # it forgets the names that it had given out and not marked
        perform_journaled(shard(data, tmp_path, 2, 1, DyingDigestJob))
    perform_journaled(shard(data, tmp_path, 1, 0))
    assert rows_in(tmp_path) == whole
    done = standing_of(folder).transcripts
    assert (folder / "transcripts.parquet").exists()
    # and it can itself go on once more: there is nothing left
    assert perform_journaled(shard(data, tmp_path, 2, 1)) in (0, 3)
    assert standing_of(folder).transcripts == done
    assert rows_in(tmp_path) == whole


def test_a_changed_row_is_noticed(tmp_path):
    write_rows(tmp_path / "data", 60)
    perform_journaled(shard(tmp_path / "data", tmp_path / "out", 2, 0, DyingDigestJob))
    stream = shard(tmp_path / "data", tmp_path / "out", 3, 0, DyingDigestJob)
    perform_journaled(stream)
    write_rows(tmp_path / "data", 6)
    with pytest.raises(SourceError, match="has changed since the run began"):
        perform_journaled(replace(stream, load=DigestJob))


def test_two_numbers_never_run_at_the_same_time(data, tmp_path):
    perform_journaled(shard(data, tmp_path, 2, 0, DyingDigestJob))
    with (
        held(tmp_path / "shard-00000-of-00002"),
        pytest.raises(UsageError, match="wait for the runs with 2 shards, or stop them"),
    ):
        perform_journaled(shard(data, tmp_path, 3, 0))


def test_what_is_refused(data, tmp_path):
    perform_journaled(shard(data, tmp_path, 2, 0, DyingDigestJob))
    other = shard(data, tmp_path, 3, 0)
    with pytest.raises(UsageError, match="keep_columns was"):
        perform_journaled(replace(other, rows=replace(other.rows, keep_columns=())))
    shuffled = replace(other, rows=replace(other.rows, shuffle=True))
    with pytest.raises(UsageError, match="shuffle was"):
        perform_journaled(shuffled)
    flags = OutputFlags([FORMATS], tmp_path, overwrite=True)
    with pytest.raises(UsageError, match="remove the folder"):
        perform_journaled(replace(other, work=replace(other.work, output=flags)))


def test_a_run_alone_has_no_company(data, tmp_path):
    perform_journaled(Errand(data, tmp_path, load=DigestJob).stream())
    assert SiblingShards.of(tmp_path, DatasetSettings("d")).journals == ()
