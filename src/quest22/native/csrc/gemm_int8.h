/* Products of int8 fours; included by gemm_bf16.h and gemm_int16.h. Weights have a scale for each output,
   frames for each group of channels. */
#ifndef QUEST22_GEMM_INT8_H
#define QUEST22_GEMM_INT8_H

/* sums[row][panel] += left[row] · right[panel] over count fours, exactly. */
INLINE void kernel_int8(const int panels, const Quad *left, const Quad *right, size_t step,
                        int count, i32v sums[MR][NR_PANELS])
{
#pragma GCC unroll 4
    for (int k = 0; k < count; k++, right += LANES, left += PANEL) {
        i32v columns[NR_PANELS];
        prefetch(left);
#pragma GCC unroll 4
        for (int panel = 0; panel < panels; panel++)
            memcpy(&columns[panel], right + panel * step, sizeof columns[panel]);
#pragma GCC unroll 8
        for (int row = 0; row < MR; row++) {
            i32v quad = broadcast_quad(left + row);
#pragma GCC unroll 4
            for (int panel = 0; panel < panels; panel++)
                sums[row][panel] = add_quad_products(sums[row][panel], columns[panel], quad);
        }
    }
}

/* MR outputs of an int8 layer for some panels of a tile: integer sums, group by group, times the
   frames' scales. */
INLINE void gemm_int8(const int panels, const GemmCall *call, int output, int first_panel)
{
    const Linear *layer = call->layer;
    const PackedTile *right = call->right;
    size_t step = (size_t)layer->inputs / 4 * LANES;
    int groups = group_count(layer), outputs = panel_count(layer) * PANEL;
    const Quad *left = (const Quad *)layer->panels
        + (size_t)(output / PANEL) * (layer->inputs / 4 * PANEL) + output % PANEL;
    f32v sums[MR][NR_PANELS] = {0};
    for (int group = 0; group < groups; group++) {
        int first = group * QUANT_GROUP / 4, count = layer->inputs / 4 - first;
        const int32_t *offsets = layer->offsets + (size_t)group * outputs + output;
        i32v group_sums[MR][NR_PANELS];
        for (int row = 0; row < MR; row++)
            for (int each = 0; each < panels; each++)
                group_sums[row][each] = (i32v){0} + offsets[row];
        kernel_int8(panels, left + first * PANEL,
                    right->quads + first_panel * step + first * LANES, step,
                    count < QUANT_GROUP / 4 ? count : QUANT_GROUP / 4, group_sums);
        add_group_sums(panels, call, group, first_panel, group_sums, sums);
    }
    scale_outputs(panels, layer, output, sums);
    store_outputs(panels, call, output, first_panel, sums);
}

/* Up to QUANT_GROUP channels of a panel to int8; the scale is NaN where one is not finite. */
INLINE void quantize_group(const PackedTile *tile, size_t first, int channels, Quad *quads,
                           float *scales)
{
    f32v max = {0}, zero = {0};
    for (int channel = 0; channel < channels; channel += 2) {
        f32v two[2];
        load_channels(tile, first + channel, two);
        max = maximum((f32v)((i32v)two[0] & INT32_MAX), max);
        max = maximum((f32v)((i32v)two[1] & INT32_MAX), max);
        zero += (two[0] + two[1]) * 0.0f;
    }
    store(scales, max * (1.0f / 127.0f) + zero);
    f32v factor = 127.0f / maximum(max, splat(1e-30f));
    for (int channel = 0; channel < channels; channel += 4, quads += LANES) {
        i32v quad = (i32v){0} + (int32_t)(QUAD_OFFSET * 0x01010101u);
        f32v four[4];
        load_channels(tile, first + channel, four);
        load_channels(tile, first + channel + 2, four + 2);
#pragma GCC unroll 4
        for (int each = 0; each < 4; each++)
            quad ^= (round_to_i32(four[each] * factor) & 255) << 8 * each;
        memcpy(quads, &quad, sizeof quad);
    }
}

/* Fills in the int8 fours of some panels of a tile. */
static void quantize_tile_int8(const PackedTile *tile, int channels, int panels)
{
    int groups = (channels + QUANT_GROUP - 1) / QUANT_GROUP;
    for (int panel = 0; panel < panels; panel++)
        for (int group = 0; group < groups; group++) {
            size_t first = (size_t)panel * channels + group * QUANT_GROUP;
            int left = channels - group * QUANT_GROUP;
            quantize_group(tile, first, left < QUANT_GROUP ? left : QUANT_GROUP,
                           tile->quads + first / 4 * LANES,
                           tile->scales + ((size_t)panel * groups + group) * LANES);
        }
}

#endif
