/* SPDX-License-Identifier: MPL-2.0
 * threads.h - a pool that runs a numbered set of tasks; parallelism lives outside the kernels.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "core/status.h"

typedef struct Threads Threads;

/* @task: 0 .. n_tasks - 1; @thread: 0 .. threads_count - 1, for scratch memory of its own. */
typedef void (*TaskFunc) (void *data, int64_t task, int thread);

/* @n_threads: 0 for one a core that this process may use.  Returns: NULL and @status set. */
Threads *threads_new (int n_threads, Status *status);
void threads_free (Threads *threads);
int threads_count (const Threads *threads);

/* threads_run:
 * @cancel: NULL, or a flag: once it is set no further task starts
 *
 * Runs every task once, in no given order, and returns when all have ended.  The caller's thread
 * works too.  Tasks are handed out one by one, so uneven ones balance.  Not reentrant: one caller
 * at a time, and a task must not call it.
 */
void threads_run (
    Threads *threads, int64_t n_tasks, TaskFunc func, void *data, const atomic_bool *cancel);
