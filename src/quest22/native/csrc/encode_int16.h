/* Where results of the int16 encoder go: float32 first, as scales are known only when all of a frame's
   channels are; included by encode.h. */
#ifndef QUEST22_ENCODE_INT16_H
#define QUEST22_ENCODE_INT16_H

INLINE void store_qkv(const void *context, int output, int panel, f32v first, f32v second)
{
    const TileContext *ctx = context;
    float *to = ctx->space->qkv
        + ((size_t)panel * 3 * ctx->encoder->shape.width + output) * LANES;
    store(to, first);
    store(to + LANES, second);
}

/* Queries or keys of a head: pairs of channels. Keys are broadcast. */
INLINE void pack_channel_pairs(const float *from, int size, f32v factor, const bool are_keys, Pair *to)
{
    for (int channel = 0; channel < size; channel += 2, from += 2 * LANES, to += LANES)
        if (are_keys)
            store_int16_pairs(to, load(from) * factor, load(from + LANES) * factor);
        else
            store_pairs(to, load(from) * factor, load(from + LANES) * factor);
}

/* One head's queries, keys and values of a panel in int16, with a scale for each frame. Products of
   queries and keys fit into 32 bits. */
static void pack_head(const TileContext *ctx, int panel, int head)
{
    const EncoderShape *shape = &ctx->encoder->shape;
    const EncoderWindow *window = ctx->window;
    int width = shape->width, size = encoder_head_size(shape), all = frame_panels(window->frames);
    size_t whole = (size_t)ctx->tile * TILE_PANELS + panel, place = (size_t)head * all + whole;
    const float *queries = ctx->space->qkv + ((size_t)panel * 3 * width + head * size) * LANES;
    const float *keys = queries + width * LANES, *values = keys + width * LANES;
    float limit = floorf(sqrtf((float)INT32_MAX / (float)size) - 0.5f);
    f32v factor = int16_factor(queries, size, LANES, limit, window->query_scales
                               + (whole * shape->heads + head) * LANES);
    pack_channel_pairs(queries, size, factor, false,
                       window->queries + (whole * width + head * size) / 2 * LANES);
    factor = int16_factor(keys, size, LANES, limit, window->key_scales[ctx->index] + place * LANES);
    pack_channel_pairs(keys, size, factor, true,
                       window->keys[ctx->index] + place * (size / 2) * LANES);
    factor = int16_factor(values, size, LANES, INT16_VALUE,
                          window->value_scales[ctx->index] + place * LANES);
    for (int channel = 0; channel < size; channel++) {
        store_as_i16((int16_t *)window->values[ctx->index]
                         + ((size_t)(head * size + channel) * all + whole) * LANES,
                     round_to_i32(load(values + channel * LANES) * factor));
    }
}

static void finish_qkv(const TileContext *ctx)
{
    for (int panel = 0; panel < ctx->panels; panel++)
        for (int head = 0; head < ctx->encoder->shape.heads; head++)
            pack_head(ctx, panel, head);
}

INLINE void store_first(float *to, f32v values, int count)
{
    if (count >= LANES)
        store(to, values);
    else if (count > 0)
        memcpy(to, &values, count * sizeof *to);
}

/* Keys and values of decoder layer ctx->index. Keys wait in attn_output, which nothing else needs
   any more, for write_cross_keys. */
INLINE void store_cross_kv(const void *context, int output, int panel, f32v first, f32v second)
{
    const TileContext *ctx = context;
    int width = ctx->encoder->shape.width, frames = ctx->window->frames;
    if (output < width) {
        put_in_tile(&ctx->space->attn_output, width, panel, output, first, second);
        return;
    }
    int frame = (ctx->tile * TILE_PANELS + panel) * LANES, left = frames - frame;
    float *to = (float *)ctx->window->values_out[ctx->index]
        + (size_t)(output - width) * frames + frame;
    store_first(to, first, left);
    store_first(to + frames, second, left);
}

/* Transposes keys from [channels, frames] to the decoder's [heads, frames, size]. */
static void write_cross_keys(const TileContext *ctx)
{
    const EncoderShape *shape = &ctx->encoder->shape;
    int size = shape->width / shape->decoder_heads, frames = ctx->window->frames;
    int first = ctx->tile * TILE, left = frames - first;
    float *keys = ctx->window->keys_out[ctx->index];
    for (int frame = 0; frame < left && frame < TILE; frame++)
        for (int head = 0; head < shape->decoder_heads; head++) {
            const float *from = ctx->space->attn_output.values + frame % LANES
                + ((size_t)frame / LANES * shape->width + head * size) * LANES;
            float *to = keys + ((size_t)head * frames + first + frame) * size;
            for (int channel = 0; channel < size; channel++)
                to[channel] = from[channel * LANES];
        }
}

/* Output of the first convolution, with zeros outside the window: the padding of the second.
   ctx->index is the first panel. */
INLINE void store_conv1(const void *context, int output, int panel, f32v first, f32v second)
{
    const TileContext *ctx = context;
    int from = 2 * ctx->tile * TILE - 1, at = (ctx->index + panel) * LANES;
    int before = -(from + at), left = 2 * ctx->window->frames - from - at;
    float *to = (float *)ctx->space->conv1_out + (size_t)output * CONV_LANES + at;
    store(to, first);
    store(to + CONV_LANES, second);
    for (int lane = 0; lane < LANES && (before > 0 || left < LANES); lane++)
        if (lane < before || lane >= left)
            to[lane] = to[CONV_LANES + lane] = 0;
}

/* The frames of a panel's tap of the second convolution, whose stride is 2. */
INLINE void gather_conv2(const Workspace *space, int width, int panel, int tap, int channel)
{
    const float *from = (const float *)space->conv1_out + (size_t)channel * CONV_LANES
        + 2 * panel * LANES + tap;
    float *to = space->hidden.values
        + (((size_t)panel * CONV_TAPS + tap) * width + channel) * LANES;
    for (int lane = 0; lane < LANES; lane++) {
        to[lane] = from[2 * lane];
        to[LANES + lane] = from[CONV_LANES + 2 * lane];
    }
}

#endif
