/* An encoder: its shape, its weights and its working memory. */
#ifndef QUEST22_ENCODER_H
#define QUEST22_ENCODER_H

#include "gemm.h"
#include "layer_norm.h"
#include "thread_pool.h"

/* What convolutions and attention multiply: bfloat16 where the processor has such products, else int16.
   Linear layers may be of int8 where it has those. */
#if defined(__AVX512BF16__)
static const DType CONV_DTYPE = BFLOAT16;
#else
static const DType CONV_DTYPE = INT16;
#endif

typedef struct EncoderShape {
    int32_t layers, width, heads, ffn, mels, frames, decoder_layers, decoder_heads;
} EncoderShape;

typedef struct EncoderBlock {
    LayerNorm attn_ln, mlp_ln;
    Linear attn_qkv, attn_out, fc1, fc2;
} EncoderBlock;

/* A window on its way through the encoder. Keys and values are double-buffered: a block reads one
   pair while it writes the next block's into the other. They and queries are of 16 bits, bfloat16
   or int16; int16 has a scale for each head and frame. */
typedef struct EncoderWindow {
    int frames;                 /* of the encoder's, which is how far attention reaches */
    const float *features;      /* [mels, 2 frames] */
    void *const *keys_out;      /* [decoder_layers]: [heads, frames, size] */
    void *const *values_out;    /* [decoder_layers]: [heads, size, frames] */
    float *x;                   /* [panels, width, LANES], the residual stream */
    Pair *queries;              /* [panels, width / 2, LANES] */
    Pair *keys[2];              /* [heads, panels, size / 2, LANES] */
    uint16_t *values[2];        /* [width, LANES panels] */
    float *query_scales;        /* [panels, heads, LANES] */
    float *key_scales[2], *value_scales[2]; /* [heads, LANES panels] */
} EncoderWindow;

/* The working memory of a thread, for one tile. */
typedef struct Workspace {
    float *features;  /* [mels, CONV_LANES]: those around the tile, zeros beyond the window */
    PackedTile hidden; /* a convolution's unrolled input (im2col), or what fc1 gave */
    void *conv1_out;  /* pairs [width / 2, CONV_LANES], or float32 [width, CONV_LANES] for int16 */
    PackedTile normalized, attn_output;
    float *qkv;       /* [TILE_PANELS, 3 width, LANES], for int16 */
    float *scores;    /* [KEY_BLOCK, NR_PANELS, LANES] */
    Pair *weights;    /* [NR_PANELS, KEY_BLOCK / 2, LANES]: of softmax */
    float *sums;      /* [size, NR_PANELS, LANES] */
} Workspace;

/* The second convolution has stride 2 and sees one frame more on the left. */
enum { KEY_BLOCK = 128, CONV_TAPS = 3 };

/* In int16, KEY_BLOCK products of a value and a weight of the softmax fit into 32 bits: 4095² 128. */
enum { INT16_VALUE = 4095 };
enum { CONV_PANELS = 2 * TILE_PANELS + 1, CONV_LANES = (CONV_PANELS + 1) * LANES };

typedef struct Encoder {
    HandleKind kind;
    EncoderShape shape;
    DType dtype, weights; /* that layers multiply; convolutions are of CONV_DTYPE */
    EncoderBlock *blocks;
    LayerNorm ln_post;
    Linear conv1, conv2;  /* [width, CONV_TAPS channels] */
    Linear *cross_kv;     /* by decoder layer: its keys, then its values */
    float *positions;     /* [width, LANES panels] */
    ThreadPool pool;
    Workspace *workspaces;
    EncoderWindow *windows;
    int window_capacity, window_count;
} Encoder;

static bool is_encoder(const Encoder *encoder) { return encoder && encoder->kind == ENCODER; }

static int frame_panels(int frames) { return (frames + LANES - 1) / LANES; }

static int tile_count(int frames) { return (frames + TILE - 1) / TILE; }

static int encoder_head_size(const EncoderShape *shape) { return shape->width / shape->heads; }

static size_t round_up_to_mr(int rows) { return (rows + MR - 1) / MR * MR; }

static void encoder_window_free(EncoderWindow *window)
{
    free(window->x);
    free(window->queries);
    free(window->query_scales);
    for (int buffer = 0; buffer < 2; buffer++) {
        free(window->keys[buffer]);
        free(window->values[buffer]);
        free(window->key_scales[buffer]);
        free(window->value_scales[buffer]);
    }
    *window = (EncoderWindow){0};
}

