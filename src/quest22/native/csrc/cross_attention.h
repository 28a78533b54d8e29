/* Cross-attention: decoder queries over the encoder's keys and values. */
#ifndef QUEST22_CROSS_ATTENTION_H
#define QUEST22_CROSS_ATTENTION_H

#include "decoder.h"

static const float INT16_LIMIT = 32767.0f;

/* Converts a query to what keys are multiplied with. Returns the factor for its scores. */
INLINE float prepare_query(const CrossKV *cross_kv, const float *query, const float *scales,
                           char *to, const DType dtype)
{
    float scaled[MAX_HEAD_SIZE], max = 0;
    for (int each = 0; each < cross_kv->size; each++) {
        scaled[each] = scales ? query[each] * scales[each] : query[each];
        max = fmaxf(max, fabsf(scaled[each]));
    }
    float unit = dtype == INT16 && max > 0 ? max / INT16_LIMIT : 1.0f;
    for (int each = 0; dtype == INT16 && each < cross_kv->size; each++)
        scaled[each] = rintf(scaled[each] / unit);
    convert_floats(to, scaled, cross_kv->size, dtype);
    zero_padding(to, cross_kv->size, dtype);
    return unit;
}

/* Softmax of scores times unit, converted to what values are multiplied with. Returns the factor
   for the results. */
INLINE float prepare_weights(float *scores, float unit, int frames, char *to, const DType dtype)
{
    for (int each = 0; unit != 1.0f && each < frames; each++)
        scores[each] *= unit;
    float total = softmax_numerators(scores, frames);
    for (int each = 0; each < frames; each++)
        scores[each] = dtype == INT16 ? rintf(scores[each] * INT16_LIMIT) : scores[each] / total;
    convert_floats(to, scores, frames, dtype);
    zero_padding(to, frames, dtype);
    return dtype == INT16 ? 1.0f / (INT16_LIMIT * total) : 1.0f;
}

/* Writes down a query's scores times unit where its head is one of those that are kept. */
static void keep_scores(const Decoder *decoder, int layer, int head, size_t query,
                        const float *scores, float unit, size_t frames)
{
    const KeptScores *kept = &decoder->kept_scores;
    for (int place = 0; place < kept->count; place++) {
        if (kept->heads[2 * place] != layer || kept->heads[2 * place + 1] != head)
            continue;
        size_t position = (size_t)place * decoder->shape.positions
            + position_of(&decoder->step, 0) + query;
        for (size_t frame = 0; frame < frames; frame++)
            kept->scores[position * frames + frame] = scores[frame] * unit;
    }
}

/* Some queries over one head of a window of the batch. */
INLINE void cross_attend_queries(Decoder *decoder, int layer, int window, int head, size_t first,
                                 const int queries, char *scratch, const DType dtype)
{
    const CrossKV *cross_kv = &decoder->cross_kv;
    const DType query_dtype = dtype == INT8 ? INT16 : dtype;
    size_t size = cross_kv->size, frames = cross_kv->frames[window], stride = padded(size);
    size_t row = (size_t)window * cross_kv->heads * size, column = head * size;
    size_t at = (row * cross_kv->max_frames + column * frames) * DTYPE_BYTES[dtype];
    size_t length = max_attention_length(decoder), width = decoder->shape.width;
    float *scores = (float *)scratch, results[MAX_QUERIES * MAX_HEAD_SIZE], units[MAX_QUERIES];
    const float *key_scales = dtype == INT8 ? cross_kv->key_scales[layer] + row + column : NULL;
    _Alignas(64) char vectors[MAX_QUERIES * MAX_HEAD_SIZE * sizeof(float)];
    char *weights = scratch + MAX_QUERIES * length * sizeof(float);
    const char *keys = cross_kv->keys[layer], *values = cross_kv->values[layer];
    for (int query = 0; query < queries; query++)
        units[query] = prepare_query(
            cross_kv, decoder->projected + (first + query) * width + column, key_scales,
            vectors + query * stride * DTYPE_BYTES[query_dtype], query_dtype);
    dot_rows(queries, dtype, keys + at, size, frames, vectors, stride, size, scores,
             length);
    for (int query = 0; query < queries && decoder->kept_scores.count; query++)
        keep_scores(decoder, layer, head, first + query, scores + query * length, units[query],
                    frames);
    for (int query = 0; query < queries; query++)
        units[query] = prepare_weights(
            scores + query * length, units[query], frames,
            weights + query * length * DTYPE_BYTES[query_dtype], query_dtype);
    dot_rows(queries, dtype, values + at, frames, size, weights, length, frames, results,
             MAX_HEAD_SIZE);
    for (int query = 0; query < queries; query++) {
        float *result = results + query * MAX_HEAD_SIZE;
        for (size_t each = 0; dtype == INT8 && each < size; each++)
            result[each] *= units[query] * cross_kv->value_scales[layer][row + column + each];
        pack_row(&decoder->activations, first + query, column, result, size);
    }
}

INLINE void cross_attend_window(Decoder *decoder, int layer, int window, int head, char *scratch,
                                const DType dtype)
{
    const StepArguments *step = &decoder->step;
    size_t count = (size_t)step->sequences / step->windows * step->tokens;
    size_t query = window * count, end = query + count;
    int row = step->window_indices[window];
    for (; query + MAX_QUERIES <= end; query += MAX_QUERIES)
        cross_attend_queries(decoder, layer, row, head, query, MAX_QUERIES, scratch, dtype);
    for (; query + 2 <= end; query += 2)
        cross_attend_queries(decoder, layer, row, head, query, 2, scratch, dtype);
    for (; query < end; query++)
        cross_attend_queries(decoder, layer, row, head, query, 1, scratch, dtype);
}

#endif
