/* The encoder's self-attention: a tile's queries over all keys and values of a head, KEY_BLOCK keys
   at a time.

   Softmax is computed online (Milakov and Gimelshein 2018, arXiv:1805.02867): earlier sums are
   scaled down where a later key scores higher. Scores are to base 2: the queries' weights include
   the factor log2(e). */
#ifndef QUEST22_ENCODER_ATTENTION_H
#define QUEST22_ENCODER_ATTENTION_H

#include "encoder.h"

typedef struct AttentionHead {
    const Pair *queries;  /* panels lie `step` pairs apart */
    const Pair *keys;     /* [panels, size / 2, LANES] */
    const uint16_t *values; /* [size, length] */
    const float *query_scales; /* panels lie `scale_step` apart */
    const float *key_scales, *value_scales; /* [length] */
    size_t step, length, scale_step;
    int size, frames;
} AttentionHead;

/* A vector of each of NR_PANELS panels. */
enum { COLUMNS = NR_PANELS * LANES };

#if defined(__AVX512BF16__)

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

/* Bfloat16 needs no scales. */
typedef struct BlockScales {
    int none;
} BlockScales;

INLINE void block_scales_init(BlockScales *scales, const AttentionHead *head, int first, int count)
{
    (void)scales, (void)head, (void)first, (void)count;
}

/* Scores of MR keys from `key` on. */
INLINE void multiply_keys(const int panels, const AttentionHead *head, int key,
                          f32v scores[MR][NR_PANELS])
{
    const Pair *keys = head->keys + (size_t)key / LANES * (head->size / 2 * LANES);
    memset(scores, 0, sizeof(f32v[MR][NR_PANELS]));
    kernel_bf16(panels, (BroadcastRows){keys + key % LANES, 1, LANES}, head->queries, head->step,
                head->size / 2, scores);
}

INLINE void store_weights(Pair *to, f32v first, f32v second, const BlockScales *scales, int key)
{
    (void)scales, (void)key;
    store_pairs(to, first, second);
}

/* sums += weights · values, for MR channels and count pairs of keys. */
INLINE void multiply_values(const int panels, BroadcastRows values, const Pair *weights, int count,
                            const BlockScales *scales, f32v sums[MR][NR_PANELS])
{
    (void)scales;
    kernel_bf16(panels, values, weights, KEY_BLOCK / 2 * LANES, count, sums);
}

#else

/* The same with a relative error of 4e-6, as weights have twelve bits here. 0 below 2^-126. */
INLINE f32v exp2_approx(f32v x)
{
    x = maximum(splat(-126.0f), x);
    f32v n = round_nearest(x), r = x - n;
    f32v y = splat(0.0013333558f);
    y = y * r + 0.0096181291f;
    y = y * r + 0.0555041087f;
    y = y * r + 0.2402265070f;
    y = y * r + 0.6931471806f;
    y = y * r + 1.0f;
    return y * (f32v)((__builtin_convertvector(n, i32v) + 127) << 23);
}

/* The values' scales are put into the softmax's weights: what each key's is multiplied with before
   it is rounded, and what sums are multiplied with. */
typedef struct BlockScales {
    float factors[KEY_BLOCK + 1], unit;
} BlockScales;

INLINE void block_scales_init(BlockScales *scales, const AttentionHead *head, int first, int count)
{
    const float *given = head->value_scales + first;
    float max = max_array(given, count) + sum_array(given, count) * 0.0f; /* NaN if any is */
    for (int key = 0; key < count; key++)
        scales->factors[key] = given[key] / max * INT16_VALUE;
    scales->factors[count] = 0;
    scales->unit = max / INT16_VALUE;
}

INLINE void multiply_keys(const int panels, const AttentionHead *head, int key,
                          f32v scores[MR][NR_PANELS])
{
    const Pair *keys = head->keys + (size_t)key / LANES * (head->size / 2 * LANES);
    i32v sums[MR][NR_PANELS] = {0};
    kernel_int16(panels, (BroadcastRows){keys + key % LANES, 1, LANES}, head->queries, head->step,
                 head->size / 2, sums);
    for (int each = 0; each < panels; each++) {
        f32v scale = load(head->query_scales + each * head->scale_step);
        for (int row = 0; row < MR; row++)
            scores[row][each] = as_floats(sums[row][each]) * (scale * head->key_scales[key + row]);
    }
}

INLINE void store_weights(Pair *to, f32v first, f32v second, const BlockScales *scales, int key)
{
    store_pairs(to, first * scales->factors[key], second * scales->factors[key + 1]);
}

INLINE void multiply_values(const int panels, BroadcastRows values, const Pair *weights, int count,
                            const BlockScales *scales, f32v sums[MR][NR_PANELS])
{
    i32v products[MR][NR_PANELS] = {0};
    kernel_int16(panels, values, weights, KEY_BLOCK / 2 * LANES, count, products);
    for (int row = 0; row < MR; row++)
        for (int each = 0; each < panels; each++)
            sums[row][each] += as_floats(products[row][each]) * scales->unit;
}

#endif

