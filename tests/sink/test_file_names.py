from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.settings import CAPTION_FORMATS, RUN_FOLDER
from quest22.sink.file_names import MAX_PART_BYTES, OutputNames, folded, safe_stem


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("talk.mp3", "talk"),
        ("talk.tar.MP3", "talk.tar"),
        ("day 1/talk.wav", "day 1/talk"),
        ("speaker.anna", "speaker.anna"),
        ("1272-128104-0000", "1272-128104-0000"),
        (".wav", ".wav"),
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("a/./../b.ogg", "a/b"),
        ("..\\..\\b.ogg", "b"),
        ('a:b?c*"<d>|.mp3', "a_b_c___d__"),
        ("a\x00b\n.mp3", "a_b_"),
        ("bad\udcff.mp3", "bad_"),
        ("речь.m4a", "речь"),
        ("e\u0301.mp3", "é"),
        ("", "clip"),
        ("...", "clip"),
        ("/", "clip"),
        ("name. ", "name"),
        ("x" * 300 + ".mp3", "x" * MAX_PART_BYTES),
        ("con.mp3", "_con"),
        ("NUL", "_NUL"),
        ("aux.txt.wav", "_aux.txt"),
        ("com1/lpt9 .wav", "_com1/_lpt9"),
        ("console.wav", "console"),
        ("a ..mp3", "a"),
        ("C:\\talks\\a.mp3", "C_/talks/a"),
        (".quest22/journal", "_.quest22/journal"),
        ("./.Quest22./journal", "_.Quest22/journal"),
        (".que\u200dst22/journal", "_.que\u200dst22/journal"),
        ("quest2~1/journal", "_quest2~1/journal"),
        ("a/.quest22/b", "a/.quest22/b"),
        (".quest22", ".quest22"),
        ("shard-00001-of-00002/a", "_shard-00001-of-00002/a"),
        ("transcripts.jsonl/x", "transcripts.jsonl_/x"),
        ("a.srt/b", "a.srt_/b"),
        ("a/B.SRT /c", "a/B.SRT_/c"),
        ("failures.jsonl", "failures.jsonl"),
        ("a\u202eb\x85", "a_b_"),
    ],
)
def test_safe_stem(name, expected):
    assert safe_stem(name) == expected


PARTS = st.sampled_from(
    [
        *(".quest22", "journal", "transcripts.jsonl", "failures.jsonl", "a", "A", "a.srt", "a.SRT"),
        *("a-2", "a.srt.partial", "..", "", "CON", "nul.srt", "a.", "a ", "\udcff", "é", "e\u0301"),
        *("x" * 300, "x" * 299 + "y", "\u200d", "shard-00000-of-00001", "ß", "SS", "ﬁ", "fi", "\t"),
    ]
)
NAMES = st.one_of(st.lists(PARTS, max_size=4).map("/".join), st.text(), PARTS.map("/".join))


def paths_of(stems):
    suffixes = (suffix for each in CAPTION_FORMATS for suffix in (each, f"{each}.partial"))
    endings = list(suffixes)
    return [Path(f"{stem}.{ending}") for stem in stems for ending in endings]


@settings(deadline=None)
@given(names=st.lists(NAMES, max_size=12), died=st.integers(0, 12))
def test_any_names_give_safe_files_the_same_after_a_resumption(names, died, tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    out = Path("/out")
    whole = OutputNames(out)
    stems = [whole.stem(name) for name in names]

    begun = OutputNames(out, folder / "names")
    again = [begun.stem(name) for name in names[:died]]
    state = begun.publish()
    begun.close()
    resumed = OutputNames(out, folder / "names", state)
    again += [resumed.stem(name) for name in names[died:]]
    resumed.close()
    assert again == stems

    paths = paths_of(stems)
    same_on_some_system = {folded(str(path)) for path in paths}
    assert len(same_on_some_system) == len(paths)
    assert same_on_some_system.isdisjoint(
        folded(str(parent)) for path in paths for parent in path.parents
    )
    for path in paths:
        below = path.relative_to(out).parts
        assert not {"..", ".", ""}.intersection(below)
        assert folded(below[0]) != RUN_FOLDER
        assert len(str(path).encode()) < 1000
        assert all(len(part.encode()) <= 200 for part in below)


@given(st.lists(st.sampled_from(["a.mp3", "A.wav", "a-2.ogg", "b/a.mp3", "a", "a-2-2", ""])))
def test_no_two_clips_share_a_name(names):
    given_names = OutputNames(Path("out"))
    stems = [str(given_names.stem(name)).casefold() for name in names]
    assert len(set(stems)) == len(stems)


def test_the_first_keeps_its_name_and_others_are_counted():
    names = OutputNames(Path("out"))
    stems = [names.stem(name).as_posix() for name in ("a.mp3", "a.wav", "b.mp3", "A.ogg")]
    assert stems == ["out/a", "out/a-2", "out/b", "out/A-3"]


def test_a_long_path_gets_a_digest_for_its_folders():
    stem = safe_stem("/".join(["folder"] * 1000) + "/talk.mp3")
    digest, _, name = stem.partition("/")
    assert (len(digest), name) == (20, "talk")
    assert safe_stem("/".join(["folder"] * 999) + "/talk.mp3") != stem
