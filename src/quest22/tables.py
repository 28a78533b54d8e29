"""Transcripts as tables for data frames: the rows of JSON lines and Parquet, in memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from quest22.records import Transcript
from quest22.sink.rows import row

if TYPE_CHECKING:
    import pyarrow as pa


def to_arrow(transcripts: Transcript | Iterable[Transcript]) -> pa.Table:
    """One row for each transcript, with the columns of ``transcripts.parquet``.

    Columns carried from a dataset keep their types; one with values of several kinds is text.
    """
    from quest22.sink.formats.arrow_table import schema_of, table_of

    if isinstance(transcripts, Transcript):
        transcripts = [transcripts]
    rows = [row(each) for each in transcripts]
    return table_of(rows, schema_of(rows))


def to_pandas(transcripts: Transcript | Iterable[Transcript]) -> Any:
    """The same as a ``pandas.DataFrame``: ``to_pandas(quest22.stream("org/speech"))``."""
    return to_arrow(transcripts).to_pandas()
