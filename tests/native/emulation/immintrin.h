/* The AVX-512 intrinsics that the native library uses, in portable C: GCC's vector extensions alone.

   With -I on this folder the library compiles for any processor, and so its code for newer ones is
   tested where they are not there. Where they are, tests/native/emulated.c compares the two, bit by
   bit. Names and semantics: Intel Intrinsics Guide. */
#ifndef QUEST22_EMULATION_H
#define QUEST22_EMULATION_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define QUEST22_EMULATED 1
#if !defined(EMULATED)
#define EMULATED(name) name
#endif

#define E_ static inline __attribute__((always_inline, unused))
#define E_VECTOR(type, bytes) type __attribute__((vector_size(bytes), aligned(bytes)))

#if !defined(QUEST22_EMULATION_BESIDE_HARDWARE)
typedef float __m512 __attribute__((vector_size(64)));
typedef long long __m512i __attribute__((vector_size(64)));
typedef long long __m256i __attribute__((vector_size(32)));
typedef long long __m128i __attribute__((vector_size(16)));
typedef short __m512bh __attribute__((vector_size(64)));
typedef short __m256bh __attribute__((vector_size(32)));
typedef uint16_t __mmask16;
typedef uint32_t __mmask32;
enum { _MM_MANT_NORM_p75_1p5 = 3, _MM_MANT_SIGN_zero = 1 };
#endif

typedef int32_t e_i32x16 __attribute__((vector_size(64)));
typedef uint32_t e_u32x16 __attribute__((vector_size(64)));
typedef int16_t e_i16x32 __attribute__((vector_size(64)));
typedef int64_t e_i64x8 __attribute__((vector_size(64)));
typedef float e_f32x16 __attribute__((vector_size(64)));

#define E_FOR(lane, count) for (int lane = 0; lane < (count); lane++)

E_ __m128i EMULATED(_mm_loadu_si128)(const void *from)
{
    __m128i value;
    memcpy(&value, from, sizeof value);
    return value;
}

E_ __m256i EMULATED(_mm256_loadu_si256)(const void *from)
{
    __m256i value;
    memcpy(&value, from, sizeof value);
    return value;
}

E_ __m512i EMULATED(_mm512_loadu_si512)(const void *from)
{
    __m512i value;
    memcpy(&value, from, sizeof value);
    return value;
}

E_ __m512i EMULATED(_mm512_load_si512)(const void *from)
{
    return EMULATED(_mm512_loadu_si512)(__builtin_assume_aligned(from, 64));
}

E_ void EMULATED(_mm512_storeu_si512)(void *to, __m512i value)
{
    memcpy(to, &value, sizeof value);
}

E_ void EMULATED(_mm256_mask_storeu_epi16)(void *to, __mmask16 mask, __m256i value)
{
    uint16_t lanes[16];
    memcpy(lanes, &value, sizeof lanes);
    E_FOR(lane, 16)
        if (mask >> lane & 1)
            memcpy((uint16_t *)to + lane, &lanes[lane], sizeof *lanes);
}

E_ __m512i EMULATED(_mm512_maskz_loadu_epi16)(__mmask32 mask, const void *from)
{
    uint16_t lanes[32] = {0};
    __m512i value;
    E_FOR(lane, 32)
        if (mask >> lane & 1)
            memcpy(&lanes[lane], (const uint16_t *)from + lane, sizeof *lanes);
    memcpy(&value, lanes, sizeof value);
    return value;
}

E_ __m512i EMULATED(_mm512_maskz_mov_epi32)(__mmask16 mask, __m512i value)
{
    e_i32x16 lanes = (e_i32x16)value;
    E_FOR(lane, 16)
        lanes[lane] = mask >> lane & 1 ? lanes[lane] : 0;
    return (__m512i)lanes;
}

E_ __m512 EMULATED(_mm512_setzero_ps)(void) { return (__m512){0}; }
E_ __m512 EMULATED(_mm512_set1_ps)(float value) { return value - (__m512){0}; }
E_ __m512i EMULATED(_mm512_set1_epi32)(int value) { return (__m512i)(value - (e_i32x16){0}); }

#define E_PARAMETERS16(type) \
    type a, type b, type c, type d, type e, type f, type g, type h, \
    type i, type j, type k, type l, type m, type n, type o, type p

