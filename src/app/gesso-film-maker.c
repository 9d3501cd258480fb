/* SPDX-License-Identifier: MPL-2.0
 * gesso-film-maker.c - a film beside each clip that the queue finishes, for other programs.
 */
#include "app/gesso-film-maker.h"

#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "media/clip.h"
#include "media/video/film-copy.h"

#define FORMAT_KEY "film-format"

struct _GessoFilmMaker
{
  GObject parent_instance;
  GSettings *settings;
  GThreadPool *pool;
  atomic_bool *cancel; /* an atomic box, which the threads share */
  guint n_open;
  gboolean said;
};

G_DEFINE_FINAL_TYPE (GessoFilmMaker, gesso_film_maker, G_TYPE_OBJECT)

static guint message_signal;

typedef struct
{
  char *clip;
  FilmFormat format;
  atomic_bool *cancel;
} Film;

static void
film_free (gpointer data)
{
  Film *film = data;
  g_free (film->clip);
  g_atomic_rc_box_release (film->cancel);
  g_free (film);
}

/* "boat-00012.gclip" becomes "boat-00012.mp4". */
static char *
dup_path (const Film *film)
{
  g_autofree char *stem = g_strndup (film->clip, strlen (film->clip) - strlen (".gclip"));
  return g_strconcat (stem, film_format_info (film->format)->extension, NULL);
}

static gboolean
make_on_thread (const Film *film, Status *status)
{
  const char *package = NULL;
  const FilmCopyOptions options = {
    .film = { .format = film->format, .quality = FILM_STANDARD, .cancel = film->cancel },
    .limits = { .cancel = film->cancel },
    .rate = { 0, 1 }
  };
  FilmCopied done;
  g_autofree char *path = dup_path (film);
  if (!film_can_write (film->format, &package))
    return status_fail (status, STATUS_UNSUPPORTED, "%s cannot be written here: install %s.",
                        film_format_info (film->format)->title, package);
  gboolean ok = film_copy (film->clip, path, &options, &done, status);
  if (g_access (film->clip, F_OK) == 0)
    return ok;
  if (ok)
    g_unlink (path); /* the clip went to the trash meanwhile: its film would stay alone */
  return TRUE;
}

static void
make_in_thread (gpointer data, gpointer unused)
{
  g_autoptr (GTask) task = data;
  const Film *film = g_task_get_task_data (task);
  Status status = { 0 };
  if (make_on_thread (film, &status))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_new_error (task, G_IO_ERROR,
                             status.code == STATUS_CANCELLED ? G_IO_ERROR_CANCELLED
                                                             : G_IO_ERROR_FAILED,
                             "%s", status.message);
}

static void
made_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoFilmMaker) self = user_data;
  g_autoptr (GError) error = NULL;
  self->n_open--;
  if (g_task_propagate_boolean (G_TASK (result), &error) || self->said ||
      g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  self->said = TRUE;
  g_autofree char *text = g_strdup_printf (
      _ ("The clip is kept, but has no film beside it: %s Export makes one later."),
      error->message);
  g_signal_emit (self, message_signal, 0, text);
}

/* Returns: whether films are wanted */
static gboolean
get_format (GessoFilmMaker *self, FilmFormat *format)
{
  Status ignored = { 0 };
  g_autofree char *name = g_settings_get_string (self->settings, FORMAT_KEY);
  return film_format_parse (format, name, &ignored) && film_format_info (*format)->needs_gstreamer;
}

static void
picture_cb (GessoQueue *queue, GessoJob *job, int index, const char *path, gpointer user_data)
{
  GessoFilmMaker *self = user_data;
  FilmFormat format;
  if (!g_str_has_suffix (path, ".gclip") || !get_format (self, &format))
    return;
  Film *film = g_new (Film, 1);
  *film = (Film){ g_strdup (path), format, g_atomic_rc_box_acquire (self->cancel) };
  /* no source: the thread may be the last to let go of the task */
  GTask *task = g_task_new (NULL, NULL, made_cb, g_object_ref (self));
  g_task_set_source_tag (task, picture_cb);
  g_task_set_task_data (task, film, film_free);
  self->n_open++;
  g_thread_pool_push (self->pool, task, NULL);
}

static void
format_cb (GessoFilmMaker *self)
{
  self->said = FALSE;
}

static void
gesso_film_maker_finalize (GObject *object)
{
  GessoFilmMaker *self = GESSO_FILM_MAKER (object);
  g_clear_object (&self->settings);
  g_thread_pool_free (self->pool, FALSE, FALSE);
  g_atomic_rc_box_release (self->cancel);
  G_OBJECT_CLASS (gesso_film_maker_parent_class)->finalize (object);
}

static void
gesso_film_maker_dispose (GObject *object)
{
  atomic_store (GESSO_FILM_MAKER (object)->cancel, true);
  G_OBJECT_CLASS (gesso_film_maker_parent_class)->dispose (object);
}

static void
gesso_film_maker_class_init (GessoFilmMakerClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_film_maker_dispose;
  G_OBJECT_CLASS (klass)->finalize = gesso_film_maker_finalize;
  message_signal = g_signal_new ("message", GESSO_TYPE_FILM_MAKER, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                 NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void
gesso_film_maker_init (GessoFilmMaker *self)
{
  self->cancel = g_atomic_rc_box_new0 (atomic_bool);
  self->pool = g_thread_pool_new (make_in_thread, NULL, 1, FALSE, NULL);
}

GessoFilmMaker *
gesso_film_maker_new (GessoQueue *queue, GSettings *settings)
{
  g_return_val_if_fail (GESSO_IS_QUEUE (queue) && G_IS_SETTINGS (settings), NULL);
  GessoFilmMaker *self = g_object_new (GESSO_TYPE_FILM_MAKER, NULL);
  self->settings = g_object_ref (settings);
  g_signal_connect_object (queue, "picture", G_CALLBACK (picture_cb), self, 0);
  g_signal_connect_object (settings, "changed::" FORMAT_KEY, G_CALLBACK (format_cb), self,
                           G_CONNECT_SWAPPED);
  return self;
}

guint
gesso_film_maker_get_n_open (GessoFilmMaker *self)
{
  g_return_val_if_fail (GESSO_IS_FILM_MAKER (self), 0);
  return self->n_open;
}
