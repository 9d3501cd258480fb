/* SPDX-License-Identifier: MPL-2.0
 * gesso-picture.c - one picture of the library.
 */
#include "library/gesso-picture.h"

#include <string.h>

struct _GessoPicture
{
  GObject parent_instance;
  GessoPictureRow row;
  gboolean filled;
};

G_DEFINE_FINAL_TYPE (GessoPicture, gesso_picture, G_TYPE_OBJECT)

enum
{
  PROP_0,
  PROP_ID,
  PROP_PATH,
  PROP_WIDTH,
  PROP_HEIGHT,
  PROP_DURATION,
  PROP_CREATED,
  PROP_STARRED,
  PROP_PROMPT,
  PROP_NEGATIVE_PROMPT,
  PROP_MODEL,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

static void
clear_row (GessoPictureRow *row)
{
  g_free (row->path);
  g_free (row->prompt);
  g_free (row->negative);
  g_free (row->model);
}

void
gesso_picture_row_free (GessoPictureRow *row)
{
  if (!row)
    return;
  clear_row (row);
  g_free (row);
}

static const char *
text (const char *field)
{
  return field ? field : "";
}

static void
gesso_picture_finalize (GObject *object)
{
  clear_row (&GESSO_PICTURE (object)->row);
  G_OBJECT_CLASS (gesso_picture_parent_class)->finalize (object);
}

static void
gesso_picture_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GessoPictureRow *row = &GESSO_PICTURE (object)->row;
  switch (id)
    {
    case PROP_ID:
      g_value_set_int64 (value, row->id);
      break;
    case PROP_PATH:
      g_value_set_string (value, text (row->path));
      break;
    case PROP_WIDTH:
      g_value_set_int (value, row->width);
      break;
    case PROP_HEIGHT:
      g_value_set_int (value, row->height);
      break;
    case PROP_DURATION:
      g_value_set_int (value, row->duration_ms);
      break;
    case PROP_CREATED:
      g_value_set_int64 (value, row->created_s);
      break;
    case PROP_STARRED:
      g_value_set_boolean (value, row->starred);
      break;
    case PROP_PROMPT:
      g_value_set_string (value, text (row->prompt));
      break;
    case PROP_NEGATIVE_PROMPT:
      g_value_set_string (value, text (row->negative));
      break;
    case PROP_MODEL:
      g_value_set_string (value, text (row->model));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gesso_picture_class_init (GessoPictureClass *klass)
{
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  object_class->finalize = gesso_picture_finalize;
  object_class->get_property = gesso_picture_get_property;
  properties[PROP_ID] = g_param_spec_int64 ("id", NULL, NULL, 0, G_MAXINT64, 0, flags);
  properties[PROP_PATH] = g_param_spec_string ("path", NULL, NULL, "", flags);
  properties[PROP_WIDTH] = g_param_spec_int ("width", NULL, NULL, 0, G_MAXINT, 0, flags);
  properties[PROP_HEIGHT] = g_param_spec_int ("height", NULL, NULL, 0, G_MAXINT, 0, flags);
  properties[PROP_DURATION] = g_param_spec_int ("duration", NULL, NULL, 0, G_MAXINT, 0, flags);
  properties[PROP_CREATED] =
      g_param_spec_int64 ("created", NULL, NULL, G_MININT64, G_MAXINT64, 0, flags);
  properties[PROP_STARRED] = g_param_spec_boolean ("starred", NULL, NULL, FALSE, flags);
  properties[PROP_PROMPT] = g_param_spec_string ("prompt", NULL, NULL, "", flags);
  properties[PROP_NEGATIVE_PROMPT] = g_param_spec_string ("negative-prompt", NULL, NULL, "", flags);
  properties[PROP_MODEL] = g_param_spec_string ("model", NULL, NULL, "", flags);
  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
gesso_picture_init (GessoPicture *self)
{
}

GessoPicture *
gesso_picture_new (gint64 id)
{
  GessoPicture *self = g_object_new (GESSO_TYPE_PICTURE, NULL);
  self->row.id = id;
  return self;
}

gboolean
gesso_picture_is_filled (GessoPicture *self)
{
  return self->filled;
}

void
gesso_picture_fill (GessoPicture *self, GessoPictureRow *row)
{
  g_return_if_fail (GESSO_IS_PICTURE (self));
  g_return_if_fail (self->row.id == row->id);
  GObject *object = G_OBJECT (self);
  GessoPictureRow old = self->row;
  self->row = *row;
  self->filled = TRUE;
  memset (row, 0, sizeof *row);
  g_object_freeze_notify (object);
  const struct
  {
    gboolean changed;
    int property;
  } changes[] = {
    { g_strcmp0 (old.path, self->row.path) != 0, PROP_PATH },
    { old.width != self->row.width, PROP_WIDTH },
    { old.height != self->row.height, PROP_HEIGHT },
    { old.duration_ms != self->row.duration_ms, PROP_DURATION },
    { old.created_s != self->row.created_s, PROP_CREATED },
    { old.starred != self->row.starred, PROP_STARRED },
    { g_strcmp0 (old.prompt, self->row.prompt) != 0, PROP_PROMPT },
    { g_strcmp0 (old.negative, self->row.negative) != 0, PROP_NEGATIVE_PROMPT },
    { g_strcmp0 (old.model, self->row.model) != 0, PROP_MODEL },
  };
  for (guint i = 0; i < G_N_ELEMENTS (changes); i++)
    if (changes[i].changed)
      g_object_notify_by_pspec (object, properties[changes[i].property]);
  g_object_thaw_notify (object);
  clear_row (&old);
}

void
gesso_picture_set_starred (GessoPicture *self, gboolean starred)
{
  if (self->row.starred == !!starred)
    return;
  self->row.starred = !!starred;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_STARRED]);
}

gint64
gesso_picture_get_id (GessoPicture *self)
{
  g_return_val_if_fail (GESSO_IS_PICTURE (self), 0);
  return self->row.id;
}

const char *
gesso_picture_get_path (GessoPicture *self)
{
  g_return_val_if_fail (GESSO_IS_PICTURE (self), NULL);
  return text (self->row.path);
}

int
gesso_picture_get_width (GessoPicture *self)
{
  g_return_val_if_fail (GESSO_IS_PICTURE (self), 0);
  return self->row.width;
}

int
gesso_picture_get_height (GessoPicture *self)
{
  g_return_val_if_fail (GESSO_IS_PICTURE (self), 0);
  return self->row.height;
}

int
gesso_picture_get_duration (GessoPicture *self)
{
  g_return_val_if_fail (GESSO_IS_PICTURE (self), 0);
  return self->row.duration_ms;
}

gint64
gesso_picture_get_created (GessoPicture *self)
{
  g_return_val_if_fail (GESSO_IS_PICTURE (self), 0);
  return self->row.created_s;
}

gboolean
gesso_picture_get_starred (GessoPicture *self)
{
  g_return_val_if_fail (GESSO_IS_PICTURE (self), FALSE);
  return self->row.starred;
}

const char *
gesso_picture_get_prompt (GessoPicture *self)
{
  g_return_val_if_fail (GESSO_IS_PICTURE (self), NULL);
  return text (self->row.prompt);
}
