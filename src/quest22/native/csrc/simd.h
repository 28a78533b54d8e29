/* Vectors of LANES numbers: GCC's and Clang's vector extensions, and a few operations that they lack,
   written for each instruction set: AVX-512 (sixteen lanes), AVX2 (eight), and NEON (four, in
   simd_neon.h).

   All other files are written once, for any number of lanes, except where they use instructions that
   only one set has (__AVX512BF16__). */
#ifndef QUEST22_SIMD_H
#define QUEST22_SIMD_H

#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(__ARM_NEON)
#include <arm_neon.h>
#else
#include <immintrin.h>
#endif

#define EXPORT __attribute__((visibility("default")))
#define INLINE static inline __attribute__((always_inline))

#if defined(__AVX512F__) || defined(QUEST22_EMULATED)
#define LANES 16
#elif defined(__ARM_NEON)
#define LANES 4
#else
#define LANES 8
#endif

typedef float f32v __attribute__((vector_size(4 * LANES)));
typedef int32_t i32v __attribute__((vector_size(4 * LANES)));
typedef int16_t i16v __attribute__((vector_size(4 * LANES))); /* twice as many lanes */
typedef int8_t i8v __attribute__((vector_size(LANES)));
typedef uint16_t bf16;
typedef uint16_t f16;

INLINE f32v load(const float *from)
{
    f32v value;
    memcpy(&value, from, sizeof value);
    return value;
}

INLINE void store(float *to, f32v value) { memcpy(to, &value, sizeof value); }

/* Weights are megabytes read in order; prefetching a page ahead makes that a tenth faster. */
enum { PREFETCH_BYTES = 4096 };

INLINE void prefetch(const void *address)
{
    __builtin_prefetch((const char *)address + PREFETCH_BYTES);
}

INLINE f32v splat(float value) { return value - (f32v){0}; }

/* a where the mask's bits are set, else b. */
INLINE f32v blend(i32v mask, f32v a, f32v b)
{
    return (f32v)((mask & (i32v)a) | (~mask & (i32v)b));
}

INLINE f32v as_floats(i32v integers) { return __builtin_convertvector(integers, f32v); }

INLINE i32v load_i16_as_i32(const int16_t *from)
{
    int16_t __attribute__((vector_size(2 * LANES))) narrow;
    memcpy(&narrow, from, sizeof narrow);
    return __builtin_convertvector(narrow, i32v);
}

INLINE void store_as_i16(int16_t *to, i32v value)
{
    int16_t __attribute__((vector_size(2 * LANES))) narrow
        = __builtin_convertvector(value, int16_t __attribute__((vector_size(2 * LANES))));
    memcpy(to, &narrow, sizeof narrow);
}

#if LANES == 16

INLINE f32v load_i8_as_f32(const int8_t *from)
{
    return (f32v)_mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)from)));
}

INLINE f32v load_f16_as_f32(const f16 *from)
{
    return (f32v)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)from));
}

/* Rounded to nearest, ties to even. */
INLINE void store_as_f16(f16 *to, f32v value)
{
    __m256i rounded = _mm512_cvtps_ph((__m512)value, 0);
    memcpy(to, &rounded, sizeof rounded);
}

INLINE i16v load_i8_as_i16(const int8_t *from)
{
    return (i16v)_mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)from));
}

INLINE float reduce_add(f32v value) { return _mm512_reduce_add_ps((__m512)value); }

/* b where either is NaN. */
INLINE f32v maximum(f32v a, f32v b) { return (f32v)_mm512_max_ps((__m512)a, (__m512)b); }

INLINE f32v minimum(f32v a, f32v b) { return (f32v)_mm512_min_ps((__m512)a, (__m512)b); }

INLINE f32v square_root(f32v x) { return (f32v)_mm512_sqrt_ps((__m512)x); }

/* The nearest integer, ties to even; |x| up to 2^31. */
INLINE f32v round_nearest(f32v x) { return (f32v)_mm512_roundscale_ps((__m512)x, 8); }

