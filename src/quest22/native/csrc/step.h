/* One step of Whisper's decoder: some tokens further in every sequence of a batch.

   The network is that of Radford et al. 2022 (arXiv:2212.04356), pre-norm blocks of
   self-attention, cross-attention and a feed-forward layer. All sequences stand at the same
   position; those of one window lie side by side and share its keys and values. Numbers that pass
   from block to block are float32; what is multiplied is float32 or bfloat16, weights int8 too.

   Functions give 0, or -1 where memory ran out or a size is not one that this code can run. */
#ifndef QUEST22_STEP_H
#define QUEST22_STEP_H

#include "sound_attention.h"
#include "text_attention.h"

/* A row with mean 0 and variance 1, then weight and bias. */
static void normalise(const Decoder *decoder, const Norm *norm, const float *x, const Rows *to,
                      int index)
{
    int width = decoder->shape.width;
    float row[width], mean = sum_of(x, width) / width;
    for (int each = 0; each < width; each++)
        row[each] = (x[each] - mean) * (x[each] - mean);
    float factor = 1.0f / sqrtf(sum_of(row, width) / width + 1e-5f);
    for (int each = 0; each < width; each++)
        row[each] = (x[each] - mean) * factor * norm->weight[each] + norm->bias[each];
    put_row(to, index, 0, row, width);
}

static void normalise_rows(Decoder *decoder, const Norm *norm)
{
    for (int row; (row = team_take(&decoder->team)) < decoder->rows.count;)
        normalise(decoder, norm, decoder->step.x + (size_t)row * decoder->shape.width,
                  &decoder->rows, row);
    team_meet(&decoder->team);
}

static void apply(Decoder *decoder, const Linear *layer, const Rows *rows, Then then, float *to)
{
    Product product = {layer, rows, then, to, &decoder->feed};
    multiply(&decoder->team, &product);
    team_meet(&decoder->team);
}

static void attend(Decoder *decoder, int layer, bool to_text, int thread)
{
    int heads = decoder->shape.heads;
    int tasks = (to_text ? decoder->step.sequences : decoder->step.windows) * heads;
    char *scratch = decoder->scratch[thread];
    for (int task; (task = team_take(&decoder->team)) < tasks;) {
        int place = task / heads, head = task % heads;
        Block *block = &decoder->blocks[layer];
        if (to_text)
            attend_to_own(decoder, block, place, head, (float *)scratch);
        else if (decoder->sound.kept == INT8)
            attend_to_window(decoder, layer, place, head, scratch, INT8);
        else if (decoder->sound.kept == FLOAT32)
            attend_to_window(decoder, layer, place, head, scratch, FLOAT32);
        else
            attend_to_window(decoder, layer, place, head, scratch, BFLOAT16);
    }
    team_meet(&decoder->team);
}

static Rows arranged(void *values, const Decoder *decoder, int count, int width)
{
    return (Rows){values, count, count < ROWS ? count : ROWS, width, decoder->element};
}

/* The rows whose logits are wanted, normalised, close together. */
static void gather_reads(Decoder *decoder, const Rows *read)
{
    const Step *step = &decoder->step;
    int width = decoder->shape.width;
    for (int row; (row = team_take(&decoder->team)) < read->count;) {
        size_t from = (size_t)(row / step->read_count) * step->tokens
            + step->reads[row % step->read_count];
        normalise(decoder, &decoder->last, step->x + from * width, read, row);
    }
    team_meet(&decoder->team);
}

