"""Recipes train: without PyTorch there is nothing of theirs to test."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["*"]
