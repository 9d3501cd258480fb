/* SPDX-License-Identifier: MPL-2.0
 * infotext-write.c - a recipe as A1111's "parameters" text.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "recipe/adapters.h"
#include "recipe/controls.h"
#include "recipe/infotext.h"

static void
append_json_string (Text *out, const char *text)
{
  text_append (out, "\"");
  for (; *text; text++)
    if (*text == '"' || *text == '\\')
      text_printf (out, "\\%c", *text);
    else if (*text == '\n')
      text_append (out, "\\n");
    else if ((unsigned char) *text < ' ')
      text_printf (out, "\\u%04x", (unsigned) *text);
    else
      text_append_n (out, text, 1);
  text_append (out, "\"");
}

/* A value is quoted where the plain form would not read back. */
static void
append_field (Text *out, const char *key, const char *value)
{
  size_t n = strlen (value);
  if (n == 0)
    return;
  text_printf (out, "%s%s: ", out->length && out->data[out->length - 1] != '\n' ? ", " : "", key);
  if (strpbrk (value, ",:\n\r\t") || strchr ("\"[{ ", value[0]) || value[n - 1] == ' ')
    append_json_string (out, value);
  else
    text_append (out, value);
}

static void
append_number (Text *out, const char *key, double value)
{
  char number[TEXT_NUMBER_SIZE];
  text_from_double (number, value);
  append_field (out, key, number);
}

static const char *
base_name (const char *path)
{
  const char *slash = strrchr (path, '/');
  return slash ? slash + 1 : path;
}

/* The file's name without folder and extension. */
static void
append_stem (Text *out, const char *path)
{
  const char *name = base_name (path);
  text_append_n (out, name, text_stem_length (name));
}

/* A1111's name of a checkpoint. */
static void
append_model (Text *out, const char *path)
{
  Text name = { 0 };
  append_stem (&name, path);
  if (!name.failed && name.data)
    append_field (out, "Model", name.data);
  out->failed |= name.failed;
  text_clear (&name);
}

/* A whole SHA-256 is shortened to the ten digits that A1111 and Civitai show. */
static void
append_hash (Text *out, const char *hash)
{
  enum
  {
    SHA256_DIGITS = 64,
    SHORT_DIGITS = 10
  };
  char shown[SHORT_DIGITS + 1] = "";
  bool whole = strlen (hash) == SHA256_DIGITS;
  if (whole)
    memcpy (shown, hash, SHORT_DIGITS);
  append_field (out, "Model hash", whole ? shown : hash);
}

/* The list's own items as tags: A1111 knows no other place for them. */
static void
append_tags (Text *out, const RecipeAdapters *adapters)
{
  char text[TEXT_NUMBER_SIZE], network[TEXT_NUMBER_SIZE];
  for (size_t i = 0; i < adapters->n; i++)
    {
      const RecipeAdapter *a = &adapters->items[i];
      if (a->from_prompt || a->muted || !a->name)
        continue;
      text_from_double (text, a->text_weight);
      text_from_double (network, a->weight);
      text_printf (out, "%s<lora:%s:%s", out->length ? " " : "", a->name, text);
      if (a->curve || a->weight != a->text_weight)
        text_printf (out, ":%s", a->curve ? a->curve : network);
      if (a->blocks)
        text_printf (out, ":lbw=%s", a->blocks);
      if (a->steps)
        text_printf (out, ":step=%s", a->steps);
      text_append (out, ">");
    }
}

/* A1111 knows LoRAs by their tensors, embeddings by their whole file. */
static void
append_hashes (Text *out, const char *field, const RecipeAdapters *adapters, bool of_embeddings)
{
  enum
  {
    DIGITS = 12 /* as A1111 shows them */
  };
  Text value = { 0 };
  for (size_t i = 0; i < adapters->n; i++)
    {
      const RecipeAdapter *a = &adapters->items[i];
      const char *hash = of_embeddings ? a->hash : a->autov3;
      if (a->name && hash && !a->muted && a->is_embedding == of_embeddings)
        text_printf (&value, "%s%s: %.*s", value.length ? ", " : "", a->name, DIGITS, hash);
    }
  if (value.length && !value.failed)
    append_field (out, field, value.data);
  out->failed |= value.failed;
  text_clear (&value);
}

