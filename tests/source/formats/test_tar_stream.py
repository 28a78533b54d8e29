from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.source.formats.tar_stream import Gap, TarEnd, TarError, TarMember, tar_members
from quest22.source.limits import MAX_MEMBER_NAME_BYTES, MAX_TAR_HEADER_BYTES
from tests.support import hostile_tars as tars
from tests.support.hostile_tars import member, plain_tar


def read(file: Any) -> tuple[list[tuple[str, bytes]], list[Any]]:
    """The members' names and contents, and all else that came."""
    members, others = [], []
    for item in tar_members(file):
        if isinstance(item, TarMember) and item.problem is None:
            members.append((item.name, item.content.read()))
        else:
            others.append(item)
    return members, others


NAMES = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1)


@settings(deadline=None)
@given(
    st.lists(st.tuples(NAMES.map(lambda name: f"x{name}y"), st.binary(max_size=1500)), max_size=4),
    st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_members_as_tarfile_wrote_them(files: list[tuple[str, bytes]], kind: int) -> None:
    container = io.BytesIO()
    with tarfile.open(fileobj=container, mode="w", format=kind) as archive:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            try:
                archive.addfile(info, io.BytesIO(content))
            except ValueError:  # ustar has no room for the name
                return
    container.seek(0)
    assert read(container) == (files, [TarEnd()])


def test_names_that_are_long_or_no_utf_8(tmp_path: Path) -> None:
    names = ["a/" * 200 + "b.wav", os.fsdecode(b"caf\xe9.wav"), "c" * 99 + ".wav"]
    for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        container = io.BytesIO()
        with tarfile.open(fileobj=container, mode="w", format=kind) as archive:
            for name in names:
                archive.addfile(tarfile.TarInfo(name))
        container.seek(0)
        assert [name for name, _ in read(container)[0]] == names


def test_what_is_no_file_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.txt").write_text("a")
    (tmp_path / "d" / "link").symlink_to("a.txt")
    os.link(tmp_path / "d" / "a.txt", tmp_path / "d" / "hard")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / "d", "d")
    with (tmp_path / "a.tar").open("rb") as file:
        members, others = read(file)
    assert [content for _, content in members] == [b"a"]
    assert others == [TarEnd()]


@pytest.mark.parametrize(
    "how", [["--format=gnu"], ["--format=pax"], ["--format=pax", "--sparse-version=0.1"]]
)
def test_members_with_holes(tmp_path: Path, how: list[str]) -> None:
    content = bytes(200_000) + b"sound" * 2_000 + bytes(300_000) + b"end" + bytes(100_000)
    with (tmp_path / "a.wav").open("wb") as file:
        for at in range(0, len(content), 4096):
            block = content[at : at + 4096]
            if any(block):
                file.seek(at)
                file.write(block)
        file.truncate(len(content))
    command = ["tar", "--sparse", "--hole-detection=raw", *how, "-cf", "a.tar", "a.wav"]
    if shutil.which("tar") is None or subprocess.run(command, cwd=tmp_path, check=False).returncode:
        pytest.skip("this tar writes no holes")
    assert (tmp_path / "a.tar").stat().st_size < 100_000
    with (tmp_path / "a.tar").open("rb") as file:
        members, others = read(file)
    assert others == [TarEnd()]
    assert members == [("a.wav", content)]


@pytest.mark.parametrize(
    ("size", "pieces"),
    [(10, [(0, 20)]), (100, [(50, 10), (0, 10)]), (100, [(0, 20), (10, 20)])],
)
def test_a_damaged_map_of_holes_costs_its_member(size: int, pieces: list[tuple[int, int]]) -> None:
    stored = bytes(512)
    file = plain_tar(tars.sparse_header("a", size, pieces), stored, member("b", b"b"))
    members, (bad, _) = read(file)
    assert members == [("b", b"b")]
    assert "its map is damaged" in bad.problem


