/* An encoder: its shape, its weights, and the memory that it works in. */
#ifndef QUEST22_ENCODER_H
#define QUEST22_ENCODER_H

#include "norm.h"
#include "tiles.h"

#if defined(__AVX512BF16__)

typedef struct EncoderShape {
    int32_t layers, width, heads, feed, mels, frames, decoder_layers, decoder_heads;
} EncoderShape;

typedef struct EncoderBlock {
    Norm before_self, before_feed;
    Linear self_in, self_out, feed_in, feed_out;
} EncoderBlock;

/* A window on its way through the encoder. Keys and values are there twice: those that a layer
   reads, and those that it makes for the next. */
typedef struct Hearing {
    const float *features;      /* [mels, 2 frames] */
    void *const *keys_out;      /* [decoder_layers]: [heads, frames, size] */
    void *const *values_out;    /* [decoder_layers]: [heads, size, frames] */
    float *x;                   /* [panels, width, LANES], in place */
    Pair *queries;              /* [panels, width / 2, LANES] */
    Pair *keys[2];              /* [heads, panels, size / 2, LANES] */
    bf16 *values[2];            /* [width, LANES panels] */
} Hearing;

/* What a thread works in, by tile. */
typedef struct Desk {
    float *sound;    /* [mels, SOUND_LANES]: features around the tile, with zeros beyond the window */
    Columns feed;    /* what the convolutions multiply, or what the feed-forward layer gave */
    Pair *wide;      /* [width / 2, SOUND_LANES]: what the first convolution gave */
    Columns normal, mixed;
    float *scores;   /* [KEYS, PANELS, LANES] */
    Pair *shares;    /* [PANELS, KEYS / 2, LANES] */
    float *sums;     /* [size, PANELS, LANES] */
} Desk;

/* The second convolution sees every frame that the first gave twice over, and one before. */
enum { KEYS = 128, TAPS = 3 };
enum { SOUND_PANELS = 2 * PANELS + 1, SOUND_LANES = (SOUND_PANELS + 1) * LANES };

typedef struct Encoder {
    EncoderShape shape;
    Element rows;         /* what all layers but convolutions multiply, bfloat16 or int8 */
    EncoderBlock *blocks;
    Norm last;
    Linear first, second; /* convolutions, [width, TAPS channels] */
    Linear *sound;        /* by layer of the decoder: its keys, then its values */
    float *places;        /* [width, LANES panels] */
    Team team;
    Desk *desks;
    Hearing *hearings;
    int room, windows;    /* windows that there is room for; those that are heard now */
} Encoder;

static int frame_panels(const EncoderShape *shape) { return (shape->frames + LANES - 1) / LANES; }

static int tiles(const EncoderShape *shape) { return (shape->frames + TILE - 1) / TILE; }

static int encoder_head(const EncoderShape *shape) { return shape->width / shape->heads; }

/* Rows that products of TOGETHER rows give for so many. */
static size_t rows_together(int count) { return (count + TOGETHER - 1) / TOGETHER * TOGETHER; }

static void free_hearing(Hearing *hearing)
{
    free(hearing->x);
    free(hearing->queries);
    for (int turn = 0; turn < 2; turn++) {
        free(hearing->keys[turn]);
        free(hearing->values[turn]);
    }
    *hearing = (Hearing){0};
}

/* Rows of values that a product of TOGETHER rows reads beyond the last head are there too. */
static bool make_hearing(const EncoderShape *shape, Hearing *hearing)
{
    size_t numbers = (size_t)frame_panels(shape) * LANES * shape->width;
    size_t beyond = (size_t)frame_panels(shape) * LANES * TOGETHER;
    hearing->x = aligned(numbers * sizeof(float));
    hearing->queries = aligned(numbers * sizeof(bf16));
    bool made = hearing->x && hearing->queries;
    for (int turn = 0; turn < 2; turn++) {
        hearing->keys[turn] = aligned(numbers * sizeof(bf16));
        hearing->values[turn] = aligned((numbers + beyond) * sizeof(bf16));
        made = made && hearing->keys[turn] && hearing->values[turn];
        if (hearing->values[turn])
            memset(hearing->values[turn] + numbers, 0, beyond * sizeof(bf16));
    }
    return made;
}

