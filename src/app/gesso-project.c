/* SPDX-License-Identifier: MPL-2.0
 * gesso-project.c - which .gesso file the Create page belongs to, and whether it is up to date.
 *
 * What stands in the drafts under KEY: (path, state), so that the next start knows the file, too.
 */
#include "app/gesso-project.h"

#include <string.h>

#include "session/gesso-project-file.h"

#define KEY "project"
#define TYPE "(ayu)"

typedef enum
{
  STATE_SAVED,
  STATE_MODIFIED,
  STATE_DECLINED /* the drafts hold what the user did not want to keep */
} State;

struct _GessoProject
{
  GObject parent_instance;
  GessoSession *session;
  GessoCreatePage *page; /* borrowed */
  GSettings *settings;
  char *path;
  State state;
  guint n_changes; /* so that one during a save is seen */
  gboolean opening;
  GCancellable *reading; /* of the last open */
};

G_DEFINE_FINAL_TYPE (GessoProject, gesso_project, G_TYPE_OBJECT)

static guint changed_signal;

/* ---- which file ---- */

static void
keep (GessoProject *self)
{
  if (!self->path)
    {
      gesso_session_keep_draft (self->session, KEY, NULL);
      return;
    }
  g_autoptr (GVariant) value =
      g_variant_ref_sink (g_variant_new ("(^ayu)", self->path, (guint32) self->state));
  g_autoptr (GBytes) bytes = g_variant_get_data_as_bytes (value);
  gesso_session_keep_draft (self->session, KEY, bytes);
}

static void
set_file (GessoProject *self, const char *path, State state)
{
  if (state == self->state && g_strcmp0 (path, self->path) == 0)
    return;
  g_autofree char *old = g_steal_pointer (&self->path);
  self->path = g_strdup (path);
  self->state = state;
  keep (self);
  g_signal_emit (self, changed_signal, 0);
}

/* Data that is nothing of ours reads as no project. */
static void
restore (GessoProject *self)
{
  g_autoptr (GBytes) bytes = gesso_session_dup_draft (self->session, KEY);
  self->state = STATE_MODIFIED;
  if (!bytes)
    return;
  g_autoptr (GVariant) value =
      g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE (TYPE), bytes, FALSE));
  guint32 state;
  g_autofree char *path = NULL;
  g_variant_get (value, "(^ayu)", &path, &state);
  if (!g_path_is_absolute (path) || state > STATE_DECLINED)
    return;
  self->path = g_steal_pointer (&path);
  self->state = state;
}

/* ---- changes ---- */

static void
note_change (GessoProject *self)
{
  if (self->opening || !self->page || gesso_create_page_is_restoring (self->page))
    return;
  self->n_changes++;
  if (self->state != STATE_MODIFIED)
    set_file (self, self->path, STATE_MODIFIED);
}

/* A seed that is drawn anew for each picture is no change. */
static void
form_changed_cb (GessoForm *form, const char *key, gpointer user_data)
{
  GessoProject *self = user_data;
  if (!g_str_equal (key, "seed") || g_settings_get_boolean (self->settings, "seed-locked"))
    note_change (self);
}

static void
pixels_changed_cb (GessoProject *self)
{
  note_change (self);
}

/* Without a picture the frame only follows the size that stands in the form. */
static void
frame_changed_cb (GessoDocument *document, gpointer user_data)
{
  if (gesso_document_has_picture (document))
    note_change (user_data);
}

/* ---- saving ---- */

typedef struct
{
  char *path, *recipe;
  GBytes *canvas;
  guint n_changes;
} Work;

static void
work_free (gpointer data)
{
  Work *work = data;
  g_free (work->path);
  g_free (work->recipe);
  g_clear_pointer (&work->canvas, g_bytes_unref);
  g_free (work);
}

