from __future__ import annotations

import pytest

from quest22.errors import UsageError
from quest22.settings import checks


@pytest.mark.parametrize(
    ("check", "arguments"),
    [
        (checks.check_at_least, (1, 1)),
        (checks.check_at_least, (None, 1)),
        (checks.check_positive, (0.1,)),
        (checks.check_positive, (None,)),
        (checks.check_fraction, (0.0,)),
        (checks.check_fraction, (1.0,)),
        (checks.check_fraction, (None,)),
        (checks.check_choice, ("on", ("off", "on"))),
    ],
)
def test_what_may_be_passes(check, arguments):
    check("it", *arguments)


@pytest.mark.parametrize(
    ("check", "arguments", "message"),
    [
        (checks.check_at_least, (0, 1), "it is 0: expected 1 or more"),
        (checks.check_positive, (0.0,), "it is 0.0: expected a number above 0"),
        (checks.check_fraction, (-0.1,), "it is -0.1: expected a number from 0 to 1"),
        (checks.check_fraction, (1.1,), "it is 1.1: expected a number from 0 to 1"),
        (checks.check_choice, ("up", ("a", "b", "c")), "it is 'up': expected a, b or c"),
    ],
)
def test_what_may_not_be_is_named(check, arguments, message):
    with pytest.raises(UsageError, match=f"^{message}$"):
        check("it", *arguments)
