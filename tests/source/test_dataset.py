from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from quest22.demo.server import RangeServer
from quest22.errors import SourceError, UsageError
from quest22.metrics import Metrics
from quest22.records import Clip, Failure
from quest22.settings import DatasetSettings
from quest22.source.dataset import DatasetSource
from tests.support import corpora

ROWS = corpora.samples(12)

Written = dict[str, Any]


def _parquet(folder: Path) -> Written:
    corpora.write_parquet(folder / "a-0.parquet", ROWS[:7])
    corpora.write_parquet(folder / "a-1.parquet", ROWS[7:])
    return {"path": "parquet", "data_files": ("a-0.parquet", "a-1.parquet")}


def _parquet_pattern(folder: Path) -> Written:
    _parquet(folder)
    return {"path": "a-*.parquet"}


def _webdataset(folder: Path) -> Written:
    corpora.write_tar(folder / "a-0.tar", ROWS[:7])
    corpora.write_tar(folder / "a-1.tar", ROWS[7:])
    return {"path": "webdataset", "data_files": ("a-0.tar", "a-1.tar")}


def _webdataset_json(folder: Path) -> Written:
    corpora.write_tar(folder / "a.tar", ROWS, as_json=True)
    return {"path": "a.tar"}


def _jsonl(folder: Path) -> Written:
    corpora.write_sounds(folder / "clips", ROWS)
    corpora.write_jsonl(folder / "all.jsonl", ROWS, lambda row: f"clips/{row.id}.wav")
    return {"path": "all.jsonl"}


def _csv(folder: Path) -> Written:
    corpora.write_sounds(folder / "clips", ROWS)
    corpora.write_table(folder / "all.csv", ROWS, ("id", "file", "text"))
    return {"path": "csv", "data_files": ("all.csv",)}


def _tsv(folder: Path) -> Written:
    corpora.write_sounds(folder / "clips", ROWS)
    corpora.write_table(folder / "all.tsv", ROWS, ("uid", "path", "sentence"))
    return {"path": "all.tsv"}


def _two_jsonl(folder: Path) -> Written:
    corpora.write_sounds(folder / "clips", ROWS)
    for name, rows in (("a-0.jsonl", ROWS[:7]), ("a-1.jsonl", ROWS[7:])):
        corpora.write_jsonl(folder / name, rows, lambda row: f"clips/{row.id}.wav")
    return {"path": "json", "data_files": ("a-0.jsonl", "a-1.jsonl")}


def _gzipped(folder: Path) -> Written:
    _jsonl(folder)
    content = (folder / "all.jsonl").read_bytes()
    (folder / "all.jsonl.gz").write_bytes(gzip.compress(content))
    return {"path": "all.jsonl.gz"}


LOCAL_AND_HTTP = [
    _parquet, _webdataset, _webdataset_json, _jsonl, _two_jsonl, _gzipped, _csv, _tsv,
]  # fmt: skip


def _stream(metrics: Metrics | None = None, **settings: Any) -> list[Clip | Failure]:
    return list(DatasetSource(DatasetSettings(**settings), metrics or Metrics()))


def _heard(results: list[Clip | Failure]) -> list[tuple[str, str | None, bytes]]:
    return [(clip.key, clip.reference, _sound(clip)) for clip in results]  # type: ignore[union-attr]


def _sound(clip: Clip) -> bytes:
    if isinstance(clip.media, Path):
        return clip.media.read_bytes()
    if callable(clip.media):
        with clip.media() as file:
            return file.read()
    assert isinstance(clip.media, bytes)
    return clip.media


EXPECTED = [(row.id, row.text, row.sound) for row in ROWS]


