/* Weights of four bits, with a multiplier for each output and INT4_GROUP inputs.

   A weight is number · multiplier · scale: the number is -8 … 7, the multiplier a signed integer of
   16 bits, and the scale the output's. Number · multiplier is a weight in int16 as linear.h has them,
   so that sums of products are exact in 32 bits, and results are the same to the last bit whether
   weights are widened first or multiplied as they are. With multipliers a weight takes 4.5 bits. */
#ifndef QUEST22_INT4_H
#define QUEST22_INT4_H

#include "int16.h"

/* A panel's outputs are PANEL_VECTORS vectors. */
enum { PANEL = 16, PANEL_VECTORS = PANEL / LANES };

/* A word of 16 bits holds every second one of eight inputs: as many pairs, of two words, as it has
   numbers. A panel is [groups, PANEL] multipliers, then [inputs / 8, PANEL, 2] words. */
enum { INT4_GROUP = 32, INT4_GROUP_WORDS = INT4_GROUP / 8 };

enum { INT4_LEAST = -8, INT4_MOST = 7 };

static inline size_t int4_panel_bytes(int inputs)
{
    return ((size_t)inputs / INT4_GROUP + inputs / 4) * PANEL * sizeof(int16_t);
}

static inline int16_t *int4_words(const void *panel, int inputs)
{
    return (int16_t *)panel + inputs / INT4_GROUP * PANEL;
}

/* Of LANES outputs, one of the four pairs of numbers that their words hold. */
INLINE i16v int4_pairs(const int16_t *words, const int pair)
{
    typedef uint16_t u16v __attribute__((vector_size(4 * LANES)));
    u16v bits;
    memcpy(&bits, words, sizeof bits);
    return (i16v)(bits << (12 - 4 * pair)) >> 12;
}

INLINE f32v int4_round(f32v value)
{
    return minimum(maximum(round_nearest(value), splat(INT4_LEAST)), splat(INT4_MOST));
}

/* The scale with the least squared error of some that are tried: the weight of the greatest magnitude
   becomes about -8. For the numbers that a trial gives, the best scale is that of least squares. */
static float int4_scale(const float *group)
{
    float most = 0, best = 0, gain = 0;
    for (int each = 0; each < INT4_GROUP; each++)
        most = fabsf(group[each]) > fabsf(most) ? group[each] : most;
    for (int trial = 0; most != 0 && trial < 12; trial++) {
        float factor = -(6.5f + 0.25f * trial) / most;
        f32v products = {0}, squares = {0};
        for (int each = 0; each < INT4_GROUP; each += LANES) {
            f32v weight = load(group + each), number = int4_round(weight * factor);
            products += weight * number;
            squares += number * number;
        }
        float product = reduce_add(products), square = reduce_add(squares);
        if (product * product > gain * square) {
            gain = product * product / square;
            best = product / square;
        }
    }
    return best;
}

/* Packs the weights of one output of a panel; returns the output's scale. */
static float int4_pack_row(void *panel, int column, const float *weights, int inputs)
{
    const int groups = inputs / INT4_GROUP;
    float scales[groups], numbers[inputs], most = 0, most_sum = 0;
    for (int group = 0, first = 0; group < groups; group++, first += INT4_GROUP) {
        scales[group] = int4_scale(weights + first);
        float factor = scales[group] != 0 ? 1.0f / scales[group] : 0;
        for (int each = first; each < first + INT4_GROUP; each += LANES)
            store(numbers + each, int4_round(load(weights + each) * factor));
        most = fmaxf(most, fabsf(scales[group]));
    }
    for (int first = 0; first < inputs; first += QUANT_GROUP) {
        float sum = 0;
        for (int each = first; each < inputs && each < first + QUANT_GROUP; each++)
            sum += fabsf(numbers[each] * scales[each / INT4_GROUP]);
        most_sum = fmaxf(most_sum, sum);
    }
    /* rounding a multiplier adds up to half of a number's magnitude to each weight */
    const float limit = INT16_WEIGHT_SUM + INT4_LEAST * QUANT_GROUP / 2;
    float scale = most > 0 ? fmaxf(most * -INT4_LEAST / 32000.0f, most_sum / limit) : 1.0f;
    int16_t *multipliers = panel;
    uint16_t *words = (uint16_t *)int4_words(panel, inputs);
    for (int group = 0; group < groups; group++)
        multipliers[group * PANEL + column] = (int16_t)nearbyintf(scales[group] / scale);
    for (int each = 0; each < inputs; each++) {
        uint16_t *word = words + (each / 8 * PANEL + column) * 2 + each % 2;
        int shift = each % 8 / 2 * 4;
        *word = (*word & ~(15 << shift)) | ((int)numbers[each] & 15) << shift;
    }
    return scale;
}

#endif