static GTask *
new_task (GessoProject *self,
          const char *path,
          gpointer tag,
          GCancellable *cancellable,
          GAsyncReadyCallback callback,
          gpointer user_data)
{
  Work *work = g_new0 (Work, 1);
  work->path = g_strdup (path);
  work->n_changes = self->n_changes;
  GTask *task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, tag);
  g_task_set_task_data (task, work, work_free);
  return task;
}

static void
written_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  GessoProject *self = g_task_get_source_object (task);
  const Work *work = g_task_get_task_data (task);
  GError *error = NULL;
  if (!gesso_project_file_write_finish (result, &error))
    {
      g_task_return_error (task, error);
      return;
    }
  if (self->page)
    set_file (self, work->path, work->n_changes == self->n_changes ? STATE_SAVED : STATE_MODIFIED);
  g_task_return_boolean (task, TRUE);
}

static void
packed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  const Work *work = g_task_get_task_data (task);
  GError *error = NULL;
  g_autoptr (GBytes) canvas =
      gesso_document_serialise_finish (GESSO_DOCUMENT (source), result, &error);
  if (canvas)
    {
      gesso_project_file_write_async (work->path, work->recipe, canvas, written_cb, task);
      return;
    }
  g_task_return_error (task, error);
  g_object_unref (task);
}

void
gesso_project_save_async (GessoProject *self,
                          const char *path,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  g_return_if_fail (GESSO_IS_PROJECT (self) && self->page && path);
  GTask *task = new_task (self, path, gesso_project_save_async, NULL, callback, user_data);
  Work *work = g_task_get_task_data (task);
  work->recipe = gesso_form_to_json (gesso_create_page_get_form (self->page));
  gesso_document_serialise_async (gesso_create_page_get_document (self->page), NULL, packed_cb,
                                  task);
}

gboolean
gesso_project_save_finish (GessoProject *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}

/* ---- opening ---- */

/* The canvas has taken the file's; the form follows, which was tried before. */
static gboolean
take (GessoProject *self, const Work *work, GError **error)
{
  gboolean ok = gesso_create_page_load_form (self->page, work->recipe, error);
  if (ok)
    set_file (self, work->path, STATE_SAVED);
  return ok;
}

/* No result lies over the canvas: one would not see that it is another now. */
static void
show_canvas (GessoProject *self)
{
  GessoStage *stage = gesso_create_page_get_stage (self->page);
  gesso_filmstrip_set_selected (gesso_stage_get_filmstrip (stage), NULL);
}

static void
canvas_restored_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  GessoProject *self = g_task_get_source_object (task);
  GError *error = NULL;
  self->opening = TRUE;
  gboolean ok = gesso_document_restore_finish (GESSO_DOCUMENT (source), result, &error) &&
                (!self->page || take (self, g_task_get_task_data (task), &error));
  self->opening = FALSE;
  if (ok && self->page)
    show_canvas (self);
  if (ok)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
read_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  GessoProject *self = g_task_get_source_object (task);
  Work *work = g_task_get_task_data (task);
  GError *error = NULL;
  g_autoptr (GessoForm) trial = gesso_form_new ();
  if (gesso_project_file_read_finish (result, &work->recipe, &work->canvas, &error) &&
      gesso_form_load (trial, work->recipe, &error) && self->page)
    {
      gesso_document_restore_async (gesso_create_page_get_document (self->page), work->canvas,
                                    g_task_get_cancellable (task), canvas_restored_cb, task);
      return;
    }
  if (error)
    g_task_return_error (task, error);
  else
    g_task_return_error_if_cancelled (task); /* the window was closed meanwhile */
  g_object_unref (task);
}

void
gesso_project_open_async (GessoProject *self,
                          const char *path,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  g_return_if_fail (GESSO_IS_PROJECT (self) && path);
  g_cancellable_cancel (self->reading);
  g_clear_object (&self->reading);
  self->reading = g_cancellable_new ();
  GTask *task = new_task (self, path, gesso_project_open_async, self->reading, callback, user_data);
  gesso_project_file_read_async (path, read_cb, task);
}

gboolean
gesso_project_open_finish (GessoProject *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}

