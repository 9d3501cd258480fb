/* SPDX-License-Identifier: MPL-2.0
 * gesso-thumbnails.c - a stack of requests: what scrolled by long ago waits for what is in view.
 */
#include "library/gesso-thumbnails.h"

#include <glib/gi18n.h>

enum
{
  N_THREADS = 2
};

typedef struct
{
  char *path;
  int size;
  GTask *task;
} Request;

struct _GessoThumbnails
{
  GObject parent_instance;
  GessoThumbnailCache *cache;
  GThread *threads[N_THREADS];
  GMutex mutex;
  GCond cond;
  GQueue stack;  /* under @mutex */
  gboolean quit; /* under @mutex */
  int n_made;    /* atomic */
};

G_DEFINE_FINAL_TYPE (GessoThumbnails, gesso_thumbnails, G_TYPE_OBJECT)

static void
free_thumbnail (gpointer data)
{
  gesso_thumbnail_free (data);
}

static void
serve (GessoThumbnails *self, Request *r)
{
  GError *error = NULL;
  if (!g_task_return_error_if_cancelled (r->task))
    {
      g_atomic_int_inc (&self->n_made);
      GessoThumbnail *t = gesso_thumbnail_cache_get (self->cache, r->path, r->size, &error);
      if (t)
        g_task_return_pointer (r->task, t, free_thumbnail);
      else
        g_task_return_error (r->task, error);
    }
  g_object_unref (r->task);
  g_free (r->path);
  g_free (r);
}

static void
refuse (Request *r)
{
  g_task_return_new_error (r->task, G_IO_ERROR, G_IO_ERROR_CANCELLED, "%s",
                           _ ("The operation was cancelled."));
  g_object_unref (r->task);
  g_free (r->path);
  g_free (r);
}

static gpointer
run_thread (gpointer data)
{
  GessoThumbnails *self = data;
  for (;;)
    {
      g_mutex_lock (&self->mutex);
      while (!self->quit && g_queue_is_empty (&self->stack))
        g_cond_wait (&self->cond, &self->mutex);
      Request *r = self->quit ? NULL : g_queue_pop_head (&self->stack);
      g_mutex_unlock (&self->mutex);
      if (!r)
        return NULL;
      serve (self, r);
    }
}

static void
gesso_thumbnails_finalize (GObject *object)
{
  GessoThumbnails *self = GESSO_THUMBNAILS (object);
  gesso_thumbnails_stop (self);
  gesso_thumbnail_cache_free (self->cache);
  g_mutex_clear (&self->mutex);
  g_cond_clear (&self->cond);
  G_OBJECT_CLASS (gesso_thumbnails_parent_class)->finalize (object);
}

static void
gesso_thumbnails_class_init (GessoThumbnailsClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = gesso_thumbnails_finalize;
}

static void
gesso_thumbnails_init (GessoThumbnails *self)
{
  g_mutex_init (&self->mutex);
  g_cond_init (&self->cond);
  g_queue_init (&self->stack);
}

GessoThumbnails *
gesso_thumbnails_new (const char *dir, gint64 max_bytes)
{
  GessoThumbnails *self = g_object_new (GESSO_TYPE_THUMBNAILS, NULL);
  self->cache = gesso_thumbnail_cache_new (dir, max_bytes);
  for (int i = 0; i < N_THREADS; i++)
    self->threads[i] = g_thread_new ("thumbnails", run_thread, self);
  return self;
}

void
gesso_thumbnails_stop (GessoThumbnails *self)
{
  g_return_if_fail (GESSO_IS_THUMBNAILS (self));
  g_mutex_lock (&self->mutex);
  self->quit = TRUE;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->mutex);
  for (int i = 0; i < N_THREADS; i++)
    if (self->threads[i])
      g_thread_join (g_steal_pointer (&self->threads[i]));
  Request *r;
  while ((r = g_queue_pop_head (&self->stack)))
    refuse (r);
}

void
gesso_thumbnails_request (GessoThumbnails *self, const char *path, int size, GTask *task)
{
  g_return_if_fail (GESSO_IS_THUMBNAILS (self));
  g_return_if_fail (path != NULL && G_IS_TASK (task));
  Request *r = g_new0 (Request, 1);
  r->path = g_strdup (path);
  r->size = size;
  r->task = task;
  g_mutex_lock (&self->mutex);
  gboolean quit = self->quit;
  if (!quit)
    g_queue_push_head (&self->stack, r);
  g_cond_signal (&self->cond);
  g_mutex_unlock (&self->mutex);
  if (quit)
    refuse (r);
}

int
gesso_thumbnails_count (GessoThumbnails *self)
{
  g_return_val_if_fail (GESSO_IS_THUMBNAILS (self), 0);
  return g_atomic_int_get (&self->n_made);
}
