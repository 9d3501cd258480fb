/* SPDX-License-Identifier: MPL-2.0
 * gesso-wildcards.c - __wildcards__ and {choices|in|prompts}, taken by a seed.
 */
#include <glib/gi18n.h>
#include <string.h>
#include <sys/stat.h>

#include "session/gesso-expand-private.h"

enum
{
  MAX_DEPTH = 16,
  MAX_FOLDER_DEPTH = 16,
  MAX_PROMPT_BYTES = 1 << 20,
  MAX_FILE_BYTES = 16 << 20
};

/* One of several: a piece of text that may itself hold choices. */
typedef struct
{
  char *text;
  double weight;
} Option;

static void
option_clear (gpointer data)
{
  g_free (((Option *) data)->text);
}

static GArray *
options_new (void)
{
  GArray *options = g_array_new (FALSE, FALSE, sizeof (Option));
  g_array_set_clear_func (options, option_clear);
  return options;
}

/* ---- chance ---- */

/* SplitMix64 (Steele, Lea, Flood 2014): the same choices on every machine, for ever. */
static guint64
next_random (GessoExpansion *e)
{
  guint64 z = e->state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/* 0 .. 1, 1 excluded */
static double
next_unit (GessoExpansion *e)
{
  return (double) (next_random (e) >> 11) * 0x1p-53;
}

/* Returns: an index by weight; options of weight 0 are taken only when there is no other */
static guint
draw (GessoExpansion *e, const GArray *options)
{
  double sum = 0;
  for (guint i = 0; i < options->len; i++)
    sum += g_array_index (options, Option, i).weight;
  double left = next_unit (e) * sum;
  if (sum <= 0)
    return (guint) (next_random (e) % options->len);
  for (guint i = 0; i < options->len; i++)
    {
      left -= g_array_index (options, Option, i).weight;
      if (left < 0)
        return i;
    }
  return options->len - 1;
}

/* "2::text": the weight before the text. */
static void
add_option (GArray *options, const char *text, gsize n)
{
  Option option = { g_strndup (text, n), 1 };
  char *end;
  double weight = g_ascii_strtod (option.text, &end);
  if (end != option.text && weight >= 0 && weight < 1e9 && g_str_has_prefix (end, "::"))
    {
      char *rest = g_strdup (end + 2);
      g_free (option.text);
      option = (Option){ rest, weight };
    }
  g_array_append_val (options, option);
}

/* ---- choices ---- */

/* Returns: the brace that closes the one at @open; NULL when there is none */
static const char *
closing_brace (const char *open)
{
  int depth = 0;
  for (const char *p = open; *p; p++)
    if (*p == '\\' && p[1])
      p++;
    else if (*p == '{')
      depth++;
    else if (*p == '}' && --depth == 0)
      return p;
  return NULL;
}

/* What stands between "|", outside of inner braces. */
static GArray *
split_options (const char *text, const char *end)
{
  GArray *options = options_new ();
  const char *begin = text;
  int depth = 0;
  for (const char *p = text; p < end; p++)
    if (*p == '\\' && p + 1 < end)
      p++;
    else if (*p == '{')
      depth++;
    else if (*p == '}')
      depth--;
    else if (*p == '|' && depth == 0)
      {
        add_option (options, begin, (gsize) (p - begin));
        begin = p + 1;
      }
  add_option (options, begin, (gsize) (end - begin));
  return options;
}

/* "2$$" and "1-3$$" before the options.  Returns: where they begin; @text without such a number */
static const char *
read_count (const char *text, guint *least, guint *most)
{
  char *end;
  *least = *most = 1;
  if (!g_ascii_isdigit (*text))
    return text;
  guint64 low = g_ascii_strtoull (text, &end, 10), high = low;
  if (*end == '-' && g_ascii_isdigit (end[1]))
    high = g_ascii_strtoull (end + 1, &end, 10);
  if (!g_str_has_prefix (end, "$$") || high < low)
    return text;
  *least = (guint) MIN (low, G_MAXUINT);
  *most = (guint) MIN (high, G_MAXUINT);
  return end + 2;
}

static gboolean
append_choice (GessoExpansion *e, const char *text, const char *end, int depth, GError **error)
{
  guint least, most;
  const char *begin = read_count (text, &least, &most);
  g_autoptr (GArray) options = split_options (MIN (begin, end), end);
  guint n = least + (most > least ? (guint) (next_random (e) % (most - least + 1)) : 0);
  n = MIN (n, options->len);
  for (guint i = 0; i < n; i++)
    {
      guint taken = draw (e, options);
      if (i > 0)
        g_string_append (e->out, ", ");
      if (!gesso_expansion_append (e, g_array_index (options, Option, taken).text, depth + 1,
                                   error))
        return FALSE;
      g_array_remove_index (options, taken);
    }
  return TRUE;
}

/* ---- wildcards ---- */

static void
add_lines (GArray *options, const char *path)
{
  struct stat st;
  g_autofree char *text = NULL;
  gsize n;
  if (stat (path, &st) != 0 || !S_ISREG (st.st_mode) || st.st_size > MAX_FILE_BYTES ||
      !g_file_get_contents (path, &text, &n, NULL))
    return;
  g_autofree char *valid = g_utf8_make_valid (text, (gssize) n);
  const char *content = g_str_has_prefix (valid, "\357\273\277") ? valid + 3 : valid; /* BOM */
  g_auto (GStrv) lines = g_strsplit (content, "\n", -1);
  for (guint i = 0; lines[i]; i++)
    {
      const char *line = g_strstrip (lines[i]);
      if (*line != '\0' && *line != '#')
        add_option (options, line, strlen (line));
    }
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* Relative names of all NAME.txt below @folder, without the suffix. */
static void
find_names (const char *folder, const char *below, int depth, GPtrArray *names)
{
  g_autofree char *path = g_build_filename (folder, below, NULL);
  g_autoptr (GDir) dir = depth < MAX_FOLDER_DEPTH ? g_dir_open (path, 0, NULL) : NULL;
  const char *entry;
  while (dir && (entry = g_dir_read_name (dir)))
    {
      g_autofree char *name = *below ? g_strconcat (below, "/", entry, NULL) : g_strdup (entry);
      g_autofree char *full = g_build_filename (folder, name, NULL);
      if (g_file_test (full, G_FILE_TEST_IS_DIR))
        find_names (folder, name, depth + 1, names);
      else if (g_str_has_suffix (name, ".txt"))
        g_ptr_array_add (names, g_strndup (name, strlen (name) - strlen (".txt")));
    }
}

/* The entries of every file that @name, with "*" for anything, means. */
static void
add_matches (GArray *options, const char *folder, const char *name)
{
  if (!strchr (name, '*'))
    {
      g_autofree char *file = g_strconcat (name, ".txt", NULL);
      g_autofree char *path = g_build_filename (folder, file, NULL);
      add_lines (options, path);
      return;
    }
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  find_names (folder, "", 0, names);
  g_ptr_array_sort (names, compare_names); /* a folder's own order differs from disk to disk */
  for (guint i = 0; i < names->len; i++)
    if (g_pattern_match_simple (name, g_ptr_array_index (names, i)))
      {
        g_autofree char *file = g_strconcat (g_ptr_array_index (names, i), ".txt", NULL);
        g_autofree char *path = g_build_filename (folder, file, NULL);
        add_lines (options, path);
      }
}

static gboolean
append_wildcard (GessoExpansion *e, const char *name, int depth, GError **error)
{
  g_autoptr (GArray) options = options_new ();
  if (e->folder && !strstr (name, "..") && *name != '/')
    add_matches (options, e->folder, name);
  if (options->len > 0)
    return gesso_expansion_append (e, g_array_index (options, Option, draw (e, options)).text,
                                   depth + 1, error);
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
               _ ("There is no wildcard “%s”: put a file %s.txt with one entry a line into %s."),
               name, name, e->folder ? e->folder : _ ("a folder of wildcards"));
  return FALSE;
}

/* Returns: the name in "__name__" at @text, NULL when none stands there; @end: behind it */
static char *
wildcard_name (const char *text, const char **end)
{
  const char *p = text + 2;
  if (!g_str_has_prefix (text, "__") || *p == '_')
    return NULL;
  while (g_ascii_isalnum (*p) || (*p && strchr ("-./*", *p)) || (*p == '_' && p[1] != '_') ||
         *p & 0x80)
    p++;
  if (p == text + 2 || !g_str_has_prefix (p, "__"))
    return NULL;
  *end = p + 2;
  return g_strndup (text + 2, (gsize) (p - text - 2));
}

/* ---- the whole ---- */

static gboolean
check_size (const GessoExpansion *e, int depth, GError **error)
{
  if (depth <= MAX_DEPTH && e->out->len <= MAX_PROMPT_BYTES)
    return TRUE;
  g_set_error_literal (
      error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
      _ ("The prompt's wildcards and choices contain each other without end, or more than "
         "16 deep: look at the wildcard files."));
  return FALSE;
}

gboolean
gesso_expansion_append (GessoExpansion *e, const char *text, int depth, GError **error)
{
  if (!check_size (e, depth, error))
    return FALSE;
  for (const char *p = text; *p;)
    {
      const char *end = NULL;
      g_autofree char *name = NULL;
      if (*p == '\\' && p[1] && strchr ("{}|", p[1]))
        {
          g_string_append_c (e->out, p[1]);
          p += 2;
        }
      else if (*p == '{' && (end = closing_brace (p)))
        {
          if (!append_choice (e, p + 1, end, depth, error))
            return FALSE;
          p = end + 1;
        }
      else if (*p == '_' && (name = wildcard_name (p, &end)))
        {
          if (!append_wildcard (e, name, depth, error))
            return FALSE;
          p = end;
        }
      else
        g_string_append_c (e->out, *p++);
    }
  return check_size (e, depth, error);
}

gboolean
gesso_prompt_varies (const char *prompt)
{
  for (const char *p = prompt; *p; p++)
    {
      const char *end;
      g_autofree char *name = *p == '_' ? wildcard_name (p, &end) : NULL;
      if (*p == '\\' && p[1])
        p++;
      else if (name || (*p == '{' && closing_brace (p)))
        return TRUE;
    }
  return FALSE;
}

char *
gesso_expand_prompt (const char *prompt, const char *wildcards_dir, guint64 seed, GError **error)
{
  g_return_val_if_fail (prompt, NULL);
  g_autoptr (GString) out = g_string_sized_new (strlen (prompt));
  GessoExpansion expansion = { wildcards_dir, seed, out };
  if (!gesso_expansion_append (&expansion, prompt, 0, error))
    return NULL;
  return g_string_free (g_steal_pointer (&out), FALSE);
}
