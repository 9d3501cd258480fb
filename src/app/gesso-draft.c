/* SPDX-License-Identifier: MPL-2.0
 * gesso-draft.c - the unfinished form and canvas, kept a moment after each change.
 *
 * The form is a few hundred bytes of JSON; the canvas is packed on a thread from shared tiles, one
 * packing at a time, the next one when the last is done.
 */
#include "app/gesso-draft.h"

#include <string.h>

#define FORM_KEY "create"
#define CANVAS_KEY "canvas"

enum
{
  DELAY_MS = 800
};

struct _GessoDraft
{
  GObject parent_instance;
  GessoSession *session;
  GessoForm *form;
  GessoDocument *document;
  guint form_timeout, canvas_timeout;
  gboolean packing, again, restoring;
};

G_DEFINE_FINAL_TYPE (GessoDraft, gesso_draft, G_TYPE_OBJECT)

static guint restored_signal;

static void
keep_form (GessoDraft *self)
{
  g_autofree char *json = gesso_form_to_json (self->form);
  g_autoptr (GBytes) bytes = g_bytes_new (json, strlen (json));
  gesso_session_keep_draft (self->session, FORM_KEY, bytes);
}

static gboolean
form_cb (gpointer user_data)
{
  GessoDraft *self = user_data;
  self->form_timeout = 0;
  keep_form (self);
  return G_SOURCE_REMOVE;
}

static void
form_changed_cb (GessoDraft *self)
{
  if (!self->form_timeout)
    self->form_timeout = g_timeout_add (DELAY_MS, form_cb, self);
}

static void
packed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoDraft) self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes =
      gesso_document_serialise_finish (GESSO_DOCUMENT (source), result, &error);
  self->packing = FALSE;
  if (!bytes)
    g_warning ("The canvas could not be kept: %s", error->message);
  else if (self->session)
    gesso_session_keep_draft (self->session, CANVAS_KEY, bytes);
  if (self->again && self->session)
    gesso_draft_keep (self);
}

static void
keep_canvas (GessoDraft *self)
{
  self->again = self->packing;
  if (self->packing)
    return;
  self->packing = TRUE;
  gesso_document_serialise_async (self->document, NULL, packed_cb, g_object_ref (self));
}

static gboolean
canvas_cb (gpointer user_data)
{
  GessoDraft *self = user_data;
  self->canvas_timeout = 0;
  keep_canvas (self);
  return G_SOURCE_REMOVE;
}

static void
schedule_canvas (GessoDraft *self)
{
  if (!self->canvas_timeout)
    self->canvas_timeout = g_timeout_add (DELAY_MS, canvas_cb, self);
}

static gboolean
restore_form (GessoDraft *self)
{
  g_autoptr (GBytes) bytes = gesso_session_dup_draft (self->session, FORM_KEY);
  if (!bytes)
    return FALSE;
  gsize n;
  const char *data = g_bytes_get_data (bytes, &n);
  g_autofree char *json = g_strndup (data, n);
  g_autoptr (GError) error = NULL;
  if (gesso_form_load (self->form, json, &error))
    return TRUE;
  g_warning ("The draft could not be read: %s", error->message);
  return FALSE;
}

static void
restored_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoDraft) self = user_data;
  g_autoptr (GError) error = NULL;
  if (!gesso_document_restore_finish (GESSO_DOCUMENT (source), result, &error))
    g_warning ("The canvas could not be restored: %s", error->message);
  self->restoring = FALSE;
  g_signal_emit (self, restored_signal, 0);
}

static void
restore_canvas (GessoDraft *self)
{
  g_autoptr (GBytes) bytes = gesso_session_dup_draft (self->session, CANVAS_KEY);
  if (!bytes)
    return;
  self->restoring = TRUE;
  gesso_document_restore_async (self->document, bytes, NULL, restored_cb, g_object_ref (self));
}

static void
gesso_draft_dispose (GObject *object)
{
  GessoDraft *self = GESSO_DRAFT (object);
  g_clear_handle_id (&self->form_timeout, g_source_remove);
  g_clear_handle_id (&self->canvas_timeout, g_source_remove);
  g_clear_object (&self->session);
  g_clear_object (&self->form);
  g_clear_object (&self->document);
  G_OBJECT_CLASS (gesso_draft_parent_class)->dispose (object);
}

static void
gesso_draft_class_init (GessoDraftClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_draft_dispose;
  restored_signal = g_signal_new ("restored", GESSO_TYPE_DRAFT, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                  NULL, G_TYPE_NONE, 0);
}

static void
gesso_draft_init (GessoDraft *self)
{
}

GessoDraft *
gesso_draft_new (GessoSession *session,
                 GessoForm *form,
                 GessoDocument *document,
                 gboolean *restored)
{
  g_return_val_if_fail (GESSO_IS_SESSION (session) && GESSO_IS_FORM (form), NULL);
  g_return_val_if_fail (GESSO_IS_DOCUMENT (document) && restored, NULL);
  GessoDraft *self = g_object_new (GESSO_TYPE_DRAFT, NULL);
  self->session = g_object_ref (session);
  self->form = g_object_ref (form);
  self->document = g_object_ref (document);
  *restored = restore_form (self);
  restore_canvas (self);
  g_signal_connect_object (form, "changed", G_CALLBACK (form_changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (document, "changed", G_CALLBACK (schedule_canvas), self,
                           G_CONNECT_SWAPPED);
  return self;
}

gboolean
gesso_draft_is_restoring (GessoDraft *self)
{
  g_return_val_if_fail (GESSO_IS_DRAFT (self), FALSE);
  return self->restoring;
}

void
gesso_draft_keep (GessoDraft *self)
{
  g_return_if_fail (GESSO_IS_DRAFT (self));
  keep_form (self);
  if (self->canvas_timeout || self->again)
    {
      g_clear_handle_id (&self->canvas_timeout, g_source_remove);
      keep_canvas (self);
    }
}
