"""The figures of a run, of its evaluation, of its files and of its card are the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.cli.eval_report import evaluation_as_json
from quest22.cli.evaluate import EvaluatingSink
from quest22.cli.report import score_lines
from quest22.evaluation.bootstrap import Bootstrap
from quest22.evaluation.reports import Evaluation, EvaluationSettings
from quest22.evaluation.score import Errors
from quest22.evaluation.transcript_file import TranscriptFile
from quest22.records import Failure, Transcript
from quest22.runs.summary import RunStats
from quest22.settings import OutputSettings
from quest22.sink.build import open_sinks
from quest22.sink.run_counts import RunCounts
from tests.support.results import failure, transcript

CORPUS = [
    transcript("en", "Twenty-one colors, won't it?", reference="21 colours, will not it"),
    transcript("en, detected wrongly", "hello world", language="cy", reference="Hello, world!"),
    transcript("ru", "ёлка стоит", language="ru", reference="Елка стоит."),
    transcript("ja", "東京だ。", language="ja", reference="東京 です"),
    transcript("zh", "你好，世界", language="zh", reference="你好世界"),
    transcript("zh, detected wrongly", "hello", language="en", reference="你好"),
    transcript("th", "สวัสดีครับ", language="th", reference="สวัสดี ครับ"),
    failure("broken"),
    transcript("nothing heard", "", reference="some words here"),
    transcript("nothing said", "thank you", reference=""),
    transcript("only noise said", "thank you", language="ja", reference="[noise]"),
    transcript("no reference", "hello"),
    transcript("column", "x", language="en", reference="да нет", columns={"language": "ru"}),
    transcript("no text in the column", "20", reference="twenty", columns={"language": 3}),
    transcript("empty column", "20", reference="twenty", columns={"language": ""}),
    transcript(
        "two columns",
        "20",
        reference="twenty",
        columns={"language": "en", "source_language": "ru"},
    ),
    transcript("other column", "20", reference="twenty", columns={"source_language": "de"}),
]


def evaluation() -> Evaluation:
    return Evaluation(EvaluationSettings(bootstrap=Bootstrap(resamples=0)))


def evaluated(results) -> Evaluation:
    scores = evaluation()
    sink = EvaluatingSink(scores)
    for result in results:
        sink.write(result)
    return scores


def evaluated_file(results, folder: Path, name: str) -> Evaluation:
    sink = open_sinks(OutputSettings((name,), folder))
    for result in results:
        sink.write(result)
    sink.close()
    scores = evaluation()
    path = folder / f"transcripts.{name}"
    for pair in TranscriptFile(path).pairs() if path.exists() else ():
        scores.add(pair)
    return scores


def errors_of(scores: Evaluation) -> Errors:
    overall = scores.overall()
    return Errors(overall.by_words.errors, overall.by_characters.errors)


def streamed(results) -> RunStats:
    stats = RunStats()
    for result in results:
        stats.add(result)
    return stats


def published(results) -> RunCounts:
    counts = RunCounts()
    for result in results:
        counts.add(result)
    return counts


@pytest.mark.parametrize("clips", [*([each] for each in CORPUS), CORPUS], ids=lambda c: c[-1].name)
def test_four_ways_one_figure(clips, tmp_path):
    errors = streamed(clips).scores.overall
    assert errors_of(evaluated(clips)) == errors
    assert published(clips).errors == errors
    for name in ("jsonl", "parquet"):
        assert errors_of(evaluated_file(clips, tmp_path / name, name)) == errors


def test_the_printed_digits_are_the_same():
    stats, report = streamed(CORPUS), evaluation_as_json(evaluated(CORPUS))
    words, characters = (line.plain for line in score_lines(stats.scores))
    assert words.startswith(
        f"word error rate {100 * report['wer']:.1f} % of {report['words']['reference']} reference"
    )
    by_characters = report["by_characters"]
    assert characters.startswith(
        f"character error rate {100 * by_characters['cer']:.1f} % of "
        f"{by_characters['characters']['reference']} reference"
    )
    assert report["clips"] == sum(
        isinstance(each, Transcript) and each.reference is not None for each in CORPUS
    )
    assert any(isinstance(each, Failure) for each in CORPUS)


_TEXTS = st.text("ab 12,.東京です ёт\u0e01\u0e31\n", max_size=12)
_LANGUAGES = st.sampled_from([None, "en", "ru", "ja", "th", "German"])
_CLIPS = st.builds(
    lambda said, text, language, column: transcript(
        "clip",
        text,
        language=language,
        reference=said,
        columns={} if column is None else {"language": column},
    ),
    st.none() | _TEXTS,
    _TEXTS,
    _LANGUAGES,
    _LANGUAGES,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_CLIPS | st.builds(failure), max_size=6))
def test_whatever_the_corpus_is(tmp_path_factory, clips):
    errors = streamed(clips).scores.overall
    assert errors_of(evaluated(clips)) == errors == published(clips).errors
    folder = tmp_path_factory.mktemp("out")
    assert errors_of(evaluated_file(clips, folder, "jsonl")) == errors
