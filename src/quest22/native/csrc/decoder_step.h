/* Runs Whisper's decoder: one step, some tokens further in every sequence of a batch.

   The network is that of Radford et al. 2022 (arXiv:2212.04356): pre-norm blocks of self-attention,
   cross-attention and an MLP. Sequences are at the same position, or each at its own. Those of one
   window (its beams) lie side by side and share its keys and values. The residual stream is float32; products
   are of float32 or bfloat16, with weights also int8. */
#ifndef QUEST22_DECODER_STEP_H
#define QUEST22_DECODER_STEP_H

#include "cross_attention.h"
#include "self_attention.h"

static void layer_norm_row(const Decoder *decoder, const LayerNorm *norm, const float *x,
                           const PackedRows *to, int index)
{
    int width = decoder->shape.width;
    float row[width], mean = sum_array(x, width) / width;
    for (int each = 0; each < width; each++)
        row[each] = (x[each] - mean) * (x[each] - mean);
    float factor = 1.0f / sqrtf(sum_array(row, width) / width + 1e-5f);
    for (int each = 0; each < width; each++)
        row[each] = (x[each] - mean) * factor * norm->weight[each] + norm->bias[each];
    pack_row(to, index, 0, row, width);
}

static void layer_norm_forward(Decoder *decoder, const LayerNorm *norm)
{
    for (int row; (row = thread_pool_next_task(&decoder->pool)) < decoder->activations.count;)
        layer_norm_row(decoder, norm, decoder->step.x + (size_t)row * decoder->shape.width,
                       &decoder->activations, row);
    thread_pool_barrier(&decoder->pool);
}

/* The rows as linear layers multiply them. */
static PackedRows linear_input(Decoder *decoder, const PackedRows *rows)
{
    if (decoder->linear_dtype == rows->dtype)
        return *rows;
    PackedRows quantized = *rows;
    quantized.dtype = INT16;
    quantized.values = decoder->quantized.values;
    quantized.scales = decoder->quantized.scales;
    for (int row; (row = thread_pool_next_task(&decoder->pool) * LANES) < rows->count;)
        quantize_packed_rows(rows, &quantized, row);
    thread_pool_barrier(&decoder->pool);
    return quantized;
}

static void linear_forward(Decoder *decoder, const Linear *layer, const PackedRows *rows,
                           Epilogue epilogue, float *output)
{
    const PackedRows input = linear_input(decoder, rows);
    MatMul matmul = {layer, &input, epilogue, output, &decoder->hidden};
    multiply(&decoder->pool, &matmul);
    thread_pool_barrier(&decoder->pool);
}

static void attention_forward(Decoder *decoder, int layer, bool is_self, int thread)
{
    int heads = decoder->shape.heads;
    int tasks = (is_self ? decoder->step.sequences : decoder->step.windows) * heads;
    char *scratch = decoder->scratch[thread];
    for (int task; (task = thread_pool_next_task(&decoder->pool)) < tasks;) {
        int owner = task / heads, head = task % heads;
        DecoderBlock *block = &decoder->blocks[layer];
        if (is_self)
            self_attend_sequence(decoder, block, owner, head, (float *)scratch);
        else if (decoder->cross_kv.dtype == INT8)
            cross_attend_window(decoder, layer, owner, head, scratch, INT8);
        else if (decoder->cross_kv.dtype == FLOAT32)
            cross_attend_window(decoder, layer, owner, head, scratch, FLOAT32);
        else
            cross_attend_window(decoder, layer, owner, head, scratch, BFLOAT16);
    }
    thread_pool_barrier(&decoder->pool);
}

/* What is rounded to int16 is a single row or whole vectors of rows. */
static PackedRows packed_rows(void *values, const Decoder *decoder, int count, int width)
{
    bool whole = count > ROW_BLOCK || (count > 1 && decoder->linear_dtype == INT16);
    return (PackedRows){values, count, whole ? ROW_BLOCK : count, width, decoder->dtype, NULL};
}

