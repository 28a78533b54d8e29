"""Transformers' own long form, to compare with."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="session")
def chunking() -> ModuleType:
    """How Transformers cuts."""
    name = "transformers.pipelines.automatic_speech_recognition"
    module: ModuleType = pytest.importorskip(name, reason="Transformers is not installed")
    return module


@pytest.fixture(scope="session")
def joining() -> ModuleType:
    """How Transformers joins."""
    name = "transformers.models.whisper.tokenization_whisper"
    module: ModuleType = pytest.importorskip(name, reason="Transformers is not installed")
    return module


@pytest.fixture(scope="session")
def generation() -> Any:
    """How Transformers goes through one window."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    name = "transformers.models.whisper.generation_whisper"
    module = pytest.importorskip(name, reason="Transformers is not installed")
    return module.WhisperGenerationMixin
