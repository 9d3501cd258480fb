/* SPDX-License-Identifier: MPL-2.0
 * gesso-last-results.c - the filmstrip as it was when the program ended.
 *
 * Kept with the drafts: a GVariant a(aysiiiibb) of path, label, place on the canvas (x, y, width,
 * height), starred, kept; the newest first.
 */
#include "app/gesso-last-results.h"

#include <glib/gstdio.h>
#include <unistd.h>

#define KEY "strip"
#define TYPE "a(aysiiiibb)"

enum
{
  MAX_KEPT = 100 /* about a session's, and as many thumbnails to read at the start */
};

struct _GessoLastResults
{
  GObject parent_instance;
  GessoSession *session;
  GListModel *shown; /* GessoResult, of the filmstrip */
  GessoResults *results;
  guint idle;
};

G_DEFINE_FINAL_TYPE (GessoLastResults, gesso_last_results, G_TYPE_OBJECT)

/* ---- keeping ---- */

static void
add (GVariantBuilder *list, GessoResult *result)
{
  GessoRect r = gesso_result_get_where (result);
  const char *label = gesso_result_get_label (result);
  g_autofree char *text = g_utf8_make_valid (label ? label : "", -1);
  g_variant_builder_add (list, "(^aysiiiibb)", gesso_result_get_path (result), text, r.x, r.y,
                         r.width, r.height, gesso_result_get_starred (result),
                         gesso_result_get_kept (result));
}

static void
keep (GessoLastResults *self)
{
  g_auto (GVariantBuilder) list = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE (TYPE));
  guint n_kept = 0;
  for (guint i = 0; i < g_list_model_get_n_items (self->shown) && n_kept < MAX_KEPT; i++)
    {
      g_autoptr (GessoResult) result = g_list_model_get_item (self->shown, i);
      if (!gesso_result_get_path (result)) /* it is being made */
        continue;
      add (&list, result);
      n_kept++;
    }
  g_autoptr (GVariant) all = g_variant_ref_sink (g_variant_builder_end (&list));
  g_autoptr (GBytes) bytes = g_variant_get_data_as_bytes (all);
  gesso_session_keep_draft (self->session, KEY, bytes);
}

static gboolean
keep_cb (gpointer user_data)
{
  GessoLastResults *self = user_data;
  self->idle = 0;
  keep (self);
  return G_SOURCE_REMOVE;
}

static void
keep_later (GessoLastResults *self)
{
  if (!self->idle)
    self->idle = g_idle_add (keep_cb, self);
}

/* The live tile comes and goes with each job, and its progress with each step. */
static void
items_changed_cb (GListModel *shown, guint position, guint removed, guint added, gpointer user_data)
{
  for (guint i = position; i < position + added; i++)
    {
      g_autoptr (GessoResult) result = g_list_model_get_item (shown, i);
      if (gesso_result_get_live (result))
        continue;
      g_signal_connect_object (result, "notify::starred", G_CALLBACK (keep_later), user_data,
                               G_CONNECT_SWAPPED);
      g_signal_connect_object (result, "notify::kept", G_CALLBACK (keep_later), user_data,
                               G_CONNECT_SWAPPED);
      keep_later (user_data);
    }
  if (removed)
    keep_later (user_data);
}

/* ---- restoring ---- */

static void
restore (GessoLastResults *self, GVariant *item, guint position)
{
  const char *path, *label;
  GessoRect where;
  gboolean starred, kept;
  g_variant_get (item, "(^&ay&siiiibb)", &path, &label, &where.x, &where.y, &where.width,
                 &where.height, &starred, &kept);
  g_autoptr (GessoResult) result = gesso_result_new (path, NULL, label);
  gesso_result_set_starred (result, starred);
  gesso_result_set_kept (result, kept);
  if (where.width > 0 && where.height > 0)
    gesso_result_set_where (result, &where);
  gesso_results_restore (self->results, position, result);
}

