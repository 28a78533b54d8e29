/* Linear layers: weights arranged in panels of sixteen outputs, and their products with rows.

   A panel holds, for each input, its sixteen weights side by side; where the rows are bfloat16, for
   each pair of inputs, as the processor's pairwise products want them (int8: four). So weights are
   read once, in order, whatever the number of rows, and serve up to ROWS rows at once. */
#ifndef QUEST22_LINEAR_H
#define QUEST22_LINEAR_H

#include "team.h"
#include "vectors.h"

enum { ROWS = 16 };

typedef enum Element { FLOAT32 = 0, BFLOAT16 = 1, INT8 = 2, INT16 = 3 } Element;

static const size_t ELEMENT_BYTES[] = {4, 2, 1, 2};

/* Rows of int8 have a scale for so many inputs at a time. */
enum { GROUP = 256 };

typedef struct Linear {
    int outputs, inputs; /* inputs: rounded up to what products take together */
    Element weights, rows; /* rows: what is multiplied with, float32, bfloat16 or int8 */
    void *panels;
    float *scales; /* of int8 weights, by output; else none */
    float *bias;
    int32_t *offsets; /* beside rows of int8, by group and output: -128 times the sum of weights */
} Linear;

static inline int panels_of(const Linear *layer) { return (layer->outputs + LANES - 1) / LANES; }

static inline size_t panel_bytes(const Linear *layer)
{
    return (size_t)layer->inputs * LANES * ELEMENT_BYTES[layer->weights];
}

static void *aligned(size_t bytes) { return aligned_alloc(64, (bytes + 63) / 64 * 64); }

static void linear_free(Linear *layer)
{
    free(layer->panels);
    free(layer->scales);
    free(layer->bias);
    free(layer->offsets);
    *layer = (Linear){0};
}

static inline int inputs_together(Element rows)
{
    return rows == FLOAT32 ? 1 : rows == INT8 ? 4 : 2;
}

static inline int groups_of(const Linear *layer) { return (layer->inputs + GROUP - 1) / GROUP; }

/* Room for a layer whose weights and biases are all zero. */
static bool linear_make(Linear *layer, int outputs, int inputs, Element weights, Element rows)
{
    linear_free(layer);
    layer->rows = rows;
    layer->outputs = outputs;
    int together = rows == INT8 ? 4 : 2;
    layer->inputs = (inputs + together - 1) / together * together;
    layer->weights = weights;
    size_t bytes = panels_of(layer) * panel_bytes(layer);
    size_t floats = (size_t)panels_of(layer) * LANES * sizeof(float);
    layer->panels = aligned(bytes);
    layer->bias = aligned(floats);
    layer->scales = weights == INT8 ? aligned(floats) : NULL;
    layer->offsets = rows == INT8 ? calloc(groups_of(layer), floats) : NULL;
    if (!layer->panels || !layer->bias || (weights == INT8 && !layer->scales)
        || (rows == INT8 && !layer->offsets))
        return false;
    memset(layer->panels, 0, bytes);
    memset(layer->bias, 0, floats);
    if (layer->scales)
        memset(layer->scales, 0, floats);
    return true;
}

/* The place of a weight within its panel. */
static inline size_t place(const Linear *layer, int lane, int input)
{
    int together = inputs_together(layer->rows);
    return (size_t)(input / together * LANES + lane) * together + input % together;
}

/* Symmetric int8 with one scale an output: the same rounding as quantize_rows in Python. */
static void put_int8(Linear *layer, int8_t *panel, int output, const float *row, int inputs)
{
    float most = 0;
    for (int k = 0; k < inputs; k++)
        most = fmaxf(most, fabsf(row[k]));
    float scale = most > 0 ? most / 127.0f : 1.0f;
    layer->scales[output] = scale;
    int32_t *offsets = layer->offsets ? layer->offsets + output : NULL;
    for (int k = 0; k < inputs; k++) {
        int8_t rounded = (int8_t)nearbyintf(row[k] / scale);
        panel[place(layer, output % LANES, k)] = rounded;
        if (offsets)
            offsets[k / GROUP * panels_of(layer) * LANES] -= 128 * rounded;
    }
}

