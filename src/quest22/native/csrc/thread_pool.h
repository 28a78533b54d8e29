/* A thread pool with a barrier: all threads run the same function and take tasks in turn.

   A forked child has none of its parent's worker threads. So a pool remembers in which process it
   was started, and starts workers anew in a child. A pool that another thread had reserved when the
   process forked stays reserved in the child, as nobody knows how far its work had come. */
#ifndef QUEST22_THREAD_POOL_H
#define QUEST22_THREAD_POOL_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "status.h"

typedef void (*WorkFn)(void *context, int thread);

typedef struct ThreadPool {
    int threads;        /* the workers and the caller */
    int capacity;       /* threads that there may be after a fork */
    unsigned started_in; /* the process, as this_process counts */
    atomic_bool reserved;
    atomic_int next;    /* the first task of this phase that nobody has taken */
    atomic_int arrived; /* threads at the barrier */
    atomic_uint phase;
    atomic_int asleep;  /* threads that wait for the phase's end in phase_end */
    atomic_uint call;   /* counts the calls of thread_pool_run */
    atomic_bool closing;
    WorkFn work;
    void *context;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_cond_t phase_end;
    pthread_t *workers;
} ThreadPool;

typedef struct Worker {
    ThreadPool *pool;
    int thread;
} Worker;

enum { SPINS = 4000, YIELDS_BEFORE_SLEEP = 400 };

/* 1 in the process that loaded the library, 2 in its forked children, and so on. */
static atomic_uint this_process = 1;
static atomic_bool forks_are_counted;

static void count_fork(void) { atomic_fetch_add(&this_process, 1); }

static void count_forks(void)
{
    atomic_store(&forks_are_counted, pthread_atfork(NULL, NULL, count_fork) == 0);
}

static inline void cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb"); /* "yield" takes no time on most processors */
#endif
}

/* The next task of this phase; none is left where it is the number of tasks or more. */
static inline int thread_pool_next_task(ThreadPool *pool)
{
    return atomic_fetch_add(&pool->next, 1);
}

/* Ends the phase, and wakes those that sleep until then. Either they have seen the new phase or this
   sees them asleep, as all four operations are in one order. */
static inline void end_phase(ThreadPool *pool, unsigned phase)
{
    atomic_store(&pool->arrived, 0);
    atomic_store(&pool->next, 0);
    atomic_store(&pool->phase, phase + 1);
    if (atomic_load(&pool->asleep)) {
        pthread_mutex_lock(&pool->mutex);
        pthread_cond_broadcast(&pool->phase_end);
        pthread_mutex_unlock(&pool->mutex);
    }
}

static void sleep_until_phase_ends(ThreadPool *pool, unsigned phase)
{
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->asleep, 1);
    while (atomic_load(&pool->phase) == phase)
        pthread_cond_wait(&pool->phase_end, &pool->mutex);
    atomic_fetch_sub(&pool->asleep, 1);
    pthread_mutex_unlock(&pool->mutex);
}

/* Waits until all threads have finished this phase. Spins, as a phase takes microseconds, then
   sleeps: another thread seems to have lost its core to another program, and a core that is free
   may take it over at once. */
static inline void thread_pool_barrier(ThreadPool *pool)
{
    unsigned phase = atomic_load(&pool->phase);
    if (atomic_fetch_add(&pool->arrived, 1) + 1 == pool->threads) {
        end_phase(pool, phase);
        return;
    }
    for (int spins = 0; spins < SPINS; spins++) {
        if (atomic_load(&pool->phase) != phase)
            return;
        cpu_relax();
    }
    sleep_until_phase_ends(pool, phase);
}

/* Spins for a fifth of a millisecond while the caller chooses tokens, as waking up takes as long;
   then sleeps. */
static inline unsigned await_call(ThreadPool *pool, unsigned seen)
{
    for (int spins = 0; spins < SPINS + YIELDS_BEFORE_SLEEP; spins++) {
        if (atomic_load(&pool->call) != seen || atomic_load(&pool->closing))
            return atomic_load(&pool->call);
        spins < SPINS ? cpu_relax() : (void)sched_yield();
    }
    pthread_mutex_lock(&pool->mutex);
    while (atomic_load(&pool->call) == seen && !atomic_load(&pool->closing))
        pthread_cond_wait(&pool->wake, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
    return atomic_load(&pool->call);
}

static void *worker_main(void *context)
{
    Worker worker = *(Worker *)context;
    free(context);
    for (unsigned seen = 0;;) {
        seen = await_call(worker.pool, seen);
        if (atomic_load(&worker.pool->closing))
            return NULL;
        worker.pool->work(worker.pool->context, worker.thread);
        thread_pool_barrier(worker.pool);
    }
}

/* Runs work on all threads, the caller's among them, and waits for all. */
static void thread_pool_run(ThreadPool *pool, WorkFn work, void *context)
{
    pool->work = work;
    pool->context = context;
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->call, 1);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    work(context, 0);
    thread_pool_barrier(pool);
}

/* Starts as many threads as the system gives, up to the capacity. */
static void thread_pool_start(ThreadPool *pool)
{
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->phase_end, NULL);
    atomic_store(&pool->next, 0);
    atomic_store(&pool->arrived, 0);
    atomic_store(&pool->asleep, 0);
    atomic_store(&pool->call, 0);
    atomic_store(&pool->closing, false);
    pool->started_in = atomic_load(&this_process);
    for (pool->threads = 1; pool->threads < pool->capacity; pool->threads++) {
        Worker *worker = malloc(sizeof *worker);
        if (!worker)
            break;
        *worker = (Worker){pool, pool->threads};
        if (pthread_create(&pool->workers[pool->threads], NULL, worker_main, worker)) {
            free(worker);
            break;
        }
    }
}

/* Makes a pool of at least one thread and at most so many; false where memory ran out. */
static bool thread_pool_open(ThreadPool *pool, int threads)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, count_forks);
    *pool = (ThreadPool){.threads = 1, .capacity = threads};
    if (!atomic_load(&forks_are_counted))
        return false;
    pool->workers = calloc((size_t)threads, sizeof *pool->workers);
    if (!pool->workers)
        return false;
    thread_pool_start(pool);
    pool->capacity = pool->threads;
    return true;
}

/* Reserves the pool for the calling thread until thread_pool_release; false where it is reserved. */
static bool thread_pool_acquire(ThreadPool *pool)
{
    if (atomic_exchange(&pool->reserved, true))
        return false;
    if (pool->started_in != atomic_load(&this_process))
        thread_pool_start(pool);
    return true;
}

static void thread_pool_release(ThreadPool *pool) { atomic_store(&pool->reserved, false); }

static void thread_pool_close(ThreadPool *pool)
{
    if (pool->workers && pool->started_in == atomic_load(&this_process)) {
        pthread_mutex_lock(&pool->mutex);
        atomic_store(&pool->closing, true);
        pthread_cond_broadcast(&pool->wake);
        pthread_mutex_unlock(&pool->mutex);
        for (int thread = 1; thread < pool->threads; thread++)
            pthread_join(pool->workers[thread], NULL);
        pthread_cond_destroy(&pool->wake);
        pthread_cond_destroy(&pool->phase_end);
        pthread_mutex_destroy(&pool->mutex);
    }
    free(pool->workers);
}

#endif
