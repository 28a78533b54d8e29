"""``quest22 schema``, and what commands write beside what it says."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from jsonschema import Draft202012Validator

from quest22.cli.doctor import doctor_report
from quest22.cli.doctor_checks import check_memory, missing
from quest22.cli.doctor_gpu import check_acceleration
from quest22.cli.exits import Exit
from quest22.cli.schema import OUTPUTS, schema_of
from quest22.cli.schema_ids import VERSIONS, schema_id
from quest22.records import Confidence, Damage, DroppedSegment, LiveEvent, LiveWord, Segment, Word
from quest22.sink.formats.captions import CAPTIONS, PLAIN
from quest22.sink.formats.live_events import event_fields
from quest22.sink.rows import OWN_COLUMNS, failure_row, row
from tests.support.recordings import NANO_IS_HERE, SAMPLES, recordings
from tests.support.results import failure, transcript
from tests.support.schemas import check, check_lines

real = pytest.mark.skipif(not NANO_IS_HERE, reason="nano and the samples are not built")
NANO = ("-m", "nano", "-l", "en")


def test_every_output_has_a_schema_that_is_one(run: Any) -> None:
    assert OUTPUTS.keys() == VERSIONS.keys()
    for name in OUTPUTS:
        printed = json.loads(run("schema", name).out)
        Draft202012Validator.check_schema(printed)
        assert printed["$id"] == schema_id(name)
        assert name in run("schema").out


def test_an_unknown_one_is_told_of_those_there_are(run: Any) -> None:
    ended = run("schema", "speech")
    assert ended.code == Exit.USAGE
    assert "expected one of transcript, failure" in ended.err


def everything() -> Any:
    """A transcript with every field that one can have."""
    word = Word(0.5, 1.0, " Hello", 0.5)
    segment = Segment(0.5, 2.0, " Hello", (1, 2), words=(word,), language="en", channel=1)
    return transcript(
        segments=(segment,),
        reference="Hello",
        confidence=Confidence(-0.5, 0.1, 1.1, 0.0),
        dropped=(DroppedSegment(2.0, 3.0, "loop", "no no", 1),),
        damage=(Damage(3.0, 3.5, "the sound cannot be decoded"),),
    )


def names_of(schema: Any, values: Any, definitions: Any) -> tuple[set[str], set[str]]:
    """The names of all fields that a schema has, and of those in values."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    if "items" in schema and values:
        return names_of(schema["items"], values[0], definitions)
    declared, found = set(schema.get("properties", ())), set()
    if declared:
        found = set(values)
        for name in declared & found:
            more = names_of(schema["properties"][name], values[name], definitions)
            declared |= {f"{name}.{each}" for each in more[0]}
            found |= {f"{name}.{each}" for each in more[1]}
    return declared, found


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("transcript", row(everything())),
        ("json", json.loads(CAPTIONS["json"](everything(), PLAIN))),
        ("failure", failure_row(replace(failure(), open_end=True))),
    ],
)
def test_a_schema_has_the_fields_that_are_written_and_no_more(name: str, values: Any) -> None:
    check(name, values)
    schema = schema_of(name)
    declared, found = names_of(schema, values, schema["$defs"])
    assert declared == found


def test_columns_are_in_the_order_of_rows_and_of_the_page() -> None:
    assert tuple(row(everything())) == OWN_COLUMNS
    page = Path(__file__).parents[2].joinpath("docs/outputs.md").read_text(encoding="utf-8")
    table = page.partition("## Rows")[2].partition("## What was left out")[0]
    places = [table.index(f"`{name}`") for name in OWN_COLUMNS]
    assert places == sorted(places)


def test_a_carried_column_stands_beside_ours() -> None:
    values = row(transcript(columns={"speaker": {"age": 3}}))
    check("transcript", values, closed=False)
    with pytest.raises(AssertionError, match="speaker"):
        check("transcript", values)