/* The same as integers. */
INLINE i32v round_to_i32(f32v x) { return (i32v)_mm512_cvtps_epi32((__m512)x); }

/* x = m 2^e of a positive x, with m from 0.75 to 1.5; returns m. */
INLINE f32v split_exponent(f32v x, f32v *e)
{
    f32v m = (f32v)_mm512_getmant_ps((__m512)x, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_zero);
    *e = (f32v)_mm512_getexp_ps((__m512)x);
    *e += blend(m < 1.0f, splat(1.0f), splat(0.0f));
    return m;
}

/* Sums + products of 16-bit integers, two neighbours in each lane. */
INLINE i32v add_i16_products(i32v sums, i16v a, i16v b)
{
#if defined(__AVX512VNNI__)
    return (i32v)_mm512_dpwssd_epi32((__m512i)sums, (__m512i)a, (__m512i)b);
#else
    return sums + (i32v)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#endif
}

#if defined(__AVX512VNNI__)
#define HAS_QUAD_PRODUCTS 1

/* Sums + unsigned a · signed b in fours. */
INLINE i32v dpbusd(i32v sums, i32v a, i32v b)
{
    return (i32v)_mm512_dpbusd_epi32((__m512i)sums, (__m512i)a, (__m512i)b);
}
#endif

INLINE int32_t reduce_add_i32(i32v sums) { return _mm512_reduce_add_epi32((__m512i)sums); }

/* The sum of all lanes in 64 bits. */
INLINE int64_t reduce_add_i64(i32v sums)
{
    __m512i all = (__m512i)sums;
    __m512i low = _mm512_cvtepi32_epi64(_mm512_castsi512_si256(all));
    __m512i high = _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(all, 1));
    return _mm512_reduce_add_epi64(_mm512_add_epi64(low, high));
}

#elif LANES == 8

INLINE f32v load_i8_as_f32(const int8_t *from)
{
    return (f32v)_mm256_cvtepi32_ps(
        _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)from)));
}

INLINE f32v load_f16_as_f32(const f16 *from)
{
    return (f32v)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)from));
}

INLINE void store_as_f16(f16 *to, f32v value)
{
    _mm_storeu_si128((__m128i *)to, _mm256_cvtps_ph((__m256)value, 0));
}

INLINE i16v load_i8_as_i16(const int8_t *from)
{
    return (i16v)_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)from));
}

INLINE float reduce_add(f32v value)
{
    __m256 all = (__m256)value;
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

INLINE f32v maximum(f32v a, f32v b) { return (f32v)_mm256_max_ps((__m256)a, (__m256)b); }

INLINE f32v minimum(f32v a, f32v b) { return (f32v)_mm256_min_ps((__m256)a, (__m256)b); }

INLINE f32v square_root(f32v x) { return (f32v)_mm256_sqrt_ps((__m256)x); }

INLINE f32v round_nearest(f32v x) { return (f32v)_mm256_round_ps((__m256)x, 8); }

INLINE i32v round_to_i32(f32v x) { return (i32v)_mm256_cvtps_epi32((__m256)x); }

INLINE i32v add_i16_products(i32v sums, i16v a, i16v b)
{
#if defined(__AVXVNNI__)
    return (i32v)_mm256_dpwssd_avx_epi32((__m256i)sums, (__m256i)a, (__m256i)b);
#else
    return sums + (i32v)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#endif
}

#if defined(__AVXVNNI__)
#define HAS_QUAD_PRODUCTS 1

INLINE i32v dpbusd(i32v sums, i32v a, i32v b)
{
    return (i32v)_mm256_dpbusd_avx_epi32((__m256i)sums, (__m256i)a, (__m256i)b);
}
#endif

INLINE int64_t reduce_add_i64(i32v sums)
{
    int64_t total = 0;
    for (int lane = 0; lane < LANES; lane++)
        total += sums[lane];
    return total;
}

INLINE int32_t reduce_add_i32(i32v sums)
{
    __m256i all = (__m256i)sums;
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
    __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1)));
}

#else
#include "simd_neon.h"
#endif

