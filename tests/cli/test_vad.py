from __future__ import annotations

import json

import pytest

from quest22.cli.exits import Exit

SHORT = ("--max-new-tokens", 3, "-q")


def test_noise_is_not_heard_and_that_is_told(run, sounds, model):
    ended = run("transcribe", sounds, "-m", model, *SHORT, "--vad", "on", "-f", "jsonl", "-l", "ru")
    assert (ended.code, ended.err) == (Exit.DONE, "")
    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert [(row["text"], row["language"], row["duration"]) for row in rows] == [
        ("", "ru", 0.1)
    ] * 3
    assert rows[0]["dropped"] == [{"start": 0.0, "end": 0.1, "reason": "no speech", "text": ""}]


def test_a_run_goes_on_only_as_it_listened(run, rows, model, tmp_path):
    flags = ("stream", "parquet", "--data-files", rows, "-m", model, *SHORT, "-o", tmp_path / "out")
    assert run(*flags, "--vad-filter").code == Exit.DONE
    ended = run(*flags, "--vad", "off")
    assert ended.code == Exit.USAGE
    assert "vad" in ended.err
    texts = [json.loads(line)["text"] for line in _lines(tmp_path / "out" / "transcripts.jsonl")]
    assert texts == [""] * 5


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ("--long-form", "chunked", "--vad-speech-pad-ms", 20_000),
            "is too short for a padding",
        ),
        (("--chunk-length-s", 1.5), "too short to be cut at pauses"),
        (
            ("--long-form", "sequential", "--clip-timestamps", "0,5"),
            "exclude each other: give one of them",
        ),
    ],
)
def test_what_does_not_go_together_is_one_line(run, sounds, model, flags, message):
    flags = ("--vad", "on", *flags)
    ended = run("transcribe", sounds, "-m", model, *SHORT, *flags)
    assert (ended.code, ended.out) == (Exit.USAGE, "")
    (line,) = ended.err.splitlines()
    assert message in line


def _lines(path):
    return path.read_text().splitlines()
