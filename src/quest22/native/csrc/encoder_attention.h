/* The encoder's attention: a tile's queries by all keys and values of a head, KEYS at a time.

   Softmax while it goes (Milakov and Gimelshein 2018, arXiv:1805.02867): what was summed is scaled
   down where a later key scores higher. Scores are logarithms to base 2, the queries' weights say. */
#ifndef QUEST22_ENCODER_ATTENTION_H
#define QUEST22_ENCODER_ATTENTION_H

#include "encoder.h"

#if defined(__AVX512BF16__)

typedef struct Attention {
    const Pair *queries;  /* of the head: panels lie `step` pairs apart */
    const Pair *keys;     /* of the head: [panels, size / 2, LANES] */
    const bf16 *values;   /* of the head: [size, length] */
    size_t step, length;
    int size, frames;
} Attention;

/* 2 to the power of x ≤ 0 for what becomes bfloat16: x = n + r, the Taylor polynomial of 2^r, to
   5e-5. Nothing below 2^-127, and no number where x is none. */
INLINE f32x16 power_of_2(f32x16 x)
{
    x = (f32x16)_mm512_max_ps(_mm512_set1_ps(-150.0f), (__m512)x);
    f32x16 n = nearest(x), r = x - n;
    f32x16 y = splat(0.0096181291f);
    y = y * r + 0.0555041087f;
    y = y * r + 0.2402265070f;
    y = y * r + 0.6931471806f;
    y = y * r + 1.0f;
    return (f32x16)_mm512_scalef_ps((__m512)y, (__m512)n);
}

/* Scores of some keys, in panels of sixteen; gives the highest of each frame. */
INLINE void score_keys(const int panels, const Attention *about, int first, int count,
                       float *scores, f32x16 *highest)
{
    size_t panel_pairs = (size_t)about->size / 2 * LANES;
    for (int key = 0; key < count; key += TOGETHER) {
        const Pair *panel = about->keys + (first + key) / LANES * panel_pairs;
        f32x16 sums[TOGETHER][PANELS] = {0};
        add_pair_products(panels, (Left){panel + key % LANES, 1, LANES}, about->queries,
                          about->step, about->size / 2, sums);
        int left = count - key;
#pragma GCC unroll 8
        for (int row = 0; row < TOGETHER; row++)
            for (int each = 0; each < panels; each++) {
                store(scores + ((key + row) * PANELS + each) * LANES, sums[row][each]);
                if (left >= TOGETHER || row < left)
                    highest[each] = greater(sums[row][each], highest[each]);
            }
    }
}

/* Scores become powers, in pairs of keys; the last has nothing beside it where count is odd. */
INLINE f32x16 share_out(const float *scores, int count, f32x16 highest, Pair *shares)
{
    f32x16 total = {0}, nothing = {0};
    for (int key = 0; key < count; key += 2, scores += 2 * TILE, shares += LANES) {
        f32x16 first = power_of_2(load(scores) - highest);
        f32x16 second = key + 1 < count ? power_of_2(load(scores + TILE) - highest) : nothing;
        total += first + second;
        store_pairs(shares, first, second);
    }
    return total;
}

/* sums = sums * factors + shares · values, for all numbers of a head. */
INLINE void mix_values(const int panels, const Attention *about, int first, int count,
                       const Pair *shares, const f32x16 *factors, float *sums)
{
    for (int channel = 0; channel < about->size; channel += TOGETHER) {
        const bf16 *values = about->values + channel * about->length + first;
        float *mine = sums + channel * TILE;
        f32x16 mixed[TOGETHER][PANELS];
        for (int row = 0; row < TOGETHER; row++)
            for (int each = 0; each < panels; each++)
                mixed[row][each] = load(mine + row * TILE + each * LANES) * factors[each];
        add_pair_products(panels, (Left){(const Pair *)values, about->length / 2, 1}, shares,
                          KEYS / 2 * LANES, (count + 1) / 2, mixed);
        for (int row = 0; row < TOGETHER; row++)
            for (int each = 0; each < panels; each++)
                store(mine + row * TILE + each * LANES, mixed[row][each]);
    }
}

/* One head of a tile; mixed: of the head, as queries are arranged. */
INLINE void attend_in_panels(const int panels, const Attention *about, const Desk *desk,
                             Pair *mixed)
{
    f32x16 highest[PANELS], totals[PANELS] = {0};
    for (int each = 0; each < panels; each++)
        highest[each] = splat(-INFINITY);
    memset(desk->sums, 0, rows_together(about->size) * TILE * sizeof(float));
    for (int first = 0; first < about->frames; first += KEYS) {
        int count = about->frames - first < KEYS ? about->frames - first : KEYS;
        f32x16 before[PANELS], factors[PANELS];
        memcpy(before, highest, sizeof before);
        score_keys(panels, about, first, count, desk->scores, highest);
        for (int each = 0; each < panels; each++) {
            factors[each] = power_of_2(before[each] - highest[each]);
            totals[each] = totals[each] * factors[each]
                + share_out(desk->scores + each * LANES, count, highest[each],
                            desk->shares + each * KEYS / 2 * LANES);
        }
        mix_values(panels, about, first, count, desk->shares, factors, desk->sums);
    }
    for (int each = 0; each < panels; each++)
        for (int channel = 0; channel < about->size; channel += 2) {
            const float *mine = desk->sums + channel * TILE + each * LANES;
            store_pairs(mixed + each * about->step + channel / 2 * LANES,
                        load(mine) / totals[each], load(mine + TILE) / totals[each]);
        }
}

static void attend_in_tile(const Encoder *encoder, const Hearing *hearing, const Desk *desk,
                           int tile, int panels, int turn)
{
    const EncoderShape *shape = &encoder->shape;
    int size = encoder_head(shape), all = frame_panels(shape);
    size_t step = (size_t)shape->width / 2 * LANES, length = (size_t)all * LANES;
    for (int head = 0; head < shape->heads; head++) {
        size_t own = (size_t)head * size / 2 * LANES;
        Attention about = {
            .queries = hearing->queries + (size_t)tile * PANELS * step + own,
            .keys = hearing->keys[turn] + (size_t)head * all * (size / 2) * LANES,
            .values = hearing->values[turn] + (size_t)head * size * length,
            .step = step, .length = length, .size = size, .frames = shape->frames,
        };
        switch (panels) {
        case 1: attend_in_panels(1, &about, desk, desk->mixed.pairs + own); break;
        case 2: attend_in_panels(2, &about, desk, desk->mixed.pairs + own); break;
        default: attend_in_panels(3, &about, desk, desk->mixed.pairs + own);
        }
    }
}

#endif
#endif
