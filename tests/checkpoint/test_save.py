"""Any checkpoint as a folder of Transformers': the same weights, tokens and settings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quest22.bench.random_checkpoint import SHAPES, write_checkpoint
from quest22.checkpoint.formats.safetensors import SafetensorsFile, to_bytes
from quest22.checkpoint.load import Checkpoint, load
from quest22.checkpoint.save import save
from quest22.errors import CheckpointError, SinkError, UsageError
from tests.checkpoint.test_converted import heard
from tests.checkpoint.test_real_weights import decoded, transformers_tokens
from tests.support.ctranslate2 import ALIASES, INT8_ALIASES, whisper_variables, write_model
from tests.support.recordings import NANO_IS_HERE, recordings

FILES = {
    *("config.json", "generation_config.json", "preprocessor_config.json", "model.safetensors"),
    *("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "added_tokens.json"),
}


def saved(source: Checkpoint, folder: Path, dtype: str | None = None) -> Checkpoint:
    written = save(source, folder, dtype)
    assert set(written) >= FILES
    assert written["model.safetensors"] == (folder / "model.safetensors").stat().st_size
    return load(str(folder))


@pytest.mark.parametrize("source", ["nano", "ctranslate2", "ggml"])
def test_the_folder_is_the_same_checkpoint(
    source: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    given = request.getfixturevalue(source)
    before = given if isinstance(given, Checkpoint) else load(str(given))
    after = saved(before, tmp_path / "new")
    assert (after.dimensions, after.generation) == (before.dimensions, before.generation)
    text = "The café's 12 naïve answers: 語, привет!"
    assert after.tokens.encode(text) == before.tokens.encode(text)
    assert after.tokens.languages == before.tokens.languages
    for name in before.weights:
        np.testing.assert_array_equal(after.weights[name], before.weights[name])
    assert heard(after) == heard(before)


def test_whole_numbers_become_float32_and_nothing_changes(nano: Checkpoint, tmp_path: Path) -> None:
    source = tmp_path / "int8"
    source.mkdir()
    write_model(source / "model.bin", whisper_variables(nano, "int8"), INT8_ALIASES)
    (source / "tokenizer.json").write_bytes((nano.folder / "tokenizer.json").read_bytes())
    before = load(str(source))
    after = saved(before, tmp_path / "new")
    for name in ("encoder.layers.0.fc1.weight", "decoder.embed_tokens.weight"):
        assert after.weights.dtype(name) == "F32"
        np.testing.assert_array_equal(after.weights[name], before.weights[name])


@pytest.mark.parametrize(
    ("dtype", "stored"), [("float32", "F32"), ("float16", "F16"), ("bfloat16", "BF16")]
)
def test_types(nano: Checkpoint, tmp_path: Path, dtype: str, stored: str) -> None:
    after = saved(nano, tmp_path / "new", dtype)
    file = SafetensorsFile(tmp_path / "new" / "model.safetensors")
    assert {entry.dtype for entry in file.entries.values()} == {stored}
    name = "decoder.layers.1.fc2.weight"
    assert after.weights.raw(name).tobytes() == to_bytes(nano.weights[name], stored)


def test_shards_become_one_file_and_an_output_of_its_own_stays(
    nano: Checkpoint, tmp_path: Path
) -> None:
    source = write_checkpoint(tmp_path / "source", SHAPES["small-test"], shards=3)
    before = load(str(source))
    after = saved(before, tmp_path / "new")
    assert "proj_out.weight" not in SafetensorsFile(tmp_path / "new/model.safetensors").entries
    assert all(np.array_equal(after.weights[name], before.weights[name]) for name in before.weights)
    variables = whisper_variables(nano)
    output = "decoder/projection/weight"
    variables[output] = variables["decoder/embeddings/weight"] * np.float32(2)
    untied = tmp_path / "untied"
    untied.mkdir()
    write_model(untied / "model.bin", variables, {})
    (untied / "tokenizer.json").write_bytes((nano.folder / "tokenizer.json").read_bytes())
    after = saved(load(str(untied)), tmp_path / "also new")
    np.testing.assert_array_equal(after.weights["proj_out.weight"], variables[output])


def test_progress_ends_at_the_whole(nano: Checkpoint, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    save(nano, tmp_path / "new", on_bytes=lambda *each: told.append(each))
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1] > 15_000_000


def test_nothing_is_overwritten(nano: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    for taken in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(UsageError, match="is there already: expected a new or empty folder"):
            save(nano, taken)
    (tmp_path / "empty").mkdir()
    assert saved(nano, tmp_path / "empty").dimensions == nano.dimensions


def test_a_folder_appears_once_it_is_whole(nano: Checkpoint, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    left = tmp_path / ".new.partial"
    left.mkdir()
    (left / "of a killed process").touch()

    def stop(done: int, total: int) -> None:
        assert not folder.exists()
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save(nano, folder, on_bytes=stop)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_is_explained(nano: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="dtype is 'int8': expected float32, float16 or bfloat16"):
        save(nano, tmp_path / "new", "int8")
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match=r"file/new cannot be written: Not a directory"):
        save(nano, tmp_path / "file" / "new")
    variables = whisper_variables(nano)
    variables["encoder/conv1/bias"] = variables["encoder/conv1/bias"] + np.float32(1e6)
    large = tmp_path / "large"
    large.mkdir()
    write_model(large / "model.bin", variables, ALIASES)
    (large / "tokenizer.json").write_bytes((nano.folder / "tokenizer.json").read_bytes())
    with pytest.raises(CheckpointError, match=r"encoder\.conv1\.bias has values beyond float16's"):
        save(load(str(large)), tmp_path / "new", "float16")
    assert not (tmp_path / "new").exists()


@pytest.mark.reference
@pytest.mark.skipif(not NANO_IS_HERE, reason="this checkout has no nano or no samples")
@pytest.mark.parametrize("source", ["nano", "ctranslate2", "ggml"])
def test_transformers_reads_the_folder(
    source: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    given = request.getfixturevalue(source)
    before = given if isinstance(given, Checkpoint) else load(str(given))
    save(before, tmp_path / "new")
    sounds = recordings("en")[:2]
    assert transformers_tokens(tmp_path / "new", sounds) == decoded(before, sounds, "en")
