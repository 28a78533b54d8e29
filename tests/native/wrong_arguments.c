/* Wrong arguments, by a table and at random: each is refused, or what was asked for is done within
   the arrays. Run under a sanitizer. Prints what was wrong. */

#include "small_decoder.h"

#define GIVES(status, call) check_status(status, call, #call)

static void check_status(Status expected, int found, const char *call)
{
    if (found != (int)expected)
        printf("%s gave %d, not %d\n", call, found, expected);
}

static Status open_shape(int member, int32_t size)
{
    DecoderShape shape = SHAPE;
    ((int32_t *)&shape)[member] = size;
    Decoder *decoder = NULL;
    Status status = quest22_decoder_open(&shape, FLOAT32, FLOAT32, FLOAT32, 1, &decoder);
    if (status == OK)
        quest22_decoder_close(decoder);
    return status;
}

static void wrong_shapes(void)
{
    Decoder *decoder = NULL;
    for (int member = 0; member < 7; member++) {
        GIVES(BAD_ARGUMENT, open_shape(member, 0));
        GIVES(BAD_ARGUMENT, open_shape(member, -1));
        GIVES(BAD_ARGUMENT, open_shape(member, INT32_MIN));
    }
    for (int member = 0; member < 7; member++)
        GIVES(UNSUPPORTED, open_shape(member, INT32_MAX));
    GIVES(BAD_ARGUMENT, open_shape(2, 5));   /* heads that do not divide the width */
    GIVES(UNSUPPORTED, open_shape(1, 27));   /* an odd width */
    GIVES(UNSUPPORTED, open_shape(3, 49));
    GIVES(UNSUPPORTED, open_shape(1, 900));  /* heads of 300 */
    const DecoderShape *shape = &SHAPE;
    GIVES(BAD_ARGUMENT, quest22_decoder_open(NULL, 0, 0, 0, 1, &decoder));
    GIVES(BAD_ARGUMENT, quest22_decoder_open(shape, 0, 0, 0, 1, NULL));
    GIVES(BAD_ARGUMENT, quest22_decoder_open(shape, 0, 0, 0, 0, &decoder));
    GIVES(BAD_ARGUMENT, quest22_decoder_open(shape, 0, 0, 0, -1, &decoder));
    GIVES(UNSUPPORTED, quest22_decoder_open(shape, 0, 0, 0, INT64_MAX, &decoder));
    GIVES(BAD_ARGUMENT, quest22_decoder_open(shape, 6, 0, 0, 1, &decoder));
    GIVES(BAD_ARGUMENT, quest22_decoder_open(shape, 0, -1, 0, 1, &decoder));
    GIVES(BAD_ARGUMENT, quest22_decoder_open(shape, 0, 0, 1LL << 32, 1, &decoder));
    GIVES(UNSUPPORTED, quest22_decoder_open(shape, INT8, INT8, INT8, 1, &decoder));
    GIVES(UNSUPPORTED, quest22_decoder_open(shape, FLOAT32, BFLOAT16, FLOAT32, 1, &decoder));
    GIVES(UNSUPPORTED, quest22_decoder_open(shape, FLOAT32, FLOAT16, FLOAT32, 1, &decoder));
    GIVES(UNSUPPORTED, quest22_decoder_open(shape, FLOAT32, INT4, FLOAT32, 1, &decoder)); /* 24 inputs */
    GIVES(UNSUPPORTED, quest22_decoder_open(shape, FLOAT32, FLOAT32, INT16, 1, &decoder));
    DecoderShape most = SHAPE;
    most.frames = MAX_INT8_DOT + 1;
    GIVES(UNSUPPORTED, quest22_decoder_open(&most, FLOAT32, FLOAT32, INT8, 1, &decoder));
    GIVES(0, quest22_decoder_supports(NULL, FLOAT32));
    GIVES(0, quest22_decoder_supports(shape, INT64_MIN));
    GIVES(1, quest22_decoder_supports(shape, FLOAT32));
    if (decoder)
        puts("a handle of what was refused");
}

