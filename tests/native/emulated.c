/* The emulated intrinsics beside the processor's own, on random bits. Prints what differs. */

#include <immintrin.h>
#define QUEST22_EMULATION_BESIDE_HARDWARE
#define EMULATED(name) emulated##name
#include "emulation/immintrin.h"
#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 20000 };

static void fill(void *to, size_t bytes, int kind)
{
    for (size_t each = 0; each < bytes / 4; each++) {
        uint32_t bits = (uint32_t)rand() ^ (uint32_t)rand() << 16;
        float number = ((float)rand() / (float)RAND_MAX - 0.5f) * (kind == 1 ? 200.0f : 3e9f);
        if (kind && rand() % 16)
            memcpy(&bits, &number, sizeof bits);
        memcpy((char *)to + 4 * each, &bits, sizeof bits);
    }
}

/* Bits are equal, or both are NaN. */
static void compare(const char *name, const void *expected, const void *found, size_t bytes,
                    int floats)
{
    const float *right = expected, *mine = found;
    for (size_t each = 0; each < bytes / 4; each++)
        if (memcmp(right + each, mine + each, 4)
            && !(floats && isnan(right[each]) && isnan(mine[each]))) {
            printf("%s: %a %08x instead of %a %08x\n", name, (double)mine[each],
                   ((const uint32_t *)found)[each], (double)right[each],
                   ((const uint32_t *)expected)[each]);
            return;
        }
}

#define SAME(floats, type, name, ...) \
    do { \
        type right = name(__VA_ARGS__), mine = emulated##name(__VA_ARGS__); \
        compare(#name, &right, &mine, sizeof right, floats); \
    } while (0)

int main(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        __m512 a, b, c;
        fill(&a, sizeof a, round % 3);
        fill(&b, sizeof b, round % 3);
        fill(&c, sizeof c, round % 3);
        __m512i x = (__m512i)a, y = (__m512i)b, z = (__m512i)c;
        __m256i half = _mm512_castsi512_si256(x);
        __mmask16 mask = (__mmask16)rand();
        __m512 positive = (__m512)_mm512_and_si512(x, _mm512_set1_epi32(0x7FFFFFFF));
        SAME(1, __m512, _mm512_abs_ps, a);
        SAME(1, __m512, _mm512_max_ps, a, b);
        SAME(1, __m512, _mm512_min_ps, a, b);
        SAME(1, __m512, _mm512_sqrt_ps, a);
        SAME(1, __m512, _mm512_roundscale_ps, a, 8);
        SAME(1, __m512, _mm512_getexp_ps, positive);
        SAME(1, __m512, _mm512_getmant_ps, positive, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_zero);
        SAME(1, __m512, _mm512_cvtepi32_ps, x);
        SAME(0, __m512i, _mm512_cvtps_epi32, a);
        SAME(1, __m512, _mm512_cvtph_ps, half);
        SAME(0, __m256i, _mm512_cvtps_ph, a, 0);
        SAME(0, __m256i, _mm512_cvtps_ph, _mm512_cvtph_ps(half), 0);
        SAME(0, __m512i, _mm512_cvtepi8_epi32, _mm512_castsi512_si128(x));
        SAME(0, __m512i, _mm512_cvtepi8_epi16, half);
        SAME(0, __m512i, _mm512_cvtepi32_epi64, half);
        SAME(0, __m256i, _mm512_extracti64x4_epi64, x, 1);
        SAME(0, __m512i, _mm512_maskz_mov_epi32, mask, x);
        SAME(0, __m512i, _mm512_maskz_loadu_epi16, mask * 7u, &a);
        SAME(0, __m512i, _mm512_slli_epi32, x, 16);
        SAME(0, __m512i, _mm512_madd_epi16, x, y);
        SAME(0, __m512i, _mm512_permutexvar_epi16, x, y);
        SAME(0, __m512i, _mm512_permutex2var_epi32, x, y, z);
        SAME(0, int, _mm512_reduce_add_epi32, x);
        SAME(0, long long, _mm512_reduce_add_epi64, x);
        SAME(1, float, _mm512_reduce_add_ps, a);
        /* exponents as in softmax, where 2^x is not denormal */
        __m512 small = _mm512_roundscale_ps(_mm512_max_ps(_mm512_set1_ps(-120), b), 8);
        SAME(1, __m512, _mm512_scalef_ps, _mm512_set1_ps(1.25f), _mm512_min_ps(small, _mm512_set1_ps(0)));
#if defined(__AVX512VNNI__)
        SAME(0, __m512i, _mm512_dpwssd_epi32, x, y, z);
        SAME(0, __m512i, _mm512_dpbusd_epi32, x, y, z);
#endif
#if defined(__AVX512BF16__)
        SAME(0, __m256bh, _mm512_cvtneps_pbh, a);
        SAME(0, __m512bh, _mm512_cvtne2ps_pbh, a, b);
        SAME(1, __m512, _mm512_dpbf16_ps, a, (__m512bh)y, (__m512bh)z);
#endif
    }
    return 0;
}
