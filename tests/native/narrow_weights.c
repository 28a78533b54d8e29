/* Weights of four and eight bits beside scalar code: rounding, packing, widening and products. Says
   what is wrong. */

#include "native.c"
#include <stdio.h>

enum { OUTPUTS = 37, INPUTS = 320, ROWS = 21, PANELS = (OUTPUTS + PANEL - 1) / PANEL };

static float weights[OUTPUTS * INPUTS], bias[OUTPUTS];

static float chance(void) { return (float)rand() / (float)RAND_MAX - 0.5f; }

/* A weight without its output's scale. */
static int integer_weight(const Linear *layer, int output, int input)
{
    const char *panel = (const char *)layer->panels + output / PANEL * panel_bytes(layer);
    int column = output % PANEL;
    if (layer->weights == INT8)
        return ((const int8_t *)panel)[weight_index(layer, column, input)];
    const uint16_t *words = (const uint16_t *)int4_words(panel, INPUTS);
    int number = words[(input / 8 * PANEL + column) * 2 + input % 2] >> (input % 8 / 2 * 4) & 15;
    int multiplier = ((const int16_t *)panel)[input / INT4_GROUP * PANEL + column];
    return (number > INT4_MOST ? number - 16 : number) * multiplier;
}

/* The squared error of a group whose greatest magnitude is rounded to 7. */
static double plain_error(const float *group)
{
    float most = 0;
    double error = 0;
    for (int each = 0; each < INT4_GROUP; each++)
        most = fmaxf(most, fabsf(group[each]));
    for (int each = 0; each < INT4_GROUP && most > 0; each++) {
        double left = group[each] - nearbyintf(group[each] * 7 / most) * most / 7;
        error += left * left;
    }
    return error;
}

/* Scales are as good as plain ones, but for the rounding of multipliers, and sums of products fit into 32 bits. */
static void check_rounding(const Linear *layer)
{
    for (int output = 0; output < OUTPUTS; output++)
        for (int first = 0; first < INPUTS; first += INT4_GROUP) {
            const float *group = weights + output * INPUTS + first;
            double error = 0, square = 0;
            for (int each = 0; each < INT4_GROUP; each++) {
                double left = group[each]
                    - (double)integer_weight(layer, output, first + each) * layer->scales[output];
                error += left * left;
                square += (double)group[each] * group[each];
            }
            if (!(error <= plain_error(group) + 1e-3 * square))
                printf("output %d, input %d: error %g, plain %g\n", output, first, error,
                       plain_error(group));
        }
    for (int output = 0; output < OUTPUTS; output++)
        for (int first = 0; first < INPUTS; first += QUANT_GROUP) {
            int sum = 0;
            for (int input = first; input < INPUTS && input < first + QUANT_GROUP; input++)
                sum += abs(integer_weight(layer, output, input));
            if (sum > INT16_WEIGHT_SUM)
                printf("output %d: the magnitudes of 256 weights add up to %d\n", output, sum);
        }
}

/* Widened panels are what scalar code makes of them. */
static void check_widening(const Linear *layer)
{
    static Pair widened[INPUTS / 2 * PANEL];
    for (int index = 0; index < PANELS; index++) {
        widen_panel(layer, index, widened);
        for (int output = index * PANEL; output < OUTPUTS && output < (index + 1) * PANEL; output++)
            for (int input = 0; input < INPUTS; input++) {
                int expected = integer_weight(layer, output, input);
                uint16_t found;
                memcpy(&found, (uint16_t *)widened
                           + ((size_t)input / 2 * PANEL + output % PANEL) * 2 + input % 2,
                       sizeof found);
                if (found != (CONV_DTYPE == INT16 ? (uint16_t)expected : to_bf16((float)expected)))
                    printf("output %d, input %d: %d is widened to %u\n", output, input, expected,
                           found);
            }
    }
}

static void multiply_all(const Linear *layer, const PackedRows *rows, float *to)
{
    MatMul matmul = {layer, rows, STORE, to, NULL};
    for (int index = 0; index < PANELS; index++)
        multiply_panel(&matmul, index);
}

