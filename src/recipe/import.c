/* SPDX-License-Identifier: MPL-2.0
 * import.c - finds out which program wrote a picture's metadata and calls its reader.
 */
#include "recipe/import.h"

#include <string.h>

#include "recipe/import-programs.h"
#include "recipe/import-workflow.h"
#include "recipe/infotext.h"
#include "recipe/json.h"

typedef struct
{
  const ImportText *texts;
  size_t n;
} Texts;

const char *
import_source_name (ImportSource source)
{
  static const char *const names[] = {
    [IMPORT_GESSO] = "Gesso",       [IMPORT_A1111] = "A1111",     [IMPORT_COMFYUI] = "ComfyUI",
    [IMPORT_INVOKEAI] = "InvokeAI", [IMPORT_SWARMUI] = "SwarmUI", [IMPORT_NOVELAI] = "NovelAI"
  };
  return names[source];
}

/* Blank ones count as absent: cameras write them. */
static const char *
find_text (const Texts *texts, const char *key)
{
  for (size_t i = 0; i < texts->n; i++)
    {
      const char *value = texts->texts[i].value;
      if (strcmp (texts->texts[i].key, key) == 0 && value[strspn (value, " \t\r\n")])
        return value;
    }
  return NULL;
}

static bool
looks_like_json (const char *text)
{
  return text[strspn (text, " \t\r\n")] == '{';
}

static struct json_object *
parse (const Import *im, const char *text, const char *what)
{
  size_t n = strlen (text);
  if (n <= IMPORT_MAX_JSON_BYTES)
    return json_parse (text, n, IMPORT_MAX_JSON_DEPTH, what, im->status);
  status_fail (im->status, STATUS_FORMAT, "%s is larger than %d MiB: it cannot be read.",
               status_text (what), IMPORT_MAX_JSON_BYTES >> 20);
  return NULL;
}

typedef bool (*JsonReader) (Import *im, struct json_object *root);

static bool
read_json (Import *im, const char *text, const char *what, JsonReader reader)
{
  struct json_object *root = parse (im, text, what);
  bool ok = root &&
            (json_object_is_type (root, json_type_object) ||
             status_fail (im->status, STATUS_FORMAT, "%s is no JSON object: it is damaged.",
                          status_text (what))) &&
            reader (im, root);
  json_object_put (root);
  return ok;
}

static bool
read_novelai (Import *im, const Texts *texts)
{
  struct json_object *root =
      parse (im, find_text (texts, "Comment"), STATUS_MARK ("NovelAI's comment"));
  bool ok = root && import_novelai (im, root, find_text (texts, "Description"));
  json_object_put (root);
  return ok;
}

static bool
unknown_json (Import *im)
{
  return status_fail (im->status, STATUS_NOT_FOUND,
                      "The picture's settings are JSON of a program that Gesso cannot read.");
}

static bool
read_workflow (Import *im, struct json_object *root)
{
  struct json_object *graph = import_workflow_graph (im, root);
  bool ok = graph && import_comfyui (im, graph);
  json_object_put (graph);
  return ok;
}

/* Either form of a graph, or an object that holds one, as JSON or as a text of JSON: some savers
 * wrap them.
 * @found: receives whether there was one */
static bool
read_any_graph (Import *im, struct json_object *root, bool *found)
{
  static const char *const keys[] = { "prompt", "workflow" };
  *found = true;
  if (import_is_comfyui (root))
    return import_comfyui (im, root);
  if (import_is_workflow (root))
    return read_workflow (im, root);
  *found = false;
  for (size_t i = 0; i < sizeof keys / sizeof keys[0] && !*found; i++)
    {
      const char *text = json_member_text (root, keys[i]);
      struct json_object *inner = text && looks_like_json (text)
                                      ? parse (im, text, STATUS_MARK ("The ComfyUI graph"))
                                      : json_object_get (json_member (root, keys[i]));
      bool ok = status_ok (im->status);
      *found = !ok || import_is_comfyui (inner) || import_is_workflow (inner);
      if (ok && *found)
        ok = import_is_comfyui (inner) ? import_comfyui (im, inner) : read_workflow (im, inner);
      json_object_put (inner);
      if (!ok)
        return false;
    }
  return true;
}