@pytest.mark.parametrize("kind", ["interim", "final", "speech_started", "flushed"])
def test_live_events(kind: Any) -> None:
    words = (LiveWord(0.0, 0.5, " Hello", 0.9, stable=True),)
    event = LiveEvent(kind, 0, 0, " Hello", words, 1.0, "en", None)
    check("live-event", event_fields(event))
    check("live-message", event_fields(event))


@real
def test_a_run_over_a_dataset(run: Any, tmp_path: Path) -> None:
    out, stats = tmp_path / "out", tmp_path / "stats.json"
    source = ("parquet", "--data-files", SAMPLES[0], "--take", 2)
    flags = ("-f", "jsonl,json", "--word-timestamps", "-q", "--stats-json", stats, "-o", out)
    assert run("stream", *source, *NANO, *flags).code == Exit.DONE
    assert check_lines("transcript", (out / "transcripts.jsonl").open(encoding="utf-8")) == 2
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in out.glob("*.json")]
    for each in documents:
        check("json", each)
        assert each["segments"][0]["words"]
    assert len(documents) == 2
    check("stats", json.loads(stats.read_text(encoding="utf-8")))
    shown = json.loads(run("status", out, "--json").out)
    check("status", shown)
    assert shown["plan"]["quest22"]


@real
def test_two_channels_silence_and_a_file_that_fails(run: Any, tmp_path: Path) -> None:
    (speech,) = recordings("en", 1)
    silence = np.zeros_like(speech)
    soundfile.write(tmp_path / "call.wav", np.stack([speech, silence], axis=1), 16_000)
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    out = tmp_path / "out"
    flags = ("--channel", "each", "-f", "jsonl,json", "-o", out, "-q")
    assert run("transcribe", tmp_path, *NANO, *flags).code == Exit.SOME_FAILED
    (line,) = (out / "transcripts.jsonl").read_text(encoding="utf-8").splitlines()
    check("transcript", json.loads(line))
    assert {each["channel"] for each in json.loads(line)["dropped"]} >= {1}
    check("json", json.loads((out / "call.json").read_text(encoding="utf-8")))
    assert check_lines("failure", (out / "failures.jsonl").open(encoding="utf-8")) == 1


@real
def test_live_in_a_pipe(run: Any, tmp_path: Path) -> None:
    (speech,) = recordings("en", 1)
    soundfile.write(tmp_path / "talk.wav", speech, 16_000)
    file = tmp_path / "out.jsonl"
    ended = run("live", tmp_path / "talk.wav", *NANO, "--pace", "fast", "-f", "jsonl", "-o", file)
    assert ended.code == Exit.DONE
    assert check_lines("live-event", file.open(encoding="utf-8")) > 0
    assert check_lines("live-event", filter(None, ended.out.splitlines())) >= 0


def test_doctor(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quest22.cli.doctor_checks.check_hub", check_memory)
    ended = run("doctor", "--json")
    report = json.loads(ended.out)
    check("doctor", report)
    assert report["complete"] is (ended.code == Exit.DONE)
    assert "version" in {each["subject"] for each in report["findings"]}
    lacking = doctor_report([missing("codecs", "no FFmpeg", "install av")], check_acceleration())
    check("doctor", json.loads(json.dumps(lacking, default=asdict)))
    assert not lacking["complete"]


def test_models(run: Any) -> None:
    assert check_lines("models", run("models", "--json").out.splitlines()) > 5


@pytest.mark.parametrize("language", ["en", "ja"])
def test_an_evaluation(run: Any, tmp_path: Path, language: str) -> None:
    rows = [
        {"id": each, "text": "a b d", "reference": "a b c", "language": language, "by": "x"}
        for each in ("1", "2", "3")
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    ended = run("eval", "--hypotheses", file, "--text-column", "reference", "--by", "by", "--json")
    assert ended.code == Exit.DONE, ended.err
    check("eval", json.loads(ended.out))
