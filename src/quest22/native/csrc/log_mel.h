/* Log-mel power of audio frames, LANES frames at a time in the lanes of vectors.

   A real frame of 400 samples is transformed as 200 complex numbers, its even and odd samples
   (Stockham's FFT in passes of radix 8, 5 and 5; Van Loan 1992, "Computational Frameworks for the
   Fast Fourier Transform"). */
#ifndef QUEST22_LOG_MEL_H
#define QUEST22_LOG_MEL_H

#include "simd.h"
#include "status.h"

enum { N_FFT = 400, HOP = 160, HALF = N_FFT / 2, BINS = HALF + 1, HOPS = LANES + N_FFT / HOP };

/* Of one call: 37 hours. */
enum { MAX_SAMPLES = INT32_MAX };

typedef struct Complex {
    f32v real, imaginary;
} Complex;

/* The tables that Python makes. */
typedef struct MelTables {
    const float *window;  /* [N_FFT] */
    const float *roots;   /* [N_FFT, 2]: e^(-2 pi i n / N_FFT) */
    const float *filters; /* [mels, BINS] */
} MelTables;

/* One pass: transforms of `length` numbers, side by side, become `radix` times as many, shorter. */
INLINE void fft_pass(const int radix, const Complex *from, Complex *to, int length,
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
                    int power = k * first * step + k * j % radix * (HALF / radix);
                    const float *root = roots + 4 * (power < HALF ? power : power - HALF);
                    sum.real += x.real * root[0] - x.imaginary * root[1];
                    sum.imaginary += x.real * root[1] + x.imaginary * root[0];
                }
                to[each + step * (radix * first + k)] = sum;
            }
}

/* Samples of LANES frames, times the window. Frame i begins at sample HOP * i of count. */
static void window_frames(const float *samples, long count, const float *window, Complex *to)
{
    float columns[HOP][2 * LANES] = {{0}};
    for (int hop = 0; hop < HOPS; hop++)
        for (int column = 0; column < HOP && hop * HOP + column < count; column++)
            columns[column][hop] = samples[hop * HOP + column];
    for (int sample = 0; sample < N_FFT; sample += 2) {
        const float *even = columns[sample % HOP] + sample / HOP;
        to[sample / 2].real = load(even) * window[sample];
        to[sample / 2].imaginary = load(even + 2 * LANES) * window[sample + 1];
    }
}

/* The power spectrum of real frames from the transform of their even and odd samples. */
static void power_spectrum(const Complex *transform, const float *roots, f32v *power)
{
    for (int bin = 0; bin < BINS; bin++) {
        Complex one = transform[bin % HALF], other = transform[(HALF - bin) % HALF];
        f32v even_real = one.real + other.real, even_imaginary = one.imaginary - other.imaginary;
        f32v odd_real = one.imaginary + other.imaginary, odd_imaginary = other.real - one.real;
        const float *root = roots + 2 * bin;
        f32v real = even_real + odd_real * root[0] - odd_imaginary * root[1];
        f32v imaginary = even_imaginary + odd_real * root[1] + odd_imaginary * root[0];
        power[bin] = 0.25f * (real * real + imaginary * imaginary);
    }
}

/* log10 of x > 0: x = m 2^e with m from 0.75 to 1.5, and the series of
   2 artanh((m - 1) / (m + 1)). */
INLINE f32v log10_approx(f32v x)
{
    f32v e, m = split_exponent(x, &e);
    f32v t = (m - 1.0f) / (m + 1.0f), square = t * t, sum = splat(1.0f / 9);
    sum = sum * square + 1.0f / 7;
    sum = sum * square + 1.0f / 5;
    sum = sum * square + 1.0f / 3;
    sum = sum * square + 1.0f;
    return e * 0.301029996f + t * sum * 0.868588964f;
}

/* The bins where a mel filter is not zero. */
typedef struct FilterRange {
    int first, end;
} FilterRange;

static FilterRange nonzero_range(const float *filter)
{
    FilterRange range = {0, BINS};
    while (range.first < BINS && filter[range.first] == 0)
        range.first++;
    while (range.end > range.first && filter[range.end - 1] == 0)
        range.end--;
    return range;
}

static void apply_filters(const f32v *power, const float *filters, const FilterRange *ranges,
                          int mels, int frames, float *to, size_t stride)
{
    for (int mel = 0; mel < mels; mel++, filters += BINS, to += stride) {
        f32v sum = {0};
        for (int bin = ranges[mel].first; bin < ranges[mel].end; bin++)
            sum += filters[bin] * power[bin];
        f32v decimal = log10_approx(maximum(sum, splat(1e-10f)));
        memcpy(to, &decimal, (frames < LANES ? frames : LANES) * sizeof(float));
    }
}

static Status check_log_mel(const MelTables *tables, int64_t mels, const float *samples,
                            int64_t count, int64_t frames, const float *to, int64_t stride)
{
    if (!tables || !tables->window || !tables->roots || !tables->filters || !samples || !to
        || mels < 1 || count < 0 || frames < 0 || stride < frames)
        return BAD_ARGUMENT;
    return mels > MAX_MELS || count > MAX_SAMPLES || frames > MAX_SAMPLES / HOP
        || stride > MAX_SAMPLES ? UNSUPPORTED : OK;
}

static void log_mel(const MelTables *tables, int mels, const float *samples, long count,
                    int frames, float *to, long stride)
{
    Complex some[HALF], others[HALF];
    f32v power[BINS];
    FilterRange ranges[mels];
    for (int mel = 0; mel < mels; mel++)
        ranges[mel] = nonzero_range(tables->filters + mel * BINS);
    for (int frame = 0; frame < frames; frame += LANES) {
        long first = (long)frame * HOP;
        window_frames(samples + first, count - first, tables->window, some);
        fft_pass(8, some, others, HALF, tables->roots);
        fft_pass(5, others, some, HALF / 8, tables->roots);
        fft_pass(5, some, others, HALF / 40, tables->roots);
        power_spectrum(others, tables->roots, power);
        apply_filters(power, tables->filters, ranges, mels, frames - frame, to + frame, stride);
    }
}

/* Fills to [mels, frames], rows `stride` apart. Frame t begins at sample HOP * t of count; zeros
   follow the last sample. */
EXPORT int quest22_log_mel(const MelTables *tables, int64_t mels, const float *samples,
                           int64_t count, int64_t frames, float *to, int64_t stride)
{
    Status status = check_log_mel(tables, mels, samples, count, frames, to, stride);
    if (status == OK)
        log_mel(tables, mels, samples, count, frames, to, stride);
    return status;
}

#endif
