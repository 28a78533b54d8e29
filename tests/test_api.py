from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from quest22 import api
from quest22.cli.dataset_flags import DatasetFlags
from quest22.cli.model_flags import ModelFlags, SpeechFlags, VadFlags
from quest22.errors import UsageError
from quest22.options import DatasetOptions, ModelOptions
from quest22.settings import DatasetSettings, MemorySettings, PipelineSettings
from quest22.settings.clip_options import ClipOptions
from tests.support.recordings import recordings


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
    assert not ModelOptions.__annotations__.keys() & DatasetOptions.__annotations__.keys()


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


class Loading:
    """Settings of models, in place of loading them."""

    def __init__(self) -> None:
        self.settings: list[PipelineSettings] = []
        self.rows: list[DatasetSettings] = []

    def __call__(self, settings: PipelineSettings) -> Loading:
        self.settings.append(settings)
        return self

    def stream(self, rows: DatasetSettings) -> object:
        self.rows.append(rows)
        return iter(())


@pytest.fixture
def loading(monkeypatch) -> Loading:
    double = Loading()
    monkeypatch.setattr(api, "Pipeline", double)
    return double


@pytest.mark.parametrize(
    ("options", "of_model", "of_dataset"),
    [
        ({}, None, None),
        ({"revision": "r"}, None, "r"),
        ({"dataset_revision": "r"}, None, "r"),
        ({"dataset_revision": "r", "revision": "r"}, None, "r"),
        ({"model_revision": "m"}, "m", None),
        ({"model_revision": "m", "revision": "r"}, "m", "r"),
    ],
)
def test_a_revision_is_the_datasets_where_one_is_streamed(loading, options, of_model, of_dataset):
    api.stream("org/name", model="small", **options)
    assert loading.settings[0].engine.revision == of_model
    assert loading.rows[0].revision == of_dataset


@pytest.mark.parametrize("name", ["revision", "model_revision"])
def test_a_revision_is_the_models_where_none_is(loading, name):
    api.Transcriber("small", **{name: "m"})
    assert loading.settings[0].engine.revision == "m"


def test_two_revisions_are_refused(loading):
    with pytest.raises(UsageError, match="two revisions, 'a' and 'b': name one, as model_revision"):
        api.Transcriber("small", revision="a", model_revision="b")
    with pytest.raises(UsageError, match=r"two revisions, 'a' and 'b': .* as dataset_revision"):
        api.stream("d", revision="a", dataset_revision="b")


def test_the_embedded_model_has_no_revisions():
    with pytest.raises(UsageError, match="nano comes with the package and has no revisions"):
        api.Transcriber("nano", revision="main")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam_size": "5"}, "beam_size is '5': expected a whole number, or None"),
        ({"beam_size": 2.5}, "beam_size is 2.5: expected a whole number, or None"),
        ({"beam_size": True}, "beam_size is True: expected a whole number, or None"),
        ({"timestamps": "yes"}, "timestamps is 'yes': expected True or False"),
        ({"patience": "2"}, "patience is '2': expected a number"),
        ({"task": 1}, "task is 1: expected text"),
        ({"task": "sing"}, "task is 'sing': expected transcribe or translate"),
        ({"max_new_tokens": "9"}, "max_new_tokens is '9': expected a whole number, or None"),
        ({"vad": "maybe"}, "vad is 'maybe': expected off, on or auto"),
        ({"vad": 1}, "vad is 1: expected off, on or auto"),
        ({"language": 7}, r"language is 7: expected str \| None"),
        ({"languages": 7}, r"languages is 7: expected str \| Iterable\[str\]"),
        ({"memory": []}, r"memory is \[\]: expected int \| str"),
    ],
)
def test_values_of_other_types_are_refused_at_once(loading, options, message):
    with pytest.raises(UsageError, match=f"^{message}$"):
        api.Transcriber("nano", **options)
    assert loading.settings == []


@pytest.mark.parametrize(("value", "mode"), [(True, "on"), (False, "off"), ("auto", "auto")])
def test_vad_may_be_true_or_false(loading, value, mode):
    api.Transcriber("nano", vad=value, beam_size=np.int64(5), patience=2)
    settings = loading.settings[0]
    assert settings.vad.vad == mode
    assert (settings.decoding.beam_size, settings.decoding.patience) == (5, 2.0)
    assert type(settings.decoding.beam_size) is int
    assert type(settings.decoding.patience) is float