/* JSON in a field meant for A1111's text: SwarmUI, or ComfyUI's graph in a JPEG, WebP or film. */
static bool
read_json_parameters (Import *im, const char *text, ImportSource *source)
{
  struct json_object *root = parse (im, text, STATUS_MARK ("The picture's settings"));
  bool ok = false, found = false;
  if (!root)
    return false;
  if (json_member (root, "sui_image_params"))
    {
      *source = IMPORT_SWARMUI;
      ok = import_swarmui (im, root);
    }
  else
    {
      *source = IMPORT_COMFYUI;
      ok = read_any_graph (im, root, &found) && (found || unknown_json (im));
    }
  json_object_put (root);
  return ok;
}

/* A1111's text.  Beside a graph a ComfyUI node wrote it, and ComfyUI's ways hold. */
static bool
read_infotext (Import *im, const char *text, bool beside_graph, ImportSource *source)
{
  *source = beside_graph ? IMPORT_COMFYUI : IMPORT_A1111;
  if (!infotext_parse (im->recipe, text, im->notes, im->status))
    return false;
  if (!beside_graph)
    return true;
  im->recipe->noise = RECIPE_NOISE_CPU;
  im->recipe->weighting = RECIPE_WEIGHTING_COMFYUI;
  im->recipe->convention = RECIPE_CONVENTION_COMFYUI;
  return notes_add (
      im->notes, im->status,
      "The picture also holds its ComfyUI graph; the settings were read from its text.");
}

static bool
read_gesso (Import *im, const char *json)
{
  return recipe_from_json (im->recipe, json, strlen (json), im->notes, im->status);
}

/* The chunk that says most comes first; EXIF replaces "parameters", as in A1111. */
static bool
read_best (Import *im, const Texts *texts, ImportSource *source)
{
  const char *text;
  *source = IMPORT_GESSO;
  if ((text = find_text (texts, "gesso")))
    return read_gesso (im, text);
  *source = IMPORT_INVOKEAI;
  if ((text = find_text (texts, "invokeai_metadata")))
    return read_json (im, text, STATUS_MARK ("InvokeAI's metadata"), import_invokeai);
  if ((text = find_text (texts, "sd-metadata")))
    return read_json (im, text, STATUS_MARK ("InvokeAI's metadata"), import_invokeai_sd);
  if ((text = find_text (texts, "Dream")))
    return import_invokeai_dream (im, text);
  const char *graph = find_text (texts, "prompt");
  if ((text = find_text (texts, "UserComment")) || (text = find_text (texts, "parameters")))
    return looks_like_json (text)
               ? read_json_parameters (im, text, source)
               : read_infotext (im, text, graph && looks_like_json (graph), source);
  *source = IMPORT_COMFYUI;
  if (graph)
    return read_json (im, graph, STATUS_MARK ("The ComfyUI graph"), import_comfyui);
  if ((text = find_text (texts, "workflow")))
    return read_json (im, text, STATUS_MARK ("The ComfyUI graph"), read_workflow);
  *source = IMPORT_NOVELAI;
  const char *software = find_text (texts, "Software");
  if (software && text_starts_with (software, "NovelAI") && find_text (texts, "Comment"))
    return read_novelai (im, texts);
  /* of a film by VideoHelperSuite, or a workflow that was saved by itself */
  if (((text = find_text (texts, "comment")) || (text = find_text (texts, "json"))) &&
      looks_like_json (text))
    return read_json_parameters (im, text, source);
  return status_fail (im->status, STATUS_NOT_FOUND,
                      "The picture carries no settings of a program that Gesso can read.");
}

bool
import_recipe (Recipe *recipe,
               const ImportText *texts,
               size_t n_texts,
               ImportSource *source,
               Notes *notes,
               Status *status)
{
  Recipe read;
  recipe_init (&read);
  Import im = { &read, notes, status };
  Texts all = { texts, n_texts };
  if (!read_best (&im, &all, source))
    {
      recipe_clear (&read);
      return false;
    }
  recipe_clear (recipe);
  *recipe = read;
  return true;
}
