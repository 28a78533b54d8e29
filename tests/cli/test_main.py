from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import quest22
from quest22.cli.exits import Exit
from quest22.system import WINDOWS

SHORT = ("--max-new-tokens", 3)


def test_version(run):
    ended = run("--version")
    assert (ended.code, ended.out) == (0, f"quest22 {quest22.__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "flags"),
    [
        (
            ["live"],
            ["--microphone", "--listen", "--policy", "--output", "talk.srt,jsonl", "lecture.mp4"],
        ),
        ([], ["transcribe", "stream", "demo", "models", "doctor", "Exit codes"]),
        (["transcribe"], ["--model", "--language", "--output-format", "--help-all", "talk.mp3"]),
        (["stream"], ["--split", "--num-shards", "--keep-columns", "--take", "--help-all"]),
        (["demo"], ["--model", "--quiet"]),
        (["doctor"], ["Exit code"]),
    ],
)
def test_help_teaches(run, monkeypatch, arguments, flags):
    monkeypatch.setenv("COLUMNS", "120")
    ended = run(*arguments, "--help")
    assert (ended.code, ended.err) == (0, "")
    assert [flag for flag in flags if flag not in ended.out] == []


def test_a_recording_needs_no_command(run, sounds, model):
    flags = ("-q", "-m", model, *SHORT)
    said = run("transcribe", *flags, "-f", "jsonl", sounds)
    assert (said.code, len(said.out.splitlines())) == (Exit.DONE, 3)
    assert run(*flags, "-f", "jsonl", sounds) == said
    assert run(sounds, *flags, "-f", "jsonl") == said


@pytest.mark.parametrize("name", ["missing.mp3", "a/b", "*.none"])
def test_what_looks_like_a_recording_is_looked_for(run, model, name):
    ended = run(name, "-m", model)
    assert (ended.code, name in ended.err) == (Exit.NOTHING_DONE, True)


@pytest.mark.parametrize("arguments", [[], ["transcribe"], ["stream"]])
def test_nothing_asked_shows_the_help(run, arguments):
    ended = run(*arguments)
    assert ended.code == Exit.USAGE
    assert "Usage" in ended.out + ended.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["transcrib"], "No such command or file 'transcrib'"),
        (["transcribe", "a.wav", "-o", "-"], "without it, results go to standard output"),
        (["transcribe", "a.wav", "-o", "a.srt"], "expected a folder, in which files are named"),
        (["export", "a", "-f", "srt", "-o", "a.SRT"], "for one file: -f srt > a.SRT"),
        (["transcribe", "a.wav", "--modle", "x"], "--model"),
        (["transcribe", "a.wav", "--threads", "many"], "--threads"),
        (["transcribe", "a.wav", "--threads", "0"], "threads is 0: expected 1 or more"),
        (["transcribe", "a.wav", "--batch-size", "big"], "expected a whole number, or auto"),
        (["transcribe", "a.wav", "--batch-size", "-1"], "batch_size is -1"),
        (["transcribe", "a.wav", "--language", "rusian"], "did you mean russian"),
        (["transcribe", "a.wav", "--task", "sing"], "expected transcribe or translate"),
        (["transcribe", "a.wav", "--chunk-length-s", "31"], "expected more than 0 and up to 30 s"),
        (["transcribe", "a.wav", "--stride-length-s", "5,6,7"], "one number or left,right"),
        (["transcribe", "a.wav", "--stride_length_s", "wide"], "one number or left,right"),
        (
            ["transcribe", "a.wav", "--long-form", "chunked", "--stride_length_s", "15"],
            "less than the chunk length of 30.0 s",
        ),
        (["transcribe", "a.wav", "--vad", "maybe"], "expected off, on or auto"),
        (["transcribe", "a.wav", "--vad_threshold", "2"], "vad_threshold is 2.0"),
        (["transcribe", "a.wav", "--vad-speech-pad-ms", "-1"], "vad_speech_pad_ms is -1"),
        (["transcribe", "a.wav", "-f", "doc"], "unknown output format 'doc'"),
        (["transcribe", "a.wav", "--max-duration", "90"], "is '90': expected a number with s, m"),
        (["transcribe", "a.wav", "--memory", "big"], "memory is 'big': expected a number with K"),
        (["transcribe", "a.wav", "-f", "srt,vtt"], "--output-dir"),
        (["transcribe", "a.wav", "-f", "parquet"], "--output-dir"),
        (["stream", "org/name", "one", "--name", "two"], "give one of them"),
        (["stream", "org/name", "--shard-index", "3"], "shard_index is 3 and num_shards is 1"),
        (["stream", "org/name", "--take", "-1"], "take is -1"),
    ],
)
def test_a_wrong_command_is_one_line_and_code_2(run, arguments, message):
    ended = run(*arguments)
    assert (ended.code, ended.out) == (Exit.USAGE, "")
    (line,) = ended.err.splitlines()
    assert line.startswith("quest22: error: ")
    assert message in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{tmp}/none.wav"], "no such file or folder"),
        (["{sounds}", "-m", "{tmp}"], "config.json"),
        (["{sounds}", "-m", "./no-model"], "does not exist"),
        (["{sounds}", "-m", "whisper-tinny"], "did you mean tiny"),
        (["{sounds}", "-o", "{file}"], "cannot write"),
    ],
)
def test_what_is_not_there_is_one_line_and_code_1(run, sounds, model, tmp_path, arguments, message):
    (tmp_path / "file").write_text("")
    places = {"tmp": tmp_path / "empty", "sounds": sounds, "file": tmp_path / "file"}
    places["tmp"].mkdir()
    given = [argument.format(**places) for argument in arguments]
    if "-m" not in given:
        given += ["-m", model]
    ended = run("transcribe", *given, "--quiet")
    assert (ended.code, ended.out) == (Exit.NOTHING_DONE, "")
    (line,) = ended.err.splitlines()
    assert message in line


