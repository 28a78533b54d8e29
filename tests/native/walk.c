/* The native library under a compiler's sanitizers: steps of every kind on random weights.

   Includes the library, so that it is compiled with the same checks. Prints what was wrong; with an
   argument also some of the results, so that those of two instruction sets can be compared. */

#include "native.c"
#include <stdio.h>

enum { LAYERS = 2, WINDOWS = 3, WIDTH = 5, SEQUENCES = WINDOWS * WIDTH, VOCABULARY = 1003 };
enum { FRAMES = 507, STEPS = 9 };
static const int32_t frames[WINDOWS] = {FRAMES, 301, 1};

static bool results_are_shown;

enum { SHOWN = 60 };

/* A line of some of the numbers, evenly spread. */
static void show(const char *name, const float *numbers, size_t count)
{
    if (!results_are_shown)
        return;
    printf("%s", name);
    for (size_t at = 0; at < count; at += count / SHOWN + 1)
        printf(" %.9g", (double)numbers[at]);
    puts("");
}

static float chance(void) { return (float)rand() / (float)RAND_MAX * 2 - 1; }

static float *random_numbers(size_t count)
{
    float *numbers = malloc(count * sizeof *numbers);
    for (size_t each = 0; each < count; each++)
        numbers[each] = 0.1f * chance();
    return numbers;
}

static void expect(Status status, const char *call)
{
    if (status != OK)
        printf("%s gave %d\n", call, status);
}

static void put_decoder(Decoder *decoder, int width)
{
    float *numbers = random_numbers((size_t)width * (VOCABULARY + 4 * width));
    for (int number = 0; number <= 6 * LAYERS; number++) {
        const Linear *layer = decoder_linear(decoder, number);
        for (int first = 0, left; (left = layer->outputs - first) > 0; first += width)
            expect(quest22_decoder_set_linear(decoder, number, first, left < width ? left : width,
                                              layer->inputs, numbers,
                                              layer->outputs % 2 ? NULL : numbers, 0.5f),
                   "set_linear");
    }
    for (int number = 0; number <= 3 * LAYERS; number++)
        expect(quest22_decoder_set_norm(decoder, number, width, numbers, numbers), "set_norm");
    free(numbers);
}

static void *random_kv(size_t count, DType element)
{
    float *numbers = random_numbers(count);
    if (element == FLOAT32)
        return numbers;
    bf16 *narrowed = malloc(count * sizeof *narrowed);
    convert_floats(narrowed, numbers, count, element);
    free(numbers);
    return narrowed;
}

/* A prompt, single tokens, beams that change places, a window that leaves. */
static void walk(Decoder *decoder, int width)
{
    int32_t window_indices[WINDOWS] = {0, 1, 2};
    for (int step = 0, position = 0; step < STEPS; step++) {
        int tokens = step == 0 ? 7 : step == 4 ? 2 : 1, reads = tokens > 1 ? 2 : 1;
        int windows = step > 5 ? WINDOWS - 1 : WINDOWS, sequences = windows * WIDTH;
        window_indices[0] = step > 5 ? WINDOWS - 1 : 0;
        float *x = random_numbers((size_t)sequences * tokens * width);
        float *logits = malloc(sizeof(float) * sequences * reads * VOCABULARY);
        int32_t beams[SEQUENCES], places[2] = {0, tokens - 1}, token;
        float logprob;
        for (int each = 0; each < sequences; each++)
            beams[each] = each / WIDTH * WIDTH + rand() % WIDTH;
        int32_t sizes[] = {sequences, tokens, windows, position, reads};
        expect(quest22_decoder_step(decoder, sizes, x, beams, window_indices, places, logits), "step");
        expect(quest22_argmax(logits, 1, 0, VOCABULARY, &token, &logprob), "argmax");
        if (!isfinite(logprob))
            printf("no logits at step %d\n", step);
        show("logits", logits, (size_t)sequences * reads * VOCABULARY);
        show("logprob", &logprob, 1);
        position += tokens;
        free(x);
        free(logits);
    }
}

/* A single sequence, of which scores are kept, that goes back; then the path through them. */
static void walk_alone(Decoder *decoder, int width)
{
    enum { HEADS = 2, PROMPT = 6 };
    const int32_t heads[] = {LAYERS - 1, 0, 0, decoder->shape.heads - 1}, beam = 0, window = 1;
    float *scores = malloc(sizeof(float) * HEADS * 448 * FRAMES);
    expect(quest22_decoder_keep_scores(decoder, HEADS, heads, scores), "keep_scores");
    for (int step = 0; step < 2; step++) {
        int32_t sizes[] = {1, PROMPT - 2 * step, 1, 2 * step, 1}, place = 0;
        float *x = random_numbers((size_t)PROMPT * width), logits[VOCABULARY];
        expect(quest22_decoder_step(decoder, sizes, x, &beam, &window, &place, logits), "step alone");
        free(x);
    }
    int64_t first[PROMPT];
    expect(quest22_first_frames(scores, PROMPT, frames[window], first), "first_frames");
    if (first[0] || first[PROMPT - 1] >= frames[window])
        puts("no path");
    show("scores", scores, (size_t)PROMPT * frames[window]);
    free(scores);
}

