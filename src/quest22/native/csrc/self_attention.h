/* Self-attention: the cache of earlier tokens' keys and values, and queries over it.

   Each sequence writes into a slot of its own, position by position. A sequence that continues
   another reads earlier positions from that one's slot: beam search reorders indices, and no key
   or value moves. Where sequences are at positions of their own, that is safe as long as no slot is
   written to from which another sequence reads later positions: see keep_their_slots. */
#ifndef QUEST22_SELF_ATTENTION_H
#define QUEST22_SELF_ATTENTION_H

#include "decoder.h"

/* The key or value of one head at a position of a slot. */
static char *cache_entry(const Decoder *decoder, char *cache, int slot, int head, int position)
{
    const DecoderShape *shape = &decoder->shape;
    size_t entry = ((size_t)slot * shape->heads + head) * shape->positions + position;
    return cache + entry * head_size(decoder) * DTYPE_BYTES[decoder->dtype];
}

/* Makes the cache large enough for so many sequences. */
static bool reserve_cache(Decoder *decoder, int sequences)
{
    if (sequences <= decoder->slots)
        return true;
    const DecoderShape *shape = &decoder->shape;
    size_t entries = (size_t)shape->positions * sequences;
    free(decoder->slot_of);
    free(decoder->reordered);
    free(decoder->cached);
    decoder->slots = decoder->begun = 0;
    decoder->slot_of = malloc(entries * sizeof *decoder->slot_of);
    decoder->reordered = malloc(sequences * sizeof *decoder->reordered);
    decoder->cached = malloc(sequences * sizeof *decoder->cached);
    bool made = decoder->slot_of && decoder->reordered && decoder->cached;
    for (int layer = 0; layer < shape->layers; layer++) {
        DecoderBlock *block = &decoder->blocks[layer];
        free(block->keys);
        free(block->values);
        block->keys = alloc_aligned(entries * shape->width * DTYPE_BYTES[decoder->dtype]);
        block->values = alloc_aligned(entries * shape->width * DTYPE_BYTES[decoder->dtype]);
        made = made && block->keys && block->values;
    }
    decoder->slots = made ? sequences : 0;
    return made;
}

/* Sequence i of this step continues what was sequence beams[i] in the last. */
static void reorder_cache(Decoder *decoder, const int32_t *beams)
{
    const StepArguments *step = &decoder->step;
    int known = 0;
    for (int sequence = 0; sequence < step->sequences; sequence++)
        known = position_of(step, sequence) > known ? position_of(step, sequence) : known;
    for (int position = 0; position < known; position++) {
        int32_t *row = decoder->slot_of + (size_t)position * decoder->slots;
        for (int sequence = 0; sequence < step->sequences; sequence++)
            decoder->reordered[sequence] = row[beams[sequence]];
        memcpy(row, decoder->reordered, step->sequences * sizeof *row);
    }
    for (int token = 0; token < step->tokens; token++)
        for (int sequence = 0; sequence < step->sequences; sequence++) {
            size_t at = (size_t)(position_of(step, sequence) + token) * decoder->slots;
            decoder->slot_of[at + sequence] = sequence;
        }
    for (int sequence = 0; sequence < step->sequences; sequence++)
        decoder->cached[sequence] = position_of(step, sequence) + step->tokens;
    decoder->cached_sequences = step->sequences;
}

/* Writes one head's new keys and values of a sequence into the cache. */
static void append_to_cache(Decoder *decoder, DecoderBlock *block, int sequence, int head)
{
    const StepArguments *step = &decoder->step;
    int width = decoder->shape.width, size = head_size(decoder);
    for (int token = 0; token < step->tokens; token++) {
        const float *row = decoder->projected
            + ((size_t)sequence * step->tokens + token) * 3 * width + head * size;
        int position = position_of(step, sequence) + token;
        convert_floats(cache_entry(decoder, block->keys, sequence, head, position), row + width,
                       size, decoder->dtype);
        convert_floats(cache_entry(decoder, block->values, sequence, head, position),
                       row + 2 * width, size, decoder->dtype);
    }
}

/* How many positions, from this one up to end, lie side by side in the same slot. */
static int run_length(const Decoder *decoder, int sequence, int position, int end)
{
    const int32_t *slot = decoder->slot_of + sequence;
    int after = position + 1;
    while (after < end && slot[(size_t)after * decoder->slots]
           == slot[(size_t)position * decoder->slots])
        after++;
    return after - position;
}

/* The query of one token over the keys and values of its sequence, up to its own. */
INLINE void self_attend_token(Decoder *decoder, DecoderBlock *block, int sequence, int head,
                              int token, float *scores, const DType dtype)
{
    int width = decoder->shape.width, size = head_size(decoder), run;
    int row = sequence * decoder->step.tokens + token;
    int count = position_of(&decoder->step, sequence) + token + 1;
    const int32_t *slots = decoder->slot_of + sequence;
    _Alignas(64) char query[MAX_HEAD_SIZE * sizeof(float)];
    float sums[MAX_HEAD_SIZE] = {0};
    convert_floats(query, decoder->projected + (size_t)row * 3 * width + head * size, size, dtype);
    zero_padding(query, size, dtype);
    for (int at = 0; at < count; at += run) {
        run = run_length(decoder, sequence, at, count);
        int slot = slots[(size_t)at * decoder->slots];
        dot_rows(1, dtype, cache_entry(decoder, block->keys, slot, head, at), size, run, query, 0,
                 size, scores + at, 0);
    }
    float total = softmax_numerators(scores, count);
    for (int at = 0; at < count; at += run) {
        run = run_length(decoder, sequence, at, count);
        int slot = slots[(size_t)at * decoder->slots];
        add_weighted_rows(sums, scores + at,
                          cache_entry(decoder, block->values, slot, head, at), dtype, size, run);
    }
    for (int each = 0; each < size; each++)
        sums[each] /= total;
    pack_row(&decoder->activations, row, head * size, sums, size);
}

static void self_attend_sequence(Decoder *decoder, DecoderBlock *block, int sequence, int head,
                                 float *scores)
{
    append_to_cache(decoder, block, sequence, head);
    for (int token = 0; token < decoder->step.tokens; token++)
        if (decoder->dtype == FLOAT32)
            self_attend_token(decoder, block, sequence, head, token, scores, FLOAT32);
        else
            self_attend_token(decoder, block, sequence, head, token, scores, BFLOAT16);
}

#endif
