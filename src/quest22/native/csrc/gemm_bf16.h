/* Products of bfloat16 pairs (VDPBF16PS) and of int8 fours (VPDPBUSD); included by gemm.h. */
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

/* MR outputs of a bfloat16 layer for all frames of a tile. */
INLINE void gemm_bf16(const int panels, const GemmCall *call, int output, int first_panel)
{
    const Linear *layer = call->layer;
    size_t step = (size_t)layer->inputs / 2 * LANES;
    const Pair *panel = (const Pair *)layer->panels + output / LANES * step;
    const Pair *right = call->right->pairs + first_panel * step;
    f32v sums[MR][NR_PANELS];
    for (int row = 0; row < MR; row++)
        for (int each = 0; each < panels; each++)
            sums[row][each] = splat(layer->bias[output + row]);
    kernel_bf16(panels, (BroadcastRows){panel + output % LANES, 1, LANES}, right, step,
                layer->inputs / 2, sums);
    store_outputs(panels, call, output, first_panel, sums);
}

/* Sums + a · b in fours. Not the intrinsic, with which GCC 12 moves sums about at every step. */
INLINE __m512i dpbusd(__m512i sums, __m512i a, __m512i b)
{
#if defined(QUEST22_EMULATED)
    return _mm512_dpbusd_epi32(sums, a, b);
#else
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(a), "v"(b));
    return sums;
#endif
}

/* sums[row][panel] += left[row] · right[panel] over count fours, exactly. */
INLINE void kernel_int8(const int panels, const Quad *left, const Quad *right, size_t step,
                        int count, __m512i sums[MR][NR_PANELS])
{
    for (int k = 0; k < count; k++, right += LANES, left += LANES) {
        __m512i columns[NR_PANELS];
        prefetch(left);
        for (int panel = 0; panel < panels; panel++)
            columns[panel] = _mm512_loadu_si512(right + panel * step);
#pragma GCC unroll 8
        for (int row = 0; row < MR; row++) {
            __m512i quad = _mm512_set1_epi32((int)left[row]);
#pragma GCC unroll 3
            for (int panel = 0; panel < panels; panel++)
                sums[row][panel] = dpbusd(sums[row][panel], columns[panel], quad);
        }
    }
}

/* The same for an int8 layer: integer sums, group by group, times the frames' scales. */
INLINE void gemm_int8(const int panels, const GemmCall *call, int output, int first_panel)
{
    const Linear *layer = call->layer;
    const PackedTile *right = call->right;
    size_t step = (size_t)layer->inputs / 4 * LANES;
    int groups = group_count(layer), outputs = panel_count(layer) * LANES;
    const Quad *left = (const Quad *)layer->panels + output / LANES * step + output % LANES;
    f32v sums[MR][NR_PANELS] = {0};
    for (int group = 0; group < groups; group++) {
        int first = group * QUANT_GROUP / 4, count = layer->inputs / 4 - first;
        const int32_t *offsets = layer->offsets + (size_t)group * outputs + output;
        __m512i group_sums[MR][NR_PANELS];
        for (int row = 0; row < MR; row++)
            for (int each = 0; each < panels; each++)
                group_sums[row][each] = _mm512_set1_epi32(offsets[row]);
        kernel_int8(panels, left + first * LANES,
                    right->quads + first_panel * step + first * LANES, step,
                    count < QUANT_GROUP / 4 ? count : QUANT_GROUP / 4, group_sums);
        for (int each = 0; each < panels; each++) {
            f32v scale = load(right->scales + ((size_t)(first_panel + each) * groups + group) * LANES);
            for (int row = 0; row < MR; row++)
                sums[row][each] += (f32v)_mm512_cvtepi32_ps(group_sums[row][each]) * scale;
        }
    }
    for (int row = 0; row < MR; row++)
        for (int each = 0; each < panels; each++)
            sums[row][each] = sums[row][each] * layer->scales[output + row]
                + layer->bias[output + row];
    store_outputs(panels, call, output, first_panel, sums);
}

INLINE void gemm_outputs(const int panels, const GemmCall *call, int output, int panel)
{
    if (call->layer->activations == INT8)
        gemm_int8(panels, call, output, panel);
    else
        gemm_bf16(panels, call, output, panel);
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

/* Up to QUANT_GROUP channels of a panel to int8; the scale is NaN where one is not finite. */
INLINE void quantize_group(const Pair *pairs, int channels, Quad *quads, float *scales)
{
    f32v max = {0}, zero = {0};
    for (int channel = 0; channel < channels; channel += 2) {
        const Pair *pair = pairs + channel / 2 * LANES;
        f32v first = even_channels(pair), second = odd_channels(pair);
        max = (f32v)_mm512_max_ps(_mm512_abs_ps((__m512)first), (__m512)max);
        max = (f32v)_mm512_max_ps(_mm512_abs_ps((__m512)second), (__m512)max);
        zero += (first + second) * 0.0f;
    }
    store(scales, max * (1.0f / 127.0f) + zero);
    f32v factor = 127.0f / maximum(max, splat(1e-30f));
    for (int channel = 0; channel < channels; channel += 4, quads += LANES) {
        const Pair *pair = pairs + channel / 2 * LANES;
        __m512i quad = _mm512_set1_epi32((int)0x80808080);
        f32v four[] = {even_channels(pair), odd_channels(pair), even_channels(pair + LANES),
                         odd_channels(pair + LANES)};
#pragma GCC unroll 4
        for (int each = 0; each < 4; each++) {
            __m512i rounded = _mm512_cvtps_epi32((__m512)(four[each] * factor));
            __m512i byte = _mm512_slli_epi32(_mm512_and_si512(rounded, _mm512_set1_epi32(255)),
                                             8 * each);
            quad = _mm512_xor_si512(quad, byte);
        }
        _mm512_storeu_si512(quads, quad);
    }
}

/* Fills in the int8 fours of a tile from its pairs. */
static void quantize_tile(const PackedTile *tile, int channels, int panels)
{
    int groups = (channels + QUANT_GROUP - 1) / QUANT_GROUP;
    for (int panel = 0; panel < panels; panel++)
        for (int group = 0; group < groups; group++) {
            size_t first = (size_t)panel * channels + group * QUANT_GROUP;
            int left = channels - group * QUANT_GROUP;
            quantize_group(tile->pairs + first / 2 * LANES,
                           left < QUANT_GROUP ? left : QUANT_GROUP,
                           tile->quads + first / 4 * LANES,
                           tile->scales + ((size_t)panel * groups + group) * LANES);
        }
}

#endif
