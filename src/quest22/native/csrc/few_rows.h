/* Products of few rows and a linear layer: each panel of weights is read once, in order, for up to
   ROW_BLOCK rows, so memory is the limit. gemm.h multiplies many rows. */
#ifndef QUEST22_FEW_ROWS_H
#define QUEST22_FEW_ROWS_H

#include "linear.h"
#include "thread_pool.h"

/* Sums of as many rows as fit into registers are accumulated together: AVX-512 has twice as many
   registers, and each is twice as wide. */
enum { ROW_BLOCK = 16 };
enum { ROWS_AT_ONCE = LANES == 16 ? 16 : 4 };

/* Activations packed as products read them: in blocks of `block_rows` rows, with all the block's
   numbers for one input (or one pair of inputs) side by side. In int16, each row has a scale for
   every QUANT_GROUP inputs. */
typedef struct PackedRows {
    void *values;
    int count, block_rows, width;
    DType dtype;
    float *scales; /* for int16, by block of rows: [groups, block_rows] */
} PackedRows;

static inline size_t packed_index(const PackedRows *rows, int row, int input)
{
    size_t block = (size_t)(row / rows->block_rows) * rows->block_rows * rows->width;
    size_t lane = row % rows->block_rows;
    if (rows->dtype == FLOAT32)
        return block + (size_t)input * rows->block_rows + lane;
    return block + (size_t)(input / 2) * 2 * rows->block_rows + 2 * lane + input % 2;
}

/* Packs `size` numbers of one row, from its input `first` on; both are even. */
INLINE void pack_row(const PackedRows *rows, int row, int first, const float *values, int size)
{
    size_t at = packed_index(rows, row, first), step = rows->block_rows;
    if (rows->dtype == FLOAT32)
        for (int each = 0; each < size; each++)
            ((float *)rows->values)[at + each * step] = values[each];
    else
        for (int each = 0; each < size; each += 2) {
            bf16 *to = (bf16 *)rows->values + at + each * step;
            to[0] = to_bf16(values[each]);
            to[1] = to_bf16(values[each + 1]);
        }
}

/* The scale of a row's group of inputs. */
static inline float *row_scale(const PackedRows *rows, int row, int group)
{
    size_t groups = (rows->width + QUANT_GROUP - 1) / QUANT_GROUP;
    size_t block = row / rows->block_rows * groups;
    return rows->scales + (block + group) * rows->block_rows + row % rows->block_rows;
}

/* Rounds the rows first to first + LANES of float32 to int16, or a block's only row. Blocks have
   room for whole vectors of rows. */
static void quantize_packed_rows(const PackedRows *from, const PackedRows *to, int first)
{
    int step = from->block_rows;
    for (int input = 0; input < from->width; input += QUANT_GROUP) {
        int left = from->width - input, count = left < QUANT_GROUP ? left : QUANT_GROUP;
        const float *values = (const float *)from->values + packed_index(from, first, input);
        int16_t *numbers = (int16_t *)to->values + packed_index(to, first, input);
        float *scales = row_scale(to, first, input / QUANT_GROUP);
        if (step == 1) {
            row_to_int16(values, count, INT16_ACTIVATION, numbers, scales);
            continue;
        }
        f32v factor = int16_factor(values, count, step, INT16_ACTIVATION, scales);
        for (int each = 0; each < count; each += 2)
            store_int16_pairs((Pair *)numbers + each / 2 * step,
                              load(values + each * step) * factor,
                              load(values + (each + 1) * step) * factor);
    }
}

typedef struct MatMul {
    const Linear *layer;
    const PackedRows *rows;
    Epilogue epilogue;
    float *output;               /* [rows, outputs], for STORE and ADD */
    const PackedRows *gelu_output; /* for GELU */
} MatMul;

/* LANES weights as float32. */
INLINE f32v load_weights(const DType dtype, const void *panel, size_t at)
{
    return dtype == FLOAT16 ? load_f16_as_f32((const f16 *)panel + at)
                            : load((const float *)panel + at);
}

