/* Products of bfloat16 pairs (VDPBF16PS); included by gemm.h. */
#ifndef QUEST22_GEMM_BF16_H
#define QUEST22_GEMM_BF16_H

/* Sixteen bfloat16 pairs from two vectors; the first vector is the lower half of each pair. */
INLINE __m512i interleave_bf16(f32v first, f32v second)
{
    const __m512i order = _mm512_set_epi16(
        31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,
        23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    __m512i both = (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
    return _mm512_permutexvar_epi16(order, both);
}

INLINE void store_pairs(Pair *to, f32v first, f32v second)
{
    _mm512_storeu_si512(to, interleave_bf16(first, second));
}

/* Two channels of a panel, the first of them even. */
INLINE void put_in_tile(const PackedTile *tile, int channels, int panel, int channel, f32v first,
                        f32v second)
{
    store_pairs(tile->pairs + ((size_t)panel * channels + channel) / 2 * LANES, first, second);
}

/* sums[row][panel] += left[row] · right[panel] over count pairs; panels lie `step` pairs apart. */
INLINE void kernel_bf16(const int panels, BroadcastRows left, const Pair *right, size_t step,
                        int count, f32v sums[MR][NR_PANELS])
{
    for (int k = 0; k < count; k++, right += LANES, left.pairs += left.pair_step) {
        __m512bh columns[NR_PANELS];
        prefetch(left.pairs);
        for (int panel = 0; panel < panels; panel++)
            columns[panel] = (__m512bh)_mm512_loadu_si512(right + panel * step);
#pragma GCC unroll 8
        for (int row = 0; row < MR; row++) {
            __m512bh pair = (__m512bh)_mm512_set1_epi32((int)left.pairs[row * left.row_step]);
#pragma GCC unroll 3
            for (int panel = 0; panel < panels; panel++)
                sums[row][panel] = (f32v)_mm512_dpbf16_ps((__m512)sums[row][panel], pair,
                                                            columns[panel]);
        }
    }
}

/* Weights of integers that a bfloat16 layer multiplies: exact in int8, rounded where int4 is widened. */
INLINE void store_widened(Pair *to, i16v weights)
{
    i32v pairs = (i32v)weights;
    store_pairs(to, as_floats(pairs << 16 >> 16), as_floats(pairs >> 16));
}

/* MR outputs of a bfloat16 layer for all frames of a tile. */
INLINE void gemm_bf16(const int panels, const GemmCall *call, int output, int first_panel)
{
    const Linear *layer = call->layer;
    size_t step = (size_t)layer->inputs / 2 * LANES;
    const Pair *panel = (const Pair *)call->panels + (output - call->first) / LANES * step;
    const Pair *right = call->right->pairs + first_panel * step;
    f32v sums[MR][NR_PANELS];
    for (int row = 0; row < MR; row++)
        for (int each = 0; each < panels; each++)
            sums[row][each] = splat(layer->scales ? 0 : layer->bias[output + row]);
    kernel_bf16(panels, (BroadcastRows){panel + output % LANES, 1, LANES}, right, step,
                layer->inputs / 2, sums);
    if (layer->scales)
        scale_outputs(panels, layer, output, sums);
    store_outputs(panels, call, output, first_panel, sums);
}

/* The even channels of sixteen pairs as float32. */
INLINE f32v even_channels(const Pair *pairs)
{
    return (f32v)_mm512_slli_epi32(_mm512_loadu_si512(pairs), 16);
}

INLINE f32v odd_channels(const Pair *pairs)
{
    return (f32v)_mm512_and_si512(_mm512_loadu_si512(pairs), _mm512_set1_epi32(0xFFFF0000));
}

/* Channels of a panel of a tile, from `channel` on, which is even. */
INLINE void load_channels(const PackedTile *tile, size_t channel, f32v two[2])
{
    two[0] = even_channels(tile->pairs + channel / 2 * LANES);
    two[1] = odd_channels(tile->pairs + channel / 2 * LANES);
}

#include "gemm_int8.h"

INLINE void gemm_outputs(const int panels, const GemmCall *call, int output, int panel)
{
    if (call->layer->activations == INT8)
        gemm_int8(panels, call, output, panel);
    else
        gemm_bf16(panels, call, output, panel);
}

/* Fills in what an int8 layer reads of some panels of a tile. */
static void quantize_tile(const PackedTile *tile, int channels, int panels, DType dtype)
{
    if (dtype == INT8)
        quantize_tile_int8(tile, channels, panels);
}

#endif
