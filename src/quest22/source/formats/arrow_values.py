"""Arrow's values as Python's, and what kind of columns a schema has, whatever types it names."""

from __future__ import annotations

import logging
from typing import Any

_log = logging.getLogger(__name__)


def value_of(scalar: Any) -> Any:
    """A value in Python's types; lists of numbers as arrays: small, and of their own type.

    Text that is no UTF-8 keeps its bytes as lone surrogates; times that Python cannot hold become
    their number, other such values None.
    """
    import pyarrow as pa

    kind = scalar.type
    if not scalar.is_valid or not pa.types.is_nested(kind):
        return _leaf(scalar)
    if pa.types.is_struct(kind):
        return {field.name: value_of(scalar[number]) for number, field in enumerate(kind)}
    if not _is_list(kind):
        return scalar.as_py()
    inner = kind.value_type
    if (pa.types.is_integer(inner) or pa.types.is_floating(inner)) and not scalar.values.null_count:
        return scalar.values.to_numpy(zero_copy_only=False)
    return [value_of(item) for item in scalar.values]


def features_of(schema: Any) -> dict[str, Any]:
    """The features of ``datasets`` for a schema; None for types that it does not know."""
    from datasets import Features

    try:
        return dict(Features.from_arrow_schema(schema))
    except Exception:
        _log.debug("datasets does not know a type of this schema", exc_info=True)
    return {field.name: _feature(field) for field in schema}


def _feature(field: Any) -> Any:
    import pyarrow as pa
    from datasets import Features

    try:
        return Features.from_arrow_schema(pa.schema([field]))[field.name]
    except Exception:
        return None


def _leaf(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        return scalar.as_buffer().to_pybytes().decode("utf-8", "surrogateescape")
    except (ArithmeticError, ImportError, ValueError):
        return getattr(scalar, "value", None)


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )
