/* SPDX-License-Identifier: MPL-2.0
 * gesso-clip-player.c - the frames of a clip, one after the other at its rate, over and over.
 */
#include "app/gallery/gesso-clip-player.h"

#include <string.h>

#include "media/frames.h"

enum
{
  AHEAD = 6 /* frames decoded before their time */
};

typedef struct
{
  int n;
  GBytes *rgb;
} Frame;

/* What the thread and the player share, counted: nobody waits for a frame that is being decoded. */
typedef struct
{
  char *path;
  GMutex mutex; /* of all below */
  GCond changed;
  FilmInfo info; /* n_frames 0 until the thread has opened it, then constant */
  Frame ring[AHEAD];
  int first, n_ready;
  int next;    /* that the thread decodes */
  guint seeks; /* what was decoded before the last one is of no use */
  gboolean stop;
  char *problem; /* set once */
} Reader;

struct _GessoClipPlayer
{
  GObject parent_instance;
  Reader *reader;
  GtkWidget *clock;
  guint tick;
  gint64 due_us; /* when the next frame is shown, in the frame clock's time */
  gboolean playing, seeking;
  FilmInfo info; /* once there is a texture */
  GdkTexture *texture;
  int position;
};

G_DEFINE_FINAL_TYPE (GessoClipPlayer, gesso_clip_player, G_TYPE_OBJECT)

static guint frame_signal;

/* ---- the thread ---- */

static void
clear_ring (Reader *r)
{
  while (r->n_ready > 0)
    {
      g_clear_pointer (&r->ring[r->first].rgb, g_bytes_unref);
      r->first = (r->first + 1) % AHEAD;
      r->n_ready--;
    }
}

static void
reader_clear (gpointer data)
{
  Reader *r = data;
  clear_ring (r);
  g_mutex_clear (&r->mutex);
  g_cond_clear (&r->changed);
  g_free (r->problem);
  g_free (r->path);
}

static void
reader_unref (Reader *r)
{
  g_atomic_rc_box_release_full (r, reader_clear);
}

/* Under the mutex.  Returns: FALSE to stop */
static gboolean
wait_for_room (Reader *r)
{
  while (!r->stop && r->n_ready == AHEAD)
    g_cond_wait (&r->changed, &r->mutex);
  return !r->stop;
}

/* Under the mutex, which it gives up while it decodes. */
static gboolean
decode_one (Reader *r, FrameSource *source, Status *status)
{
  bool end = false;
  gsize n_bytes = frames_size_bytes (&source->info);
  int n = r->next;
  guint seeks = r->seeks;
  g_mutex_unlock (&r->mutex);
  guint8 *rgb = g_malloc (n_bytes);
  gboolean ok = frames_get (source, n, rgb, &end, status) && !end;
  g_autoptr (GBytes) bytes = g_bytes_new_take (rgb, n_bytes);
  g_mutex_lock (&r->mutex);
  if (ok && seeks == r->seeks)
    {
      r->ring[(r->first + r->n_ready) % AHEAD] = (Frame){ n, g_steal_pointer (&bytes) };
      r->n_ready++;
      r->next = (n + 1) % r->info.n_frames;
    }
  return ok;
}

static gpointer
decode_thread (gpointer data)
{
  Reader *r = data;
  Status status = { 0 };
  FrameSource *source = frames_open (r->path, NULL, &status);
  g_mutex_lock (&r->mutex);
  if (source)
    r->info = source->info;
  gboolean ok = source && source->info.n_frames > 0;
  while (ok && wait_for_room (r))
    if (!decode_one (r, source, &status))
      break;
  if (!r->stop)
    r->problem = g_utf8_make_valid (status.message, -1);
  g_mutex_unlock (&r->mutex);
  frames_close (source);
  reader_unref (r);
  return NULL;
}

/* ---- the frame clock ---- */

static gint64
period_us (const FilmInfo *info)
{
  return frame_rate_is_valid (info->rate) ? frame_rate_time (info->rate, 1, G_USEC_PER_SEC)
                                          : G_USEC_PER_SEC / 16;
}

/* Returns: FALSE while the thread has none */
static gboolean
take (GessoClipPlayer *self)
{
  Reader *r = self->reader;
  Frame frame = { 0 };
  g_mutex_lock (&r->mutex);
  gboolean any = r->n_ready > 0;
  if (any)
    {
      frame = r->ring[r->first];
      r->ring[r->first].rgb = NULL;
      r->first = (r->first + 1) % AHEAD;
      r->n_ready--;
      self->info = r->info;
      g_cond_signal (&r->changed);
    }
  g_mutex_unlock (&r->mutex);
  if (!any)
    return FALSE;
  g_autoptr (GBytes) rgb = frame.rgb;
  g_clear_object (&self->texture);
  self->texture = gdk_memory_texture_new (self->info.width, self->info.height, GDK_MEMORY_R8G8B8,
                                          rgb, (gsize) self->info.width * IMAGE_CHANNELS);
  self->position = frame.n;
  return TRUE;
}

