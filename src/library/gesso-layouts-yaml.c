/* SPDX-License-Identifier: MPL-2.0
 * gesso-layouts-yaml.c - ComfyUI's extra_model_paths.yaml.
 *
 *   a111:                                   any name, several sections
 *     base_path: ~/stable-diffusion-webui   optional; relative to the file
 *     checkpoints: models/Stable-diffusion
 *     loras: |                              several folders, one a line; or a list
 *       models/Lora
 *       models/LyCORIS
 */
#define G_LOG_DOMAIN "gesso-library"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "library/gesso-layouts.h"

enum
{
  MAX_FILE_BYTES = 1 << 20,
  MAX_ENTRIES = 4096
};

/* What one section says; base_path may stand anywhere in it, so entries are kept until its end. */
typedef struct
{
  char *base_path;
  GPtrArray *keys, *values;
} Section;

static void
section_reset (Section *s)
{
  g_clear_pointer (&s->base_path, g_free);
  g_ptr_array_set_size (s->keys, 0);
  g_ptr_array_set_size (s->values, 0);
}

/* "~" and "$NAME", as ComfyUI expands them. */
static char *
expand (const char *path)
{
  g_autoptr (GString) out = g_string_new (NULL);
  const char *p = path;
  if (*p == '~' && (p[1] == '/' || p[1] == '\0'))
    {
      g_string_append (out, g_get_home_dir ());
      p++;
    }
  while (*p)
    {
      gboolean braces = p[0] == '$' && p[1] == '{';
      const char *name = p + (braces ? 2 : 1), *end = name;
      while (p[0] == '$' && (g_ascii_isalnum (*end) || *end == '_'))
        end++;
      g_autofree char *key = end > name ? g_strndup (name, (gsize) (end - name)) : NULL;
      const char *value = key && (!braces || *end == '}') ? g_getenv (key) : NULL;
      if (value)
        {
          g_string_append (out, value);
          p = end + (braces ? 1 : 0);
        }
      else
        g_string_append_c (out, *p++);
    }
  return g_strdup (out->str);
}

static void
add_lines (GPtrArray *folders, const char *base, const char *value, GessoFileKind kind)
{
  g_auto (GStrv) lines = g_strsplit (value, "\n", -1);
  for (char **line = lines; *line; line++)
    {
      g_strstrip (*line);
      if (!**line)
        continue;
      g_autofree char *expanded = expand (*line);
      if (g_path_is_absolute (expanded))
        gesso_layouts_add (folders, expanded, NULL, kind);
      else
        gesso_layouts_add (folders, base, expanded, kind);
    }
}

static void
section_finish (Section *s, GPtrArray *folders, const char *yaml_dir)
{
  g_autofree char *expanded = s->base_path ? expand (s->base_path) : NULL;
  g_autofree char *base = g_canonicalize_filename (expanded ? expanded : ".", yaml_dir);
  for (guint i = 0; i < s->keys->len; i++)
    {
      GessoFileKind kind;
      if (gesso_layouts_kind_of (s->keys->pdata[i], &kind))
        add_lines (folders, base, s->values->pdata[i], kind);
    }
  section_reset (s);
}

typedef struct
{
  Section section;
  char *key; /* waits for its value */
  int depth; /* of mappings: 1 the file, 2 a section */
  int sequences;
  guint n_entries;
} State;

static void
take_scalar (State *st, const char *text)
{
  if (st->depth != 2)
    return;
  if (!st->key)
    {
      st->key = g_strdup (text);
      return;
    }
  if (g_str_equal (st->key, "base_path"))
    {
      g_free (st->section.base_path);
      st->section.base_path = g_strdup (text);
    }
  else if (st->n_entries++ < MAX_ENTRIES)
    {
      g_ptr_array_add (st->section.keys, g_strdup (st->key));
      g_ptr_array_add (st->section.values, g_strdup (text));
    }
  if (!st->sequences)
    g_clear_pointer (&st->key, g_free);
}

/* Returns: FALSE when this was the last event */
static gboolean
take_event (State *st, const yaml_event_t *event, GPtrArray *folders, const char *yaml_dir)
{
  switch ((int) event->type)
    {
    case YAML_MAPPING_START_EVENT:
      st->depth++;
      g_clear_pointer (&st->key, g_free);
      break;
    case YAML_MAPPING_END_EVENT:
      if (st->depth-- == 2)
        section_finish (&st->section, folders, yaml_dir);
      g_clear_pointer (&st->key, g_free);
      break;
    case YAML_SEQUENCE_START_EVENT:
      st->sequences++;
      break;
    case YAML_SEQUENCE_END_EVENT:
      if (st->sequences > 0 && --st->sequences == 0)
        g_clear_pointer (&st->key, g_free);
      break;
    case YAML_SCALAR_EVENT:
      take_scalar (st, (const char *) event->data.scalar.value);
      break;
    case YAML_STREAM_END_EVENT:
    case YAML_NO_EVENT:
      return FALSE;
    default:
      break;
    }
  return TRUE;
}

static void
parse (yaml_parser_t *parser, State *st, GPtrArray *folders, const char *path)
{
  g_autofree char *yaml_dir = g_path_get_dirname (path);
  gboolean more = TRUE;
  while (more)
    {
      yaml_event_t event;
      if (!yaml_parser_parse (parser, &event))
        {
          g_message ("%s is damaged at line %zu: %s.", path, parser->problem_mark.line + 1,
                     parser->problem ? parser->problem : "");
          section_finish (&st->section, folders, yaml_dir);
          return;
        }
      more = take_event (st, &event, folders, yaml_dir);
      yaml_event_delete (&event);
    }
}

void
gesso_layouts_add_yaml (GPtrArray *folders, const char *path)
{
  g_return_if_fail (folders != NULL && path != NULL);
  FILE *file = fopen (path, "rbe");
  g_autofree char *text = g_malloc (MAX_FILE_BYTES);
  size_t n = file ? fread (text, 1, MAX_FILE_BYTES, file) : 0;
  if (file)
    fclose (file);
  yaml_parser_t parser;
  if (n == 0 || !yaml_parser_initialize (&parser))
    return;
  State st = { .section = { .keys = g_ptr_array_new_with_free_func (g_free),
                            .values = g_ptr_array_new_with_free_func (g_free) } };
  yaml_parser_set_input_string (&parser, (const unsigned char *) text, n);
  parse (&parser, &st, folders, path);
  yaml_parser_delete (&parser);
  section_reset (&st.section);
  g_ptr_array_unref (st.section.keys);
  g_ptr_array_unref (st.section.values);
  g_free (st.key);
}