static void wrong_weights(Decoder *decoder)
{
    static float numbers[FFN * 3 * WIDTH];
    const int64_t last = 6 * LAYERS;
#define SET(...) quest22_decoder_set_linear(decoder, __VA_ARGS__, numbers, numbers, 1.0f)
    GIVES(OK, SET(0, 0, 3 * WIDTH, WIDTH));
    GIVES(OK, SET(last, VOCAB - 1, 1, WIDTH));
    GIVES(BAD_ARGUMENT, SET(-1, 0, 1, WIDTH));
    GIVES(BAD_ARGUMENT, SET(last + 1, 0, 1, WIDTH));
    GIVES(BAD_ARGUMENT, SET(INT64_MAX, 0, 1, WIDTH));
    GIVES(BAD_ARGUMENT, SET(INT64_MIN, 0, 1, WIDTH));
    GIVES(BAD_ARGUMENT, SET(0, -1, 1, WIDTH));
    GIVES(BAD_ARGUMENT, SET(0, 0, 0, WIDTH));
    GIVES(BAD_ARGUMENT, SET(0, 0, 3 * WIDTH + 1, WIDTH));
    GIVES(BAD_ARGUMENT, SET(0, 3 * WIDTH, 1, WIDTH));
    GIVES(BAD_ARGUMENT, SET(0, INT64_MAX, 1, WIDTH));
    GIVES(BAD_ARGUMENT, SET(0, 1, INT64_MAX, WIDTH));
    GIVES(BAD_ARGUMENT, SET(0, 0, 1, WIDTH - 1));
    GIVES(BAD_ARGUMENT, SET(0, 0, 1, WIDTH + 1));
    GIVES(BAD_ARGUMENT, quest22_decoder_set_linear(decoder, 0, 0, 1, WIDTH, NULL, NULL, 1));
    GIVES(BAD_ARGUMENT, quest22_decoder_set_linear(NULL, 0, 0, 1, WIDTH, numbers, NULL, 1));
    GIVES(OK, quest22_decoder_set_norm(decoder, 3 * LAYERS, WIDTH, numbers, numbers));
    GIVES(BAD_ARGUMENT, quest22_decoder_set_norm(decoder, 3 * LAYERS + 1, WIDTH, numbers, numbers));
    GIVES(BAD_ARGUMENT, quest22_decoder_set_norm(decoder, -1, WIDTH, numbers, numbers));
    GIVES(BAD_ARGUMENT, quest22_decoder_set_norm(decoder, 0, WIDTH + 1, numbers, numbers));
    GIVES(BAD_ARGUMENT, quest22_decoder_set_norm(decoder, 0, WIDTH, NULL, numbers));
    GIVES(BAD_ARGUMENT, quest22_decoder_set_norm(NULL, 0, WIDTH, numbers, numbers));
}

