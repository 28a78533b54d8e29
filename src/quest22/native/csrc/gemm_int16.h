/* Products of int16 pairs; included by gemm.h. Frames have a scale for each group of channels. */
#ifndef QUEST22_GEMM_INT16_H
#define QUEST22_GEMM_INT16_H

/* sums[row][panel] += left[row] · right[panel] over count pairs; panels lie `step` pairs apart. */
INLINE void kernel_int16(const int panels, BroadcastRows left, const Pair *right, size_t step,
                         int count, i32v sums[MR][NR_PANELS])
{
#pragma GCC unroll 4 /* without, counting takes a sixth of the time */
    for (int k = 0; k < count; k++, right += LANES, left.pairs += left.pair_step) {
        i16v columns[NR_PANELS];
#pragma GCC unroll 4
        for (int panel = 0; panel < panels; panel++)
            memcpy(&columns[panel], right + panel * step, sizeof columns[panel]);
#pragma GCC unroll 8
        for (int row = 0; row < MR; row++) {
            i16v pair = broadcast_pair(left.pairs + row * left.row_step);
#pragma GCC unroll 4
            for (int panel = 0; panel < panels; panel++)
                sums[row][panel] = add_pair_products(sums[row][panel], columns[panel], pair);
        }
    }
}

INLINE void store_widened(Pair *to, i16v weights) { memcpy(to, &weights, sizeof weights); }

/* MR outputs of a layer for some panels of a tile: integer sums, group by group, times the frames'
   scales. */
INLINE void gemm_int16(const int panels, const GemmCall *call, int output, int panel)
{
    const Linear *layer = call->layer;
    const PackedTile *right = call->right;
    size_t step = (size_t)layer->inputs / 2 * LANES;
    int groups = group_count(layer);
    const Pair *left = (const Pair *)call->panels
        + (output - call->first) / PANEL * (layer->inputs / 2 * PANEL) + output % PANEL;
    f32v sums[MR][NR_PANELS] = {0};
    for (int group = 0; group < groups; group++) {
        int first = group * QUANT_GROUP / 2, count = layer->inputs / 2 - first;
        i32v group_sums[MR][NR_PANELS] = {0};
        kernel_int16(panels, (BroadcastRows){left + first * PANEL, 1, PANEL},
                     right->pairs + panel * step + first * LANES, step,
                     count < QUANT_GROUP / 2 ? count : QUANT_GROUP / 2, group_sums);
        add_group_sums(panels, call, group, panel, group_sums, sums);
    }
    scale_outputs(panels, layer, output, sums);
    store_outputs(panels, call, output, panel, sums);
}

INLINE void store_pairs(Pair *to, f32v first, f32v second)
{
    store_pair_vector(to, first, second);
}

/* Two channels of a panel, the first of them even. */
INLINE void put_in_tile(const PackedTile *tile, int channels, int panel, int channel, f32v first,
                        f32v second)
{
    float *to = tile->values + ((size_t)panel * channels + channel) * LANES;
    store(to, first);
    store(to + LANES, second);
}

/* Fills in the int16 pairs of some panels from their values. */
static void quantize_tile_int16(const PackedTile *tile, int channels, int panels)
{
    int groups = (channels + QUANT_GROUP - 1) / QUANT_GROUP;
    for (int panel = 0; panel < panels; panel++)
        for (int group = 0; group < groups; group++) {
            size_t first = (size_t)panel * channels + group * QUANT_GROUP;
            int left = channels - group * QUANT_GROUP;
            int count = left < QUANT_GROUP ? left : QUANT_GROUP;
            const float *values = tile->values + first * LANES;
            f32v factor = int16_factor(values, count, LANES, INT16_ACTIVATION,
                                       tile->scales + ((size_t)panel * groups + group) * LANES);
            for (int channel = 0; channel < count; channel += 2, values += 2 * LANES)
                store_pairs(tile->pairs + (first + channel) / 2 * LANES, load(values) * factor,
                            load(values + LANES) * factor);
        }
}

#if HAS_QUAD_PRODUCTS

/* Channels of a panel of a tile, from `channel` on. */
INLINE void load_channels(const PackedTile *tile, size_t channel, f32v two[2])
{
    two[0] = load(tile->values + channel * LANES);
    two[1] = load(tile->values + (channel + 1) * LANES);
}

#include "gemm_int8.h"

#endif

INLINE void gemm_outputs(const int panels, const GemmCall *call, int output, int panel)
{
#if HAS_QUAD_PRODUCTS
    if (call->layer->activations == INT8) {
        gemm_int8(panels, call, output, panel);
        return;
    }
#endif
    gemm_int16(panels, call, output, panel);
}

/* Fills in what a layer of int8 or int16 reads of some panels of a tile. */
static void quantize_tile(const PackedTile *tile, int channels, int panels, DType dtype)
{
#if HAS_QUAD_PRODUCTS
    if (dtype == INT8) {
        quantize_tile_int8(tile, channels, panels);
        return;
    }
#endif
    (void)dtype;
    quantize_tile_int16(tile, channels, panels);
}

#endif
