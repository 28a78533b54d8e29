from __future__ import annotations

import ctypes
import logging
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import hatch_build
from quest22.errors import EngineError, UsageError
from quest22.native import library
from quest22.native.library import address, addresses
from quest22.system.machine import processor_flags

AVX2 = "avx2 fma f16c bmi2"
AVX512 = f"{AVX2} avx512f avx512bw avx512vl avx512dq"
BF16 = f"{AVX512} avx512_vnni avx512_bf16"
X86 = "avx2 avx_vnni avx512 avx512_bf16"
ARM = "neon neon_dotprod"

VISIBLE = '__attribute__((visibility("default")))'

CHOICES = [
    # libraries that are there, the processor's flags, those that it can run
    (X86, "sse2", ""),
    (X86, f"sse2 {AVX2}", "avx2"),
    (X86, "sse2 avx2 fma f16c", ""),
    (X86, f"{AVX2} avx512f avx512_vnni", "avx2"),
    (X86, AVX512, "avx512 avx2"),
    (X86, f"{AVX512} avx512_vnni", "avx512 avx2"),
    (X86, BF16, "avx512_bf16 avx512 avx2"),
    ("avx512", BF16, "avx512"),
    ("avx512_bf16", AVX512, ""),
    (X86, "", ""),
    ("", BF16, ""),
    (X86, f"{AVX2} avx_vnni", "avx_vnni avx2"),
    (X86, f"{AVX512} avx_vnni", "avx512 avx_vnni avx2"),
    (ARM, "fp asimd atomics asimddp", "neon_dotprod neon"),
    (ARM, "fp asimd atomics", "neon"),
    (ARM, "fp", ""),
    (X86, "fp asimd", ""),
]


@pytest.mark.parametrize(("there", "flags", "suitable"), CHOICES)
def test_the_best_that_is_there_and_runs(
    there: str, flags: str, suitable: str, tmp_path: Path
) -> None:
    for name in there.split():
        (tmp_path / f"quest22-{name}.so").touch()
    assert library.suitable(tmp_path, frozenset(flags.split())) == suitable.split()


def test_every_library_that_is_made_can_be_chosen() -> None:
    made = {name for sets in hatch_build.INSTRUCTION_SETS.values() for name in sets}
    assert made == set(library.NEEDED_FLAGS)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where libraries are looked for, in place of the package's own."""
    monkeypatch.setattr(library, "FOLDER", tmp_path)
    monkeypatch.setattr(library, "_select", cache(library._select.__wrapped__))
    monkeypatch.delenv("QUEST22_NATIVE", raising=False)
    return tmp_path


@pytest.fixture
def made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same with libraries that were compiled there."""
    monkeypatch.delenv("QUEST22_BUILD_NATIVE", raising=False)
    if not hatch_build.compiler():
        pytest.skip("no C compiler")
    (folder / "native.c").write_text(
        "\n".join(
            f"{VISIBLE} int {name}(void) {{ return {library.INTERFACE}; }}"
            for name in library.FUNCTIONS
        )
    )
    assert hatch_build.build(folder / "native.c", folder) == {}
    if not library.suitable(folder, frozenset(processor_flags())):
        pytest.skip("no library is made for this processor")
    return folder


def test_a_library_is_opened_once(made: Path) -> None:
    opened = library.open_library()
    assert isinstance(opened, ctypes.CDLL)
    assert opened.quest22_interface() == library.INTERFACE
    assert library.open_library() is opened
    assert library.instruction_set() == library.suitable(made, frozenset(processor_flags()))[0]


def test_it_can_be_switched_off(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert library.open_library() is not None
    monkeypatch.setenv("QUEST22_NATIVE", "off")
    assert library.open_library() is None
    assert library.instruction_set() is None


def test_an_instruction_set_can_be_named(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in library.suitable(made, frozenset(processor_flags())):
        monkeypatch.setenv("QUEST22_NATIVE", name)
        assert library.instruction_set() == name
    monkeypatch.setenv("QUEST22_NATIVE", "sse9")
    with pytest.raises(UsageError, match="'sse9': expected on, off or one of avx512_bf16, "):
        library.open_library()


def test_a_damaged_one_is_as_if_it_were_not_there(
    made: Path, caplog: pytest.LogCaptureFixture
) -> None:
    best, *others = library.suitable(made, frozenset(processor_flags()))
    damaged = made / f"quest22-{best}.so"
    damaged.write_bytes(b"no library")
    with caplog.at_level(logging.WARNING, "quest22"):
        for _ in range(2):
            assert library.instruction_set() == next(iter(others), None)
    (told,) = caplog.messages
    assert str(damaged) in told


def test_one_of_an_earlier_version_is_not_called(
    made: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(library, "INTERFACE", library.INTERFACE + 1)
    assert library.open_library() is None
    assert "install again" in caplog.text


def test_where_nothing_is_there_is_none(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert library.open_library() is None
    assert library.instruction_set() is None
    assert not caplog.messages


ZEROS = np.zeros((4, 6), np.float32)


def test_addresses_are_those_of_the_arrays() -> None:
    rows = list(ZEROS)
    assert list(addresses(rows, np.float32, (6,))) == [row.ctypes.data for row in rows]


@pytest.mark.parametrize(
    ("array", "came"),
    [
        (ZEROS.astype(np.float64), r"float64 \(4, 6\)"),
        (ZEROS[:3], r"float32 \(3, 6\)"),
        (ZEROS[None], r"float32 \(1, 4, 6\)"),
        (np.zeros((6, 4), np.float32).T, r"float32 \(4, 6\), not contiguous"),
        (np.zeros((4, 12), np.float32)[:, ::2], r"float32 \(4, 6\), not contiguous"),
        (np.broadcast_to(np.float32(0), (4, 6)), r"float32 \(4, 6\), not contiguous"),
    ],
)
def test_what_the_library_would_read_wrongly_is_refused(array: np.ndarray, came: str) -> None:
    with pytest.raises(EngineError, match=came + r": expected float32 \(4, 6\)$"):
        address(array, np.float32, (4, 6))