static void wrong_batches(Decoder *decoder)
{
    const void *missing[LAYERS] = {kv[0], NULL};
    GIVES(BAD_ARGUMENT, begin(NULL, 1, 1));
    GIVES(BAD_ARGUMENT, begin(decoder, 0, 1));
    GIVES(BAD_ARGUMENT, begin(decoder, -1, 1));
    GIVES(BAD_ARGUMENT, begin(decoder, 1, 0));
    GIVES(BAD_ARGUMENT, begin(decoder, 1, INT64_MIN));
    GIVES(UNSUPPORTED, begin(decoder, 1, MAX_SEQUENCES + 1));
    GIVES(UNSUPPORTED, begin(decoder, INT64_MAX, 1));
    GIVES(BAD_ARGUMENT, quest22_decoder_begin(decoder, 1, 1, frames, NULL, kv, NULL, NULL));
    GIVES(BAD_ARGUMENT, quest22_decoder_begin(decoder, 1, 1, frames, kv, missing, NULL, NULL));
    GIVES(BAD_ARGUMENT, quest22_decoder_begin(decoder, 1, 1, NULL, kv, kv, NULL, NULL));
    const int32_t none[1] = {0}, many[WINDOWS] = {1, FRAMES + 1};
    GIVES(BAD_ARGUMENT, quest22_decoder_begin(decoder, 1, 1, none, kv, kv, NULL, NULL));
    GIVES(BAD_ARGUMENT, quest22_decoder_begin(decoder, WINDOWS, 2, many, kv, kv, NULL, NULL));
    KVQuantization nothing[1] = {{0}};
    GIVES(BAD_ARGUMENT, quest22_quantize_kv(decoder, -1, frames, nothing));
    GIVES(BAD_ARGUMENT, quest22_quantize_kv(decoder, 1, frames, nothing));
    GIVES(BAD_ARGUMENT, quest22_quantize_kv(decoder, 1, frames, NULL));
    GIVES(BAD_ARGUMENT, quest22_quantize_kv(decoder, 1, NULL, nothing));
    GIVES(BAD_ARGUMENT, quest22_quantize_kv(decoder, 1, none, nothing));
    GIVES(UNSUPPORTED, quest22_quantize_kv(decoder, INT64_MAX, frames, nothing));
    GIVES(BAD_ARGUMENT, quest22_quantize_kv(NULL, 1, frames, nothing));
}

static void wrong_scores(Decoder *decoder)
{
    static float scores[2 * POSITIONS * FRAMES];
    const int32_t right[] = {0, 0, LAYERS - 1, 1}, wrong[][2] = {
        {-1, 0}, {LAYERS, 0}, {0, -1}, {0, SHAPE.heads}, {INT32_MAX, INT32_MIN}};
    GIVES(OK, begin(decoder, 1, 1));
    GIVES(OK, quest22_decoder_keep_scores(decoder, 2, right, scores));
    for (size_t each = 0; each < sizeof wrong / sizeof *wrong; each++)
        GIVES(BAD_ARGUMENT, quest22_decoder_keep_scores(decoder, 1, wrong[each], scores));
    GIVES(BAD_ARGUMENT, quest22_decoder_keep_scores(decoder, 0, right, scores));
    GIVES(BAD_ARGUMENT, quest22_decoder_keep_scores(decoder, -1, right, scores));
    GIVES(UNSUPPORTED, quest22_decoder_keep_scores(decoder, INT64_MAX, right, scores));
    GIVES(BAD_ARGUMENT, quest22_decoder_keep_scores(decoder, 2, NULL, scores));
    GIVES(BAD_ARGUMENT, quest22_decoder_keep_scores(decoder, 2, right, NULL));
    GIVES(BAD_ARGUMENT, quest22_decoder_keep_scores(NULL, 2, right, scores));
    GIVES(OK, begin(decoder, WINDOWS, SEQUENCES));
    GIVES(BAD_ARGUMENT, quest22_decoder_keep_scores(decoder, 2, right, scores));
}

