"""Data files that cannot be read to their end: nothing is lost in silence, all comes in time."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from quest22.cli.exits import Exit
from quest22.errors import SourceError
from quest22.runs.retry_failed import retry
from quest22.runs.run_status import status
from quest22.runs.store import LocalRunStore
from tests.runs.dying import DyingDigestPipeline
from tests.support import corpora
from tests.torture.kills import differences, outputs
from tests.torture.worker import DigestPipeline, RunSpec

ROWS = corpora.samples(24)


def tars(folder: Path, parts: int = 3) -> list[Path]:
    """The rows in tars of equal length."""
    size = len(ROWS) // parts
    paths = [folder / f"{part}.tar" for part in range(parts)]
    for part, path in enumerate(paths):
        corpora.write_tar(path, ROWS[part * size : part * size + size])
    return paths


def spec(paths: list[Path], folder: Path, **named) -> RunSpec:
    rows = {"path": "webdataset", "data_files": tuple(map(str, paths)), "keep_columns": ()}
    dataset = rows | named.pop("dataset", {})
    return RunSpec(paths[0].parent, folder, load=DigestPipeline, dataset=dataset, **named)


def again(run: RunSpec, how: str) -> Exit:
    """Go on with a run: by its command, or by a retry."""
    return spec_with(run, retry=how == "retry").command()


def spec_with(run: RunSpec, **changes) -> RunSpec:
    return RunSpec(
        **{**{name: getattr(run, name) for name in RunSpec.__dataclass_fields__}, **changes}
    )


def whole_outputs(tmp_path: Path) -> dict[str, bytes]:
    paths = tars(tmp_path / "data")
    run = spec(paths, tmp_path / "whole")
    assert run.command() is Exit.DONE
    return outputs(run.folder)


@pytest.mark.parametrize("how", ["command", "retry"])
@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize("share", [0.0, 0.03, 0.4, 0.77, 0.8])
def test_a_half_uploaded_tar_that_is_whole_later(tmp_path, how, part, share):
    expected = whole_outputs(tmp_path)
    path = tmp_path / "data" / f"{part}.tar"
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    run = spec(tars_in(path.parent), tmp_path / "out")
    assert run.command() is Exit.INCOMPLETE
    found = status(run.folder)
    assert (found.state, found.open_ends, found.failures) == ("incomplete", 1, 0)
    assert 16 <= found.transcripts <= 24
    assert str(path) in found.missing[0]
    assert "unknown" in found.missing[0]
    assert again(run, how) is Exit.INCOMPLETE  # as long as it is not whole
    assert status(run.folder).transcripts == found.transcripts
    path.write_bytes(content)
    assert again(run, how) is Exit.DONE
    assert differences(expected, outputs(run.folder)) == []
    assert status(run.folder).state == "finished"


def tars_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.tar"))


def test_a_file_that_grows_from_try_to_try(tmp_path):
    expected = whole_outputs(tmp_path)
    path = tmp_path / "data" / "1.tar"
    content = path.read_bytes()
    run = spec(tars_in(path.parent), tmp_path / "out")
    counts = []
    for share in (0.1, 0.5, 0.5, 0.8):
        path.write_bytes(content[: int(share * len(content))])
        assert again(run, "command" if len(counts) % 2 else "retry" if counts else "command") == 4
        counts.append(status(run.folder).transcripts)
    assert counts == sorted(counts)
    assert counts[1] == counts[2] < counts[3]
    path.write_bytes(content)
    assert again(run, "retry") is Exit.DONE
    assert differences(expected, outputs(run.folder)) == []


@pytest.mark.parametrize("retried", [False, True])
def test_deaths_change_nothing(tmp_path, retried):
    expected = whole_outputs(tmp_path)
    path = tmp_path / "data" / "0.tar"
    content = path.read_bytes()
    path.write_bytes(content[:100])
    run = spec(tars_in(path.parent), tmp_path / "out")
    dying = spec_with(run, load=DyingDigestPipeline)
    if not retried:
        with pytest.raises(KeyboardInterrupt):
            dying.run()
    assert run.command() is Exit.INCOMPLETE
    path.write_bytes(content)
    if retried:
        with pytest.raises(KeyboardInterrupt):
            spec_with(dying, retry=True).run()
        assert status(run.folder).open_ends == 1
    assert run.command() is Exit.DONE
    assert differences(expected, outputs(run.folder)) == []


def test_a_file_that_is_mended_before_the_run_goes_on(tmp_path):
    expected = whole_outputs(tmp_path)
    path = tmp_path / "data" / "0.tar"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3])
    run = spec(tars_in(path.parent), tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        spec_with(run, load=DyingDigestPipeline).run()
    assert status(run.folder).open_ends == 1
    path.write_bytes(content)
    assert run.command() is Exit.INCOMPLETE
    assert run.command() is Exit.DONE
    assert differences(expected, outputs(run.folder)) == []


def test_what_stays_damaged_can_be_done_without(tmp_path):
    path = tars(tmp_path / "data")[1]
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    run = spec(tars_in(path.parent), tmp_path / "out")
    assert run.command() is Exit.INCOMPLETE
    summary = spec_with(run, retry=True, accept_missing=True).run()
    assert (summary.finished, summary.open_ends, summary.failures) == (True, 1, 0)
    assert spec_with(run, retry=True, accept_missing=True).command() is Exit.SOME_FAILED
    assert run.command() is Exit.SOME_FAILED
    assert status(run.folder).state == "finished"
    lines = (run.folder / "failures.jsonl").read_text().splitlines()
    assert [json.loads(line)["open_end"] for line in lines] == [True]
    path.write_bytes(content)
    assert again(run, "retry") is Exit.DONE
    assert status(run.folder).transcripts == 24


@pytest.mark.parametrize("kind", ["jsonl.gz", "csv", "parquet"])
def test_other_formats(tmp_path, kind):
    data = tmp_path / "data"
    corpora.write_sounds(data / "clips", ROWS)
    parts = (ROWS[:12], ROWS[12:])
    paths = [data / f"{part}.{kind}" for part in range(2)]
    for path, rows in zip(paths, parts, strict=True):
        write(path, rows)
    builder = {"parquet": "parquet", "csv": "csv"}.get(kind, "json")
    rows = {"path": builder}
    whole = spec(paths, tmp_path / "whole", dataset=rows)
    assert whole.command() is Exit.DONE
    content = paths[0].read_bytes()
    paths[0].write_bytes(content[: content.index(b"clips/utt-007") if kind == "csv" else -30])
    run = spec(paths, tmp_path / "out", dataset=rows)
    assert run.command() is Exit.INCOMPLETE
    assert 12 <= status(run.folder).transcripts < 24
    paths[0].write_bytes(content)
    assert run.command() is Exit.DONE
    assert differences(outputs(whole.folder), outputs(run.folder)) == []


def write(path: Path, rows: list[corpora.Sample]) -> None:
    if path.suffix == ".parquet":
        corpora.write_parquet(path, rows)
    elif path.suffix == ".csv":
        corpora.write_table(path, rows, ("id", "audio", "text"))
    else:
        plain = path.with_suffix("")
        corpora.write_jsonl(plain, rows, lambda row: f"clips/{row.id}.wav")
        path.write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()


@pytest.mark.parametrize("order", [{"take": 20}, {"num_shards": 4, "shard_index": 1}])
def test_rows_that_are_counted_are_never_taken_twice(tmp_path, order):
    paths = tars(tmp_path / "data")
    content = paths[0].read_bytes()
    paths[0].write_bytes(content[: len(content) // 2])
    run = spec(paths, tmp_path / "out", dataset=order)
    assert run.command() is Exit.INCOMPLETE
    paths[0].write_bytes(content)
    with pytest.raises(SourceError, match="start over with --restart"):
        run.run()


def test_a_file_with_an_open_end_is_missed(tmp_path):
    paths = tars(tmp_path / "data")
    paths[1].write_bytes(b"no tar")
    pattern = {"data_files": (f"{tmp_path}/data/*.tar",)}
    run = spec(paths, tmp_path / "out", dataset=pattern)
    assert run.command() is Exit.INCOMPLETE
    paths[1].unlink()
    with pytest.raises(SourceError, match="1 data file no longer there"):
        run.run()


def shards(paths: list[Path], folder: Path, number: int) -> list[RunSpec]:
    rows = ({"num_shards": number, "shard_index": index} for index in range(number))
    return [spec(paths, folder, dataset=each) for each in rows]


def keys_in(folder: Path) -> list[str]:
    lines = (path.read_text().splitlines() for path in folder.rglob("transcripts.jsonl"))
    return sorted(json.loads(line)["id"] for each in lines for line in each)


def test_shards_with_open_ends_are_continued_by_any_number(tmp_path):
    paths = tars(tmp_path / "data", parts=6)
    content = paths[0].read_bytes()
    paths[0].write_bytes(content[: len(content) // 3])
    folder = tmp_path / "out"
    first, _ = shards(paths, folder, 2)
    assert first.command() is Exit.INCOMPLETE
    assert not status(folder).finished
    paths[0].write_bytes(content)
    for each in shards(paths, folder, 3):
        assert each.command() in (Exit.DONE, Exit.NOTHING_DONE)
    assert len(keys_in(folder)) < 24
    for run in LocalRunStore(folder).runs():
        retry(run, load=DigestPipeline)
    assert keys_in(folder) == [f"utt-{number:03d}" for number in range(24)]
