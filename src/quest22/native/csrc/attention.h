/* Attention of one head over keys and values in float32, bfloat16 or int8: shared kernels.

   All are inner products of rows that lie in memory in order with up to MAX_QUERIES queries, so
   that rows are read once: memory is the limit, not arithmetic. */
#ifndef QUEST22_ATTENTION_H
#define QUEST22_ATTENTION_H

#include "few_rows.h"

enum { MAX_QUERIES = 4, PAD = 2 * LANES, MAX_HEAD_SIZE = 256, CACHE_LINE = 64 };

/* A count rounded up to whole vectors, the rest of which are zeros. */
static inline size_t padded(size_t count) { return (count + PAD - 1) / PAD * PAD; }

/* Stores floats as dtype; for INT16 they are integers already, up to 32767. */
static void convert_floats(void *to, const float *from, size_t count, DType dtype)
{
    if (dtype == FLOAT32)
        memcpy(to, from, count * sizeof(float));
    else if (dtype == INT16)
        for (size_t each = 0; each < count; each++)
            ((int16_t *)to)[each] = (int16_t)from[each];
    else
        for (size_t each = 0; each < count; each++)
            ((bf16 *)to)[each] = to_bf16(from[each]);
}

/* Writes zeros behind count numbers, up to the end of their last vector. */
static void zero_padding(void *numbers, size_t count, DType dtype)
{
    size_t bytes = DTYPE_BYTES[dtype];
    memset((char *)numbers + count * bytes, 0, (padded(count) - count) * bytes);
}

INLINE f32v load_as_f32(const void *row, size_t at, DType dtype)
{
    if (dtype == FLOAT32)
        return load((const float *)row + at);
    uint16_t __attribute__((vector_size(2 * LANES))) half;
    memcpy(&half, (const bf16 *)row + at, sizeof half);
    return (f32v)(__builtin_convertvector(half, i32v) << 16);
}

/* The same where only `left` numbers may be read; zeros for the others. */
INLINE f32v load_partial_as_f32(const void *row, size_t at, int left, DType dtype)
{
    float numbers[LANES] = {0};
    if (left >= LANES)
        return load_as_f32(row, at, dtype);
    for (int each = 0; each < left; each++)
        numbers[each] = dtype == FLOAT32 ? ((const float *)row)[at + each]
                                         : from_bf16(((const bf16 *)row)[at + each]);
    return load(numbers);
}

INLINE void dot_float32(int queries, const float *row, const float *vectors, size_t stride,
                        size_t size, float *dots)
{
    f32v totals[MAX_QUERIES] = {0};
    size_t at = 0;
    for (; at + LANES <= size; at += LANES) {
        prefetch(row + at);
#pragma GCC unroll 4
        for (int query = 0; query < queries; query++)
            totals[query] += load(row + at) * load(vectors + query * stride + at);
    }
    for (int query = 0; query < queries; query++) {
        float total = reduce_add(totals[query]);
        for (size_t rest = at; rest < size; rest++)
            total = fmaf(row[rest], vectors[query * stride + rest], total);
        dots[query] = total;
    }
}

/* Integer sums are exact: of up to MAX_INT8_DOT products of at most 127 by 32767 each lane adds up
   1 / LANES, which stays below 2^31. */
enum { MAX_INT8_DOT = 512 * LANES, MAX_INT32_DOT = 512 };

/* The sum of all lanes, which may need more than 32 bits where there were over MAX_INT32_DOT. */
INLINE float reduce_int32(i32v sums, size_t size)
{
    return size <= MAX_INT32_DOT ? (float)reduce_add_i32(sums) : (float)reduce_add_i64(sums);
}

INLINE i32v add_int8_products(i32v sums, const int8_t *row, const int16_t *vector)
{
    i16v query;
    memcpy(&query, vector, sizeof query);
    return add_i16_products(sums, load_i8_as_i16(row), query);
}