static void wrong_functions(void)
{
    float numbers[4] = {1, 2, 3, 4}, logprobs[2];
    int32_t tokens[2];
    int64_t first[4];
    GIVES(OK, quest22_first_frames(numbers, 4, 1, first));
    GIVES(BAD_ARGUMENT, quest22_first_frames(NULL, 4, 1, first));
    GIVES(BAD_ARGUMENT, quest22_first_frames(numbers, 4, 1, NULL));
    GIVES(BAD_ARGUMENT, quest22_first_frames(numbers, 0, 1, first));
    GIVES(BAD_ARGUMENT, quest22_first_frames(numbers, 1, -1, first));
    GIVES(UNSUPPORTED, quest22_first_frames(numbers, INT64_MAX, 1, first));
    GIVES(UNSUPPORTED, quest22_first_frames(numbers, 1, INT64_MAX, first));
    numbers[0] = NAN;
    GIVES(OK, quest22_first_frames(numbers, 2, 2, first));
    GIVES(OK, quest22_first_frames(numbers, 4, 1, first));
    numbers[0] = 1;
    GIVES(OK, quest22_argmax(numbers, 2, 2, 2, tokens, logprobs));
    GIVES(OK, quest22_argmax(numbers, 0, 0, 2, tokens, logprobs));
    GIVES(BAD_ARGUMENT, quest22_argmax(NULL, 1, 2, 2, tokens, logprobs));
    GIVES(BAD_ARGUMENT, quest22_argmax(numbers, 1, 2, 2, NULL, logprobs));
    GIVES(BAD_ARGUMENT, quest22_argmax(numbers, 1, 2, 2, tokens, NULL));
    GIVES(BAD_ARGUMENT, quest22_argmax(numbers, -1, 2, 2, tokens, logprobs));
    GIVES(BAD_ARGUMENT, quest22_argmax(numbers, 1, 2, 0, tokens, logprobs));
    GIVES(BAD_ARGUMENT, quest22_argmax(numbers, 2, 1, 2, tokens, logprobs));
    GIVES(UNSUPPORTED, quest22_argmax(numbers, 1, INT64_MAX, 2, tokens, logprobs));
    GIVES(UNSUPPORTED, quest22_argmax(numbers, INT64_MAX, 2, 2, tokens, logprobs));
    GIVES(UNSUPPORTED, quest22_argmax(numbers, 1, 2, INT64_MAX, tokens, logprobs));
    static float table[BINS], samples[1], mels[8];
    const MelTables tables = {samples, samples, table}, missing = {samples, NULL, table};
    GIVES(OK, quest22_log_mel(&tables, 1, samples, 0, 0, mels, 0));
    GIVES(BAD_ARGUMENT, quest22_log_mel(NULL, 1, samples, 1, 1, mels, 1));
    GIVES(BAD_ARGUMENT, quest22_log_mel(&missing, 1, samples, 1, 1, mels, 1));
    GIVES(BAD_ARGUMENT, quest22_log_mel(&tables, 0, samples, 1, 1, mels, 1));
    GIVES(BAD_ARGUMENT, quest22_log_mel(&tables, 1, NULL, 1, 1, mels, 1));
    GIVES(BAD_ARGUMENT, quest22_log_mel(&tables, 1, samples, -1, 1, mels, 1));
    GIVES(BAD_ARGUMENT, quest22_log_mel(&tables, 1, samples, 1, -1, mels, 1));
    GIVES(BAD_ARGUMENT, quest22_log_mel(&tables, 1, samples, 1, 2, mels, 1));
    GIVES(BAD_ARGUMENT, quest22_log_mel(&tables, 1, samples, 1, 1, NULL, 1));
    GIVES(UNSUPPORTED, quest22_log_mel(&tables, MAX_MELS + 1, samples, 1, 1, mels, 1));
    GIVES(UNSUPPORTED, quest22_log_mel(&tables, 1, samples, INT64_MAX, 1, mels, 1));
    GIVES(UNSUPPORTED, quest22_log_mel(&tables, 1, samples, 1, INT64_MAX, mels, INT64_MAX));
    GIVES(BAD_ARGUMENT, quest22_decoder_close(NULL));
}

/* One wrong number in a step that is right otherwise. */
static Status step_with(Decoder *decoder, int member, int32_t size)
{
    int32_t sizes[] = {SEQUENCES, 2, WINDOWS, 1, 1, 0, 0, 1, 0};
    static float x[SEQUENCES * 2 * WIDTH], logits[SEQUENCES * 2 * VOCAB];
    int32_t beams[SEQUENCES] = {0, 1, 2, 3}, indices[WINDOWS] = {0, 1}, positions[2] = {0, 1};
    sizes[member < 5 ? member : 7] = size;
    if (member == 5)
        beams[1] = size;
    if (member == 6)
        indices[1] = size;
    if (member == 7)
        positions[0] = size;
    return quest22_decoder_step(decoder, sizes, x, beams, indices, positions, logits);
}