/* Values have MR rows more than heads do, as the micro-kernel may read beyond the last. */
static bool encoder_window_init(const EncoderShape *shape, EncoderWindow *window)
{
    size_t numbers = (size_t)frame_panels(shape->frames) * LANES * shape->width;
    size_t beyond = (size_t)frame_panels(shape->frames) * LANES * MR;
    window->x = alloc_aligned(numbers * sizeof(float));
    window->queries = alloc_aligned(numbers * sizeof(bf16));
    size_t scales = (size_t)frame_panels(shape->frames) * LANES * shape->heads * sizeof(float);
    window->query_scales = alloc_aligned(scales);
    bool made = window->x && window->queries && window->query_scales;
    for (int buffer = 0; buffer < 2; buffer++) {
        window->keys[buffer] = alloc_aligned(numbers * sizeof(bf16));
        window->values[buffer] = alloc_aligned((numbers + beyond) * sizeof(bf16));
        window->key_scales[buffer] = alloc_aligned(scales);
        window->value_scales[buffer] = alloc_aligned(scales);
        made = made && window->keys[buffer] && window->values[buffer]
            && window->key_scales[buffer] && window->value_scales[buffer];
        if (window->values[buffer])
            memset(window->values[buffer] + numbers, 0, beyond * sizeof(bf16));
    }
    return made;
}

static bool reserve_windows(Encoder *encoder, int count)
{
    if (count <= encoder->window_capacity)
        return true;
    EncoderWindow *windows = realloc(encoder->windows, count * sizeof *windows);
    if (!windows)
        return false;
    encoder->windows = windows;
    for (; encoder->window_capacity < count; encoder->window_capacity++) {
        EncoderWindow *fresh = &windows[encoder->window_capacity];
        *fresh = (EncoderWindow){0};
        if (!encoder_window_init(&encoder->shape, fresh)) {
            encoder_window_free(fresh);
            return false;
        }
    }
    return true;
}

static size_t max_size(size_t a, size_t b) { return a > b ? a : b; }

static bool packed_tile_init(PackedTile *tile, size_t channels)
{
    size_t groups = (channels + QUANT_GROUP - 1) / QUANT_GROUP;
    tile->pairs = alloc_aligned(channels * TILE * sizeof(bf16));
    tile->quads = alloc_aligned(channels * TILE);
    tile->widened = alloc_aligned(channels * PANEL * sizeof(int16_t));
    /* of two groups more, as the first convolution has more panels but fewer channels */
    tile->scales = alloc_aligned((groups + 2) * TILE * sizeof(float));
#if !defined(__AVX512BF16__)
    tile->values = alloc_aligned(channels * TILE * sizeof(float));
    if (!tile->values)
        return false;
#endif
    return tile->pairs && tile->quads && tile->scales && tile->widened;
}

static void packed_tile_free(PackedTile *tile)
{
    free(tile->pairs);
    free(tile->quads);
    free(tile->scales);
    free(tile->values);
    free(tile->widened);
}

static bool workspace_init(const EncoderShape *shape, Workspace *space)
{
    size_t width = shape->width;
    size_t conv1_in = (size_t)CONV_PANELS * CONV_TAPS * shape->mels / TILE_PANELS + 1;
    space->features = alloc_aligned((size_t)shape->mels * CONV_LANES * sizeof(float));
    space->conv1_out = alloc_aligned(width * CONV_LANES * sizeof(float));
    space->qkv = alloc_aligned(3 * width * TILE * sizeof(float));
    space->scores = alloc_aligned(KEY_BLOCK * NR_PANELS * LANES * sizeof(float));
    space->weights = alloc_aligned(KEY_BLOCK * NR_PANELS * LANES * sizeof(Pair) / 2);
    space->sums = alloc_aligned(round_up_to_mr(encoder_head_size(shape)) * NR_PANELS * LANES
                                * sizeof(float));
    return packed_tile_init(&space->hidden,
                            max_size(max_size(conv1_in, CONV_TAPS * width), shape->ffn))
        && packed_tile_init(&space->normalized, width)
        && packed_tile_init(&space->attn_output, width)
        && space->features && space->conv1_out && space->qkv && space->scores && space->weights && space->sums;
}

static void workspace_free(Workspace *space)
{
    free(space->features);
    free(space->conv1_out);
    packed_tile_free(&space->hidden);
    packed_tile_free(&space->normalized);
    packed_tile_free(&space->attn_output);
    free(space->qkv);
    free(space->scores);
    free(space->weights);
    free(space->sums);
}

static bool encoder_block_init(const EncoderShape *shape, EncoderBlock *block, DType weights,
                               DType dtype)
{
    int width = shape->width, ffn = shape->ffn;
    return layer_norm_init(&block->attn_ln, width) && layer_norm_init(&block->mlp_ln, width)
        && linear_init(&block->attn_qkv, 3 * width, width, weights, dtype)
        && linear_init(&block->attn_out, width, width, weights, dtype)
        && linear_init(&block->fc1, ffn, width, weights, dtype)
        && linear_init(&block->fc2, width, ffn, weights, dtype);
}

