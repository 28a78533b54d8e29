"""``quest22 stream``: any dataset that ``datasets`` can stream."""

from __future__ import annotations

import sys
from dataclasses import replace

from quest22.cli.continued import Stream, perform_journaled, spoken_command
from quest22.cli.dataset_options import DatasetFlags
from quest22.cli.flags import grouped
from quest22.cli.hub_options import HubFlags
from quest22.cli.options import ModelFlags, SpeechFlags
from quest22.cli.output_options import OutputFlags, ReportFlags
from quest22.cli.publishing import Publishing
from quest22.cli.work import InputSpec, Work, perform
from quest22.runtime.build import dataset_source
from quest22.settings import ALL_COLUMNS

EPILOG = """\
[bold]Examples[/]

quest22 stream hf-internal-testing/librispeech_asr_dummy clean --split validation -m tiny

quest22 stream parquet --data-files 'https://example.org/speech/*.parquet' --take 100

quest22 stream org/speech --keep-columns speaker,topic -o out -f jsonl,parquet

quest22 stream org/speech -o out --push-to-hub me/speech-transcripts

quest22 stream org/speech --num-shards 8 --shard-index 0 -o out
"""


@grouped
def stream(
    dataset: DatasetFlags,
    model: ModelFlags,
    speech: SpeechFlags,
    output: OutputFlags,
    hub: HubFlags,
    report: ReportFlags,
) -> int:
    """Transcribe a dataset while it streams in; nothing is downloaded first.

    Results go to standard output as JSON lines, or into a folder:
    transcripts.jsonl, and failures.jsonl beside it if there are any.
    All else is said on standard error.

    A run into a folder that was interrupted, by whatever, continues with
    the same command; quest22 status FOLDER tells where it stands. Shards
    write into folders of their own below it; another --num-shards goes on
    with what they have left.
    """
    work = Work(model, speech, output, report, default_format="jsonl", timestamps=False)
    token = model.settings().token
    rows = dataset.settings(token, speech.bounds())
    published = hub.settings(token, in_folder=output.output_dir is not None)
    if published and not rows.keep_columns:
        rows = replace(rows, keep_columns=(ALL_COLUMNS,))
    if output.output_dir is not None:
        command = spoken_command(sys.argv[1:])
        publishing = Publishing(published) if published else None
        run = Stream(work, rows, dataset.title(), output.output_dir, command)
        return perform_journaled(replace(run, publishing=publishing))
    found = InputSpec(dataset.title(), lambda network: dataset_source(rows, network), dataset.take)
    return perform(work, found)