static void wrong_steps(Decoder *decoder)
{
    static float logits[SEQUENCES * VOCAB];
    static const int32_t wrong[][3] = {
        {0, -1, SEQUENCES + 1}, {0, -1, POSITIONS}, {0, -1, 3}, {-2, 2, INT32_MAX},
        {-1, 3, INT32_MAX}, {-1, SEQUENCES, INT32_MIN}, {-1, WINDOWS, INT32_MAX}, {-1, 2, INT32_MIN}};
    GIVES(BAD_ARGUMENT, step_with(decoder, 3, 0)); /* before a batch has begun */
    GIVES(OK, begin(decoder, WINDOWS, SEQUENCES));
    GIVES(BAD_ARGUMENT, step_with(decoder, 3, 1)); /* a position that nothing was written to */
    GIVES(OK, first_step(decoder, logits));
    for (int member = 0; member < 8; member++)
        for (int each = 0; each < 3; each++)
            GIVES(BAD_ARGUMENT, step_with(decoder, member, wrong[member][each]));
    GIVES(OK, step_with(decoder, 3, 1));
    GIVES(OK, step_with(decoder, 4, 0)); /* no logits */
    GIVES(BAD_ARGUMENT, first_step(NULL, logits));
    GIVES(BAD_ARGUMENT, quest22_decoder_step(decoder, NULL, logits, NULL, NULL, NULL, logits));
    atomic_store(&decoder->pool.reserved, true); /* as another thread would */
    GIVES(BUSY, first_step(decoder, logits));
    GIVES(BUSY, begin(decoder, WINDOWS, SEQUENCES));
    GIVES(BUSY, quest22_quantize_kv(decoder, 0, frames, (const KVQuantization *)kv));
    GIVES(BUSY, quest22_decoder_close(decoder));
    atomic_store(&decoder->pool.reserved, false);
    GIVES(OK, first_step(decoder, logits));
}

/* Mostly from 1 to most, sometimes a little outside, now and then a huge number. */
static int32_t any(int32_t most)
{
    if (rand() % 40 == 0)
        return (int32_t)((uint32_t)rand() * 3u);
    return rand() % 8 == 0 ? rand() % (most + 3) - 1 : 1 + rand() % most;
}

/* Arrays are exactly as long as the numbers say, so that a sanitizer sees any step beyond. */
static bool random_step(Decoder *decoder)
{
    int32_t known = decoder->cached_sequences ? decoder->cached[0] : 0;
    int32_t position = rand() % 3 ? known : rand() % 3 ? any(POSITIONS) : -1;
    int32_t sizes[5 + 99] = {any(SEQUENCES), any(4), any(WINDOWS), position, any(2)};
    int64_t rows = sizes[0] > 0 && sizes[0] < 99 ? sizes[0] : 1;
    bool ragged = sizes[3] == -1;
    for (int each = 0; each < 99; each++)
        sizes[5 + each] = rand() % 9 ? (decoder->cached_sequences ? decoder->cached[each % SEQUENCES] : 0)
                                   : any(POSITIONS);
    int64_t tokens = sizes[1] > 0 && sizes[1] < 99 ? sizes[1] : 1;
    int64_t windows = sizes[2] > 0 && sizes[2] < 99 ? sizes[2] : 1;
    int64_t reads = sizes[4] >= 0 && sizes[4] < 99 ? sizes[4] : 1;
    float *x = calloc(rows * tokens * WIDTH, sizeof *x);
    float *logits = calloc(rows * reads * VOCAB + 1, sizeof *logits);
    int64_t places = reads * (ragged ? rows : 1);
    int32_t *beams = calloc(rows, 4), *indices = calloc(windows, 4), *reads_at = calloc(places + 1, 4);
    for (int each = 0; each < rows; each++)
        beams[each] = rand() % 8 ? (ragged ? each : 0) : any(SEQUENCES);
    for (int each = 0; each < windows; each++)
        indices[each] = rand() % 8 ? 0 : any(WINDOWS);
    for (int each = 0; each < places; each++)
        reads_at[each] = rand() % 8 ? rand() % (int)tokens : any(4);
    Status status = quest22_decoder_step(decoder, sizes, x, beams, indices, reads_at, logits);
    free(x);
    free(logits);
    free(beams);
    free(indices);
    free(reads_at);
    return status == OK;
}

