/* The weights of layer normalisation. */
#ifndef QUEST22_LAYER_NORM_H
#define QUEST22_LAYER_NORM_H

#include <stdlib.h>

#include "simd.h"
#include "status.h"

typedef struct LayerNorm {
    float *weight, *bias;
} LayerNorm;

static bool layer_norm_init(LayerNorm *norm, int width)
{
    norm->weight = calloc(width, sizeof(float));
    norm->bias = calloc(width, sizeof(float));
    return norm->weight && norm->bias;
}

static Status layer_norm_set(LayerNorm *norm, int width, int64_t given, const float *weight,
                             const float *bias)
{
    if (!norm || !weight || !bias || given != width)
        return BAD_ARGUMENT;
    memcpy(norm->weight, weight, width * sizeof(float));
    memcpy(norm->bias, bias, width * sizeof(float));
    return OK;
}

static void layer_norm_free(LayerNorm *norm)
{
    free(norm->weight);
    free(norm->bias);
}

#endif
