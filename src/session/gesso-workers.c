/* SPDX-License-Identifier: MPL-2.0
 * gesso-workers.c - the workers of a session.
 */
#define G_LOG_DOMAIN "gesso-session"

#include "session/gesso-workers.h"

#include <glib/gi18n.h>

#include "session/gesso-devices.h"

#define AUTOMATIC "auto" /* the first card, or the CPU where there is none */

/* A worker; empty without a supervisor. */
typedef struct
{
  GessoWorkers *workers;
  int number;
  char *backend;
  GessoSupervisor *supervisor;
  gboolean leaving; /* ends when it is idle, */
  gboolean renewed; /* or starts anew then, */
  gboolean ending;  /* and is about to */
} Place;

struct _GessoWorkers
{
  GObject parent_instance;
  char *program, *data_dir;
  int restart_delay_ms, vram_limit_mib;
  GessoWorkersEvents events;
  gpointer data;
  GessoWorkerEvents worker_events;
  gpointer worker_data;
  GessoSupervisorEvents supervisor_events; /* on_state and on_died, which start others */
  GessoWorkerLock *lock;
  Place places[GESSO_MAX_WORKERS];
  char **wanted; /* backends; NULL: all cards */
  char **cards;  /* names; NULL: not known */
  GCancellable *listing;
  gboolean closed;
};

G_DEFINE_FINAL_TYPE (GessoWorkers, gesso_workers, G_TYPE_OBJECT)

/* ---- a worker ---- */

static gboolean
stays (const Place *place)
{
  return place->supervisor && !place->leaving;
}

/* Where there are several it is said whose end it was. */
static void
on_died (gpointer data, const char *sentence)
{
  Place *place = data;
  GessoWorkers *self = place->workers;
  if (self->closed)
    return;
  g_autofree char *whose = gesso_workers_count (self, FALSE) > 1
                               /* Translators: a device, "cuda:1", and a sentence about it */
                               ? g_strdup_printf (_ ("%s: %s"), place->backend, sentence)
                               : g_strdup (sentence);
  self->events.died (self->data, place->number, whose);
}

static void
empty (Place *place)
{
  g_clear_object (&place->supervisor);
  g_clear_pointer (&place->backend, g_free);
  place->leaving = place->renewed = place->ending = FALSE;
}

static void
start (GessoWorkers *self, Place *place, const char *backend)
{
  place->backend = g_strdup (backend);
  const GessoSupervisorOptions options = { .program = self->program,
                                           .backend = backend,
                                           .data_dir = self->data_dir,
                                           .number = place->number,
                                           .restart_delay_ms = self->restart_delay_ms,
                                           .vram_limit_mib = gesso_device_is_card (backend)
                                                                 ? self->vram_limit_mib
                                                                 : 0,
                                           .lock = self->lock,
                                           .events = &self->supervisor_events,
                                           .data = place,
                                           .worker_events = &self->worker_events,
                                           .worker_data = self->worker_data };
  place->supervisor = gesso_supervisor_new (&options);
  gesso_supervisor_start (place->supervisor);
}

/* ---- which there are ---- */

/* The names of those that should be there. */
static GPtrArray *
dup_wanted (GessoWorkers *self)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  for (int i = 0; self->wanted && self->wanted[i] && i < GESSO_MAX_WORKERS; i++)
    g_ptr_array_add (names, g_strdup (self->wanted[i]));
  if (names->len == 0)
    g_ptr_array_add (names, g_strdup (AUTOMATIC));
  for (int i = 1; !self->wanted && self->cards && self->cards[0] && self->cards[i]; i++)
    if (i < GESSO_MAX_WORKERS)
      g_ptr_array_add (names, g_strdup (self->cards[i]));
  return names;
}

static gboolean
take_name (GPtrArray *names, const char *name)
{
  guint i;
  if (!g_ptr_array_find_with_equal_func (names, name, g_str_equal, &i))
    return FALSE;
  g_ptr_array_remove_index (names, i);
  return TRUE;
}

