/* SPDX-License-Identifier: MPL-2.0
 * import-control.c - ControlNets of A1111's text and of ComfyUI's graphs.
 */
#include "recipe/import-control.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "recipe/json.h"
#include "recipe/text.h"

enum
{
  MAX_WEIGHT = 10
};

/* What the modules of other programs are called that Gesso has, too. */
static const struct
{
  const char *name;
  RecipePreprocess kind;
} modules[] = {
  { "none", RECIPE_PREPROCESS_NONE },
  { "canny", RECIPE_PREPROCESS_CANNY },
  { "CannyEdgePreprocessor", RECIPE_PREPROCESS_CANNY },
  { "invert", RECIPE_PREPROCESS_INVERT },
  { "invert (from white bg & black line)", RECIPE_PREPROCESS_INVERT },
  { "ImageInvert", RECIPE_PREPROCESS_INVERT },
  { "blur_gaussian", RECIPE_PREPROCESS_BLUR },
  { "threshold", RECIPE_PREPROCESS_THRESHOLD },
};

static bool
find_module (const char *name, RecipePreprocess *kind)
{
  for (size_t i = 0; i < sizeof modules / sizeof modules[0]; i++)
    if (text_equal_nocase (modules[i].name, name))
      {
        *kind = modules[i].kind;
        return true;
      }
  return false;
}

/* "folder\control_v11p_sd15_canny.pth [d14c016b]" is known by its stem.
 * Returns: the caller's to mem_free; NULL and the status set */
static char *
model_name (Import *im, const char *name)
{
  char *stem = import_stem (im, name);
  char *bracket = stem ? strrchr (stem, '[') : NULL;
  if (bracket && text_ends_with (stem, "]") && bracket > stem && bracket[-1] == ' ')
    {
      bracket[-1] = '\0';
      stem[text_stem_length (stem)] = '\0';
    }
  return stem;
}

static double
within (double v, double least, double most)
{
  return v < least ? least : v > most ? most : v;
}

static bool
note_picture (Import *im, const char *name, const char *picture)
{
  char excerpt[TEXT_EXCERPT_SIZE], file[TEXT_EXCERPT_SIZE];
  if (picture)
    return notes_add (im->notes, im->status,
                      "The ControlNet \"%s\" followed the picture \"%s\", which is not in here: "
                      "choose it.",
                      text_excerpt (excerpt, name), text_excerpt (file, picture));
  return notes_add (im->notes, im->status,
                    "The ControlNet \"%s\" followed a picture, which is not in here: choose it.",
                    text_excerpt (excerpt, name));
}

static bool
take_module (Import *im, RecipeControl *item, const ImportedControl *c)
{
  char excerpt[TEXT_EXCERPT_SIZE];
  if (c->module && !find_module (c->module, &item->preprocess))
    return notes_add (im->notes, im->status,
                      "The preprocessor \"%s\" is not available: choose a picture that is prepared "
                      "already.",
                      text_excerpt (excerpt, c->module));
  bool has_a =
      item->preprocess != RECIPE_PREPROCESS_NONE && item->preprocess != RECIPE_PREPROCESS_INVERT;
  const Recipe *r = im->recipe;
  int side = r->width < r->height ? r->width : r->height;
  item->a = has_a && c->a >= 0 ? within (c->a, 0, 1000) : -1;
  item->b = item->preprocess == RECIPE_PREPROCESS_CANNY && c->b >= 0 ? within (c->b, 0, 1000) : -1;
  return !has_a || !(c->side > 0) || c->side == side ||
         notes_add (
             im->notes, im->status,
             "The preprocessor \"%s\" worked on a picture of %g pixels, here it works on one "
             "of the result's size: it may differ.",
             text_excerpt (excerpt, c->module), c->side);
}

static bool
take_weight (Import *im, RecipeControl *item, const char *name, double weight)
{
  char said[TEXT_NUMBER_SIZE] = "?";
  item->weight = isfinite (weight) ? within (weight, -MAX_WEIGHT, MAX_WEIGHT) : 1;
  if (item->weight == weight)
    return true;
  if (isfinite (weight))
    text_from_double (said, weight);
  return import_note_weight (im, name, said, item->weight);
}

static bool
fill (Import *im, RecipeControl *item, const char *name, const ImportedControl *c)
{
  double start = within (c->start, 0, 1), end = within (c->end, 0, 1);
  item->resize = c->resize;
  item->off = !(start < end); /* it never acted */
  item->start = item->off ? 0 : start;
  item->end = item->off ? 1 : end;
  return take_weight (im, item, name, c->weight) && take_module (im, item, c) &&
         note_picture (im, name, c->picture);
}

