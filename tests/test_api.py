from __future__ import annotations

import numpy as np
import pytest

from quest22 import api
from quest22.cli.dataset_flags import DatasetFlags
from quest22.cli.model_flags import ModelFlags, SpeechFlags, VadFlags
from quest22.errors import UsageError
from quest22.options import DatasetOptions, Options
from quest22.settings import DatasetSettings, MemorySettings, PipelineSettings


def command_settings(model: ModelFlags, speech: SpeechFlags) -> PipelineSettings:
    return PipelineSettings(
        model.settings(),
        speech.decoding(timestamps=False),
        speech.longform(),
        speech.audio(),
        speech.hallucination(),
        speech.memory_settings(),
        speech.vad_flags.settings(),
    )


@pytest.mark.parametrize(
    ("options", "model", "speech"),
    [
        ({}, {}, {}),
        (
            {"revision": "v1", "batch_size": 4, "threads": 2, "token": "t"},
            {"model_revision": "v1", "batch_size": "4", "threads": 2, "token": "t"},
            {},
        ),
        (
            {"language": "Russian", "languages": ["en", "German"], "temperature": 0.4},
            {},
            {"language": "Russian", "languages": "en,German", "temperature": "0.4"},
        ),
        (
            {"temperature": (0, 0.2), "suppress_tokens": [11, 13], "language": "auto"},
            {},
            {"temperature": "0,0.2", "suppress_tokens": "11,13", "language": "auto"},
        ),
        (
            {"long_form": "sequential", "clip_timestamps": [1, 2], "stride_length_s": (4, 2)},
            {},
            {"long_form": "sequential", "clip_timestamps": "1,2", "stride_length_s": "4,2"},
        ),
        (
            {"memory": "256M", "max_duration_s": 5400.0, "max_repeats": None},
            {},
            {"memory": "256M", "max_duration": "90m", "max_repeats": "off"},
        ),
        (
            {"memory": 1 << 28, "stride_length_s": 3, "vad": "on", "vad_threshold": 0.3},
            {},
            {
                "memory": "256M",
                "stride_length_s": "3",
                "vad_flags": VadFlags(vad_filter=True, vad_threshold=0.3),
            },
        ),
    ],
)
def test_python_and_the_command_mean_the_same(options, model, speech):
    expected = command_settings(ModelFlags(model="tiny", **model), SpeechFlags(**speech))
    assert api._pipeline_settings("tiny", options) == expected


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("memory", ["256M", "2G"])
def test_python_and_the_command_stream_the_same_rows(shuffle, memory):
    flags = DatasetFlags(
        "org/name",
        "en",
        split="test",
        revision="v1",
        data_files=["a", "b"],
        keep_columns=["x"],
        take=9,
        shuffle=shuffle,
        seed=3,
        num_shards=2,
        shard_index=1,
    )
    expected = flags.settings("t", SpeechFlags(memory=memory).memory_settings())
    rows = {
        "split": "test",
        "dataset_revision": "v1",
        "data_files": ["a", "b"],
        "keep_columns": ["x"],
        "take": 9,
        "shuffle": shuffle,
        "seed": 3,
        "num_shards": 2,
        "shard_index": 1,
    }
    pipeline = api._pipeline_settings("tiny", {"memory": memory, "token": "t"})
    assert api._dataset_settings("org/name", "en", rows, pipeline) == expected
    bytes_held = MemorySettings.of(256 << 20 if memory == "256M" else 2 << 30).shuffled_bytes
    default = DatasetSettings("d").buffer_bytes
    assert expected.buffer_bytes == (bytes_held if shuffle else default)


def test_sequential_long_form_gives_timestamps_unless_they_are_off():
    sequential = {"long_form": "sequential"}
    assert api._pipeline_settings("tiny", sequential).decoding.timestamps
    off = {**sequential, "timestamps": False}
    assert not api._pipeline_settings("tiny", off).decoding.timestamps


def test_unknown_options_are_refused_with_the_nearest_name():
    with pytest.raises(UsageError, match=r"unknown option 'beam': did you mean 'beam_size'\?"):
        api.Transcriber("nano", beam=5)
    pipeline = PipelineSettings()
    with pytest.raises(UsageError, match=r"unknown option 'spilt': did you mean 'split'\?"):
        api._dataset_settings("d", None, {"spilt": "test"}, pipeline)
    with pytest.raises(UsageError, match="unknown option"):
        next(api.stream("d", spilt="test"))


def test_no_option_of_a_model_has_the_name_of_a_datasets():
    assert not Options.__annotations__.keys() & DatasetOptions.__annotations__.keys()


def test_media_behind_a_url_are_fetched_within_the_memory(monkeypatch):
    opened = []

    def media_opener(address, network):
        opened.append((address, network.settings.prefetch_bytes))
        return lambda: None

    class Loaded:
        settings = api._pipeline_settings("tiny", {"memory": "256M"})
        metrics = None

    monkeypatch.setattr("quest22.source.io.media.media_opener", media_opener)
    transcriber = object.__new__(api.Transcriber)
    transcriber._pipeline = Loaded()
    clip = transcriber._clip(2, "https://example.org/talk.mp3")
    assert clip.key == "2:https://example.org/talk.mp3"
    assert opened == [("https://example.org/talk.mp3", MemorySettings.of(1 << 28).fetched_bytes)]


def test_a_closed_transcriber_says_so(tmp_path):
    silence = np.zeros(16_000, np.float32)
    with api.Transcriber("nano") as whisper:
        begun = whisper.transcribe_many([silence] * 2)
        next(begun)
    whisper.close()
    with pytest.raises(UsageError, match="is closed: load it again"):
        next(whisper.transcribe_many([silence]))
    for call in (
        lambda: whisper.transcribe(silence),
        lambda: whisper.stream("parquet", data_files="x.parquet"),
        lambda: whisper.stream_to(tmp_path, "parquet", data_files="x.parquet"),
    ):
        with pytest.raises(UsageError, match="nano is closed: load it again to transcribe more"):
            call()
    assert not list(tmp_path.iterdir())