/* LANES pairs of weights, as pair_vector has them. */
INLINE i16v load_weight_pairs(const DType dtype, const void *panel, size_t at)
{
    i16v pairs;
    if (dtype == INT8)
        return pair_vector_of(load_i8_as_i16((const int8_t *)panel + 2 * at));
    memcpy(&pairs, (const int16_t *)panel + 2 * at, sizeof pairs);
    return pair_vector_of(pairs);
}

/* sums[row] += panel · rows[row], where rows are int16: integer sums, group by group, times the
   rows' scales. */
INLINE void accumulate_int16(const int count, const MatMul *matmul, const DType weights,
                             const void *panel, int row, f32v sums[ROWS_AT_ONCE][PANEL_VECTORS])
{
    const PackedRows *rows = matmul->rows;
    size_t step = rows->block_rows;
    const Pair *pairs = (const Pair *)rows->values + packed_index(rows, row, 0) / 2;
    const int end = matmul->layer->inputs / 2, group_pairs = QUANT_GROUP / 2;
    for (int first = 0; first < end; first += group_pairs) {
        i32v products[ROWS_AT_ONCE][PANEL_VECTORS] = {0};
        int last = first + group_pairs < end ? first + group_pairs : end;
#pragma GCC unroll 4
        for (int k = first; k < last; k++, pairs += step) {
            i16v columns[PANEL_VECTORS];
            for (int each = 0; each < PANEL_VECTORS; each++)
                columns[each] = load_weight_pairs(weights, panel, k * PANEL + each * LANES);
#pragma GCC unroll 16
            for (int each = 0; each < count; each++) {
                i16v pair = broadcast_pair(pairs + each);
                for (int vector = 0; vector < PANEL_VECTORS; vector++)
                    products[each][vector]
                        = add_pair_products(products[each][vector], columns[vector], pair);
            }
        }
#pragma GCC unroll 16
        for (int each = 0; each < count; each++)
            for (int vector = 0; vector < PANEL_VECTORS; vector++)
                sums[each][vector] += as_floats(products[each][vector])
                    * *row_scale(rows, row + each, first / group_pairs);
    }
}

/* The same for weights of four bits: sums of a group of inputs, times its multiplier. */
INLINE void accumulate_int4(const int count, const MatMul *matmul, const void *panel, int row,
                            f32v sums[ROWS_AT_ONCE][PANEL_VECTORS])
{
    const PackedRows *rows = matmul->rows;
    const int inputs = matmul->layer->inputs;
    const Pair *pairs = (const Pair *)rows->values + packed_index(rows, row, 0) / 2;
    const int16_t *multipliers = panel, *words = int4_words(panel, inputs);
    for (int first = 0; first < inputs; first += QUANT_GROUP) {
        i32v products[ROWS_AT_ONCE][PANEL_VECTORS] = {0};
        int last = first + QUANT_GROUP < inputs ? first + QUANT_GROUP : inputs;
        for (int input = first; input < last; input += INT4_GROUP, multipliers += PANEL) {
            i32v group[ROWS_AT_ONCE][PANEL_VECTORS] = {0};
#pragma GCC unroll 4
            for (int word = 0; word < INT4_GROUP_WORDS; word++, words += 2 * PANEL) {
#pragma GCC unroll 4
                for (int pair = 0; pair < 4; pair++, pairs += rows->block_rows) {
                    i16v columns[PANEL_VECTORS];
                    for (int each = 0; each < PANEL_VECTORS; each++)
                        columns[each] = pair_vector_of(int4_pairs(words + 2 * each * LANES, pair));
#pragma GCC unroll 16
                    for (int each = 0; each < count; each++) {
                        i16v broadcast = broadcast_pair(pairs + each);
                        for (int vector = 0; vector < PANEL_VECTORS; vector++)
                            group[each][vector] = add_pair_products(
                                group[each][vector], columns[vector], broadcast);
                    }
                }
            }
#pragma GCC unroll 16
            for (int each = 0; each < count; each++)
                for (int vector = 0; vector < PANEL_VECTORS; vector++)
                    products[each][vector]
                        += group[each][vector] * load_i16_as_i32(multipliers + vector * LANES);
        }
#pragma GCC unroll 16
        for (int each = 0; each < count; each++)
            for (int vector = 0; vector < PANEL_VECTORS; vector++)
                sums[each][vector] += as_floats(products[each][vector])
                    * *row_scale(rows, row + each, first / QUANT_GROUP);
    }
}

