"""Where the recordings lie that accuracy and latency are measured with."""

from __future__ import annotations

import os
from pathlib import Path


def speech_folder() -> Path:
    """The folder of sets: ``$QUEST22_SPEECH``, else ``shared/speech`` beside the repository."""
    beside = Path(__file__).parents[2] / "shared" / "speech"
    return Path(os.environ.get("QUEST22_SPEECH", beside))