INLINE void dot_int8(int queries, const int8_t *row, const int16_t *vectors, size_t stride,
                     size_t size, float *dots)
{
    i32v totals[MAX_QUERIES] = {0};
    size_t at = 0;
    for (; at + CACHE_LINE <= size; at += CACHE_LINE) {
        prefetch(row + at);
#pragma GCC unroll 4
        for (size_t part = at; part < at + CACHE_LINE; part += PAD)
#pragma GCC unroll 4
            for (int query = 0; query < queries; query++)
                totals[query] = add_int8_products(totals[query], row + part,
                                                  vectors + query * stride + part);
    }
    for (; at + PAD <= size; at += PAD)
#pragma GCC unroll 4
        for (int query = 0; query < queries; query++)
            totals[query] = add_int8_products(totals[query], row + at,
                                              vectors + query * stride + at);
    if (at < size) {
        int8_t rest[PAD] = {0};
        memcpy(rest, row + at, size - at);
        for (int query = 0; query < queries; query++)
            totals[query] = add_int8_products(totals[query], rest, vectors + query * stride + at);
    }
    for (int query = 0; query < queries; query++)
        dots[query] = reduce_int32(totals[query], size);
}

#if defined(__AVX512BF16__)
INLINE void dot_bfloat16(int queries, const bf16 *row, const bf16 *vectors, size_t stride,
                         size_t size, float *dots)
{
    __m512 totals[MAX_QUERIES] = {_mm512_setzero_ps()};
    for (int query = 1; query < queries; query++)
        totals[query] = _mm512_setzero_ps();
    for (size_t at = 0; at < size; at += PAD) {
        size_t left = size - at;
        prefetch(row + at);
        __mmask32 mask = left >= PAD ? ~0u : (1u << left) - 1;
        __m512bh numbers = (__m512bh)_mm512_maskz_loadu_epi16(mask, row + at);
#pragma GCC unroll 4
        for (int query = 0; query < queries; query++)
            totals[query] = _mm512_dpbf16_ps(
                totals[query], numbers,
                (__m512bh)_mm512_loadu_si512(vectors + query * stride + at));
    }
    for (int query = 0; query < queries; query++)
        dots[query] = _mm512_reduce_add_ps(totals[query]);
}
#endif

/* dots[query * dots_stride + row] = rows[row] · vectors[query]. Vectors are padded with zeros, and
   are int16 for int8 rows. */
INLINE void dot_rows(int queries, const DType dtype, const void *rows, size_t row_stride,
                     int count, const void *vectors, size_t stride, size_t size, float *dots,
                     size_t dots_stride)
{
    for (int row = 0; row < count; row++) {
        float found[MAX_QUERIES];
        if (dtype == INT8)
            dot_int8(queries, (const int8_t *)rows + row * row_stride, vectors, stride, size,
                     found);
        else
#if defined(__AVX512BF16__)
        if (dtype == BFLOAT16)
            dot_bfloat16(queries, (const bf16 *)rows + row * row_stride, vectors, stride, size,
                         found);
        else
#endif
            dot_float32(queries, (const float *)rows + row * row_stride, vectors, stride, size,
                        found);
        for (int query = 0; query < queries; query++)
            dots[query * dots_stride + row] = found[query];
    }
}

/* The numerators of softmax, exp(score - max), in place; returns their sum, the denominator. */
static float softmax_numerators(float *scores, int count)
{
    float max = max_array(scores, count), total = 0;
    int each = 0;
    f32v totals = {0};
    for (; each + LANES <= count; each += LANES) {
        f32v value = exp_approx(load(scores + each) - max);
        store(scores + each, value);
        totals += value;
    }
    for (; each < count; each++) {
        scores[each] = exp_approx(splat(scores[each] - max))[0];
        total += scores[each];
    }
    return total + reduce_add(totals);
}

/* sums[size] += factors[row] * rows[row], row by row, so that it may stop and go on at any row
   without a change in rounding. */
INLINE void add_weighted_rows(float *sums, const float *factors, const void *rows, DType dtype,
                              size_t size, int count)
{
    size_t at = 0;
    for (; at + LANES <= size; at += LANES) {
        f32v total = load(sums + at);
        for (int row = 0; row < count; row++)
            total += factors[row] * load_as_f32(rows, row * size + at, dtype);
        store(sums + at, total);
    }
    for (; at < size; at++)
        for (int row = 0; row < count; row++)
            sums[at] = fmaf(factors[row],
                            dtype == FLOAT32 ? ((const float *)rows)[row * size + at]
                                             : from_bf16(((const bf16 *)rows)[row * size + at]),
                            sums[at]);
}

#endif
