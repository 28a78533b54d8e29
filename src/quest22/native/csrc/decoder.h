/* A decoder: its shape, its weights, and the memory that its steps work in. */
#ifndef QUEST22_DECODER_H
#define QUEST22_DECODER_H

#include "norm.h"
#include "sound.h"

typedef struct Block {
    Norm before_self, before_cross, before_feed;
    Linear self_in, self_out, cross_in, cross_out, feed_in, feed_out;
    char *keys, *values; /* [slots, heads, positions, size] */
} Block;

typedef struct Shape {
    int32_t layers, width, heads, feed, frames, positions, vocabulary;
} Shape;

typedef struct Step {
    int sequences, tokens, windows, position, read_count;
    float *x;             /* [sequences, tokens, width], in place */
    const int32_t *heard; /* [windows]: which of the sound's */
    const int32_t *reads; /* [read_count]: places in tokens whose logits are wanted */
    float *logits;        /* [sequences, read_count, vocabulary] */
} Step;

typedef struct Decoder {
    Shape shape;
    Element element; /* of rows and of the cache */
    Sound sound;
    Block *blocks;
    Norm last;
    Linear words;
    Team team;
    int slots;         /* sequences that the cache has room for */
    int32_t *history;  /* [positions, slots]: the slot that holds a sequence's position */
    int32_t *followed; /* [slots] */
    int room;          /* rows that there is room for */
    Rows rows, feed;   /* what is multiplied next: as wide as the model, as its feed-forward layer */
    float *wide;       /* [rows, 3 width]: what products gave */
    char **scratch;    /* by thread: scores and their narrow copies */
    Step step;
} Decoder;

static int head_size(const Decoder *decoder) { return decoder->shape.width / decoder->shape.heads; }

static size_t longest(const Decoder *decoder)
{
    const Shape *shape = &decoder->shape;
    return padded(shape->frames > shape->positions ? shape->frames : shape->positions);
}

static bool make_block(const Shape *shape, Block *block, Element weights, Element rows)
{
    int width = shape->width, feed = shape->feed;
    return norm_make(&block->before_self, width) && norm_make(&block->before_cross, width)
        && norm_make(&block->before_feed, width)
        && linear_make(&block->self_in, 3 * width, width, weights, rows)
        && linear_make(&block->self_out, width, width, weights, rows)
        && linear_make(&block->cross_in, width, width, weights, rows)
        && linear_make(&block->cross_out, width, width, weights, rows)
        && linear_make(&block->feed_in, feed, width, weights, rows)
        && linear_make(&block->feed_out, width, feed, weights, rows);
}

static void free_block(Block *block)
{
    Norm *norms[] = {&block->before_self, &block->before_cross, &block->before_feed};
    Linear *layers[] = {&block->self_in, &block->self_out, &block->cross_in,
                        &block->cross_out, &block->feed_in, &block->feed_out};
    for (size_t each = 0; each < sizeof norms / sizeof *norms; each++)
        norm_free(norms[each]);
    for (size_t each = 0; each < sizeof layers / sizeof *layers; each++)
        linear_free(layers[each]);
    free(block->keys);
    free(block->values);
}

EXPORT void quest22_decoder_close(Decoder *decoder)
{
    if (decoder->team.helpers)
        team_close(&decoder->team);
    for (int layer = 0; decoder->blocks && layer < decoder->shape.layers; layer++)
        free_block(&decoder->blocks[layer]);
    for (int thread = 0; decoder->scratch && thread < decoder->team.threads; thread++)
        free(decoder->scratch[thread]);
    sound_free(&decoder->sound);
    norm_free(&decoder->last);
    linear_free(&decoder->words);
    free(decoder->blocks);
    free(decoder->scratch);
    free(decoder->history);
    free(decoder->followed);
    free(decoder->rows.values);
    free(decoder->feed.values);
    free(decoder->wide);
    free(decoder);
}

/* Whether there is code for a shape and an element of rows. */
EXPORT int quest22_decoder_runs(const Shape *shape, int element)
{
#if !defined(__AVX512BF16__)
    if (element == BFLOAT16)
        return false;
#endif
    return element != INT8 && shape->width % shape->heads == 0 && shape->width % 2 == 0
        && shape->feed % 2 == 0 && padded(shape->width / shape->heads) <= LONGEST_HEAD;
}

static bool make_all(Decoder *decoder, Element weights, int threads)
{
    const Shape *shape = &decoder->shape;
    if (!team_open(&decoder->team, threads) || !sound_make(&decoder->sound))
        return false;
    decoder->blocks = calloc(shape->layers, sizeof(Block));
    decoder->scratch = calloc(decoder->team.threads, sizeof(char *));
    if (!decoder->blocks || !decoder->scratch || !norm_make(&decoder->last, shape->width)
        || !linear_make(&decoder->words, shape->vocabulary, shape->width, weights,
                        decoder->element))
        return false;
    for (int layer = 0; layer < shape->layers; layer++)
        if (!make_block(shape, &decoder->blocks[layer], weights, decoder->element))
            return false;
    for (int thread = 0; thread < decoder->team.threads; thread++)
        if (!(decoder->scratch[thread] = aligned(2 * QUERIES * longest(decoder) * sizeof(float))))
            return false;
    return true;
}

/* A decoder whose weights are all zero, or NULL where memory ran out. */
EXPORT Decoder *quest22_decoder_open(const Shape *shape, int element, int weights, int sound,
                                     int threads)
{
    Decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return NULL;
    decoder->shape = *shape;
    decoder->element = element;
    decoder->sound = (Sound){.layers = shape->layers, .heads = shape->heads,
                             .size = shape->width / shape->heads, .frames = shape->frames,
                             .given = element, .kept = sound};
    if (!make_all(decoder, weights, threads)) {
        quest22_decoder_close(decoder);
        return NULL;
    }
    return decoder;
}

/* Layers by number: 6 a block, in the order of Block's members, then the words. */
EXPORT Linear *quest22_decoder_linear(Decoder *decoder, int number)
{
    if (number >= 6 * decoder->shape.layers)
        return &decoder->words;
    Block *block = &decoder->blocks[number / 6];
    Linear *layers[] = {&block->self_in, &block->self_out, &block->cross_in,
                        &block->cross_out, &block->feed_in, &block->feed_out};
    return layers[number % 6];
}

EXPORT Norm *quest22_decoder_norm(Decoder *decoder, int number)
{
    if (number >= 3 * decoder->shape.layers)
        return &decoder->last;
    Block *block = &decoder->blocks[number / 3];
    Norm *norms[] = {&block->before_self, &block->before_cross, &block->before_feed};
    return norms[number % 3];
}

#endif
