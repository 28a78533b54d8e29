"""What tests need of the system, as marks."""

from __future__ import annotations

import pytest

from quest22.system import WINDOWS

posix_only = pytest.mark.skipif(WINDOWS, reason="signals, named pipes and shells of POSIX")
