/* Products of many frames at a time: bound by arithmetic, where linear.h's are bound by memory.

   A tile is up to TILE frames of one window; vectors' lanes are its frames, side by side, so that
   normalisation, GELU, softmax and sums need nothing across lanes. Numbers to be multiplied are
   bfloat16 in pairs: for each pair of channels sixteen frames' pairs, 64 bytes. What multiplies
   them is read pair by pair and goes to all lanes. */
#ifndef QUEST22_TILES_H
#define QUEST22_TILES_H

#include "linear.h"

#if defined(__AVX512BF16__)

enum { PANELS = 3, TILE = PANELS * LANES, TOGETHER = 8 };

/* Two bfloat16: of two channels, or of two frames. */
typedef uint32_t Pair;

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

/* Some outputs of a layer for all frames of a tile. */
INLINE void multiply_outputs(const int panels, const Linear *layer, int output, const Pair *right,
                             size_t step, Then then, Put put, const void *about)
{
    const Pair *panel = (const Pair *)layer->panels + (size_t)(output / LANES) * layer->inputs / 2 * LANES;
    Left left = {panel + output % LANES, 1, LANES};
    f32x16 sums[TOGETHER][PANELS];
    for (int row = 0; row < TOGETHER; row++)
        for (int each = 0; each < panels; each++)
            sums[row][each] = splat(layer->bias[output + row]);
    add_pair_products(panels, left, right, step, layer->inputs / 2, sums);
    if (then == GELU)
        put_through_gelu(panels, sums);
#pragma GCC unroll 4
    for (int row = 0; row < TOGETHER; row += 2)
        for (int each = 0; each < panels && output + row < layer->outputs; each++)
            put(about, output + row, each, sums[row][each], sums[row + 1][each]);
}

/* A layer of a tile, whose panels of pairs lie one behind the other. How many panels at once is a
   constant, so that sums are registers. */
INLINE void multiply_tile(const Linear *layer, const Pair *right, int panels, Then then, Put put,
                          const void *about)
{
    size_t step = (size_t)layer->inputs / 2 * LANES;
    for (int output = 0; output < layer->outputs; output += TOGETHER)
        switch (panels) {
        case 1: multiply_outputs(1, layer, output, right, step, then, put, about); break;
        case 2: multiply_outputs(2, layer, output, right, step, then, put, about); break;
        default: multiply_outputs(3, layer, output, right, step, then, put, about);
        }
}

#endif
#endif
