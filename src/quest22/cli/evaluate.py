"""``quest22 eval``: error rates of a model on a dataset, or of existing transcripts."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, cast

from typer import Argument, Option

from quest22.cli.dataset_flags import DatasetFlags
from quest22.cli.eval_report import evaluation_as_json, show_evaluation
from quest22.cli.exits import Exit
from quest22.cli.flag_groups import grouped
from quest22.cli.model_flags import ModelFlags, SpeechFlags
from quest22.cli.output_flags import OutputFlags, ReportFlags
from quest22.cli.progress import RunInfo
from quest22.cli.run import RunReporter, follow
from quest22.cli.run_flags import RunFlags
from quest22.cli.terminal import configure_logging, output_console
from quest22.errors import SourceError, UsageError
from quest22.evaluation.bootstrap import Bootstrap
from quest22.evaluation.reports import Evaluation, EvaluationSettings, Rank
from quest22.evaluation.texts import pair_of
from quest22.evaluation.transcript_file import TranscriptFile
from quest22.protocols import SinkState
from quest22.records import Failure, Transcript
from quest22.runs.summary import RunStats
from quest22.runs.write import WriteOptions, transcribe_into
from quest22.runtime.build import dataset_source
from quest22.settings.forms import split_names

EVALUATION = "Evaluation"
CLIPS_WITHOUT_REFERENCE = 10

EPILOG = """\
[bold]Examples[/]

quest22 eval hf-internal-testing/librispeech_asr_dummy clean --split validation -m tiny

quest22 eval org/speech --split test --language en --by accent,gender -m small

quest22 eval --hypotheses out/transcripts.jsonl --by speaker --json

