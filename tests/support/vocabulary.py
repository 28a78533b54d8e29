"""Where it was before; :mod:`quest22.bench.vocabulary` is the place."""

from quest22.bench.vocabulary import *  # noqa: F403
