/* What exported functions return, and the checks of their arguments.

   Python passes addresses and numbers. Every number is checked before it is used: a wrong one is an
   error there, never a read or write outside an array. Lengths of arrays are known to Python alone,
   which checks them before it passes an address. */
#ifndef QUEST22_STATUS_H
#define QUEST22_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum Status {
    OK = 0,
    NO_MEMORY = -1,
    UNSUPPORTED = -2,  /* a valid size or format that there is no code for */
    BAD_ARGUMENT = -3, /* never valid: 0 or negative, out of range, NULL, a closed handle */
    BUSY = -4, /* another thread uses the handle, or did when it was forked into this process */
} Status;

/* The first number behind a handle: a decoder's is refused where an encoder's is expected. */
typedef enum HandleKind { DECODER = 0x7132646b, ENCODER = 0x7132656e } HandleKind;

/* Limits far above Whisper's sizes. Their products stay in an int where code counts in int, and
   buffers below 2^63 bytes. */
enum {
    MAX_LAYERS = 1 << 10,
    MAX_WIDTH = 1 << 15,
    MAX_FFN = 1 << 17,
    MAX_MELS = 1 << 10,
    MAX_FRAMES = 1 << 15,
    MAX_POSITIONS = 1 << 15,
    MAX_VOCAB = 1 << 22,
    MAX_THREADS = 1 << 10,
    MAX_WINDOWS = 1 << 14,
    MAX_SEQUENCES = 1 << 14,
    MAX_ROWS = 1 << 22, /* sequences times tokens of a step */
};

static inline Status check_size(int64_t size, int64_t limit)
{
    return size < 1 ? BAD_ARGUMENT : size > limit ? UNSUPPORTED : OK;
}

typedef struct SizeLimit {
    int64_t size, limit;
} SizeLimit;

/* BAD_ARGUMENT goes before UNSUPPORTED where several sizes are wrong. */
static inline Status check_sizes(const SizeLimit *sizes, size_t count)
{
    Status status = OK;
    for (size_t each = 0; each < count; each++) {
        Status found = check_size(sizes[each].size, sizes[each].limit);
        status = found < status ? found : status;
    }
    return status;
}

static inline bool all_in_range(const int32_t *indices, int64_t count, int64_t end)
{
    for (int64_t each = 0; each < count; each++)
        if (indices[each] < 0 || indices[each] >= end)
            return false;
    return true;
}

static inline bool all_sizes_in(const int32_t *sizes, int64_t count, int64_t limit)
{
    for (int64_t each = 0; sizes && each < count; each++)
        if (check_size(sizes[each], limit) != OK)
            return false;
    return sizes != NULL;
}

static inline bool none_null(const void *const *addresses, int64_t count)
{
    for (int64_t each = 0; addresses && each < count; each++)
        if (!addresses[each])
            return false;
    return addresses != NULL;
}

#endif