#if LANES != 16
/* x = m 2^e of a positive x, with m from 0.75 to 1.5; returns m. */
INLINE f32v split_exponent(f32v x, f32v *e)
{
    i32v bits = (i32v)x, one = {0};
    one += 0x3F800000;
    f32v m = (f32v)((bits & 0x7FFFFF) | one);
    i32v halve = m >= 1.5f;
    *e = __builtin_convertvector((bits >> 23) - 127 - halve, f32v);
    return blend(x < INFINITY, blend(halve, m * 0.5f, m), x);
}
#endif

#if !defined(__ARM_NEON)

/* Of small integers. */
INLINE void store_as_i8(int8_t *to, i32v value)
{
    i8v narrow = __builtin_convertvector(value, i8v);
    memcpy(to, &narrow, sizeof narrow);
}

/* What products of pairs of 16-bit integers take, on every instruction set in the order that suits it:
   LANES pairs of two vectors, LANES pairs as memory holds them, and one pair for all lanes. */
INLINE i16v pair_vector(i32v first, i32v second)
{
    return (i16v)((first & 0xFFFF) | (second << 16));
}

INLINE i16v pair_vector_of(i16v pairs) { return pairs; }

INLINE i16v broadcast_pair(const uint32_t *pair) { return (i16v)((i32v){0} + (int32_t)*pair); }

/* sums + the product of each pair with one that broadcast_pair gave. */
INLINE i32v add_pair_products(i32v sums, i16v pairs, i16v pair)
{
    return add_i16_products(sums, pairs, pair);
}

/* What products of fours of 8-bit integers take: VPDPBUSD wants one side unsigned, so numbers of a
   vector are stored with QUAD_OFFSET added. */
enum { QUAD_OFFSET = 128 };

INLINE i32v broadcast_quad(const uint32_t *quad) { return (i32v){0} + (int32_t)*quad; }

#if defined(HAS_QUAD_PRODUCTS)
INLINE i32v add_quad_products(i32v sums, i32v quads, i32v quad) { return dpbusd(sums, quads, quad); }
#endif

#endif

#if !defined(HAS_QUAD_PRODUCTS)
#define HAS_QUAD_PRODUCTS 0
#endif

INLINE float sum_array(const float *values, int count)
{
    f32v totals = {0};
    int at = 0;
    for (; at + LANES <= count; at += LANES)
        totals += load(values + at);
    float total = reduce_add(totals);
    for (; at < count; at++)
        total += values[at];
    return total;
}

static float max_array(const float *values, int count)
{
    f32v max = splat(values[0]);
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
INLINE f32v exp_approx(f32v x)
{
    x = blend(x < -87.0f, splat(-87.0f), x);
    f32v n = round_nearest(x * 1.44269504f);
    f32v r = x - n * 0.693359375f + n * 2.12194440e-4f;
    f32v y = splat(1.9875691500e-4f);
    y = y * r + 1.3981999507e-3f;
    y = y * r + 8.3334519073e-3f;
    y = y * r + 4.1665795894e-2f;
    y = y * r + 1.6666665459e-1f;
    y = y * r + 5.0000001201e-1f;
    y = y * r * r + r + 1.0f;
    return y * (f32v)((__builtin_convertvector(n, i32v) + 127) << 23);
}

/* GELU, x Φ(x). erf is formula 7.1.26 of Abramowitz and Stegun, absolute error 1.5e-7. */
INLINE f32v gelu(f32v x)
{
    f32v z = x * 0.70710678f;
    f32v magnitude = (f32v)((i32v)z & INT32_MAX);
    f32v t = 1.0f / (1.0f + 0.3275911f * magnitude);
    f32v poly = t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f
                  + t * (-1.453152027f + t * 1.061405429f))));
    f32v erf_magnitude = 1.0f - poly * exp_approx(-magnitude * magnitude);
    f32v erf_z = (f32v)((i32v)erf_magnitude | ((i32v)z & INT32_MIN));
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

INLINE f16 to_f16(float value)
{
    f16 rounded[LANES];
    store_as_f16(rounded, splat(value));
    return rounded[0];
}

#endif
