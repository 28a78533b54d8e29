from __future__ import annotations

from dataclasses import replace

import pytest

from quest22.errors import UsageError
from quest22.settings import EngineSettings

NAMES = [
    # compute type, quantization, expected
    ("auto", "none", "auto"),
    ("int8", "none", "int8"),
    ("auto", "int8", "int8"),
    ("auto", "int4", "int4"),
    ("float32", "int8", "int8_float32"),
    ("torch.bfloat16", "int4", "int4_bfloat16"),
    ("half", "int4", "int4_float16"),
    ("int16", "int4", "int4_float32"),
    ("int8_kv", "int4", "int4"),
    ("int8_kv_bfloat16", "int8", "int8_bfloat16"),
    ("int8_sound_float32", "int8", "int8_float32"),
    ("int8_weights", "int8", "int8_weights"),
    ("int8_float32", "int8", "int8_float32"),
    ("int4_bfloat16", "int4", "int4_bfloat16"),
    ("int9", "int8", "int9"),  # the engine refuses it, and says what there is
]


@pytest.mark.parametrize(("compute_type", "quantization", "expected"), NAMES)
def test_the_compute_type_says_it_all(compute_type, quantization, expected):
    settings = EngineSettings(compute_type=compute_type, quantization=quantization)
    assert settings.compute_type == expected
    assert replace(settings, threads=1).compute_type == expected


REFUSED = [
    ("int8", "int4", "compute type 'int8' has weights in int8, not int4: leave out one of the two"),
    ("int4_float32", "int8", "has weights in int4, not int8"),
    ("fp8_encoder", "int8", "has weights in fp8, not int8"),
    ("auto", "int2", "quantization is 'int2'"),
]


@pytest.mark.parametrize(("compute_type", "quantization", "message"), REFUSED)
def test_two_formats_of_weights_are_refused(compute_type, quantization, message):
    with pytest.raises(UsageError, match=message):
        EngineSettings(compute_type=compute_type, quantization=quantization)
