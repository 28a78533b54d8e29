/* AVX-VNNI's two intrinsics that the native library uses, for processors that have AVX2 alone.

   With -I on this folder the library compiles as for AVX-VNNI. Semantics: Intel Intrinsics Guide. */
#ifndef QUEST22_EMULATION_AVX_VNNI_H
#define QUEST22_EMULATION_AVX_VNNI_H

#include_next <immintrin.h>
#include <stdint.h>

#define __AVXVNNI__ 1
#define _mm256_dpwssd_avx_epi32 emulated_dpwssd
#define _mm256_dpbusd_avx_epi32 emulated_dpbusd

typedef int32_t e_i32x8 __attribute__((vector_size(32)));
typedef uint32_t e_u32x8 __attribute__((vector_size(32)));

/* Products of 16 bits, two by two, with their sums: what two instructions of AVX2 give. */
static inline __m256i emulated_dpwssd(__m256i sums, __m256i a, __m256i b)
{
    return _mm256_add_epi32(sums, _mm256_madd_epi16(a, b));
}

/* Products of unsigned a and signed b of 8 bits, four by four. */
static inline __m256i emulated_dpbusd(__m256i sums, __m256i a, __m256i b)
{
    e_u32x8 total = (e_u32x8)sums;
    for (int byte = 0; byte < 4; byte++) {
        e_i32x8 left = (e_i32x8)((e_u32x8)a >> 8 * byte & 255);
        e_i32x8 right = (e_i32x8)((e_u32x8)b << (24 - 8 * byte)) >> 24;
        total += (e_u32x8)(left * right);
    }
    return (__m256i)total;
}

#endif
