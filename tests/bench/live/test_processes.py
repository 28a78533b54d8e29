import os
import subprocess
import sys

import pytest

from quest22.bench.live.processes import processor_s, resident_bytes


@pytest.mark.skipif(sys.platform != "linux", reason="the system tells it on Linux only")
def test_memory_and_time_are_those_of_the_whole_family():
    code = "import sys; data = bytearray(60_000_000); print(flush=True); sys.stdin.read()"
    alone = resident_bytes(os.getpid())
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout
        child.stdout.readline()
        assert resident_bytes(os.getpid()) - alone > 50_000_000
        assert resident_bytes(child.pid) > 50_000_000
        child.communicate(b"")
    assert processor_s(os.getpid()) > 0


def test_a_process_that_is_gone_needs_nothing():
    assert resident_bytes(2**30) == processor_s(2**30) == 0