/* Puts weights [count, inputs], times factor, at the outputs from first on. */
static void linear_put(Linear *layer, int first, int count, const float *weights, int inputs,
                       float factor, float *row)
{
    for (int output = first; output < first + count; output++) {
        const float *given = weights + (size_t)(output - first) * inputs;
        char *panel = (char *)layer->panels + output / LANES * panel_bytes(layer);
        for (int k = 0; k < inputs; k++)
            row[k] = given[k] * factor;
        if (layer->weights == INT8)
            put_int8(layer, (int8_t *)panel, output, row, inputs);
        for (int k = 0; k < inputs && layer->weights != INT8; k++) {
            size_t at = place(layer, output % LANES, k);
            if (layer->weights == FLOAT32)
                ((float *)panel)[at] = row[k];
            else
                ((bf16 *)panel)[at] = to_bf16(row[k]);
        }
    }
}

/* Weights [count, inputs] and biases [count] (or NULL), times factor, for outputs from first on. */
EXPORT int quest22_put_linear(Linear *layer, int first, int count, const float *weights,
                              const float *bias, float factor)
{
    float *row = malloc(layer->inputs * sizeof *row);
    if (!row)
        return -1;
    linear_put(layer, first, count, weights, layer->inputs, factor, row);
    for (int each = 0; bias && each < count; each++)
        layer->bias[first + each] = bias[each] * factor;
    free(row);
    return 0;
}

/* What becomes of the products: stored, added to what is there, or put through GELU. */
typedef enum Then { STORE, ADD, GELU } Then;

/* Rows as products read them: block by block of `together` rows, all rows' numbers for an input (or a
   pair of inputs) side by side. */
typedef struct Rows {
    void *values;
    int count, together, width;
    Element element;
} Rows;

static inline size_t row_place(const Rows *rows, int row, int input)
{
    size_t block = (size_t)(row / rows->together) * rows->together * rows->width;
    size_t lane = row % rows->together;
    if (rows->element == FLOAT32)
        return block + (size_t)input * rows->together + lane;
    return block + (size_t)(input / 2) * 2 * rows->together + 2 * lane + input % 2;
}

/* Numbers [size] of one row, from its input `first` on; first and size are even. */
INLINE void put_row(const Rows *rows, int row, int first, const float *values, int size)
{
    size_t at = row_place(rows, row, first), step = rows->together;
    if (rows->element == FLOAT32)
        for (int each = 0; each < size; each++)
            ((float *)rows->values)[at + each * step] = values[each];
    else
        for (int each = 0; each < size; each += 2) {
            bf16 *to = (bf16 *)rows->values + at + each * step;
            to[0] = to_bf16(values[each]);
            to[1] = to_bf16(values[each + 1]);
        }
}

typedef struct Product {
    const Linear *layer;
    const Rows *rows;
    Then then;
    float *to;       /* [rows, outputs], stored or added to */
    const Rows *put; /* where GELU's results go */
} Product;

/* Adds to each of the sums the products of a panel and one of the rows. */
INLINE void multiply_float32(int count, const Linear *layer, const void *panel, const float *rows,
                             size_t step, f32x16 *sums)
{
    for (int k = 0; k < layer->inputs; k++, rows += step) {
        if (layer->weights != INT8 || k % 4 == 0)
            foresee((const char *)panel + k * LANES * ELEMENT_BYTES[layer->weights]);
        f32x16 weights = layer->weights == INT8 ? widen_i8((const int8_t *)panel + k * LANES)
                                                : load((const float *)panel + k * LANES);
#pragma GCC unroll 16
        for (int row = 0; row < count; row++)
            sums[row] += weights * rows[row];
    }
}