static bool
add_control (Import *im, const char *name, const ImportedControl *c)
{
  RecipeControls list = { .n = 0 };
  if (!recipe_controls_read (&list, im->recipe, im->status))
    return false;
  if (list.n == RECIPE_MAX_CONTROLS || strlen (name) >= IMPORT_NAME_SIZE)
    {
      recipe_controls_clear (&list);
      return import_left_out (im, name);
    }
  RecipeControl *item = recipe_controls_add (&list, name, im->status);
  bool ok =
      item && fill (im, item, name, c) && recipe_controls_write (&list, im->recipe, im->status);
  recipe_controls_clear (&list);
  return ok;
}

bool
import_control (Import *im, const ImportedControl *c)
{
  char *name = model_name (im, c->model ? c->model : "");
  bool ok = name && add_control (im, name, c);
  mem_free (name);
  return ok;
}

/* ---- A1111 ---- */

/* Whether a field's name follows, and its colon. */
static bool
is_field (const char *p)
{
  p += strspn (p, " ");
  size_t n = strspn (p, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz /");
  return n > 0 && p[n] == ':';
}

/* Names of files may have brackets and commas, as tuples have: a field ends where another begins.
 * Returns: behind its comma, NULL at the end */
static char *
cut_field (char *text)
{
  for (; (text = strchr (text, ',')); text++)
    if (is_field (text + 1))
      {
        *text = '\0';
        return text + 1;
      }
  return NULL;
}

/* "(0, 1)" or "(512, 100, 200)".  Returns: how many were read */
static int
read_tuple (const char *text, double *out, int most)
{
  int n = 0;
  text += strspn (text, "( ");
  while (n < most && *text)
    {
      char number[TEXT_NUMBER_SIZE];
      size_t length = strcspn (text, ",)");
      snprintf (number, sizeof number, "%.*s", (int) length, text);
      if (!text_to_double (number, &out[n]))
        break;
      n++;
      text += length;
      text += strspn (text, ",) ");
    }
  return n;
}

static bool
note_field (Import *im, const char *key, const char *value)
{
  char what[TEXT_EXCERPT_SIZE], field[TEXT_EXCERPT_SIZE], said[TEXT_EXCERPT_SIZE];
  snprintf (what, sizeof what, "ControlNet%s%.30s: %s", *key ? " " : "", text_excerpt (field, key),
            text_excerpt (said, value));
  return import_left_out (im, what);
}

static bool
take_resize (Import *im, ImportedControl *c, const char *key, const char *name)
{
  static const struct
  {
    const char *name;
    RecipeResize resize;
  } names[] = { { "Just Resize", RECIPE_RESIZE_STRETCH },
                { "Crop and Resize", RECIPE_RESIZE_CROP },
                { "Resize and Fill", RECIPE_RESIZE_FILL } };
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (text_equal_nocase (name, names[i].name))
      {
        c->resize = names[i].resize;
        return true;
      }
  return note_field (im, key, name);
}

/* "(512, 100, 200)": the side at which the preprocessor works, then its thresholds. */
static bool
take_tuple (Import *im, ImportedControl *c, const char *key, const char *value)
{
  double n[3] = { -1, -1, -1 };
  bool is_range = text_equal_nocase (key, "starting/ending");
  if (read_tuple (value, n, 3) < 2)
    return note_field (im, key, value);
  *(is_range ? &c->start : &c->side) = n[0];
  *(is_range ? &c->end : &c->a) = n[1];
  c->b = is_range ? c->b : n[2];
  return true;
}

/* What is as here, or changes no picture. */
static bool
does_not_matter (const char *key, const char *value)
{
  static const char *const fields[][2] = {
    { "Enabled", NULL },     { "Low Vram", NULL },       { "Save Detected Map", NULL },
    { "Is Ui", NULL },       { "Input Mode", "simple" }, { "Control Mode", "Balanced" },
    { "Hr Option", "Both" }, { "Batch Images", "" },     { "Output Dir", "" },
    { "Loopback", "False" }
  };
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
    if (text_equal_nocase (key, fields[i][0]))
      return !fields[i][1] || text_equal_nocase (value, fields[i][1]);
  return false;
}

static bool
take_field (Import *im, ImportedControl *c, const char *key, const char *value)
{
  const struct
  {
    const char *key;
    double *number;
  } numbers[] = { { "Weight", &c->weight },    { "Guidance Start", &c->start },
                  { "Guidance End", &c->end }, { "Threshold A", &c->a },
                  { "Threshold B", &c->b },    { "Processor Res", &c->side } };
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
    if (text_equal_nocase (key, numbers[i].key))
      return text_to_double (value, numbers[i].number) || note_field (im, key, value);
  if (text_equal_nocase (key, "Module") || text_equal_nocase (key, "preprocessor"))
    c->module = value;
  else if (text_equal_nocase (key, "Model"))
    c->model = value;
  else if (text_equal_nocase (key, "Pixel Perfect"))
    c->pixel_perfect = text_equal_nocase (value, "True");
  else if (text_equal_nocase (key, "Resize Mode"))
    return take_resize (im, c, key, value);
  else if (text_equal_nocase (key, "starting/ending") ||
           text_equal_nocase (key, "preprocessor params"))
    return take_tuple (im, c, key, value);
  else
    return does_not_matter (key, value) || note_field (im, key, value);
  return true;
}

/* Some preprocessors guide by themselves: "reference_only". */
static bool
take_unit (Import *im, ImportedControl *c)
{
  if (c->pixel_perfect)
    c->side = -1;
  if (c->model && !text_equal_nocase (c->model, "None"))
    return import_control (im, c);
  return !c->module || text_equal_nocase (c->module, "none") ||
         note_field (im, "Module", c->module);
}

/* @text: changed: its parts are cut apart */
static bool
read_unit (Import *im, char *text)
{
  ImportedControl c = { .weight = 1, .end = 1, .a = -1, .b = -1 };
  for (char *field = text, *next; field; field = next)
    {
      next = cut_field (field);
      field += strspn (field, " ");
      char *colon = strchr (field, ':');
      if (!colon)
        {
          if (*field && !note_field (im, "", field))
            return false;
          continue;
        }
      *colon = '\0';
      if (!take_field (im, &c, field, colon + 1 + strspn (colon + 1, " ")))
        return false;
    }
  return take_unit (im, &c);
}

bool
import_control_pairs (Import *im, Pairs *pairs)
{
  static const char head[] = "ControlNet ";
  for (size_t i = 0; i < pairs->n; i++)
    {
      Pair *p = &pairs->items[i];
      size_t n = sizeof head - 1;
      if (p->used || strncmp (p->key, head, n) != 0 || p->key[n] < '0' || p->key[n] > '9')
        continue;
      p->used = true;
      if (!read_unit (im, p->value))
        return false;
    }
  return true;
}

/* ---- ComfyUI ---- */

static double
number_of (Graph *graph, GraphNode *node, const char *key, double otherwise)
{
  struct json_object *value = graph_value (graph, node, key);
  bool is_number =
      json_object_is_type (value, json_type_double) || json_object_is_type (value, json_type_int);
  return is_number ? json_object_get_double (value) : otherwise;
}

/* Up to the loader.  SetUnionControlNetType says which kind of picture a Union sees. */
static const char *
loader_name (Import *im, Graph *graph, GraphNode *node)
{
  GraphNode *net = graph_follow (graph, node, "control_net");
  for (int i = 0; net && i < GRAPH_MAX_WALK; i++)
    {
      const char *name =
          graph_has (net, "control_net_name") ? graph_text (graph, net, "control_net_name") : NULL;
      net->understood = true;
      if (name)
        return name;
      if (graph_has (net, "type") && !import_left_out (im, net->class_type))
        return NULL;
      net = graph_follow (graph, net, "control_net");
    }
  return NULL;
}

/* ComfyUI's own Canny smooths the picture before and has thresholds of 0 .. 1: not these numbers.
 */
static bool
take_preprocessor (Import *im, Graph *graph, GraphNode *node, ImportedControl *c)
{
  RecipePreprocess kind;
  c->module = node->class_type;
  if (strcmp (node->class_type, "Canny") == 0)
    return notes_add (im->notes, im->status,
                      "ComfyUI finds edges in another way (Canny): they may differ.");
  if (find_module (node->class_type, &kind))
    {
      c->a = number_of (graph, node, "low_threshold", -1);
      c->b = number_of (graph, node, "high_threshold", -1);
    }
  return true;
}

static bool
take_picture (Import *im, Graph *graph, GraphNode *node, ImportedControl *c)
{
  GraphNode *at = graph_follow (graph, node, "image");
  for (int i = 0; at && i < GRAPH_MAX_WALK; i++)
    {
      GraphNode *before = graph_follow (graph, at, "image");
      at->understood = true;
      if (!before)
        {
          c->picture = graph_has (at, "image") ? graph_text (graph, at, "image") : NULL;
          return true;
        }
      bool is_size = strstr (at->class_type, "Scale") || strstr (at->class_type, "Resize") ||
                     strstr (at->class_type, "Reroute") || strstr (at->class_type, "Preview");
      if (!c->module && !is_size && !take_preprocessor (im, graph, at, c))
        return false;
      at = before;
    }
  return true;
}

bool
import_control_node (Import *im, Graph *graph, GraphNode *node)
{
  ImportedControl c = { .weight = number_of (graph, node, "strength", 1),
                        .start = number_of (graph, node, "start_percent", 0),
                        .end = number_of (graph, node, "end_percent", 1),
                        .resize = RECIPE_RESIZE_CROP, /* as common_upscale (..., "center") */
                        .a = -1,
                        .b = -1 };
  node->understood = true;
  c.model = loader_name (im, graph, node);
  if (!take_picture (im, graph, node, &c) || !status_ok (im->status))
    return false;
  return c.model ? import_control (im, &c) : import_left_out (im, node->class_type);
}
