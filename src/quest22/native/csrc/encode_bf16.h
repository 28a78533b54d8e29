/* Where results of the bfloat16 encoder go: rounded to bfloat16 at once; included by encode.h. */
#ifndef QUEST22_ENCODE_BF16_H
#define QUEST22_ENCODE_BF16_H

static void store_bf16(bf16 *to, f32v values, int count)
{
    __mmask16 mask = count >= LANES ? 0xFFFF : (__mmask16)((1u << count) - 1);
    _mm256_mask_storeu_epi16(to, mask, (__m256i)_mm512_cvtneps_pbh((__m512)values));
}

/* Queries, keys and values for the next block; ctx->index is the buffer. */
INLINE void store_qkv(const void *context, int output, int panel, f32v first, f32v second)
{
    const TileContext *ctx = context;
    const EncoderShape *shape = &ctx->encoder->shape;
    const EncoderWindow *window = ctx->window;
    int width = shape->width, size = encoder_head_size(shape), all = frame_panels(window->frames);
    int channel = output % width, whole = ctx->tile * TILE_PANELS + panel;
    if (output < width) {
        size_t at = ((size_t)whole * width + channel) / 2 * LANES;
        store_pairs(window->queries + at, first, second);
    } else if (output < 2 * width) {
        size_t at = ((size_t)(channel / size * all + whole) * size + channel % size) / 2 * LANES;
        store_pairs(window->keys[ctx->index] + at, first, second);
    } else {
        bf16 *to = window->values[ctx->index] + ((size_t)channel * all + whole) * LANES;
        store_bf16(to, first, LANES);
        store_bf16(to + (size_t)all * LANES, second, LANES);
    }
}

/* Queries, keys and values are where they belong already. */
static void finish_qkv(const TileContext *ctx) { (void)ctx; }

/* Keys and values of decoder layer ctx->index. Keys wait in attn_output, which nothing else needs
   any more, for write_cross_keys. */
INLINE void store_cross_kv(const void *context, int output, int panel, f32v first,
                           f32v second)
{
    const TileContext *ctx = context;
    const EncoderShape *shape = &ctx->encoder->shape;
    int width = shape->width, frames = ctx->window->frames;
    if (output < width) {
        size_t at = ((size_t)panel * width + output) / 2 * LANES;
        store_pairs(ctx->space->attn_output.pairs + at, first, second);
        return;
    }
    int frame = (ctx->tile * TILE_PANELS + panel) * LANES, left = frames - frame;
    bf16 *to = (bf16 *)ctx->window->values_out[ctx->index]
        + (size_t)(output - width) * frames + frame;
    store_bf16(to, first, left);
    store_bf16(to + frames, second, left);
}

/* Transposes keys from [channel pairs, frames] to the decoder's [heads, frames, size]. */
static void write_cross_keys(const TileContext *ctx)
{
    const EncoderShape *shape = &ctx->encoder->shape;
    int size = shape->width / shape->decoder_heads, frames = ctx->window->frames;
    int first = ctx->tile * TILE, left = frames - first;
    Pair *keys = ctx->window->keys_out[ctx->index];
    for (int frame = 0; frame < left && frame < TILE; frame++)
        for (int head = 0; head < shape->decoder_heads; head++) {
            const Pair *from = ctx->space->attn_output.pairs + frame % LANES
                + ((size_t)frame / LANES * shape->width + head * size) / 2 * LANES;
            Pair *to = keys + ((size_t)head * frames + first + frame) * size / 2;
            for (int pair = 0; pair < size / 2; pair++)
                to[pair] = from[pair * LANES];
        }
}

/* Output of the first convolution, with zeros outside the window: the padding of the second.
   ctx->index is the first panel. */
INLINE void store_conv1(const void *context, int output, int panel, f32v first, f32v second)
{
    const TileContext *ctx = context;
    int from = 2 * ctx->tile * TILE - 1, lane = (ctx->index + panel) * LANES;
    int before = -(from + lane), left = 2 * ctx->window->frames - from - lane;
    __mmask16 mask = (__mmask16)(0xFFFFu << (before > 0 ? before : 0));
    if (left < LANES)
        mask &= left > 0 ? (__mmask16)((1u << left) - 1) : 0;
    Pair *to = (Pair *)ctx->space->conv1_out + (size_t)output / 2 * CONV_LANES + lane;
    _mm512_storeu_si512(to, _mm512_maskz_mov_epi32(mask, interleave_bf16(first, second)));
}

/* The frames of a panel's tap of the second convolution, whose stride is 2. */
INLINE void gather_conv2(const Workspace *space, int width, int panel, int tap, int channel)
{
    const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16,
                                          14, 12, 10, 8, 6, 4, 2, 0);
    size_t at = ((size_t)panel * CONV_TAPS + tap) * width + channel;
    const Pair *from = (const Pair *)space->conv1_out + (size_t)channel / 2 * CONV_LANES
        + 2 * panel * LANES + tap;
    _mm512_storeu_si512(space->hidden.pairs + at / 2 * LANES, _mm512_permutex2var_epi32(
        _mm512_loadu_si512(from), even, _mm512_loadu_si512(from + LANES)));
}

#endif
