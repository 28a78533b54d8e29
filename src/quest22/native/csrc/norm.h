/* What layer normalisation multiplies with and adds. */
#ifndef QUEST22_NORM_H
#define QUEST22_NORM_H

#include <stdbool.h>
#include <stdlib.h>

#include "vectors.h"

typedef struct Norm {
    float *weight, *bias;
} Norm;

static bool norm_make(Norm *norm, int width)
{
    norm->weight = calloc(width, sizeof(float));
    norm->bias = calloc(width, sizeof(float));
    return norm->weight && norm->bias;
}

EXPORT void quest22_put_norm(Norm *norm, const float *weight, const float *bias, int width)
{
    memcpy(norm->weight, weight, width * sizeof(float));
    memcpy(norm->bias, bias, width * sizeof(float));
}

static void norm_free(Norm *norm)
{
    free(norm->weight);
    free(norm->bias);
}

#endif
