"""After every abuse the server answers as before, and holds what it held."""

from __future__ import annotations

import random

import pytest

from tests.support.abuse import requests
from tests.support.abuse.every import QUICK, SLOW, Abuse
from tests.support.abuse.honest import Honest
from tests.support.abuse.peace import unharmed
from tests.support.server_process import ServerProcess, linux_only

pytestmark = linux_only


@pytest.mark.parametrize("abuse", QUICK, ids=lambda each: each.__name__)
def test_quick(abuse: Abuse, abused: ServerProcess, honest: Honest) -> None:
    with unharmed(abused, honest):
        abuse(abused, random.Random(22))


@pytest.mark.slow
@pytest.mark.parametrize("abuse", SLOW, ids=lambda each: each.__name__)
def test_slow(abuse: Abuse, abused: ServerProcess, honest: Honest) -> None:
    with unharmed(abused, honest):
        abuse(abused, random.Random(22))


@pytest.mark.slow
def test_the_same_again_and_again_leaves_nothing(abused: ServerProcess, honest: Honest) -> None:
    """More uploads than there are places stop half way, one crowd after another."""

    with unharmed(abused, honest):
        for number in range(4):
            requests.slow_bodies(abused, random.Random(number))
