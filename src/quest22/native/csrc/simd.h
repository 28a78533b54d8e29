/* Vectors of sixteen floats: GCC's and Clang's vector extensions, and AVX-512 intrinsics. */
#ifndef QUEST22_SIMD_H
#define QUEST22_SIMD_H

#include <math.h>
#include <stdint.h>
#include <string.h>
#include <immintrin.h>

#define EXPORT __attribute__((visibility("default")))
#define LANES 16
#define INLINE static inline __attribute__((always_inline))

typedef float f32x16 __attribute__((vector_size(64)));
typedef int32_t i32x16 __attribute__((vector_size(64)));
typedef int8_t i8x16 __attribute__((vector_size(16)));
typedef uint16_t bf16;

INLINE f32x16 load(const float *from)
{
    f32x16 value;
    memcpy(&value, from, sizeof value);
    return value;
}

INLINE void store(float *to, f32x16 value) { memcpy(to, &value, sizeof value); }

/* Weights are megabytes read in order; prefetching a page ahead makes that a tenth faster. */
enum { PREFETCH_BYTES = 4096 };

INLINE void prefetch(const void *address)
{
    __builtin_prefetch((const char *)address + PREFETCH_BYTES);
}

INLINE f32x16 splat(float value) { return value - (f32x16){0}; }

INLINE f32x16 load_i8_as_f32(const int8_t *from)
{
    return (f32x16)_mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)from)));
}

INLINE float reduce_add(f32x16 value)
{
    return _mm512_reduce_add_ps((__m512)value);
}

INLINE float sum_array(const float *values, int count)
{
    f32x16 totals = {0};
    int at = 0;
    for (; at + LANES <= count; at += LANES)
        totals += load(values + at);
    float total = reduce_add(totals);
    for (; at < count; at++)
        total += values[at];
    return total;
}

/* a where the mask's bits are set, else b. */
INLINE f32x16 blend(i32x16 mask, f32x16 a, f32x16 b)
{
    return (f32x16)((mask & (i32x16)a) | (~mask & (i32x16)b));
}

/* b where either is NaN. */
INLINE f32x16 maximum(f32x16 a, f32x16 b) { return (f32x16)_mm512_max_ps((__m512)a, (__m512)b); }

/* The nearest integer, ties to even; |x| up to 2^31. */
INLINE f32x16 round_nearest(f32x16 x)
{
    return (f32x16)_mm512_roundscale_ps((__m512)x, 8);
}

static float max_array(const float *values, int count)
{
    f32x16 max = splat(values[0]);
    int each = 0;
    for (; each + LANES <= count; each += LANES)
        max = maximum(max, load(values + each));
    float result = max[0];
    for (int lane = 1; lane < LANES; lane++)
        result = fmaxf(result, max[lane]);
    for (; each < count; each++)
        result = fmaxf(result, values[each]);
    return result;
}

/* exp(x) for x ≤ 88, within 2 ulp: x = n ln 2 + r and a polynomial in r (expf of Cephes, Moshier
   1989). 0 below e^-87; NaN for NaN. */
INLINE f32x16 exp_approx(f32x16 x)
{
    x = blend(x < -87.0f, splat(-87.0f), x);
    f32x16 n = round_nearest(x * 1.44269504f);
    f32x16 r = x - n * 0.693359375f + n * 2.12194440e-4f;
    f32x16 y = splat(1.9875691500e-4f);
    y = y * r + 1.3981999507e-3f;
    y = y * r + 8.3334519073e-3f;
    y = y * r + 4.1665795894e-2f;
    y = y * r + 1.6666665459e-1f;
    y = y * r + 5.0000001201e-1f;
    y = y * r * r + r + 1.0f;
    return y * (f32x16)((__builtin_convertvector(n, i32x16) + 127) << 23);
}

/* GELU, x Φ(x). erf is formula 7.1.26 of Abramowitz and Stegun, absolute error 1.5e-7. */
INLINE f32x16 gelu(f32x16 x)
{
    f32x16 z = x * 0.70710678f;
    f32x16 magnitude = (f32x16)((i32x16)z & INT32_MAX);
    f32x16 t = 1.0f / (1.0f + 0.3275911f * magnitude);
    f32x16 poly = t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f
                  + t * (-1.453152027f + t * 1.061405429f))));
    f32x16 erf_magnitude = 1.0f - poly * exp_approx(-magnitude * magnitude);
    f32x16 erf_z = (f32x16)((i32x16)erf_magnitude | ((i32x16)z & INT32_MIN));
    return 0.5f * x * (1.0f + erf_z);
}

/* Rounded to nearest, ties to even. */
INLINE bf16 to_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (bf16)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

INLINE float from_bf16(bf16 value)
{
    uint32_t bits = (uint32_t)value << 16;
    float result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

#endif