def test_files_to_standard_output(run, sounds, model):
    ended = run("transcribe", sounds, "-m", model, *SHORT, "--no-timestamps", "--vad", "off")
    assert ended.code == Exit.DONE
    assert len(ended.out.splitlines()) == 3
    first, *_, last, waits = ended.err.splitlines()
    assert first == f"quest22: {sounds} → random ({_compute_type(first)})"
    assert last.startswith("quest22: done: 3 clips · 0.3 s of audio")
    assert waits.startswith("quest22: the engine worked ")


def test_nobody_speaks(run, sounds, model):
    ended = run("transcribe", sounds, "-m", model, *SHORT, "--no-timestamps")
    assert (ended.code, ended.out) == (Exit.DONE, "")
    assert "done: 3 clips" in ended.err


def _compute_type(line: str) -> str:
    return line.rpartition("(")[2].rstrip(")")


def test_underscores_and_aliases_of_flags(run, sounds, model, tmp_path):
    ended = run(
        *("transcribe", sounds / "utt-000.wav", "--model", model, "--output_format", "all"),
        *("--output_dir", tmp_path, "--max_new_tokens", 3, "--batch_size", 2, "--threads", 1),
        *("--dtype", "float32", "--device", "cpu", "--language", "Russian", "--quiet"),
    )
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert sorted(path.name for path in tmp_path.glob("utt*")) == [
        f"utt-000.{name}" for name in ("json", "srt", "tsv", "txt", "vtt")
    ]
    assert json.loads((tmp_path / "utt-000.json").read_text())["language"] == "ru"