@pytest.fixture(scope="module")
def nano() -> Iterator[api.Transcriber]:
    with api.Transcriber("nano", compute_type="float32", timestamps=True) as transcriber:
        yield transcriber


def wav(samples: np.ndarray) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, 16_000, format="WAV", subtype="FLOAT")
    return file.getvalue()


def test_a_sound_is_the_same_in_every_form(nano, tmp_path):
    (samples,) = recordings("en", 1)
    content = wav(samples)
    (tmp_path / "a.wav").write_bytes(content)
    expected = nano.transcribe(samples).text
    assert expected
    with (tmp_path / "a.wav").open("rb") as file:
        sounds = [str(tmp_path / "a.wav"), tmp_path / "a.wav", content, bytearray(content)]
        sounds += [memoryview(content), io.BytesIO(content), file]
        assert [each.text for each in nano.transcribe_many(sounds)] == [expected] * len(sounds)


PER_CALL: list[dict[str, object]] = [
    {},
    {"language": "ru"},
    {"task": "translate", "language": "en"},
    {"timestamps": False},
    {"word_timestamps": True},
    {"initial_prompt": "Hello."},
    {"long_form": "sequential"},
    {"vad": True},
    {"max_speaking_rate": 1.0},
    {"beam_size": 3},
]


def test_options_of_a_call_are_as_those_of_a_transcriber(nano):
    samples = np.concatenate(recordings("en", 2))
    for options in PER_CALL:
        whole = {"timestamps": True, "compute_type": "float32", **options}
        with api.Transcriber("nano", **whole) as alone:
            expected = alone.transcribe(samples)
        given = nano.transcribe(samples, **options)
        (one,) = nano.transcribe_many([samples], **options)
        for each in (given, one):
            assert (each.text, each.language) == (expected.text, expected.language)
            assert each.segments == expected.segments
            assert each.dropped == expected.dropped
    assert nano.transcribe(samples).segments == nano.transcribe(samples, **PER_CALL[0]).segments


def test_options_of_a_call_that_cannot_be(nano):
    samples = np.zeros(16_000, np.float32)
    for options, message in (
        ({"lanugage": "en"}, r"unknown option 'lanugage': did you mean 'language'\?"),
        ({"compute_type": "int8"}, "unknown option 'compute_type'"),
        ({"beam_size": 0}, "beam_size is 0: expected 1 or more"),
        ({"language": "tlh"}, "tlh"),
        ({"clip_timestamps": [1.0]}, "require long_form='sequential'"),
    ):
        with pytest.raises(UsageError, match=message):
            nano.transcribe(samples, **options)
        with pytest.raises(UsageError, match=message):
            nano.transcribe_many([samples], **options)


@pytest.mark.parametrize(
    ("sounds", "given"),
    [
        ("talk.mp3", "'talk.mp3'"),
        (Path("talk.mp3"), "talk.mp3"),
        (np.zeros(16_000, np.float32), "ndarray"),
        ({"array": [0.0], "sampling_rate": 16_000}, "dict"),
        (5, "int"),
    ],
)
def test_one_recording_where_several_are_expected(nano, sounds, given):
    with pytest.raises(UsageError, match=rf"sounds is .*{given}.*: expected several recordings"):
        nano.transcribe_many(sounds)


def test_paths_in_an_array_are_several_recordings(nano):
    failures = []
    paths = np.array(["none.wav", "nor-this.wav"], dtype=object)
    assert list(nano.transcribe_many(paths, failures.append)) == []
    assert [each.name for each in failures] == ["none.wav", "nor-this.wav"]


def test_sequential_for_a_call_gives_times_unless_they_are_off():
    settings = PipelineSettings().for_clips()
    sequential = {"long_form": "sequential"}
    assert ClipOptions.take(dict(sequential), settings).decoding.timestamps
    off = {**sequential, "timestamps": False}
    assert not ClipOptions.take(off, settings).decoding.timestamps
    assert ClipOptions.take({}, settings) is None


def test_without_a_name_the_best_checkpoint_of_the_caches_is_taken(caches):
    with pytest.raises(UsageError, match=r'^no model is named .* \(model="base" in Python\)'):
        api.Transcriber()
    with pytest.raises(UsageError, match="no model is named"):
        next(api.stream("parquet", data_files="nowhere.parquet"))
