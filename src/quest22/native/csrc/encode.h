/* Runs Whisper's encoder: features in, keys and values of the decoder's cross-attention out.

   The network is that of Radford et al. 2022 (arXiv:2212.04356): two convolutions, then pre-norm
   blocks of self-attention and an MLP. A tile of frames goes through a whole block by itself, from
   its attention to the next block's queries, keys and values, while its numbers are in the
   processor's cache; threads meet at a barrier between blocks. The residual stream is float32;
   products are of bfloat16, int8 or int16. */
#ifndef QUEST22_ENCODE_H
#define QUEST22_ENCODE_H

#include "encoder_attention.h"

/* The tile that a thread works on, and where its results go. */
typedef struct TileContext {
    const Encoder *encoder;
    const EncoderWindow *window;
    const Workspace *space;
    int tile, panels;
    int index; /* of a buffer, a panel or a layer, as store functions need it */
} TileContext;

static float *tile_x(const TileContext *ctx)
{
    return ctx->window->x + (size_t)ctx->tile * TILE_PANELS * ctx->encoder->shape.width * LANES;
}

/* Quantizes what a layer multiplies next, where layers are of integers. */
static void quantize_if_integer(const TileContext *ctx, const PackedTile *tile, int channels)
{
    if (ctx->encoder->dtype != BFLOAT16)
        quantize_tile(tile, channels, ctx->panels, ctx->encoder->dtype);
}

/* Layer normalisation of each frame. */
static void layer_norm_tile(const TileContext *ctx, const LayerNorm *norm)
{
    int width = ctx->encoder->shape.width;
    for (int panel = 0; panel < ctx->panels; panel++) {
        const float *x = tile_x(ctx) + (size_t)panel * width * LANES;
        f32v mean = {0}, variance = {0};
        for (int channel = 0; channel < width; channel++)
            mean += load(x + channel * LANES);
        mean /= (float)width;
        for (int channel = 0; channel < width; channel++) {
            f32v centered = load(x + channel * LANES) - mean;
            variance += centered * centered;
        }
        f32v factor = 1.0f / square_root(variance / (float)width + 1e-5f);
        for (int channel = 0; channel < width; channel += 2) {
            f32v first = (load(x + channel * LANES) - mean) * factor;
            f32v second = (load(x + (channel + 1) * LANES) - mean) * factor;
            put_in_tile(&ctx->space->normalized, width, panel, channel,
                        first * norm->weight[channel] + norm->bias[channel],
                        second * norm->weight[channel + 1] + norm->bias[channel + 1]);
        }
    }
    quantize_if_integer(ctx, &ctx->space->normalized, width);
}

INLINE void add_to_residual(const void *context, int output, int panel, f32v first,
                            f32v second)
{
    const TileContext *ctx = context;
    float *x = tile_x(ctx) + ((size_t)panel * ctx->encoder->shape.width + output) * LANES;
    store(x, load(x) + first);
    store(x + LANES, load(x + LANES) + second);
}

INLINE void store_hidden(const void *context, int output, int panel, f32v first, f32v second)
{
    const TileContext *ctx = context;
    put_in_tile(&ctx->space->hidden, ctx->encoder->shape.ffn, panel, output, first, second);
}

/* Copies CONV_LANES frames of features from frame `from` on, with zeros outside the window. */
static void copy_features(const TileContext *ctx, int from)
{
    const EncoderShape *shape = &ctx->encoder->shape;
    int length = 2 * ctx->window->frames, left = length - from;
    int before = from < 0 ? -from : 0, end = left < CONV_LANES ? left : CONV_LANES;
    for (int mel = 0; mel < shape->mels; mel++) {
        float *to = ctx->space->features + (size_t)mel * CONV_LANES;
        memset(to, 0, CONV_LANES * sizeof *to);
        memcpy(to + before, ctx->window->features + (ptrdiff_t)mel * length + from + before,
               (end - before) * sizeof *to);
    }
}

