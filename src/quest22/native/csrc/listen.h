/* Whisper's encoder: features to what the decoder's layers attend to.

   The network is that of Radford et al. 2022 (arXiv:2212.04356): two convolutions, pre-norm blocks
   of self-attention and a feed-forward layer. A tile of frames goes through all of a block by
   itself, from its attention to the next block's queries, keys and values, while what it works on
   is in the processor's cache; between blocks threads wait for one another. What passes from layer
   to layer is float32, what is multiplied bfloat16 or int8. */
#ifndef QUEST22_LISTEN_H
#define QUEST22_LISTEN_H

#include "encoder_attention.h"

#if defined(__AVX512BF16__)

/* Where a layer's results go. */
typedef struct Place {
    const Encoder *encoder;
    const Hearing *hearing;
    const Desk *desk;
    int tile, panels;
    int number; /* turn, panel or layer, as results need it */
} Place;

static float *tile_x(const Place *place)
{
    return place->hearing->x + (size_t)place->tile * PANELS * place->encoder->shape.width * LANES;
}

/* What layers multiply next, as they want it. */
static void ready(const Place *place, const Columns *columns, int channels)
{
    if (place->encoder->rows == INT8)
        round_columns(columns, channels, place->panels);
}

/* Frames with mean 0 and variance 1, then weight and bias. */
static void normalise_tile(const Place *place, const Norm *norm)
{
    int width = place->encoder->shape.width;
    for (int panel = 0; panel < place->panels; panel++) {
        const float *x = tile_x(place) + (size_t)panel * width * LANES;
        Pair *to = place->desk->normal.pairs + (size_t)panel * width / 2 * LANES;
        f32x16 mean = {0}, variance = {0};
        for (int channel = 0; channel < width; channel++)
            mean += load(x + channel * LANES);
        mean /= (float)width;
        for (int channel = 0; channel < width; channel++) {
            f32x16 apart = load(x + channel * LANES) - mean;
            variance += apart * apart;
        }
        f32x16 factor = 1.0f / (f32x16)_mm512_sqrt_ps((__m512)(variance / (float)width + 1e-5f));
        for (int channel = 0; channel < width; channel += 2, to += LANES) {
            f32x16 first = (load(x + channel * LANES) - mean) * factor;
            f32x16 second = (load(x + (channel + 1) * LANES) - mean) * factor;
            store_pairs(to, first * norm->weight[channel] + norm->bias[channel],
                        second * norm->weight[channel + 1] + norm->bias[channel + 1]);
        }
    }
    ready(place, &place->desk->normal, width);
}

INLINE void add_to_x(const void *about, int output, int panel, f32x16 first, f32x16 second)
{
    const Place *place = about;
    float *x = tile_x(place) + ((size_t)panel * place->encoder->shape.width + output) * LANES;
    store(x, load(x) + first);
    store(x + LANES, load(x + LANES) + second);
}

INLINE void put_feed(const void *about, int output, int panel, f32x16 first, f32x16 second)
{
    const Place *place = about;
    size_t at = ((size_t)panel * place->encoder->shape.feed + output) / 2 * LANES;
    store_pairs(place->desk->feed.pairs + at, first, second);
}

static void store_narrow(bf16 *to, f32x16 values, int count)
{
    __mmask16 there = count >= LANES ? 0xFFFF : (__mmask16)((1u << count) - 1);
    _mm256_mask_storeu_epi16(to, there, (__m256i)_mm512_cvtneps_pbh((__m512)values));
}

/* Queries, keys and values for the next block; `number` says which of the two places. */
INLINE void put_attention(const void *about, int output, int panel, f32x16 first, f32x16 second)
{
    const Place *place = about;
    const EncoderShape *shape = &place->encoder->shape;
    const Hearing *hearing = place->hearing;
    int width = shape->width, size = encoder_head(shape), all = frame_panels(shape);
    int channel = output % width, whole = place->tile * PANELS + panel;
    if (output < width) {
        size_t at = ((size_t)whole * width + channel) / 2 * LANES;
        store_pairs(hearing->queries + at, first, second);
    } else if (output < 2 * width) {
        size_t at = ((size_t)(channel / size * all + whole) * size + channel % size) / 2 * LANES;
        store_pairs(hearing->keys[place->number] + at, first, second);
    } else {
        bf16 *to = hearing->values[place->number] + ((size_t)channel * all + whole) * LANES;
        store_narrow(to, first, LANES);
        store_narrow(to + (size_t)all * LANES, second, LANES);
    }
}

