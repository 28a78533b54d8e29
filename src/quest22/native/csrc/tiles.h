/* Products of many frames at a time: bound by arithmetic, where linear.h's are bound by memory.

   A tile is up to TILE frames of one window; vectors' lanes are its frames, side by side, so that
   normalisation, GELU, softmax and sums need nothing across lanes. Numbers to be multiplied are
   bfloat16 in pairs: for each pair of channels sixteen frames' pairs, 64 bytes; or int8 in quads of
   channels. What multiplies them is read pair by pair, quad by quad, and goes to all lanes. */
#ifndef QUEST22_TILES_H
#define QUEST22_TILES_H

#include "linear.h"

#if defined(__AVX512BF16__)

enum { PANELS = 3, TILE = PANELS * LANES, TOGETHER = 8 };

/* Two bfloat16: of two channels, or of two frames. */
typedef uint32_t Pair;

/* Four numbers of 8 bits, 128 above what they are: what is multiplied here has no sign. */
typedef uint32_t Quad;

/* What layers multiply, panel by panel: all channels' pairs; in int8 their quads as well, with a
   scale for each frame and GROUP channels. */
typedef struct Columns {
    Pair *pairs;   /* [PANELS, channels / 2, LANES] */
    Quad *quads;   /* [PANELS, channels / 4, LANES] */
    float *scales; /* [PANELS, groups, LANES] */
} Columns;

/* x Φ(x) for what becomes bfloat16: the error function as x times a polynomial of x² (minimax,
   fitted), 1 beyond |x| = 4.6; to 1.2e-6 of x. A third of the time of gelu. */
INLINE f32x16 gelu_of_pairs(f32x16 x)
{
    static const float terms[] = {
        -0.0056886146f, 0.0071460763f, -0.0118842358f, 0.0243471116f, -0.0401984267f, 0.0584000610f,
        -0.0807344690f, 0.1083594710f, -0.1516460180f, 0.3073374629f};
    const __m512 limit = _mm512_set1_ps(4.5961943f);
    f32x16 y = (f32x16)_mm512_min_ps(limit, _mm512_max_ps(-limit, (__m512)x));
    f32x16 t = y * y * 0.0946745562f - 1.0f, poly = splat(0.0021324058f);
#pragma GCC unroll 10
    for (int each = 0; each < 10; each++)
        poly = poly * t + terms[each];
    return 0.5f * x * (1.0f + y * poly);
}

/* What is broadcast: numbers of TOGETHER rows, pair by pair. */
typedef struct Left {
    const Pair *pairs;
    size_t row_step, pair_step;
} Left;

