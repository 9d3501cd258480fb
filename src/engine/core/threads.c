/* SPDX-License-Identifier: MPL-2.0 */
#define _GNU_SOURCE
#include "core/threads.h"

#include <pthread.h>
#include <sched.h>

#include "core/mem.h"

enum
{
  MAX_THREADS = 256
};

typedef struct
{
  Threads *pool;
  int index;
} Worker;

struct Threads
{
  int n_threads; /* the caller's included */
  int n_started;
  pthread_t handles[MAX_THREADS];
  Worker workers[MAX_THREADS];
  pthread_mutex_t lock;
  pthread_cond_t work, done;
  uint64_t generation; /* counts threads_run calls */
  bool is_open;        /* the current run takes who comes */
  int n_busy;          /* who came */
  bool quit;
  /* the current run */
  TaskFunc func;
  void *data;
  int64_t n_tasks;
  const atomic_bool *cancel;
  _Atomic int64_t next;
};

static void
work_off (Threads *t, int index)
{
  for (;;)
    {
      if (t->cancel && atomic_load_explicit (t->cancel, memory_order_relaxed))
        return;
      int64_t task = atomic_fetch_add (&t->next, 1);
      if (task >= t->n_tasks)
        return;
      t->func (t->data, task, index);
    }
}

/* On a busy machine a thread may wake when all is done: it must not be waited for. */
static void *
worker_main (void *data)
{
  Worker *w = data;
  Threads *t = w->pool;
  uint64_t seen = 0;
  pthread_mutex_lock (&t->lock);
  for (;;)
    {
      while (!t->quit && (!t->is_open || t->generation == seen))
        pthread_cond_wait (&t->work, &t->lock);
      if (t->quit)
        break;
      seen = t->generation;
      t->n_busy++;
      pthread_mutex_unlock (&t->lock);
      work_off (t, w->index);
      pthread_mutex_lock (&t->lock);
      if (--t->n_busy == 0 && !t->is_open)
        pthread_cond_signal (&t->done);
    }
  pthread_mutex_unlock (&t->lock);
  return NULL;
}

static int
usable_cores (void)
{
  cpu_set_t set;
  if (sched_getaffinity (0, sizeof set, &set) != 0)
    return 1;
  int n = CPU_COUNT (&set);
  return n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : n;
}

Threads *
threads_new (int n_threads, Status *status)
{
  Threads *t = mem_calloc (1, sizeof *t);
  if (!t)
    {
      status_fail (status, STATUS_NO_MEMORY, "Out of memory while starting threads.");
      return NULL;
    }
  t->n_threads = n_threads <= 0            ? usable_cores ()
                 : n_threads > MAX_THREADS ? MAX_THREADS
                                           : n_threads;
  pthread_mutex_init (&t->lock, NULL);
  pthread_cond_init (&t->work, NULL);
  pthread_cond_init (&t->done, NULL);
  for (int i = 1; i < t->n_threads; i++)
    {
      t->workers[i] = (Worker){ t, i };
      if (pthread_create (&t->handles[i], NULL, worker_main, &t->workers[i]) != 0)
        break; /* fewer threads are slower, not wrong */
      t->n_started++;
    }
  t->n_threads = t->n_started + 1;
  return t;
}

void
threads_free (Threads *t)
{
  if (!t)
    return;
  pthread_mutex_lock (&t->lock);
  t->quit = true;
  pthread_cond_broadcast (&t->work);
  pthread_mutex_unlock (&t->lock);
  for (int i = 1; i <= t->n_started; i++)
    pthread_join (t->handles[i], NULL);
  pthread_cond_destroy (&t->done);
  pthread_cond_destroy (&t->work);
  pthread_mutex_destroy (&t->lock);
  mem_free (t);
}

int
threads_count (const Threads *t)
{
  return t->n_threads;
}

/* No more of them than there are tasks for. */
static void
wake (Threads *t, int64_t n_tasks)
{
  t->generation++;
  t->is_open = true;
  if (n_tasks > t->n_started)
    pthread_cond_broadcast (&t->work);
  for (int64_t i = 1; n_tasks <= t->n_started && i < n_tasks; i++)
    pthread_cond_signal (&t->work);
}

static void
wait_for_busy (Threads *t)
{
  pthread_mutex_lock (&t->lock);
  t->is_open = false;
  while (t->n_busy > 0)
    pthread_cond_wait (&t->done, &t->lock);
  pthread_mutex_unlock (&t->lock);
}

void
threads_run (Threads *t, int64_t n_tasks, TaskFunc func, void *data, const atomic_bool *cancel)
{
  bool alone = n_tasks <= 1 || t->n_started == 0;
  pthread_mutex_lock (&t->lock);
  t->func = func;
  t->data = data;
  t->n_tasks = n_tasks;
  t->cancel = cancel;
  atomic_store (&t->next, 0);
  if (!alone)
    wake (t, n_tasks);
  pthread_mutex_unlock (&t->lock);
  work_off (t, 0);
  if (!alone)
    wait_for_busy (t);
}
