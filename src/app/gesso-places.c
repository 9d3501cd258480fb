/* SPDX-License-Identifier: MPL-2.0
 * gesso-places.c - where on the canvas the pictures of each job belong; survives a restart.
 *
 * Kept with the drafts: the place is the canvas's business and stands in no recipe, since the
 * recipe is written into the picture.  A GVariant a(xiiii): job, x, y, width, height.
 */
#include "app/gesso-places.h"

#define KEY "places"
#define TYPE "a(xiiii)"

struct _GessoPlaces
{
  GObject parent_instance;
  GessoSession *session;
  GHashTable *places; /* gint64 * -> GessoRect * */
};

G_DEFINE_FINAL_TYPE (GessoPlaces, gesso_places, G_TYPE_OBJECT)

static void
put (GessoPlaces *self, gint64 job, const GessoRect *where)
{
  g_hash_table_insert (self->places, g_memdup2 (&job, sizeof job),
                       g_memdup2 (where, sizeof *where));
}

/* A job that is done or gone makes no more pictures. */
static gboolean
is_over (gpointer key, gpointer value, gpointer user_data)
{
  GessoPlaces *self = user_data;
  GessoJob *job = gesso_queue_find (gesso_session_get_queue (self->session), *(const gint64 *) key);
  return !job || gesso_job_get_state (job) == GESSO_JOB_DONE;
}

static void
keep (GessoPlaces *self)
{
  g_auto (GVariantBuilder) list = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE (TYPE));
  GHashTableIter iter;
  gpointer job, value;
  g_hash_table_iter_init (&iter, self->places);
  while (g_hash_table_iter_next (&iter, &job, &value))
    {
      const GessoRect *r = value;
      g_variant_builder_add (&list, "(xiiii)", *(const gint64 *) job, r->x, r->y, r->width,
                             r->height);
    }
  g_autoptr (GVariant) all = g_variant_ref_sink (g_variant_builder_end (&list));
  g_autoptr (GBytes) bytes = g_variant_get_data_as_bytes (all);
  gesso_session_keep_draft (self->session, KEY, bytes);
}

/* Data that is no such list, of whatever origin, reads as an empty one. */
static void
restore (GessoPlaces *self)
{
  g_autoptr (GBytes) bytes = gesso_session_dup_draft (self->session, KEY);
  if (!bytes)
    return;
  g_autoptr (GVariant) all =
      g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE (TYPE), bytes, FALSE));
  GVariantIter iter;
  gint64 job;
  GessoRect r;
  g_variant_iter_init (&iter, all);
  while (g_variant_iter_next (&iter, "(xiiii)", &job, &r.x, &r.y, &r.width, &r.height))
    if (r.width > 0 && r.height > 0)
      put (self, job, &r);
}

static void
gesso_places_finalize (GObject *object)
{
  GessoPlaces *self = GESSO_PLACES (object);
  g_hash_table_unref (self->places);
  g_object_unref (self->session);
  G_OBJECT_CLASS (gesso_places_parent_class)->finalize (object);
}

static void
gesso_places_class_init (GessoPlacesClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = gesso_places_finalize;
}

static void
gesso_places_init (GessoPlaces *self)
{
  self->places = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
}

GessoPlaces *
gesso_places_new (GessoSession *session)
{
  g_return_val_if_fail (GESSO_IS_SESSION (session), NULL);
  GessoPlaces *self = g_object_new (GESSO_TYPE_PLACES, NULL);
  self->session = g_object_ref (session);
  restore (self);
  return self;
}

const GessoRect *
gesso_places_get (GessoPlaces *self, gint64 job)
{
  g_return_val_if_fail (GESSO_IS_PLACES (self), NULL);
  return g_hash_table_lookup (self->places, &job);
}

void
gesso_places_set (GessoPlaces *self, const gint64 *jobs, guint n, const GessoRect *where)
{
  g_return_if_fail (GESSO_IS_PLACES (self) && where);
  g_hash_table_foreach_remove (self->places, is_over, self);
  for (guint i = 0; i < n; i++)
    put (self, jobs[i], where);
  keep (self);
}
