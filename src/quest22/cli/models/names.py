"""What a shell completes where ``quest22 models`` takes a model's name."""

from __future__ import annotations

from quest22.checkpoint.known_models import KNOWN_MODELS


def complete_known(incomplete: str) -> list[str]:
    """Short names that begin so."""
    return [name for name in KNOWN_MODELS if name.startswith(incomplete)]


def complete_cached(incomplete: str) -> list[str]:
    """Names of what is in the caches that begin so."""
    from quest22.checkpoint.caches import cached_checkpoints

    names = {each.name for each in cached_checkpoints() if each.name}
    return sorted(name for name in names if name.startswith(incomplete))
