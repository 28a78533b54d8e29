"""Caches of models in a test's own folders."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass(frozen=True)
class Caches:
    """The Hub's cache, quest22's own and openai/whisper's, all under one folder."""

    home: Path

    def add_to_hub(self, hub_id: str, folder: Path, commit: str = COMMIT) -> Path:
        """Copy a checkpoint in as the Hub's client would; returns its folder."""
        repository = self.home / "hub" / f"models--{hub_id.replace('/', '--')}"
        snapshot = repository / "snapshots" / commit
        shutil.copytree(folder, snapshot)
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / "main").write_text(commit)
        return snapshot

    def add_own(self, name: str, folder: Path) -> Path:
        own = self.home / "quest22" / "weights" / name
        shutil.copytree(folder, own)
        return own


def empty_caches(home: Path, patch: pytest.MonkeyPatch) -> Caches:
    """Point this process at caches that hold nothing."""
    import huggingface_hub.constants

    patch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(home / "hub"))
    patch.setenv("QUEST22_CACHE", str(home / "quest22"))
    patch.setenv("XDG_CACHE_HOME", str(home))
    return Caches(home)
