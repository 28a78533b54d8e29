from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from quest22.source.formats.decompress import decompressed

CONTENT = np.random.default_rng(0).bytes(700_000) + b"a line\n" * 100_000

Compress = Callable[[bytes], bytes]


def zstd(content: bytes) -> bytes:
    packed: bytes = pa.compress(content, "zstd", asbytes=True)
    return packed


KINDS = [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress), (".zst", zstd)]


@pytest.mark.parametrize(("suffix", "compress"), KINDS)
def test_content_comes_back(suffix: str, compress: Compress) -> None:
    packed = compress(CONTENT[:300_000]) + compress(CONTENT[300_000:])  # two streams in one file
    with decompressed(io.BytesIO(packed), f"a.jsonl{suffix}") as file:
        assert file.read(10) == CONTENT[:10]
        assert file.read() == CONTENT[10:]
    assert decompressed(io.BytesIO(compress(b"")), f"a{suffix}").read() == b""


ERRORS = (OSError, EOFError, lzma.LZMAError, zlib.error)


@pytest.mark.parametrize(("suffix", "compress"), KINDS)
def test_a_file_that_breaks_off_is_an_error(suffix: str, compress: Compress) -> None:
    packed = compress(CONTENT)
    with pytest.raises(ERRORS):
        decompressed(io.BytesIO(packed[: len(packed) // 2]), f"a{suffix}").read()


@pytest.mark.parametrize(("suffix", "compress"), KINDS[:3])  # pyarrow writes no checksum
def test_damage_is_an_error(suffix: str, compress: Compress) -> None:
    packed = bytearray(compress(CONTENT))
    packed[len(packed) // 2 : len(packed) // 2 + 40] = bytes(40)
    with pytest.raises(ERRORS):
        decompressed(io.BytesIO(bytes(packed)), f"a{suffix}").read()


def test_xz_may_not_ask_for_any_memory() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}]
    packed = lzma.compress(b"a" * 1000, filters=filters)
    with pytest.raises(lzma.LZMAError):
        decompressed(io.BytesIO(packed), "a.xz").read()