#if defined(__AVX512BF16__)
INLINE __m512bh pairs_of_int8(const int8_t *panel)
{
    __m512 low = (__m512)widen_i8(panel), high = (__m512)widen_i8(panel + LANES);
    return _mm512_cvtne2ps_pbh(high, low);
}

INLINE void multiply_bfloat16(int count, const Linear *layer, const void *panel, const bf16 *rows,
                              size_t step, f32x16 *sums)
{
    for (int k = 0; k < layer->inputs; k += 2, rows += 2 * step) {
        if (layer->weights != INT8 || k % 4 == 0)
            foresee((const char *)panel + k * LANES * ELEMENT_BYTES[layer->weights]);
        __m512bh weights = layer->weights == INT8
            ? pairs_of_int8((const int8_t *)panel + k * LANES)
            : (__m512bh)_mm512_load_si512((const bf16 *)panel + k * LANES);
#pragma GCC unroll 16
        for (int row = 0; row < count; row++) {
            int32_t pair;
            memcpy(&pair, rows + 2 * row, sizeof pair);
            sums[row] = (f32x16)_mm512_dpbf16_ps((__m512)sums[row], weights,
                                                 (__m512bh)_mm512_set1_epi32(pair));
        }
    }
}
#endif

INLINE void finish(const Product *product, int row, int output, f32x16 value)
{
    const Linear *layer = product->layer;
    int left = layer->outputs - output;
    if (layer->scales)
        value *= load(layer->scales + output);
    value += load(layer->bias + output);
    if (product->then == GELU) {
        value = gelu(value);
        put_row(product->put, row, output, (const float *)&value, left < LANES ? left : LANES);
        return;
    }
    float *to = product->to + (size_t)row * layer->outputs + output;
    if (left >= LANES) {
        store(to, product->then == ADD ? value + load(to) : value);
        return;
    }
    for (int lane = 0; lane < left; lane++)
        to[lane] = product->then == ADD ? to[lane] + value[lane] : value[lane];
}

INLINE void multiply_rows(const Product *product, int count, int row, int output,
                          const void *panel)
{
    const Rows *rows = product->rows;
    size_t first = row_place(rows, row, 0);
    f32x16 sums[ROWS] = {0};
#if defined(__AVX512BF16__)
    if (rows->element == BFLOAT16)
        multiply_bfloat16(count, product->layer, panel, (const bf16 *)rows->values + first,
                          rows->together, sums);
    else
#endif
        multiply_float32(count, product->layer, panel, (const float *)rows->values + first,
                         rows->together, sums);
#pragma GCC unroll 16
    for (int each = 0; each < count; each++)
        finish(product, row + each, output, sums[each]);
}

/* One block of rows by one panel. How many rows at once is a constant, so that sums are registers. */
static void multiply_block(const Product *product, int row, int end, int output, const void *panel)
{
    for (; row + 16 <= end; row += 16)
        multiply_rows(product, 16, row, output, panel);
    for (; row + 8 <= end; row += 8)
        multiply_rows(product, 8, row, output, panel);
    for (; row + 4 <= end; row += 4)
        multiply_rows(product, 4, row, output, panel);
    for (; row + 2 <= end; row += 2)
        multiply_rows(product, 2, row, output, panel);
    for (; row < end; row++)
        multiply_rows(product, 1, row, output, panel);
}

static void multiply_panel(const Product *product, int index)
{
    const void *panel = (const char *)product->layer->panels + index * panel_bytes(product->layer);
    int count = product->rows->count, together = product->rows->together;
    for (int row = 0; row < count; row += together)
        multiply_block(product, row, row + together < count ? row + together : count,
                       index * LANES, panel);
}

/* One thread's part of a product; panels are taken in turn, some at a time. */
static void multiply(Team *team, const Product *product)
{
    int panels = panels_of(product->layer);
    int share = panels / (team->threads * 8) + 1;
    for (int first; (first = team_take(team) * share) < panels;)
        for (int index = first; index < first + share && index < panels; index++)
            multiply_panel(product, index);
}

#endif