/* Keys and values of the decoder's layer `number`: keys wait in `mixed`, as no attention is left. */
INLINE void put_sound(const void *about, int output, int panel, f32x16 first, f32x16 second)
{
    const Place *place = about;
    const EncoderShape *shape = &place->encoder->shape;
    int width = shape->width, frames = shape->frames;
    if (output < width) {
        size_t at = ((size_t)panel * width + output) / 2 * LANES;
        store_pairs(place->desk->mixed.pairs + at, first, second);
        return;
    }
    int frame = (place->tile * PANELS + panel) * LANES, left = frames - frame;
    bf16 *to = (bf16 *)place->hearing->values_out[place->number]
        + (size_t)(output - width) * frames + frame;
    store_narrow(to, first, left);
    store_narrow(to + frames, second, left);
}

/* Keys from pairs of channels, frame by frame, to frames, channel by channel. */
static void tell_keys(const Place *place)
{
    const EncoderShape *shape = &place->encoder->shape;
    int size = shape->width / shape->decoder_heads;
    int first = place->tile * TILE, left = shape->frames - first;
    Pair *keys = place->hearing->keys_out[place->number];
    for (int frame = 0; frame < left && frame < TILE; frame++)
        for (int head = 0; head < shape->decoder_heads; head++) {
            const Pair *from = place->desk->mixed.pairs + frame % LANES
                + ((size_t)frame / LANES * shape->width + head * size) / 2 * LANES;
            Pair *to = keys + ((size_t)head * shape->frames + first + frame) * size / 2;
            for (int pair = 0; pair < size / 2; pair++)
                to[pair] = from[pair * LANES];
        }
}

/* Features from frame `from` on, SOUND_LANES of them; zeros where none are. */
static void copy_sound(const Place *place, int from)
{
    const EncoderShape *shape = &place->encoder->shape;
    int length = 2 * shape->frames, left = length - from;
    int before = from < 0 ? -from : 0, end = left < SOUND_LANES ? left : SOUND_LANES;
    for (int mel = 0; mel < shape->mels; mel++) {
        float *to = place->desk->sound + (size_t)mel * SOUND_LANES;
        memset(to, 0, SOUND_LANES * sizeof *to);
        memcpy(to + before, place->hearing->features + (ptrdiff_t)mel * length + from + before,
               (end - before) * sizeof *to);
    }
}

/* What the first convolution gives, with zeros where the window has no frames: the second sees
   them so. `number`: its first panel. */
INLINE void put_first(const void *about, int output, int panel, f32x16 first, f32x16 second)
{
    const Place *place = about;
    int from = 2 * place->tile * TILE - 1, lane = (place->number + panel) * LANES;
    int before = -(from + lane), left = 2 * place->encoder->shape.frames - from - lane;
    __mmask16 there = (__mmask16)(0xFFFFu << (before > 0 ? before : 0));
    if (left < LANES)
        there &= left > 0 ? (__mmask16)((1u << left) - 1) : 0;
    Pair *to = place->desk->wide + (size_t)output / 2 * SOUND_LANES + lane;
    _mm512_storeu_si512(to, _mm512_maskz_mov_epi32(there, paired(first, second)));
}

INLINE void put_second(const void *about, int output, int panel, f32x16 first, f32x16 second)
{
    const Place *place = about;
    const EncoderShape *shape = &place->encoder->shape;
    size_t length = (size_t)frame_panels(shape) * LANES;
    const float *places = place->encoder->places + output * length
        + (place->tile * PANELS + panel) * LANES;
    float *x = tile_x(place) + ((size_t)panel * shape->width + output) * LANES;
    store(x, first + load(places));
    store(x + LANES, second + load(places + length));
}

static void convolve_first(Place *place)
{
    const Encoder *encoder = place->encoder;
    int mels = encoder->shape.mels, panels = 2 * place->panels + 1;
    Pair *to = place->desk->feed.pairs;
    copy_sound(place, 2 * place->tile * TILE - 2);
    for (int panel = 0; panel < panels; panel++)
        for (int tap = 0; tap < TAPS; tap++)
            for (int mel = 0; mel < mels; mel += 2, to += LANES) {
                const float *from = place->desk->sound + (size_t)mel * SOUND_LANES
                    + panel * LANES + tap;
                store_pairs(to, load(from), load(from + SOUND_LANES));
            }
    for (int panel = 0; panel < panels; panel += PANELS) {
        place->number = panel;
        size_t before = (size_t)panel * TAPS * mels / 2 * LANES;
        Columns some = {place->desk->feed.pairs + before, NULL, NULL};
        multiply_tile(&encoder->first, &some,
                      panels - panel < PANELS ? panels - panel : PANELS, GELU, put_first, place);
    }
}

