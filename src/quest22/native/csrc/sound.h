/* What a batch's windows sound like: cross-attention keys and values, as they came or in int8.

   In int8 each of a head's numbers has a scale of its own, over all frames of its window: half the
   bytes to read at every step, and the scales are paid for once a query and once a result. */
#ifndef QUEST22_SOUND_H
#define QUEST22_SOUND_H

#include "attention.h"

typedef struct Sound {
    int layers, heads, size, frames;
    Element given, kept;
    /* By layer: keys [windows, heads, frames, size], values [windows, heads, size, frames]; of int8,
       scales [windows, heads, size]. */
    const void **keys, **values;
    const float **key_scales, **value_scales;
} Sound;

/* Of one window and layer: what is rounded, and where to. */
typedef struct Rounding {
    const char *keys, *values;
    int8_t *int8_keys, *int8_values;
    float *key_scales, *value_scales;
} Rounding;

static bool sound_make(Sound *sound)
{
    size_t layers = sound->layers;
    sound->keys = calloc(layers, sizeof *sound->keys);
    sound->values = calloc(layers, sizeof *sound->values);
    sound->key_scales = calloc(layers, sizeof *sound->key_scales);
    sound->value_scales = calloc(layers, sizeof *sound->value_scales);
    return sound->keys && sound->values && sound->key_scales && sound->value_scales;
}

static void sound_free(Sound *sound)
{
    free(sound->keys);
    free(sound->values);
    free(sound->key_scales);
    free(sound->value_scales);
}

/* The scale for numbers up to most; not a number where one of them, times 0, was none. */
static inline float scale_for(float most, float zero)
{
    return most > 0 ? most / 127.0f + zero : 1.0f + zero;
}

INLINE void round_int8(int8_t *to, f32x16 value)
{
    i8x16 rounded = __builtin_convertvector(
        __builtin_convertvector(nearest(value), i32x16), i8x16);
    memcpy(to, &rounded, sizeof rounded);
}

/* Rows [count, size] to int8 with a scale for each column. */
INLINE void columns_to_int8(const char *rows, int8_t *to, float *scales, int count, const int size,
                            const Element element)
{
    f32x16 most[LONGEST_HEAD / LANES] = {0}, zero[LONGEST_HEAD / LANES] = {0};
    for (int row = 0; row < count; row++)
        for (int at = 0; at < size; at += LANES) {
            f32x16 value = widen_some(rows, (size_t)row * size + at, size - at, element);
            most[at / LANES] = greater(most[at / LANES], (f32x16)((i32x16)value & INT32_MAX));
            zero[at / LANES] += value * 0.0f;
        }
    for (int each = 0; each < size; each++)
        scales[each] = scale_for(most[each / LANES][each % LANES], zero[each / LANES][each % LANES]);
    for (int at = 0; at < size; at += LANES)
        for (int lane = 0; lane < LANES; lane++)
            most[at / LANES][lane] = at + lane < size ? 1.0f / scales[at + lane] : 0.0f;
    for (int row = 0; row < count; row++)
        for (int at = 0; at < size; at += LANES) {
            int8_t rounded[LANES];
            f32x16 value = widen_some(rows, (size_t)row * size + at, size - at, element);
            round_int8(rounded, value * most[at / LANES]);
            memcpy(to + (size_t)row * size + at, rounded, size - at < LANES ? size - at : LANES);
        }
}

/* Rows [count, size] to int8 with a scale for each row. */
INLINE void rows_to_int8(const char *rows, int8_t *to, float *scales, int count, int size,
                         const Element element)
{
    for (int row = 0; row < count; row++) {
        size_t first = (size_t)row * size;
        f32x16 most = {0}, zero = {0};
        for (int at = 0; at < size; at += LANES) {
            f32x16 value = widen_some(rows, first + at, size - at, element);
            most = greater(most, (f32x16)((i32x16)value & INT32_MAX));
            zero += value * 0.0f;
        }
        scales[row] = scale_for(highest((float *)&most, LANES), sum(zero));
        float factor = 1.0f / scales[row];
        for (int at = 0; at < size; at += LANES) {
            int8_t rounded[LANES];
            round_int8(rounded, widen_some(rows, first + at, size - at, element) * factor);
            memcpy(to + first + at, rounded, size - at < LANES ? size - at : LANES);
        }
    }
}

INLINE void head_to_int8(const Sound *sound, const Rounding *about, int head, const Element element)
{
    size_t first = (size_t)head * sound->size, numbers = first * sound->frames;
    size_t bytes = numbers * ELEMENT_BYTES[element];
    int8_t *keys = about->int8_keys + numbers;
    float *scales = about->key_scales + first;
    if (sound->size == 64) /* as all of Whisper's are: a constant, so that sums are registers */
        columns_to_int8(about->keys + bytes, keys, scales, sound->frames, 64, element);
    else
        columns_to_int8(about->keys + bytes, keys, scales, sound->frames, sound->size, element);
    rows_to_int8(about->values + bytes, about->int8_values + numbers, about->value_scales + first,
                 sound->size, sound->frames, element);
}

static void round_head(const Sound *sound, const Rounding *about, int head)
{
    if (sound->given == FLOAT32)
        head_to_int8(sound, about, head, FLOAT32);
    else
        head_to_int8(sound, about, head, BFLOAT16);
}

#endif
