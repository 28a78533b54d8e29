/* Matrix products for many frames at a time: arithmetic is the limit, where in few_rows.h memory is.

   A tile is up to TILE frames of one window. The lanes of a vector are frames, so that
   normalisation, GELU, softmax and sums need no work across lanes. The micro-kernel keeps
   MR x NR_PANELS vectors of sums in registers (Goto and van de Geijn 2008, "Anatomy of
   High-Performance Matrix Multiplication"). Frames' numbers are packed in pairs of channels, of 16
   bits each: bfloat16 where the processor multiplies it (gemm_bf16.h, which has int8 too), else
   int16 (gemm_int16.h). Weights are broadcast to all lanes, pair by pair. */
#ifndef QUEST22_GEMM_H
#define QUEST22_GEMM_H

#include "linear.h"

/* A tile has TILE_PANELS vectors of frames. AVX2 has sixteen registers, the others twice as many. */
#if LANES == 16
enum { MR = 8, NR_PANELS = 3, TILE_PANELS = 3 };
#elif LANES == 8
#if defined(__AVXVNNI__) /* its products need no register besides */
enum { MR = 4, NR_PANELS = 3, TILE_PANELS = 6 };
#else
enum { MR = 4, NR_PANELS = 2, TILE_PANELS = 6 };
#endif
#else
enum { MR = 4, NR_PANELS = 4, TILE_PANELS = 12 };
#endif
enum { TILE = TILE_PANELS * LANES };

/* How many at a time, where three are left and NR_PANELS are more. */
enum { THREE_PANELS = NR_PANELS < 3 ? NR_PANELS : 3 };

/* Four 8-bit numbers; activations plus QUAD_OFFSET. */
typedef uint32_t Quad;

/* The activations of a tile, panel by panel. Layers in int8 read fours of channels, those in int16
   read pairs, which are made of float32; both have a scale for each frame and QUANT_GROUP
   channels. */
typedef struct PackedTile {
    Pair *pairs;   /* [TILE_PANELS, channels / 2, LANES] */
    Quad *quads;   /* [TILE_PANELS, channels / 4, LANES] */
    float *scales; /* [TILE_PANELS, groups, LANES] */
    float *values; /* [TILE_PANELS, channels, LANES] */
    Pair *widened; /* [channels / 2, PANEL]: the weights of a panel, where they have fewer bits */
} PackedTile;

/* GELU for results that are rounded to 16 bits: erf as x times a polynomial in x² (minimax fit), 1 beyond
   |x| = 4.6; relative error 1.2e-6. Takes a third of the time of gelu. */
INLINE f32v gelu_16bit(f32v x)
{
    static const float terms[] = {
        -0.0056886146f, 0.0071460763f, -0.0118842358f, 0.0243471116f, -0.0401984267f, 0.0584000610f,
        -0.0807344690f, 0.1083594710f, -0.1516460180f, 0.3073374629f};
    const f32v limit = splat(4.5961943f);
    f32v y = minimum(limit, maximum(-limit, x));
    f32v t = y * y * 0.0946745562f - 1.0f, poly = splat(0.0021324058f);
#pragma GCC unroll 10
    for (int each = 0; each < 10; each++)
        poly = poly * t + terms[each];
    return 0.5f * x * (1.0f + y * poly);
}

/* The matrix that is broadcast: pairs of MR rows. */
typedef struct BroadcastRows {
    const Pair *pairs;
    size_t row_step, pair_step;
} BroadcastRows;

/* Not inlined: its constants would take registers that the micro-kernel needs. */
static __attribute__((noinline)) void apply_gelu(int panels, f32v sums[MR][NR_PANELS])
{
    for (int row = 0; row < MR; row++)
        for (int panel = 0; panel < panels; panel++)
            sums[row][panel] = gelu_16bit(sums[row][panel]);
}

/* Stores the results of two outputs, the first of them even, for one panel of frames. */
typedef void (*StoreFn)(const void *context, int output, int panel, f32v first, f32v second);

typedef struct GemmCall {
    const Linear *layer;
    const PackedTile *right;
    Epilogue epilogue;
    StoreFn store_fn;
    const void *context;
    const void *panels; /* of the weights, from output `first` on */
    int first;
} GemmCall;

