/* Attention of one head: its queries by keys and values, in float32 or bfloat16.

   Everything here is inner products of a vector with rows that lie in memory in order, read once
   for up to QUERIES queries together: bound by memory, not by arithmetic. */
#ifndef QUEST22_ATTENTION_H
#define QUEST22_ATTENTION_H

#include "linear.h"

enum { QUERIES = 4, PAIRS = 2 * LANES, LONGEST_HEAD = 256 };

/* Room for so many numbers, with zeros to the end of the last vector. */
static inline size_t padded(size_t count) { return (count + PAIRS - 1) / PAIRS * PAIRS; }

/* Stores floats as the element; those for int16 are whole numbers already, up to 32767. */
static void narrow(void *to, const float *from, size_t count, Element element)
{
    if (element == FLOAT32)
        memcpy(to, from, count * sizeof(float));
    else if (element == INT16)
        for (size_t each = 0; each < count; each++)
            ((int16_t *)to)[each] = (int16_t)from[each];
    else
        for (size_t each = 0; each < count; each++)
            ((bf16 *)to)[each] = to_bf16(from[each]);
}

/* Puts zeros behind count numbers, up to the end of their last vector. */
static void fill(void *numbers, size_t count, Element element)
{
    size_t bytes = ELEMENT_BYTES[element];
    memset((char *)numbers + count * bytes, 0, (padded(count) - count) * bytes);
}

INLINE f32x16 widen(const void *row, size_t at, Element element)
{
    if (element == FLOAT32)
        return load((const float *)row + at);
    uint16_t __attribute__((vector_size(32))) half;
    memcpy(&half, (const bf16 *)row + at, sizeof half);
    return (f32x16)(__builtin_convertvector(half, i32x16) << 16);
}

/* The same where but `left` numbers may be there; zeros for the others. */
INLINE f32x16 widen_some(const void *row, size_t at, int left, Element element)
{
    float some[LANES] = {0};
    if (left >= LANES)
        return widen(row, at, element);
    for (int each = 0; each < left; each++)
        some[each] = element == FLOAT32 ? ((const float *)row)[at + each]
                                        : from_bf16(((const bf16 *)row)[at + each]);
    return load(some);
}

INLINE void dot_float32(int queries, const float *row, const float *vectors, size_t stride,
                        size_t size, float *sums)
{
    f32x16 totals[QUERIES] = {0};
    size_t at = 0;
    for (; at + LANES <= size; at += LANES) {
        foresee(row + at);
#pragma GCC unroll 4
        for (int query = 0; query < queries; query++)
            totals[query] += load(row + at) * load(vectors + query * stride + at);
    }
    for (int query = 0; query < queries; query++) {
        float total = sum(totals[query]);
        for (size_t rest = at; rest < size; rest++)
            total = fmaf(row[rest], vectors[query * stride + rest], total);
        sums[query] = total;
    }
}

/* Whole numbers, so sums are exact: 47 pairs a lane of at most 127 by 32767 stay below 2^31. */
typedef __m512i Totals;

INLINE Totals add_products(Totals totals, const int8_t *row, const int16_t *vector)
{
    __m512i some = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)row));
    __m512i others = _mm512_loadu_si512(vector);
#if defined(__AVX512VNNI__)
    return _mm512_dpwssd_epi32(totals, some, others);
#else
    return _mm512_add_epi32(totals, _mm512_madd_epi16(some, others));
#endif
}

INLINE float sum_of_totals(Totals totals) { return (float)_mm512_reduce_add_epi32(totals); }

INLINE void dot_int8(int queries, const int8_t *row, const int16_t *vectors, size_t stride,
                     size_t size, float *sums)
{
    Totals totals[QUERIES] = {0};
    size_t at = 0;
    for (; at + PAIRS <= size; at += PAIRS) {
        if (at % 64 == 0)
            foresee(row + at);
#pragma GCC unroll 4
        for (int query = 0; query < queries; query++)
            totals[query] = add_products(totals[query], row + at, vectors + query * stride + at);
    }
    if (at < size) {
        int8_t rest[PAIRS] = {0};
        memcpy(rest, row + at, size - at);
        for (int query = 0; query < queries; query++)
            totals[query] = add_products(totals[query], rest, vectors + query * stride + at);
    }
    for (int query = 0; query < queries; query++)
        sums[query] = sum_of_totals(totals[query]);
}

#if defined(__AVX512BF16__)
INLINE void dot_bfloat16(int queries, const bf16 *row, const bf16 *vectors, size_t stride,
                         size_t size, float *sums)
{
    __m512 totals[QUERIES] = {_mm512_setzero_ps()};
    for (int query = 1; query < queries; query++)
        totals[query] = _mm512_setzero_ps();
    for (size_t at = 0; at < size; at += PAIRS) {
        size_t left = size - at;
        foresee(row + at);
        __mmask32 mask = left >= PAIRS ? ~0u : (1u << left) - 1;
        __m512bh some = (__m512bh)_mm512_maskz_loadu_epi16(mask, row + at);
#pragma GCC unroll 4
        for (int query = 0; query < queries; query++)
            totals[query] = _mm512_dpbf16_ps(
                totals[query], some, (__m512bh)_mm512_loadu_si512(vectors + query * stride + at));
    }
    for (int query = 0; query < queries; query++)
        sums[query] = _mm512_reduce_add_ps(totals[query]);
}
#endif

/* sums[query * sums_stride + row] = rows[row] · vectors[query]; vectors end in zeros, and are
   int16 beside int8. */
INLINE void dot_rows(int queries, const Element element, const void *rows, size_t row_stride,
                     int count, const void *vectors, size_t stride, size_t size, float *sums,
                     size_t sums_stride)
{
    for (int row = 0; row < count; row++) {
        float found[QUERIES];
        if (element == INT8)
            dot_int8(queries, (const int8_t *)rows + row * row_stride, vectors, stride, size,
                     found);
        else
#if defined(__AVX512BF16__)
        if (element == BFLOAT16)
            dot_bfloat16(queries, (const bf16 *)rows + row * row_stride, vectors, stride, size,
                         found);
        else
#endif
            dot_float32(queries, (const float *)rows + row * row_stride, vectors, stride, size,
                        found);
        for (int query = 0; query < queries; query++)
            sums[query * sums_stride + row] = found[query];
    }
}

/* Scores become exponentials, at most 1; gives their sum. */
static float soften(float *scores, int count)
{
    float most = highest(scores, count), total = 0;
    int each = 0;
    f32x16 totals = {0};
    for (; each + LANES <= count; each += LANES) {
        f32x16 value = exponential(load(scores + each) - most);
        store(scores + each, value);
        totals += value;
    }
    for (; each < count; each++) {
        scores[each] = exponential(splat(scores[each] - most))[0];
        total += scores[each];
    }
    return total + sum(totals);
}

/* sums[size] += factors[row] * rows[row], row by row: the same wherever a sum is interrupted. */
INLINE void add_rows(float *sums, const float *factors, const void *rows, Element element,
                     size_t size, int count)
{
    size_t at = 0;
    for (; at + LANES <= size; at += LANES) {
        f32x16 mixed = load(sums + at);
        for (int row = 0; row < count; row++)
            mixed += factors[row] * widen(rows, row * size + at, element);
        store(sums + at, mixed);
    }
    for (; at < size; at++)
        for (int row = 0; row < count; row++)
            sums[at] = fmaf(factors[row],
                            element == FLOAT32 ? ((const float *)rows)[row * size + at]
                                               : from_bf16(((const bf16 *)rows)[row * size + at]),
                            sums[at]);
}

#endif
