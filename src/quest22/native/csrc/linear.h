/* Linear layers: weights packed in panels of PANEL outputs.

   A panel holds, for each input, its weights of all outputs side by side. Where activations are
   bfloat16 or int16 it holds them for each pair of inputs, the layout of VDPBF16PS and VPMADDWD;
   where they are int8, for each four (VPDPBUSD, SDOT). Weights of four bits are packed as int4.h says.
   few_rows.h multiplies few rows, where memory is the limit, and gemm.h many, where arithmetic is. */
#ifndef QUEST22_LINEAR_H
#define QUEST22_LINEAR_H

#include <stdlib.h>
#include <sys/mman.h>

#include "int16.h"
#include "int4.h"
#include "simd.h"
#include "status.h"

typedef enum DType { FLOAT32 = 0, BFLOAT16 = 1, INT8 = 2, INT16 = 3, FLOAT16 = 4, INT4 = 5 } DType;

static const size_t DTYPE_BYTES[] = {4, 2, 1, 2, 2}; /* int4_panel_bytes has those of INT4 */

static inline bool is_dtype(int64_t number) { return number >= FLOAT32 && number <= INT4; }

typedef struct Linear {
    int outputs, inputs; /* inputs are rounded up to whole pairs or fours */
    DType weights, activations;
    void *panels;
    float *scales; /* of weights of integers, by output; else NULL */
    float *bias;
    int32_t *offsets; /* for int8 activations, by group and output: -QUAD_OFFSET times the sum of weights */
} Linear;

static inline int panel_count(const Linear *layer) { return (layer->outputs + PANEL - 1) / PANEL; }

static inline size_t panel_bytes(const Linear *layer)
{
    return layer->weights == INT4 ? int4_panel_bytes(layer->inputs)
                                  : (size_t)layer->inputs * PANEL * DTYPE_BYTES[layer->weights];
}

enum { HUGE_PAGE = 1 << 21 };

/* What is large gets huge pages where the system has them: weights that are read in order for a
   single row then come a fifth faster. */
static void *alloc_aligned(size_t bytes)
{
    size_t alignment = bytes < 2 * HUGE_PAGE ? 64 : HUGE_PAGE;
    size_t whole = (bytes + alignment - 1) / alignment * alignment;
    void *memory = aligned_alloc(alignment, whole);
#if defined(MADV_HUGEPAGE)
    if (memory && alignment == HUGE_PAGE)
        madvise(memory, whole, MADV_HUGEPAGE);
#endif
    return memory;
}

static void linear_free(Linear *layer)
{
    free(layer->panels);
    free(layer->scales);
    free(layer->bias);
    free(layer->offsets);
    *layer = (Linear){0};
}

/* How many inputs an instruction multiplies in one lane. */
static inline int inputs_per_lane(DType activations)
{
    return activations == FLOAT32 ? 1 : activations == INT8 ? 4 : 2;
}

static inline bool is_scaled(DType weights)
{
    return weights == INT8 || weights == INT16 || weights == INT4;
}

static inline int group_count(const Linear *layer)
{
    return (layer->inputs + QUANT_GROUP - 1) / QUANT_GROUP;
}

/* Allocates a layer whose weights and biases are all zero. Inputs of INT4 are whole groups. */
static bool linear_init(Linear *layer, int outputs, int inputs, DType weights, DType activations)
{
    linear_free(layer);
    layer->activations = activations;
    layer->outputs = outputs;
    int multiple = activations == INT8 ? 4 : 2;
    layer->inputs = (inputs + multiple - 1) / multiple * multiple;
    layer->weights = weights;
    size_t bytes = panel_count(layer) * panel_bytes(layer);
    size_t floats = (size_t)panel_count(layer) * PANEL * sizeof(float);
    layer->panels = alloc_aligned(bytes);
    layer->bias = alloc_aligned(floats);
    layer->scales = is_scaled(weights) ? alloc_aligned(floats) : NULL;
    layer->offsets = activations == INT8 ? calloc(group_count(layer), floats) : NULL;
    if (!layer->panels || !layer->bias || (is_scaled(weights) && !layer->scales)
        || (activations == INT8 && !layer->offsets))
        return false;
    memset(layer->panels, 0, bytes);
    memset(layer->bias, 0, floats);
    if (layer->scales)
        memset(layer->scales, 0, floats);
    return true;
}

/* Index of a weight within its panel. */
static inline size_t weight_index(const Linear *layer, int column, int input)
{
    int per_lane = inputs_per_lane(layer->activations);
    return (size_t)(input / per_lane * PANEL + column) * per_lane + input % per_lane;
}