def test_some_files_fail_and_the_others_go_on(run, sounds, model, tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"RIFF\0\0\0\0WAVE no sound")
    (tmp_path / "empty.mp3").write_bytes(b"")
    out = tmp_path / "out"
    ended = run(
        *(
            "transcribe",
            tmp_path / "bad.wav",
            sounds,
            tmp_path / "empty.mp3",
            tmp_path / "none.wav",
        ),
        *("-m", model, *SHORT, "-o", out, "-f", "jsonl"),
    )
    assert ended.code == Exit.SOME_FAILED
    kept = [json.loads(line) for line in (out / "transcripts.jsonl").read_text().splitlines()]
    assert [row["id"] for row in kept] == [str(sounds / f"utt-00{i}.wav") for i in range(3)]
    failed = [json.loads(line) for line in (out / "failures.jsonl").read_text().splitlines()]
    assert [row["name"] for row in failed] == ["bad.wav", "empty.mp3", "none.wav"]
    assert all(row["reason"] and "\n" not in row["reason"] for row in failed)
    said = [line for line in ended.err.splitlines() if "not transcribed" in line]
    assert len(said) == 3


def test_no_clip_succeeds(run, model, tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"RIFF\0\0\0\0WAVE no sound")
    ended = run("transcribe", tmp_path, "-m", model, "--quiet")
    assert (ended.code, ended.out) == (Exit.NOTHING_DONE, "")
    (line,) = ended.err.splitlines()
    assert line.startswith("quest22: bad.wav: not transcribed (audio): ")


def test_a_dataset_to_standard_output(run, rows, model):
    ended = run("stream", "parquet", "--data-files", rows, "-m", model, *SHORT, "--take", 2)
    assert ended.code == Exit.DONE
    lines = [json.loads(line) for line in ended.out.splitlines()]
    assert [(row["id"], row["reference"]) for row in lines] == [
        ("utt-000", "sentence number 0"),
        ("utt-001", "sentence number 1"),
    ]
    assert "word error rate" in ended.err


def test_columns_of_a_dataset(run, rows, model, tmp_path):
    ended = run(
        *("stream", "parquet", "--data_files", rows, "-m", model, *SHORT, "-o", tmp_path / "out"),
        *("-f", "jsonl", "-f", "parquet,srt", "--keep_columns", "speaker,text", "--skip", 3),
        *("--audio-column", "audio", "--text-column", "text", "--id-column", "id", "-q"),
    )
    assert (ended.code, ended.err) == (0, "")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    own = [".quest22", "transcripts.jsonl", "transcripts.parquet"]
    assert names == [*own, "utt-003.srt", "utt-004.srt"]
    first = json.loads((tmp_path / "out" / "transcripts.jsonl").read_text().splitlines()[0])
    assert (first["id"], first["speaker"], first["source_text"]) == (
        "utt-003",
        3,
        "sentence number 3",
    )


@pytest.mark.slow
def test_a_column_that_does_not_exist(run, rows, model):
    flags = ("--audio-column", "sound", "--quiet")
    ended = run("stream", "parquet", "--data-files", rows, "-m", model, *flags)
    assert ended.code in (Exit.NOTHING_DONE, Exit.USAGE)
    (line,) = ended.err.splitlines()
    assert "sound" in line


@pytest.mark.slow
def test_shards_are_the_whole(run, rows, model):
    ids = []
    for index in range(2):
        ended = run(
            *("stream", "parquet", "--data-files", rows, "-m", model, *SHORT, "-q"),
            *("--num-shards", 2, "--shard-index", index),
        )
        ids += [json.loads(line)["id"] for line in ended.out.splitlines()]
    assert sorted(ids) == [f"utt-00{index}" for index in range(5)]


def test_debug_shows_the_trace(run):
    ended = run("transcribe", "a.wav", "--task", "sing", "--debug")
    assert "Traceback" in ended.err
    assert ended.err.splitlines()[-1].startswith("quest22: error: task is 'sing'")


def _subprocess(*arguments: object, encoding: str | None = None, **options):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "HF_HUB_OFFLINE": "1"}
    if encoding:
        environment["PYTHONIOENCODING"] = options["encoding"] = encoding
    command = [sys.executable, "-m", "quest22", *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, **options)