/* Normalises the rows whose logits are returned, and packs them side by side. */
static void gather_logit_rows(Decoder *decoder, const PackedRows *rows)
{
    const StepArguments *step = &decoder->step;
    int width = decoder->shape.width;
    for (int row; (row = thread_pool_next_task(&decoder->pool)) < rows->count;) {
        size_t from = (size_t)(row / step->logit_count) * step->tokens
            + step->logit_positions[step->positions ? row : row % step->logit_count];
        layer_norm_row(decoder, &decoder->ln, step->x + from * width, rows, row);
    }
    thread_pool_barrier(&decoder->pool);
}

static void decoder_forward(void *context, int thread)
{
    Decoder *decoder = context;
    StepArguments *step = &decoder->step;
    const PackedRows *rows = &decoder->activations;
    for (int layer = 0; layer < decoder->shape.layers; layer++) {
        DecoderBlock *block = &decoder->blocks[layer];
        layer_norm_forward(decoder, &block->attn_ln);
        linear_forward(decoder, &block->attn_qkv, rows, STORE, decoder->projected);
        attention_forward(decoder, layer, true, thread);
        linear_forward(decoder, &block->attn_out, rows, ADD, step->x);
        layer_norm_forward(decoder, &block->cross_attn_ln);
        linear_forward(decoder, &block->cross_attn_q, rows, STORE, decoder->projected);
        attention_forward(decoder, layer, false, thread);
        linear_forward(decoder, &block->cross_attn_out, rows, ADD, step->x);
        layer_norm_forward(decoder, &block->mlp_ln);
        linear_forward(decoder, &block->fc1, rows, GELU, NULL);
        linear_forward(decoder, &block->fc2, &decoder->hidden, ADD, step->x);
    }
    PackedRows last = packed_rows(rows->values, decoder, step->sequences * step->logit_count,
                                  rows->width);
    gather_logit_rows(decoder, &last);
    linear_forward(decoder, &decoder->proj_out, &last, STORE, step->logits);
}

static void *alloc_zeros(size_t bytes)
{
    void *memory = alloc_aligned(bytes);
    return memory ? memset(memory, 0, bytes) : NULL;
}

/* Makes the working memory large enough for so many rows. Rows beyond the last, which are rounded
   to int16 along with it, hold zeros or what was there before. */
static bool reserve_rows(Decoder *decoder, int count)
{
    const DecoderShape *shape = &decoder->shape;
    size_t bytes = DTYPE_BYTES[decoder->dtype];
    size_t capacity = (count + ROW_BLOCK - 1) / ROW_BLOCK * ROW_BLOCK;
    size_t widest = shape->width > shape->ffn ? shape->width : shape->ffn;
    if (count > decoder->row_capacity) {
        free(decoder->activations.values);
        free(decoder->hidden.values);
        free(decoder->quantized.values);
        free(decoder->quantized.scales);
        free(decoder->projected);
        decoder->activations.values = alloc_zeros(capacity * shape->width * bytes);
        decoder->hidden.values = alloc_zeros(capacity * shape->ffn * bytes);
        decoder->quantized.values = alloc_zeros(capacity * widest * sizeof(int16_t));
        decoder->quantized.scales = alloc_zeros(capacity * (widest / QUANT_GROUP + 1)
                                                * sizeof(float));
        decoder->projected = alloc_aligned(capacity * 3 * shape->width * sizeof(float));
        decoder->row_capacity = decoder->activations.values && decoder->hidden.values
            && decoder->quantized.values && decoder->quantized.scales && decoder->projected
            ? capacity : 0;
    }
    return decoder->row_capacity > 0;
}

/* Whether each sequence goes on in its slot, or in that of one that is left out. Else a slot might be
   written to from which another sequence reads: they are at different positions. */
static bool keep_their_slots(const StepArguments *step, const int32_t *beams)
{
    for (int sequence = 0; sequence < step->sequences; sequence++)
        if (beams[sequence] != sequence && beams[sequence] < step->sequences)
            return false;
    return true;
}

/* A step may go back to a position that the cache holds; it cannot leave one out. */
static bool positions_are_right(const Decoder *decoder, const StepArguments *step,
                                const int32_t *beams)
{
    bool first = true;
    for (int sequence = 0; sequence < step->sequences; sequence++) {
        int position = position_of(step, sequence);
        if (position < 0 || step->tokens > decoder->shape.positions - position)
            return false;
        first = first && position == 0;
    }
    if (first)
        return true;
    if (!all_in_range(beams, step->sequences, decoder->cached_sequences))
        return false;
    for (int sequence = 0; sequence < step->sequences; sequence++)
        if (position_of(step, sequence) > decoder->cached[beams[sequence]])
            return false;
    return !step->positions || keep_their_slots(step, beams);
}