static void convolve_second(Place *place)
{
    const Encoder *encoder = place->encoder;
    const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    Pair *to = place->desk->feed.pairs;
    for (int panel = 0; panel < place->panels; panel++)
        for (int tap = 0; tap < TAPS; tap++)
            for (int channel = 0; channel < encoder->shape.width; channel += 2, to += LANES) {
                const Pair *from = place->desk->wide + (size_t)channel / 2 * SOUND_LANES
                    + 2 * panel * LANES + tap;
                _mm512_storeu_si512(to, _mm512_permutex2var_epi32(
                    _mm512_loadu_si512(from), even, _mm512_loadu_si512(from + LANES)));
            }
    multiply_tile(&encoder->second, &place->desk->feed, place->panels, GELU, put_second, place);
}

static void begin_block(Place *place, int layer)
{
    const EncoderBlock *block = &place->encoder->blocks[layer];
    place->number = layer % 2;
    normalise_tile(place, &block->before_self);
    multiply_tile(&block->self_in, &place->desk->normal, place->panels, STORE, put_attention, place);
}

static void finish_block(Place *place, int layer)
{
    const EncoderBlock *block = &place->encoder->blocks[layer];
    const Desk *desk = place->desk;
    attend_in_tile(place->encoder, place->hearing, desk, place->tile, place->panels, layer % 2);
    ready(place, &desk->mixed, place->encoder->shape.width);
    multiply_tile(&block->self_out, &desk->mixed, place->panels, STORE, add_to_x, place);
    normalise_tile(place, &block->before_feed);
    multiply_tile(&block->feed_in, &desk->normal, place->panels, GELU, put_feed, place);
    ready(place, &desk->feed, place->encoder->shape.feed);
    multiply_tile(&block->feed_out, &desk->feed, place->panels, STORE, add_to_x, place);
}

static void tell_decoder(Place *place)
{
    const Encoder *encoder = place->encoder;
    normalise_tile(place, &encoder->last);
    for (int layer = 0; layer < encoder->shape.decoder_layers; layer++) {
        place->number = layer;
        multiply_tile(&encoder->sound[layer], &place->desk->normal, place->panels, STORE, put_sound,
                      place);
        tell_keys(place);
    }
}

/* Everything of a tile that can be done before the next block; layer -1: before the first. */
static void run_tile(Place *place, int layer)
{
    if (layer < 0) {
        convolve_first(place);
        convolve_second(place);
    } else {
        finish_block(place, layer);
    }
    if (layer + 1 < place->encoder->shape.layers)
        begin_block(place, layer + 1);
    else
        tell_decoder(place);
}

static void run_encoder(void *about, int thread)
{
    Encoder *encoder = about;
    const EncoderShape *shape = &encoder->shape;
    int count = tiles(shape);
    for (int layer = -1; layer < shape->layers; layer++) {
        for (int task; (task = team_take(&encoder->team)) < count * encoder->windows;) {
            int tile = task % count, left = frame_panels(shape) - tile * PANELS;
            Place place = {encoder, &encoder->hearings[task / count], &encoder->desks[thread], tile,
                           left < PANELS ? left : PANELS, 0};
            run_tile(&place, layer);
        }
        if (layer + 1 < shape->layers)
            team_meet(&encoder->team);
    }
}

/* Some windows, by address: features [mels, 2 frames]; by window and layer of the decoder, where
   keys [heads, frames, size] and values [heads, size, frames] go. */
EXPORT int quest22_listen(Encoder *encoder, int windows, const float *const *features,
                          void *const *keys, void *const *values)
{
    if (!hearing_room(encoder, windows))
        return -1;
    for (int window = 0; window < windows; window++) {
        encoder->hearings[window].features = features[window];
        encoder->hearings[window].keys_out = keys + window * encoder->shape.decoder_layers;
        encoder->hearings[window].values_out = values + window * encoder->shape.decoder_layers;
    }
    encoder->windows = windows;
    team_run(&encoder->team, run_encoder, encoder);
    return 0;
}

#endif
#endif
