/* The cross-attention keys and values of a batch's windows, as the encoder made them or in int8.

   In int8 each of a head's channels has its own scale over all frames of its window. A step then
   reads half the bytes, and scales cost one multiplication per query and one per result. */
#ifndef QUEST22_CROSS_KV_H
#define QUEST22_CROSS_KV_H

#include "attention.h"

typedef struct CrossKV {
    int layers, heads, size, max_frames;
    DType source_dtype, dtype; /* as the encoder makes them, as they are read */
    int windows; /* of the batch */
    const int32_t *frames; /* [windows] */
    /* By layer, for each window: keys [heads, frames, size] and values [heads, size, frames] in the
       first numbers of a row that has room for max_frames; for int8 also scales [heads, size]. */
    const void **keys, **values;
    const float **key_scales, **value_scales;
} CrossKV;

/* One window and layer to quantize, of `frames`. */
typedef struct KVQuantization {
    const char *keys, *values;
    int8_t *int8_keys, *int8_values;
    float *key_scales, *value_scales;
} KVQuantization;

static bool cross_kv_init(CrossKV *cross_kv)
{
    size_t layers = cross_kv->layers;
    cross_kv->keys = calloc(layers, sizeof *cross_kv->keys);
    cross_kv->values = calloc(layers, sizeof *cross_kv->values);
    cross_kv->key_scales = calloc(layers, sizeof *cross_kv->key_scales);
    cross_kv->value_scales = calloc(layers, sizeof *cross_kv->value_scales);
    return cross_kv->keys && cross_kv->values && cross_kv->key_scales && cross_kv->value_scales;
}

static void cross_kv_free(CrossKV *cross_kv)
{
    free(cross_kv->keys);
    free(cross_kv->values);
    free(cross_kv->key_scales);
    free(cross_kv->value_scales);
}

/* The scale for numbers up to max. `nan_if_any` is the sum of 0 * x over them: 0, or NaN where one
   is not finite, and then so is the scale. */
static inline float int8_scale(float max, float nan_if_any)
{
    return max > 0 ? max / 127.0f + nan_if_any : 1.0f + nan_if_any;
}

INLINE void store_int8(int8_t *to, f32v value) { store_as_i8(to, round_to_i32(value)); }

/* Rows [count, size] to int8 with a scale for each column. */
INLINE void quantize_columns(const char *rows, int8_t *to, float *scales, int count,
                             const int size, const DType dtype)
{
    f32v max[MAX_HEAD_SIZE / LANES] = {0}, zero[MAX_HEAD_SIZE / LANES] = {0};
    for (int row = 0; row < count; row++)
        for (int at = 0; at < size; at += LANES) {
            f32v value = load_partial_as_f32(rows, (size_t)row * size + at, size - at, dtype);
            max[at / LANES] = maximum(max[at / LANES], (f32v)((i32v)value & INT32_MAX));
            zero[at / LANES] += value * 0.0f;
        }
    for (int each = 0; each < size; each++)
        scales[each] = int8_scale(max[each / LANES][each % LANES],
                                  zero[each / LANES][each % LANES]);
    for (int at = 0; at < size; at += LANES)
        for (int lane = 0; lane < LANES; lane++)
            max[at / LANES][lane] = at + lane < size ? 1.0f / scales[at + lane] : 0.0f;
    for (int row = 0; row < count; row++)
        for (int at = 0; at < size; at += LANES) {
            int8_t rounded[LANES];
            f32v value = load_partial_as_f32(rows, (size_t)row * size + at, size - at, dtype);
            store_int8(rounded, value * max[at / LANES]);
            memcpy(to + (size_t)row * size + at, rounded, size - at < LANES ? size - at : LANES);
        }
}

/* Rows [count, size] to int8 with a scale for each row. */
INLINE void quantize_rows(const char *rows, int8_t *to, float *scales, int count, int size,
                          const DType dtype)
{
    for (int row = 0; row < count; row++) {
        size_t first = (size_t)row * size;
        f32v max = {0}, zero = {0};
        for (int at = 0; at < size; at += LANES) {
            f32v value = load_partial_as_f32(rows, first + at, size - at, dtype);
            max = maximum(max, (f32v)((i32v)value & INT32_MAX));
            zero += value * 0.0f;
        }
        scales[row] = int8_scale(max_array((float *)&max, LANES), reduce_add(zero));
        float factor = 1.0f / scales[row];
        for (int at = 0; at < size; at += LANES) {
            int8_t rounded[LANES];
            store_int8(rounded, load_partial_as_f32(rows, first + at, size - at, dtype) * factor);
            memcpy(to + first + at, rounded, size - at < LANES ? size - at : LANES);
        }
    }
}

INLINE void quantize_head_from(const CrossKV *cross_kv, const KVQuantization *window, int frames,
                               int head, const DType dtype)
{
    size_t first = (size_t)head * cross_kv->size, numbers = first * frames;
    size_t bytes = numbers * DTYPE_BYTES[dtype];
    int8_t *keys = window->int8_keys + numbers;
    float *scales = window->key_scales + first;
    if (cross_kv->size == 64) /* all of Whisper's: a constant keeps sums in registers */
        quantize_columns(window->keys + bytes, keys, scales, frames, 64, dtype);
    else
        quantize_columns(window->keys + bytes, keys, scales, frames, cross_kv->size, dtype);
    quantize_rows(window->values + bytes, window->int8_values + numbers,
                  window->value_scales + first, cross_kv->size, frames, dtype);
}

static void quantize_head(const CrossKV *cross_kv, const KVQuantization *window, int frames,
                          int head)
{
    if (cross_kv->source_dtype == FLOAT32)
        quantize_head_from(cross_kv, window, frames, head, FLOAT32);
    else
        quantize_head_from(cross_kv, window, frames, head, BFLOAT16);
}

#endif
