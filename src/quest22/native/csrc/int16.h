/* Float32 to int16 for integer products, with a scale for some numbers that share one.

   Integers of 16 bits are multiplied at twice the rate of float32 (VPMADDWD), and sums are exact:
   results are closer to float32 than those of bfloat16, whose numbers have 8 significant bits. */
#ifndef QUEST22_INT16_H
#define QUEST22_INT16_H

#include "simd.h"

/* Int8 and int16 activations have one scale for so many inputs. */
enum { QUANT_GROUP = 256 };

/* Activations in int16 are at most INT16_ACTIVATION. The weights of an output are scaled so that a
   group's sum of products fits into 32 bits whatever the activations: their magnitudes add up to
   at most INT16_WEIGHT_SUM after rounding. */
enum { INT16_ACTIVATION = 16383, INT16_WEIGHT_SUM = 131080 };

/* Two numbers of 16 bits: of two channels, or of two frames. */
typedef uint32_t Pair;

/* The factor for numbers of LANES rows, `step` floats apart, so that they are at most `limit`;
   stores the scales, which are NaN where a number is not finite. */
INLINE f32v int16_factor(const float *values, int count, size_t step, float limit, float *scales)
{
    f32v max = splat(1e-30f), zero = {0};
    for (int each = 0; each < count; each++) {
        f32v value = load(values + each * step);
        max = maximum((f32v)((i32v)value & INT32_MAX), max);
        zero += value * 0.0f;
    }
    store(scales, max * (1.0f / limit) + zero);
    return limit / max;
}

/* Rounded to pairs as pair_vector has them, for the side of a product whose lanes are its own. */
INLINE void store_pair_vector(Pair *to, f32v first, f32v second)
{
    i16v pairs = pair_vector(round_to_i32(first), round_to_i32(second));
    memcpy(to, &pairs, sizeof pairs);
}

/* Rounded to pairs that are broadcast, each by itself; the first vector is the lower half of each. */
INLINE void store_int16_pairs(Pair *to, f32v first, f32v second)
{
    i32v pairs = (round_to_i32(first) & 0xFFFF) | (round_to_i32(second) << 16);
    memcpy(to, &pairs, sizeof pairs);
}

/* The same for numbers of a single row that lie side by side; stores its scale. */
static void row_to_int16(const float *values, int count, float limit, int16_t *to, float *scale)
{
    f32v max = splat(1e-30f), zero = {0};
    int at = 0;
    for (; at + LANES <= count; at += LANES) {
        f32v value = load(values + at);
        max = maximum((f32v)((i32v)value & INT32_MAX), max);
        zero += value * 0.0f;
    }
    float most = max_array((const float *)&max, LANES), nan_if_any = reduce_add(zero);
    for (int rest = at; rest < count; rest++) {
        most = fmaxf(most, fabsf(values[rest]));
        nan_if_any += values[rest] * 0.0f;
    }
    *scale = most * (1.0f / limit) + nan_if_any;
    float factor = limit / most;
    for (at = 0; at + LANES <= count; at += LANES)
        store_as_i16(to + at, round_to_i32(load(values + at) * factor));
    for (; at < count; at++)
        to[at] = (int16_t)round_to_i32(splat(values[at] * factor))[0];
}

#endif