static bool hearing_room(Encoder *encoder, int windows)
{
    if (windows <= encoder->room)
        return true;
    Hearing *hearings = realloc(encoder->hearings, windows * sizeof *hearings);
    if (!hearings)
        return false;
    encoder->hearings = hearings;
    for (; encoder->room < windows; encoder->room++) {
        Hearing *fresh = &hearings[encoder->room];
        *fresh = (Hearing){0};
        if (!make_hearing(&encoder->shape, fresh)) {
            free_hearing(fresh);
            return false;
        }
    }
    return true;
}

static size_t most(size_t a, size_t b) { return a > b ? a : b; }

static bool make_columns(Columns *columns, size_t channels)
{
    size_t groups = (channels + GROUP - 1) / GROUP;
    columns->pairs = aligned(channels * TILE * sizeof(bf16));
    columns->quads = aligned(channels * TILE);
    columns->scales = aligned(groups * TILE * sizeof(float));
    return columns->pairs && columns->quads && columns->scales;
}

static void free_columns(Columns *columns)
{
    free(columns->pairs);
    free(columns->quads);
    free(columns->scales);
}

static bool make_desk(const EncoderShape *shape, Desk *desk)
{
    size_t width = shape->width, sound = (size_t)SOUND_PANELS * TAPS * shape->mels / PANELS + 1;
    desk->sound = aligned((size_t)shape->mels * SOUND_LANES * sizeof(float));
    desk->wide = aligned(width / 2 * SOUND_LANES * sizeof(Pair));
    desk->scores = aligned(KEYS * TILE * sizeof(float));
    desk->shares = aligned(KEYS * TILE * sizeof(bf16));
    desk->sums = aligned(rows_together(encoder_head(shape)) * TILE * sizeof(float));
    return make_columns(&desk->feed, most(most(sound, TAPS * width), shape->feed))
        && make_columns(&desk->normal, width) && make_columns(&desk->mixed, width)
        && desk->sound && desk->wide && desk->scores && desk->shares && desk->sums;
}

static void free_desk(Desk *desk)
{
    free(desk->sound);
    free(desk->wide);
    free_columns(&desk->feed);
    free_columns(&desk->normal);
    free_columns(&desk->mixed);
    free(desk->scores);
    free(desk->shares);
    free(desk->sums);
}

static bool make_encoder_block(const EncoderShape *shape, EncoderBlock *block, Element rows)
{
    int width = shape->width, feed = shape->feed;
    return norm_make(&block->before_self, width) && norm_make(&block->before_feed, width)
        && linear_make(&block->self_in, 3 * width, width, rows, rows)
        && linear_make(&block->self_out, width, width, rows, rows)
        && linear_make(&block->feed_in, feed, width, rows, rows)
        && linear_make(&block->feed_out, width, feed, rows, rows);
}

static void free_encoder_block(EncoderBlock *block)
{
    norm_free(&block->before_self);
    norm_free(&block->before_feed);
    linear_free(&block->self_in);
    linear_free(&block->self_out);
    linear_free(&block->feed_in);
    linear_free(&block->feed_out);
}

EXPORT void quest22_encoder_close(Encoder *encoder)
{
    const EncoderShape *shape = &encoder->shape;
    if (encoder->team.helpers)
        team_close(&encoder->team);
    for (int layer = 0; encoder->blocks && layer < shape->layers; layer++)
        free_encoder_block(&encoder->blocks[layer]);
    for (int layer = 0; encoder->sound && layer < shape->decoder_layers; layer++)
        linear_free(&encoder->sound[layer]);
    for (int thread = 0; encoder->desks && thread < encoder->team.threads; thread++)
        free_desk(&encoder->desks[thread]);
    for (int window = 0; window < encoder->room; window++)
        free_hearing(&encoder->hearings[window]);
    norm_free(&encoder->last);
    linear_free(&encoder->first);
    linear_free(&encoder->second);
    free(encoder->blocks);
    free(encoder->sound);
    free(encoder->places);
    free(encoder->desks);
    free(encoder->hearings);
    free(encoder);
}

