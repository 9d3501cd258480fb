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
  NAME_SIZE = 1024,
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

/* "folder\control_v11p_sd15_canny.pth [d14c016b]" is known by its stem. */
static void
model_name (char out[NAME_SIZE], const char *name)
{
  static const char *const extensions[] = { ".safetensors", ".pth", ".pt", ".ckpt", ".bin" };
  snprintf (out, NAME_SIZE, "%s", name);
  for (char *p = out; *p; p++)
    if (*p == '\\')
      *p = '/';
  size_t n = strlen (out);
  char *bracket = strrchr (out, '[');
  if (n > 0 && out[n - 1] == ']' && bracket && bracket > out && bracket[-1] == ' ')
    bracket[-1] = '\0';
  for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++)
    if (text_ends_with (out, extensions[i]))
      out[strlen (out) - strlen (extensions[i])] = '\0';
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
  item->a = has_a && c->a >= 0 ? within (c->a, 0, 1000) : -1;
  item->b = item->preprocess == RECIPE_PREPROCESS_CANNY && c->b >= 0 ? within (c->b, 0, 1000) : -1;
  return true;
}

static bool
fill (Import *im, RecipeControl *item, const char *name, const ImportedControl *c)
{
  double start = within (c->start, 0, 1), end = within (c->end, 0, 1);
  item->weight = isfinite (c->weight) ? within (c->weight, -MAX_WEIGHT, MAX_WEIGHT) : 1;
  item->resize = c->resize;
  item->off = !(start < end); /* it never acted */
  item->start = item->off ? 0 : start;
  item->end = item->off ? 1 : end;
  return take_module (im, item, c) && note_picture (im, name, c->picture);
}

bool
import_control (Import *im, const ImportedControl *c)
{
  char name[NAME_SIZE];
  RecipeControls list = { .n = 0 };
  model_name (name, c->model ? c->model : "");
  if (!recipe_controls_read (&list, im->recipe, im->status))
    return false;
  if (list.n == RECIPE_MAX_CONTROLS)
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

/* ---- A1111 ---- */

/* Up to the next comma that is not in brackets.  Returns: behind it, NULL at the end */
static char *
cut_field (char *text)
{
  int depth = 0;
  for (; *text; text++)
    {
      depth += *text == '(' ? 1 : *text == ')' ? -1 : 0;
      if (*text == ',' && depth <= 0)
        {
          *text = '\0';
          return text + 1;
        }
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

static RecipeResize
resize_of (const char *name)
{
  if (text_equal_nocase (name, "Just Resize"))
    return RECIPE_RESIZE_STRETCH;
  return text_equal_nocase (name, "Resize and Fill") ? RECIPE_RESIZE_FILL : RECIPE_RESIZE_CROP;
}

static bool
take_field (Import *im, ImportedControl *c, const char *key, const char *value)
{
  double params[3] = { -1, -1, -1 }, range[2] = { 0, 1 };
  if (text_equal_nocase (key, "Module") || text_equal_nocase (key, "preprocessor"))
    c->module = value;
  else if (text_equal_nocase (key, "Model"))
    c->model = value;
  else if (text_equal_nocase (key, "Weight"))
    text_to_double (value, &c->weight);
  else if (text_equal_nocase (key, "Guidance Start"))
    text_to_double (value, &c->start);
  else if (text_equal_nocase (key, "Guidance End"))
    text_to_double (value, &c->end);
  else if (text_equal_nocase (key, "Threshold A"))
    text_to_double (value, &c->a);
  else if (text_equal_nocase (key, "Threshold B"))
    text_to_double (value, &c->b);
  else if (text_equal_nocase (key, "Resize Mode"))
    c->resize = resize_of (value);
  else if (text_equal_nocase (key, "starting/ending") && read_tuple (value, range, 2) == 2)
    {
      c->start = range[0];
      c->end = range[1];
    }
  else if (text_equal_nocase (key, "preprocessor params") && read_tuple (value, params, 3) > 1)
    {
      c->a = params[1];
      c->b = params[2];
    }
  else if (text_equal_nocase (key, "Control Mode") && !text_equal_nocase (value, "Balanced"))
    return import_left_out (im, value);
  return true;
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
        continue;
      *colon = '\0';
      if (!take_field (im, &c, field, colon + 1 + strspn (colon + 1, " ")))
        return false;
    }
  return !c.model || text_equal_nocase (c.model, "None") || import_control (im, &c);
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