static void encoder_block_free(EncoderBlock *block)
{
    layer_norm_free(&block->attn_ln);
    layer_norm_free(&block->mlp_ln);
    linear_free(&block->attn_qkv);
    linear_free(&block->attn_out);
    linear_free(&block->fc1);
    linear_free(&block->fc2);
}

static void encoder_free(Encoder *encoder)
{
    const EncoderShape *shape = &encoder->shape;
    thread_pool_close(&encoder->pool);
    for (int layer = 0; encoder->blocks && layer < shape->layers; layer++)
        encoder_block_free(&encoder->blocks[layer]);
    for (int layer = 0; encoder->cross_kv && layer < shape->decoder_layers; layer++)
        linear_free(&encoder->cross_kv[layer]);
    for (int thread = 0; encoder->workspaces && thread < encoder->pool.capacity; thread++)
        workspace_free(&encoder->workspaces[thread]);
    for (int window = 0; window < encoder->window_capacity; window++)
        encoder_window_free(&encoder->windows[window]);
    layer_norm_free(&encoder->ln_post);
    linear_free(&encoder->conv1);
    linear_free(&encoder->conv2);
    free(encoder->blocks);
    free(encoder->cross_kv);
    free(encoder->positions);
    free(encoder->workspaces);
    free(encoder->windows);
    encoder->kind = 0;
    free(encoder);
}

EXPORT int quest22_encoder_close(Encoder *encoder)
{
    if (!is_encoder(encoder))
        return BAD_ARGUMENT;
    if (atomic_exchange(&encoder->pool.reserved, true))
        return BUSY;
    encoder_free(encoder);
    return OK;
}

static bool encoder_init(Encoder *encoder, int threads)
{
    const EncoderShape *shape = &encoder->shape;
    size_t positions = (size_t)frame_panels(shape->frames) * LANES * shape->width;
    if (!thread_pool_open(&encoder->pool, threads))
        return false;
    encoder->blocks = calloc(shape->layers, sizeof(EncoderBlock));
    encoder->cross_kv = calloc(shape->decoder_layers, sizeof(Linear));
    encoder->workspaces = calloc(encoder->pool.threads, sizeof(Workspace));
    encoder->positions = calloc(positions, sizeof(float));
    bool made = encoder->blocks && encoder->cross_kv && encoder->workspaces && encoder->positions
        && layer_norm_init(&encoder->ln_post, shape->width)
        && linear_init(&encoder->conv1, shape->width, CONV_TAPS * shape->mels, CONV_DTYPE,
                       CONV_DTYPE)
        && linear_init(&encoder->conv2, shape->width, CONV_TAPS * shape->width,
                       CONV_DTYPE, CONV_DTYPE);
    for (int layer = 0; made && layer < shape->layers; layer++)
        made = encoder_block_init(shape, &encoder->blocks[layer], encoder->weights,
                                  encoder->dtype);
    for (int layer = 0; made && layer < shape->decoder_layers; layer++)
        made = linear_init(&encoder->cross_kv[layer], 2 * shape->width, shape->width,
                           encoder->weights, encoder->dtype);
    for (int thread = 0; made && thread < encoder->pool.threads; thread++)
        made = workspace_init(shape, &encoder->workspaces[thread]);
    return made;
}

static Status check_encoder(const EncoderShape *shape, int64_t dtype)
{
    if (!shape || !is_dtype(dtype))
        return BAD_ARGUMENT;
    const SizeLimit sizes[] = {
        {shape->layers, MAX_LAYERS}, {shape->width, MAX_WIDTH}, {shape->heads, MAX_WIDTH},
        {shape->ffn, MAX_FFN}, {shape->mels, MAX_MELS}, {shape->frames, MAX_FRAMES},
        {shape->decoder_layers, MAX_LAYERS}, {shape->decoder_heads, MAX_WIDTH}};
    Status status = check_sizes(sizes, sizeof sizes / sizeof *sizes);
    if (status != OK)
        return status;
    if (shape->width % shape->heads || shape->width % shape->decoder_heads)
        return BAD_ARGUMENT;
    int per_lane = inputs_per_lane(dtype);
    bool known = dtype == CONV_DTYPE || (dtype == INT8 && HAS_QUAD_PRODUCTS);
    return !known || encoder_head_size(shape) % 2
        || shape->width / shape->decoder_heads % 2 || shape->width % per_lane
        || shape->ffn % per_lane || shape->mels % 2 ? UNSUPPORTED : OK;
}