static void run(DType rows, DType weights, DType cross_kv, int threads, int width, int heads)
{
    DecoderShape shape = {LAYERS, width, heads, 4 * width, FRAMES, 448, VOCABULARY};
    Decoder *decoder = NULL;
    expect(quest22_decoder_open(&shape, rows, weights, cross_kv, threads, &decoder), "open");
    const void *keys[LAYERS], *values[LAYERS];
    if (!decoder) {
        puts("not opened");
        return;
    }
    put_decoder(decoder, width);
    for (int layer = 0; layer < LAYERS; layer++) {
        keys[layer] = random_kv((size_t)WINDOWS * width * FRAMES, rows);
        values[layer] = random_kv((size_t)WINDOWS * width * FRAMES, rows);
    }
    size_t numbers = (size_t)WINDOWS * width * FRAMES, channels = (size_t)WINDOWS * width;
    int8_t *int8_kv = malloc(2 * LAYERS * numbers);
    float *scales = malloc(2 * LAYERS * channels * sizeof *scales);
    const float *key_scales[LAYERS], *value_scales[LAYERS];
    KVQuantization quantizations[LAYERS * WINDOWS];
    int32_t quantized_frames[LAYERS * WINDOWS];
    for (int each = 0; each < LAYERS * WINDOWS; each++) {
        int layer = each / WINDOWS, window = each % WINDOWS;
        quantized_frames[each] = frames[window];
        size_t from = window * numbers / WINDOWS, channel = window * channels / WINDOWS;
        quantizations[each] = (KVQuantization){
            (const char *)keys[layer] + from * DTYPE_BYTES[rows],
            (const char *)values[layer] + from * DTYPE_BYTES[rows],
            int8_kv + 2 * layer * numbers + from, int8_kv + (2 * layer + 1) * numbers + from,
            scales + 2 * layer * channels + channel, scales + (2 * layer + 1) * channels + channel};
    }
    expect(quest22_quantize_kv(decoder, LAYERS * WINDOWS, quantized_frames, quantizations), "quantize");
    const void *kv_keys[LAYERS], *kv_values[LAYERS];
    for (int layer = 0; layer < LAYERS; layer++) {
        kv_keys[layer] = cross_kv == INT8 ? int8_kv + 2 * layer * numbers : keys[layer];
        kv_values[layer] = cross_kv == INT8 ? int8_kv + (2 * layer + 1) * numbers : values[layer];
        key_scales[layer] = scales + 2 * layer * channels;
        value_scales[layer] = scales + (2 * layer + 1) * channels;
    }
    expect(quest22_decoder_begin(decoder, WINDOWS, SEQUENCES, frames, kv_keys, kv_values, key_scales,
                                 value_scales), "begin");
    walk(decoder, width);
    expect(quest22_decoder_begin(decoder, WINDOWS, 1, frames, kv_keys, kv_values, key_scales,
                                 value_scales), "begin alone");
    walk_alone(decoder, width);
    quest22_decoder_close(decoder);
    free(int8_kv);
    free(scales);
    for (int layer = 0; layer < LAYERS; layer++) {
        free((void *)keys[layer]);
        free((void *)values[layer]);
    }
}

enum { MELS = 10 };

static void put_encoder(Encoder *encoder, int width)
{
    float *numbers = random_numbers((size_t)FRAMES * width + 4 * width * width);
    for (int number = 0; number < 4 * LAYERS + 2 + LAYERS; number++) {
        const Linear *layer = encoder_linear(encoder, number);
        for (int first = 0, left; (left = layer->outputs - first) > 0; first += width)
            expect(quest22_encoder_set_linear(encoder, number, first, left < width ? left : width,
                                              layer->inputs, numbers, numbers, 0.5f),
                   "set_linear");
    }
    for (int number = 0; number <= 2 * LAYERS; number++)
        expect(quest22_encoder_set_norm(encoder, number, width, numbers, numbers), "set_norm");
    expect(quest22_encoder_set_positions(encoder, FRAMES, width, numbers), "set_positions");
    free(numbers);
}

static float output(const void *numbers, int at, size_t bytes)
{
    return bytes == sizeof(bf16) ? from_bf16(((const bf16 *)numbers)[at])
                                 : ((const float *)numbers)[at];
}

