/* A small decoder with random weights, for the C tests. Includes the library itself. */

#include "native.c"
#include <stdio.h>

enum { LAYERS = 2, WIDTH = 24, HEADS = 3, FFN = 48, FRAMES = 40, POSITIONS = 16, VOCAB = 33 };
enum { WINDOWS = 2, BEAMS = 2, SEQUENCES = WINDOWS * BEAMS };
enum { KV_COUNT = WINDOWS * WIDTH * FRAMES };

static const DecoderShape SHAPE = {LAYERS, WIDTH, HEADS, FFN, FRAMES, POSITIONS, VOCAB};

static const void *kv[LAYERS];
static const int32_t frames[WINDOWS] = {FRAMES, FRAMES - 17};

static void fill_random(float *numbers, size_t count)
{
    for (size_t each = 0; each < count; each++)
        numbers[each] = ((float)rand() / (float)RAND_MAX - 0.5f) * 0.2f;
}

static Decoder *open_small_decoder(int threads)
{
    static float numbers[FFN * 3 * WIDTH], keys_or_values[KV_COUNT];
    Decoder *decoder = NULL;
    if (quest22_decoder_open(&SHAPE, FLOAT32, FLOAT32, FLOAT32, threads, &decoder) != OK)
        return NULL;
    fill_random(numbers, sizeof numbers / sizeof *numbers);
    fill_random(keys_or_values, KV_COUNT);
    for (int number = 0; number <= 6 * LAYERS; number++) {
        const Linear *layer = decoder_linear(decoder, number);
        quest22_decoder_set_linear(decoder, number, 0, layer->outputs, layer->inputs, numbers,
                                   numbers, 1.0f);
    }
    for (int number = 0; number <= 3 * LAYERS; number++)
        quest22_decoder_set_norm(decoder, number, WIDTH, numbers, numbers);
    for (int layer = 0; layer < LAYERS; layer++)
        kv[layer] = keys_or_values;
    return decoder;
}

static Status begin(Decoder *decoder, int64_t windows, int64_t sequences)
{
    return quest22_decoder_begin(decoder, windows, sequences, frames, kv, kv, NULL, NULL);
}

/* The first token of all sequences: logits [SEQUENCES, VOCAB]. */
static Status first_step(Decoder *decoder, float *logits)
{
    const int32_t sizes[] = {SEQUENCES, 1, WINDOWS, 0, 1}, zeros[SEQUENCES] = {0};
    float x[SEQUENCES * WIDTH];
    for (int each = 0; each < SEQUENCES * WIDTH; each++)
        x[each] = (float)(each % 7) - 3.0f;
    return quest22_decoder_step(decoder, sizes, x, zeros, zeros, zeros, logits);
}