E_ __m512i EMULATED(_mm512_set_epi32)(E_PARAMETERS16(int))
{
    return (__m512i)(e_i32x16){p, o, n, m, l, k, j, i, h, g, f, e, d, c, b, a};
}

#if !defined(QUEST22_EMULATION_BESIDE_HARDWARE)
#define _mm512_set_epi16(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, \
                         y, z, A, B, C, D, E, F) \
    ((__m512i)(e_i16x32){F, E, D, C, B, A, z, y, x, w, v, u, t, s, r, q, p, o, n, m, l, k, j, i, \
                         h, g, f, e, d, c, b, a})
#endif

E_ __m512 EMULATED(_mm512_abs_ps)(__m512 a) { return (__m512)((e_i32x16)a & INT32_MAX); }

/* b where either is NaN or both are zero. */
E_ __m512 EMULATED(_mm512_max_ps)(__m512 a, __m512 b)
{
    e_i32x16 mask = (e_f32x16)a > (e_f32x16)b;
    return (__m512)((mask & (e_i32x16)a) | (~mask & (e_i32x16)b));
}

E_ __m512 EMULATED(_mm512_min_ps)(__m512 a, __m512 b)
{
    e_i32x16 mask = (e_f32x16)a < (e_f32x16)b;
    return (__m512)((mask & (e_i32x16)a) | (~mask & (e_i32x16)b));
}

E_ __m512 EMULATED(_mm512_sqrt_ps)(__m512 a)
{
    E_FOR(lane, 16)
        a[lane] = sqrtf(a[lane]);
    return a;
}

/* To integers, ties to even; scale 8 is "no exceptions". */
E_ __m512 EMULATED(_mm512_roundscale_ps)(__m512 a, int scale)
{
    (void)scale;
    E_FOR(lane, 16)
        a[lane] = nearbyintf(a[lane]);
    return a;
}

E_ __m512 EMULATED(_mm512_scalef_ps)(__m512 a, __m512 b)
{
    E_FOR(lane, 16)
        a[lane] = isnan(a[lane]) || isnan(b[lane])
            ? NAN : ldexpf(a[lane], (int)fmaxf(-500.0f, fminf(floorf(b[lane]), 500.0f)));
    return a;
}

E_ __m512 EMULATED(_mm512_getexp_ps)(__m512 a)
{
    E_FOR(lane, 16)
        a[lane] = isnan(a[lane]) || isinf(a[lane]) ? fabsf(a[lane])
            : a[lane] == 0 ? -INFINITY : (float)ilogbf(a[lane]);
    return a;
}

/* The mantissa of a positive number, from 0.75 to 1.5: the one form that the library uses. */
E_ __m512 EMULATED(_mm512_getmant_ps)(__m512 a, int interval, int sign)
{
    (void)interval;
    (void)sign;
    E_FOR(lane, 16) {
        int exponent;
        float mantissa = frexpf(a[lane], &exponent); /* from 0.5 to 1 */
        a[lane] = isnan(a[lane]) ? a[lane] : isinf(a[lane]) || a[lane] == 0 ? 1.0f
            : mantissa < 0.75f ? 2 * mantissa : mantissa;
    }
    return a;
}

E_ __m512 EMULATED(_mm512_cvtepi32_ps)(__m512i a)
{
    return (__m512)__builtin_convertvector((e_i32x16)a, e_f32x16);
}

/* Ties to even; numbers that do not fit become INT32_MIN. */
E_ __m512i EMULATED(_mm512_cvtps_epi32)(__m512 a)
{
    e_i32x16 result;
    E_FOR(lane, 16)
        result[lane] = fabsf(a[lane]) < 2147483648.0f ? (int32_t)nearbyintf(a[lane]) : INT32_MIN;
    return (__m512i)result;
}

E_ __m512i EMULATED(_mm512_cvtepi8_epi32)(__m128i a)
{
    int8_t __attribute__((vector_size(16))) bytes;
    memcpy(&bytes, &a, sizeof bytes);
    return (__m512i)__builtin_convertvector(bytes, e_i32x16);
}

E_ __m512i EMULATED(_mm512_cvtepi8_epi16)(__m256i a)
{
    int8_t __attribute__((vector_size(32))) bytes;
    memcpy(&bytes, &a, sizeof bytes);
    return (__m512i)__builtin_convertvector(bytes, e_i16x32);
}