/* Weights are of what layers multiply, or integers of fewer bits. */
static Status check_encoder_weights(const EncoderShape *shape, int64_t dtype, int64_t weights)
{
    if (!is_dtype(weights))
        return BAD_ARGUMENT;
    if (weights == INT4 && (shape->width % INT4_GROUP || shape->ffn % INT4_GROUP))
        return UNSUPPORTED;
    return weights == dtype || (dtype == CONV_DTYPE && (weights == INT8 || weights == INT4))
        ? OK : UNSUPPORTED;
}

/* What the encoder multiplies: BFLOAT16 or INT16 (and INT8). Its outputs are bfloat16 or float32. */
EXPORT int quest22_encoder_dtype(void) { return CONV_DTYPE; }

/* Whether there is code for a shape and a dtype: BFLOAT16, INT16, or INT8 (with int8 weights). */
EXPORT int quest22_encoder_supports(const EncoderShape *shape, int64_t dtype)
{
    return check_encoder(shape, dtype) == OK;
}

/* Makes an encoder whose weights are all zero; those of convolutions are of 16 bits. */
EXPORT int quest22_encoder_open(const EncoderShape *shape, int64_t dtype, int64_t weights,
                                int64_t threads, Encoder **opened)
{
    Status status = check_encoder(shape, dtype);
    if (status == OK)
        status = check_encoder_weights(shape, dtype, weights);
    if (status == OK)
        status = opened ? check_size(threads, MAX_THREADS) : BAD_ARGUMENT;
    if (status != OK)
        return status;
    Encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder)
        return NO_MEMORY;
    encoder->kind = ENCODER;
    encoder->shape = *shape;
    encoder->dtype = dtype;
    encoder->weights = weights;
    if (!encoder_init(encoder, threads)) {
        encoder_free(encoder);
        return NO_MEMORY;
    }
    *opened = encoder;
    return OK;
}

/* Linear layers by number: four a block in the order of its members, the convolutions, then one for
   each decoder layer; else NULL. */
static Linear *encoder_linear(Encoder *encoder, int64_t number)
{
    int64_t rest = number - 4 * encoder->shape.layers;
    if (number < 0 || rest >= 2 + encoder->shape.decoder_layers)
        return NULL;
    if (rest >= 2)
        return &encoder->cross_kv[rest - 2];
    if (rest >= 0)
        return rest ? &encoder->conv2 : &encoder->conv1;
    EncoderBlock *block = &encoder->blocks[number / 4];
    Linear *layers[] = {&block->attn_qkv, &block->attn_out, &block->fc1, &block->fc2};
    return layers[number % 4];
}

/* Norms by number: two a block, then the last; else NULL. */
static LayerNorm *encoder_norm(Encoder *encoder, int64_t number)
{
    if (number < 0 || number > 2 * encoder->shape.layers)
        return NULL;
    if (number == 2 * encoder->shape.layers)
        return &encoder->ln_post;
    EncoderBlock *block = &encoder->blocks[number / 2];
    return number % 2 ? &block->mlp_ln : &block->attn_ln;
}

/* Sets the outputs first to first + count of a linear layer, as LinearWeights says. */
EXPORT int quest22_encoder_set_linear(Encoder *encoder, int64_t number, int64_t first,
                                      int64_t count, int64_t inputs, const float *weights,
                                      const float *bias, float factor)
{
    if (!is_encoder(encoder))
        return BAD_ARGUMENT;
    LinearWeights given = {first, count, inputs, weights, bias, factor};
    return linear_set(encoder_linear(encoder, number), &given);
}

EXPORT int quest22_encoder_set_norm(Encoder *encoder, int64_t number, int64_t width,
                                    const float *weight, const float *bias)
{
    if (!is_encoder(encoder))
        return BAD_ARGUMENT;
    return layer_norm_set(encoder_norm(encoder, number), encoder->shape.width, width, weight,
                          bias);
}

/* Sets the positional embedding [frames, width]. */
EXPORT int quest22_encoder_set_positions(Encoder *encoder, int64_t frames, int64_t width,
                                         const float *positions)
{
    if (!is_encoder(encoder) || !positions || frames != encoder->shape.frames
        || width != encoder->shape.width)
        return BAD_ARGUMENT;
    size_t length = (size_t)frame_panels(encoder->shape.frames) * LANES;
    for (int frame = 0; frame < encoder->shape.frames; frame++)
        for (int channel = 0; channel < encoder->shape.width; channel++)
            encoder->positions[channel * length + frame] = *positions++;
    return OK;
}

#endif
