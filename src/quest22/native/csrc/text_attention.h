/* Self-attention: the cache of earlier tokens' keys and values, and queries by it.

   A sequence writes into a slot of its own, position by position. Where it continues another, it
   reads earlier positions in that one's slot: indices change places, keys stay where they are. */
#ifndef QUEST22_TEXT_ATTENTION_H
#define QUEST22_TEXT_ATTENTION_H

#include "decoder.h"

/* Where a head of a slot has its key or value of a position. */
static char *cached(const Decoder *decoder, char *cache, int slot, int head, int position)
{
    const Shape *shape = &decoder->shape;
    size_t place = ((size_t)slot * shape->heads + head) * shape->positions + position;
    return cache + place * head_size(decoder) * ELEMENT_BYTES[decoder->element];
}

/* Room for the cache of so many sequences. */
static bool cache_room(Decoder *decoder, int sequences)
{
    if (sequences <= decoder->slots)
        return true;
    const Shape *shape = &decoder->shape;
    size_t places = (size_t)shape->positions * sequences;
    free(decoder->history);
    free(decoder->followed);
    decoder->slots = 0;
    decoder->history = malloc(places * sizeof *decoder->history);
    decoder->followed = malloc(sequences * sizeof *decoder->followed);
    bool made = decoder->history && decoder->followed;
    for (int layer = 0; layer < shape->layers; layer++) {
        Block *block = &decoder->blocks[layer];
        free(block->keys);
        free(block->values);
        block->keys = aligned(places * shape->width * ELEMENT_BYTES[decoder->element]);
        block->values = aligned(places * shape->width * ELEMENT_BYTES[decoder->element]);
        made = made && block->keys && block->values;
    }
    decoder->slots = made ? sequences : 0;
    return made;
}

/* Continues sequences: sequence i of this step is what sequence beams[i] was in the last one. */
static void follow(Decoder *decoder, const int32_t *beams)
{
    const Step *step = &decoder->step;
    for (int position = 0; position < step->position; position++) {
        int32_t *row = decoder->history + (size_t)position * decoder->slots;
        for (int sequence = 0; sequence < step->sequences; sequence++)
            decoder->followed[sequence] = row[beams[sequence]];
        memcpy(row, decoder->followed, step->sequences * sizeof *row);
    }
    for (int token = 0; token < step->tokens; token++) {
        size_t at = (size_t)(step->position + token) * decoder->slots;
        for (int sequence = 0; sequence < step->sequences; sequence++)
            decoder->history[at + sequence] = sequence;
    }
}

/* A head's new keys and values into the cache, for one sequence. */
static void remember(Decoder *decoder, Block *block, int sequence, int head)
{
    const Step *step = &decoder->step;
    int width = decoder->shape.width, size = head_size(decoder);
    for (int token = 0; token < step->tokens; token++) {
        const float *row = decoder->wide
            + ((size_t)sequence * step->tokens + token) * 3 * width + head * size;
        int position = step->position + token;
        narrow(cached(decoder, block->keys, sequence, head, position), row + width, size,
               decoder->element);
        narrow(cached(decoder, block->values, sequence, head, position), row + 2 * width, size,
               decoder->element);
    }
}

/* From a position on: how many positions, up to end, lie side by side in the same slot. */
static int run_length(const Decoder *decoder, int sequence, int position, int end)
{
    const int32_t *slot = decoder->history + sequence;
    int after = position + 1;
    while (after < end && slot[(size_t)after * decoder->slots]
           == slot[(size_t)position * decoder->slots])
        after++;
    return after - position;
}

/* One token's query by the keys and values of its sequence, up to its own. */
INLINE void attend_to_text(Decoder *decoder, Block *block, int sequence, int head, int token,
                           float *scores, const Element element)
{
    int width = decoder->shape.width, size = head_size(decoder), run;
    int row = sequence * decoder->step.tokens + token, count = decoder->step.position + token + 1;
    const int32_t *slots = decoder->history + sequence;
    _Alignas(64) char query[LONGEST_HEAD * sizeof(float)];
    float sums[LONGEST_HEAD] = {0};
    narrow(query, decoder->wide + (size_t)row * 3 * width + head * size, size, element);
    fill(query, size, element);
    for (int at = 0; at < count; at += run) {
        run = run_length(decoder, sequence, at, count);
        int slot = slots[(size_t)at * decoder->slots];
        dot_rows(1, element, cached(decoder, block->keys, slot, head, at), size, run, query, 0,
                 size, scores + at, 0);
    }
    float total = soften(scores, count);
    for (int at = 0; at < count; at += run) {
        run = run_length(decoder, sequence, at, count);
        int slot = slots[(size_t)at * decoder->slots];
        add_rows(sums, scores + at, cached(decoder, block->values, slot, head, at), element, size,
                 run);
    }
    for (int each = 0; each < size; each++)
        sums[each] /= total;
    put_row(&decoder->rows, row, head * size, sums, size);
}

static void attend_to_own(Decoder *decoder, Block *block, int sequence, int head, float *scores)
{
    remember(decoder, block, sequence, head);
    for (int token = 0; token < decoder->step.tokens; token++)
        if (decoder->element == FLOAT32)
            attend_to_text(decoder, block, sequence, head, token, scores, FLOAT32);
        else
            attend_to_text(decoder, block, sequence, head, token, scores, BFLOAT16);
}

#endif
