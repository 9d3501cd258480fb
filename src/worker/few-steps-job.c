/* SPDX-License-Identifier: MPL-2.0
 * few-steps-job.c - metadata and names of a job's files, looked up in the table of distilled
 * models.
 */
#include "worker/few-steps-job.h"

#include <stdio.h>
#include <string.h>

#include "recipe/adapters.h"
#include "weights/mapped.h"
#include "weights/safetensors.h"

enum
{
  N_TEXTS = 3
};

static const char *const metadata_keys[] = { "modelspec.title", "ss_output_name" };

static unsigned
families_of (Family family)
{
  switch (family)
    {
    case FAMILY_FLUX:
      return PARAM_FOR_FLUX;
    case FAMILY_WAN:
      return PARAM_FOR_WAN;
    default:
      return PARAM_FOR_SD;
    }
}

/* The file and its folder: of several files with one name the folder says what they are. */
static const char *
name_with_folder (const char *path)
{
  const char *name = strrchr (path, '/');
  for (const char *p = name; p && p > path; p--)
    if (p[-1] == '/')
      return p;
  return path;
}

static bool
is_model (FewSteps *found, const Checkpoint *model, unsigned families)
{
  const char *texts[N_TEXTS] = { NULL, NULL, name_with_folder (model->path) };
  for (int i = 0; i < model->n_metadata; i++)
    for (size_t k = 0; k < N_TEXTS - 1; k++)
      if (strcmp (model->metadata_keys[i], metadata_keys[k]) == 0)
        texts[k] = model->metadata_values[i];
  return few_steps_find (found, families, false, texts, N_TEXTS);
}

/* A file whose header cannot be read is known by its name alone. */
static bool
is_adapter (FewSteps *found, const RecipeAdapter *item, unsigned families)
{
  const char *path = recipe_str (item->path ? item->path : item->name);
  const char *texts[N_TEXTS] = { NULL, NULL, name_with_folder (path) };
  MappedFile file = { 0 };
  Pool pool = { 0 };
  TensorTable table;
  Status ignored = { 0 };
  table_init (&table, &pool);
  if (text_ends_with (path, ".safetensors") && mapped_open (&file, path, &ignored) &&
      safetensors_parse (&table, file.data, file.size, path, &ignored))
    for (size_t k = 0; k < N_TEXTS - 1; k++)
      texts[k] = table_metadata (&table, metadata_keys[k]);
  bool is = few_steps_find (found, families, true, texts, N_TEXTS);
  table_clear (&table);
  pool_clear (&pool);
  mapped_close (&file);
  return is;
}

/* " --lora FILE:WEIGHT" as its makers weight it, or the prompt's tag, where the user left that at
 * 1; else "".  Where a path is too long for the sentence its name stands for it. */
static void
advise_weight (const FewSteps *found, const RecipeAdapter *item, char flag[STATUS_MESSAGE_SIZE / 2])
{
  enum
  {
    MOST_BYTES = 160
  };
  char excerpt[TEXT_EXCERPT_SIZE], weight[TEXT_NUMBER_SIZE];
  const char *file = item->path ? item->path : recipe_str (item->name);
  *flag = '\0';
  if (few_steps_weight (found) <= 0 || item->weight != 1)
    return;
  if (item->from_prompt || strlen (file) > MOST_BYTES)
    file = text_excerpt (excerpt, item->name ? item->name : path_base (file));
  text_from_double (weight, few_steps_weight (found));
  snprintf (flag, STATUS_MESSAGE_SIZE / 2, item->from_prompt ? " <lora:%s:%s>" : " --lora %s:%s",
            file, weight);
}

/* @flag: receives what is to be changed of the adapter that was found; "" for nothing */
static bool
find (FewSteps *found,
      const Recipe *recipe,
      const Checkpoint *model,
      char flag[STATUS_MESSAGE_SIZE / 2])
{
  unsigned families = families_of (model->config.family);
  RecipeAdapters list = { 0 };
  Status ignored = { 0 };
  bool is = false;
  *flag = '\0';
  if (recipe_adapters_read (&list, recipe, &ignored))
    for (size_t i = 0; i < list.n && !is; i++)
      {
        is = !list.items[i].muted && !list.items[i].is_embedding &&
             is_adapter (found, &list.items[i], families);
        if (is)
          advise_weight (found, &list.items[i], flag);
      }
  recipe_adapters_clear (&list);
  return is || is_model (found, model, families);
}

void
job_few_steps (const Recipe *recipe, const Checkpoint *model, char sentence[STATUS_MESSAGE_SIZE])
{
  FewSteps found;
  FewStepsValue values[FEW_STEPS_VALUES];
  char flags[STATUS_MESSAGE_SIZE / 2] = "", lora[STATUS_MESSAGE_SIZE / 2];
  *sentence = '\0';
  if (!find (&found, recipe, model, lora) ||
      few_steps_fit (&found, recipe->steps, recipe->guidance_scale))
    return;
  int n = few_steps_values (&found, values);
  for (int i = 0; i < n; i++)
    {
      size_t at = strlen (flags);
      snprintf (flags + at, sizeof flags - at, " --%s %s", recipe_find_param (values[i].key)->flag,
                values[i].text);
    }
  snprintf (sentence, STATUS_MESSAGE_SIZE,
            status_text ("%s is made for few steps, and its makers use it with%s."),
            few_steps_name (&found), strncat (flags, lora, sizeof flags - strlen (flags) - 1));
}