/* Scores of count keys for the frames of all panels; raises `max` to the highest of each frame. */
INLINE void score_keys(const int panels, const AttentionHead *head, int first, int count,
                       float *scores, f32v *max)
{
    for (int key = 0; key < count; key += MR) {
        f32v sums[MR][NR_PANELS];
        multiply_keys(panels, head, first + key, sums);
        int left = count - key;
#pragma GCC unroll 8
        for (int row = 0; row < MR; row++)
            for (int each = 0; each < panels; each++) {
                store(scores + (key + row) * COLUMNS + each * LANES, sums[row][each]);
                if (left >= MR || row < left)
                    max[each] = maximum(sums[row][each], max[each]);
            }
    }
}

/* The numerators of softmax, in pairs of keys (with a zero after the last where count is odd).
   Returns their sum. */
INLINE f32v softmax_block(const float *scores, int count, f32v max, const BlockScales *scales,
                          Pair *weights)
{
    f32v total = {0}, zero = {0};
    for (int key = 0; key < count; key += 2, scores += 2 * COLUMNS, weights += LANES) {
        f32v first = exp2_approx(load(scores) - max);
        f32v second = key + 1 < count ? exp2_approx(load(scores + COLUMNS) - max) : zero;
        total += first + second;
        store_weights(weights, first, second, scales, key);
    }
    return total;
}

/* sums = sums * factors + weights · values, for all channels of a head. */
INLINE void accumulate_values(const int panels, const AttentionHead *head, int first, int count,
                              const Pair *weights, const BlockScales *scales, const f32v *factors,
                              float *sums)
{
    for (int channel = 0; channel < head->size; channel += MR) {
        const uint16_t *values = head->values + channel * head->length + first;
        float *row_sums = sums + channel * COLUMNS;
        f32v mixed[MR][NR_PANELS];
        for (int row = 0; row < MR; row++)
            for (int each = 0; each < panels; each++)
                mixed[row][each] = load(row_sums + row * COLUMNS + each * LANES) * factors[each];
        multiply_values(panels, (BroadcastRows){(const Pair *)values, head->length / 2, 1}, weights,
                        (count + 1) / 2, scales, mixed);
        for (int row = 0; row < MR; row++)
            for (int each = 0; each < panels; each++)
                store(row_sums + row * COLUMNS + each * LANES, mixed[row][each]);
    }
}

/* The head whose first channel is `channel`, for some panels of a tile from `panel` on. */
INLINE void attend_panels(const int panels, const AttentionHead *head, const Workspace *space,
                          int width, int channel, int panel)
{
    f32v max[NR_PANELS], totals[NR_PANELS] = {0};
    BlockScales scales;
    for (int each = 0; each < panels; each++)
        max[each] = splat(-INFINITY);
    memset(space->sums, 0, round_up_to_mr(head->size) * COLUMNS * sizeof(float));
    for (int first = 0; first < head->frames; first += KEY_BLOCK) {
        int count = head->frames - first < KEY_BLOCK ? head->frames - first : KEY_BLOCK;
        f32v before[NR_PANELS], factors[NR_PANELS];
        memcpy(before, max, sizeof before);
        score_keys(panels, head, first, count, space->scores, max);
        block_scales_init(&scales, head, first, count);
        for (int each = 0; each < panels; each++) {
            factors[each] = exp2_approx(before[each] - max[each]);
            totals[each] = totals[each] * factors[each]
                + softmax_block(space->scores + each * LANES, count, max[each], &scales,
                                space->weights + each * KEY_BLOCK / 2 * LANES);
        }
        accumulate_values(panels, head, first, count, space->weights, &scales, factors,
                          space->sums);
    }
    for (int each = 0; each < panels; each++)
        for (int at = 0; at < head->size; at += 2) {
            const float *sums = space->sums + at * COLUMNS + each * LANES;
            put_in_tile(&space->attn_output, width, panel + each, channel + at,
                        load(sums) / totals[each], load(sums + COLUMNS) / totals[each]);
        }
}

static void attend_tile(const Encoder *encoder, const EncoderWindow *window,
                        const Workspace *space, int tile, int panels, int buffer)
{
    const EncoderShape *shape = &encoder->shape;
    int size = encoder_head_size(shape), all = frame_panels(window->frames), width = shape->width;
    size_t step = (size_t)width / 2 * LANES, length = (size_t)all * LANES;
    for (int index = 0; index < shape->heads; index++)
        for (int panel = 0; panel < panels; panel += NR_PANELS) {
            size_t whole = (size_t)tile * TILE_PANELS + panel, scale_step = shape->heads * LANES;
            AttentionHead head = {
                .queries = window->queries + whole * step + index * size / 2 * LANES,
                .keys = window->keys[buffer] + (size_t)index * all * (size / 2) * LANES,
                .values = window->values[buffer] + (size_t)index * size * length,
                .query_scales = window->query_scales + whole * scale_step + index * LANES,
                .key_scales = window->key_scales[buffer] + index * length,
                .value_scales = window->value_scales[buffer] + index * length,
                .step = step, .length = length, .scale_step = scale_step, .size = size,
                .frames = window->frames,
            };
            if (panels - panel == 1)
                attend_panels(1, &head, space, width, index * size, panel);
            else if (NR_PANELS > 2 && panels - panel == 2)
                attend_panels(2, &head, space, width, index * size, panel);
            else if (NR_PANELS > 3 && panels - panel == 3)
                attend_panels(THREE_PANELS, &head, space, width, index * size, panel);
            else
                attend_panels(NR_PANELS, &head, space, width, index * size, panel);
        }
}

#endif
