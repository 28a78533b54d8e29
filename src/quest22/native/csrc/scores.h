/* The likeliest token by its logits. */
#ifndef QUEST22_SCORES_H
#define QUEST22_SCORES_H

#include "vectors.h"

/* The first of the highest of count numbers. */
static int first_highest(const float *numbers, int count)
{
    f32x16 most = splat(-INFINITY);
    i32x16 where = {0};
    int at = 0, first = count - 1;
    for (; at + LANES <= count; at += LANES) {
        foresee(numbers + at);
        f32x16 value = load(numbers + at);
        where = (i32x16)choose(value > most, (f32x16)(where - where + at), (f32x16)where);
        most = greater(value, most);
    }
    float highest = -INFINITY;
    for (int lane = 0; lane < LANES; lane++)
        if (most[lane] > highest || (most[lane] == highest && where[lane] + lane < first)) {
            highest = most[lane];
            first = where[lane] + lane;
        }
    for (; at < count; at++)
        if (numbers[at] > highest) {
            highest = numbers[at];
            first = at;
        }
    return first;
}

/* The first of the highest of count logits, and its log-probability. Not a number where one of the
   logits is none, or where the highest is infinite. */
EXPORT float quest22_likeliest(const float *logits, int count, int32_t *token)
{
    *token = first_highest(logits, count);
    float most = logits[*token], total = 0;
    int at = 0;
    f32x16 totals = {0};
    for (; at + LANES <= count; at += LANES)
        totals += exponential(load(logits + at) - most);
    for (; at < count; at++)
        total += exponential(splat(logits[at] - most))[0];
    return isfinite(most) ? -logf(total + sum(totals)) : NAN;
}

#endif
