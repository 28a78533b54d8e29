"""Sound with many channels, unusual layouts and damage."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quest22.audio.decode import MediaDecoder
from quest22.audio.packets import ends_run
from quest22.errors import ClipError
from quest22.records import SAMPLE_RATE_HZ, Audio, Damage, Samples
from quest22.settings import AudioSettings
from tests.support.peak_memory import linux_only
from tests.support.sounds import Format, clip, encode, encode_layout, loudest_hz, tone


def heard(media: bytes, channel: int | None = None) -> tuple[Samples, list[Damage]]:
    audio: Audio = MediaDecoder(AudioSettings(channel=channel)).decode(clip(media))
    return np.concatenate(list(audio.blocks)), audio.damage


MANY = [
    ("ipod", "aac", "7.1", 48_000),
    ("ogg", "libopus", "7.1", 48_000),
    ("matroska", "wavpack", "7.1", 48_000),
    ("matroska", "wavpack", "16 channels", 16_000),
    ("matroska", "pcm_s16le", "24 channels", 16_000),
    ("wav", "pcm_f32le", "hexadecagonal", 16_000),
    ("flac", "flac", "7.1", 48_000),
]


@pytest.mark.parametrize(
    ("container", "codec", "layout", "rate"), MANY, ids=[" ".join(row[:3]) for row in MANY]
)
def test_any_number_of_channels_is_mixed_and_picked(
    container: str, codec: str, layout: str, rate: int
) -> None:
    import av

    channels = av.AudioLayout(layout).nb_channels
    lfe = 3 if layout == "7.1" else None  # a codec keeps low tones only of this one
    hz = [60.0 if number == lfe else 200.0 + 50.0 * number for number in range(channels)]
    media = encode_layout(container, codec, layout, [tone(rate, 2.0, each) for each in hz])
    whole, damage = heard(media)
    assert len(whole) / SAMPLE_RATE_HZ == pytest.approx(2.0, abs=0.06)
    assert not damage
    for number in (0, channels - 1):
        assert loudest_hz(heard(media, number)[0]) == pytest.approx(hz[number], abs=2.0)
    with pytest.raises(ClipError, match=f"the sound has {channels}, counted from 0"):
        heard(media, channels)


def caf_with_swapped_channels() -> bytes:
    """A CAF file whose channels have an order of their own: right, left."""
    sound = np.stack([tone(16_000, 1.0, 700.0), tone(16_000, 1.0, 300.0)], axis=1)
    data = (sound * 20_000).astype(">i2").tobytes()
    description = struct.pack(">d4sIIIII", 16_000.0, b"lpcm", 0, 4, 1, 2, 16)
    channels = b"".join(struct.pack(">II3f", label, 0, 0, 0, 0) for label in (2, 1))
    layout = struct.pack(">III", 0, 0, 2) + channels
    chunks = [(b"desc", description), (b"chan", layout), (b"data", bytes(4) + data)]
    body = b"".join(name + struct.pack(">q", len(each)) + each for name, each in chunks)
    return b"caff" + struct.pack(">HH", 1, 0) + body


PROGRAM = """
import gc, sys
from pathlib import Path
from quest22.audio.decode import MediaDecoder
from quest22.records import Clip, Origin
from quest22.settings import AudioSettings
for channel in (None, 0, 1):
    clip = Clip("a", "a", Path(sys.argv[1]), Origin("test"))
    blocks = list(MediaDecoder(AudioSettings(channel=channel)).decode(clip).blocks)
    gc.collect()
    print(sum(map(len, blocks)))
"""


def test_an_order_of_channels_of_the_files_own_is_harmless(tmp_path: Path) -> None:
    path = tmp_path / "swapped.caf"
    path.write_bytes(caf_with_swapped_channels())
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (run.returncode, run.stdout.split()) == (0, ["16000"] * 3), run.stderr


BOMB = """
import struct, sys
from pathlib import Path
from quest22.audio.decode import MediaDecoder
from quest22.records import Clip, Origin
from quest22.settings import AudioSettings
from tests.support.peak_memory import peak_growth_mb
media, count = Path(sys.argv[1]).read_bytes(), int(sys.argv[2])
for name, values in ((b"stsz", (0, 1, count)), (b"stsc", (0, 1, 1, count, 1))):
    body = struct.pack(f">{len(values)}I", *values)
    at = media.index(name) + 4
    media = media[:at] + body + media[at + len(body):]