static guint
count_finished (GessoLastResults *self)
{
  guint n = g_list_model_get_n_items (self->shown);
  g_autoptr (GessoResult) first = g_list_model_get_item (self->shown, 0);
  return n - (first && gesso_result_get_live (first) ? 1 : 0);
}

/* From the oldest on: of the thumbnails that are asked for the last is made first. */
static void
restore_all (GessoLastResults *self, GVariant *all)
{
  guint behind = count_finished (self);
  for (gsize i = g_variant_n_children (all); i > 0; i--)
    {
      g_autoptr (GVariant) item = g_variant_get_child_value (all, i - 1);
      restore (self, item, behind);
    }
}

/* Data that is no such list, of whatever origin, reads as an empty one, and so do its items. */
static void
look_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  g_autoptr (GVariant) all =
      g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE (TYPE), data, FALSE));
  g_auto (GVariantBuilder) there = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE (TYPE));
  GVariantIter iter;
  GVariant *item;
  g_variant_iter_init (&iter, all);
  while ((item = g_variant_iter_next_value (&iter)))
    {
      const char *path;
      g_variant_get_child (item, 0, "^&ay", &path);
      if (g_access (path, F_OK) == 0)
        g_variant_builder_add_value (&there, item);
      g_variant_unref (item);
    }
  g_task_return_pointer (task, g_variant_ref_sink (g_variant_builder_end (&there)),
                         (GDestroyNotify) g_variant_unref);
}

static void
follow (GessoLastResults *self)
{
  items_changed_cb (self->shown, 0, 0, g_list_model_get_n_items (self->shown), self);
  g_signal_connect_object (self->shown, "items-changed", G_CALLBACK (items_changed_cb), self, 0);
}

static void
looked_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoLastResults) self = user_data;
  g_autoptr (GVariant) there = g_task_propagate_pointer (G_TASK (result), NULL);
  if (!self->session) /* the window is closed */
    return;
  restore_all (self, there);
  follow (self);
}

static void
look (GessoLastResults *self, GBytes *bytes)
{
  /* no source: the thread may be the last to let go of the task */
  g_autoptr (GTask) task = g_task_new (NULL, NULL, looked_cb, g_object_ref (self));
  g_task_set_source_tag (task, look);
  g_task_set_task_data (task, g_bytes_ref (bytes), (GDestroyNotify) g_bytes_unref);
  g_task_run_in_thread (task, look_thread);
}

/* ---- making ---- */

static void
gesso_last_results_dispose (GObject *object)
{
  GessoLastResults *self = GESSO_LAST_RESULTS (object);
  if (self->idle)
    keep (self);
  g_clear_handle_id (&self->idle, g_source_remove);
  g_clear_object (&self->session);
  g_clear_object (&self->shown);
  g_clear_object (&self->results);
  G_OBJECT_CLASS (gesso_last_results_parent_class)->dispose (object);
}

static void
gesso_last_results_class_init (GessoLastResultsClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_last_results_dispose;
}

static void
gesso_last_results_init (GessoLastResults *self)
{
}

GessoLastResults *
gesso_last_results_new (GessoSession *session, GessoFilmstrip *filmstrip, GessoResults *results)
{
  g_return_val_if_fail (GESSO_IS_SESSION (session) && GESSO_IS_FILMSTRIP (filmstrip), NULL);
  g_return_val_if_fail (GESSO_IS_RESULTS (results), NULL);
  GessoLastResults *self = g_object_new (GESSO_TYPE_LAST_RESULTS, NULL);
  self->session = g_object_ref (session);
  self->shown = g_object_ref (gesso_filmstrip_get_model (filmstrip));
  self->results = g_object_ref (results);
  g_autoptr (GBytes) bytes = gesso_session_dup_draft (session, KEY);
  if (bytes)
    look (self, bytes);
  else
    follow (self);
  return self;
}
