from __future__ import annotations

import pytest

from quest22.engine.precision import (
    Element,
    Precision,
    canonical_compute_type,
    choose_precision,
    is_replaced,
)
from quest22.errors import UsageError

ALL = ("FP32", "FP16", "BF16", "INT8")
NONE = ("FP32", "INT8")

NATIVE = [
    ("auto", "bf16", ALL, "bfloat16"),
    ("auto", "f32", ALL, "float32"),
    ("auto", "f16", ("FP32", "FP16"), "float16"),
    ("int8", "f32", ALL, "int8_float32"),
    ("bfloat16", "f32", ALL, "bfloat16"),
]


@pytest.mark.parametrize(("asked", "native", "capabilities", "expected"), NATIVE)
def test_what_the_processor_computes_fastest_unless_asked(
    asked: str, native: Element, capabilities: tuple[str, ...], expected: str
) -> None:
    assert choose_precision(asked, capabilities, native).name == expected


CASES = [
    ("auto", NONE, "float32"),
    ("default", ALL, "bfloat16"),
    ("int8_weights", ALL, "int8_weights_bfloat16"),
    ("int8_weights_float32", ALL, "int8_weights_float32"),
    ("float32", ALL, "float32"),
    ("torch.float32", ALL, "float32"),
    ("bfloat16", ALL, "bfloat16"),
    ("bf16", NONE, "float32"),
    ("float16", ALL, "float16"),
    ("fp16", ("FP32", "BF16"), "bfloat16"),
    ("half", NONE, "float32"),
    ("int8", ALL, "int8_bfloat16"),
    ("int8", NONE, "int8_float32"),
    ("int8_float32", ALL, "int8_float32"),
    ("INT8_BFLOAT16", ALL, "int8_bfloat16"),
    ("int8_float16", NONE, "int8_float32"),
]


@pytest.mark.parametrize(("asked", "capabilities", "expected"), CASES)
def test_the_nearest_that_the_processor_has(
    asked: str, capabilities: tuple[str, ...], expected: str
) -> None:
    assert choose_precision(asked, capabilities, "bf16").name == expected


INT16 = [
    # asked, what the library multiplies, expected: name, int8 keys and values, int16 products
    ("auto", {"f32", "i16"}, ("int16", True, True)),
    ("int16", {"f32", "i16"}, ("int16", True, True)),
    ("int16", {"f32", "bf16"}, ("float32", False, False)),
    ("int16", set(), ("float32", False, False)),
    ("int8", {"f32", "i16"}, ("int8_float32", True, True)),
    ("int8_weights", {"f32", "i16"}, ("int8_weights_float32", False, False)),
    ("float32", {"f32", "i16"}, ("float32", False, False)),
    ("int8_kv_float32", {"f32", "i16"}, ("int8_kv_float32", True, False)),
]


@pytest.mark.parametrize(("asked", "native", "expected"), INT16)
def test_int16_where_the_native_library_has_it(
    asked: str, native: set[str], expected: tuple[str, bool, bool]
) -> None:
    chosen = choose_precision(asked, NONE, "f32", native)
    assert (chosen.name, chosen.int8_kv, chosen.int16) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [("auto", "float16"), ("int8", "int8_float16"), ("int16", "int16"), ("float32", "float32")],
)
def test_float16_stays_the_default_where_it_is_fastest(asked: str, expected: str) -> None:
    assert choose_precision(asked, ("FP32", "FP16"), "f16", {"f32", "i16"}).name == expected


KV = [
    ("auto", "bf16", "int8_kv_bfloat16"),
    ("auto", "f32", "float32"),
    ("auto", "f16", "float16"),
    ("int8_kv", "f32", "int8_kv_float32"),
    ("int8_kv_bfloat16", "f32", "int8_kv_bfloat16"),
    ("bfloat16", "bf16", "bfloat16"),
    ("int8_weights", "bf16", "int8_weights_bfloat16"),
    ("int8", "bf16", "int8_bfloat16"),
]


@pytest.mark.parametrize(("asked", "native", "expected"), KV)
def test_int8_keys_and_values_are_for_the_native_library(
    asked: str, native: Element, expected: str
) -> None:
    found = choose_precision(asked, ALL, native, ("f32", "bf16"))
    assert found.name == expected
    assert found.int8_kv == (found.quantized or "kv" in expected)
    assert not choose_precision(asked, ALL, native).int8_kv


def test_float8_is_for_gpus() -> None:
    for name in ("fp8_encoder", "fp8_encoder_bfloat16"):
        with pytest.raises(UsageError, match=f"{name!r} is for GPUs .*: leave it out on the CPU"):
            choose_precision(name, ["FP32", "BF16"])


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"'flaot32' is unknown.*did you mean 'float32'\?"):
        choose_precision("flaot32", ALL)


def test_names_come_back_as_what_they_stand_for() -> None:
    for precision in (Precision("f32"), Precision("bf16", True), Precision("f16", True, True)):
        assert choose_precision(precision.name, ALL, "bf16") == precision


FORMER = [
    ("int8_sound", "int8_kv"),
    ("int8_sound_float32", "int8_kv_float32"),
    ("int8_sound_bfloat16", "int8_kv_bfloat16"),
    ("int8_kv_bfloat16", "int8_kv_bfloat16"),
    ("int8_bfloat16", "int8_bfloat16"),
    ("auto", "auto"),
]


@pytest.mark.parametrize(("former", "current"), FORMER)
def test_a_former_name_means_the_same(former: str, current: str) -> None:
    assert canonical_compute_type(former) == current
    found = choose_precision(former, ALL, "bf16", ("f32", "bf16"))
    assert found == choose_precision(current, ALL, "bf16", ("f32", "bf16"))
    assert "sound" not in found.name


@pytest.mark.parametrize(
    ("asked", "capabilities", "expected"),
    [
        ("int8_float16", ("FP32", "BF16"), True),
        ("float16", NONE, True),
        ("torch.bfloat16", ALL, False),
        ("int8", NONE, False),
        ("int8_kv", ALL, False),
        ("auto", ALL, False),
        ("int16", NONE, False),
        ("float32", ALL, False),
    ],
)
def test_a_format_that_the_processor_lacks_is_replaced(
    asked: str, capabilities: tuple[str, ...], expected: bool
) -> None:
    precision = choose_precision(asked, capabilities, "f32")
    assert is_replaced(asked, precision) is expected
