/* SPDX-License-Identifier: MPL-2.0
 * graph.c - runs that are repeated, as one CUDA graph where that is faster.
 *
 * Launching takes the host a few microseconds each, which a card that is faster than that waits
 * for.  Of the runs in an arena the first brings parameters, the next that moves nothing is timed,
 * one more is recorded, and the one behind it is timed again: whichever was faster stays.  Runs
 * that take longer than LONGEST_SECONDS stay as they are: they do not wait for the host, and a
 * graph cannot be cancelled.
 *
 * A graph has its arguments inside.  So every later run compares each launch, arguments and all,
 * with what was recorded, and launches the graph when all were the same; at the first that differs
 * those before it are queued one by one, and the rest follows as if there were no graph.  The same
 * happens when parameters have to move or something has to be copied in the middle.
 *
 * GESSO_CUDA_GRAPHS=off, or =always: whatever is faster.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/mem.h"
#include "cuda.h"

enum
{
  RELAXED = 2,     /* CU_STREAM_CAPTURE_MODE_RELAXED */
  MOST_SPOILT = 3, /* then it is left alone */
  ALIGNMENT = 16
};

static const double LONGEST_SECONDS = 0.05;
/* A graph has to be that much faster: below, noise would decide. */
static const double ADVANTAGE = 0.97;

typedef enum
{
  GRAPH_NEW,
  GRAPH_TIMED, /* without it */
  GRAPH_RECORDED,
  GRAPH_KEPT,
  GRAPH_LEFT /* not worth it */
} State;

typedef struct
{
  CudaRun run;
  size_t offset, size;
} Command;

struct CudaGraph
{
  State state;
  GkType type;
  DriverGraphExec exec;
  Command *commands;
  size_t n, capacity;
  char *bytes; /* arguments */
  size_t n_bytes, bytes_capacity;
  int64_t epoch;         /* of parameters, when it was recorded */
  DriverPointer scratch; /* the same */
  double eager, graph;   /* seconds */
  int n_spoilt;
};

