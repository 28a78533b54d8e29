/* The most products that this machine's cores can do: the same instruction, over and over, on
   twenty-four registers, on so many threads. Prints operations a second by number format; a
   multiplication and an addition count as two. */

#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 20000000, REGISTERS = 24, MOST_THREADS = 1024 };

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

#define INTO(instruction, number) instruction " %%zmm30, %%zmm31, %%zmm" #number "\n"
#define EIGHT(i, a, b, c, d, e, f, g, h) \
    INTO(i, a) INTO(i, b) INTO(i, c) INTO(i, d) INTO(i, e) INTO(i, f) INTO(i, g) INTO(i, h)
#define ALL(i) \
    EIGHT(i, 0, 1, 2, 3, 4, 5, 6, 7) EIGHT(i, 8, 9, 10, 11, 12, 13, 14, 15) \
    EIGHT(i, 16, 17, 18, 19, 20, 21, 22, 23)
#define TIMED(name, instruction) \
    static void *name(void *rate) \
    { \
        double begun = now(); \
        for (int round = 0; round < ROUNDS; round++) \
            __asm__ volatile(ALL(instruction) : : : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", \
                             "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", \
                             "xmm13", "xmm14", "xmm15"); \
        *(double *)rate = (double)ROUNDS * REGISTERS / (now() - begun); \
        return NULL; \
    }

TIMED(run_float32, "vfmadd231ps")
TIMED(run_bfloat16, "vdpbf16ps")
TIMED(run_int8, "vpdpbusd")

static void show(const char *name, void *(*run)(void *), int threads, int products)
{
    pthread_t started[MOST_THREADS];
    double rates[MOST_THREADS], total = 0;
    for (int thread = 0; thread < threads; thread++)
        pthread_create(&started[thread], NULL, run, &rates[thread]);
    for (int thread = 0; thread < threads; thread++) {
        pthread_join(started[thread], NULL);
        total += rates[thread];
    }
    printf("%s %.4g\n", name, 2 * products * total);
}

int main(int count, char **given)
{
    int threads = count > 1 ? atoi(given[1]) : 1;
    if (threads < 1 || threads > MOST_THREADS)
        return 1;
    show("float32", run_float32, threads, 16);
    show("bfloat16", run_bfloat16, threads, 32);
    show("int8", run_int8, threads, 64);
    return 0;
}