E_ __m512i EMULATED(_mm512_cvtepi32_epi64)(__m256i a)
{
    int32_t __attribute__((vector_size(32))) numbers;
    memcpy(&numbers, &a, sizeof numbers);
    return (__m512i)__builtin_convertvector(numbers, e_i64x8);
}

E_ __m256i EMULATED(_mm512_castsi512_si256)(__m512i a)
{
    __m256i half;
    memcpy(&half, &a, sizeof half);
    return half;
}

E_ __m256i EMULATED(_mm512_extracti64x4_epi64)(__m512i a, int index)
{
    __m256i half;
    memcpy(&half, (const char *)&a + 32 * index, sizeof half);
    return half;
}

E_ __m512i EMULATED(_mm512_add_epi32)(__m512i a, __m512i b)
{
    return (__m512i)((e_u32x16)a + (e_u32x16)b);
}

E_ __m512i EMULATED(_mm512_add_epi64)(__m512i a, __m512i b)
{
    return (__m512i)((e_i64x8)a + (e_i64x8)b);
}

E_ __m512i EMULATED(_mm512_and_si512)(__m512i a, __m512i b) { return a & b; }
E_ __m512i EMULATED(_mm512_xor_si512)(__m512i a, __m512i b) { return a ^ b; }

E_ __m512i EMULATED(_mm512_slli_epi32)(__m512i a, unsigned count)
{
    return (__m512i)((e_u32x16)a << count);
}

/* Halves added up, as compilers do it. */
E_ float EMULATED(_mm512_reduce_add_ps)(__m512 a)
{
    for (int half = 8; half; half /= 2)
        E_FOR(lane, half)
            a[lane] += a[lane + half];
    return a[0];
}

E_ int EMULATED(_mm512_reduce_add_epi32)(__m512i a)
{
    uint32_t total = 0;
    E_FOR(lane, 16)
        total += ((e_u32x16)a)[lane];
    return (int)total;
}

E_ long long EMULATED(_mm512_reduce_add_epi64)(__m512i a)
{
    long long total = 0;
    E_FOR(lane, 8)
        total += ((e_i64x8)a)[lane];
    return total;
}

/* Products of 16 bits, two by two. */
E_ __m512i EMULATED(_mm512_madd_epi16)(__m512i a, __m512i b)
{
    e_u32x16 even = (e_u32x16)(((e_i32x16)a << 16 >> 16) * ((e_i32x16)b << 16 >> 16));
    e_u32x16 odd = (e_u32x16)(((e_i32x16)a >> 16) * ((e_i32x16)b >> 16));
    return (__m512i)(even + odd);
}

E_ __m512i EMULATED(_mm512_dpwssd_epi32)(__m512i sums, __m512i a, __m512i b)
{
    return EMULATED(_mm512_add_epi32)(sums, EMULATED(_mm512_madd_epi16)(a, b));
}

/* Products of unsigned a and signed b of 8 bits, four by four. */
E_ __m512i EMULATED(_mm512_dpbusd_epi32)(__m512i sums, __m512i a, __m512i b)
{
    e_u32x16 total = (e_u32x16)sums;
    E_FOR(byte, 4) {
        e_i32x16 left = (e_i32x16)((e_u32x16)a >> 8 * byte & 255);
        e_i32x16 right = (e_i32x16)((e_u32x16)b << (24 - 8 * byte)) >> 24;
        total += (e_u32x16)(left * right);
    }
    return (__m512i)total;
}

E_ __m512i EMULATED(_mm512_permutexvar_epi16)(__m512i order, __m512i a)
{
    return (__m512i)__builtin_shuffle((e_i16x32)a, (e_i16x32)order);
}

E_ __m512i EMULATED(_mm512_permutex2var_epi32)(__m512i a, __m512i order, __m512i b)
{
    return (__m512i)__builtin_shuffle((e_i32x16)a, (e_i32x16)b, (e_i32x16)order);
}

/* To bfloat16, ties to even; NaN stays one, and denormals become zero. */
E_ e_u32x16 e_to_bf16(__m512 a)
{
    e_u32x16 bits = (e_u32x16)a, magnitude = bits & 0x7FFFFFFF;
    e_u32x16 rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
    e_u32x16 nan = (bits >> 16) | 0x40, zero = bits >> 16 & 0x8000;
    e_u32x16 is_nan = (e_u32x16)(magnitude > 0x7F800000);
    e_u32x16 is_tiny = (e_u32x16)(magnitude < 0x00800000);
    return (is_nan & nan) | (~is_nan & ((is_tiny & zero) | (~is_tiny & rounded)));
}