def test_a_terminal_without_our_letters():
    process = _subprocess("doctor", stdout=subprocess.PIPE, encoding="ascii")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (Exit.DONE if "\\u2717" not in out else 1, "")
    assert "\\u2713 version" in out


CLOSED = {
    "stdin": ("<&-", "transcribe - -m {model} -q", Exit.NOTHING_DONE, "the file is empty"),
    "stdout": (">&-", "transcribe a.wav", Exit.USAGE, "standard output is closed"),
    "live's stdout": (">&-", "live a.wav", Exit.USAGE, "standard output is closed"),
    "doctor's stdout": (">&-", "doctor", Exit.USAGE, "standard output is closed"),
    "stderr": ("2>&-", "transcribe a.wav --threads 0", Exit.USAGE, ""),
}


@pytest.mark.skipif(WINDOWS, reason="a shell there closes no descriptor")
@pytest.mark.parametrize(("closing", "arguments", "code", "said"), CLOSED.values(), ids=CLOSED)
def test_a_standard_stream_that_is_closed(model, closing, arguments, code, said):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "HF_HUB_OFFLINE": "1"}
    script = f'exec "$0" -m quest22 {arguments.format(model=model)} {closing}'
    ended = subprocess.run(
        ["sh", "-c", script, sys.executable],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (code, "")
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == bool(said)


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_error(sounds, model):
    flags = ("-m", model, *SHORT, "--vad", "off", "-q")
    process = _subprocess("transcribe", sounds, *flags, stdout=subprocess.PIPE)
    process.stdout.close()
    _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (Exit.READER_GONE, b"")


def test_help_loads_no_heavy_library():
    code = (
        "import sys; from quest22.cli.main import main; main(['--help'])\n"
        "heavy = {'openvino', 'av', 'datasets', 'pyarrow', 'huggingface_hub', 'jiwer', 'torch'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=True
    )
    assert done.stderr.decode().strip() == "[]"


NO_MODEL = "quest22: error: no model is named and there is none in the caches: name one, such as"


@pytest.mark.parametrize(
    "command",
    [
        ("transcribe", "{sounds}", "-o", "{out}"),
        ("stream", "parquet", "--data-files", "{rows}"),
        ("stream", "parquet", "--data-files", "{rows}", "-o", "{out}"),
        ("eval", "parquet", "--data-files", "{rows}"),
        ("bench", "--quiet"),
        ("demo", "--folder", "{sounds}"),
    ],
)
def test_nano_is_never_taken_where_no_model_is_named(run, caches, tmp_path, sounds, rows, command):
    out = tmp_path / "out"
    ended = run(*(each.format(sounds=sounds, rows=rows, out=out) for each in command))
    assert ended.code == Exit.USAGE
    assert ended.err.startswith(NO_MODEL)
    assert ended.err.count("\n") == 1
    assert not list(out.glob("[!.]*"))


def test_the_best_in_the_caches_is_taken_and_named(run, caches, model, sounds, caplog):
    caches.add_to_hub("openai/whisper-tiny", Path(model))
    ended = run("transcribe", sounds, *SHORT)
    assert ended.code == Exit.DONE
    best = "no model is named: tiny is the best in the caches (openai/whisper-tiny)"
    assert caplog.messages == [best]
    assert ended.err.startswith(f"quest22: {sounds} → tiny from openai/whisper-tiny (")
    caplog.clear()
    assert run("transcribe", sounds, *SHORT, "--quiet").code == Exit.DONE
    assert caplog.messages == []


def test_a_run_goes_on_with_the_model_it_began_with(run, caches, model, rows, tmp_path):
    caches.add_to_hub("openai/whisper-tiny", Path(model))
    command = ("stream", "parquet", "--data-files", rows, *SHORT, "-o", tmp_path / "out")
    assert run(*command).code == Exit.DONE
    caches.add_to_hub("openai/whisper-base", Path(model))
    again = run(*command)
    assert again.code == Exit.DONE
    assert "already finished" in again.err
