"""Parquet files that claim too much: bounded memory, and as many Failures as are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import hostile_parquet
from tests.support.hostile_runs import WARM_UP_MIB, streamed

ROWS = hostile_parquet.ROWS


FALSE = [
    ({"packed": 1 << 60}, "the file has"),
    ({"offset": 1 << 50}, "the file has"),
    ({"offset": -5}, "the file has"),
    ({"rows": 1 << 40}, "rows where 12 can be"),
    ({"rows": 5_000}, "rows where 12 can be"),
    ({"rows": -5}, "rows where 12 can be"),
    ({"rows": 1 << 40, "values": 1 << 40}, "can be"),
]
UNREADABLE = [{"packed": 0}, {"packed": 5_000}, {"codec": 9}, {"codec": -1}, {"codec": 3}]
UNNEEDED = [{"unpacked": 1 << 60}, {"values": 1 << 40}, {}]


def _write(folder: Path, all_claims: list[dict[str, int]]) -> list[Path]:
    files = [folder / f"{number}.parquet" for number in range(len(all_claims))]
    for file, claims in zip(files, all_claims, strict=True):
        hostile_parquet.with_footer(file, **claims)
    return files


def test_a_footer_that_claims_what_cannot_be_costs_its_file(tmp_path: Path) -> None:
    files = _write(tmp_path, [*(claims for claims, _ in FALSE), {}])
    result = streamed(Path("parquet"), files)
    assert len(result.heard) == ROWS
    assert result.grown_mib < WARM_UP_MIB
    for file, found, (_, reason) in zip(files, result.reasons, FALSE, strict=False):
        assert str(file) in found
        assert reason in found
    assert len(result.reasons) == len(FALSE)


def test_a_column_that_cannot_be_read_costs_its_rows(tmp_path: Path) -> None:
    result = streamed(Path("parquet"), _write(tmp_path, [*UNREADABLE, {}]))
    assert len(result.reasons) == ROWS * len(UNREADABLE)
    assert len(result.heard) == ROWS


def test_claims_that_nobody_needs_are_not_believed(tmp_path: Path) -> None:
    result = streamed(Path("parquet"), _write(tmp_path, UNNEEDED))
    assert len(result.heard) == ROWS * len(UNNEEDED)
    assert not result.reasons
    assert result.grown_mib < WARM_UP_MIB


@pytest.mark.slow
def test_pages_that_unpack_to_too_much_cost_their_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    hostile_parquet.page_bomb(path, mib=600, bombs=2)
    result = streamed(path)
    assert len(result.heard) == 6
    assert ["claims" in reason for reason in result.reasons] == [True, True]
    assert result.grown_mib < WARM_UP_MIB
    hostile_parquet.page_bomb(path, mib=100)
    result = streamed(path)
    assert len(result.heard) == 4
    (reason,) = result.reasons
    assert "would unpack" in reason


def test_rows_that_share_a_large_value_are_read_one_by_one(tmp_path: Path) -> None:
    hostile_parquet.dictionary_bomb(tmp_path / "a.parquet", mib=16, rows=60)
    result = streamed(tmp_path / "a.parquet")
    assert len(result.heard) == 60
    assert result.grown_mib < WARM_UP_MIB + 300  # all of them at once would be 960 MiB


@pytest.mark.slow
def test_run_lengths_of_nothing(tmp_path: Path) -> None:
    hostile_parquet.run_length_bomb(tmp_path / "a.parquet")
    result = streamed(tmp_path / "a.parquet")
    assert result.error
    assert "rows where" in result.error
    hostile_parquet.samples_bomb(tmp_path / "b.parquet")
    result = streamed(tmp_path / "b.parquet")
    (reason,) = result.reasons
    assert "claims 200,000,000 values" in reason
    assert result.grown_mib < WARM_UP_MIB


def test_a_footer_of_any_length_costs_its_file(tmp_path: Path) -> None:
    claims = [1 << 26, 1 << 30, (1 << 32) - 1]
    files = [tmp_path / f"{number}.parquet" for number in range(len(claims) + 1)]
    for file, claim in zip(files, claims, strict=False):
        hostile_parquet.long_footer(file, claim)
    hostile_parquet.with_footer(files[-1])
    result = streamed(Path("parquet"), files)
    assert len(result.heard) == ROWS
    for claim, reason in zip(claims, result.reasons, strict=True):
        assert f"its footer claims {claim:,} bytes" in reason
    assert result.grown_mib < WARM_UP_MIB