static void random_steps(Decoder *decoder)
{
    int accepted = 0;
    for (int each = 0; each < 20000; each++) {
        int windows = any(WINDOWS); /* no more than there are keys and values of */
        if (each % 50 == 0)
            begin(decoder, windows < WINDOWS ? windows : WINDOWS, any(SEQUENCES));
        accepted += random_step(decoder);
    }
    if (accepted < 1000)
        printf("only %d random steps were accepted\n", accepted);
}

/* Small shapes of any kind: what is accepted can be opened, and runs a step. */
static void random_shapes(void)
{
    int accepted = 0;
    for (int each = 0; each < 3000; each++) {
        DecoderShape shape = {any(2), any(40), any(4), any(40), any(40), any(20), any(40)};
        Decoder *decoder = NULL;
        if (quest22_decoder_open(&shape, FLOAT32, any(2), any(2), any(2), &decoder) != OK)
            continue;
        accepted++;
        quest22_decoder_close(decoder);
    }
    if (accepted < 50)
        printf("only %d random shapes were accepted\n", accepted);
}

static Status open_encoder(int member, int32_t size)
{
    EncoderShape shape = {2, 16, 2, 32, 4, 20, 2, 2};
    if (member >= 0)
        ((int32_t *)&shape)[member] = size;
    Encoder *encoder = NULL;
    Status status = quest22_encoder_open(&shape, CONV_DTYPE, CONV_DTYPE, 1, &encoder);
    if (status == OK)
        quest22_encoder_close(encoder);
    return status;
}

