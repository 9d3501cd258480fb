/* SPDX-License-Identifier: MPL-2.0
 * gesso-model-file.c - one model file of the library, immutable.
 */
#include "library/gesso-model-file.h"

#include <string.h>

#include "library/gesso-layouts.h"

struct _GessoModelFile
{
  GObject parent_instance;
  GessoModelRow row;
  char *collation_key;
  char *search_text; /* NULL until somebody searches */
};

G_DEFINE_FINAL_TYPE (GessoModelFile, gesso_model_file, G_TYPE_OBJECT)

enum
{
  PROP_0,
  PROP_ID,
  PROP_KIND,
  PROP_PATH,
  PROP_NAME,
  PROP_FAMILY,
  PROP_FORMAT,
  PROP_SIZE,
  PROP_MODIFIED,
  PROP_HASH,
  PROP_PROBLEM,
  PROP_THUMBNAIL,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

static const GEnumValue kinds[] = {
  { GESSO_FILE_CHECKPOINT, "GESSO_FILE_CHECKPOINT", "checkpoint" },
  { GESSO_FILE_LORA, "GESSO_FILE_LORA", "lora" },
  { GESSO_FILE_EMBEDDING, "GESSO_FILE_EMBEDDING", "embedding" },
  { GESSO_FILE_VAE, "GESSO_FILE_VAE", "vae" },
  { GESSO_FILE_TINY_VAE, "GESSO_FILE_TINY_VAE", "tiny-vae" },
  { GESSO_FILE_CONTROLNET, "GESSO_FILE_CONTROLNET", "controlnet" },
  { GESSO_FILE_TEXT_ENCODER, "GESSO_FILE_TEXT_ENCODER", "text-encoder" },
  { GESSO_FILE_IMAGE_ENCODER, "GESSO_FILE_IMAGE_ENCODER", "image-encoder" },
  { GESSO_FILE_UPSCALER, "GESSO_FILE_UPSCALER", "upscaler" },
  { GESSO_FILE_PICTURE, "GESSO_FILE_PICTURE", "picture" },
  { GESSO_FILE_UNKNOWN, "GESSO_FILE_UNKNOWN", "unknown" },
  { 0, NULL, NULL },
};

GType
gesso_file_kind_get_type (void)
{
  static gsize type;
  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GessoFileKind", kinds));
  return type;
}

const char *
gesso_file_kind_nick (GessoFileKind kind)
{
  for (const GEnumValue *v = kinds; v->value_nick; v++)
    if (v->value == (int) kind)
      return v->value_nick;
  return "unknown";
}

GessoFileKind
gesso_file_kind_from_nick (const char *nick)
{
  for (const GEnumValue *v = kinds; v->value_nick; v++)
    if (g_strcmp0 (v->value_nick, nick) == 0)
      return (GessoFileKind) v->value;
  return GESSO_FILE_UNKNOWN; /* of a newer version */
}

void
gesso_model_row_clear (GessoModelRow *row)
{
  g_free (row->path);
  g_free (row->name);
  g_free (row->alias);
  g_free (row->family);
  g_free (row->format);
  g_free (row->hash);
  g_free (row->problem);
  g_free (row->thumbnail);
  g_free (row->words);
  memset (row, 0, sizeof *row);
}

static void
gesso_model_file_finalize (GObject *object)
{
  GessoModelFile *self = GESSO_MODEL_FILE (object);
  gesso_model_row_clear (&self->row);
  g_free (self->collation_key);
  g_free (self->search_text);
  G_OBJECT_CLASS (gesso_model_file_parent_class)->finalize (object);
}

static void
gesso_model_file_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GessoModelRow *row = &GESSO_MODEL_FILE (object)->row;
  switch (id)
    {
    case PROP_ID:
      g_value_set_int64 (value, row->id);
      break;
    case PROP_KIND:
      g_value_set_enum (value, (int) row->kind);
      break;
    case PROP_PATH:
      g_value_set_string (value, row->path);
      break;
    case PROP_NAME:
      g_value_set_string (value, row->name);
      break;
    case PROP_FAMILY:
      g_value_set_string (value, row->family);
      break;
    case PROP_FORMAT:
      g_value_set_string (value, row->format);
      break;
    case PROP_SIZE:
      g_value_set_int64 (value, row->size_bytes);
      break;
    case PROP_MODIFIED:
      g_value_set_int64 (value, row->modified_s);
      break;
    case PROP_HASH:
      g_value_set_string (value, row->hash);
      break;
    case PROP_PROBLEM:
      g_value_set_string (value, row->problem);
      break;
    case PROP_THUMBNAIL:
      g_value_set_string (value, row->thumbnail);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static GParamSpec *
text_property (const char *name)
{
  return g_param_spec_string (name, NULL, NULL, "", G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
}

static GParamSpec *
int64_property (const char *name)
{
  return g_param_spec_int64 (name, NULL, NULL, G_MININT64, G_MAXINT64, 0,
                             G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
}

static void
gesso_model_file_class_init (GessoModelFileClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  object_class->finalize = gesso_model_file_finalize;
  object_class->get_property = gesso_model_file_get_property;
  properties[PROP_ID] = int64_property ("id");
  properties[PROP_KIND] =
      g_param_spec_enum ("kind", NULL, NULL, GESSO_TYPE_FILE_KIND, GESSO_FILE_UNKNOWN,
                         G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  properties[PROP_PATH] = text_property ("path");
  properties[PROP_NAME] = text_property ("name");
  properties[PROP_FAMILY] = text_property ("family");
  properties[PROP_FORMAT] = text_property ("format");
  properties[PROP_SIZE] = int64_property ("size");
  properties[PROP_MODIFIED] = int64_property ("modified");
  properties[PROP_HASH] = text_property ("hash");
  properties[PROP_PROBLEM] = text_property ("problem");
  properties[PROP_THUMBNAIL] = text_property ("thumbnail");
  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
gesso_model_file_init (GessoModelFile *self)
{
}

GessoModelFile *
gesso_model_file_new_take (GessoModelRow *row)
{
  GessoModelFile *self = g_object_new (GESSO_TYPE_MODEL_FILE, NULL);
  self->row = *row;
  memset (row, 0, sizeof *row);
  g_autofree char *folded = g_utf8_casefold (self->row.name, -1);
  self->collation_key = g_utf8_collate_key_for_filename (folded, -1);
  return self;
}

gboolean
gesso_model_file_equal (GessoModelFile *a, GessoModelFile *b)
{
  const GessoModelRow *x = &a->row, *y = &b->row;
  return x->id == y->id && x->kind == y->kind && x->size_bytes == y->size_bytes &&
         x->modified_s == y->modified_s && g_str_equal (x->path, y->path) &&
         g_str_equal (x->name, y->name) && g_str_equal (x->alias, y->alias) &&
         g_str_equal (x->family, y->family) && g_str_equal (x->format, y->format) &&
         g_str_equal (x->hash, y->hash) && g_str_equal (x->problem, y->problem) &&
         g_str_equal (x->thumbnail, y->thumbnail) && g_str_equal (x->words, y->words);
}

int
gesso_model_file_compare (GessoModelFile *a, GessoModelFile *b)
{
  int order = strcmp (a->collation_key, b->collation_key);
  return order ? order : strcmp (a->row.path, b->row.path);
}

gint64
gesso_model_file_get_id (GessoModelFile *self)
{
  g_return_val_if_fail (GESSO_IS_MODEL_FILE (self), 0);
  return self->row.id;
}

GessoFileKind
gesso_model_file_get_kind (GessoModelFile *self)
{
  g_return_val_if_fail (GESSO_IS_MODEL_FILE (self), GESSO_FILE_UNKNOWN);
  return self->row.kind;
}

const char *
gesso_model_file_get_path (GessoModelFile *self)
{
  g_return_val_if_fail (GESSO_IS_MODEL_FILE (self), NULL);
  return self->row.path;
}

const char *
gesso_model_file_get_name (GessoModelFile *self)
{
  g_return_val_if_fail (GESSO_IS_MODEL_FILE (self), NULL);
  return self->row.name;
}

char *
gesso_model_file_dup_place (GessoModelFile *self)
{
  g_return_val_if_fail (GESSO_IS_MODEL_FILE (self), NULL);
  g_autofree char *folder = g_path_get_dirname (self->row.path);
  g_auto (GStrv) parts = g_strsplit (folder, G_DIR_SEPARATOR_S, -1);
  for (int i = (int) g_strv_length (parts) - 1; i >= 0; i--)
    if (gesso_layouts_is_folder_name (parts[i]))
      {
        g_autofree char *place = g_strjoinv (G_DIR_SEPARATOR_S, parts + i + 1);
        return g_filename_display_name (place);
      }
  return g_strdup ("");
}

const char *
gesso_model_file_peek_search_text (GessoModelFile *self)
{
  g_return_val_if_fail (GESSO_IS_MODEL_FILE (self), NULL);
  if (!self->search_text)
    {
      g_autofree char *place = gesso_model_file_dup_place (self);
      g_autofree char *text =
          g_strdup_printf ("%s %s %s %s", self->row.name, self->row.family, place, self->row.words);
      self->search_text = g_utf8_casefold (text, -1);
    }
  return self->search_text;
}

const char *
gesso_model_file_get_alias (GessoModelFile *self)
{
  g_return_val_if_fail (GESSO_IS_MODEL_FILE (self), NULL);
  return self->row.alias;
}

const char *
gesso_model_file_get_family (GessoModelFile *self)
{
  g_return_val_if_fail (GESSO_IS_MODEL_FILE (self), NULL);
  return self->row.family;
}

const char *
gesso_model_file_get_words (GessoModelFile *self)
{
  g_return_val_if_fail (GESSO_IS_MODEL_FILE (self), NULL);
  return self->row.words;
}

const char *
gesso_model_file_get_format (GessoModelFile *self)
{
  g_return_val_if_fail (GESSO_IS_MODEL_FILE (self), NULL);
  return self->row.format;
}

const char *
gesso_model_file_get_problem (GessoModelFile *self)
{
  g_return_val_if_fail (GESSO_IS_MODEL_FILE (self), NULL);
  return self->row.problem;
}

const char *
gesso_model_file_get_hash (GessoModelFile *self)
{
  g_return_val_if_fail (GESSO_IS_MODEL_FILE (self), NULL);
  return self->row.hash;
}

gint64
gesso_model_file_get_size (GessoModelFile *self)
{
  g_return_val_if_fail (GESSO_IS_MODEL_FILE (self), 0);
  return self->row.size_bytes;
}
