"""``quest22 schema``: JSON Schemas of everything that quest22 writes for programs to read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from quest22.cli.exits import Exit
from quest22.cli.schema_ids import VERSIONS, schema_id
from quest22.cli.terminal import output_console
from quest22.errors import UsageError

if TYPE_CHECKING:
    from quest22.json_schema import Schema

EPILOG = """\
[bold]Examples[/]

quest22 schema

quest22 schema transcript > transcript.schema.json
"""


@dataclass(frozen=True, slots=True)
class Output:
    """A machine-readable output: where it is written, and whether it names its own schema.

    ``more``: an object has further fields, whose names users choose.
    """

    written: str
    reports: bool = False
    more: bool = False


OUTPUTS: Mapping[str, Output] = {
    "transcript": Output("a line of `transcripts.jsonl`, and of `-f jsonl`", more=True),
    "failure": Output("a line of `failures.jsonl`"),
    "json": Output("a file of `-f json`, as openai/whisper writes it, with further fields"),
    "live-event": Output("a line of `quest22 live` in a pipe, and of `-o talk.jsonl`"),
    "live-message": Output("a message of the server's `/live`"),
    "status": Output("`quest22 status --json`", reports=True),
    "stats": Output("`--stats-json FILE`", reports=True),
    "eval": Output("`quest22 eval --json`", reports=True),
    "models": Output("a line of `quest22 models --json`"),
    "model-info": Output("`quest22 models info --json`", reports=True),
    "doctor": Output("`quest22 doctor --json`", reports=True),
    "bench": Output("`quest22 bench --json FILE`", reports=True),
    "bench-live": Output("`quest22 bench live --json FILE`", reports=True),
    "server-log": Output("a line of `quest22 serve --log json`"),
}


def schema(
    name: Annotated[
        str,
        typer.Argument(
            metavar="[NAME]", help="Which output; without it, all are listed.", show_default=False
        ),
    ] = "",
) -> int:
    """Print the JSON Schema of an output, or list those there are, with their versions."""
    if name:
        typer.echo(json.dumps(schema_of(name), ensure_ascii=False, indent=2))
        return Exit.DONE
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("name", "version", "of"):
        table.add_column(heading, no_wrap=heading != "of")
    for each, output in OUTPUTS.items():
        table.add_row(each, VERSIONS[each], output.written.replace("`", ""))
    output_console().print(table)
    return Exit.DONE


def schema_of(name: str) -> Schema:
    """The JSON Schema of an output. Raises :class:`UsageError` for an unknown name."""
    from quest22.json_schema import json_schema

    if name not in OUTPUTS:
        raise UsageError(f"no schema {name!r}: expected one of {', '.join(OUTPUTS)}")
    output = OUTPUTS[name]
    title = f"quest22 {name} {VERSIONS[name]}: {output.written.replace('`', '')}"
    made = json_schema(_types()[name], identifier=schema_id(name), title=title)
    if output.more:
        made["additionalProperties"] = True
    if not output.reports:
        return made
    return _any_named(made) if "anyOf" in made else _named(made, made["$id"])


def _any_named(made: Schema) -> Schema:
    """Each object that may be the whole output, as an object of its own that names the schema."""
    definitions = dict(made["$defs"])
    names = [each["$ref"].rpartition("/")[2] for each in made["anyOf"]]
    for name in names:
        definitions[f"{name}Report"] = _named(made["$defs"][name], made["$id"])
    for name in names:
        if f'"#/$defs/{name}"' not in json.dumps(definitions):
            del definitions[name]
    options = [{"$ref": f"#/$defs/{name}Report"} for name in names]
    return {**made, "anyOf": options, "$defs": dict(sorted(definitions.items()))}


def _named(made: Schema, identifier: str) -> Schema:
    """An object whose first field is the identifier of its schema."""
    constant = {"const": identifier, "description": "This schema, with its version."}
    others = {name: each for name, each in made["properties"].items() if name != "schema"}
    required = ["schema", *(name for name in made["required"] if name != "schema")]
    return {**made, "properties": {"schema": constant, **others}, "required": required}


def _types() -> Mapping[str, Any]:
    """The type of each output: imported here, so that the other commands start without them."""
    from quest22.cli.bench_report import BenchReport, LiveBenchReport
    from quest22.cli.doctor import DoctorReport
    from quest22.cli.eval_report import EvaluationReport
    from quest22.cli.models.catalogue import CachedModelRow, ModelRow
    from quest22.cli.models.description import ModelInfo
    from quest22.cli.stats import RunStatistics
    from quest22.cluster.hub.status import PublishedClusterStatus
    from quest22.runs.run_status import FolderStatus, RunStatus
    from quest22.server.live.messages import LiveMessage
    from quest22.server.operations.log_lines import LogLine
    from quest22.sink.formats.captions import WhisperDocument
    from quest22.sink.formats.live_events import LiveEventFields
    from quest22.sink.row_types import FailureRow, TranscriptRow

    return {
        "transcript": TranscriptRow,
        "failure": FailureRow,
        "json": WhisperDocument,
        "live-event": LiveEventFields,
        "live-message": LiveMessage,
        "status": RunStatus | FolderStatus | PublishedClusterStatus,
        "stats": RunStatistics,
        "eval": EvaluationReport,
        "models": ModelRow | CachedModelRow,
        "model-info": ModelInfo,
        "doctor": DoctorReport,
        "bench": BenchReport,
        "bench-live": LiveBenchReport,
        "server-log": LogLine,
    }
