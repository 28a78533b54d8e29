import pytest

from quest22.audio.file_signature import describe_bytes


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (b"<!DOCTYPE HTML>\n<html>", "an HTML page"),
        (b"\n  <html lang=en>", "an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (b"PK\x03\x04....", "a ZIP archive"),
        (b"\x1f\x8b\x08....", "gzip-compressed"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"PAR1....", "a Parquet file"),
        (b"\0\0\0\x20ftypM4A ", "an MP4 (M4A) file"),
        (bytes(100), "zeros only"),
        (b"Hello\nthere, world", "text that begins with 'Hello there, world'"),
        ("Привет, мир".encode()[:-1], "text that begins with 'Привет, ми'"),
        ("Здравствуй".encode("utf-16"), "begins with the bytes ff fe 17 04"),
        (b"\xde\xad\xbe\xef", "begins with the bytes de ad be ef"),
    ],
)
def test_first_bytes_are_told_in_words(head: bytes, told: str) -> None:
    assert told in describe_bytes(head)
    assert "\n" not in describe_bytes(head)