static bool make_encoder(Encoder *encoder, int threads)
{
    const EncoderShape *shape = &encoder->shape;
    size_t places = (size_t)frame_panels(shape) * LANES * shape->width;
    if (!team_open(&encoder->team, threads))
        return false;
    encoder->blocks = calloc(shape->layers, sizeof(EncoderBlock));
    encoder->sound = calloc(shape->decoder_layers, sizeof(Linear));
    encoder->desks = calloc(encoder->team.threads, sizeof(Desk));
    encoder->places = calloc(places, sizeof(float));
    bool made = encoder->blocks && encoder->sound && encoder->desks && encoder->places
        && norm_make(&encoder->last, shape->width)
        && linear_make(&encoder->first, shape->width, TAPS * shape->mels, BFLOAT16, BFLOAT16)
        && linear_make(&encoder->second, shape->width, TAPS * shape->width, BFLOAT16, BFLOAT16);
    for (int layer = 0; made && layer < shape->layers; layer++)
        made = make_encoder_block(shape, &encoder->blocks[layer], encoder->rows);
    for (int layer = 0; made && layer < shape->decoder_layers; layer++)
        made = linear_make(&encoder->sound[layer], 2 * shape->width, shape->width, encoder->rows,
                           encoder->rows);
    for (int thread = 0; made && thread < encoder->team.threads; thread++)
        made = make_desk(shape, &encoder->desks[thread]);
    return made;
}

/* Whether there is code for a shape; rows: what all layers but convolutions multiply, bfloat16 or
   int8, with int8 weights. */
EXPORT int quest22_encoder_runs(const EncoderShape *shape, int rows)
{
    int together = inputs_together(rows);
    return shape->width % shape->heads == 0 && encoder_head(shape) % 2 == 0
        && shape->width % shape->decoder_heads == 0
        && shape->width / shape->decoder_heads % 2 == 0
        && shape->width % together == 0 && shape->feed % together == 0 && shape->mels % 2 == 0;
}

/* An encoder whose weights are all zero, or NULL where memory ran out. */
EXPORT Encoder *quest22_encoder_open(const EncoderShape *shape, int rows, int threads)
{
    Encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder)
        return NULL;
    encoder->shape = *shape;
    encoder->rows = rows;
    if (!make_encoder(encoder, threads)) {
        quest22_encoder_close(encoder);
        return NULL;
    }
    return encoder;
}

/* Layers by number: 4 a block, in the order of its members, the convolutions, the decoder's. */
EXPORT Linear *quest22_encoder_linear(Encoder *encoder, int number)
{
    int rest = number - 4 * encoder->shape.layers;
    if (rest >= 2)
        return &encoder->sound[rest - 2];
    if (rest >= 0)
        return rest ? &encoder->second : &encoder->first;
    EncoderBlock *block = &encoder->blocks[number / 4];
    Linear *layers[] = {&block->self_in, &block->self_out, &block->feed_in, &block->feed_out};
    return layers[number % 4];
}

/* Norms by number: 2 a block, then the last. */
EXPORT Norm *quest22_encoder_norm(Encoder *encoder, int number)
{
    if (number >= 2 * encoder->shape.layers)
        return &encoder->last;
    EncoderBlock *block = &encoder->blocks[number / 2];
    return number % 2 ? &block->before_feed : &block->before_self;
}

/* places: [frames, width]: what is added for where a frame stands. */
EXPORT void quest22_encoder_put_places(Encoder *encoder, const float *places)
{
    size_t length = (size_t)frame_panels(&encoder->shape) * LANES;
    for (int frame = 0; frame < encoder->shape.frames; frame++)
        for (int channel = 0; channel < encoder->shape.width; channel++)
            encoder->places[channel * length + frame] = *places++;
}

#endif
#endif