static Status check_step(const Decoder *decoder, const StepArguments *step, const int32_t *beams)
{
    if (!step->x || !beams || !step->window_indices || !step->logit_positions || !step->logits
        || step->sequences < 1 || step->sequences > decoder->begun || step->tokens < 1
        || step->tokens > decoder->shape.positions || step->windows < 1
        || step->sequences % step->windows || step->logit_count < 0 || step->logit_count > step->tokens)
        return BAD_ARGUMENT;
    if (!all_in_range(step->window_indices, step->windows, decoder->cross_kv.windows)
        || !all_in_range(step->logit_positions,
                         step->logit_count * (step->positions ? step->sequences : 1), step->tokens)
        || !positions_are_right(decoder, step, beams))
        return BAD_ARGUMENT;
    return (int64_t)step->sequences * step->tokens > MAX_ROWS ? UNSUPPORTED : OK;
}

static Status run_step(Decoder *decoder, const StepArguments *step, const int32_t *beams)
{
    Status status = check_step(decoder, step, beams);
    if (status != OK)
        return status;
    decoder->step = *step;
    int count = step->sequences * step->tokens;
    if (!reserve_rows(decoder, count))
        return NO_MEMORY;
    decoder->activations = packed_rows(decoder->activations.values, decoder, count,
                                       decoder->shape.width);
    decoder->hidden = packed_rows(decoder->hidden.values, decoder, count, decoder->shape.ffn);
    reorder_cache(decoder, beams);
    thread_pool_run(&decoder->pool, decoder_forward, decoder);
    return OK;
}

/* x: [sequences, tokens, width] embedded tokens, overwritten. sizes: sequences, tokens, windows,
   position, logit_count. beams: [sequences], the sequence of the last step that each one continues.
   The rest is as StepArguments says. A position of -1: each sequence has its own, [sequences] after
   these five, and logit_positions are [sequences, logit_count]; sequences then keep their numbers,
   or take those of sequences that leave. */
EXPORT int quest22_decoder_step(Decoder *decoder, const int32_t *sizes, float *x,
                                const int32_t *beams, const int32_t *window_indices,
                                const int32_t *logit_positions, float *logits)
{
    if (!is_decoder(decoder) || !sizes)
        return BAD_ARGUMENT;
    if (!thread_pool_acquire(&decoder->pool))
        return BUSY;
    const int32_t *positions = sizes[3] == -1 ? sizes + 5 : NULL;
    StepArguments step = {sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], positions,
                          x, window_indices, logit_positions, logits};
    Status status = run_step(decoder, &step, beams);
    thread_pool_release(&decoder->pool);
    return status;
}

static Status check_begin(const Decoder *decoder, int64_t sequences, const CrossKV *given)
{
    int64_t layers = decoder->shape.layers;
    bool scaled = decoder->cross_kv.dtype == INT8;
    if (sequences < 1 || !all_sizes_in(given->frames, given->windows, decoder->shape.frames)
        || !none_null(given->keys, layers) || !none_null(given->values, layers)
        || (scaled && !none_null((const void *const *)given->key_scales, layers))
        || (scaled && !none_null((const void *const *)given->value_scales, layers)))
        return BAD_ARGUMENT;
    return sequences > MAX_SEQUENCES ? UNSUPPORTED : OK;
}

static Status begin_batch(Decoder *decoder, int64_t sequences, const CrossKV *given)
{
    CrossKV *cross_kv = &decoder->cross_kv;
    size_t layers = cross_kv->layers;
    Status status = check_begin(decoder, sequences, given);
    if (status != OK)
        return status;
    decoder->begun = decoder->cached_sequences = 0;
    decoder->kept_scores.count = 0;
    if (!reserve_cache(decoder, sequences))
        return NO_MEMORY;
    cross_kv->windows = given->windows;
    cross_kv->frames = given->frames;
    memcpy(cross_kv->keys, given->keys, layers * sizeof *given->keys);
    memcpy(cross_kv->values, given->values, layers * sizeof *given->values);
    if (cross_kv->dtype == INT8) {
        memcpy(cross_kv->key_scales, given->key_scales, layers * sizeof *given->key_scales);
        memcpy(cross_kv->value_scales, given->value_scales, layers * sizeof *given->value_scales);
    }
    decoder->begun = sequences;
    return OK;
}