void
gesso_project_begin_new (GessoProject *self)
{
  g_return_if_fail (GESSO_IS_PROJECT (self) && self->page);
  show_canvas (self);
  gesso_document_clear (gesso_create_page_get_document (self->page));
  set_file (self, NULL, STATE_SAVED);
}

void
gesso_project_decline (GessoProject *self)
{
  g_return_if_fail (GESSO_IS_PROJECT (self));
  set_file (self, self->path, STATE_DECLINED);
}

gboolean
gesso_project_is_declined (GessoProject *self)
{
  g_return_val_if_fail (GESSO_IS_PROJECT (self), FALSE);
  return self->state == STATE_DECLINED;
}

/* ---- asking ---- */

const char *
gesso_project_get_path (GessoProject *self)
{
  g_return_val_if_fail (GESSO_IS_PROJECT (self), NULL);
  return self->path;
}

char *
gesso_project_dup_name (GessoProject *self)
{
  g_return_val_if_fail (GESSO_IS_PROJECT (self), NULL);
  char *name = self->path ? g_filename_display_basename (self->path) : NULL;
  if (name && g_str_has_suffix (name, GESSO_PROJECT_SUFFIX) &&
      strlen (name) > strlen (GESSO_PROJECT_SUFFIX))
    name[strlen (name) - strlen (GESSO_PROJECT_SUFFIX)] = '\0';
  return name;
}

gboolean
gesso_project_get_modified (GessoProject *self)
{
  g_return_val_if_fail (GESSO_IS_PROJECT (self), FALSE);
  return self->state == STATE_MODIFIED;
}

gboolean
gesso_project_has_unsaved (GessoProject *self)
{
  g_return_val_if_fail (GESSO_IS_PROJECT (self) && self->page, FALSE);
  GessoDocument *document = gesso_create_page_get_document (self->page);
  return self->state == STATE_MODIFIED && (self->path || gesso_document_has_picture (document) ||
                                           gesso_document_has_mask (document));
}

/* ---- making ---- */

static void
gesso_project_dispose (GObject *object)
{
  GessoProject *self = GESSO_PROJECT (object);
  self->page = NULL;
  g_cancellable_cancel (self->reading);
  g_clear_object (&self->reading);
  g_clear_object (&self->session);
  g_clear_object (&self->settings);
  G_OBJECT_CLASS (gesso_project_parent_class)->dispose (object);
}

static void
gesso_project_finalize (GObject *object)
{
  g_free (GESSO_PROJECT (object)->path);
  G_OBJECT_CLASS (gesso_project_parent_class)->finalize (object);
}

static void
gesso_project_class_init (GessoProjectClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_project_dispose;
  G_OBJECT_CLASS (klass)->finalize = gesso_project_finalize;
  changed_signal = g_signal_new ("changed", GESSO_TYPE_PROJECT, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                 NULL, G_TYPE_NONE, 0);
}

static void
gesso_project_init (GessoProject *self)
{
}

GessoProject *
gesso_project_new (GessoSession *session, GessoCreatePage *page, GSettings *settings)
{
  g_return_val_if_fail (GESSO_IS_SESSION (session) && GESSO_IS_CREATE_PAGE (page), NULL);
  g_return_val_if_fail (G_IS_SETTINGS (settings), NULL);
  GessoProject *self = g_object_new (GESSO_TYPE_PROJECT, NULL);
  self->session = g_object_ref (session);
  self->page = page;
  self->settings = g_object_ref (settings);
  restore (self);
  GessoDocument *document = gesso_create_page_get_document (page);
  g_signal_connect_object (gesso_create_page_get_form (page), "changed",
                           G_CALLBACK (form_changed_cb), self, 0);
  g_signal_connect_object (document, "picture-changed", G_CALLBACK (pixels_changed_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (document, "mask-changed", G_CALLBACK (pixels_changed_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (document, "frame-changed", G_CALLBACK (frame_changed_cb), self, 0);
  return self;
}
