/* Threads that work through a step together: the same function on each, tasks taken in turn. */
#ifndef QUEST22_TEAM_H
#define QUEST22_TEAM_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

typedef void (*Work)(void *about, int thread);

typedef struct Team {
    int threads;
    atomic_int next;    /* the first task of this phase that nobody has taken */
    atomic_int arrived; /* threads at the end of this phase */
    atomic_uint phase;
    atomic_uint call;   /* counts the calls of team_run */
    atomic_bool closing;
    Work work;
    void *about;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_t *helpers;
} Team;

typedef struct Helper {
    Team *team;
    int thread;
} Helper;

enum { SPINS = 4000, YIELDS_BEFORE_SLEEP = 400 };

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* The next task of this phase, or none where it is count or more. */
static inline int team_take(Team *team) { return atomic_fetch_add(&team->next, 1); }

/* Waits until all have finished this phase. Spins, as a phase takes microseconds; yields where
   a thread seems to have lost its core. */
static inline void team_meet(Team *team)
{
    unsigned phase = atomic_load(&team->phase);
    if (atomic_fetch_add(&team->arrived, 1) + 1 == team->threads) {
        atomic_store(&team->arrived, 0);
        atomic_store(&team->next, 0);
        atomic_store(&team->phase, phase + 1);
        return;
    }
    for (int spins = 0; atomic_load(&team->phase) == phase; spins++)
        spins < SPINS ? relax() : (void)sched_yield();
}

/* Waits awake for a fifth of a millisecond, while others choose tokens: to be woken takes as long. */
static inline unsigned team_await_call(Team *team, unsigned seen)
{
    for (int spins = 0; spins < SPINS + YIELDS_BEFORE_SLEEP; spins++) {
        if (atomic_load(&team->call) != seen || atomic_load(&team->closing))
            return atomic_load(&team->call);
        spins < SPINS ? relax() : (void)sched_yield();
    }
    pthread_mutex_lock(&team->mutex);
    while (atomic_load(&team->call) == seen && !atomic_load(&team->closing))
        pthread_cond_wait(&team->wake, &team->mutex);
    pthread_mutex_unlock(&team->mutex);
    return atomic_load(&team->call);
}

static void *team_help(void *about)
{
    Helper helper = *(Helper *)about;
    free(about);
    for (unsigned seen = 0;;) {
        seen = team_await_call(helper.team, seen);
        if (atomic_load(&helper.team->closing))
            return NULL;
        helper.team->work(helper.team->about, helper.thread);
        team_meet(helper.team);
    }
}

/* Runs work on all threads, the caller's among them, and waits for all. */
static void team_run(Team *team, Work work, void *about)
{
    team->work = work;
    team->about = about;
    pthread_mutex_lock(&team->mutex);
    atomic_fetch_add(&team->call, 1);
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->mutex);
    work(about, 0);
    team_meet(team);
}

static void team_close(Team *team)
{
    pthread_mutex_lock(&team->mutex);
    atomic_store(&team->closing, true);
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->mutex);
    for (int thread = 1; thread < team->threads; thread++)
        pthread_join(team->helpers[thread], NULL);
    pthread_cond_destroy(&team->wake);
    pthread_mutex_destroy(&team->mutex);
    free(team->helpers);
}

/* As many threads as the system gives, up to so many. */
static bool team_open(Team *team, int threads)
{
    *team = (Team){.threads = 1};
    team->helpers = calloc((size_t)threads, sizeof *team->helpers);
    if (!team->helpers)
        return false;
    pthread_mutex_init(&team->mutex, NULL);
    pthread_cond_init(&team->wake, NULL);
    for (; team->threads < threads; team->threads++) {
        Helper *helper = malloc(sizeof *helper);
        if (!helper)
            break;
        *helper = (Helper){team, team->threads};
        if (pthread_create(&team->helpers[team->threads], NULL, team_help, helper)) {
            free(helper);
            break;
        }
    }
    return true;
}

#endif
