"""Continuing behind a row: the same clips as the whole run, and nothing read twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from quest22.demo.server import RangeServer
from quest22.errors import SourceError
from quest22.metrics import Metrics
from quest22.records import Clip, Failure, Origin, Position
from quest22.settings import DatasetSettings
from quest22.source.dataset import DatasetSource, ResumeState
from quest22.source.row_positions import MissingRows, Selection
from tests.support import corpora

ROWS = corpora.samples(24)
KEYED = [corpora.Sample("same" if n % 5 == 2 else row.id, row.text, row.sound)
         for n, row in enumerate(ROWS)]  # fmt: skip


def _write(folder: Path, kind: str) -> tuple[str, ...]:
    for part in range(3):
        rows = KEYED[part * 8 : part * 8 + 8]
        if kind == "parquet":
            corpora.write_parquet(folder / f"{part}.parquet", rows, group=2, ballast=1000)
        elif kind == "tar":
            corpora.write_tar(folder / f"{part}.tar", ROWS[part * 8 : part * 8 + 8])
        else:
            corpora.write_sounds(folder, rows)
            corpora.write_jsonl(folder / f"{part}.jsonl", rows, lambda row: f"{row.id}.wav")
    return tuple(f"{part}.{kind}" for part in range(3))


def _clips(files: list[str], after: Position | None = None, earlier: ResumeState | None = None,
           **settings: Any) -> list[Clip | Failure]:  # fmt: skip
    kinds = {"parquet": "parquet", "tar": "webdataset", "jsonl": "json"}
    builder = kinds[files[0].rpartition(".")[2]]
    chosen = DatasetSettings(builder, data_files=tuple(files), **settings)
    return list(DatasetSource(chosen, Metrics(), after, resume_state=earlier))


def _position(clips: list[Clip | Failure], results: int) -> Position:
    last = clips[results - 1]
    return Position(results, last.key, last.origin)


@pytest.mark.parametrize("kind", ["parquet", "tar", "jsonl"])
@pytest.mark.parametrize(
    "settings",
    [{}, {"skip": 3, "take": 15}, {"num_shards": 2, "shard_index": 1},
     {"num_shards": 5, "shard_index": 2, "take": 20}, {"shuffle": True, "buffer_size": 4}],
)  # fmt: skip
def test_the_rest_is_the_rest_of_the_whole_run(
    tmp_path: Path, kind: str, settings: dict[str, Any]
) -> None:
    files = [str(tmp_path / name) for name in _write(tmp_path, kind)]
    whole = _clips(files, **settings)
    for done in range(1, len(whole) + 1, 3):
        keys = [clip.key for clip in whole[:done]]
        rest = _clips(files, _position(whole, done), ResumeState(keys), **settings)
        assert [(clip.key, clip.origin) for clip in rest] == [
            (clip.key, clip.origin) for clip in whole[done:]
        ]


def test_what_is_done_is_not_read_again(tmp_path: Path) -> None:
    _write(tmp_path, "parquet")
    with RangeServer(tmp_path) as server:
        files = [f"{server.url}/{part}.parquet" for part in range(3)]
        whole = _clips(files)
        metrics = Metrics()
        settings = DatasetSettings("parquet", data_files=tuple(files))
        source = DatasetSource(
            settings, metrics, _position(whole, 23), resume_state=ResumeState(["x"])
        )
        before = metrics.counts()["net_bytes"]
        (last,) = source
        assert last.key == whole[-1].key
        # the last file's footer, and the needed columns of the row group with the checked row
        group = pq.read_metadata(tmp_path / "2.parquet").row_group(3)
        needed = sum(group.column(column).total_compressed_size for column in range(4))
        assert metrics.counts()["net_bytes"] - before == (64 << 10) + needed


@pytest.mark.parametrize(("key", "row"), [("other", 0), ("utt-008", 99)])
def test_a_changed_dataset_is_refused(tmp_path: Path, key: str, row: int) -> None:
    files = [str(tmp_path / name) for name in _write(tmp_path, "parquet")]
    after = Position(9, key, Origin("parquet", None, files[1], row))
    with pytest.raises(SourceError, match="has changed since the run started"):
        _clips(files, after, ResumeState([]))


def test_a_broken_line_costs_itself_alone(tmp_path: Path) -> None:
    corpora.write_sounds(tmp_path, ROWS[:3])
    lines = [json.dumps({"id": row.id, "audio": f"{row.id}.wav"}) for row in ROWS[:3]]
    lines.insert(1, '{"id": "broken", ')
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    first, failure, *others = _clips([str(tmp_path / "a.jsonl")])
    assert isinstance(failure, Failure)
    assert "line 2" in failure.reason
    assert failure.origin.row == 1
    assert [first.key, *(clip.key for clip in others)] == [row.id for row in ROWS[:3]]


def test_a_corrupt_page_costs_rows_of_its_group_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    corpora.write_parquet(path, ROWS, group=8)
    chunk = pq.read_metadata(path).row_group(1).column(1)
    content = bytearray(path.read_bytes())
    for at in range(chunk.data_page_offset, chunk.data_page_offset + 64):
        content[at] = 0xFF
    path.write_bytes(content)
    results = _clips([str(path)])
    assert [result.origin.row for result in results] == list(range(24))
    bad = [result.origin.row for result in results if isinstance(result, Failure)]
    assert bad == list(range(8, 16))
    assert all("row group 1" in r.reason for r in results if isinstance(r, Failure))


def test_what_is_told_of_damage_is_the_same_from_wherever_reading_begins(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    corpora.write_parquet(path, ROWS, group=8)
    chunk = pq.read_metadata(path).row_group(1).column(1)
    content = bytearray(path.read_bytes())
    content[chunk.data_page_offset : chunk.data_page_offset + 64] = b"\xff" * 64
    path.write_bytes(content)
    whole = _clips([str(path)])
    for done in range(8, 15, 2):
        keys = [clip.key for clip in whole[:done]]
        rest = _clips([str(path)], _position(whole, done), ResumeState(keys))
        lost, told = ([bad for bad in each if isinstance(bad, Failure)] for each in (rest, whole))
        assert lost == [bad for bad in told if bad.origin.row is None or bad.origin.row >= done]
        assert len(rest) == len(whole) - done
        assert told


def test_a_file_that_cannot_be_read_is_an_open_end(tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in _write(tmp_path, "parquet")]
    Path(files[1]).write_bytes(b"no parquet at all")
    results = _clips(files)
    (failure,) = [result for result in results if isinstance(result, Failure)]
    assert (failure.origin.file, failure.origin.row, failure.open_end) == (files[1], None, True)
    assert "how many there are is unknown" in failure.reason
    assert len(results) == 17


def test_a_damaged_header_in_a_tar(tmp_path: Path) -> None:
    corpora.write_tar(tmp_path / "a.tar", ROWS[:4])
    content = bytearray((tmp_path / "a.tar").read_bytes())
    at = content.index(b"utt-001.wav")
    content[at : at + 512] = b"\xff" * 512
    (tmp_path / "a.tar").write_bytes(content)
    results = _clips([str(tmp_path / "a.tar")])
    heard = [clip.key for clip in results if isinstance(clip, Clip)]
    assert heard == ["utt-000", "utt-002", "utt-003"]
    assert any("damaged" in bad.reason for bad in results if isinstance(bad, Failure))


@pytest.mark.parametrize(
    ("spoil", "heard", "told"),
    [
        (lambda whole: whole, 4, None),
        (lambda whole: whole + whole, 4, None),  # two archives in one: the keys come again
        (lambda whole: whole.rstrip(b"\0"), 4, "after utt-003.wav: "),
        (lambda whole: whole[: whole.index(b"utt-002")], 2, "without the mark of its end"),
        (
            lambda whole: whole[: whole.index(b"utt-003.txt") + 100],
            3,
            "after utt-002.wav: the file breaks off at byte",
        ),
        (lambda whole: _overwritten(whole, b"utt-003.wav"), 3, "a damaged header at byte"),
        (lambda whole: _overwritten(whole, b"utt-000.txt"), 4, "after the start: a damaged header"),
        (lambda _: b"this is no tar " * 1000, 0, "it is no tar file, or a damaged one"),
        (lambda _: b"", 0, "a.tar"),
        (lambda _: bytes(10240), 0, None),
    ],
)
def test_what_is_missing_in_a_tar_is_told(
    tmp_path: Path, spoil: Callable[[bytes], bytes], heard: int, told: str | None
) -> None:
    corpora.write_tar(tmp_path / "z.tar", ROWS[8:10])
    corpora.write_tar(tmp_path / "a.tar", ROWS[:4])
    (tmp_path / "a.tar").write_bytes(spoil((tmp_path / "a.tar").read_bytes()))
    results = _clips([str(tmp_path / "a.tar"), str(tmp_path / "z.tar")])
    clips = {clip.key.partition("@")[0] for clip in results if isinstance(clip, Clip)}
    assert len(clips) == heard + 2
    reasons = [bad.reason for bad in results if isinstance(bad, Failure)]
    assert bool(reasons) == (told is not None)
    assert told is None or any(told in reason and "a.tar" in reason for reason in reasons), reasons


def _overwritten(whole: bytes, header: bytes) -> bytes:
    at = whole.index(header)
    return whole[:at] + b"\xff" * 512 + whole[at + 512 :]


def test_certain_rows_alone_are_read_where_their_keys_are_told(tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in _write(tmp_path, "parquet")]
    whole = _clips(files)
    keys = {(whole[n].origin.file, whole[n].origin.row): whole[n].key for n in (3, 7, 17)}
    Path(files[1]).unlink()  # nothing is wanted of it
    Path(files[1]).write_bytes(b"")
    settings = DatasetSettings("parquet", data_files=tuple(files))
    picked = list(DatasetSource(settings, Metrics(), selected=Selection(keys)))
    assert [(clip.key, clip.origin) for clip in picked] == [
        (whole[n].key, whole[n].origin) for n in (3, 7, 17)
    ]


def test_a_row_that_could_not_be_read_gets_its_own_key_when_it_can(tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in _write(tmp_path, "parquet")]
    settings = DatasetSettings("parquet", data_files=tuple(files))
    keys = {(files[0], 3): "train-00000-000003", (files[1], 0): KEYED[8].id}
    picked = [clip.key for clip in DatasetSource(settings, Metrics(), selected=Selection(keys))]
    assert picked == [KEYED[3].id, KEYED[8].id]
    earlier = ResumeState([KEYED[3].id])
    again = list(DatasetSource(settings, Metrics(), selected=Selection(keys), resume_state=earlier))
    assert again[0].key == f"{KEYED[3].id}@train-00000-000003"


def test_a_file_that_could_not_be_read_is_read_but_for_what_is_done(tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in _write(tmp_path, "parquet")]
    settings = DatasetSettings("parquet", data_files=tuple(files))
    done = {(files[1], row) for row in range(5)}
    keys = {(files[1], None): "train-00001"}
    selection = Selection(keys, {files[1]: MissingRows()}, done)
    picked = list(DatasetSource(settings, Metrics(), selected=selection))
    assert [clip.origin.row for clip in picked] == [5, 6, 7]


def test_another_row_in_its_place_is_not_taken_for_a_failure(tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in _write(tmp_path, "parquet")]
    settings = DatasetSettings("parquet", data_files=tuple(files))
    with pytest.raises(SourceError, match="expected 'other', found 'utt-003'"):
        list(DatasetSource(settings, Metrics(), selected=Selection({(files[0], 3): "other"})))


def test_all_columns_but_sound_can_be_kept(tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in _write(tmp_path, "parquet")]
    clip = _clips(files, keep_columns=("*",))[0]
    assert isinstance(clip, Clip)
    assert set(clip.columns) == {"id", "text", "speaker"}  # "ballast" is bytes
