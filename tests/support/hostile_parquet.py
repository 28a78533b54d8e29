"""Parquet files that claim what cannot be, or unpack to far more than they are."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from quest22.source.formats.thrift import zigzag
from tests.support.corpora import wav_bytes

MIB = 1 << 20
ROWS = 12


def table(rows: int = ROWS) -> pa.Table:
    """``id``, ``audio`` (bytes and path) and ``text``."""
    sounds = [{"bytes": wav_bytes(seed=n), "path": f"{n}.wav"} for n in range(rows)]
    return pa.table(
        {
            "id": [f"row-{n}" for n in range(rows)],
            "audio": sounds,
            "text": [f"text {n}" for n in range(rows)],
        }
    )


def with_footer(path: Path, **claims: int) -> None:
    """A file of one row group whose footer makes false claims.

    ``rows``: of the group and the file; ``values``, ``packed``, ``unpacked``, ``offset`` and
    ``codec``: of the column chunk ``audio.bytes``.
    """
    container = io.BytesIO()
    pq.write_table(table(), container, use_dictionary=False, store_schema=False)
    content = container.getvalue()
    size = int.from_bytes(content[-8:-4], "little")
    body, footer = content[: -8 - size], content[-8 - size : -8]
    chunk = pq.read_metadata(container).row_group(0).column(1)
    facts = {
        "values": chunk.num_values,
        "packed": chunk.total_compressed_size,
        "unpacked": chunk.total_uncompressed_size,
        "offset": chunk.data_page_offset,
    }
    for name, claim in claims.items():
        if name == "rows":  # twice: of the file, after its schema, and of its only group, at last
            footer = _replaced(footer, footer.rindex(_number(ROWS)), ROWS, claim)
            footer = _replaced(footer, footer.index(_number(ROWS)), ROWS, claim)
        elif name == "codec":
            at = footer.index(b"\x15\x02", footer.index(b"\x05audio\x05bytes"))  # snappy
            footer = footer[: at + 1] + zigzag(claim) + footer[at + 2 :]
        else:
            column = footer.index(b"\x05audio\x05bytes")
            at = footer.index(_number(facts[name], name == "offset"), column)
            footer = _replaced(footer, at, facts[name], claim, name == "offset")
    path.write_bytes(body + footer + len(footer).to_bytes(4, "little") + b"PAR1")


def _number(value: int, skips: bool = False) -> bytes:
    """A field of 64 bits whose number is one, or two, more than that of the field before."""
    return (b"\x26" if skips else b"\x16") + zigzag(value)


def _replaced(content: bytes, at: int, old: int, new: int, skips: bool = False) -> bytes:
    return content[:at] + _number(new, skips) + content[at + len(_number(old, skips)) :]


def page_bomb(path: Path, mib: int = 600, bombs: int = 1) -> None:
    """Rows of zeros: a few kB in zstd that unpack to ``mib`` each, between rows of sound."""
    schema = table(1).schema
    zeros = bytes(mib * MIB)
    with pq.ParquetWriter(
        path, schema, compression="zstd", use_dictionary=False, write_statistics=False
    ) as writer:
        for number in range(bombs):
            writer.write_table(table(2))
            row = {"id": f"bomb-{number}", "audio": {"bytes": zeros, "path": None}, "text": "x"}
            writer.write_table(pa.Table.from_pylist([row], schema))
        writer.write_table(table(2))


def dictionary_bomb(path: Path, mib: int = 16, rows: int = 400) -> None:
    """One value of ``mib``, which every row refers to."""
    entry = wav_bytes() + bytes(mib * MIB)
    indices = pa.array([0] * rows, pa.int32())
    audio = pa.DictionaryArray.from_arrays(indices, pa.array([entry], pa.binary()))
    pq.write_table(
        pa.table({"audio": audio, "text": [f"text {n}" for n in range(rows)]}),
        path, compression="zstd", dictionary_pagesize_limit=2 * mib * MIB, store_schema=False,
    )  # fmt: skip


def run_length_bomb(path: Path, rows: int = 30_000_000) -> None:
    """Rows without sound, in a few bytes of run lengths."""
    nothing = pa.nulls(rows, pa.binary())
    pq.write_table(pa.table({"audio": nothing}), path, compression="zstd", row_group_size=rows)


def samples_bomb(path: Path, values: int = 200_000_000) -> None:
    """One row of ``values`` equal samples, in a few bytes of run lengths."""
    zeros = pa.repeat(pa.scalar(0, pa.int16()), values)
    lists = pa.ListArray.from_arrays(pa.array([0, values], pa.int32()), zeros)
    pq.write_table(pa.table({"audio": lists, "sampling_rate": [16_000]}), path, compression="zstd")


def long_footer(path: Path, claim: int) -> None:
    """A file whose last bytes claim a footer of this size."""
    with path.open("wb") as file:
        file.write(b"PAR1")
        file.seek(claim + 8)
        file.write(claim.to_bytes(4, "little") + b"PAR1")
