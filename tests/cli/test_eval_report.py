from __future__ import annotations

from io import StringIO

from rich.console import Console

from quest22.cli.eval_report import evaluation_as_json, show_evaluation
from quest22.evaluation.bootstrap import Bootstrap
from quest22.evaluation.reports import Evaluation, EvaluationSettings
from quest22.evaluation.texts import TextPair


def evaluated() -> Evaluation:
    evaluation = Evaluation(EvaluationSettings(bootstrap=Bootstrap(resamples=0)))
    evaluation.add(TextPair("a", "red big cat", "red pig cat", "en"))
    evaluation.add(TextPair("b", "der Hund", "der Hund", "de"))
    return evaluation


def test_json_has_rates_groups_and_the_worst_clips():
    report = evaluation_as_json(evaluated())
    assert (report["clips"], report["wer"], report["wer_interval"]) == (2, 0.2, None)
    assert report["by"]["language"]["en"]["words"]["substitutions"] == 1
    (worst,) = report["worst"]
    assert (worst["id"], worst["said"], worst["heard"]) == ("a", "red big cat", "red pig cat")
    assert worst["alignment"][1] == {"kind": "substitute", "said": "big", "heard": "pig"}


def test_the_table_has_a_row_for_each_language_and_words_below_it():
    console = Console(file=StringIO(), width=120)
    show_evaluation(evaluated(), console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "normalizer auto" in text
    assert "WER, words" in text
    assert "CER, characters" not in text
    for line in (
        "English",
        "German",
        "a · 1 error in 3 words · WER 33.3 %",
        "  heard  red pig cat",
    ):
        assert line in text


def test_clips_counted_by_characters_have_rows_of_their_own():
    evaluation = evaluated()
    evaluation.add(TextPair("c", "東京です", "東京だ", "ja"))
    console = Console(file=StringIO(), width=120)
    show_evaluation(evaluation, console)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [line.split()[:6] for line in lines[1:3]] == [
        ["all", "2", "WER,", "words", "5", "20.0"],
        ["all", "1", "CER,", "characters", "4", "50.0"],
    ]
    assert any("c · 2 errors in 4 characters · CER 50.0 %" in line for line in lines)
    report = evaluation_as_json(evaluation)
    assert (report["clips"], report["wer"], report["by_characters"]["cer"]) == (3, 0.2, 0.5)
    assert report["by"]["language"]["ja"]["wer"] is None
    assert report["by"]["language"]["en"]["by_characters"] is None
