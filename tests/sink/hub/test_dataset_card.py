from __future__ import annotations

from dataclasses import replace

import pytest
from huggingface_hub import DatasetCard

from quest22.sink.formats.arrow_table import schema_of
from quest22.sink.hub.dataset_card import RunDescription, card
from quest22.sink.run_counts import RunCounts
from tests.support.results import failure, transcript

PLAN = {
    "dataset": "org/speech",
    "dataset_revision": "0123abc",
    "split": "test",
    "model": "org/whisper",
    "model_revision": "def",
    "language": "en",
    "take": None,
    "quest22": "1.0",
    "push_to_hub": "ana/out",
}
TOLD = RunDescription("ana/out", PLAN, "quest22 stream org/speech -o out", "test")


def counted(*results) -> RunCounts:
    counts = RunCounts()
    for result in results:
        counts.add(result)
    return counts


def read(
    told: RunDescription = TOLD, counts: RunCounts | None = None, *, finished=True
) -> DatasetCard:
    return DatasetCard(card(told, counts or RunCounts(), schema_of([]), finished=finished))


def test_the_metadata_says_how_to_load_it():
    data = read(counts=counted(transcript())).data.to_dict()
    assert data["configs"][0]["data_files"] == [{"split": "test", "path": "data/test-*.parquet"}]
    assert data["task_categories"] == ["automatic-speech-recognition"]
    assert data["source_datasets"] == ["org/speech"]
    assert data["language"] == ["en"]
    assert "license" not in data
    assert [each["name"] for each in data["dataset_info"]["features"]][:2] == ["id", "text"]


def test_the_text_says_what_was_done():
    results = [transcript("a", " big red", reference="big red cat"), failure(), failure("b")]
    text = read(counts=counted(*results)).text
    for told in (
        "org/speech", "0123abc", "org/whisper", "| Transcripts | 1 |", "| Failed clips | 2 |",
        "| Word error rate | 33.3 % |", "audio: no sound in it | 2 |", "`language=en`",
        "quest22 stream org/speech -o out",
    ):  # fmt: skip
        assert told in text, told
    assert "not finished" not in text
    assert "not finished" in read(finished=False).text


def test_what_the_source_names_is_repeated():
    told = RunDescription("a/b", PLAN, "quest22", "test", "cc-by-4.0", ("de", "fr"))
    data = read(told, counted(transcript())).data.to_dict()
    assert (data["license"], data["language"]) == ("cc-by-4.0", ["de", "fr"])


@pytest.mark.parametrize(
    ("plan", "language"),
    [({"task": "translate"}, ["en"]), ({}, ["jv"])],
)
def test_languages(plan, language):
    told = RunDescription("a/b", {**PLAN, **plan}, "quest22", "test")
    assert read(told, counted(transcript(language="jw"))).data.to_dict()["language"] == language


def test_without_references_there_is_no_error_rate():
    assert "rror rate" not in read(counts=counted(transcript())).text


def test_a_local_source_is_no_link():
    told = RunDescription(
        "a/b", {**PLAN, "dataset": "parquet", "dataset_revision": None}, "q", "test"
    )
    found = read(told)
    assert "source_datasets" not in found.data.to_dict()
    assert "huggingface.co" not in found.text


def test_foreign_text_stays_in_its_cell():
    counts = counted(failure())
    counts.reasons["audio: a|b\n<script>`"] += 1
    assert "| audio: a\\|b &lt;script>' | 1 |" in read(counts=counts).text


def test_settings_of_what_is_off_are_not_told():
    plan = {**PLAN, "vad": "off", "vad_threshold": 0.5, "shuffle": True, "buffer_size": 9}
    text = card(replace(TOLD, plan=plan), RunCounts(), schema_of([]), finished=True)
    assert "`buffer_size=9`" in text
    assert "vad_threshold" not in text


def test_the_card_of_a_cluster_says_where_its_failures_are():
    told = replace(TOLD, has_errors=True, failed_units=2)
    text = read(told, counted(failure())).text
    for part in ("`error` says of a row", "Their rows have an `error`", "rows are missing | 2 |"):
        assert part in text, part
    assert "failures.jsonl" not in text


@pytest.mark.parametrize(
    ("source", "licence", "languages"),
    [
        ({}, None, ()),
        ({"license": "mit", "languages": "en"}, "mit", ("en",)),
        ({"license": ["a", "b"], "languages": ["en", "fr"]}, None, ("en", "fr")),
    ],
)
def test_what_the_card_of_the_source_says(source, licence, languages):
    told = TOLD.with_source(source)
    assert (told.license, told.languages) == (licence, languages)