/* Symmetric int8 with one scale for each output; rounds as quantize_rows in Python does. */
static void quantize_weight_row(Linear *layer, int8_t *panel, int output, const float *row,
                                int inputs)
{
    float max = 0;
    for (int k = 0; k < inputs; k++)
        max = fmaxf(max, fabsf(row[k]));
    float scale = max > 0 ? max / 127.0f : 1.0f;
    layer->scales[output] = scale;
    int32_t *offsets = layer->offsets ? layer->offsets + output : NULL;
    for (int k = 0; k < inputs; k++) {
        int8_t rounded = (int8_t)nearbyintf(row[k] / scale);
        panel[weight_index(layer, output % PANEL, k)] = rounded;
        if (offsets)
            offsets[k / QUANT_GROUP * panel_count(layer) * PANEL] -= QUAD_OFFSET * rounded;
    }
}

/* Symmetric int16 with one scale for each output. */
static void quantize_weight_row_int16(Linear *layer, int16_t *panel, int output, const float *row,
                                      int inputs)
{
    float max = 0, max_sum = 0;
    for (int first = 0; first < inputs; first += QUANT_GROUP) {
        float sum = 0;
        for (int k = first; k < inputs && k < first + QUANT_GROUP; k++) {
            max = fmaxf(max, fabsf(row[k]));
            sum += fabsf(row[k]);
        }
        max_sum = fmaxf(max_sum, sum);
    }
    float most = INT16_WEIGHT_SUM - QUANT_GROUP; /* rounding adds up to half a QUANT_GROUP */
    float scale = max > 0 ? fmaxf(max / 32767.0f, max_sum / most) : 1.0f;
    layer->scales[output] = scale;
    for (int k = 0; k < inputs; k++)
        panel[weight_index(layer, output % PANEL, k)] = (int16_t)nearbyintf(row[k] / scale);
}

/* Packs weights [count, inputs], times factor, for the outputs from first on. */
static void pack_weights(Linear *layer, int first, int count, const float *weights, int inputs,
                         float factor, float *row)
{
    for (int output = first; output < first + count; output++) {
        const float *source = weights + (size_t)(output - first) * inputs;
        char *panel = (char *)layer->panels + output / PANEL * panel_bytes(layer);
        for (int k = 0; k < inputs; k++)
            row[k] = source[k] * factor;
        if (layer->weights == INT8)
            quantize_weight_row(layer, (int8_t *)panel, output, row, inputs);
        if (layer->weights == INT16)
            quantize_weight_row_int16(layer, (int16_t *)panel, output, row, inputs);
        if (layer->weights == INT4)
            layer->scales[output] = int4_pack_row(panel, output % PANEL, row, inputs);
        for (int k = 0; k < inputs && !is_scaled(layer->weights); k++) {
            size_t at = weight_index(layer, output % PANEL, k);
            if (layer->weights == FLOAT32)
                ((float *)panel)[at] = row[k];
            else if (layer->weights == FLOAT16)
                ((f16 *)panel)[at] = to_f16(row[k]);
            else
                ((bf16 *)panel)[at] = to_bf16(row[k]);
        }
    }
}

/* Some of a layer's outputs as a checkpoint has them. */
typedef struct LinearWeights {
    int64_t first, count, inputs;
    const float *weights; /* [count, inputs] */
    const float *bias;    /* [count], or NULL for none */
    float factor;         /* of both */
} LinearWeights;

static Status linear_set(Linear *layer, const LinearWeights *given)
{
    if (!layer || !given->weights || given->inputs != layer->inputs || given->first < 0
        || given->first > layer->outputs || given->count < 1
        || given->count > layer->outputs - given->first)
        return BAD_ARGUMENT;
    float *row = malloc(layer->inputs * sizeof *row);
    if (!row)
        return NO_MEMORY;
    pack_weights(layer, given->first, given->count, given->weights, layer->inputs, given->factor,
                 row);
    for (int each = 0; given->bias && each < given->count; each++)
        layer->bias[given->first + each] = given->bias[each] * given->factor;
    free(row);
    return OK;
}

/* Stores float32 weights as float16 if that holds all of them exactly, as it does those that were
   trained or published in float16. Products are the same to the last bit and read half the bytes. */
static Status linear_compact(Linear *layer)
{
    if (layer->weights != FLOAT32)
        return OK;
    size_t count = panel_count(layer) * panel_bytes(layer) / sizeof(float);
    const float *weights = layer->panels;
    f16 *compact = alloc_aligned(count * sizeof *compact);
    bool exact = true;
    if (!compact)
        return NO_MEMORY;
    for (size_t at = 0; at < count && exact; at += LANES) {
        f32v value = load(weights + at);
        store_as_f16(compact + at, value);
        i32v differs = load_f16_as_f32(compact + at) != value;
        exact = reduce_add_i32(differs) == 0;
    }
    if (exact) {
        free(layer->panels);
        layer->panels = compact;
        layer->weights = FLOAT16;
    } else {
        free(compact);
    }
    return OK;
}

/* What happens to sums before they leave registers: stored, added to the output, or GELU. */
typedef enum Epilogue { STORE, ADD, GELU } Epilogue;

#endif
