/* Log-mel power of frames of sound: sixteen frames at a time, lanes side by side.

   A frame's 400 samples are 200 complex numbers, even samples and odd ones; their transform
   (Stockham's in passes of 8, 5 and 5, see Van Loan 1992) tells that of the frame. */
#ifndef QUEST22_MEL_H
#define QUEST22_MEL_H

#include "vectors.h"

enum { FRAME = 400, HOP = 160, HALF = FRAME / 2, BINS = HALF + 1, HOPS = LANES + FRAME / HOP };

typedef struct Complex {
    f32x16 real, imaginary;
} Complex;

/* What log-mel is made with, as Python has it. */
typedef struct MelTables {
    const float *window;  /* [FRAME] */
    const float *roots;   /* [FRAME, 2]: e to the power of -2 pi i n / FRAME */
    const float *filters; /* [mels, BINS] */
} MelTables;

/* Transforms of `length` numbers each, side by side, become `radix` times as many, shorter. */
INLINE void transform_pass(const int radix, const Complex *from, Complex *to, int length,
                           const float *roots)
{
    int step = HALF / length, part = length / radix;
    for (int first = 0; first < part; first++)
#pragma GCC unroll 8
        for (int k = 0; k < radix; k++)
            for (int each = 0; each < step; each++) {
                Complex sum = {{0}, {0}};
#pragma GCC unroll 8
                for (int j = 0; j < radix; j++) {
                    Complex x = from[each + step * (first + part * j)];
                    int turn = k * first * step + k * j % radix * (HALF / radix);
                    const float *root = roots + 4 * (turn < HALF ? turn : turn - HALF);
                    sum.real += x.real * root[0] - x.imaginary * root[1];
                    sum.imaginary += x.real * root[1] + x.imaginary * root[0];
                }
                to[each + step * (radix * first + k)] = sum;
            }
}

/* Sixteen frames' samples, times the window; frame i begins at sample HOP i, and there are count. */
static void window_frames(const float *samples, long count, const float *window, Complex *to)
{
    float columns[HOP][2 * LANES] = {{0}};
    for (int hop = 0; hop < HOPS; hop++)
        for (int place = 0; place < HOP && hop * HOP + place < count; place++)
            columns[place][hop] = samples[hop * HOP + place];
    for (int sample = 0; sample < FRAME; sample += 2) {
        const float *even = columns[sample % HOP] + sample / HOP;
        to[sample / 2].real = load(even) * window[sample];
        to[sample / 2].imaginary = load(even + 2 * LANES) * window[sample + 1];
    }
}

/* The power of each bin, from the transform of even samples and odd ones. */
static void put_power(const Complex *transform, const float *roots, f32x16 *power)
{
    for (int bin = 0; bin < BINS; bin++) {
        Complex one = transform[bin % HALF], other = transform[(HALF - bin) % HALF];
        f32x16 even_real = one.real + other.real, even_imaginary = one.imaginary - other.imaginary;
        f32x16 odd_real = one.imaginary + other.imaginary, odd_imaginary = other.real - one.real;
        const float *root = roots + 2 * bin;
        f32x16 real = even_real + odd_real * root[0] - odd_imaginary * root[1];
        f32x16 imaginary = even_imaginary + odd_real * root[1] + odd_imaginary * root[0];
        power[bin] = 0.25f * (real * real + imaginary * imaginary);
    }
}

/* log10 of x > 0: x = m 2^e, m from 0.75 to 1.5, and the series of 2 artanh((m - 1) / (m + 1)). */
INLINE f32x16 decimal_logarithm(f32x16 x)
{
    f32x16 m = (f32x16)_mm512_getmant_ps((__m512)x, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_zero);
    f32x16 e = (f32x16)_mm512_getexp_ps((__m512)x);
    e += choose(m < 1.0f, splat(1.0f), splat(0.0f));
    f32x16 t = (m - 1.0f) / (m + 1.0f), square = t * t, sum = splat(1.0f / 9);
    sum = sum * square + 1.0f / 7;
    sum = sum * square + 1.0f / 5;
    sum = sum * square + 1.0f / 3;
    sum = sum * square + 1.0f;
    return e * 0.301029996f + t * sum * 0.868588964f;
}

/* The bins that a filter lets through. */
typedef struct Band {
    int first, end;
} Band;

static Band band_of(const float *filter)
{
    Band band = {0, BINS};
    while (band.first < BINS && filter[band.first] == 0)
        band.first++;
    while (band.end > band.first && filter[band.end - 1] == 0)
        band.end--;
    return band;
}

static void put_mels(const f32x16 *power, const float *filters, const Band *bands, int mels,
                     int frames, float *to, size_t stride)
{
    for (int mel = 0; mel < mels; mel++, filters += BINS, to += stride) {
        f32x16 sum = {0};
        for (int bin = bands[mel].first; bin < bands[mel].end; bin++)
            sum += filters[bin] * power[bin];
        f32x16 decimal = decimal_logarithm(greater(sum, splat(1e-10f)));
        memcpy(to, &decimal, (frames < LANES ? frames : LANES) * sizeof(float));
    }
}

/* to [mels, frames], rows `stride` apart: frame t begins at sample HOP t of count; zeros beyond. */
EXPORT void quest22_log_mel(const MelTables *tables, int mels, const float *samples, long count,
                            int frames, float *to, long stride)
{
    Complex some[HALF], others[HALF];
    f32x16 power[BINS];
    Band bands[mels];
    for (int mel = 0; mel < mels; mel++)
        bands[mel] = band_of(tables->filters + mel * BINS);
    for (int frame = 0; frame < frames; frame += LANES) {
        long first = (long)frame * HOP;
        window_frames(samples + first, count - first, tables->window, some);
        transform_pass(8, some, others, HALF, tables->roots);
        transform_pass(5, others, some, HALF / 8, tables->roots);
        transform_pass(5, some, others, HALF / 40, tables->roots);
        put_power(others, tables->roots, power);
        put_mels(power, tables->filters, bands, mels, frames - frame, to + frame, stride);
    }
}

#endif