list_of = lambda media: list(MediaDecoder(AudioSettings()).decode(
    Clip("a", "a", media, Origin("test"))).blocks)
list_of(Path(sys.argv[1]).read_bytes())
with peak_growth_mb() as grown:
    try:
        list_of(media)
    except Exception as error:
        print(type(error).__name__)
print(*grown)
"""


@linux_only
@pytest.mark.parametrize("count", [1 << 24, 1 << 27, 1 << 31])
def test_a_table_that_claims_millions_of_samples_takes_no_memory(
    count: int, tmp_path: Path
) -> None:
    path = tmp_path / "a.m4a"
    path.write_bytes(encode(Format("aac", "ipod", "aac", 44_100), [tone(44_100, 5.0)]))
    command = [sys.executable, "-c", BOMB, str(path), str(count)]
    run = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    error, grown_mb = run.stdout.split()
    assert error == "ClipError"
    assert float(grown_mb) < 200


def chained(*links: tuple[str, int, int, float]) -> bytes:
    """Ogg links one behind another: codec, rate, channels, the frequency of 2 s of sound."""
    return b"".join(
        encode(Format("link", "ogg", codec, rate, channels), [tone(rate, 2.0, hz)] * channels)
        for codec, rate, channels, hz in links
    )


CHAINS = [
    [("vorbis", 16_000, 2, 300.0), ("vorbis", 44_100, 2, 500.0), ("vorbis", 16_000, 2, 700.0)],
    [("libopus", 48_000, 1, 300.0), ("libopus", 48_000, 2, 500.0), ("libopus", 48_000, 1, 700.0)],
    [("flac", 16_000, 1, 300.0), ("flac", 48_000, 2, 500.0), ("flac", 8_000, 1, 700.0)],
    [("libopus", 48_000, 2, 300.0), ("vorbis", 22_050, 2, 500.0), ("flac", 8_000, 1, 700.0)],
    [("vorbis", 16_000, 2, 300.0), ("vorbis", 16_000, 2, 500.0), ("vorbis", 16_000, 2, 700.0)],
]


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: " ".join(row[0] for row in chain))
def test_all_links_of_a_chain_are_decoded(chain: list[tuple[str, int, int, float]]) -> None:
    sound, damage = heard(chained(*chain))
    assert len(sound) / SAMPLE_RATE_HZ == pytest.approx(6.0, abs=0.1)
    assert not damage
    for number, (*_, hz) in enumerate(chain):
        middle = round((2 * number + 1) * SAMPLE_RATE_HZ)
        piece = sound[middle - SAMPLE_RATE_HZ // 2 : middle + SAMPLE_RATE_HZ // 2]
        assert loudest_hz(piece) == pytest.approx(hz, abs=2.0)


def test_a_link_that_cannot_be_read_is_noted_and_the_next_one_decoded() -> None:
    first, second, third = (chained(link) for link in CHAINS[0])
    broken = second[:40] + bytes(60) + second[100:]  # in its headers
    sound, damage = heard(first + broken + third)
    assert len(sound) / SAMPLE_RATE_HZ == pytest.approx(4.0, abs=0.1)
    assert loudest_hz(sound[-SAMPLE_RATE_HZ:]) == pytest.approx(700.0, abs=2.0)
    assert damage


def test_a_channel_that_later_parts_lack_is_mixed_there() -> None:
    media = chained(("flac", 16_000, 2, 300.0), ("flac", 8_000, 1, 700.0))
    sound, _ = heard(media, channel=1)
    assert len(sound) == 4 * SAMPLE_RATE_HZ
    assert loudest_hz(sound[-SAMPLE_RATE_HZ:]) == pytest.approx(700.0, abs=2.0)


DAMAGED = [
    Format("aac", "ipod", "aac", 44_100, 2),
    Format("adts", "adts", "aac", 44_100),
    Format("alac", "ipod", "alac", 44_100),
    Format("ac3", "ac3", "ac3", 48_000, 2),
    Format("wavpack", "matroska", "wavpack", 44_100),
    Format("wv", "wv", "wavpack", 44_100),
    Format("flac", "flac", "flac", 44_100),
    Format("mp3", "mp3", "libmp3lame", 44_100),
    Format("vorbis", "ogg", "vorbis", 44_100, 2),
    Format("opus", "ogg", "libopus", 48_000),
    Format("webm", "webm", "libopus", 48_000),
    Format("ts", "mpegts", "aac", 48_000, 2, video="mpeg2video"),
    Format("flv", "flv", "aac", 44_100, 2),
    Format("wma", "asf", "wmav2", 44_100, 2),
    Format("amr", "amr", "libopencore_amrnb", 8_000),
    Format("caf", "caf", "alac", 44_100),
    Format("tta", "tta", "tta", 44_100),
]


@pytest.mark.parametrize("form", DAMAGED, ids=lambda form: form.name)
@pytest.mark.parametrize("seed", range(6))
def test_flipped_bits_lose_no_recording(form: Format, seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise = [rng.normal(0, 0.1, 20 * form.rate).astype(np.float32) for _ in range(form.channels)]
    data = bytearray(encode(form, noise))
    data[int(rng.integers(len(data) // 10, len(data) * 9 // 10))] ^= 1 << int(rng.integers(8))
    sound, _ = heard(bytes(data))
    assert 18.0 < len(sound) / SAMPLE_RATE_HZ < 21.0


@pytest.mark.parametrize("junk", [0x00, 0xFF], ids=["an error", "no frame and no error"])
def test_lost_sound_becomes_silence_and_is_noted(junk: int) -> None:
    media = encode(Format("alac", "ipod", "alac", 44_100), [tone(44_100, 10.0)])
    data, packet_s = bytearray(media), 4096 / 44_100
    import av

    container: Any = av.open(io.BytesIO(media))
    with container:
        packets = [(each.pos, each.size) for each in container.demux() if each.size]
    for number in (50, 51, 80):
        at, size = packets[number]
        data[at : at + size] = bytes([junk]) * size
    sound, damage = heard(bytes(data))
    assert len(sound) == pytest.approx(10 * SAMPLE_RATE_HZ, abs=2)
    assert [(each.start_s, each.end_s) for each in damage] == [
        pytest.approx((50 * packet_s, 52 * packet_s)),
        pytest.approx((80 * packet_s, 81 * packet_s)),
    ]
    lost = sound[round(50.2 * packet_s * SAMPLE_RATE_HZ) : round(51.8 * packet_s * SAMPLE_RATE_HZ)]
    assert np.abs(lost).max() < 1e-3


def test_a_size_that_asks_for_all_memory_is_damage() -> None:
    """FFmpeg then says that there is no memory."""
    form = Format("alac", "ipod", "alac", 44_100)
    noise = np.random.default_rng(0).normal(0, 0.1, 441_000).astype(np.float32)
    media = encode(form, [noise])
    at = media.index(b"stsz") + 16 + 4 * 60
    found = []
    for size in (0x3FFFFFFF, 0x3FFFFF00, 0x30000000, 0x10000000):
        data = media[:at] + size.to_bytes(4, "big") + media[at + 4 :]
        sound, damage = heard(data)
        found.append(len(sound) / SAMPLE_RATE_HZ)
        assert damage
    assert min(found) > 5.5


def test_more_loss_than_allowed_is_a_failure() -> None:
    media = encode(Format("flac", "flac", "flac"), [tone(16_000, 20.0) * np.float32(0.3)])
    audio = MediaDecoder(AudioSettings(max_damage=0.3)).decode(clip(media[: len(media) // 2]))
    with pytest.raises(ClipError, match=r"of 20\.0 s of sound are missing: .*--max-damage"):
        list(audio.blocks)
    assert sum(
        map(len, MediaDecoder(AudioSettings()).decode(clip(media[: len(media) // 2])).blocks)
    )


def test_only_memory_that_has_run_out_ends_the_run() -> None:
    import av

    assert ends_run(MemoryError())
    assert ends_run(ClipError("source", "the line broke"))
    assert not ends_run(av.error.MemoryError(12, "Cannot allocate memory"))
    assert not ends_run(IndexError())


class Foreign(io.BytesIO):
    """A file whose reader has a fault of its own."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() > 8192:
            raise KeyError("a fault")
        return super().read(min(size or 4096, 4096))


def test_faults_of_a_reader_are_the_clips() -> None:
    noise = np.random.default_rng(1).normal(0, 0.2, 160_000).astype(np.float32)
    data = encode(Format("flac", "flac", "flac"), [noise])
    with pytest.raises(ClipError, match="a fault") as caught:
        list(MediaDecoder(AudioSettings()).decode(clip(lambda: Foreign(data))).blocks)
    assert caught.value.stage == "source"