static void
settle (GessoWorkers *self)
{
  g_autoptr (GPtrArray) missing = dup_wanted (self);
  for (int i = 0; i < GESSO_MAX_WORKERS; i++)
    if (stays (&self->places[i]))
      self->places[i].leaving = !take_name (missing, self->places[i].backend);
  for (int i = 0; i < GESSO_MAX_WORKERS && missing->len > 0; i++)
    if (!self->places[i].supervisor)
      {
        start (self, &self->places[i], g_ptr_array_index (missing, 0));
        g_ptr_array_remove_index (missing, 0);
      }
}

static void
on_listed_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GessoWorkers) self = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) devices = gesso_devices_list_finish (result, &error);
  if (self->closed)
    return;
  g_autoptr (GStrvBuilder) cards = g_strv_builder_new ();
  for (guint i = 0; devices && i < devices->len; i++)
    {
      const GessoDevice *device = g_ptr_array_index (devices, i);
      if (gesso_device_is_card (device->name))
        g_strv_builder_add (cards, device->name);
    }
  if (error)
    g_message ("Which cards there are is not known: %s", error->message);
  self->cards = g_strv_builder_end (cards);
  settle (self);
  self->events.changed (self->data);
}

/* Only where the first worker has a card, or cannot have it, may there be others. */
static gboolean
should_list (GessoWorkers *self)
{
  const Place *first = &self->places[0];
  if (self->wanted || self->cards || self->listing || !stays (first))
    return FALSE;
  GessoWorkerClient *client = gesso_supervisor_get_client (first->supervisor);
  return client ? gesso_device_is_card (gesso_worker_client_get_backend (client))
                : gesso_supervisor_get_state (first->supervisor) != GESSO_WORKER_STARTING;
}

static void
arrange (GessoWorkers *self)
{
  if (self->closed)
    return;
  settle (self);
  if (!should_list (self))
    return;
  self->listing = g_cancellable_new ();
  gesso_devices_list_async (self->program, self->listing, on_listed_cb, g_object_ref (self));
}

static void
on_state (gpointer data, GessoWorkerState state)
{
  Place *place = data;
  GessoWorkers *self = place->workers;
  if (self->closed)
    return;
  if (place->ending && state == GESSO_WORKER_STOPPED)
    empty (place);
  arrange (self);
  self->events.changed (self->data);
}

void
gesso_workers_set_backends (GessoWorkers *self, const char *backends)
{
  g_return_if_fail (GESSO_IS_WORKERS (self));
  g_strfreev (self->wanted);
  self->wanted = backends && *backends ? g_strsplit (backends, ",", -1) : NULL;
  arrange (self);
  self->events.changed (self->data);
}

void
gesso_workers_set_vram_limit (GessoWorkers *self, int limit_mib)
{
  g_return_if_fail (GESSO_IS_WORKERS (self) && limit_mib >= 0);
  if (self->vram_limit_mib == limit_mib)
    return;
  self->vram_limit_mib = limit_mib;
  for (int i = 0; i < GESSO_MAX_WORKERS; i++)
    if (stays (&self->places[i]) && gesso_device_is_card (self->places[i].backend))
      self->places[i].renewed = TRUE;
  self->events.changed (self->data);
}

void
gesso_workers_restart (GessoWorkers *self)
{
  g_return_if_fail (GESSO_IS_WORKERS (self));
  for (int i = 0; i < GESSO_MAX_WORKERS; i++)
    if (stays (&self->places[i]) &&
        gesso_supervisor_get_state (self->places[i].supervisor) == GESSO_WORKER_STOPPED)
      gesso_supervisor_start (self->places[i].supervisor);
}