@pytest.mark.parametrize("write", [*LOCAL_AND_HTTP, _parquet_pattern])
def test_every_local_kind_gives_the_same_clips(
    write: Callable[[Path], Written], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _heard(_stream(**write(tmp_path))) == EXPECTED


@pytest.mark.parametrize("write", LOCAL_AND_HTTP)
def test_every_kind_streams_over_http(write: Callable[[Path], Written], tmp_path: Path) -> None:
    written = write(tmp_path)
    with RangeServer(tmp_path) as server:
        files = [f"{server.url}/{name}" for name in written.get("data_files", ())]
        path = written["path"] if files else f"{server.url}/{written['path']}"
        assert _heard(_stream(path=path, data_files=tuple(files))) == EXPECTED


def test_a_folder_of_sounds_with_metadata(tmp_path: Path) -> None:
    corpora.write_audiofolder(tmp_path / "corpus", ROWS)
    results = _stream(path=str(tmp_path / "corpus"))
    assert _heard(results) == [(f"{row.id}.wav", row.text, row.sound) for row in ROWS]


def test_names_with_signs_of_patterns_and_urls(tmp_path: Path) -> None:
    row = corpora.Sample("50% #1? [a]", "odd", corpora.wav_bytes())
    corpora.write_sounds(tmp_path / "clips", [row])
    corpora.write_jsonl(tmp_path / "[odd].jsonl", [row], lambda row: f"clips/{row.id}.wav")
    expected = [(row.id, row.text, row.sound)]
    assert _heard(_stream(path=str(tmp_path / "[odd].jsonl"))) == expected
    (tmp_path / "[odd].jsonl").rename(tmp_path / "even.jsonl")
    with RangeServer(tmp_path) as server:
        assert _heard(_stream(path=f"{server.url}/even.jsonl")) == expected


@pytest.mark.parametrize("named", ["folder", "builder"])
def test_a_folder_of_sounds_alone(tmp_path: Path, named: str) -> None:
    corpora.write_sounds(tmp_path / "corpus" / "a", ROWS[:1])
    corpora.write_sounds(tmp_path / "corpus" / "b", ROWS[:2])
    folder = str(tmp_path / "corpus")
    settings = {"folder": {"path": folder}, "builder": _audiofolder(folder)}[named]
    first, second, third = _stream(**settings)
    assert [_name(clip) for clip in (first, second, third)] == [
        f"a/{ROWS[0].id}.wav", f"b/{ROWS[0].id}.wav", f"b/{ROWS[1].id}.wav",
    ]  # fmt: skip
    assert _sound(third) == ROWS[1].sound  # type: ignore[arg-type]


def _audiofolder(folder: str) -> Written:
    return {"path": "audiofolder", "data_files": (folder,)}


def _name(clip: Clip | Failure) -> str:
    return clip.key.partition("corpus/")[2] or clip.key


def test_rows_of_a_tar_may_lack_parts_and_have_more(tmp_path: Path) -> None:
    whole = corpora.samples(6)
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for row in whole:
            corpora.add_member(archive, f"{row.id}.wav", row.sound)
            corpora.add_member(archive, f"{row.id}.json", b'{"text": "x"}')
        corpora.add_member(archive, "silent.json", b'{"text": "nothing to hear"}')
        corpora.add_member(archive, "untold.wav", whole[0].sound)
        corpora.add_member(archive, "more.wav", whole[1].sound)
        corpora.add_member(archive, "more.json", b'{"text": "y", "speaker": "z"}')
    *_, silent, untold, more = _stream(path=str(tmp_path / "a.tar"))
    assert isinstance(silent, Failure)
    assert (silent.key, silent.stage) == ("silent", "source")
    assert _heard([untold, more]) == [
        ("untold", None, whole[0].sound),
        ("more", "y", whole[1].sound),
    ]


def test_a_folder_of_parquet_with_splits(tmp_path: Path) -> None:
    corpora.write_parquet(tmp_path / "data" / "train-00000-of-00001.parquet", ROWS[:7])
    corpora.write_parquet(tmp_path / "data" / "test-00000-of-00001.parquet", ROWS[7:])
    assert _heard(_stream(path=str(tmp_path), split="test")) == EXPECTED[7:]
    with pytest.raises(SourceError, match=r"validation.*train.*test"):
        _stream(path=str(tmp_path), split="validation")


def test_nothing_but_the_needed_columns_travels(tmp_path: Path) -> None:
    rows = corpora.samples(64)
    file = tmp_path / "a.parquet"
    corpora.write_parquet(file, rows, group=16, ballast=50_000)
    with RangeServer(tmp_path) as server:
        source = DatasetSource(DatasetSettings(f"{server.url}/a.parquet"), Metrics())
        before = server.traffic.bytes_sent
        assert len(list(source)) == 64
        sent = server.traffic.bytes_sent - before
    footer_bytes = 64 << 10  # Arrow reads this much of a file's end at once
    assert sent <= 1.05 * _column_bytes(file, {"id", "audio", "text"}) + footer_bytes


MEMORY_SCRIPT = """
import sys
from pathlib import Path
from quest22.metrics import Metrics
from quest22.settings import DatasetSettings
from quest22.source.dataset import DatasetSource

def resident_mib():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

source = DatasetSource(DatasetSettings(sys.argv[1]), Metrics())
held = [resident_mib() for _ in source]
third = len(held) // 3
print(max(held[:third]), max(held[-third:]))
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    rows = [corpora.Sample(str(number), "", os.urandom(1 << 20)) for number in range(160)]
    corpora.write_parquet(tmp_path / "a.parquet", rows, group=8)
    with RangeServer(tmp_path) as server:
        done = subprocess.run(
            [sys.executable, "-c", MEMORY_SCRIPT, f"{server.url}/a.parquet"],
            env={**os.environ, "USE_TORCH": "0"},
            capture_output=True,
            text=True,
            check=True,
        )
    early_mib, late_mib = map(float, done.stdout.split())
    assert late_mib - early_mib < 50  # of 160 MiB, of which a third lies in between


def _column_bytes(file: Path, names: set[str]) -> int:
    metadata = pq.read_metadata(file)
    chunks = [
        metadata.row_group(group).column(column)
        for group in range(metadata.num_row_groups)
        for column in range(metadata.num_columns)
    ]
    return sum(
        chunk.total_compressed_size
        for chunk in chunks
        if chunk.path_in_schema.partition(".")[0] in names
    )


@pytest.fixture
def two_files(tmp_path: Path) -> dict[str, Any]:
    return {"path": "parquet", "data_files": tuple(_absolute(tmp_path, _parquet(tmp_path)))}


def _absolute(folder: Path, written: Written) -> list[str]:
    return [str(folder / name) for name in written["data_files"]]


def test_a_bad_row_becomes_a_failure_in_its_place(tmp_path: Path) -> None:
    rows = [ROWS[0], corpora.Sample("empty", "nothing", b""), ROWS[1]]
    corpora.write_parquet(tmp_path / "a.parquet", rows)
    first, failure, last = _stream(path=str(tmp_path / "a.parquet"))
    assert isinstance(failure, Failure)
    assert (failure.key, failure.stage, failure.origin.row) == ("empty", "source", 1)
    assert (first.key, last.key) == (ROWS[0].id, ROWS[1].id)


def test_origins_say_file_and_row(two_files: dict[str, Any]) -> None:
    origins = [result.origin for result in _stream(**two_files)]
    assert [(Path(origin.file or "").name, origin.row) for origin in origins] == [
        *(("a-0.parquet", row) for row in range(7)),
        *(("a-1.parquet", row) for row in range(5)),
    ]


def test_columns_can_be_named_and_kept(two_files: dict[str, Any]) -> None:
    named = {"text_column": "id", "id_column": "speaker", "keep_columns": ("text", "speaker")}
    clip = _stream(**two_files, **named, take=1)[0]
    assert isinstance(clip, Clip)
    assert (clip.key, clip.reference) == ("0", ROWS[0].id)
    assert clip.columns == {"text": ROWS[0].text, "speaker": 0}


@pytest.mark.parametrize("column", ["audio_column", "text_column", "id_column"])
def test_a_missing_column_lists_those_there_are(two_files: dict[str, Any], column: str) -> None:
    with pytest.raises(SourceError, match=r"'voice'.*id, audio, text, speaker, ballast"):
        _stream(**two_files, **{column: "voice"})


def test_the_metrics_see_waiting_and_bytes(two_files: dict[str, Any]) -> None:
    metrics = Metrics()
    _stream(metrics, **two_files)
    assert metrics.counts()["bytes"] == sum(len(row.sound) for row in ROWS)
    assert metrics.seconds()["source"] > 0


def test_shards_by_file_read_their_files_alone(tmp_path: Path) -> None:
    _parquet(tmp_path)
    with RangeServer(tmp_path) as server:
        files = (f"{server.url}/a-0.parquet", f"{server.url}/a-1.parquet")
        named = {"path": "parquet", "data_files": files, "num_shards": 2}
        keys = [[clip.key for clip in _stream(**named, shard_index=index)] for index in range(2)]
    assert keys == [[row.id for row in ROWS[:7]], [row.id for row in ROWS[7:]]]


@pytest.mark.parametrize(
    "choice",
    [
        {"num_shards": 3},
        {"num_shards": 2, "take": 5, "skip": 3},
        {"num_shards": 2, "shuffle": True, "seed": 7, "buffer_size": 4},
    ],
)
def test_shards_together_are_the_run(two_files: dict[str, Any], choice: dict[str, Any]) -> None:
    shards = [
        clip.key
        for index in range(choice["num_shards"])
        for clip in _stream(**two_files, **choice, shard_index=index)
    ]
    whole = [clip.key for clip in _stream(**two_files, **{**choice, "num_shards": 1})]
    assert sorted(shards) == sorted(whole)


def test_a_source_can_be_read_twice(two_files: dict[str, Any]) -> None:
    source = DatasetSource(DatasetSettings(**two_files), Metrics())
    assert _heard(list(source)) == _heard(list(source)) == EXPECTED


def test_nobody_is_told_what_is_read(two_files: dict[str, Any]) -> None:
    import datasets

    _stream(**two_files, take=1)
    assert datasets.config.HF_UPDATE_DOWNLOAD_COUNTS is False
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"


def test_a_builder_needs_data_files() -> None:
    with pytest.raises(UsageError, match="--data-files"):
        _stream(path="parquet")


def test_a_file_that_is_not_what_its_name_says(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"not at all parquet" * 100)
    with pytest.raises(SourceError, match=r"a\.parquet"):
        _stream(path=str(tmp_path / "a.parquet"))


def test_a_dataset_with_a_script_is_not_run(tmp_path: Path) -> None:
    folder = tmp_path / "scripted"
    folder.mkdir()
    (folder / "scripted.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(SourceError, match=r"script.*never run"):
        _stream(path=str(folder))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("no/such/folder", "no such file or folder"),
        ("talk.mp3", "quest22 transcribe"),
        ("", "no dataset given"),
    ],
)
def test_what_is_no_dataset(path: str, words: str) -> None:
    with pytest.raises((SourceError, UsageError), match=words):
        _stream(path=path)


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(SourceError, match="cannot be reached"):
        _stream(path="http://127.0.0.1:9/a.parquet")


def test_a_file_the_server_does_not_have(tmp_path: Path) -> None:
    with RangeServer(tmp_path) as server, pytest.raises(SourceError, match="no such file"):
        _stream(path=f"{server.url}/a.parquet")


def test_a_remote_dataset_cannot_name_files_of_this_machine(tmp_path: Path) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(ROWS[0].sound)
    paths = [str(secret), f"file://{secret}", "../secret.wav", "clips/../../secret.wav"]
    named = dict(zip([row.id for row in ROWS], paths, strict=False))
    corpora.write_jsonl(tmp_path / "web" / "a.jsonl", ROWS[: len(paths)], lambda row: named[row.id])
    with RangeServer(tmp_path / "web") as server:
        results = _stream(path=f"{server.url}/a.jsonl")
    assert [type(result) for result in results] == [Failure] * len(paths)


def test_a_pattern_without_files_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no (data )?files (match|were found)|Unable to find"):
        _stream(path=str(tmp_path / "*.jsonl"))
