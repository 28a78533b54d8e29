/* Dynamic time warping, as src/quest22/decoding/dtw.py describes it. */
#ifndef QUEST22_DTW_H
#define QUEST22_DTW_H

#include <math.h>
#include <stdlib.h>

#include "status.h"

enum { DIAGONAL, NEXT_TOKEN, NEXT_FRAME };

/* The steps into the cells of one token. sums: [frames + 1] of the token before it with one more in
   front, replaced by the token's own. */
static void dtw_row(const float *cost, int64_t frames, double *sums, int8_t *steps)
{
    double diagonal = sums[0];
    sums[0] = INFINITY;
    for (int64_t frame = 0; frame < frames; frame++) {
        double token = sums[frame + 1], before = sums[frame], cheapest = before;
        steps[frame] = NEXT_FRAME;
        if (diagonal < token && diagonal < before) {
            steps[frame] = DIAGONAL;
            cheapest = diagonal;
        } else if (token < diagonal && token < before) {
            steps[frame] = NEXT_TOKEN;
            cheapest = token;
        }
        sums[frame + 1] = cost[frame] + cheapest;
        diagonal = token;
    }
}

static void dtw_trace(const int8_t *steps, int64_t tokens, int64_t frames, int64_t *first)
{
    int64_t token = tokens - 1, frame = frames - 1;
    while (token > 0) {
        int8_t step = frame ? steps[token * frames + frame] : NEXT_TOKEN; /* NaN has no path */
        if (step != NEXT_FRAME)
            first[token--] = frame;
        if (step != NEXT_TOKEN)
            frame--;
    }
    first[0] = 0;
}

/* The frame at which the cheapest path through cost [tokens, frames] reaches each token. */
EXPORT int quest22_first_frames(const float *cost, int64_t tokens, int64_t frames, int64_t *first)
{
    if (!cost || !first || tokens < 1 || frames < 1)
        return BAD_ARGUMENT;
    if (tokens > MAX_POSITIONS || frames > MAX_FRAMES)
        return UNSUPPORTED;
    int8_t *steps = malloc(tokens * frames);
    double *sums = malloc((frames + 1) * sizeof *sums);
    if (steps && sums) {
        for (int64_t frame = 1; frame <= frames; frame++)
            sums[frame] = INFINITY;
        sums[0] = 0;
        for (int64_t token = 0; token < tokens; token++)
            dtw_row(cost + token * frames, frames, sums, steps + token * frames);
        dtw_trace(steps, tokens, frames, first);
    }
    Status status = steps && sums ? OK : NO_MEMORY;
    free(steps);
    free(sums);
    return status;
}

#endif
