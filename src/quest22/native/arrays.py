"""Addresses of NumPy arrays for the native library, which knows neither their types nor lengths."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from quest22.errors import EngineError


def addresses(
    arrays: Iterable[NDArray[Any]], dtype: DTypeLike, shape: tuple[int, ...]
) -> NDArray[np.uintp]:
    """The addresses of arrays, which must live as long as they are used.

    Raises :class:`EngineError` for one of another type or shape, or that is not C-contiguous: the
    library knows no lengths.
    """
    return np.array([address(each, dtype, shape) for each in arrays], np.uintp)


def address(array: NDArray[Any], dtype: DTypeLike, shape: tuple[int, ...]) -> int:
    """The address of one array, as :func:`addresses`."""
    if array.dtype != dtype or array.shape != shape or not array.flags.c_contiguous:
        order = "" if array.flags.c_contiguous else ", not contiguous"
        raise EngineError(
            f"an array for the native library is {array.dtype} {array.shape}{order}: "
            f"expected {np.dtype(dtype)} {shape}"
        )
    return array.ctypes.data