static void wrong_encoders(Decoder *decoder)
{
    const EncoderShape shape = {2, 16, 2, 32, 4, 20, 2, 2};
    static float numbers[20 * 16 * 4], features[4 * 40];
    Encoder *encoder = NULL;
    for (int member = 0; member < 8; member++) {
        GIVES(BAD_ARGUMENT, open_encoder(member, 0));
        GIVES(BAD_ARGUMENT, open_encoder(member, INT32_MIN));
        GIVES(UNSUPPORTED, open_encoder(member, INT32_MAX));
    }
    GIVES(BAD_ARGUMENT, open_encoder(2, 3));
    GIVES(BAD_ARGUMENT, open_encoder(7, 3));
    GIVES(UNSUPPORTED, open_encoder(2, 16)); /* heads of one channel */
    GIVES(UNSUPPORTED, open_encoder(4, 5));
    GIVES(UNSUPPORTED, quest22_encoder_open(&shape, FLOAT32, FLOAT32, 1, &encoder));
    GIVES(UNSUPPORTED, quest22_encoder_open(&shape, CONV_DTYPE, FLOAT32, 1, &encoder));
    GIVES(UNSUPPORTED, quest22_encoder_open(&shape, CONV_DTYPE, INT4, 1, &encoder)); /* 16 inputs */
    GIVES(BAD_ARGUMENT, quest22_encoder_open(&shape, CONV_DTYPE, 6, 1, &encoder));
    GIVES(BAD_ARGUMENT, quest22_encoder_open(&shape, CONV_DTYPE, CONV_DTYPE, 0, &encoder));
    GIVES(BAD_ARGUMENT, quest22_encoder_open(&shape, CONV_DTYPE, CONV_DTYPE, 1, NULL));
    GIVES(OK, quest22_encoder_open(&shape, CONV_DTYPE, INT8, 1, &encoder));
    quest22_encoder_close(encoder);
    GIVES(OK, quest22_encoder_open(&shape, CONV_DTYPE, CONV_DTYPE, 1, &encoder));
    GIVES(BAD_ARGUMENT, quest22_encoder_set_linear(encoder, 12, 0, 1, 16, numbers, NULL, 1));
    GIVES(BAD_ARGUMENT, quest22_encoder_set_linear(encoder, -1, 0, 1, 16, numbers, NULL, 1));
    GIVES(BAD_ARGUMENT, quest22_encoder_set_linear(encoder, 11, 32, 1, 16, numbers, NULL, 1));
    GIVES(BAD_ARGUMENT, quest22_encoder_set_linear(encoder, 8, 0, 1, 16, numbers, NULL, 1));
    GIVES(OK, quest22_encoder_set_linear(encoder, 8, 0, 1, 12, numbers, NULL, 1));
    GIVES(BAD_ARGUMENT, quest22_encoder_set_norm(encoder, 5, 16, numbers, numbers));
    GIVES(OK, quest22_encoder_set_norm(encoder, 4, 16, numbers, numbers));
    GIVES(BAD_ARGUMENT, quest22_encoder_set_positions(encoder, 21, 16, numbers));
    GIVES(BAD_ARGUMENT, quest22_encoder_set_positions(encoder, 20, 17, numbers));
    GIVES(BAD_ARGUMENT, quest22_encoder_set_positions(encoder, 20, 16, NULL));
    const float *inputs[] = {features, NULL};
    static float output[16 * 20];
    void *outputs[] = {output, output, NULL, NULL};
    const int32_t lengths[] = {20, 1}, beyond[] = {21};
    GIVES(OK, quest22_encoder_run(encoder, 1, lengths, inputs, outputs, outputs));
    GIVES(OK, quest22_encoder_run(encoder, 1, lengths + 1, inputs, outputs, outputs));
    GIVES(BAD_ARGUMENT, quest22_encoder_run(encoder, 1, beyond, inputs, outputs, outputs));
    GIVES(BAD_ARGUMENT, quest22_encoder_run(encoder, 1, NULL, inputs, outputs, outputs));
    GIVES(BAD_ARGUMENT, quest22_encoder_run(encoder, 0, lengths, inputs, outputs, outputs));
    GIVES(BAD_ARGUMENT, quest22_encoder_run(encoder, -1, lengths, inputs, outputs, outputs));
    GIVES(BAD_ARGUMENT, quest22_encoder_run(encoder, 2, lengths, inputs, outputs, outputs));
    GIVES(BAD_ARGUMENT, quest22_encoder_run(encoder, 1, lengths, NULL, outputs, outputs));
    GIVES(BAD_ARGUMENT, quest22_encoder_run(encoder, 1, lengths, inputs, outputs + 1, outputs));
    GIVES(UNSUPPORTED, quest22_encoder_run(encoder, INT64_MAX, lengths, inputs, outputs, outputs));
    GIVES(BAD_ARGUMENT, quest22_encoder_run((Encoder *)(void *)decoder, 1, lengths, inputs, outputs, outputs));
    GIVES(BAD_ARGUMENT, begin((Decoder *)(void *)encoder, 1, 1));
    GIVES(OK, quest22_encoder_close(encoder));
    GIVES(BAD_ARGUMENT, quest22_encoder_close((Encoder *)(void *)decoder));
}

int main(void)
{
    Decoder *decoder = open_small_decoder(2);
    if (!decoder) {
        puts("not opened");
        return 1;
    }
    wrong_shapes();
    wrong_weights(decoder);
    wrong_steps(decoder);
    wrong_scores(decoder);
    wrong_batches(decoder);
    wrong_functions();
    random_steps(decoder);
    random_shapes();
    wrong_encoders(decoder);
    quest22_decoder_close(decoder);
    return 0;
}
