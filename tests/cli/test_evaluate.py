from __future__ import annotations

import json

import pytest

from quest22.cli.exits import Exit
from tests.support.corpora import samples, write_audiofolder

ROWS = [
    {"id": "a", "text": "The colour red.", "reference": "the color red", "language": "en",
     "speaker": "ann"},
    {"id": "b", "text": "cats slept well", "reference": "cats sleep well", "language": "en",
     "speaker": "bob"},
    {"id": "c", "text": "да", "reference": "да да", "language": "ru", "speaker": "bob"},
]  # fmt: skip


@pytest.fixture
def transcripts(tmp_path):
    path = tmp_path / "transcripts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def test_a_table_and_the_worst_clips(run, transcripts):
    ended = run("eval", "--hypotheses", transcripts, "--by", "speaker")
    assert (ended.code, ended.err) == (Exit.DONE, "")
    lines = [line.split() for line in ended.out.splitlines()]
    assert lines[1][:7] == ["all", "3", "WER,", "words", "8", "25.0", "%"]
    assert [line[0] for line in lines[2:8]] == [
        "language", "English", "Russian", "speaker", "bob", "ann",
    ]  # fmt: skip
    assert "normalizer auto; 95% intervals from 1,000 resamples of the clips, seed 0" in ended.out
    assert "  said   да да\n  heard  да **\n            D\n" in ended.out


def test_json_is_complete_and_repeats_itself(run, transcripts):
    flags = ("eval", "--hypotheses", transcripts, "--by", "speaker", "--json")
    first, second = run(*flags), run(*flags)
    assert first.out == second.out
    told = json.loads(first.out)
    assert (told["clips"], told["wer"]) == (3, 0.25)
    assert told["words"] == {
        "reference": 8, "hits": 6, "substitutions": 1, "deletions": 1, "insertions": 0,
    }  # fmt: skip
    low, high = told["wer_interval"]
    assert low <= 0.25 <= high
    assert told["by"]["speaker"]["ann"]["wer"] == 0
    assert told["by"]["language"]["ru"]["wer"] == 0.5
    assert [clip["id"] for clip in told["worst"]] == ["c", "b"]
    assert told["worst"][1]["alignment"][1] == {
        "kind": "substitute", "said": "sleep", "heard": "slept",
    }  # fmt: skip


@pytest.mark.parametrize(("name", "rate"), [("english", 0.25), ("basic", 0.375), ("none", 0.625)])
def test_normalisers(run, transcripts, name, rate):
    ended = run("eval", "--hypotheses", transcripts, "--normalizer", name, "--json")
    assert json.loads(ended.out)["wer"] == rate


def test_a_model_on_a_dataset(run, rows, model):
    ended = run(
        *("eval", "parquet", "--data-files", rows, "-m", model, "--max-new-tokens", 3),
        *("--by", "speaker", "--take", 3, "--json", "-l", "en"),
    )
    assert ended.code == Exit.DONE
    told = json.loads(ended.out)
    assert told["clips"] == 3
    assert sorted(told["by"]["speaker"]) == ["0", "1", "2"]
    assert told["words"]["reference"] == 9
    assert "done: 3 clips" in ended.err
    assert "word error rate" not in ended.err


def test_scoring_an_output_is_scoring_the_run(run, rows, model, tmp_path):
    flags = ("parquet", "--data-files", rows, "-m", model, "--max-new-tokens", 3, "-q")
    told = run("eval", *flags, "--by", "speaker", "--json", "--compute-type", "float32").out
    stream = ("--keep-columns", "speaker", "-o", tmp_path / "out", "-f", "jsonl,parquet")
    assert run("stream", *flags, *stream, "--compute-type", "float32").code == Exit.DONE
    for name in ("transcripts.jsonl", "transcripts.parquet"):
        again = run("eval", "--hypotheses", tmp_path / "out" / name, "--by", "speaker", "--json")
        assert again.out == told


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-q"], Exit.USAGE, "nothing to evaluate"),
        (["org/name", "--hypotheses", "{file}"], Exit.USAGE, "exclude each other"),
        (["org/name", "--references", "{file}"], Exit.USAGE, "requires --hypotheses"),
        (["--hypotheses", "{file}", "--normalizer", "x"], Exit.USAGE, "unknown normalizer 'x'"),
        (
            ["--hypotheses", "{file}", "--confidence", "95"],
            Exit.USAGE,
            "between 0 and 1, such as 0.95",
        ),
        (["--hypotheses", "{file}", "--worst-by", "size"], Exit.USAGE, "errors or rate"),
        (["--hypotheses", "{file}", "--by", "age"], Exit.USAGE, "a has no column 'age'"),
        (["--hypotheses", "{tmp}/none.jsonl"], Exit.NOTHING_DONE, "no such file"),
        (["--hypotheses", "{tmp}/bare.jsonl"], Exit.NOTHING_DONE, "--text-column"),
        (["--hypotheses", "{tmp}/talk.srt"], Exit.USAGE, "expected a .jsonl"),
    ],
)
def test_bad_input_is_one_line(run, transcripts, tmp_path, arguments, code, message):
    (tmp_path / "bare.jsonl").write_text('{"id": "a", "text": "b"}\n')
    ended = run("eval", *(each.format(file=transcripts, tmp=tmp_path) for each in arguments))
    assert (ended.code, ended.out) == (code, "")
    (line,) = ended.err.splitlines()
    assert line.startswith("quest22: error: ")
    assert message in line


def test_a_dataset_without_references_ends_early(run, model, tmp_path, sounds):
    flags = ("-m", model, "--max-new-tokens", 3, "-q")
    ended = run("eval", "audiofolder", "--data-files", f"{sounds}/*.wav", *flags)
    assert (ended.code, ended.out) == (Exit.NOTHING_DONE, "")
    assert "no reference text found" in ended.err.splitlines()[-1]


def test_clips_that_fail_are_not_in_the_rates(run, model, tmp_path):
    write_audiofolder(tmp_path, samples(3))
    (tmp_path / "utt-001.wav").write_bytes(b"RIFF no sound")
    flags = ("-m", model, "--max-new-tokens", 3, "-q", "--json")
    ended = run("eval", "audiofolder", "--data-files", f"{tmp_path}/*", *flags)
    assert ended.code == Exit.SOME_FAILED
    assert json.loads(ended.out)["clips"] == 2
    (line,) = ended.err.splitlines()
    assert "not transcribed (audio)" in line