quest22 eval --hypotheses theirs.csv --text-column sentence --hypothesis-column output
"""


@dataclass(frozen=True, slots=True)
class EvaluatedFlags(DatasetFlags):
    """The dataset to transcribe; none if transcripts are given."""

    dataset: Annotated[
        str,
        Argument(
            metavar="[DATASET]",
            help="Dataset with reference texts. As for [cyan]quest22 stream[/]; leave it out with "
            "[cyan]--hypotheses[/].",
            show_default=False,
        ),
    ] = ""


@dataclass(frozen=True, slots=True)
class EvaluationFlags:
    """How texts are compared, and what is reported."""

    hypotheses: Annotated[
        Path | None,
        Option(
            help="Score transcripts: .jsonl .parquet .csv .tsv. No model runs.",
            rich_help_panel=EVALUATION,
            metavar="FILE",
        ),
    ] = None
    references: Annotated[
        Path | None,
        Option(
            help="File with the references, if separate. Rows are matched by id.",
            rich_help_panel=EVALUATION,
            metavar="FILE",
        ),
    ] = None
    hypothesis_column: Annotated[
        str,
        Option(help="The column of hypotheses.", rich_help_panel=EVALUATION, metavar="NAME"),
    ] = "text"
    normalizer: Annotated[
        str,
        Option(
            help="Whisper's [cyan]english[/] or [cyan]basic[/], or [cyan]none[/]. [cyan]auto[/] "
            "is english for English, else basic.",
            rich_help_panel=EVALUATION,
            metavar="NAME",
        ),
    ] = "auto"
    by: Annotated[
        list[str] | None,
        Option(
            help="Also report rates by these columns: [cyan]a,b[/]. Each of their values has its "
            "own. Or repeat the flag.",
            rich_help_panel=EVALUATION,
            metavar="COLUMNS",
        ),
    ] = None
    worst: Annotated[
        int, Option(help="Number of worst clips to show.", rich_help_panel=EVALUATION, metavar="N")
    ] = 5
    worst_by: Annotated[
        str,
        Option(
            help="Rank the worst clips by [cyan]errors[/] or by [cyan]rate[/].",
            rich_help_panel=EVALUATION,
            metavar="errors|rate",
        ),
    ] = "errors"
    bootstrap: Annotated[
        int,
        Option(
            help="Bootstrap resamples for the confidence intervals; 0: no intervals.",
            rich_help_panel=EVALUATION,
            metavar="N",
        ),
    ] = 1000
    confidence: Annotated[
        float,
        Option(
            help="Confidence level of the intervals.", rich_help_panel=EVALUATION, metavar="SHARE"
        ),
    ] = 0.95
    bootstrap_seed: Annotated[
        int, Option(help="Random seed of the resampling.", rich_help_panel=EVALUATION, metavar="N")
    ] = 0
    as_json: Annotated[
        bool, Option("--json", help="Print JSON instead of a table.", rich_help_panel=EVALUATION)
    ] = False

    def settings(self) -> EvaluationSettings:
        return EvaluationSettings(
            normalizer=self.normalizer,
            by=tuple(split_names(self.by)),
            worst=self.worst,
            worst_by=cast("Rank", self.worst_by),
            bootstrap=Bootstrap(self.bootstrap, self.confidence, self.bootstrap_seed),
        )


class EvaluatingSink:
    """Compares each transcript with its reference; a clip without one is not counted."""

    def __init__(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation
        self._transcripts = 0

    def write(self, result: Transcript | Failure) -> None:
        if isinstance(result, Failure):
            return
        self._transcripts += 1
        pair = pair_of(result)
        if pair is not None:
            self._evaluation.add(pair)
        elif self._transcripts == CLIPS_WITHOUT_REFERENCE and not self._evaluation.clips:
            raise SourceError(_no_reference(f"the first {CLIPS_WITHOUT_REFERENCE} clips"))

    def publish(self) -> SinkState:
        return {}

    def close(self) -> None:
        """Does nothing: no result is buffered."""


@grouped
def evaluate(
    dataset: EvaluatedFlags,
    model: ModelFlags,
    speech: SpeechFlags,
    evaluation: EvaluationFlags,
    report: ReportFlags,
) -> int:
    """Report word and character error rates, with intervals, by group, and the worst clips.

    Transcribes a dataset with references as it streams in, or scores existing transcripts. The
    table, or JSON, goes to standard output, messages to standard error.
    """
    scores = Evaluation(evaluation.settings())
    if evaluation.hypotheses is not None:
        code = _score_texts(_texts(dataset, evaluation, evaluation.hypotheses), scores)
    elif evaluation.references is not None:
        raise UsageError("--references requires --hypotheses: a dataset has its own references")
    elif not dataset.dataset:
        raise UsageError("nothing to evaluate: name a dataset, or transcripts with --hypotheses")
    else:
        flags = RunFlags(model, speech, OutputFlags(), default_format="txt")
        code = _score_model(dataset, flags, report, scores)
    if scores.clips:
        _print(scores, as_json=evaluation.as_json)
    return code


def _texts(dataset: EvaluatedFlags, evaluation: EvaluationFlags, path: Path) -> TranscriptFile:
    if dataset.dataset:
        raise UsageError("a dataset and --hypotheses exclude each other: give one of them")
    return TranscriptFile(
        path, evaluation.hypothesis_column, dataset.text_column, evaluation.references
    )


def _score_texts(texts: TranscriptFile, scores: Evaluation) -> Exit:
    for pair in texts.pairs():
        scores.add(pair)
    if not scores.clips:
        raise SourceError(_no_reference(str(texts.path)))
    return Exit.DONE


def _score_model(
    dataset: EvaluatedFlags, flags: RunFlags, report: ReportFlags, scores: Evaluation
) -> Exit:
    configure_logging(report)
    settings = flags.pipeline_settings()
    rows = dataset.settings(settings.engine.token, settings.memory)
    columns = dict.fromkeys((*rows.keep_columns, *scores.settings.by))
    rows = replace(rows, keep_columns=tuple(columns))
    options = WriteOptions(rows.take, RunStats(scored=False))
    code = follow(
        lambda on_event: transcribe_into(
            lambda: EvaluatingSink(scores),
            lambda client: dataset_source(rows, client),
            settings,
            on_event,
            options,
        ),
        RunReporter(report, RunInfo(dataset.title())),
    )
    if code is Exit.DONE and not scores.clips:
        raise SourceError(_no_reference(dataset.title()))
    return code


def _no_reference(where: str) -> str:
    return f"{where}: no reference text found: name its column with --text-column"


def _print(scores: Evaluation, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(evaluation_as_json(scores), ensure_ascii=False, indent=2))
        sys.stdout.write("\n")
    else:
        show_evaluation(scores, output_console())
