"""``quest22 stream``: transcribes any dataset that ``datasets`` can stream."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quest22.cli.cluster_run import ClusterFlags, ClusterReporter
from quest22.cli.cluster_status import is_cluster_store
from quest22.cli.dataset_flags import DatasetFlags
from quest22.cli.flag_groups import grouped
from quest22.cli.model_flags import ModelFlags, SpeechFlags
from quest22.cli.output_flags import HubFlags, OutputFlags, ReportFlags
from quest22.cli.progress import RunInfo
from quest22.cli.run import RunReporter, follow
from quest22.cli.run_flags import RunFlags
from quest22.cli.terminal import configure_logging
from quest22.cli.transcribe import write_source
from quest22.errors import UsageError
from quest22.runs.journaled_run import run
from quest22.runs.settings import RunSettings
from quest22.runs.store import LocalRunStore
from quest22.runtime.build import dataset_source
from quest22.source.io.address import redact

SECRETS = ("--token",)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/.*", re.DOTALL)  # perhaps behind "--data-files="

EPILOG = """\
[bold]Examples[/]

quest22 stream hf-internal-testing/librispeech_asr_dummy clean --split validation -m tiny

quest22 stream parquet --data-files 'https://example.org/*.parquet' --take 100

quest22 stream org/speech --keep-columns speaker,topic -o out -f jsonl,parquet

quest22 stream org/speech -o out --push-to-hub me/speech-transcripts

quest22 stream org/speech --num-shards 8 --shard-index 0 -o out

quest22 stream org/speech -o s3://bucket/speech --cluster auto
"""


@dataclass(frozen=True, slots=True)
class ElsewhereFlags:
    """What of a run is not on this machine: its publication, and its workers."""

    hub: HubFlags = field(default_factory=HubFlags)
    cluster: ClusterFlags = field(default_factory=ClusterFlags)


@grouped
def stream(
    dataset: DatasetFlags,
    model: ModelFlags,
    speech: SpeechFlags,
    output: OutputFlags,
    elsewhere: ElsewhereFlags,
    report: ReportFlags,
) -> int:
    """Transcribe a dataset as it streams in, without downloading it first.

    Results go to standard output as JSON lines, or into a folder:
    transcripts.jsonl, with failures.jsonl beside it if clips failed.
    Messages go to standard error.

    An interrupted run into a folder continues with the same command; quest22 status FOLDER shows
    its progress. Each shard writes into its own subfolder; a run with another --num-shards
    continues with the rows that are left. With --cluster, workers on many machines share the rows.
    """
    configure_logging(report)
    flags = RunFlags(model, speech, output, default_format="jsonl")
    token = model.settings().token
    rows = dataset.settings(token, speech.memory_settings())
    push_to_hub = elsewhere.hub.settings(token, in_folder=output.output_dir is not None)
    on_cluster = elsewhere.cluster.of_cluster()
    if output.output_dir is None:
        if on_cluster is not None:
            raise UsageError("--cluster requires --output-dir, a folder or s3://BUCKET/PREFIX")
        return write_source(
            flags,
            report,
            RunInfo(dataset.title(), dataset.take),
            lambda client: dataset_source(rows, client),
        )
    formats = flags.output_settings().formats
    settings = RunSettings(
        rows,
        flags.pipeline_settings(formats),
        formats,
        output.captions(),
        push_to_hub,
        output.failure_limit(),
        restart=output.overwrite,
        command=repeatable_command(sys.argv[1:]),
    )
    if on_cluster is not None:
        return _run_on_cluster(settings, output.output_dir, on_cluster, report)
    if is_cluster_store(str(output.output_dir)):
        raise UsageError(
            f"{output.output_dir} is the store of a plan: continue it with --cluster, or with "
            f"quest22 work {output.output_dir}, or choose another folder"
        )
    store = LocalRunStore(output.output_dir)
    reporter = journaled_reporter(report, dataset.title(), store.for_shard(rows).folder)
    return follow(lambda on_event: run(settings, store, on_event), reporter)


def _run_on_cluster(
    settings: RunSettings, folder: Path, options: Mapping[str, Any], report: ReportFlags
) -> int:
    from quest22.cluster.cluster_run import cluster_run, run_on_cluster

    if report.stats_json is not None:
        raise UsageError("--stats-json is about one process: with --cluster use quest22 status")
    given = cluster_run(settings, folder, options)
    parts = (settings.dataset.path, settings.dataset.config)
    reporter = ClusterReporter(report, " ".join(redact(part) for part in parts if part))
    return follow(lambda on_event: run_on_cluster(given, on_event), reporter)


def journaled_reporter(report: ReportFlags, title: str, folder: Path) -> RunReporter:
    """The reporter of a run into a folder, which writes failures beside the transcripts."""
    return RunReporter(report, RunInfo(title, failures_in_file=True), folder)


def repeatable_command(arguments: Sequence[str]) -> str:
    """A command line to repeat the run, without ``--restart``, secrets and queries of addresses."""
    shown: list[str] = []
    is_secret = False
    for argument in arguments:
        name = argument.partition("=")[0]
        if is_secret or name in (*SECRETS, "--restart", "--overwrite"):
            is_secret = name in SECRETS and "=" not in argument and not is_secret
            continue
        shown.append(_URL.sub(lambda match: redact(match.group()), argument))
    return shlex.join(["quest22", *shown])