static double
seconds_now (void)
{
  struct timespec t;
  clock_gettime (CLOCK_MONOTONIC, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static bool
is_mode (const char *mode)
{
  const char *text = getenv ("GESSO_CUDA_GRAPHS");
  return text && !strcmp (text, mode);
}

static void
drop (CudaBackend *b, CudaGraph *g, State state)
{
  if (g->exec)
    b->driver->graph_exec_free (g->exec);
  g->exec = NULL;
  g->n = g->n_bytes = 0;
  g->state = state;
}

void
cuda_graph_free (CudaBackend *b, int arena)
{
  CudaGraph *g = b->graphs[arena];
  if (!g)
    return;
  if (b->graph == g)
    b->graph = NULL;
  drop (b, g, GRAPH_NEW);
  mem_free (g->commands);
  mem_free (g->bytes);
  mem_free (g);
  b->graphs[arena] = NULL;
}

/* ---- leaving it ---- */

static void
end_capture (CudaBackend *b, DriverGraph *graph)
{
  DriverGraph made = NULL;
  int error = b->is_capturing ? b->driver->capture_end (b->compute, &made) : DRIVER_OK;
  b->is_capturing = false;
  if (error)
    made = NULL;
  if (graph)
    *graph = made;
  else if (made)
    b->driver->graph_free (made);
}

/* Queues the first @n of what was recorded, one by one, and waits for them: nobody has noted what
 * parameters they read. */
static void
queue_commands (CudaBackend *b, const CudaGraph *g, size_t n)
{
  b->run_mode = CUDA_RUN_EAGER;
  for (size_t i = 0; i < n && !cuda_failed (b); i++)
    cuda_works (b, g->commands[i].run (b, g->bytes + g->commands[i].offset),
                STATUS_MARK ("it computed"));
  if (n && !cuda_failed (b))
    cuda_works (b, b->driver->stream_wait (b->compute), STATUS_MARK ("it computed"));
}

static void
spoil (CudaBackend *b)
{
  CudaGraph *g = b->graph;
  size_t n = b->run_mode == CUDA_RUN_RECORD ? g->n : b->n_replayed;
  end_capture (b, NULL);
  queue_commands (b, g, n);
  drop (b, g, ++g->n_spoilt < MOST_SPOILT ? GRAPH_NEW : GRAPH_LEFT);
}

void
cuda_graph_break (CudaBackend *b)
{
  bool has_begun = b->run_mode == CUDA_RUN_RECORD ? b->graph->n > 0 : b->n_replayed > 0;
  if (b->run_mode != CUDA_RUN_EAGER && has_begun)
    spoil (b);
}

void
cuda_graph_moved (CudaBackend *b)
{
  b->has_moved = true;
  if (b->run_mode != CUDA_RUN_EAGER)
    spoil (b);
}

/* ---- a run ---- */

void
cuda_graph_begin (CudaBackend *b, const void *memory)
{
  int i = 0;
  b->graph = NULL;
  b->run_mode = CUDA_RUN_EAGER;
  b->n_replayed = 0;
  b->has_moved = false;
  while (i < MAX_ARENAS && b->arenas[i].address != (uintptr_t) memory)
    i++;
  if (!memory || i == MAX_ARENAS || is_mode ("off"))
    return;
  if (!b->graphs[i])
    b->graphs[i] = mem_calloc (1, sizeof *b->graphs[i]);
  CudaGraph *g = b->graph = b->graphs[i];
  if (!g)
    return;
  bool same = g->type == b->type && g->epoch == b->epoch && g->scratch == b->scratch.address;
  if (!same && (g->state == GRAPH_RECORDED || g->state == GRAPH_KEPT))
    drop (b, g, GRAPH_NEW);
  g->type = b->type;
  if (g->state == GRAPH_TIMED)
    b->run_mode = CUDA_RUN_RECORD;
  if (g->state == GRAPH_RECORDED || g->state == GRAPH_KEPT)
    b->run_mode = CUDA_RUN_REPLAY;
  b->run_start = seconds_now ();
}

static bool
append (CudaBackend *b, CudaRun run, const void *args, size_t size)
{
  CudaGraph *g = b->graph;
  size_t room = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  if (!mem_grow (&g->commands, &g->capacity, g->n + 1, sizeof *g->commands, &b->status) ||
      !mem_grow (&g->bytes, &g->bytes_capacity, g->n_bytes + room, 1, &b->status))
    return false;
  memcpy (g->bytes + g->n_bytes, args, size);
  g->commands[g->n++] = (Command){ run, g->n_bytes, size };
  g->n_bytes += room;
  return true;
}

static bool
repeats (const CudaBackend *b, CudaRun run, const void *args, size_t size)
{
  const CudaGraph *g = b->graph;
  const Command *c = &g->commands[b->n_replayed];
  return b->n_replayed < g->n && c->run == run && c->size == size &&
         !memcmp (g->bytes + c->offset, args, size);
}

/* A driver that cannot is no reason to fail. */
static void
begin_capture (CudaBackend *b)
{
  if (b->is_capturing)
    return;
  b->is_capturing = b->driver->capture_begin (b->compute, RELAXED) == DRIVER_OK;
  if (b->is_capturing)
    return;
  b->run_mode = CUDA_RUN_EAGER;
  drop (b, b->graph, GRAPH_LEFT);
}

bool
cuda_graph_takes (CudaBackend *b, CudaRun run, const void *args, size_t size)
{
  if (b->run_mode == CUDA_RUN_REPLAY && repeats (b, run, args, size))
    {
      b->n_replayed++;
      return true;
    }
  if (b->run_mode == CUDA_RUN_REPLAY)
    spoil (b);
  if (b->run_mode == CUDA_RUN_RECORD)
    begin_capture (b);
  if (b->run_mode == CUDA_RUN_EAGER)
    return false;
  if (!cuda_works (b, run (b, args), STATUS_MARK ("it computed")))
    return true;
  /* it may have found that something had to move, and have been queued by itself */
  if (b->run_mode == CUDA_RUN_RECORD)
    append (b, run, args, size);
  return true;
}

/* ---- its end ---- */

static void
launch_recorded (CudaBackend *b, CudaGraph *g)
{
  DriverGraph graph;
  end_capture (b, &graph);
  b->run_mode = CUDA_RUN_EAGER;
  int error = graph ? b->driver->graph_instantiate (&g->exec, graph, 0) : DRIVER_INVALID_VALUE;
  if (graph)
    b->driver->graph_free (graph);
  if (error)
    {
      g->exec = NULL;
      queue_commands (b, g, g->n);
      drop (b, g, GRAPH_LEFT);
      return;
    }
  g->epoch = b->epoch;
  g->scratch = b->scratch.address;
  g->state = GRAPH_RECORDED;
  cuda_works (b, b->driver->graph_launch (g->exec, b->compute), STATUS_MARK ("it computed"));
}

void
cuda_graph_launch (CudaBackend *b)
{
  CudaGraph *g = b->graph;
  if (cuda_failed (b) || !g)
    {
      end_capture (b, NULL);
      if (g && b->run_mode == CUDA_RUN_RECORD)
        drop (b, g, GRAPH_LEFT);
      b->run_mode = CUDA_RUN_EAGER;
      b->graph = NULL;
    }
  else if (b->run_mode == CUDA_RUN_RECORD && b->is_capturing)
    launch_recorded (b, g);
  else if (b->run_mode == CUDA_RUN_REPLAY && b->n_replayed == g->n)
    cuda_works (b, b->driver->graph_launch (g->exec, b->compute), STATUS_MARK ("it computed"));
  else if (b->run_mode == CUDA_RUN_REPLAY && b->n_replayed)
    spoil (b); /* cut short */
}

void
cuda_graph_end (CudaBackend *b)
{
  CudaGraph *g = b->graph;
  double seconds = seconds_now () - b->run_start;
  bool replayed = b->run_mode == CUDA_RUN_REPLAY && g && b->n_replayed == g->n && g->n;
  b->graph = NULL;
  b->run_mode = CUDA_RUN_EAGER;
  if (!g || cuda_failed (b))
    return;
  if (g->state == GRAPH_NEW && !b->has_moved)
    {
      g->eager = seconds;
      g->state = seconds <= LONGEST_SECONDS || is_mode ("always") ? GRAPH_TIMED : GRAPH_LEFT;
    }
  else if (g->state == GRAPH_RECORDED && replayed)
    {
      g->graph = seconds;
      bool pays = seconds < ADVANTAGE * g->eager || is_mode ("always");
      if (pays)
        g->state = GRAPH_KEPT;
      else
        drop (b, g, GRAPH_LEFT);
      b->graph_times[0] = g->eager;
      b->graph_times[1] = g->graph;
    }
}

bool
cuda_graph_times (const Backend *base, double *eager_ms, double *graph_ms)
{
  const CudaBackend *b = (const CudaBackend *) base;
  *eager_ms = b->graph_times[0] * 1e3;
  *graph_ms = b->graph_times[1] * 1e3;
  return b->graph_times[1] > 0;
}