#if defined(__AVX512BF16__)
#include "encode_bf16.h"
#else
#include "encode_int16.h"
#endif

INLINE void store_conv2(const void *context, int output, int panel, f32v first, f32v second)
{
    const TileContext *ctx = context;
    const EncoderShape *shape = &ctx->encoder->shape;
    size_t length = (size_t)frame_panels(shape->frames) * LANES;
    const float *positions = ctx->encoder->positions + output * length
        + (ctx->tile * TILE_PANELS + panel) * LANES;
    float *x = tile_x(ctx) + ((size_t)panel * shape->width + output) * LANES;
    store(x, first + load(positions));
    store(x + LANES, second + load(positions + length));
}

/* The panels of a tile of so many channels from `panel` on. */
static PackedTile panels_from(const PackedTile *tile, int channels, int panel)
{
    size_t before = (size_t)panel * channels * LANES;
    int groups = (channels + QUANT_GROUP - 1) / QUANT_GROUP;
    return (PackedTile){.pairs = tile->pairs + before / 2,
                        .scales = tile->scales + (size_t)panel * groups * LANES};
}

static void conv1_forward(TileContext *ctx)
{
    const Encoder *encoder = ctx->encoder;
    const Workspace *space = ctx->space;
    int mels = encoder->shape.mels, channels = CONV_TAPS * mels, panels = 2 * ctx->panels + 1;
    copy_features(ctx, 2 * ctx->tile * TILE - 2);
    for (int panel = 0; panel < panels; panel++)
        for (int tap = 0; tap < CONV_TAPS; tap++)
            for (int mel = 0; mel < mels; mel += 2) {
                const float *from = space->features + (size_t)mel * CONV_LANES
                    + panel * LANES + tap;
                put_in_tile(&space->hidden, channels, panel, tap * mels + mel, load(from),
                            load(from + CONV_LANES));
            }
    if (CONV_DTYPE == INT16)
        quantize_tile(&space->hidden, channels, panels, INT16);
    for (int panel = 0; panel < panels; panel += TILE_PANELS) {
        ctx->index = panel;
        PackedTile input = panels_from(&space->hidden, channels, panel);
        gemm(&encoder->conv1, &input, panels - panel < TILE_PANELS ? panels - panel : TILE_PANELS,
             GELU, store_conv1, ctx);
    }
}

static void conv2_forward(TileContext *ctx)
{
    const Encoder *encoder = ctx->encoder;
    const Workspace *space = ctx->space;
    int width = encoder->shape.width;
    for (int panel = 0; panel < ctx->panels; panel++)
        for (int tap = 0; tap < CONV_TAPS; tap++)
            for (int channel = 0; channel < width; channel += 2)
                gather_conv2(space, width, panel, tap, channel);
    if (CONV_DTYPE == INT16)
        quantize_tile(&space->hidden, CONV_TAPS * width, ctx->panels, INT16);
    gemm(&encoder->conv2, &space->hidden, ctx->panels, GELU, store_conv2, ctx);
}

static void project_qkv(TileContext *ctx, int layer)
{
    const EncoderBlock *block = &ctx->encoder->blocks[layer];
    ctx->index = layer % 2;
    layer_norm_tile(ctx, &block->attn_ln);
    gemm(&block->attn_qkv, &ctx->space->normalized, ctx->panels, STORE, store_qkv, ctx);
    finish_qkv(ctx);
}

static void attention_and_mlp(TileContext *ctx, int layer)
{
    const EncoderBlock *block = &ctx->encoder->blocks[layer];
    const Workspace *space = ctx->space;
    attend_tile(ctx->encoder, ctx->window, space, ctx->tile, ctx->panels, layer % 2);
    quantize_if_integer(ctx, &space->attn_output, ctx->encoder->shape.width);
    gemm(&block->attn_out, &space->attn_output, ctx->panels, STORE, add_to_residual, ctx);
    layer_norm_tile(ctx, &block->mlp_ln);
    gemm(&block->fc1, &space->normalized, ctx->panels, GELU, store_hidden, ctx);
    quantize_if_integer(ctx, &space->hidden, ctx->encoder->shape.ffn);
    gemm(&block->fc2, &space->hidden, ctx->panels, STORE, add_to_residual, ctx);
}