/* sums[row] = panel · rows[row]. Clang keeps only numbers of this function's own in registers. */
INLINE void accumulate_float32(const int count, const int inputs, const DType weights,
                               const void *panel, const float *rows, size_t step,
                               f32v sums[ROWS_AT_ONCE][PANEL_VECTORS])
{
    f32v totals[ROWS_AT_ONCE][PANEL_VECTORS] = {0};
#pragma GCC unroll 4
    for (int k = 0; k < inputs; k++, rows += step) {
        f32v columns[PANEL_VECTORS];
        if (k * PANEL * DTYPE_BYTES[weights] % 64 == 0)
            prefetch((const char *)panel + k * PANEL * DTYPE_BYTES[weights]);
        for (int each = 0; each < PANEL_VECTORS; each++)
            columns[each] = load_weights(weights, panel, (size_t)k * PANEL + each * LANES);
#pragma GCC unroll 16
        for (int row = 0; row < count; row++)
            for (int each = 0; each < PANEL_VECTORS; each++)
                totals[row][each] += columns[each] * rows[row];
    }
    for (int row = 0; row < count; row++)
        for (int each = 0; each < PANEL_VECTORS; each++)
            sums[row][each] = totals[row][each];
}

#if defined(__AVX512BF16__)
INLINE __m512bh int8_to_bf16_pairs(const int8_t *panel)
{
    __m512 low = (__m512)load_i8_as_f32(panel), high = (__m512)load_i8_as_f32(panel + LANES);
    return _mm512_cvtne2ps_pbh(high, low);
}

INLINE void accumulate_bfloat16(int count, const Linear *layer, const void *panel,
                                const bf16 *rows, size_t step,
                                f32v sums[ROWS_AT_ONCE][PANEL_VECTORS])
{
    for (int k = 0; k < layer->inputs; k += 2, rows += 2 * step) {
        if (layer->weights != INT8 || k % 4 == 0)
            prefetch((const char *)panel + k * LANES * DTYPE_BYTES[layer->weights]);
        __m512bh weights = layer->weights == INT8
            ? int8_to_bf16_pairs((const int8_t *)panel + k * LANES)
            : (__m512bh)_mm512_load_si512((const bf16 *)panel + k * LANES);
#pragma GCC unroll 16
        for (int row = 0; row < count; row++) {
            int32_t pair;
            memcpy(&pair, rows + 2 * row, sizeof pair);
            sums[row][0] = (f32v)_mm512_dpbf16_ps((__m512)sums[row][0], weights,
                                                  (__m512bh)_mm512_set1_epi32(pair));
        }
    }
}

/* The same for weights of four bits, which bfloat16 holds exactly: sums of a group of inputs, times
   its multiplier. */
INLINE void accumulate_bfloat16_int4(int count, const Linear *layer, const void *panel,
                                     const bf16 *rows, size_t step,
                                     f32v sums[ROWS_AT_ONCE][PANEL_VECTORS])
{
    const int16_t *multipliers = panel, *words = int4_words(panel, layer->inputs);
    for (int input = 0; input < layer->inputs; input += INT4_GROUP, multipliers += PANEL) {
        f32v group[ROWS_AT_ONCE] = {0}, multiplier = as_floats(load_i16_as_i32(multipliers));
        for (int word = 0; word < INT4_GROUP_WORDS; word++, words += 2 * PANEL) {
#pragma GCC unroll 4
            for (int pair = 0; pair < 4; pair++, rows += 2 * step) {
                i32v numbers = (i32v)int4_pairs(words, pair);
                i32v low = (i32v)as_floats(numbers << 16 >> 16), high = (i32v)as_floats(numbers >> 16);
                __m512bh weights = (__m512bh)((low >> 16 & 0xFFFF) | high);
#pragma GCC unroll 16
                for (int row = 0; row < count; row++) {
                    int32_t both;
                    memcpy(&both, rows + 2 * row, sizeof both);
                    group[row] = (f32v)_mm512_dpbf16_ps((__m512)group[row], weights,
                                                        (__m512bh)_mm512_set1_epi32(both));
                }
            }
        }
#pragma GCC unroll 16
        for (int row = 0; row < count; row++)
            sums[row][0] += group[row] * multiplier;
    }
}
#endif