E_ __m256bh EMULATED(_mm512_cvtneps_pbh)(__m512 a)
{
    uint16_t __attribute__((vector_size(32))) half
        = __builtin_convertvector(e_to_bf16(a), uint16_t __attribute__((vector_size(32))));
    return (__m256bh)half;
}

/* The lower half is b's. */
E_ __m512bh EMULATED(_mm512_cvtne2ps_pbh)(__m512 a, __m512 b)
{
    __m256bh halves[2] = {EMULATED(_mm512_cvtneps_pbh)(b), EMULATED(_mm512_cvtneps_pbh)(a)};
    __m512bh both;
    memcpy(&both, halves, sizeof both);
    return both;
}

/* What is denormal becomes zero, before and after. */
E_ e_f32x16 e_flushed(e_f32x16 a)
{
    e_u32x16 bits = (e_u32x16)a;
    e_u32x16 is_tiny = (e_u32x16)((bits & 0x7FFFFFFF) < 0x00800000);
    return (e_f32x16)(bits & ~(is_tiny & 0x7FFFFFFF));
}

E_ e_f32x16 e_fused(e_f32x16 a, e_f32x16 b, e_f32x16 sum)
{
    E_FOR(lane, 16)
        sum[lane] = __builtin_fmaf(a[lane], b[lane], sum[lane]);
    return e_flushed(sum);
}

/* Two products a lane, each one rounded once, with its sum: the odd ones first. */
E_ __m512 EMULATED(_mm512_dpbf16_ps)(__m512 sums, __m512bh a, __m512bh b)
{
    e_u32x16 left = (e_u32x16)a, right = (e_u32x16)b;
    e_f32x16 total = e_flushed((e_f32x16)sums);
    total = e_fused(e_flushed((e_f32x16)(left & 0xFFFF0000)),
                    e_flushed((e_f32x16)(right & 0xFFFF0000)), total);
    total = e_fused(e_flushed((e_f32x16)(left << 16)), e_flushed((e_f32x16)(right << 16)), total);
    return (__m512)total;
}

/* From float16. What is denormal there is not in float32. */
E_ __m512 EMULATED(_mm512_cvtph_ps)(__m256i halves)
{
    uint16_t bits[16];
    e_f32x16 result;
    memcpy(bits, &halves, sizeof bits);
    E_FOR(lane, 16) {
        uint32_t magnitude = bits[lane] & 0x7FFF, sign = (uint32_t)(bits[lane] & 0x8000) << 16;
        uint32_t wide = (magnitude << 13) + 0x38000000;
        float tiny = (float)magnitude * 0x1p-24f;
        if (magnitude >= 0x7C00) /* infinite, or NaN, which becomes a quiet one */
            wide = magnitude << 13 | 0x7F800000 | (magnitude > 0x7C00) << 22;
        if (magnitude < 0x0400)
            memcpy(&wide, &tiny, sizeof wide);
        wide |= sign;
        memcpy((char *)&result + 4 * lane, &wide, sizeof wide);
    }
    return (__m512)result;
}

/* To float16, ties to even. */
E_ __m256i EMULATED(_mm512_cvtps_ph)(__m512 a, int to_nearest)
{
    uint16_t halves[16];
    __m256i result;
    (void)to_nearest;
    E_FOR(lane, 16) {
        uint32_t bits = ((e_u32x16)a)[lane], sign = bits >> 16 & 0x8000;
        float magnitude = fabsf(((e_f32x16)a)[lane]);
        bits &= 0x7FFFFFFF;
        if (bits > 0x7F800000)
            bits = 0x7E00 | (bits >> 13 & 0x1FF);
        else if (bits >= 0x477FF000)
            bits = 0x7C00;
        else if (bits < 0x38800000) /* denormal, in steps of 2^-24 */
            bits = (uint32_t)nearbyintf(magnitude * 0x1p24f);
        else
            bits = (bits - 0x38000000 + 0xFFF + (bits >> 13 & 1)) >> 13;
        halves[lane] = (uint16_t)(sign | bits);
    }
    memcpy(&result, halves, sizeof result);
    return result;
}

#endif