static void project_cross_kv(TileContext *ctx)
{
    const Encoder *encoder = ctx->encoder;
    layer_norm_tile(ctx, &encoder->ln_post);
    for (int layer = 0; layer < encoder->shape.decoder_layers; layer++) {
        ctx->index = layer;
        gemm(&encoder->cross_kv[layer], &ctx->space->normalized, ctx->panels, STORE,
             store_cross_kv, ctx);
        write_cross_keys(ctx);
    }
}

/* All work on a tile up to the next block's attention; layer -1 is the convolutions. */
static void tile_forward(TileContext *ctx, int layer)
{
    if (layer < 0) {
        conv1_forward(ctx);
        conv2_forward(ctx);
    } else {
        attention_and_mlp(ctx, layer);
    }
    if (layer + 1 < ctx->encoder->shape.layers)
        project_qkv(ctx, layer + 1);
    else
        project_cross_kv(ctx);
}

/* The tile that a task is, counted through all windows. Returns false where there is none. */
static bool find_tile(const Encoder *encoder, int task, TileContext *ctx)
{
    int index = 0;
    while (index < encoder->window_count && task >= tile_count(encoder->windows[index].frames))
        task -= tile_count(encoder->windows[index++].frames);
    if (index == encoder->window_count)
        return false;
    ctx->window = &encoder->windows[index];
    ctx->tile = task;
    int left = frame_panels(ctx->window->frames) - task * TILE_PANELS;
    ctx->panels = left < TILE_PANELS ? left : TILE_PANELS;
    return true;
}

static void encoder_forward(void *context, int thread)
{
    Encoder *encoder = context;
    TileContext ctx = {.encoder = encoder, .space = &encoder->workspaces[thread]};
    for (int layer = -1; layer < encoder->shape.layers; layer++) {
        while (find_tile(encoder, thread_pool_next_task(&encoder->pool), &ctx))
            tile_forward(&ctx, layer);
        if (layer + 1 < encoder->shape.layers)
            thread_pool_barrier(&encoder->pool);
    }
}

static Status encode(Encoder *encoder, int windows, const int32_t *frames,
                     const float *const *features, void *const *keys, void *const *values)
{
    if (!reserve_windows(encoder, windows))
        return NO_MEMORY;
    for (int window = 0; window < windows; window++) {
        encoder->windows[window].frames = frames[window];
        encoder->windows[window].features = features[window];
        encoder->windows[window].keys_out = keys + window * encoder->shape.decoder_layers;
        encoder->windows[window].values_out = values + window * encoder->shape.decoder_layers;
    }
    encoder->window_count = windows;
    thread_pool_run(&encoder->pool, encoder_forward, encoder);
    return OK;
}

/* Encodes some windows, each of so many frames. The other arrays hold addresses: features
   [mels, 2 frames] by window; by window and decoder layer, where keys [heads, frames, size] and
   values [heads, size, frames] go. */
EXPORT int quest22_encoder_run(Encoder *encoder, int64_t windows, const int32_t *frames,
                               const float *const *features, void *const *keys,
                               void *const *values)
{
    Status status = is_encoder(encoder) ? check_size(windows, MAX_WINDOWS) : BAD_ARGUMENT;
    if (status != OK)
        return status;
    int64_t outputs = windows * encoder->shape.decoder_layers;
    if (!all_sizes_in(frames, windows, encoder->shape.frames)
        || !none_null((const void *const *)features, windows)
        || !none_null((const void *const *)keys, outputs)
        || !none_null((const void *const *)values, outputs))
        return BAD_ARGUMENT;
    if (!thread_pool_acquire(&encoder->pool))
        return BUSY;
    status = encode(encoder, windows, frames, features, keys, values);
    thread_pool_release(&encoder->pool);
    return status;
}

#endif
