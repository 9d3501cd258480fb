/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/control-args.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "recipe/controls.h"
#include "recipe/text.h"
#include "worker/paths.h"

enum
{
  MAX_NUMBERS = 3
};

/* The numbers at the end of @text, in order, which are cut off with their colons. */
static int
cut_numbers (char *text, int most, double *out)
{
  double found[MAX_NUMBERS];
  int n = 0;
  for (char *colon; n < most && (colon = strrchr (text, ':')) && colon > text; n++)
    {
      if (!text_to_double (colon + 1, &found[n]))
        break;
      *colon = '\0';
    }
  for (int i = 0; i < n; i++)
    out[i] = found[n - 1 - i];
  return n;
}

/* Where FILE ends: names may have colons of their own, so at the first behind which there is a
 * file, or before which. */
static char *
find_colon (char *text)
{
  char *first = strchr (text, ':');
  for (char *colon = first; colon; colon = strchr (colon + 1, ':'))
    {
      *colon = '\0';
      bool is_it = access (colon + 1, F_OK) == 0 || access (text, F_OK) == 0;
      *colon = ':';
      if (is_it)
        return colon;
    }
  return first;
}

/* A longer one would be cut where it is opened, and could then be another file's. */
static bool
check_path (const char *path, Status *status)
{
  char excerpt[TEXT_EXCERPT_SIZE];
  return strlen (path) + sizeof "./" <= GESSO_PATH_SIZE ||
         status_fail (status, STATUS_ARGUMENT,
                      "--control takes paths of at most %d bytes, and %s is longer.",
                      GESSO_PATH_SIZE - (int) sizeof "./", text_excerpt (excerpt, path));
}

/* A file of the current folder is a path, too: a name without a slash would be looked for. */
static bool
set_model (RecipeControl *item, const char *text, Status *status)
{
  char path[GESSO_PATH_SIZE];
  bool is_here = !strchr (text, '/') && access (text, F_OK) == 0;
  snprintf (path, sizeof path, "%s%s", is_here ? "./" : "", text);
  return text_replace (&item->model, path, status);
}

static bool
fill (RecipeControl *item, char *text, Status *status)
{
  double n[MAX_NUMBERS] = { item->weight, item->start, item->end };
  cut_numbers (text, MAX_NUMBERS, n);
  char *colon = find_colon (text);
  char excerpt[TEXT_EXCERPT_SIZE];
  if (!colon || colon == text || !colon[1])
    return status_fail (status, STATUS_ARGUMENT,
                        "--control takes FILE:IMAGE[:WEIGHT[:START[:END]]], not %s.",
                        text_excerpt (excerpt, text));
  *colon = '\0';
  if (!check_path (text, status) || !check_path (colon + 1, status))
    return false;
  item->weight = n[0];
  item->start = n[1];
  item->end = n[2];
  return set_model (item, text, status) && text_replace (&item->image, colon + 1, status);
}

/* What was written is read again, so that its ranges are checked in one place. */
static bool
store (RecipeControls *list, Recipe *recipe, Status *status)
{
  RecipeControls again = { .n = 0 };
  bool ok =
      recipe_controls_write (list, recipe, status) && recipe_controls_read (&again, recipe, status);
  recipe_controls_clear (&again);
  return ok;
}

bool
take_control (Recipe *recipe, const char *text, Status *status)
{
  RecipeControls list = { .n = 0 };
  char *copy = mem_strdup (text);
  if (!copy)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  RecipeControl *item = NULL;
  if (recipe_controls_read (&list, recipe, status))
    item = recipe_controls_add (&list, NULL, status);
  bool ok = item && fill (item, copy, status) && store (&list, recipe, status);
  recipe_controls_clear (&list);
  mem_free (copy);
  return ok;
}

/* Returns: the last of @list, read from @recipe; NULL and @status when there is none */
static RecipeControl *
last_of (RecipeControls *list, const Recipe *recipe, const char *flag, Status *status)
{
  if (!recipe_controls_read (list, recipe, status))
    return NULL;
  if (list->n > 0)
    return &list->items[list->n - 1];
  status_fail (status, STATUS_ARGUMENT, "%s changes the --control before it, and there is none.",
               flag);
  return NULL;
}

static bool
bad_choice (const char *flag, const char *const *names, const char *text, Status *status)
{
  char all[128] = "", excerpt[TEXT_EXCERPT_SIZE];
  size_t n = 0;
  for (int i = 0; names[i] && n < sizeof all; i++)
    n += (size_t) snprintf (all + n, sizeof all - n, "%s%s", i ? ", " : "", names[i]);
  return status_fail (status, STATUS_ARGUMENT, "%s takes one of %s, not %s.", flag, all,
                      text_excerpt (excerpt, text));
}

static bool
set_preprocessor (RecipeControl *item, char *text, Status *status)
{
  double n[2] = { -1, -1 };
  cut_numbers (text, 2, n);
  int choice = recipe_control_choice (recipe_preprocess_names, text);
  if (choice < 0)
    return bad_choice ("--control-preprocessor", recipe_preprocess_names, text, status);
  item->preprocess = (RecipePreprocess) choice;
  item->a = n[0];
  item->b = n[1];
  return true;
}

bool
take_control_preprocessor (Recipe *recipe, const char *text, Status *status)
{
  RecipeControls list = { .n = 0 };
  char *copy = mem_strdup (text);
  if (!copy)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  RecipeControl *item = last_of (&list, recipe, "--control-preprocessor", status);
  bool ok = item && set_preprocessor (item, copy, status) && store (&list, recipe, status);
  recipe_controls_clear (&list);
  mem_free (copy);
  return ok;
}

bool
take_control_resize (Recipe *recipe, const char *text, Status *status)
{
  RecipeControls list = { .n = 0 };
  int choice = recipe_control_choice (recipe_resize_names, text);
  if (choice < 0)
    return bad_choice ("--control-resize", recipe_resize_names, text, status);
  RecipeControl *item = last_of (&list, recipe, "--control-resize", status);
  if (item)
    item->resize = (RecipeResize) choice;
  bool ok = item && store (&list, recipe, status);
  recipe_controls_clear (&list);
  return ok;
}
