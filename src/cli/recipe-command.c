/* SPDX-License-Identifier: MPL-2.0
 * recipe-command.c - `gesso-cli recipe`: the recipe inside a picture.
 */
#include <stdio.h>

#include "cli/cli.h"
#include "core/mem.h"
#include "media/texts.h"
#include "recipe/import.h"

static bool
read_recipe (const char *path, Recipe *recipe, ImportSource *source, Notes *notes, Status *status)
{
  MediaTexts texts = { 0 };
  if (!media_texts_read (&texts, path, status))
    return false;
  ImportText *items = mem_calloc (texts.n, sizeof *items);
  bool ok = items != NULL;
  if (!ok)
    status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  for (size_t i = 0; ok && i < texts.n; i++)
    items[i] = (ImportText){ texts.items[i].key, texts.items[i].value };
  ok = ok && import_recipe (recipe, items, texts.n, source, notes, status);
  mem_free (items);
  media_texts_clear (&texts);
  return ok;
}

int
command_recipe (Options *o)
{
  Status status = { 0 };
  if (o->n_operands != 1)
    {
      status_fail (&status, STATUS_ARGUMENT, "recipe needs exactly one file.");
      return cli_usage_error (&status);
    }
  Recipe recipe;
  Notes notes = { 0 };
  ImportSource source;
  recipe_init (&recipe);
  char *json = NULL;
  if (read_recipe (o->operands[0], &recipe, &source, &notes, &status))
    json = recipe_to_json (&recipe, &status);
  if (json)
    {
      fprintf (stderr, "Written by %s.\n", import_source_name (source));
      for (size_t i = 0; i < notes.n; i++)
        fprintf (stderr, "%s\n", notes.items[i]);
      printf ("%s\n", json);
    }
  int code = json ? EXIT_DONE : cli_fail (&status, o->json);
  mem_free (json);
  notes_clear (&notes);
  recipe_clear (&recipe);
  return code;
}
