/* SPDX-License-Identifier: MPL-2.0
 * progress.c - a bar on a terminal, JSON lines for a script, nothing else.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "pipelines/pipeline.h"

enum
{
  BAR_WIDTH = 30,
  SECONDS_A_MINUTE = 60,
  SECONDS_AN_HOUR = 3600
};

double
progress_now (void)
{
  struct timespec t;
  clock_gettime (CLOCK_MONOTONIC, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

void
progress_init (Progress *p, bool json, int n_pictures)
{
  *p = (Progress){ .json = json,
                   .terminal = isatty (STDERR_FILENO) && !json,
                   .started = progress_now (),
                   .phase = -1,
                   .n_pictures = n_pictures };
}

static void
format_seconds (char out[32], double seconds)
{
  int s = (int) (seconds + 0.5);
  s = s > 1 ? s : 1; /* what runs is not over */
  if (s >= SECONDS_AN_HOUR)
    snprintf (out, 32, "%d h %02d min", s / SECONDS_AN_HOUR,
              s % SECONDS_AN_HOUR / SECONDS_A_MINUTE);
  else if (s >= SECONDS_A_MINUTE)
    snprintf (out, 32, "%d min %02d s", s / SECONDS_A_MINUTE, s % SECONDS_A_MINUTE);
  else
    snprintf (out, 32, "%d s", s);
}

/* The time left is of what the label names; at its end nothing is left to be waited for. */
static void
draw_bar (const Progress *p, const char *label, int done, int total, double eta)
{
  char bar[BAR_WIDTH + 1], left[32];
  int filled = BAR_WIDTH * done / total;
  memset (bar, '#', (size_t) filled);
  memset (bar + filled, '-', (size_t) (BAR_WIDTH - filled));
  bar[BAR_WIDTH] = '\0';
  format_seconds (left, eta);
  fprintf (stderr, "\r\033[K%s [%s] %d/%d", label, bar, done, total);
  if (done < total)
    fprintf (stderr, ", %s left", left);
  if (p->n_pictures > 1)
    fprintf (stderr, " (picture %d of %d)", p->picture + 1, p->n_pictures);
  fflush (stderr);
}

/* What a run that goes on has behind it took no time here. */
static double
seconds_left (const Progress *p, double now, int done, int total)
{
  int n = done > p->done_before ? done - p->done_before : 1;
  return (now - p->phase_started) / n * (total - done);
}

void
progress_named (Progress *p, const char *label, int done, int total)
{
  if (p->phase < 0)
    {
      p->phase = 0;
      p->phase_started = p->started;
    }
  double eta = seconds_left (p, progress_now (), done, total);
  if (p->json)
    {
      printf ("{\"event\": \"progress\", \"phase\": \"%s\", \"done\": %d, \"total\": %d, "
              "\"eta_s\": %.2f}\n",
              label, done, total, eta);
      fflush (stdout);
    }
  else if (p->terminal)
    draw_bar (p, label, done, total, eta);
}

void
progress_step (void *data, int phase, int done, int total)
{
  Progress *p = data;
  double now = progress_now ();
  if (phase != p->phase)
    {
      /* the first report of a phase arrives after its first step */
      p->phase_started = p->phase < 0 ? p->started : p->phase_started;
      p->phase = phase;
      p->done_before = done - 1;
    }
  else if (done <= p->done_before) /* the next one of a batch */
    p->done_before = done - 1;
  double eta = seconds_left (p, now, done, total);
  const char *label = phase_name ((PipelinePhase) phase);
  if (p->json)
    {
      printf ("{\"event\": \"progress\", \"phase\": \"%s\", \"done\": %d, \"total\": %d, "
              "\"picture\": %d, \"eta_s\": %.2f}\n",
              label, done, total, p->picture, eta);
      fflush (stdout);
    }
  else if (p->terminal)
    draw_bar (p, label, done, total, eta);
  if (done == total)
    p->phase_started = now;
}

void
progress_clear_line (Progress *p)
{
  if (p->terminal)
    fprintf (stderr, "\r\033[K");
}
