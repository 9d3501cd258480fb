/* SPDX-License-Identifier: MPL-2.0 */
#include "library/gesso-trigger-words.h"

#include "library/gesso-header.h"
#include "library/gesso-trigger-words-private.h"
#include "weights/adapter-info.h"

enum
{
  MOST_TAGS = 6 /* that are shown */
};

static char *
words_of (const AdapterInfo *info)
{
  if (info->trigger)
    return g_strdup (info->trigger);
  GString *text = g_string_new (NULL);
  for (size_t i = 0; i < info->n_tags && i < MOST_TAGS; i++)
    g_string_append_printf (text, "%s%s", i ? ", " : "", info->tags[i].text);
  return g_string_free (text, text->len == 0);
}

char *
gesso_trigger_words_of (const TensorTable *table, const char *label)
{
  g_return_val_if_fail (table && label, NULL);
  AdapterInfo info = { 0 };
  Status status = { 0 };
  char *words = adapter_info_read (&info, table, label, &status) ? words_of (&info) : NULL;
  adapter_info_clear (&info);
  if (words && !g_utf8_validate (words, -1, NULL))
    g_clear_pointer (&words, g_free);
  return words;
}

char *
gesso_trigger_words_read (const char *path)
{
  g_return_val_if_fail (path, NULL);
  GessoHeader header = { 0 };
  Status status = { 0 };
  char *words = gesso_header_read (&header, path, &status)
                    ? gesso_trigger_words_of (&header.source.table, path)
                    : NULL;
  gesso_header_clear (&header);
  return words;
}