/* As sd-webui-controlnet writes its units. */
static void
append_control (Text *out, size_t i, const RecipeControl *c)
{
  static const char *const modules[] = { [RECIPE_PREPROCESS_NONE] = "none",
                                         [RECIPE_PREPROCESS_CANNY] = "canny",
                                         [RECIPE_PREPROCESS_INVERT] =
                                             "invert (from white bg & black line)",
                                         [RECIPE_PREPROCESS_BLUR] = "blur_gaussian",
                                         [RECIPE_PREPROCESS_THRESHOLD] = "threshold" };
  static const char *const modes[] = { [RECIPE_RESIZE_CROP] = "Crop and Resize",
                                       [RECIPE_RESIZE_FILL] = "Resize and Fill",
                                       [RECIPE_RESIZE_STRETCH] = "Just Resize" };
  char key[TEXT_NUMBER_SIZE];
  Text value = { 0 };
  text_printf (&value, "Module: %s, Model: ", modules[c->preprocess]);
  append_stem (&value, recipe_str (c->model));
  append_number (&value, "Weight", c->weight);
  append_field (&value, "Resize Mode", modes[c->resize]);
  if (c->a >= 0)
    append_number (&value, "Threshold A", c->a);
  if (c->b >= 0)
    append_number (&value, "Threshold B", c->b);
  append_number (&value, "Guidance Start", c->start);
  append_number (&value, "Guidance End", c->end);
  text_append (&value, ", Pixel Perfect: True, Control Mode: Balanced");
  snprintf (key, sizeof key, "ControlNet %zu", i);
  if (!value.failed)
    append_field (out, key, value.data);
  out->failed |= value.failed;
  text_clear (&value);
}

static void
append_controls (Text *out, const RecipeControls *controls)
{
  size_t n = 0;
  for (size_t i = 0; i < controls->n; i++)
    if (!controls->items[i].off)
      append_control (out, n++, &controls->items[i]);
}

static void
append_sampling (Text *out, const Recipe *r)
{
  if (r->steps)
    append_number (out, "Steps", r->steps);
  append_field (out, "Sampler", infotext_sampler_label (r->sampler));
  append_field (out, "Schedule type", infotext_schedule_label (r->schedule));
  if (r->guidance_scale > 0)
    append_number (out, "CFG scale", r->guidance_scale);
  if (r->distilled_guidance > 0) /* as Forge writes it */
    append_number (out, "Distilled CFG Scale", r->distilled_guidance);
  text_printf (out, ", Seed: %" PRIu64, r->seed);
  if (r->width && r->height)
    text_printf (out, ", Size: %dx%d", r->width, r->height);
}

/* Keys and values as A1111 writes them; what is its default it leaves out. */
static void
append_mask (Text *out, const Recipe *r)
{
  static const char *const contents[] = { [RECIPE_INPAINT_LATENT_NOISE] = "latent noise",
                                          [RECIPE_INPAINT_LATENT_NOTHING] = "latent nothing",
                                          [RECIPE_INPAINT_FILL] = "fill" };
  if (!r->mask_image)
    return;
  append_number (out, "Mask blur", r->mask_blur);
  if (r->inpaint_fill != RECIPE_INPAINT_ORIGINAL)
    append_field (out, "Masked content", contents[r->inpaint_fill]);
  if (r->inpaint_area == RECIPE_INPAINT_MASKED)
    {
      append_field (out, "Inpaint area", "Only masked");
      append_number (out, "Masked area padding", r->inpaint_padding);
    }
}

static void
append_rest (Text *out, const Recipe *r)
{
  static const char *const emphasis[] = { [RECIPE_WEIGHTING_A1111_NO_NORM] = "No norm",
                                          [RECIPE_WEIGHTING_COMFYUI] = "ComfyUI",
                                          [RECIPE_WEIGHTING_NONE] = "None" };
  append_field (out, "VAE", base_name (recipe_str (r->vae)));
  if (r->init_image || r->denoise < 1)
    append_number (out, "Denoising strength", r->denoise);
  if (r->clip_skip)
    append_number (out, "Clip skip", r->clip_skip);
  append_field (out, "RNG", r->noise == RECIPE_NOISE_NV ? "NV" : "CPU");
  append_mask (out, r);
  if (r->weighting != RECIPE_WEIGHTING_A1111 && r->weighting != RECIPE_WEIGHTING_AUTO)
    append_field (out, "Emphasis", emphasis[r->weighting]);
  if (r->eta >= 0)
    append_number (out, r->sampler == RECIPE_SAMPLER_DDIM ? "Eta DDIM" : "Eta", r->eta);
  if (r->zero_terminal_snr == RECIPE_SNR_ON)
    append_field (out, "Noise Schedule", "Zero Terminal SNR");
  append_field (out, "Version", "Gesso " GESSO_VERSION);
}

char *
infotext_write (const Recipe *recipe, Status *status)
{
  Text out = { 0 };
  RecipeAdapters adapters;
  RecipeControls controls = { .n = 0 };
  if (!recipe_controls_read (&controls, recipe, status))
    return NULL;
  if (!recipe_adapters_read (&adapters, recipe, status))
    {
      recipe_controls_clear (&controls);
      return NULL;
    }
  text_append (&out, recipe_str (recipe->prompt));
  append_tags (&out, &adapters);
  if (recipe->negative_prompt)
    text_printf (&out, "\nNegative prompt: %s", recipe->negative_prompt);
  text_append (&out, "\n");
  append_sampling (&out, recipe);
  append_hash (&out, recipe_str (recipe->model_hash));
  append_model (&out, recipe_str (recipe->model));
  append_hashes (&out, "Lora hashes", &adapters, false);
  append_hashes (&out, "TI hashes", &adapters, true);
  append_controls (&out, &controls);
  append_rest (&out, recipe);
  recipe_controls_clear (&controls);
  recipe_adapters_clear (&adapters);
  return text_steal (&out, status);
}
