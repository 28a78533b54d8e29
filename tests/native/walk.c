/* The native library under a compiler's sanitizers: steps of every kind on random weights.

   Includes the library, so that it is compiled with the same checks. Prints what was wrong. */

#include "native.c"
#include <stdio.h>

enum { LAYERS = 2, WINDOWS = 3, WIDTH = 5, SEQUENCES = WINDOWS * WIDTH, VOCABULARY = 1003 };
enum { FRAMES = 507, STEPS = 9 };

static float chance(void) { return (float)rand() / (float)RAND_MAX * 2 - 1; }

static float *random_numbers(size_t count)
{
    float *numbers = malloc(count * sizeof *numbers);
    for (size_t each = 0; each < count; each++)
        numbers[each] = 0.1f * chance();
    return numbers;
}

static void put_weights(Linear *layer, const float *numbers, int width)
{
    for (int first = 0; first < layer->outputs; first += width) {
        int left = layer->outputs - first;
        quest22_put_linear(layer, first, left < width ? left : width, numbers,
                           layer->outputs % 2 ? NULL : numbers, 0.5f);
    }
}

static void put_decoder(Decoder *decoder, int width)
{
    float *numbers = random_numbers((size_t)width * (VOCABULARY + 4 * width));
    for (int number = 0; number <= 6 * LAYERS; number++)
        put_weights(quest22_decoder_linear(decoder, number), numbers, width);
    for (int number = 0; number <= 3 * LAYERS; number++)
        quest22_put_norm(quest22_decoder_norm(decoder, number), numbers, numbers, width);
    free(numbers);
}

static void *random_sound(size_t count, Element element)
{
    float *numbers = random_numbers(count);
    if (element == FLOAT32)
        return numbers;
    bf16 *narrowed = malloc(count * sizeof *narrowed);
    narrow(narrowed, numbers, count, element);
    free(numbers);
    return narrowed;
}

/* A prompt, single tokens, beams that change places, a window that leaves. */
static void walk(Decoder *decoder, int width)
{
    int32_t heard[WINDOWS] = {0, 1, 2};
    for (int step = 0, position = 0; step < STEPS; step++) {
        int tokens = step == 0 ? 7 : step == 4 ? 2 : 1, reads = tokens > 1 ? 2 : 1;
        int windows = step > 5 ? WINDOWS - 1 : WINDOWS, sequences = windows * WIDTH;
        heard[0] = step > 5 ? WINDOWS - 1 : 0;
        float *x = random_numbers((size_t)sequences * tokens * width);
        float *logits = malloc(sizeof(float) * sequences * reads * VOCABULARY);
        int32_t beams[SEQUENCES], places[2] = {0, tokens - 1}, token;
        for (int each = 0; each < sequences; each++)
            beams[each] = each / WIDTH * WIDTH + rand() % WIDTH;
        int32_t sizes[] = {sequences, tokens, windows, position, reads};
        if (quest22_step(decoder, sizes, x, beams, heard, places, logits)
            || !isfinite(quest22_likeliest(logits, VOCABULARY, &token)))
            printf("no logits at step %d\n", step);
        position += tokens;
        free(x);
        free(logits);
    }
}

static void run(Element rows, Element weights, Element kept, int threads, int width, int heads)
{
    Shape shape = {LAYERS, width, heads, 4 * width, FRAMES, 448, VOCABULARY};
    Decoder *decoder = quest22_decoder_open(&shape, rows, weights, kept, threads);
    const void *keys[LAYERS], *values[LAYERS];
    if (!decoder) {
        puts("not opened");
        return;
    }
    put_decoder(decoder, width);
    for (int layer = 0; layer < LAYERS; layer++) {
        keys[layer] = random_sound((size_t)WINDOWS * width * FRAMES, rows);
        values[layer] = random_sound((size_t)WINDOWS * width * FRAMES, rows);
    }
    size_t numbers = (size_t)WINDOWS * width * FRAMES, channels = (size_t)WINDOWS * width;
    int8_t *rounded = malloc(2 * LAYERS * numbers);
    float *scales = malloc(2 * LAYERS * channels * sizeof *scales);
    const float *key_scales[LAYERS], *value_scales[LAYERS];
    Rounding roundings[LAYERS * WINDOWS];
    for (int each = 0; each < LAYERS * WINDOWS; each++) {
        int layer = each / WINDOWS, window = each % WINDOWS;
        size_t from = window * numbers / WINDOWS, channel = window * channels / WINDOWS;
        roundings[each] = (Rounding){
            (const char *)keys[layer] + from * ELEMENT_BYTES[rows],
            (const char *)values[layer] + from * ELEMENT_BYTES[rows],
            rounded + 2 * layer * numbers + from, rounded + (2 * layer + 1) * numbers + from,
            scales + 2 * layer * channels + channel, scales + (2 * layer + 1) * channels + channel};
    }
    quest22_round(decoder, LAYERS * WINDOWS, roundings);
    const void *heard_keys[LAYERS], *heard_values[LAYERS];
    for (int layer = 0; layer < LAYERS; layer++) {
        heard_keys[layer] = kept == INT8 ? rounded + 2 * layer * numbers : keys[layer];
        heard_values[layer] = kept == INT8 ? rounded + (2 * layer + 1) * numbers : values[layer];
        key_scales[layer] = scales + 2 * layer * channels;
        value_scales[layer] = scales + (2 * layer + 1) * channels;
    }
    quest22_begin(decoder, SEQUENCES, heard_keys, heard_values, key_scales, value_scales);
    walk(decoder, width);
    quest22_decoder_close(decoder);
    free(rounded);
    free(scales);
    for (int layer = 0; layer < LAYERS; layer++) {
        free((void *)keys[layer]);
        free((void *)values[layer]);
    }
}

