/* Forked children use a decoder of their parent: they give the same logits, or an error where
   another thread was using it, and end. Prints what was wrong. */

#define _GNU_SOURCE
#include "small_decoder.h"

#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 3, FORKS = 30, SECONDS = 60 };

static float expected[SEQUENCES * VOCAB];

typedef enum Outcome { SAME, REFUSED, DIFFERENT } Outcome;

static Outcome decode(Decoder *decoder)
{
    float logits[SEQUENCES * VOCAB];
    Status status = begin(decoder, WINDOWS, SEQUENCES);
    if (status == OK)
        status = first_step(decoder, logits);
    if (status != OK)
        return status == BUSY ? REFUSED : DIFFERENT;
    return memcmp(logits, expected, sizeof logits) ? DIFFERENT : SAME;
}

/* A child decodes and closes what its parent opened. */
static Outcome in_child(Decoder *decoder)
{
    pid_t child = fork();
    if (child == 0) {
        alarm(SECONDS); /* a spin ends the child by a signal */
        Outcome outcome = decode(decoder);
        quest22_decoder_close(decoder);
        _exit(outcome);
    }
    int ended = 0;
    if (child < 0 || waitpid(child, &ended, 0) != child || !WIFEXITED(ended))
        return DIFFERENT;
    return WEXITSTATUS(ended);
}

/* The child's own child, while the child's threads are at rest. */
static Outcome in_grandchild(Decoder *decoder)
{
    pid_t child = fork();
    if (child == 0) {
        alarm(SECONDS);
        Outcome outcome = decode(decoder);
        _exit(outcome == SAME ? in_child(decoder) : outcome);
    }
    int ended = 0;
    if (child < 0 || waitpid(child, &ended, 0) != child || !WIFEXITED(ended))
        return DIFFERENT;
    return WEXITSTATUS(ended);
}

static atomic_bool stopping;

static void *decode_until_stopped(void *decoder)
{
    while (!atomic_load(&stopping))
        if (decode(decoder) != SAME)
            puts("the parent's logits differ");
    return NULL;
}

int main(void)
{
    Decoder *decoder = open_small_decoder(THREADS);
    if (!decoder || begin(decoder, WINDOWS, SEQUENCES) || first_step(decoder, expected))
        puts("not opened");
    for (int each = 0; each < 3; each++)
        if (in_child(decoder) != SAME || decode(decoder) != SAME)
            puts("a child's logits differ");
    if (in_grandchild(decoder) != SAME)
        puts("a grandchild's logits differ");
    pthread_t other;
    pthread_create(&other, NULL, decode_until_stopped, decoder);
    for (int each = 0; each < FORKS; each++) {
        usleep(rand() % 2000);
        if (in_child(decoder) == DIFFERENT)
            puts("a child of a busy parent neither decodes nor is refused");
    }
    atomic_store(&stopping, true);
    pthread_join(other, NULL);
    if (decode(decoder) != SAME)
        puts("the parent's logits differ");
    quest22_decoder_close(decoder);
    return 0;
}
