from __future__ import annotations

import pytest

from quest22.errors import ClipError, UsageError
from quest22.settings.python_names import in_python, naming_options


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("start over with --restart", "start over with restart=True"),
        ("choose another --output-dir", "choose another folder"),
        ("give --long-form sequential", "give long_form='sequential'"),
        ("give --word-timestamps", "give word_timestamps=True"),
        ("give --no-timestamps", "give timestamps=False"),
        ("name another with --push-to-hub, or", "name another with push_to_hub, or"),
        ("there is none: check --revision", "there is none: check dataset_revision"),
        ("a smaller --batch-size or model", "a smaller batch_size or model"),
        ("(HF_TOKEN or --token)", "(HF_TOKEN or token)"),
        ("pip install --upgrade x -- a--b", "pip install --upgrade x -- a--b"),
    ],
)
def test_flags_become_options(message: str, expected: str) -> None:
    assert in_python(message) == expected
    assert in_python(expected) == expected


def test_errors_name_options() -> None:
    with pytest.raises(UsageError, match=r"^give restart=True$"), naming_options():
        raise UsageError("give --restart")
    with pytest.raises(ClipError, match=r"^give restart=True$") as caught, naming_options():
        raise ClipError("engine", "give --restart")
    assert caught.value.stage == "engine"
    with pytest.raises(ValueError, match=r"^--restart$"), naming_options():
        raise ValueError("--restart")