#if defined(__AVX512BF16__)
enum { MELS = 10 };

static void put_encoder(Encoder *encoder, int width)
{
    float *numbers = random_numbers((size_t)FRAMES * width + 4 * width * width);
    for (int number = 0; number < 4 * LAYERS + 2 + LAYERS; number++)
        put_weights(quest22_encoder_linear(encoder, number), numbers, width);
    for (int number = 0; number <= 2 * LAYERS; number++)
        quest22_put_norm(quest22_encoder_norm(encoder, number), numbers, numbers, width);
    quest22_encoder_put_places(encoder, numbers);
    free(numbers);
}

static void listen_to(Element rows, int threads, int width, int heads)
{
    EncoderShape shape = {LAYERS, width, heads, 4 * width, MELS, FRAMES, LAYERS, heads};
    Encoder *encoder = quest22_encoder_open(&shape, rows, threads);
    size_t count = (size_t)width * FRAMES;
    const float *features[WINDOWS];
    void *keys[WINDOWS * LAYERS], *values[WINDOWS * LAYERS];
    if (!encoder) {
        puts("not opened");
        return;
    }
    put_encoder(encoder, width);
    for (int window = 0; window < WINDOWS; window++)
        features[window] = random_numbers((size_t)MELS * 2 * FRAMES);
    for (int each = 0; each < WINDOWS * LAYERS; each++) {
        keys[each] = malloc(count * sizeof(bf16));
        values[each] = malloc(count * sizeof(bf16));
    }
    for (int windows = 1; windows <= WINDOWS; windows += 2)
        if (quest22_listen(encoder, windows, features, keys, values))
            puts("not heard");
    for (int each = 0; each < WINDOWS * LAYERS; each++) {
        for (size_t at = 0; at < count; at++)
            if (!isfinite(from_bf16(((bf16 *)keys[each])[at]) + from_bf16(((bf16 *)values[each])[at])))
                puts("not a number");
        free(keys[each]);
        free(values[each]);
    }
    for (int window = 0; window < WINDOWS; window++)
        free((void *)features[window]);
    quest22_encoder_close(encoder);
}
#endif

/* Frames that end beyond the sound, and a row that is wider than they are. */
static void make_mels(void)
{
    enum { COUNT = 1234, ALL = 19, WIDE = 21, BANDS = 10 };
    float *samples = random_numbers(COUNT), *numbers = random_numbers(3 * FRAME + BANDS * BINS);
    float *mels = malloc(BANDS * WIDE * sizeof *mels);
    MelTables tables = {numbers, numbers + FRAME, numbers + 3 * FRAME};
    for (int each = 0; each < BANDS * BINS; each++)
        numbers[3 * FRAME + each] = each % BINS < 20 || each < BINS ? 0 : fabsf(chance());
    quest22_log_mel(&tables, BANDS, samples, COUNT, ALL, mels, WIDE);
    for (int band = 0; band < BANDS; band++)
        for (int frame = 0; frame < ALL; frame++)
            if (!isfinite(mels[band * WIDE + frame]))
                puts("not a number");
    free(samples);
    free(numbers);
    free(mels);
}

int main(void)
{
    make_mels();
    for (int threads = 1; threads <= 3; threads++)
        for (int wide = 0; wide < 2; wide++) {
#if defined(__AVX512BF16__)
            for (int int8 = 0; int8 < 2; int8++)
                listen_to(int8 ? INT8 : BFLOAT16, threads, wide ? 320 : 60, 5);
#endif
            for (int int8 = 0; int8 < 4; int8++) {
                int width = wide ? 128 : 72, heads = wide ? 2 : 3;
                run(FLOAT32, int8 & 1 ? INT8 : FLOAT32, int8 & 2 ? INT8 : FLOAT32, threads, width,
                    heads);
#if defined(__AVX512BF16__)
                run(BFLOAT16, int8 & 1 ? INT8 : BFLOAT16, int8 & 2 ? INT8 : BFLOAT16, threads,
                    width, heads);
#endif
            }
        }
    return 0;
}
