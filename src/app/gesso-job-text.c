/* SPDX-License-Identifier: MPL-2.0
 * gesso-job-text.c - a job's state in words.
 */
#include "app/gesso-job-text.h"

#include <glib/gi18n.h>

#include "app/gesso-planner.h"
#include "library/gesso-trash.h"

gboolean
gesso_job_text_is_active (GessoJob *job)
{
  GessoJobState state = gesso_job_get_state (job);
  return state == GESSO_JOB_WAITING || state == GESSO_JOB_RUNNING || state == GESSO_JOB_PARKED;
}

const char *
gesso_job_text_get_section (GessoJob *job)
{
  switch (gesso_job_get_state (job))
    {
    case GESSO_JOB_RUNNING:
      return _ ("Running");
    case GESSO_JOB_WAITING:
    case GESSO_JOB_PARKED:
      return _ ("Waiting");
    case GESSO_JOB_DONE:
    case GESSO_JOB_FAILED:
    case GESSO_JOB_CANCELLED:
      break;
    }
  return _ ("Ended");
}

char *
gesso_job_text_dup_clock (double seconds)
{
  int s = MAX (1, (int) (seconds + 0.5)); /* what runs is not over */
  if (s >= 3600)
    return g_strdup_printf ("%d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
  return g_strdup_printf ("%d:%02d", s / 60, s % 60);
}

static const char *
phase_text (const char *phase)
{
  if (g_str_equal (phase, "loading"))
    return _ ("Loading the model");
  if (g_str_equal (phase, "text"))
    return _ ("Reading the prompt");
  if (g_str_equal (phase, "encode"))
    return _ ("Reading the start picture");
  if (g_str_equal (phase, "decode"))
    return _ ("Developing the picture");
  return _ ("Starting");
}

/* How long a model takes to be loaded no estimate says, nor whether it has to be. */
static gboolean
is_time_left_known (GessoJob *job)
{
  const char *phase = gesso_job_get_phase (job);
  gboolean computes = phase && *phase && !g_str_equal (phase, "loading");
  return computes && gesso_job_get_eta (job) >= 0;
}

char *
gesso_job_text_dup_progress (GessoJob *job)
{
  g_return_val_if_fail (GESSO_IS_JOB (job), NULL);
  GString *text = g_string_new (NULL);
  const char *phase = gesso_job_get_phase (job);
  int n = gesso_job_get_n_pictures (job);
  if (phase && g_str_equal (phase, "denoise") && gesso_job_get_n_steps (job) > 0)
    g_string_append_printf (text, _ ("Step %d of %d"), gesso_job_get_step (job),
                            gesso_job_get_n_steps (job));
  else
    g_string_append (text, phase_text (phase ? phase : ""));
  if (n > 1)
    {
      g_string_append (text, " · ");
      g_string_append_printf (text, _ ("picture %d of %d"), MIN (gesso_job_get_n_done (job) + 1, n),
                              n);
    }
  if (is_time_left_known (job))
    {
      g_autofree char *clock = gesso_job_text_dup_clock (gesso_job_get_eta (job));
      g_string_append (text, " · ");
      g_string_append_printf (text, _ ("%s left"), clock);
    }
  return g_string_free (text, FALSE);
}

char *
gesso_job_text_dup_progress_of (GessoJob *job, int n_others)
{
  g_return_val_if_fail (GESSO_IS_JOB (job), NULL);
  g_autofree char *text = gesso_job_text_dup_progress (job);
  if (n_others <= 0)
    return g_steal_pointer (&text);
  g_autofree char *others = g_strdup_printf (
      g_dngettext (NULL, "%d more runs", "%d more run", (gulong) n_others), n_others);
  return g_strdup_printf ("%s · %s", text, others);
}

static char *
dup_pictures (GessoJob *job)
{
  int n = gesso_job_get_n_pictures (job);
  const char *last = gesso_job_get_last_picture (job);
  if (last && g_str_has_suffix (last, GESSO_CLIP_EXTENSION))
    return g_strdup_printf (g_dngettext (NULL, "%d clip", "%d clips", (gulong) n), n);
  return g_strdup_printf (g_dngettext (NULL, "%d picture", "%d pictures", (gulong) n), n);
}

static char *
dup_waiting (GessoJob *job)
{
  g_autofree char *pictures = dup_pictures (job);
  double wait = -1;
  g_object_get (job, "wait-before", &wait, NULL);
  if (gesso_job_get_state (job) == GESSO_JOB_PARKED)
    return g_strdup_printf (_ ("%s · goes on later, %d %% done"), pictures,
                            (int) (gesso_job_get_fraction (job) * 100));
  if (wait < 1)
    return g_steal_pointer (&pictures);
  g_autofree char *time = gesso_planner_format_seconds (wait);
  return g_strdup_printf (_ ("%s · starts in about %s"), pictures, time);
}

char *
gesso_job_text_dup_details (GessoJob *job)
{
  g_return_val_if_fail (GESSO_IS_JOB (job), NULL);
  switch (gesso_job_get_state (job))
    {
    case GESSO_JOB_RUNNING:
      return gesso_job_text_dup_progress (job);
    case GESSO_JOB_WAITING:
    case GESSO_JOB_PARKED:
      return dup_waiting (job);
    case GESSO_JOB_FAILED:
      return g_strdup (gesso_job_get_error (job));
    case GESSO_JOB_CANCELLED:
      return g_strdup_printf (_ ("Cancelled, %d of %d made"), gesso_job_get_n_done (job),
                              gesso_job_get_n_pictures (job));
    case GESSO_JOB_DONE:
      break;
    }
  return dup_pictures (job);
}
