/* The best token by its logits, with its log-probability. */
#ifndef QUEST22_ARGMAX_H
#define QUEST22_ARGMAX_H

#include "simd.h"
#include "status.h"

/* Index of the first of the highest numbers. */
static int index_of_max(const float *numbers, int count)
{
    f32v max = splat(-INFINITY);
    i32v indices = {0};
    int at = 0, first = count - 1;
    for (; at + LANES <= count; at += LANES) {
        prefetch(numbers + at);
        f32v value = load(numbers + at);
        indices = (i32v)blend(value > max, (f32v)(indices - indices + at), (f32v)indices);
        max = maximum(value, max);
    }
    float highest = -INFINITY;
    for (int lane = 0; lane < LANES; lane++)
        if (max[lane] > highest || (max[lane] == highest && indices[lane] + lane < first)) {
            highest = max[lane];
            first = indices[lane] + lane;
        }
    for (; at < count; at++)
        if (numbers[at] > highest) {
            highest = numbers[at];
            first = at;
        }
    return first;
}

/* Finds the first of the highest of count logits; returns its log-probability. NaN where a logit is
   NaN, or where the highest is infinite. */
static float argmax_logprob(const float *logits, int count, int32_t *token)
{
    *token = index_of_max(logits, count);
    float max = logits[*token], total = 0;
    int at = 0;
    f32v totals = {0};
    for (; at + LANES <= count; at += LANES)
        totals += exp_approx(load(logits + at) - max);
    for (; at < count; at++)
        total += exp_approx(splat(logits[at] - max))[0];
    return isfinite(max) ? -logf(total + reduce_add(totals)) : NAN;
}

/* For each row of logits [rows, vocab], rows `stride` apart: the best token and its
   log-probability, or NaN. */
EXPORT int quest22_argmax(const float *logits, int64_t rows, int64_t stride, int64_t vocab,
                          int32_t *tokens, float *logprobs)
{
    if (!logits || !tokens || !logprobs || rows < 0 || vocab < 1 || (rows > 1 && stride < vocab))
        return BAD_ARGUMENT;
    if (rows > MAX_ROWS || vocab > MAX_VOCAB || stride > INT64_MAX / MAX_ROWS)
        return UNSUPPORTED;
    for (int64_t row = 0; row < rows; row++)
        logprobs[row] = argmax_logprob(logits + row * stride, vocab, &tokens[row]);
    return OK;
}

#endif
