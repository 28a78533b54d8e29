/* A decoder: its shape, its weights and its working memory. */
#ifndef QUEST22_DECODER_H
#define QUEST22_DECODER_H

#include "cross_kv.h"
#include "layer_norm.h"
#include "thread_pool.h"

typedef struct DecoderBlock {
    LayerNorm attn_ln, cross_attn_ln, mlp_ln;
    Linear attn_qkv, attn_out, cross_attn_q, cross_attn_out, fc1, fc2;
    char *keys, *values; /* [slots, heads, positions, size]: the self-attention cache */
} DecoderBlock;

typedef struct DecoderShape {
    int32_t layers, width, heads, ffn, frames, positions, vocab;
} DecoderShape;

/* What a step is called with. */
typedef struct StepArguments {
    int sequences, tokens, windows, position, logit_count;
    const int32_t *positions;        /* [sequences]; NULL: all are at the same position */
    float *x;                        /* [sequences, tokens, width], the residual stream */
    const int32_t *window_indices;   /* [windows]: which of the cross-attention's */
    const int32_t *logit_positions;  /* [logit_count], or of each sequence its own: the tokens whose
                                        logits are returned */
    float *logits;                   /* [sequences, logit_count, vocab] */
} StepArguments;

/* Where the scores of some heads' cross-attention are written, for alignment. */
typedef struct KeptScores {
    int count;            /* heads; 0: none are kept */
    const int32_t *heads; /* [count, 2]: layer and head */
    float *scores;        /* [count, positions, frames of the window], of a single sequence */
} KeptScores;

typedef struct Decoder {
    HandleKind kind;
    DecoderShape shape;
    DType dtype; /* of activations and of the self-attention cache */
    DType linear_dtype; /* of the inputs of linear layers: dtype, or INT16 made of float32 */
    CrossKV cross_kv;
    KeptScores kept_scores;
    DecoderBlock *blocks;
    LayerNorm ln;
    Linear proj_out; /* the token embedding */
    ThreadPool pool;
    int slots;          /* sequences that the cache has room for */
    int32_t *slot_of;   /* [positions, slots]: the slot that holds a sequence's position */
    int32_t *reordered; /* [slots]: scratch */
    int begun;          /* sequences of the batch */
    int32_t *cached;    /* [slots]: positions that the cache holds of each sequence */
    int cached_sequences;
    int row_capacity;   /* of the four below */
    PackedRows activations, hidden; /* inputs of the next product, as wide as the model; as fc1 */
    PackedRows quantized; /* one of those two in int16, where linear_dtype is */
    float *projected;   /* [rows, 3 width]: queries, with keys and values in self-attention */
    char **scratch;     /* by thread: scores, and the weights made of them */
    StepArguments step;
} Decoder;

/* Where a sequence is: its first token of this step. */
static int position_of(const StepArguments *step, int sequence)
{
    return step->positions ? step->positions[sequence] : step->position;
}

static bool is_decoder(const Decoder *decoder) { return decoder && decoder->kind == DECODER; }

static int head_size(const Decoder *decoder) { return decoder->shape.width / decoder->shape.heads; }

static size_t max_attention_length(const Decoder *decoder)
{
    const DecoderShape *shape = &decoder->shape;
    return padded(shape->frames > shape->positions ? shape->frames : shape->positions);
}

static bool decoder_block_init(const DecoderShape *shape, DecoderBlock *block, DType weights,
                               DType activations)
{
    int width = shape->width, ffn = shape->ffn;
    return layer_norm_init(&block->attn_ln, width)
        && layer_norm_init(&block->cross_attn_ln, width) && layer_norm_init(&block->mlp_ln, width)
        && linear_init(&block->attn_qkv, 3 * width, width, weights, activations)
        && linear_init(&block->attn_out, width, width, weights, activations)
        && linear_init(&block->cross_attn_q, width, width, weights, activations)
        && linear_init(&block->cross_attn_out, width, width, weights, activations)
        && linear_init(&block->fc1, ffn, width, weights, activations)
        && linear_init(&block->fc2, width, ffn, weights, activations);
}

static void decoder_block_free(DecoderBlock *block)
{
    LayerNorm *norms[] = {&block->attn_ln, &block->cross_attn_ln, &block->mlp_ln};
    Linear *layers[] = {&block->attn_qkv, &block->attn_out, &block->cross_attn_q,
                        &block->cross_attn_out, &block->fc1, &block->fc2};
    for (size_t each = 0; each < sizeof norms / sizeof *norms; each++)
        layer_norm_free(norms[each]);
    for (size_t each = 0; each < sizeof layers / sizeof *layers; each++)
        linear_free(layers[each]);
    free(block->keys);
    free(block->values);
}