void
gesso_workers_note_idle (GessoWorkers *self, int number)
{
  g_return_if_fail (GESSO_IS_WORKERS (self) && number >= 0 && number < GESSO_MAX_WORKERS);
  Place *place = &self->places[number];
  if ((!place->leaving && !place->renewed) || place->ending)
    return;
  g_autoptr (GessoSupervisor) supervisor = g_object_ref (place->supervisor);
  place->ending = TRUE;
  gesso_supervisor_end (supervisor);
  if (place->supervisor && gesso_supervisor_get_state (supervisor) == GESSO_WORKER_STOPPED)
    on_state (place, GESSO_WORKER_STOPPED); /* it had stopped before, which is no news of its own */
}

/* ---- what they say ---- */

gboolean
gesso_workers_takes_batches (GessoWorkers *self, int number)
{
  return gesso_workers_stays (self, number) && !self->places[number].renewed;
}

gboolean
gesso_workers_is_alive (GessoWorkers *self, int number)
{
  return gesso_workers_stays (self, number) &&
         gesso_supervisor_get_state (self->places[number].supervisor) != GESSO_WORKER_STOPPED;
}

int
gesso_workers_count (GessoWorkers *self, gboolean alive)
{
  g_return_val_if_fail (GESSO_IS_WORKERS (self), 0);
  int n = 0;
  for (int i = 0; i < GESSO_MAX_WORKERS; i++)
    n += alive ? gesso_workers_is_alive (self, i) : stays (&self->places[i]);
  return n;
}

gboolean
gesso_workers_have_card (GessoWorkers *self)
{
  g_return_val_if_fail (GESSO_IS_WORKERS (self), FALSE);
  gboolean any = FALSE;
  for (int i = 0; i < GESSO_MAX_WORKERS; i++)
    any |= stays (&self->places[i]) && gesso_device_is_card (self->places[i].backend);
  return any;
}

GessoWorkerClient *
gesso_workers_get_client (GessoWorkers *self, int number)
{
  g_return_val_if_fail (GESSO_IS_WORKERS (self) && number >= 0 && number < GESSO_MAX_WORKERS, NULL);
  GessoSupervisor *supervisor = self->places[number].supervisor;
  return supervisor ? gesso_supervisor_get_client (supervisor) : NULL;
}

GessoWorkerClient *
gesso_workers_get_any_client (GessoWorkers *self)
{
  GessoWorkerClient *client = NULL;
  for (int i = 0; i < GESSO_MAX_WORKERS && !client; i++)
    client = gesso_workers_get_client (self, i);
  return client;
}

gboolean
gesso_workers_stays (GessoWorkers *self, int number)
{
  g_return_val_if_fail (GESSO_IS_WORKERS (self) && number >= 0 && number < GESSO_MAX_WORKERS,
                        FALSE);
  return stays (&self->places[number]);
}

void
gesso_workers_note_step (GessoWorkers *self, int number)
{
  g_return_if_fail (GESSO_IS_WORKERS (self) && number >= 0 && number < GESSO_MAX_WORKERS);
  if (self->places[number].supervisor)
    gesso_supervisor_note_step (self->places[number].supervisor);
}

/* The first of @order that a worker is in. */
static GessoWorkerState
state_by (GessoWorkers *self, const GessoWorkerState order[4])
{
  g_return_val_if_fail (GESSO_IS_WORKERS (self), GESSO_WORKER_STOPPED);
  gboolean found[4] = { FALSE };
  for (int i = 0; i < GESSO_MAX_WORKERS; i++)
    if (stays (&self->places[i]))
      found[gesso_supervisor_get_state (self->places[i].supervisor)] = TRUE;
  for (int i = 0; i < 4; i++)
    if (found[order[i]])
      return order[i];
  return GESSO_WORKER_STARTING;
}

GessoWorkerState
gesso_workers_get_state (GessoWorkers *self)
{
  static const GessoWorkerState order[] = { GESSO_WORKER_READY, GESSO_WORKER_STARTING,
                                            GESSO_WORKER_WAITING, GESSO_WORKER_STOPPED };
  return state_by (self, order);
}

