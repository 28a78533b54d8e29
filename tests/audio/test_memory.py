"""A recording of many hours is decoded as a stream: it is never held whole."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.peak_memory import linux_only

RATE_HZ = 8_000
SCRIPT = """
import sys
from pathlib import Path
from quest22.audio.decode import MediaDecoder
from quest22.audio.pool import decode_ahead
from quest22.records import Clip, Origin
from quest22.settings import AudioSettings, MemorySettings
from tests.support.peak_memory import peak_growth_mb

options = AudioSettings()
memory = MemorySettings.of(64 << 20)
path = Path(sys.argv[1])
media = path if sys.argv[2] == "path" else lambda: path.open("rb")
clips = [Clip("long", "long", media, Origin("test"))]
(audio,) = decode_ahead(clips, MediaDecoder(options), options, memory=memory)
seconds = len(next(audio.blocks)) / 16000
with peak_growth_mb() as grown:
    seconds += sum(len(block) for block in audio.blocks) / 16000
print(seconds, *grown)
"""


def write_silence(path: Path, hours: int) -> None:
    """A 16-bit WAV whose sound takes no room on disk."""
    import struct

    size = hours * 3600 * RATE_HZ * 2
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE_HZ, RATE_HZ * 2, 2, 16)
    with path.open("wb") as file:
        file.write(struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE") + form)
        file.write(struct.pack("<4sI", b"data", size))
        file.truncate(44 + size)


@linux_only
@pytest.mark.parametrize(
    ("hours", "kind"),
    [
        (1, "opener"),
        pytest.param(3, "path", marks=pytest.mark.slow),
        pytest.param(10, "path", marks=[pytest.mark.slow, pytest.mark.long]),
    ],
)
def test_memory_stays_flat(hours: int, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    write_silence(path, hours)
    command = [sys.executable, "-c", SCRIPT, str(path), kind]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds, grown_mb = (float(number) for number in told.split())
    assert seconds == hours * 3600
    assert grown_mb < 48  # an hour as float32 takes 230 MB
