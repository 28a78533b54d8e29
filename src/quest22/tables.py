"""Transcripts as tables for data frames: the rows of JSON lines and Parquet, in memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from quest22.errors import UsageError
from quest22.records import Transcript
from quest22.sink.rows import row

if TYPE_CHECKING:
    import pyarrow as pa


def to_arrow(transcripts: Transcript | Iterable[Transcript]) -> pa.Table:
    """One row for each transcript, with the columns of ``transcripts.parquet``.

    Columns carried from a dataset keep their types; one with values of several kinds is text.
    Raises :class:`quest22.errors.UsageError` for what is no transcript.
    """
    from quest22.sink.formats.arrow_table import schema_of, table_of

    if isinstance(transcripts, Transcript):
        transcripts = [transcripts]
    rows = [row(each) for each in map(_transcript, transcripts)]
    return table_of(rows, schema_of(rows))


def to_pandas(transcripts: Transcript | Iterable[Transcript]) -> Any:
    """The same as a ``pandas.DataFrame``: ``to_pandas(quest22.stream("org/speech"))``."""
    return to_arrow(transcripts).to_pandas()


def _transcript(value: object) -> Transcript:
    if not isinstance(value, Transcript):
        raise UsageError(f"one of the transcripts is {value!r:.80}: expected a Transcript")
    return value