static void decoder_free(Decoder *decoder)
{
    thread_pool_close(&decoder->pool);
    for (int layer = 0; decoder->blocks && layer < decoder->shape.layers; layer++)
        decoder_block_free(&decoder->blocks[layer]);
    for (int thread = 0; decoder->scratch && thread < decoder->pool.capacity; thread++)
        free(decoder->scratch[thread]);
    cross_kv_free(&decoder->cross_kv);
    layer_norm_free(&decoder->ln);
    linear_free(&decoder->proj_out);
    free(decoder->blocks);
    free(decoder->scratch);
    free(decoder->slot_of);
    free(decoder->reordered);
    free(decoder->cached);
    free(decoder->activations.values);
    free(decoder->hidden.values);
    free(decoder->quantized.values);
    free(decoder->quantized.scales);
    free(decoder->projected);
    decoder->kind = 0;
    free(decoder);
}

EXPORT int quest22_decoder_close(Decoder *decoder)
{
    if (!is_decoder(decoder))
        return BAD_ARGUMENT;
    if (atomic_exchange(&decoder->pool.reserved, true))
        return BUSY;
    decoder_free(decoder);
    return OK;
}

static Status check_decoder_shape(const DecoderShape *shape)
{
    if (!shape)
        return BAD_ARGUMENT;
    const SizeLimit sizes[] = {
        {shape->layers, MAX_LAYERS}, {shape->width, MAX_WIDTH}, {shape->heads, MAX_WIDTH},
        {shape->ffn, MAX_FFN}, {shape->frames, MAX_FRAMES}, {shape->positions, MAX_POSITIONS},
        {shape->vocab, MAX_VOCAB}};
    Status status = check_sizes(sizes, sizeof sizes / sizeof *sizes);
    if (status != OK)
        return status;
    if (shape->width % shape->heads)
        return BAD_ARGUMENT;
    return shape->width % 2 || shape->ffn % 2
        || padded(shape->width / shape->heads) > MAX_HEAD_SIZE ? UNSUPPORTED : OK;
}

/* dtype: of activations; weights and cross_kv are of the same or INT8, weights also INT4. For FLOAT32,
   weights may be INT16 too. Integer weights are multiplied with float32 that is rounded to int16. */
static Status check_decoder_dtypes(const DecoderShape *shape, int64_t dtype, int64_t weights,
                                   int64_t cross_kv)
{
    if (!is_dtype(dtype) || !is_dtype(weights) || !is_dtype(cross_kv))
        return BAD_ARGUMENT;
#if !defined(__AVX512BF16__)
    if (dtype == BFLOAT16)
        return UNSUPPORTED;
#endif
    bool whole_groups = shape->width % INT4_GROUP == 0 && shape->ffn % INT4_GROUP == 0;
    bool known = weights == dtype || weights == INT8 || (weights == INT4 && whole_groups)
        || (weights == INT16 && dtype == FLOAT32);
    return (dtype != FLOAT32 && dtype != BFLOAT16) || !known
        || (cross_kv != dtype && cross_kv != INT8)
        || (cross_kv == INT8 && padded(shape->frames) > MAX_INT8_DOT) ? UNSUPPORTED : OK;
}

/* Whether there is code for a shape and a dtype of activations. */
EXPORT int quest22_decoder_supports(const DecoderShape *shape, int64_t dtype)
{
    return check_decoder_shape(shape) == OK
        && check_decoder_dtypes(shape, dtype, dtype, dtype) == OK;
}

/* The last layer is most of what a step of a single row reads of a small model, so that it is of 8
   bits where the others are of 16. Its rounding goes into logits as it is, so that it is not of 4. */
static DType head_dtype(DType weights) { return is_scaled(weights) ? INT8 : weights; }