static void encode_windows(DType rows, DType weights, int threads, int width, int heads)
{
    EncoderShape shape = {LAYERS, width, heads, 4 * width, MELS, FRAMES, LAYERS, heads};
    Encoder *encoder = NULL;
    expect(quest22_encoder_open(&shape, rows, weights, threads, &encoder), "open");
    const size_t bytes = DTYPE_BYTES[quest22_encoder_dtype() == INT16 ? FLOAT32 : BFLOAT16];
    const float *features[WINDOWS];
    void *keys[WINDOWS * LAYERS], *values[WINDOWS * LAYERS];
    if (!encoder) {
        puts("not opened");
        return;
    }
    put_encoder(encoder, width);
    for (int window = 0; window < WINDOWS; window++)
        features[window] = random_numbers((size_t)MELS * 2 * frames[window]);
    for (int each = 0; each < WINDOWS * LAYERS; each++) {
        size_t count = (size_t)width * frames[each / LAYERS];
        keys[each] = malloc(count * bytes);
        values[each] = malloc(count * bytes);
    }
    for (int windows = 1; windows <= WINDOWS; windows += 2)
        expect(quest22_encoder_run(encoder, windows, frames, features, keys, values), "run");
    for (int each = 0; each < WINDOWS * LAYERS; each++) {
        int count = width * frames[each / LAYERS];
        float sums[count];
        for (int at = 0; at < count; at++) {
            sums[at] = output(keys[each], at, bytes) - 2 * output(values[each], at, bytes);
            if (!isfinite(sums[at]))
                puts("not a number");
        }
        show("encoded", sums, count);
        free(keys[each]);
        free(values[each]);
    }
    for (int window = 0; window < WINDOWS; window++)
        free((void *)features[window]);
    quest22_encoder_close(encoder);
}

/* Frames that end beyond the sound, and a row that is wider than they are. */
static void make_mels(void)
{
    enum { COUNT = 1234, ALL = 19, WIDE = 21, BANDS = 10 };
    float *samples = random_numbers(COUNT), *numbers = random_numbers(3 * N_FFT + BANDS * BINS);
    float *mels = malloc(BANDS * WIDE * sizeof *mels);
    MelTables tables = {numbers, numbers + N_FFT, numbers + 3 * N_FFT};
    for (int each = 0; each < BANDS * BINS; each++)
        numbers[3 * N_FFT + each] = each % BINS < 20 || each < BINS ? 0 : fabsf(chance());
    expect(quest22_log_mel(&tables, BANDS, samples, COUNT, ALL, mels, WIDE), "log_mel");
    for (int band = 0; band < BANDS; band++) {
        for (int frame = 0; frame < ALL; frame++)
            if (!isfinite(mels[band * WIDE + frame]))
                puts("not a number");
        show("mels", mels + band * WIDE, ALL);
    }
    free(samples);
    free(numbers);
    free(mels);
}

/* A layer is compact where float16 holds all of its weights, and stays as it is where it does not. */
static void compact_layers(void)
{
    enum { OUTPUTS = 21, INPUTS = 6 };
    float weights[OUTPUTS * INPUTS];
    for (int rest = 0; rest < 2; rest++) {
        Linear layer = {0};
        for (int each = 0; each < OUTPUTS * INPUTS; each++)
            weights[each] = (float)each / 64;
        weights[OUTPUTS * INPUTS - 1] += rest * 0x1p-13f;
        LinearWeights given = {0, OUTPUTS, INPUTS, weights, NULL, 0.5f};
        linear_init(&layer, OUTPUTS, INPUTS, FLOAT32, FLOAT32);
        expect(linear_set(&layer, &given), "set");
        expect(linear_compact(&layer), "compact");
        if (layer.weights != (rest ? FLOAT32 : FLOAT16))
            printf("weights are of type %d\n", layer.weights);
        linear_free(&layer);
    }
}

int main(int count, char **arguments)
{
    (void)arguments;
    results_are_shown = count > 1;
    make_mels();
    compact_layers();
    /* Results are the same with any number of threads, and QEMU is slow. */
    for (int threads = results_are_shown ? 3 : 1; threads <= 3; threads += 2)
        for (int wide = 0; wide < 2; wide++) {
            int width = !wide ? 60 : results_are_shown ? 96 : 320, heads = width == 96 ? 3 : 5;
            encode_windows(CONV_DTYPE, CONV_DTYPE, threads, width, heads);
            encode_windows(CONV_DTYPE, INT8, threads, width, heads);
            if (wide)
                encode_windows(CONV_DTYPE, INT4, threads, width, heads);
            if (HAS_QUAD_PRODUCTS)
                encode_windows(INT8, INT8, threads, width, heads);
            for (int int8 = results_are_shown && !wide ? 4 : 0; int8 < 4; int8++) {
                width = wide ? 128 : 72, heads = wide ? 2 : 3;
                run(FLOAT32, int8 & 1 ? INT8 : FLOAT32, int8 & 2 ? INT8 : FLOAT32, threads, width,
                    heads);
                run(FLOAT32, INT16, int8 & 2 ? INT8 : FLOAT32, threads, width, heads);
                run(FLOAT32, INT4, int8 & 2 ? INT8 : FLOAT32, threads, wide ? 128 : 96, heads);
#if defined(__AVX512BF16__)
                run(BFLOAT16, int8 & 1 ? INT8 : BFLOAT16, int8 & 2 ? INT8 : BFLOAT16, threads,
                    width, heads);
                run(BFLOAT16, INT4, int8 & 2 ? INT8 : BFLOAT16, threads, wide ? 128 : 96, heads);
#endif
            }
        }
    return 0;
}
