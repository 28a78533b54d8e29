"""OpenVINO's entrance, one for a process.

On processors with AMX, an ``ov.Core`` gives the thread that makes it a stack for signal handlers,
and takes it away when it is deleted. Of two, the second gives back the stack of the first, which is
gone by then: the next signal, such as Ctrl-C, would end the process with SIGSEGV (OpenVINO 2026.4).
So there is one, which stays.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from quest22.system.forks import kept_in_children

if TYPE_CHECKING:
    import openvino as ov

_cores: dict[int, ov.Core] = {}
_lock = threading.Lock()


def openvino_core() -> ov.Core:
    """The core of this process; a forked child has one of its own.

    Raises ``RuntimeError`` if OpenVINO cannot be set up.
    """
    import openvino as ov

    with _lock:
        core = _cores.get(os.getpid())
        if core is None:
            core = _cores[os.getpid()] = kept_in_children(ov.Core())
        return core
