/* The encoder's self-attention: a tile's queries over all keys and values of a head, KEY_BLOCK keys
   at a time.

   Softmax is computed online (Milakov and Gimelshein 2018, arXiv:1805.02867): earlier sums are
   scaled down where a later key scores higher. Scores are to base 2: the queries' weights include
   the factor log2(e). */
#ifndef QUEST22_ENCODER_ATTENTION_H
#define QUEST22_ENCODER_ATTENTION_H

#include "encoder.h"

#if defined(__AVX512BF16__)

typedef struct AttentionHead {
    const Pair *queries;  /* panels lie `step` pairs apart */
    const Pair *keys;     /* [panels, size / 2, LANES] */
    const bf16 *values;   /* [size, length] */
    size_t step, length;
    int size, frames;
} AttentionHead;

/* 2^x for x ≤ 0 and results in bfloat16, relative error 5e-5: x = n + r, and the Taylor
   polynomial of 2^r. 0 below 2^-127; NaN for NaN. */
INLINE f32v exp2_approx(f32v x)
{
    x = (f32v)_mm512_max_ps(_mm512_set1_ps(-150.0f), (__m512)x);
    f32v n = round_nearest(x), r = x - n;
    f32v y = splat(0.0096181291f);
    y = y * r + 0.0555041087f;
    y = y * r + 0.2402265070f;
    y = y * r + 0.6931471806f;
    y = y * r + 1.0f;
    return (f32v)_mm512_scalef_ps((__m512)y, (__m512)n);
}

/* Scores of count keys for the frames of all panels; raises `max` to the highest of each frame. */
INLINE void score_keys(const int panels, const AttentionHead *head, int first, int count,
                       float *scores, f32v *max)
{
    size_t panel_pairs = (size_t)head->size / 2 * LANES;
    for (int key = 0; key < count; key += MR) {
        const Pair *panel = head->keys + (first + key) / LANES * panel_pairs;
        f32v sums[MR][NR_PANELS] = {0};
        kernel_bf16(panels, (BroadcastRows){panel + key % LANES, 1, LANES}, head->queries,
                    head->step, head->size / 2, sums);
        int left = count - key;
#pragma GCC unroll 8
        for (int row = 0; row < MR; row++)
            for (int each = 0; each < panels; each++) {
                store(scores + ((key + row) * NR_PANELS + each) * LANES, sums[row][each]);
                if (left >= MR || row < left)
                    max[each] = maximum(sums[row][each], max[each]);
            }
    }
}

/* The numerators of softmax, in pairs of keys (with a zero after the last where count is odd).
   Returns their sum. */
INLINE f32v softmax_block(const float *scores, int count, f32v max, Pair *weights)
{
    f32v total = {0}, zero = {0};
    for (int key = 0; key < count; key += 2, scores += 2 * TILE, weights += LANES) {
        f32v first = exp2_approx(load(scores) - max);
        f32v second = key + 1 < count ? exp2_approx(load(scores + TILE) - max) : zero;
        total += first + second;
        store_pairs(weights, first, second);
    }
    return total;
}

/* sums = sums * factors + weights · values, for all channels of a head. */
INLINE void accumulate_values(const int panels, const AttentionHead *head, int first, int count,
                              const Pair *weights, const f32v *factors, float *sums)
{
    for (int channel = 0; channel < head->size; channel += MR) {
        const bf16 *values = head->values + channel * head->length + first;
        float *row_sums = sums + channel * TILE;
        f32v mixed[MR][NR_PANELS];
        for (int row = 0; row < MR; row++)
            for (int each = 0; each < panels; each++)
                mixed[row][each] = load(row_sums + row * TILE + each * LANES) * factors[each];
        kernel_bf16(panels, (BroadcastRows){(const Pair *)values, head->length / 2, 1}, weights,
                    KEY_BLOCK / 2 * LANES, (count + 1) / 2, mixed);
        for (int row = 0; row < MR; row++)
            for (int each = 0; each < panels; each++)
                store(row_sums + row * TILE + each * LANES, mixed[row][each]);
    }
}

/* One head of a tile; `output` is that head's, laid out as queries are. */
INLINE void attend_panels(const int panels, const AttentionHead *head, const Workspace *space,
                          Pair *output)
{
    f32v max[NR_PANELS], totals[NR_PANELS] = {0};
    for (int each = 0; each < panels; each++)
        max[each] = splat(-INFINITY);
    memset(space->sums, 0, round_up_to_mr(head->size) * TILE * sizeof(float));
    for (int first = 0; first < head->frames; first += KEY_BLOCK) {
        int count = head->frames - first < KEY_BLOCK ? head->frames - first : KEY_BLOCK;
        f32v before[NR_PANELS], factors[NR_PANELS];
        memcpy(before, max, sizeof before);
        score_keys(panels, head, first, count, space->scores, max);
        for (int each = 0; each < panels; each++) {
            factors[each] = exp2_approx(before[each] - max[each]);
            totals[each] = totals[each] * factors[each]
                + softmax_block(space->scores + each * LANES, count, max[each],
                                space->weights + each * KEY_BLOCK / 2 * LANES);
        }
        accumulate_values(panels, head, first, count, space->weights, factors, space->sums);
    }
    for (int each = 0; each < panels; each++)
        for (int channel = 0; channel < head->size; channel += 2) {
            const float *sums = space->sums + channel * TILE + each * LANES;
            store_pairs(output + each * head->step + channel / 2 * LANES,
                        load(sums) / totals[each], load(sums + TILE) / totals[each]);
        }
}

static void attend_tile(const Encoder *encoder, const EncoderWindow *window,
                        const Workspace *space, int tile, int panels, int buffer)
{
    const EncoderShape *shape = &encoder->shape;
    int size = encoder_head_size(shape), all = frame_panels(window->frames);
    size_t step = (size_t)shape->width / 2 * LANES, length = (size_t)all * LANES;
    for (int index = 0; index < shape->heads; index++) {
        size_t own = (size_t)index * size / 2 * LANES;
        AttentionHead head = {
            .queries = window->queries + (size_t)tile * NR_PANELS * step + own,
            .keys = window->keys[buffer] + (size_t)index * all * (size / 2) * LANES,
            .values = window->values[buffer] + (size_t)index * size * length,
            .step = step, .length = length, .size = size, .frames = window->frames,
        };
        switch (panels) {
        case 1: attend_panels(1, &head, space, space->attn_output.pairs + own); break;
        case 2: attend_panels(2, &head, space, space->attn_output.pairs + own); break;
        default: attend_panels(3, &head, space, space->attn_output.pairs + own);
        }
    }
}

#endif
#endif
