"""Where it was before; :mod:`quest22.bench.random_checkpoint` is the place."""

from quest22.bench.random_checkpoint import *  # noqa: F403