/* Sixteen pairs from two vectors: the first's numbers first. */
INLINE __m512i paired(f32x16 first, f32x16 second)
{
    const __m512i order = _mm512_set_epi16(
        31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,
        23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    __m512i both = (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
    return _mm512_permutexvar_epi16(order, both);
}

INLINE void store_pairs(Pair *to, f32x16 first, f32x16 second)
{
    _mm512_storeu_si512(to, paired(first, second));
}

/* sums[row][panel] += left[row] · right[panel]: count pairs; panels lie `step` pairs apart. */
INLINE void add_pair_products(const int panels, Left left, const Pair *right, size_t step,
                              int count, f32x16 sums[TOGETHER][PANELS])
{
    for (int k = 0; k < count; k++, right += LANES, left.pairs += left.pair_step) {
        __m512bh columns[PANELS];
        foresee(left.pairs);
        for (int panel = 0; panel < panels; panel++)
            columns[panel] = (__m512bh)_mm512_loadu_si512(right + panel * step);
#pragma GCC unroll 8
        for (int row = 0; row < TOGETHER; row++) {
            __m512bh pair = (__m512bh)_mm512_set1_epi32((int)left.pairs[row * left.row_step]);
#pragma GCC unroll 3
            for (int panel = 0; panel < panels; panel++)
                sums[row][panel] = (f32x16)_mm512_dpbf16_ps((__m512)sums[row][panel], pair,
                                                            columns[panel]);
        }
    }
}

/* Not inlined: its constants would take the registers that products need. */
static __attribute__((noinline)) void put_through_gelu(int panels, f32x16 sums[TOGETHER][PANELS])
{
    for (int row = 0; row < TOGETHER; row++)
        for (int panel = 0; panel < panels; panel++)
            sums[row][panel] = gelu_of_pairs(sums[row][panel]);
}

/* Takes what a layer gives for two outputs, the first of which is even, in one panel. */
typedef void (*Put)(const void *about, int output, int panel, f32x16 first, f32x16 second);

INLINE void put_outputs(const int panels, const Linear *layer, int output,
                        f32x16 sums[TOGETHER][PANELS], Then then, Put put, const void *about)
{
    if (then == GELU)
        put_through_gelu(panels, sums);
#pragma GCC unroll 4
    for (int row = 0; row < TOGETHER; row += 2)
        for (int each = 0; each < panels && output + row < layer->outputs; each++)
            put(about, output + row, each, sums[row][each], sums[row + 1][each]);
}

/* Some outputs of a layer in bfloat16 for all frames of a tile. */
INLINE void multiply_pairs(const int panels, const Linear *layer, int output, const Pair *right,
                           Then then, Put put, const void *about)
{
    size_t step = (size_t)layer->inputs / 2 * LANES;
    const Pair *panel = (const Pair *)layer->panels + output / LANES * step;
    f32x16 sums[TOGETHER][PANELS];
    for (int row = 0; row < TOGETHER; row++)
        for (int each = 0; each < panels; each++)
            sums[row][each] = splat(layer->bias[output + row]);
    add_pair_products(panels, (Left){panel + output % LANES, 1, LANES}, right, step,
                      layer->inputs / 2, sums);
    put_outputs(panels, layer, output, sums, then, put, about);
}

/* sums + a · b, quad by quad. Not the intrinsic: with it GCC 12 moves sums about at every step. */
INLINE __m512i add_quads(__m512i sums, __m512i a, __m512i b)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(a), "v"(b));
    return sums;
}

/* sums[row][panel] += left[row] · right[panel]: count quads, exactly. */
INLINE void add_quad_products(const int panels, const Quad *left, const Quad *right, size_t step,
                              int count, __m512i sums[TOGETHER][PANELS])
{
    for (int k = 0; k < count; k++, right += LANES, left += LANES) {
        __m512i columns[PANELS];
        foresee(left);
        for (int panel = 0; panel < panels; panel++)
            columns[panel] = _mm512_loadu_si512(right + panel * step);
#pragma GCC unroll 8
        for (int row = 0; row < TOGETHER; row++) {
            __m512i quad = _mm512_set1_epi32((int)left[row]);
#pragma GCC unroll 3
            for (int panel = 0; panel < panels; panel++)
                sums[row][panel] = add_quads(sums[row][panel], columns[panel], quad);
        }
    }
}

