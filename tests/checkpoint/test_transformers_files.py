from __future__ import annotations

from dataclasses import replace

import pytest

from quest22.checkpoint.load import load
from quest22.checkpoint.transformers_files import generation_document
from tests.support.recordings import NANO_IS_HERE


@pytest.mark.skipif(not NANO_IS_HERE, reason="this checkout has no nano")
def test_a_multilingual_model_transcribes_where_nothing_is_asked() -> None:
    generation = replace(load("nano").generation, forced_decoder_ids=())
    document = generation_document(generation)
    assert document["task"] == "transcribe"
    assert document["task_to_id"]["transcribe"] == generation.task_to_id["transcribe"]
    english = generation_document(replace(generation, is_multilingual=False))
    assert not {"task", "task_to_id", "lang_to_id"} & set(english)