static gboolean
tick_cb (GtkWidget *widget, GdkFrameClock *clock, gpointer user_data)
{
  GessoClipPlayer *self = user_data;
  gint64 now = gdk_frame_clock_get_frame_time (clock);
  if (!self->seeking && now < self->due_us)
    return G_SOURCE_CONTINUE;
  if (!take (self))
    {
      if (!gesso_clip_player_get_problem (self))
        return G_SOURCE_CONTINUE;
      self->tick = 0;
      g_signal_emit (self, frame_signal, 0);
      return G_SOURCE_REMOVE;
    }
  gint64 period = period_us (&self->info);
  /* late by less than a frame is made up for, more is not */
  self->due_us = MAX (self->due_us + period, now + period / 2);
  self->seeking = FALSE;
  gboolean goes_on = self->playing && self->info.n_frames > 1;
  if (!goes_on)
    self->tick = 0;
  g_signal_emit (self, frame_signal, 0);
  return goes_on;
}

static void
start_ticking (GessoClipPlayer *self)
{
  if (self->tick == 0 && self->clock)
    self->tick = gtk_widget_add_tick_callback (self->clock, tick_cb, self, NULL);
}

static void
stop_ticking (GessoClipPlayer *self)
{
  if (self->tick != 0)
    gtk_widget_remove_tick_callback (self->clock, self->tick);
  self->tick = 0;
}

/* ---- what can be asked of it ---- */

void
gesso_clip_player_set_playing (GessoClipPlayer *self, gboolean playing)
{
  g_return_if_fail (GESSO_IS_CLIP_PLAYER (self));
  if (self->playing == playing)
    return;
  self->playing = playing;
  if (playing)
    start_ticking (self);
  else if (!self->seeking)
    stop_ticking (self);
  g_signal_emit (self, frame_signal, 0);
}

gboolean
gesso_clip_player_get_playing (GessoClipPlayer *self)
{
  g_return_val_if_fail (GESSO_IS_CLIP_PLAYER (self), FALSE);
  return self->playing;
}

void
gesso_clip_player_seek (GessoClipPlayer *self, int n)
{
  g_return_if_fail (GESSO_IS_CLIP_PLAYER (self));
  Reader *r = self->reader;
  g_mutex_lock (&r->mutex);
  gboolean known = r->info.n_frames > 0;
  if (known)
    {
      clear_ring (r);
      r->next = CLAMP (n, 0, r->info.n_frames - 1);
      r->seeks++;
      g_cond_signal (&r->changed);
    }
  g_mutex_unlock (&r->mutex);
  self->seeking = known;
  if (known)
    start_ticking (self);
}

GdkTexture *
gesso_clip_player_get_texture (GessoClipPlayer *self)
{
  g_return_val_if_fail (GESSO_IS_CLIP_PLAYER (self), NULL);
  return self->texture;
}

int
gesso_clip_player_get_position (GessoClipPlayer *self)
{
  g_return_val_if_fail (GESSO_IS_CLIP_PLAYER (self), -1);
  return self->position;
}

int
gesso_clip_player_get_n_frames (GessoClipPlayer *self)
{
  g_return_val_if_fail (GESSO_IS_CLIP_PLAYER (self), 0);
  return self->texture ? self->info.n_frames : 0;
}

double
gesso_clip_player_get_time (GessoClipPlayer *self, int n)
{
  g_return_val_if_fail (GESSO_IS_CLIP_PLAYER (self), 0);
  return self->texture ? (double) (n * period_us (&self->info)) / G_USEC_PER_SEC : 0;
}

const char *
gesso_clip_player_get_problem (GessoClipPlayer *self)
{
  g_return_val_if_fail (GESSO_IS_CLIP_PLAYER (self), NULL);
  g_mutex_lock (&self->reader->mutex);
  const char *problem = self->reader->problem;
  g_mutex_unlock (&self->reader->mutex);
  return problem;
}

static void
gesso_clip_player_dispose (GObject *object)
{
  GessoClipPlayer *self = GESSO_CLIP_PLAYER (object);
  stop_ticking (self);
  self->clock = NULL;
  g_mutex_lock (&self->reader->mutex);
  self->reader->stop = TRUE;
  g_cond_signal (&self->reader->changed);
  g_mutex_unlock (&self->reader->mutex);
  G_OBJECT_CLASS (gesso_clip_player_parent_class)->dispose (object);
}

static void
gesso_clip_player_finalize (GObject *object)
{
  GessoClipPlayer *self = GESSO_CLIP_PLAYER (object);
  g_clear_object (&self->texture);
  reader_unref (self->reader);
  G_OBJECT_CLASS (gesso_clip_player_parent_class)->finalize (object);
}

static void
gesso_clip_player_class_init (GessoClipPlayerClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_clip_player_dispose;
  G_OBJECT_CLASS (klass)->finalize = gesso_clip_player_finalize;
  frame_signal = g_signal_new ("frame", GESSO_TYPE_CLIP_PLAYER, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                               NULL, G_TYPE_NONE, 0);
}

static void
gesso_clip_player_init (GessoClipPlayer *self)
{
  self->reader = g_atomic_rc_box_new0 (Reader);
  g_mutex_init (&self->reader->mutex);
  g_cond_init (&self->reader->changed);
  self->position = -1;
  self->playing = TRUE;
}

GessoClipPlayer *
gesso_clip_player_new (const char *path, GtkWidget *clock)
{
  g_return_val_if_fail (path != NULL && GTK_IS_WIDGET (clock), NULL);
  GessoClipPlayer *self = g_object_new (GESSO_TYPE_CLIP_PLAYER, NULL);
  self->reader->path = g_strdup (path);
  self->clock = clock;
  start_ticking (self);
  g_thread_unref (
      g_thread_new ("gesso-clip", decode_thread, g_atomic_rc_box_acquire (self->reader)));
  return self;
}
