"""Where it was before; :mod:`quest22.bench.safetensors_file` is the place."""

from quest22.bench.safetensors_file import *  # noqa: F403
