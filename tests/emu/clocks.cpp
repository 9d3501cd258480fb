// SPDX-License-Identifier: MPL-2.0
// clocks.cpp - what each thread knows of what the others have done.
#include <string.h>

#include <memory>

#include "internal.h"

static std::vector<std::unique_ptr<Knowledge>> all;
static std::vector<Knowledge *> unused;

// What was learned last: many threads in turn learn the same of one barrier.
static struct
{
  Knowledge *before, *after;
  uint32_t from[MAX_THREADS + 1];
} lesson;

static Knowledge *
new_knowledge ()
{
  if (unused.empty ())
    {
      all.emplace_back (new Knowledge ());
      unused.push_back (all.back ().get ());
    }
  Knowledge *k = unused.back ();
  unused.pop_back ();
  k->n_users = 0;
  memset (k->clocks, 0, machine.clock_size * sizeof *k->clocks);
  return k;
}

static void
give (Knowledge **place, Knowledge *k)
{
  k->n_users++;
  if (*place && --(*place)->n_users == 0)
    unused.push_back (*place);
  *place = k;
}

void
clocks_reset ()
{
  machine.clock_size = (uint32_t) machine.n_threads + 1;
  machine.engine_clock = 0;
  unused.clear ();
  for (const std::unique_ptr<Knowledge> &k : all)
    unused.push_back (k.get ());
  lesson.before = lesson.after = NULL;
  Knowledge *nothing = emu_options.check ? new_knowledge () : NULL;
  for (int i = 0; i < machine.n_threads; i++)
    {
      machine.fibers[i].clock = 1;
      machine.fibers[i].knows = NULL;
      if (nothing)
        give (&machine.fibers[i].knows, nothing);
    }
}

void
clock_join (uint32_t *into, const uint32_t *from)
{
  for (uint32_t i = 0; i < machine.clock_size; i++)
    into[i] = into[i] > from[i] ? into[i] : from[i];
}

// A barrier among @threads: what each did before it is known to all after it.
void
clock_meet (const uint32_t *threads, size_t n)
{
  static uint32_t meeting;
  Knowledge *k = new_knowledge ();
  meeting++;
  for (size_t i = 0; i < n; i++)
    {
      Knowledge *one = machine.fibers[threads[i]].knows;
      if (one->meeting != meeting)
        clock_join (k->clocks, one->clocks);
      one->meeting = meeting;
    }
  for (size_t i = 0; i < n; i++)
    {
      k->clocks[threads[i]] = machine.fibers[threads[i]].clock++;
      give (&machine.fibers[threads[i]].knows, k);
    }
}

// What @thread has done and what it knows, for others; what it does from now on is not in it.
void
clock_tell (uint32_t thread, uint32_t *to)
{
  Fiber *f = &machine.fibers[thread];
  clock_join (to, f->knows->clocks);
  to[thread] = f->clock++;
}

void
clock_learn (uint32_t thread, const uint32_t *from)
{
  Knowledge **mine = &machine.fibers[thread].knows;
  size_t size_bytes = machine.clock_size * sizeof *from;
  if (*mine != lesson.before || memcmp (from, lesson.from, size_bytes) != 0)
    {
      Knowledge *k = new_knowledge ();
      clock_join (k->clocks, (*mine)->clocks);
      clock_join (k->clocks, from);
      give (&lesson.before, *mine);
      give (&lesson.after, k);
      memcpy (lesson.from, from, size_bytes);
    }
  give (mine, lesson.after);
}