/* What multiply_pairs does, in int8: sums of whole numbers, group by group, times frames' scales. */
INLINE void multiply_quads(const int panels, const Linear *layer, int output,
                           const Columns *right, Then then, Put put, const void *about)
{
    size_t step = (size_t)layer->inputs / 4 * LANES;
    int groups = groups_of(layer), outputs = panels_of(layer) * LANES;
    const Quad *left = (const Quad *)layer->panels + output / LANES * step + output % LANES;
    f32x16 sums[TOGETHER][PANELS] = {0};
    for (int group = 0; group < groups; group++) {
        int first = group * GROUP / 4, count = layer->inputs / 4 - first;
        const int32_t *offsets = layer->offsets + (size_t)group * outputs + output;
        __m512i some[TOGETHER][PANELS];
        for (int row = 0; row < TOGETHER; row++)
            for (int each = 0; each < panels; each++)
                some[row][each] = _mm512_set1_epi32(offsets[row]);
        add_quad_products(panels, left + first * LANES, right->quads + first * LANES, step,
                          count < GROUP / 4 ? count : GROUP / 4, some);
        for (int each = 0; each < panels; each++) {
            f32x16 scale = load(right->scales + ((size_t)each * groups + group) * LANES);
            for (int row = 0; row < TOGETHER; row++)
                sums[row][each] += (f32x16)_mm512_cvtepi32_ps(some[row][each]) * scale;
        }
    }
    for (int row = 0; row < TOGETHER; row++)
        for (int each = 0; each < panels; each++)
            sums[row][each] = sums[row][each] * layer->scales[output + row]
                + layer->bias[output + row];
    put_outputs(panels, layer, output, sums, then, put, about);
}

/* A layer of a tile. How many panels at once is a constant, so that sums are registers. */
INLINE void multiply_in_panels(const int panels, const Linear *layer, const Columns *right,
                               Then then, Put put, const void *about)
{
    for (int output = 0; output < layer->outputs; output += TOGETHER)
        if (layer->rows == INT8)
            multiply_quads(panels, layer, output, right, then, put, about);
        else
            multiply_pairs(panels, layer, output, right->pairs, then, put, about);
}

INLINE void multiply_tile(const Linear *layer, const Columns *right, int panels, Then then,
                          Put put, const void *about)
{
    switch (panels) {
    case 1: multiply_in_panels(1, layer, right, then, put, about); break;
    case 2: multiply_in_panels(2, layer, right, then, put, about); break;
    default: multiply_in_panels(3, layer, right, then, put, about);
    }
}

INLINE f32x16 first_of(const Pair *pairs)
{
    return (f32x16)_mm512_slli_epi32(_mm512_loadu_si512(pairs), 16);
}

INLINE f32x16 second_of(const Pair *pairs)
{
    return (f32x16)_mm512_and_si512(_mm512_loadu_si512(pairs), _mm512_set1_epi32(0xFFFF0000));
}

/* Up to GROUP channels of a panel to int8; the scale is no number where one of them is none. */
INLINE void round_group(const Pair *pairs, int channels, Quad *quads, float *scales)
{
    f32x16 most = {0}, zero = {0};
    for (int channel = 0; channel < channels; channel += 2) {
        const Pair *pair = pairs + channel / 2 * LANES;
        f32x16 first = first_of(pair), second = second_of(pair);
        most = (f32x16)_mm512_max_ps(_mm512_abs_ps((__m512)first), (__m512)most);
        most = (f32x16)_mm512_max_ps(_mm512_abs_ps((__m512)second), (__m512)most);
        zero += (first + second) * 0.0f;
    }
    store(scales, most * (1.0f / 127.0f) + zero);
    f32x16 factor = 127.0f / greater(most, splat(1e-30f));
    for (int channel = 0; channel < channels; channel += 4, quads += LANES) {
        const Pair *pair = pairs + channel / 2 * LANES;
        __m512i quad = _mm512_set1_epi32((int)0x80808080);
        f32x16 four[] = {first_of(pair), second_of(pair), first_of(pair + LANES),
                         second_of(pair + LANES)};
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

/* Makes quads of a tile's pairs. */
static void round_columns(const Columns *columns, int channels, int panels)
{
    int groups = (channels + GROUP - 1) / GROUP;
    for (int panel = 0; panel < panels; panel++)
        for (int group = 0; group < groups; group++) {
            size_t first = (size_t)panel * channels + group * GROUP;
            int left = channels - group * GROUP;
            round_group(columns->pairs + first / 2 * LANES, left < GROUP ? left : GROUP,
                        columns->quads + first / 4 * LANES,
                        columns->scales + ((size_t)panel * groups + group) * LANES);
        }
}

#endif
#endif
