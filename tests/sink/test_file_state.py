"""Files that were changed after they were published are noticed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.errors import SinkError
from quest22.sink import file_state
from quest22.sink.file_state import FileState, Notes, end_of_own_lines

LINES = [f'{{"id": {number}}}\n'.encode() for number in range(2000)]


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A file of many blocks, and its state as a journal holds it."""
    monkeypatch.setattr(file_state, "BLOCK_BYTES", 1000)
    state = FileState()
    for line in LINES:
        state = state.after(line)
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"".join(LINES))
    return path, FileState.of(json.loads(json.dumps(state.to_json())))


def edited(content, kind):
    middle = len(content) // 2
    return {
        "same": content,
        "longer": content + b"more",
        "shorter": content[:-1],
        "empty": b"",
        "CRLF": content.replace(b"\n", b"\r\n"),
        "one byte": content[:middle] + b"#" + content[middle + 1 :],
        "end": content[:-3] + b"8" + content[-2:],
        "inserted": content[:middle] + b"x" + content[middle:],
    }[kind]


@pytest.mark.parametrize(
    ("kind", "told", "told_of_large"),
    [
        ("same", "", ""),
        ("longer", "", ""),
        ("shorter", "bytes, not", "bytes, not"),
        ("empty", "bytes, not", "bytes, not"),
        ("CRLF", "CR and LF", "CR and LF"),
        ("one byte", "are others", ""),
        ("end", "are others", "are others"),
        ("inserted", "are others", "are others"),
    ],
)
def test_changes(published, monkeypatch, kind, told, told_of_large):
    path, state = published
    path.write_bytes(edited(path.read_bytes(), kind))
    for limit, expected in ((1 << 30, told), (0, told_of_large)):
        monkeypatch.setattr(file_state, "WHOLE_BYTES", limit)
        if not expected:
            state.check(path)
            continue
        with pytest.raises(SinkError, match=f"changed since the run wrote it.*{expected}"):
            state.check(path)
    if kind == "one byte":
        with pytest.raises(SinkError):
            state.check(path, whole=True)


def test_a_large_file_is_not_read_as_a_whole(published, monkeypatch):
    path, state = published
    monkeypatch.setattr(file_state, "WHOLE_BYTES", 0)
    assert 1000 <= state.size - state.anchor[0] < 3000
    path.unlink()
    with pytest.raises(SinkError, match="it is gone"):
        state.check(path)


def test_of_an_earlier_version_the_size_is_known(tmp_path):
    path = tmp_path / "t"
    path.write_bytes(b"1\n2\n")
    state = FileState.of({"bytes": 4})
    state.check(path)
    more = state.after(b"3\n")
    path.write_bytes(b"1\n2\n3\n")
    more.check(path)
    path.write_bytes(b"1\n2\n4\n")
    with pytest.raises(SinkError):
        more.check(path)


@given(
    cut=st.integers(0, 40),
    published=st.integers(0, 4),
    added=st.binary(max_size=4),
    known=st.integers(0, 4),
)
def test_own_lines_end_where_ours_end(tmp_path_factory, cut, published, added, known):
    folder = tmp_path_factory.mktemp("notes")
    lines = [f"line {number}\n".encode() for number in range(4)]
    notes = Notes(folder / "notes")
    offset = 0
    for line in lines[:known]:
        notes.add(offset, line)
        offset += len(line)
    notes.close()
    whole = b"".join(lines)
    start = len(b"".join(lines[:published]))
    ours = whole[: max(cut, start)]
    (folder / "t").write_bytes(ours + added)
    end = end_of_own_lines(folder / "t", start, folder / "notes")
    content = ours + added
    assert start <= end <= len(content)
    noted = whole[:offset] if known > published else whole[:start]
    assert noted.startswith(content[:end]) or whole.startswith(content[:end]) or cut < len(whole)
    if not added and known == 4:
        assert end == len(content)
    if added and cut >= len(whole):
        assert end <= len(whole)


def test_notes_do_not_grow(tmp_path, monkeypatch):
    monkeypatch.setattr(file_state, "NOTES_BYTES", 100)
    notes = Notes(tmp_path / "notes")
    for number in range(100):
        notes.add(10 * number, b"123456789\n")
        notes.publish(10 * number)
        assert (tmp_path / "notes").stat().st_size < 200
    notes.close()
    content = b"123456789\n" * 100
    (tmp_path / "t").write_bytes(content)
    assert end_of_own_lines(tmp_path / "t", 980, tmp_path / "notes") == 1000
