/* Cross-attention: queries by the keys and values of the sound. */
#ifndef QUEST22_SOUND_ATTENTION_H
#define QUEST22_SOUND_ATTENTION_H

#include "decoder.h"

static const float MOST_INT16 = 32767.0f;

/* A query as the sound's keys want it; gives what its products are to be multiplied with. */
INLINE float put_query(const Sound *sound, const float *query, const float *scales, char *to,
                       const Element element)
{
    float scaled[LONGEST_HEAD], most = 0;
    for (int each = 0; each < sound->size; each++) {
        scaled[each] = scales ? query[each] * scales[each] : query[each];
        most = fmaxf(most, fabsf(scaled[each]));
    }
    float unit = element == INT16 && most > 0 ? most / MOST_INT16 : 1.0f;
    for (int each = 0; element == INT16 && each < sound->size; each++)
        scaled[each] = rintf(scaled[each] / unit);
    narrow(to, scaled, sound->size, element);
    fill(to, sound->size, element);
    return unit;
}

/* Scores, times unit, as shares for the values; gives what their products are to be multiplied
   with. */
INLINE float put_shares(float *scores, float unit, int frames, char *to, const Element element)
{
    for (int each = 0; unit != 1.0f && each < frames; each++)
        scores[each] *= unit;
    float total = soften(scores, frames);
    for (int each = 0; each < frames; each++)
        scores[each] = element == INT16 ? rintf(scores[each] * MOST_INT16) : scores[each] / total;
    narrow(to, scores, frames, element);
    fill(to, frames, element);
    return element == INT16 ? 1.0f / (MOST_INT16 * total) : 1.0f;
}

/* Some queries of a window's head by its keys and values. */
INLINE void attend_to_sound(Decoder *decoder, int layer, int head, size_t first, const int queries,
                            char *scratch, const Element kept)
{
    const Sound *sound = &decoder->sound;
    const Element element = kept == INT8 ? INT16 : kept;
    size_t size = sound->size, frames = sound->frames, stride = padded(size);
    size_t channel = head * size, at = channel * frames * ELEMENT_BYTES[kept];
    size_t length = longest(decoder), width = decoder->shape.width;
    int own = head % sound->heads * size;
    float *scores = (float *)scratch, mixed[QUERIES * LONGEST_HEAD], units[QUERIES];
    const float *key_scales = kept == INT8 ? sound->key_scales[layer] + channel : NULL;
    _Alignas(64) char vectors[QUERIES * LONGEST_HEAD * sizeof(float)];
    char *shares = scratch + QUERIES * length * sizeof(float);
    const char *keys = sound->keys[layer], *values = sound->values[layer];
    for (int query = 0; query < queries; query++)
        units[query] = put_query(sound, decoder->wide + (first + query) * width + own, key_scales,
                                 vectors + query * stride * ELEMENT_BYTES[element], element);
    dot_rows(queries, kept, keys + at, size, frames, vectors, stride, size, scores,
             length);
    for (int query = 0; query < queries; query++)
        units[query] = put_shares(scores + query * length, units[query], frames,
                                  shares + query * length * ELEMENT_BYTES[element], element);
    dot_rows(queries, kept, values + at, frames, size, shares, length, frames, mixed,
             LONGEST_HEAD);
    for (int query = 0; query < queries; query++) {
        float *mine = mixed + query * LONGEST_HEAD;
        for (size_t each = 0; kept == INT8 && each < size; each++)
            mine[each] *= units[query] * sound->value_scales[layer][channel + each];
        put_row(&decoder->rows, first + query, own, mine, size);
    }
}

INLINE void attend_to_window(Decoder *decoder, int layer, int window, int head, char *scratch,
                             const Element kept)
{
    const Step *step = &decoder->step;
    size_t count = (size_t)step->sequences / step->windows * step->tokens;
    size_t query = window * count, end = query + count;
    head += step->heard[window] * decoder->shape.heads;
    for (; query + QUERIES <= end; query += QUERIES)
        attend_to_sound(decoder, layer, head, query, QUERIES, scratch, kept);
    for (; query + 2 <= end; query += 2)
        attend_to_sound(decoder, layer, head, query, 2, scratch, kept);
    for (; query < end; query++)
        attend_to_sound(decoder, layer, head, query, 1, scratch, kept);
}

#endif
