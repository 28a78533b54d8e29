"""How far reduced precisions may be from float32."""

from __future__ import annotations

LOGIT_ERROR_LIMIT = {
    "float32": 1e-4,
    "float16": 0.01,
    "bfloat16": 0.1,
    "int16": 0.1,
    "int8_float32": 0.1,
    "int8_float16": 0.1,
    "int8_bfloat16": 0.15,
    "int8_kv_float32": 0.1,
    "int8_kv_bfloat16": 0.1,
    "int8_weights_float32": 0.1,
    "int8_weights_float16": 0.1,
    "int8_weights_bfloat16": 0.15,
    "int4_float32": 0.25,
}
"""How far logits may be from float32's: root mean square error over their standard deviation.

docs/performance.md has the values measured with a small trained model. The limits allow for random
weights, whose logits lie closer together.
"""