/* Starts a batch of so many windows, each of so many frames, and so many sequences in all. The other
   arguments are addresses by layer, as CrossKV says, with scales only for int8. That memory, and
   frames, must not change until the last step. */
EXPORT int quest22_decoder_begin(Decoder *decoder, int64_t windows, int64_t sequences,
                                 const int32_t *frames, const void **keys, const void **values,
                                 const float **key_scales, const float **value_scales)
{
    Status status = is_decoder(decoder) ? check_size(windows, MAX_WINDOWS) : BAD_ARGUMENT;
    if (status != OK)
        return status;
    if (!thread_pool_acquire(&decoder->pool))
        return BUSY;
    CrossKV given = {.windows = windows, .frames = frames, .keys = keys, .values = values,
                     .key_scales = key_scales, .value_scales = value_scales};
    status = begin_batch(decoder, sequences, &given);
    thread_pool_release(&decoder->pool);
    return status;
}

static Status check_kept(const Decoder *decoder, int64_t count, const int32_t *heads)
{
    if (decoder->begun != 1 || count < 1 || !heads)
        return BAD_ARGUMENT;
    if (count > MAX_LAYERS)
        return UNSUPPORTED;
    for (int64_t each = 0; each < count; each++)
        if (!all_in_range(heads + 2 * each, 1, decoder->shape.layers)
            || !all_in_range(heads + 2 * each + 1, 1, decoder->shape.heads))
            return BAD_ARGUMENT;
    return OK;
}

/* Keeps the scores of some heads, [count, 2] of layer and head, until the next batch begins: those
   of each position that is fed, products of queries and keys over all frames of the window. scores
   has room for [count, positions, the decoder's frames] and holds [count, positions, the window's].
   For batches of one sequence. Both must live until the last step. */
EXPORT int quest22_decoder_keep_scores(Decoder *decoder, int64_t count, const int32_t *heads,
                                       float *scores)
{
    if (!is_decoder(decoder) || !scores)
        return BAD_ARGUMENT;
    if (!thread_pool_acquire(&decoder->pool))
        return BUSY;
    Status status = check_kept(decoder, count, heads);
    if (status == OK)
        decoder->kept_scores = (KeptScores){count, heads, scores};
    thread_pool_release(&decoder->pool);
    return status;
}

typedef struct QuantizeCall {
    Decoder *decoder;
    const KVQuantization *windows;
    const int32_t *frames;
    int count;
} QuantizeCall;

static void quantize_heads(void *context, int thread)
{
    const QuantizeCall *call = context;
    const CrossKV *cross_kv = &call->decoder->cross_kv;
    (void)thread;
    for (int task; (task = thread_pool_next_task(&call->decoder->pool))
             < call->count * cross_kv->heads;) {
        int index = task / cross_kv->heads;
        quantize_head(cross_kv, &call->windows[index], call->frames[index],
                      task % cross_kv->heads);
    }
}

/* Quantizes cross-attention keys and values to int8; count is windows times layers, each of so many
   frames. */
EXPORT int quest22_quantize_kv(Decoder *decoder, int64_t count, const int32_t *frames,
                               const KVQuantization *windows)
{
    const int64_t addresses = sizeof *windows / sizeof(void *);
    if (!is_decoder(decoder) || count < 0)
        return BAD_ARGUMENT;
    if (count > INT32_MAX / 2 / decoder->shape.heads)
        return UNSUPPORTED;
    if (!all_sizes_in(frames, count, decoder->shape.frames)
        || !none_null((const void *const *)windows, count * addresses))
        return BAD_ARGUMENT;
    if (!thread_pool_acquire(&decoder->pool))
        return BUSY;
    QuantizeCall call = {decoder, windows, frames, count};
    thread_pool_run(&decoder->pool, quantize_heads, &call);
    thread_pool_release(&decoder->pool);
    return OK;
}

#endif