INLINE void apply_epilogue(const MatMul *matmul, int row, int output, f32v value)
{
    const Linear *layer = matmul->layer;
    int left = layer->outputs - output;
    if (layer->scales)
        value *= load(layer->scales + output);
    value += load(layer->bias + output);
    if (matmul->epilogue == GELU) {
        value = gelu(value);
        pack_row(matmul->gelu_output, row, output, (const float *)&value,
                 left < LANES ? left : LANES);
        return;
    }
    float *to = matmul->output + (size_t)row * layer->outputs + output;
    if (left >= LANES) {
        store(to, matmul->epilogue == ADD ? value + load(to) : value);
        return;
    }
    for (int lane = 0; lane < left; lane++)
        to[lane] = matmul->epilogue == ADD ? to[lane] + value[lane] : value[lane];
}

INLINE void multiply_rows(const MatMul *matmul, const int count, int row, int output,
                          const void *panel)
{
    const PackedRows *rows = matmul->rows;
    const Linear *layer = matmul->layer;
    const void *first = (const char *)rows->values
        + packed_index(rows, row, 0) * DTYPE_BYTES[rows->dtype];
    size_t step = rows->block_rows;
    f32v sums[ROWS_AT_ONCE][PANEL_VECTORS] = {0};
#if defined(__AVX512BF16__)
    if (rows->dtype == BFLOAT16 && layer->weights == INT4)
        accumulate_bfloat16_int4(count, layer, panel, first, step, sums);
    else if (rows->dtype == BFLOAT16)
        accumulate_bfloat16(count, layer, panel, first, step, sums);
    else
#endif
    if (rows->dtype == INT16 && layer->weights == INT4)
        accumulate_int4(count, matmul, panel, row, sums);
    else if (rows->dtype == INT16 && layer->weights == INT8)
        accumulate_int16(count, matmul, INT8, panel, row, sums);
    else if (rows->dtype == INT16)
        accumulate_int16(count, matmul, INT16, panel, row, sums);
    else if (layer->weights == FLOAT16)
        accumulate_float32(count, layer->inputs, FLOAT16, panel, first, step, sums);
    else
        accumulate_float32(count, layer->inputs, FLOAT32, panel, first, step, sums);
#pragma GCC unroll 16
    for (int each = 0; each < count; each++)
        for (int vector = 0; vector < PANEL_VECTORS; vector++)
            if (output + vector * LANES < layer->outputs)
                apply_epilogue(matmul, row + each, output + vector * LANES, sums[each][vector]);
}

/* One block of rows by one panel. The number of rows is a constant in each call, so that sums stay
   in registers. */
static void multiply_block(const MatMul *matmul, int row, int end, int output, const void *panel)
{
#if LANES == 16
    for (; row + 16 <= end; row += 16)
        multiply_rows(matmul, 16, row, output, panel);
    for (; row + 8 <= end; row += 8)
        multiply_rows(matmul, 8, row, output, panel);
#endif
    for (; row + 4 <= end; row += 4)
        multiply_rows(matmul, 4, row, output, panel);
    for (; row + 2 <= end; row += 2)
        multiply_rows(matmul, 2, row, output, panel);
    for (; row < end; row++)
        multiply_rows(matmul, 1, row, output, panel);
}

static void multiply_panel(const MatMul *matmul, int index)
{
    const void *panel = (const char *)matmul->layer->panels + index * panel_bytes(matmul->layer);
    int count = matmul->rows->count, block = matmul->rows->block_rows;
    for (int row = 0; row < count; row += block)
        multiply_block(matmul, row, row + block < count ? row + block : count,
                       index * PANEL, panel);
}

/* One thread's part of a product: threads take panels, some at a time, until none is left. */
static void multiply(ThreadPool *pool, const MatMul *matmul)
{
    int panels = panel_count(matmul->layer);
    int chunk = panels / (pool->threads * 8) + 1;
    for (int first; (first = thread_pool_next_task(pool) * chunk) < panels;)
        for (int index = first; index < first + chunk && index < panels; index++)
            multiply_panel(matmul, index);
}

#endif
