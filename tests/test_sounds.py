"""Sounds in the forms in which other libraries hold them."""

from __future__ import annotations

import array
import io
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

import quest22
from quest22.errors import ClipError, UsageError
from quest22.records import Samples
from quest22.sounds import media
from tests.support.recordings import recordings


class Tensor:
    """What of a PyTorch tensor is used."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values
        self.shape = values.shape

    def __len__(self) -> int:
        return len(self._values)

    def detach(self) -> Tensor:
        return self

    cpu = float = detach

    def is_floating_point(self) -> bool:
        return self._values.dtype.kind == "f"

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self._values


class OddPath(PathLike[Any]):
    """A path of whatever kind."""

    def __init__(self, place: Any) -> None:
        self._place = place

    def __fspath__(self) -> Any:
        return self._place


class BrokenFile:
    """A file that cannot be read."""

    def read(self, _size: int = -1) -> bytes:
        raise OSError("no disk")


def wav(samples: Samples, rate_hz: int = 16_000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format="WAV", subtype="FLOAT")
    return file.getvalue()


@pytest.fixture(scope="module")
def spoken() -> Samples:
    return recordings("en", 1, longest_s=6.0)[0]


@pytest.fixture(scope="module")
def nano() -> Iterator[quest22.Transcriber]:
    with quest22.Transcriber("nano", compute_type="float32") as whisper:
        yield whisper


def forms(spoken: Samples, folder: Path) -> dict[str, Any]:
    content, stereo = wav(spoken), np.stack([spoken, spoken])
    (folder / "a.wav").write_bytes(content)
    pcm16 = np.round(spoken * 32767).astype(np.int16)
    return {
        "path": folder / "a.wav",
        "bytes": content,
        "bytearray": bytearray(content),
        "memoryview": memoryview(content),
        "file": io.BytesIO(content),
        "float64": spoken.astype(np.float64),
        "float16": spoken.astype(np.float16),
        "int16": pcm16,
        "int32": np.round(spoken.astype(np.float64) * (2**31 - 1)).astype(np.int32),
        "list": spoken.tolist(),
        "list of int16": pcm16.tolist(),
        "array of doubles": array.array("d", spoken.tolist()),
        "memoryview of floats": memoryview(spoken),
        "channels first": stereo,
        "samples first": stereo.T,
        "not contiguous": np.repeat(spoken, 2)[::2],
        "(samples, rate)": (spoken, 16_000),
        "(rate, samples), as of gradio": (16_000, pcm16),
        "(rate, stereo), as of gradio": (16_000, np.stack([pcm16, pcm16], axis=1)),
        "(samples, rate as float)": (spoken, 16_000.0),
        "[samples, rate]": [spoken, np.int64(16_000)],
        "array": {"array": spoken, "sampling_rate": 16_000},
        "array of datasets": {"path": "gone.wav", "array": spoken, "sampling_rate": 16_000},
        "path in bytes": OddPath(bytes(folder / "a.wav")),
        "masked": np.ma.masked_array(spoken, mask=spoken > 2),
        "of pyannote": {"waveform": Tensor(spoken[np.newaxis]), "sample_rate": 16_000},
        "raw": {"raw": spoken, "sampling_rate": 16_000},
        "bytes of datasets": {"path": None, "bytes": content},
        "path of datasets": {"path": str(folder / "a.wav"), "bytes": None},
        "path in a record": {"path": folder / "a.wav"},
        "tensor": Tensor(spoken),
        "(tensor, rate), as of torchaudio": (Tensor(stereo), 16_000),
        "tensor in a record": {"array": Tensor(spoken), "sampling_rate": 16_000},
        "decoder of torchcodec": SimpleNamespace(
            get_all_samples=lambda: SimpleNamespace(data=Tensor(stereo), sample_rate=16_000)
        ),
    }


def test_a_sound_is_the_same_in_every_form(
    nano: quest22.Transcriber, spoken: Samples, tmp_path: Path
) -> None:
    expected = nano.transcribe(spoken).text
    assert expected
    given = forms(spoken, tmp_path)
    texts = [each.text for each in nano.transcribe_many(given.values())]
    assert dict(zip(given, texts, strict=True)) == dict.fromkeys(given, expected)


def test_samples_at_another_rate_are_resampled_as_a_file_is(
    nano: quest22.Transcriber, spoken: Samples
) -> None:
    wide = np.repeat(spoken, 3)
    from_file = nano.transcribe(wav(wide, 48_000))
    for sound in ((wide, 48_000), (48_000, wide), {"raw": wide, "sampling_rate": 48_000}):
        came = nano.transcribe(sound)
        assert (came.text, came.duration_s) == (from_file.text, from_file.duration_s)
    assert abs(from_file.duration_s - len(spoken) / 16_000) < 0.01


def test_a_tensor_of_pytorch(nano: quest22.Transcriber, spoken: Samples) -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(spoken.copy()).requires_grad_()
    expected = nano.transcribe(spoken).text
    for sound in (tensor, (tensor[None], 16_000), {"array": tensor, "sampling_rate": 16_000}):
        assert nano.transcribe(sound).text == expected


NO_SOUND: list[tuple[Any, str]] = [
    (None, "the sound is NoneType: expected a path, a URL"),
    (5, "the sound is int: expected a path"),
    (True, "the sound is bool"),
    ({}, "the sound is a record with no fields"),
    ({"audio": 1}, "the sound is a record with audio"),
    (["a.wav", "b.wav"], r"a list of 2 that are no numbers \(transcribe_many takes several\)"),
    ([[1.0], [1.0, 2.0]], "a list of 2 that is no array: expected a path"),
    (([0.1, 0.2], "16000"), "a tuple of 2 that is no array"),
    (np.zeros(9, complex), "an array of complex128"),
    (np.zeros(9, bool), "an array of bool"),
    (np.array(["a"]), "an array of <U1"),
    (io.StringIO("x"), "the sound is a file that is open as text: .* open in binary mode"),
    (object(), "the sound is object"),
    ({"array": "abc", "sampling_rate": 16_000}, "the sound is str"),
    (np.array(["2020-01-01"], "M8[D]"), "an array of datetime64"),
    ("", "an empty path: expected a path"),
    (OddPath(5), "the sound is OddPath, which is no path"),
]


@pytest.mark.parametrize(("sound", "message"), NO_SOUND)
def test_what_is_no_sound_is_refused(nano: quest22.Transcriber, sound: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        nano.transcribe(sound)
    assert "\n" not in str(raised.value)


BAD: list[tuple[Any, str]] = [
    (b"", "the sound is empty"),
    (io.BytesIO(b""), r"a file at its end: rewind it"),
    (np.zeros(0, np.float32), "no sound"),
    (np.zeros(0), "expected numbers in one or two dimensions"),
    ([], "expected numbers"),
    (np.zeros((100, 100)), "at most 8 channels"),
    (np.zeros((2, 2, 100)), "in one or two dimensions"),
    ((np.zeros(9), 0), "with the int 0 as their rate: expected a sampling rate"),
    ((np.zeros(9), -16_000), "expected a sampling rate"),
    ((np.zeros(9), float("nan")), "expected a sampling rate"),
    ((np.zeros(9), 10**9), "expected a sampling rate"),
    ({"array": np.zeros(9), "sampling_rate": None}, "without a sampling rate"),
    ({"array": np.zeros(9), "sampling_rate": "fast"}, "expected a sampling rate"),
    ({"path": None, "bytes": None}, "is empty here"),
    ({"path": "/nowhere/a.wav"}, "nowhere"),
    ("/nowhere/a.wav", "nowhere"),
    (b"no audio at all", "audio"),
    (BrokenFile(), r"a file that cannot be read: OSError\('no disk'\)"),
]


@pytest.mark.parametrize(("sound", "message"), BAD)
def test_a_sound_without_content_fails_alone(
    nano: quest22.Transcriber, spoken: Samples, sound: Any, message: str
) -> None:
    with pytest.raises(ClipError, match=message) as raised:
        nano.transcribe(sound)
    assert "\n" not in str(raised.value)
    assert "column" not in str(raised.value)


def test_others_go_on(nano: quest22.Transcriber, spoken: Samples) -> None:
    failed: list[quest22.Failure] = []
    sounds = [b"", spoken, (np.zeros(9), 0), spoken]
    came = list(nano.transcribe_many(sounds, failed.append))
    assert [each.name for each in came] == ["sound 1", "sound 3"]
    assert [each.name for each in failed] == ["sound 0", "sound 2"]


def test_values_that_are_no_numbers_are_silence(nano: quest22.Transcriber) -> None:
    sound = np.full(16_000, np.nan, np.float32)
    sound[:100] = np.inf
    assert not nano.transcribe(sound).text
    assert not nano.transcribe(sound.astype(np.float64)).text


def test_floats_on_the_scale_of_integers(nano: quest22.Transcriber, spoken: Samples) -> None:
    expected = nano.transcribe(spoken).text
    for scale in (32_768.0, np.float32(32_768)):
        assert nano.transcribe(np.round(spoken * scale)).text == expected
        assert nano.transcribe(spoken * scale).text == expected


def test_samples_of_the_usual_form_are_not_copied(spoken: Samples) -> None:
    assert media(spoken) is spoken
