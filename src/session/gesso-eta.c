/* SPDX-License-Identifier: MPL-2.0
 * gesso-eta.c - how long jobs take on this machine, from what was measured.
 */
#include "session/gesso-eta.h"

#include <math.h>

/* How much the newest batch counts: a machine that becomes busy shows after two or three. */
static const double NEWEST_SHARE = 0.35;

struct _GessoEta
{
  GHashTable *measured; /* "device|key" -> GessoTimes */
  GHashTable
      *guessed; /* the same from the worker's estimates; n_steps 0, the whole batch in rest */
};

GessoEta *
gesso_eta_new (void)
{
  GessoEta *self = g_new (GessoEta, 1);
  self->measured = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->guessed = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return self;
}

void
gesso_eta_free (GessoEta *self)
{
  if (!self)
    return;
  g_hash_table_unref (self->measured);
  g_hash_table_unref (self->guessed);
  g_free (self);
}

/* How many windows a clip has is the worker's to know: what it depends on.  A time without steps of
 * the recipe does not tell them from windows. */
static char *
dup_windows (const Recipe *r)
{
  if (r->frames == 0 && r->window == 0)
    return g_strdup ("");
  return g_strdup_printf ("/%d+%d%s", r->window, r->overlap, r->steps == 0 ? "?" : "");
}

char *
gesso_work_dup_key (const Recipe *r)
{
  g_autofree char *windows = dup_windows (r);
  return g_strdup_printf ("%dx%dx%d%s*%d|%d|%d%d%d|%s", r->width, r->height, r->frames, windows,
                          r->batch_size, (int) r->sampler, r->init_image != NULL, r->extend != NULL,
                          r->guidance_scale == 1, recipe_str (r->model));
}

/* From a picture only the last steps of the schedule are done. */
int
gesso_work_steps (const Recipe *r)
{
  double share = r->init_image ? r->denoise : 1;
  return r->steps == 0 ? 0 : MAX (1, (int) lround (r->steps * share));
}

static char *
full_key (const char *device, const char *key)
{
  return g_strconcat (device ? device : "", "|", key, NULL);
}

static gboolean
is_time (double seconds)
{
  return isfinite (seconds) && seconds >= 0;
}

static double
blend (double old, double newest)
{
  return old + NEWEST_SHARE * (newest - old);
}

gboolean
gesso_eta_observe (GessoEta *self,
                   const char *device,
                   const GessoWork *work,
                   double step_seconds,
                   double rest_seconds,
                   int n_steps,
                   GessoTimes *times)
{
  g_return_val_if_fail (self && work && work->key && times, FALSE);
  if (!is_time (step_seconds) || !is_time (rest_seconds) || n_steps <= 0)
    return FALSE;
  g_autofree char *key = full_key (device, work->key);
  const GessoTimes *old = g_hash_table_lookup (self->measured, key);
  if (work->steps > 0) /* a step of the recipe is one of each of a clip's windows */
    {
      step_seconds *= (double) n_steps / work->steps;
      n_steps = work->steps;
    }
  *times = (GessoTimes){ old ? blend (old->step_seconds, step_seconds) : step_seconds,
                         old ? blend (old->rest_seconds, rest_seconds) : rest_seconds, n_steps };
  g_hash_table_insert (self->measured, g_steal_pointer (&key), g_memdup2 (times, sizeof *times));
  return TRUE;
}

void
gesso_eta_suggest (GessoEta *self, const char *device, const GessoWork *work, double seconds)
{
  g_return_if_fail (self && work && work->key);
  if (!is_time (seconds) || seconds == 0)
    return;
  GessoTimes times = { .rest_seconds = seconds / MAX (work->batch_count, 1),
                       .n_steps = work->steps };
  g_hash_table_insert (self->guessed, full_key (device, work->key),
                       g_memdup2 (&times, sizeof times));
}

double
gesso_eta_batch (GessoEta *self, const char *device, const GessoWork *work)
{
  g_return_val_if_fail (self && work, -1);
  if (!work->key)
    return -1;
  g_autofree char *key = full_key (device, work->key);
  const GessoTimes *t = g_hash_table_lookup (self->measured, key);
  if (t)
    return t->rest_seconds + t->step_seconds * (work->steps ? work->steps : t->n_steps);
  t = g_hash_table_lookup (self->guessed, key);
  if (!t)
    return -1;
  /* nearly all of an estimate is steps: scaled when this recipe has another number of them */
  return work->steps && t->n_steps ? t->rest_seconds * work->steps / t->n_steps : t->rest_seconds;
}

double
gesso_eta_job (double batch, double left, double fraction, int n_batches_after)
{
  double now = left >= 0 ? left : batch >= 0 ? batch * (1 - CLAMP (fraction, 0, 1)) : -1;
  if (now < 0)
    return -1;
  if (n_batches_after == 0)
    return now;
  /* a first batch whose key is new gives its own length once it has come far enough to tell */
  if (batch < 0 && fraction > 0.02 && fraction < 1)
    batch = now / (1 - fraction);
  return batch < 0 ? -1 : now + batch * n_batches_after;
}

gboolean
gesso_eta_load (GessoEta *self, sqlite3 *db, GError **error)
{
  sqlite3_stmt *s = gesso_sql_bind (
      db, error, "SELECT key, step_seconds, rest_seconds, n_steps FROM step_times", "");
  gboolean row;
  while (s && gesso_sql_step (s, &row, error))
    {
      if (!row)
        return TRUE;
      GessoTimes times = { sqlite3_column_double (s, 1), sqlite3_column_double (s, 2),
                           sqlite3_column_int (s, 3) };
      if (is_time (times.step_seconds) && is_time (times.rest_seconds))
        g_hash_table_insert (self->measured, gesso_sql_dup_text (s, 0),
                             g_memdup2 (&times, sizeof times));
    }
  return FALSE;
}

gboolean
gesso_eta_store (
    sqlite3 *db, const char *device, const char *key, const GessoTimes *times, GError **error)
{
  g_autofree char *full = full_key (device, key);
  return gesso_sql_run (db, error, "INSERT OR REPLACE INTO step_times VALUES (?, ?, ?, ?)", "sddi",
                        full, times->step_seconds, times->rest_seconds, (gint64) times->n_steps);
}
