"""What an image installs before quest22."""

from __future__ import annotations

import sys

import pytest

if sys.version_info < (3, 11):
    pytest.skip("tomllib is there from Python 3.11 on", allow_module_level=True)

from tools.requirements import requirements


def test_extras_are_added_to_what_is_always_needed() -> None:
    always = list(requirements([]))
    assert any(each.startswith("openvino") for each in always)
    both = list(requirements(["server", "s3"]))
    assert both[: len(always)] == always
    assert any(each.startswith("uvicorn") for each in both)
    assert any(each.startswith("s3fs") for each in both)


def test_an_unknown_extra_is_an_error() -> None:
    with pytest.raises(KeyError, match="gpu"):
        list(requirements(["gpu"]))