static bool decoder_init(Decoder *decoder, DType weights, int threads)
{
    const DecoderShape *shape = &decoder->shape;
    if (!thread_pool_open(&decoder->pool, threads) || !cross_kv_init(&decoder->cross_kv))
        return false;
    decoder->blocks = calloc(shape->layers, sizeof(DecoderBlock));
    decoder->scratch = calloc(decoder->pool.threads, sizeof(char *));
    if (!decoder->blocks || !decoder->scratch || !layer_norm_init(&decoder->ln, shape->width)
        || !linear_init(&decoder->proj_out, shape->vocab, shape->width, head_dtype(weights),
                        decoder->linear_dtype))
        return false;
    for (int layer = 0; layer < shape->layers; layer++)
        if (!decoder_block_init(shape, &decoder->blocks[layer], weights, decoder->linear_dtype))
            return false;
    for (int thread = 0; thread < decoder->pool.threads; thread++)
        if (!(decoder->scratch[thread] = alloc_aligned(
                  2 * MAX_QUERIES * max_attention_length(decoder) * sizeof(float))))
            return false;
    return true;
}

/* Makes a decoder whose weights are all zero. */
EXPORT int quest22_decoder_open(const DecoderShape *shape, int64_t dtype, int64_t weights,
                                int64_t cross_kv, int64_t threads, Decoder **opened)
{
    Status status = check_decoder_shape(shape);
    if (status == OK)
        status = check_decoder_dtypes(shape, dtype, weights, cross_kv);
    if (status == OK)
        status = opened ? check_size(threads, MAX_THREADS) : BAD_ARGUMENT;
    if (status != OK)
        return status;
    Decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return NO_MEMORY;
    decoder->kind = DECODER;
    decoder->shape = *shape;
    decoder->dtype = dtype;
    decoder->linear_dtype = dtype == FLOAT32 && is_scaled(weights) ? INT16 : dtype;
    decoder->cross_kv = (CrossKV){.layers = shape->layers, .heads = shape->heads,
                                  .size = shape->width / shape->heads, .max_frames = shape->frames,
                                  .source_dtype = dtype, .dtype = cross_kv};
    if (!decoder_init(decoder, weights, threads)) {
        decoder_free(decoder);
        return NO_MEMORY;
    }
    *opened = decoder;
    return OK;
}

/* Linear layers by number: six a block in the order of its members, then proj_out; else NULL. */
static Linear *decoder_linear(Decoder *decoder, int64_t number)
{
    if (number < 0 || number > 6 * decoder->shape.layers)
        return NULL;
    if (number == 6 * decoder->shape.layers)
        return &decoder->proj_out;
    DecoderBlock *block = &decoder->blocks[number / 6];
    Linear *layers[] = {&block->attn_qkv, &block->attn_out, &block->cross_attn_q,
                        &block->cross_attn_out, &block->fc1, &block->fc2};
    return layers[number % 6];
}

/* Norms by number: three a block, then the last; else NULL. */
static LayerNorm *decoder_norm(Decoder *decoder, int64_t number)
{
    if (number < 0 || number > 3 * decoder->shape.layers)
        return NULL;
    if (number == 3 * decoder->shape.layers)
        return &decoder->ln;
    DecoderBlock *block = &decoder->blocks[number / 3];
    LayerNorm *norms[] = {&block->attn_ln, &block->cross_attn_ln, &block->mlp_ln};
    return norms[number % 3];
}

/* Sets the outputs first to first + count of a linear layer, as LinearWeights says. */
EXPORT int quest22_decoder_set_linear(Decoder *decoder, int64_t number, int64_t first,
                                      int64_t count, int64_t inputs, const float *weights,
                                      const float *bias, float factor)
{
    if (!is_decoder(decoder))
        return BAD_ARGUMENT;
    LinearWeights given = {first, count, inputs, weights, bias, factor};
    return linear_set(decoder_linear(decoder, number), &given);
}

EXPORT int quest22_decoder_set_norm(Decoder *decoder, int64_t number, int64_t width,
                                    const float *weight, const float *bias)
{
    if (!is_decoder(decoder))
        return BAD_ARGUMENT;
    return layer_norm_set(decoder_norm(decoder, number), decoder->shape.width, width, weight,
                          bias);
}

/* To be called once all weights are set: see linear_compact. */
EXPORT int quest22_decoder_compact(Decoder *decoder)
{
    if (!is_decoder(decoder))
        return BAD_ARGUMENT;
    if (!thread_pool_acquire(&decoder->pool))
        return BUSY;
    Status status = OK;
    for (int number = 0; number <= 6 * decoder->shape.layers && status == OK; number++)
        status = linear_compact(decoder_linear(decoder, number));
    thread_pool_release(&decoder->pool);
    return status;
}

#endif