GessoWorkerState
gesso_workers_get_worst_state (GessoWorkers *self)
{
  static const GessoWorkerState order[] = { GESSO_WORKER_STOPPED, GESSO_WORKER_WAITING,
                                            GESSO_WORKER_STARTING, GESSO_WORKER_READY };
  return state_by (self, order);
}

char *
gesso_workers_dup_devices (GessoWorkers *self)
{
  g_return_val_if_fail (GESSO_IS_WORKERS (self), NULL);
  g_autoptr (GString) lines = g_string_new (NULL);
  for (int i = 0; i < GESSO_MAX_WORKERS; i++)
    {
      GessoWorkerClient *client =
          stays (&self->places[i]) ? gesso_workers_get_client (self, i) : NULL;
      if (!client)
        continue;
      if (lines->len > 0)
        g_string_append_c (lines, '\n');
      g_string_append (lines, gesso_worker_client_get_device (client));
    }
  return g_strdup (lines->str);
}

/* ---- the object ---- */

static void
gesso_workers_dispose (GObject *object)
{
  GessoWorkers *self = GESSO_WORKERS (object);
  gesso_workers_close (self);
  for (int i = 0; i < GESSO_MAX_WORKERS; i++)
    g_clear_object (&self->places[i].supervisor);
  G_OBJECT_CLASS (gesso_workers_parent_class)->dispose (object);
}

static void
gesso_workers_finalize (GObject *object)
{
  GessoWorkers *self = GESSO_WORKERS (object);
  for (int i = 0; i < GESSO_MAX_WORKERS; i++)
    g_free (self->places[i].backend);
  g_free (self->program);
  g_free (self->data_dir);
  g_strfreev (self->wanted);
  g_strfreev (self->cards);
  g_clear_object (&self->listing);
  gesso_worker_lock_free (self->lock);
  G_OBJECT_CLASS (gesso_workers_parent_class)->finalize (object);
}

static void
gesso_workers_class_init (GessoWorkersClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_workers_dispose;
  G_OBJECT_CLASS (klass)->finalize = gesso_workers_finalize;
}

static void
gesso_workers_init (GessoWorkers *self)
{
  for (int i = 0; i < GESSO_MAX_WORKERS; i++)
    self->places[i] = (Place){ .workers = self, .number = i };
}

GessoWorkers *
gesso_workers_new (const char *program,
                   const char *data_dir,
                   int restart_delay_ms,
                   const GessoWorkersEvents *events,
                   gpointer data,
                   const GessoWorkerEvents *worker_events,
                   gpointer worker_data)
{
  g_return_val_if_fail (program && data_dir && events && worker_events, NULL);
  GessoWorkers *self = g_object_new (GESSO_TYPE_WORKERS, NULL);
  self->program = g_strdup (program);
  self->data_dir = g_strdup (data_dir);
  self->restart_delay_ms = restart_delay_ms;
  self->events = *events;
  self->supervisor_events = (GessoSupervisorEvents){ on_state, on_died };
  self->data = data;
  self->worker_events = *worker_events;
  self->worker_data = worker_data;
  self->lock = gesso_worker_lock_new (data_dir);
  return self;
}

/* All are told before the first is waited for: they park at the same time. */
void
gesso_workers_close (GessoWorkers *self)
{
  g_return_if_fail (GESSO_IS_WORKERS (self));
  if (self->closed)
    return;
  self->closed = TRUE;
  g_cancellable_cancel (self->listing);
  for (int i = 0; i < GESSO_MAX_WORKERS; i++)
    if (gesso_workers_get_client (self, i))
      gesso_worker_client_ask_to_quit (gesso_workers_get_client (self, i));
  for (int i = 0; i < GESSO_MAX_WORKERS; i++)
    if (self->places[i].supervisor)
      gesso_supervisor_close (self->places[i].supervisor);
  g_clear_pointer (&self->lock, gesso_worker_lock_free);
}
