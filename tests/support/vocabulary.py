"""Where it was before; :mod:`quest22.bench.tokenizer_variants` is the place."""

from quest22.bench.tokenizer_variants import *  # noqa: F403