static void run_step(void *about, int thread)
{
    Decoder *decoder = about;
    Step *step = &decoder->step;
    const Rows *rows = &decoder->rows;
    for (int layer = 0; layer < decoder->shape.layers; layer++) {
        Block *block = &decoder->blocks[layer];
        normalise_rows(decoder, &block->before_self);
        apply(decoder, &block->self_in, rows, STORE, decoder->wide);
        attend(decoder, layer, true, thread);
        apply(decoder, &block->self_out, rows, ADD, step->x);
        normalise_rows(decoder, &block->before_cross);
        apply(decoder, &block->cross_in, rows, STORE, decoder->wide);
        attend(decoder, layer, false, thread);
        apply(decoder, &block->cross_out, rows, ADD, step->x);
        normalise_rows(decoder, &block->before_feed);
        apply(decoder, &block->feed_in, rows, GELU, NULL);
        apply(decoder, &block->feed_out, &decoder->feed, ADD, step->x);
    }
    Rows read = arranged(rows->values, decoder, step->sequences * step->read_count, rows->width);
    gather_reads(decoder, &read);
    Product product = {&decoder->words, &read, STORE, step->logits, NULL};
    multiply(&decoder->team, &product);
}

/* Room for the rows of this step. */
static bool make_room(Decoder *decoder, int count)
{
    const Shape *shape = &decoder->shape;
    size_t bytes = ELEMENT_BYTES[decoder->element], room = (count + ROWS - 1) / ROWS * ROWS;
    if (count > decoder->room) {
        free(decoder->rows.values);
        free(decoder->feed.values);
        free(decoder->wide);
        decoder->rows.values = aligned(room * shape->width * bytes);
        decoder->feed.values = aligned(room * shape->feed * bytes);
        decoder->wide = aligned(room * 3 * shape->width * sizeof(float));
        decoder->room = decoder->rows.values && decoder->feed.values && decoder->wide ? room : 0;
    }
    return decoder->room > 0;
}

/* x: [sequences, tokens, width] embedded tokens, used up. sizes: sequences, tokens, windows,
   position, read_count. beams: [sequences]. The rest is as Step says. */
EXPORT int quest22_step(Decoder *decoder, const int32_t *sizes, float *x, const int32_t *beams,
                        const int32_t *heard, const int32_t *reads, float *logits)
{
    decoder->step = (Step){sizes[0], sizes[1], sizes[2], sizes[3], sizes[4],
                           x, heard, reads, logits};
    const Step *step = &decoder->step;
    int count = step->sequences * step->tokens;
    if (step->sequences > decoder->slots || step->sequences % step->windows
        || step->position + step->tokens > decoder->shape.positions
        || step->read_count > step->tokens || !make_room(decoder, count))
        return -1;
    decoder->rows = arranged(decoder->rows.values, decoder, count, decoder->shape.width);
    decoder->feed = arranged(decoder->feed.values, decoder, count, decoder->shape.feed);
    follow(decoder, beams);
    team_run(&decoder->team, run_step, decoder);
    return 0;
}

/* So many sequences begin. What they hear by layer, as Sound says, scales NULL where none are; that
   memory must stay as it is until the last step. */
EXPORT int quest22_begin(Decoder *decoder, int sequences, const void *const *keys,
                         const void *const *values, const float *const *key_scales,
                         const float *const *value_scales)
{
    Sound *sound = &decoder->sound;
    if (!cache_room(decoder, sequences))
        return -1;
    memcpy(sound->keys, keys, sound->layers * sizeof *keys);
    memcpy(sound->values, values, sound->layers * sizeof *values);
    if (key_scales)
        memcpy(sound->key_scales, key_scales, sound->layers * sizeof *key_scales);
    if (value_scales)
        memcpy(sound->value_scales, value_scales, sound->layers * sizeof *value_scales);
    return 0;
}

typedef struct Task {
    Decoder *decoder;
    const Rounding *roundings;
    int count;
} Task;

static void round_all(void *about, int thread)
{
    const Task *task = about;
    const Sound *sound = &task->decoder->sound;
    (void)thread;
    for (int next; (next = team_take(&task->decoder->team)) < task->count * sound->heads;)
        round_head(sound, &task->roundings[next / sound->heads], next % sound->heads);
}

/* Sound to int8: so many windows' layers. */
EXPORT void quest22_round(Decoder *decoder, int count, const Rounding *roundings)
{
    Task task = {decoder, roundings, count};
    team_run(&decoder->team, round_all, &task);
}

#endif