def test_long_maps_of_holes_are_not_read() -> None:
    lines = b"%d\n" % 10**7 + b"0\n0\n" * 400_000
    records = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "5"}
    file = plain_tar(tars.extended(records), member("a", lines), member("b", b"b"))
    members, (bad, _) = read(file)
    assert members == [("b", b"b")]
    assert "map is too long" in bad.problem


@pytest.mark.parametrize(
    ("kind", "limit"),
    [
        (tarfile.GNUTYPE_LONGNAME, MAX_MEMBER_NAME_BYTES),
        (tarfile.GNUTYPE_LONGLINK, MAX_MEMBER_NAME_BYTES),
        (tarfile.XHDTYPE, MAX_TAR_HEADER_BYTES),
    ],
)
def test_long_names_and_headers_cost_their_member(kind: bytes, limit: int) -> None:
    container = io.BytesIO()
    tars.add_zeros(container, "long", limit + 1, kind)
    tars.add(container, "a", b"a")
    tars.add(container, "b", b"b")
    container.write(bytes(1024))
    container.seek(0)
    members, (bad, _) = read(container)
    assert members == [("b", b"b")]
    assert f"takes {limit + 1:,} bytes" in bad.problem


def test_records_of_an_extended_header() -> None:
    file = plain_tar(
        tars.extended({"path": "x\nlong", "size": "3", "comment": "a=b"}), member("a", b"abc"),
        tars.header("pax", 20, tarfile.XGLTYPE), bytes(512),
        tars.header("pax", 9, tarfile.XHDTYPE), b"no record".ljust(512, b"\0"), member("b", b"b"),
    )  # fmt: skip
    assert read(file) == ([("x\nlong", b"abc"), ("b", b"b")], [TarEnd()])


@pytest.mark.parametrize(
    ("content", "members", "problem"),
    [
        (b"", [], "breaks off at byte 0, without the mark"),
        (bytes(512), [], None),
        (bytes(10_240), [], None),
        (b"no tar at all", [], "breaks off at byte 13, in the header"),
        (b"no tar at all" * 100, [], "it is no tar file"),
        (member("a", b"a"), ["a"], "without the mark of its end"),
        (member("a", b"a") + b"x" * 100, ["a"], "in the header of a member"),
        (member("a", b"a")[:600], ["a"], "without the mark of its end"),
        (member("a", b"a") + b"\xff" * 600, ["a"], "damaged header at byte 1,024, and none"),
        (member("a", b"a") + bytes(512) + member("b", b"b") + bytes(700), ["a", "b"], None),
    ],
)
def test_how_a_tar_ends(content: bytes, members: list[str], problem: str | None) -> None:
    found, others = read(io.BytesIO(content))
    assert [name for name, _ in found] == members
    (end,) = others
    assert problem in end.problem if problem else end.problem is None


def test_a_damaged_header_costs_its_member() -> None:
    file = plain_tar(member("a", b"a"), b"\xff" * 512, b"lost" * 128, member("b", b"b"))
    assert read(file) == ([("a", b"a"), ("b", b"b")], [Gap(1024), TarEnd()])


@pytest.mark.parametrize("size", [600, 1 << 40, (1 << 62) - 1])
def test_a_file_that_breaks_off_in_a_member(size: int) -> None:
    content = tars.header("a", size) + b"a" * 512
    with pytest.raises(TarError, match="breaks off at byte 1,024, in a"):
        read(io.BytesIO(content))
    skipped = tar_members(io.BytesIO(content))
    assert next(skipped)
    with pytest.raises(TarError, match="breaks off at byte 1,024, in a"):
        next(skipped)


@settings(deadline=None)
@given(st.binary(max_size=512), st.integers(0, 3_000))
def test_no_bytes_are_too_odd(noise: bytes, at: int) -> None:
    whole = plain_tar(tars.extended({"path": "é"}), member("a", b"a"), member("b", b"b")).getvalue()
    try:
        _, others = read(io.BytesIO(whole[:at] + noise + whole[at + len(noise) :]))
    except TarError:
        return
    assert isinstance(others[-1], TarEnd)