/* Products of int16 rows are those of the same weights in int16, to the last bit. */
static void check_products(const Linear *layer, int count)
{
    static float inputs[ROWS * INPUTS], found[ROWS * OUTPUTS], expected[ROWS * OUTPUTS];
    static double sizes[ROWS * OUTPUTS];
    static float packed[2 * ROW_BLOCK * INPUTS], scales[2 * ROW_BLOCK * (INPUTS / QUANT_GROUP + 1)];
    static int16_t integers[2 * ROW_BLOCK * INPUTS], panels[PANELS * PANEL * INPUTS];
    PackedRows exact = {packed, count, count > 1 ? ROW_BLOCK : 1, INPUTS, FLOAT32, NULL}, rows = exact;
    rows.values = integers;
    rows.dtype = INT16;
    rows.scales = scales;
    for (int row = 0; row < count; row++) {
        for (int input = 0; input < INPUTS; input++)
            inputs[row * INPUTS + input] = chance() * 5;
        pack_row(&exact, row, 0, inputs + row * INPUTS, INPUTS);
    }
    for (int row = 0; row < count; row += count > 1 ? LANES : 1)
        quantize_packed_rows(&exact, &rows, row);
    Linear wide = *layer;
    wide.weights = INT16;
    wide.panels = panels;
    for (int output = 0; output < OUTPUTS; output++)
        for (int input = 0; input < INPUTS; input++)
            panels[output / PANEL * PANEL * INPUTS + weight_index(layer, output % PANEL, input)]
                = (int16_t)integer_weight(layer, output, input);
    multiply_all(layer, &rows, found);
    multiply_all(&wide, &rows, expected);
    for (int each = 0; each < count * OUTPUTS; each++) {
        const float *row = inputs + each / OUTPUTS * INPUTS;
        int output = each % OUTPUTS;
        double sum = bias[output], size = 0;
        for (int input = 0; input < INPUTS; input++) {
            double term = row[input] * (double)integer_weight(layer, output, input)
                * layer->scales[output];
            sum += term;
            size += term * term;
        }
        sizes[each] = sqrt(size);
        if (found[each] != expected[each] || fabs(found[each] - sum) > 1e-3 * sizes[each] + 1e-6)
            printf("%d rows, product %d: %g, in int16 %g, exactly %g\n", count, each, found[each],
                   expected[each], sum);
    }
#if defined(__AVX512BF16__)
    Linear of_bf16 = *layer;
    of_bf16.activations = BFLOAT16;
    static bf16 bf16_values[2 * ROW_BLOCK * INPUTS];
    PackedRows bf16_rows = {bf16_values, count, count > 1 ? ROW_BLOCK : 1, INPUTS, BFLOAT16, NULL};
    for (int row = 0; row < count; row++)
        pack_row(&bf16_rows, row, 0, inputs + row * INPUTS, INPUTS);
    multiply_all(&of_bf16, &bf16_rows, found);
    for (int each = 0; each < count * OUTPUTS; each++)
        if (fabsf(found[each] - expected[each]) > 0.01 * sizes[each] + 1e-6)
            printf("%d rows in bfloat16, product %d: %g, not %g\n", count, each, found[each],
                   expected[each]);
#endif
}

int main(void)
{
    for (int each = 0; each < OUTPUTS * INPUTS; each++) {
        float number = chance();
        weights[each] = number * number * number * (each / INT4_GROUP % 7); /* some groups are zero */
    }
    for (int each = 0; each < OUTPUTS; each++)
        bias[each] = chance();
    for (int input = 0; input < INPUTS; input++)
        weights[3 * INPUTS + input] = input % 2 ? 1e4f : -1e4f; /* the greatest sum of magnitudes */
    const DType formats[] = {INT4, INT8};
    for (int each = 0; each < 2; each++) {
        Linear layer = {0};
        LinearWeights given = {0, OUTPUTS, INPUTS, weights, bias, 1.0f};
        if (!linear_init(&layer, OUTPUTS, INPUTS, formats[each], INT16) || linear_set(&layer, &given))
            puts("not set");
        linear_set(&layer, &given); /* again, over what is there */
        if (layer.weights == INT4)
            check_rounding(&layer);
        check_widening(&layer);
        for (int count = 1; count <= ROWS; count += count < 6 ? 1 : 5)
            check_products(&layer, count);
        linear_free(&layer);
    }
    return 0;
}