INLINE void store_outputs(const int panels, const GemmCall *call, int output, int panel,
                          f32v sums[MR][NR_PANELS])
{
    if (call->epilogue == GELU)
        apply_gelu(panels, sums);
#pragma GCC unroll 4
    for (int row = 0; row < MR; row += 2)
        for (int each = 0; each < panels && output + row < call->layer->outputs; each++)
            call->store_fn(call->context, output + row, panel + each, sums[row][each],
                           sums[row + 1][each]);
}

/* sums += a group's integer sums, times the frames' scales. */
INLINE void add_group_sums(const int panels, const GemmCall *call, int group, int panel,
                           i32v group_sums[MR][NR_PANELS], f32v sums[MR][NR_PANELS])
{
    const float *scales = call->right->scales;
    int groups = group_count(call->layer);
    for (int each = 0; each < panels; each++) {
        f32v scale = load(scales + ((size_t)(panel + each) * groups + group) * LANES);
        for (int row = 0; row < MR; row++)
            sums[row][each] += as_floats(group_sums[row][each]) * scale;
    }
}

/* Sums of a layer whose weights have scales become its results. */
INLINE void scale_outputs(const int panels, const Linear *layer, int output,
                          f32v sums[MR][NR_PANELS])
{
    for (int row = 0; row < MR; row++)
        for (int each = 0; each < panels; each++)
            sums[row][each] = sums[row][each] * layer->scales[output + row]
                + layer->bias[output + row];
}

#if defined(__AVX512BF16__)
#include "gemm_bf16.h"
#else
#include "gemm_int16.h"
#endif

/* The weights of one panel in the format of activations, without their outputs' scales. */
static void widen_panel(const Linear *layer, int index, Pair *to)
{
    const void *panel = (const char *)layer->panels + index * panel_bytes(layer);
    const int inputs = layer->inputs;
    if (layer->weights == INT8) {
        for (int at = 0; at < inputs * PANEL; at += 2 * LANES)
            store_widened(to + at / 2, load_i8_as_i16((const int8_t *)panel + at));
        return;
    }
    const int16_t *multipliers = panel, *words = int4_words(panel, inputs);
    for (int group = 0; group < inputs / INT4_GROUP; group++, multipliers += PANEL)
        for (int word = 0; word < INT4_GROUP_WORDS; word++, words += 2 * PANEL, to += 4 * PANEL)
            for (int at = 0; at < PANEL; at += LANES) {
                i32v each = load_i16_as_i32(multipliers + at);
                i16v both = (i16v)((each & 0xFFFF) | (each << 16));
#pragma GCC unroll 4
                for (int pair = 0; pair < 4; pair++)
                    store_widened(to + pair * PANEL + at, int4_pairs(words + 2 * at, pair) * both);
            }
}

/* The outputs first to end of a linear layer, for some panels of a tile from `panel` on. */
INLINE void gemm_block(const int panels, const GemmCall *call, int first, int end, int panel)
{
    for (int output = first; output < end; output += MR)
        gemm_outputs(panels, call, output, panel);
}

/* A linear layer for all frames of a tile. Where they are several blocks of panels, the weights of
   PANEL outputs stay in the innermost cache for all of them; so they do where they are widened. The
   number of panels is a constant in each call, so that sums stay in registers. */
INLINE void gemm(const Linear *layer, const PackedTile *right, int panels, Epilogue epilogue,
                 StoreFn store_fn, const void *context)
{
    const bool is_narrow = layer->weights != layer->activations;
    GemmCall call = {layer, right, epilogue, store_fn, context, layer->panels, 0};
    const int block = is_narrow || TILE_PANELS > NR_PANELS ? PANEL : layer->outputs;
    for (int first = 0; first < layer->outputs; first += block) {
        int end = first + block < layer->outputs ? first + block : layer->outputs;
        if (is_narrow) {
            widen_panel(layer, first / PANEL, right->widened);
            call.panels = right->widened;
            call.first = first;
        }
        for (int panel = 0; panel < panels; panel += NR_PANELS)
            if (panels - panel == 1)
                gemm_block(1, &call, first, end, panel);
            else if (NR_PANELS > 2 && panels - panel == 2)
                gemm_block(2, &call, first, end, panel);
            else if (NR_PANELS > 3 && panels - panel == 3)
                gemm_block(THREE_PANELS, &call, first, end, panel);
            else
                gemm_block(NR_PANELS, &call, first, end, panel);
    }
}

#endif
