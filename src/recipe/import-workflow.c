/* SPDX-License-Identifier: MPL-2.0
 * import-workflow.c - a workflow as ComfyUI's window keeps it, turned into the graph it runs.
 *
 * There a node's settings are a list in the order in which they are shown, and links are numbers
 * into a table.  Newer files name the settings among the inputs; of older ones the names of
 * ComfyUI's own nodes are known here (its documentation of built-in nodes).
 *
 * Links of a subgraph (ComfyUI frontend, litegraph's Subgraph) that begin at node -10 come from its
 * inputs, those that end at -20 are its outputs.
 */
#include "recipe/import-workflow.h"

#include <stdio.h>
#include <string.h>

#include "recipe/import-graph.h"
#include "recipe/json.h"

enum
{
  MAX_DEPTH = 16,       /* of subgraphs in each other */
  ID_SIZE = 512,        /* "7:12:3" */
  MAX_LOOKS = 50000000, /* at links, nodes and settings: a file cannot keep us busy */
  PUT_LOOKS = 64,       /* what a new member counts: it takes memory */
  MODE_MUTED = 2,
  MODE_BYPASSED = 4,
  SUBGRAPH_INPUT = -10,
  SUBGRAPH_OUTPUT = -20
};

/* A workflow or an opened subgraph. */
typedef struct Level Level;
struct Level
{
  struct json_object *nodes, *links;
  const Level *outer;           /* NULL: the workflow itself */
  struct json_object *instance; /* the node of @outer that stands for this */
  char prefix[ID_SIZE];         /* of ids */
  int depth;
  int64_t *looks; /* how many are left; one number for all levels */
};

typedef struct
{
  Import *im;
  struct json_object *definitions; /* subgraphs; NULL without */
  struct json_object *graph;
  int n_nodes;
  int64_t looks;
} Reader;

/* Where a link comes from. */
typedef struct
{
  const Level *level;
  struct json_object *node; /* NULL: from nowhere */
  int64_t slot;
} Origin;

/* ComfyUI's own nodes, and the few of others that everybody uses: what their settings are called,
 * in order. */
static const char *const known[][14] = {
  { "CheckpointLoaderSimple", "ckpt_name" },
  { "UNETLoader", "unet_name", "weight_dtype" },
  { "UnetLoaderGGUF", "unet_name" },
  { "VAELoader", "vae_name" },
  { "CLIPLoader", "clip_name", "type", "device" },
  { "DualCLIPLoader", "clip_name1", "clip_name2", "type", "device" },
  { "CLIPVisionLoader", "clip_name" },
  { "CLIPVisionEncode", "crop" },
  { "ControlNetLoader", "control_net_name" },
  { "ControlNetApplyAdvanced", "strength", "start_percent", "end_percent" },
  { "LoraLoader", "lora_name", "strength_model", "strength_clip" },
  { "LoraLoaderModelOnly", "lora_name", "strength_model" },
  { "CLIPSetLastLayer", "stop_at_clip_layer" },
  { "CLIPTextEncode", "text" },
  { "CLIPTextEncodeFlux", "clip_l", "t5xxl", "guidance" },
  { "CLIPTextEncodeSDXL", "width", "height", "crop_w", "crop_h", "target_width", "target_height",
    "text_g", "text_l" },
  { "FluxGuidance", "guidance" },
  { "ModelSamplingDiscrete", "sampling", "zsnr" },
  { "ModelSamplingFlux", "max_shift", "base_shift", "width", "height" },
  { "ModelSamplingSD3", "shift" },
  { "RescaleCFG", "multiplier" },
  { "EmptyLatentImage", "width", "height", "batch_size" },
  { "EmptySD3LatentImage", "width", "height", "batch_size" },
  { "EmptyHunyuanLatentVideo", "width", "height", "length", "batch_size" },
  { "WanImageToVideo", "width", "height", "length", "batch_size" },
  { "WanFirstLastFrameToVideo", "width", "height", "length", "batch_size" },
  { "Wan22ImageToVideoLatent", "width", "height", "length", "batch_size" },
  { "KSampler", "seed", "steps", "cfg", "sampler_name", "scheduler", "denoise" },
  { "KSamplerAdvanced", "add_noise", "noise_seed", "steps", "cfg", "sampler_name", "scheduler",
    "start_at_step", "end_at_step", "return_with_leftover_noise" },
  { "SamplerCustom", "add_noise", "noise_seed", "cfg" },
  { "KSamplerSelect", "sampler_name" },
  { "BasicScheduler", "scheduler", "steps", "denoise" },
  { "SplitSigmas", "step" },
  { "RandomNoise", "noise_seed" },
  { "CFGGuider", "cfg" },
  { "LoadImage", "image" },
  { "SaveImage", "filename_prefix" },
  { "SaveVideo", "filename_prefix", "format", "codec" },
  { "SaveWEBM", "filename_prefix", "codec", "fps", "crf" },
  { "SaveAnimatedWEBP", "filename_prefix", "fps", "lossless", "quality", "method" },
  { "CreateVideo", "fps" },
  { "WanVideoLoraSelect", "lora", "strength", "low_mem_load", "merge_loras" },
  { "WanVideoLoraSelectMulti", "lora_0", "strength_0", "lora_1", "strength_1", "lora_2",
    "strength_2", "lora_3", "strength_3", "lora_4", "strength_4", "low_mem_load", "merge_loras" },
  { "PrimitiveInt", "value" },
  { "PrimitiveFloat", "value" },
  { "PrimitiveString", "value" },
  { "PrimitiveStringMultiline", "value" },
  { "PrimitiveBoolean", "value" },
};

static bool
no_memory (Reader *r)
{
  return status_fail (r->im->status, STATUS_NO_MEMORY,
                      "Out of memory: close other programs and retry.");
}

static size_t
length_of (struct json_object *array)
{
  return json_object_is_type (array, json_type_array) ? json_object_array_length (array) : 0;
}

/* Ids are numbers, or texts in some versions.  Longer texts are none: comparing them takes long. */
static bool
is_id (struct json_object *value)
{
  return json_object_is_type (value, json_type_int) ||
         (json_object_is_type (value, json_type_string) &&
          json_object_get_string_len (value) < ID_SIZE);
}

static bool
same_id (struct json_object *a, struct json_object *b)
{
  if (!is_id (a) || !is_id (b))
    return false;
  if (json_object_is_type (a, json_type_int) && json_object_is_type (b, json_type_int))
    return json_object_get_int64 (a) == json_object_get_int64 (b);
  const char *one = json_object_get_string (a), *two = json_object_get_string (b);
  return one && two && strcmp (one, two) == 0;
}

/* A number that stands where an id does; 0 for all else.  Longer texts of digits are none, either.
 */
static int64_t
number_of (struct json_object *value)
{
  return is_id (value) ? json_object_get_int64 (value) : 0;
}

static const char *
id_of (struct json_object *node)
{
  struct json_object *id = json_member (node, "id");
  const char *text = is_id (id) ? json_object_get_string (id) : NULL;
  return text ? text : "";
}

/* A text as short as an id; NULL for all else. */
static const char *
short_text (struct json_object *object, const char *key)
{
  return is_id (json_member (object, key)) ? json_member_text (object, key) : NULL;
}

static const char *
type_of (struct json_object *node)
{
  const char *type = short_text (node, "type");
  return type ? type : "";
}

static bool
is_type (struct json_object *node, const char *type)
{
  return strcmp (type_of (node), type) == 0;
}

static bool
in_mode (struct json_object *node, int mode)
{
  return number_of (json_member (node, "mode")) == mode;
}

/* Returns: false when too much was looked at already; nothing is found then */
static bool
spend (int64_t *looks, size_t n)
{
  *looks -= *looks >= 0 ? (int64_t) n : 0;
  return *looks >= 0;
}

static bool
may_look (const Level *level, struct json_object *array)
{
  return spend (level->looks, length_of (array));
}

static bool
too_many (Reader *r)
{
  return status_fail (r->im->status, STATUS_FORMAT,
                      "The ComfyUI workflow has too many links to be read.");
}

static struct json_object *
find_node (const Level *level, struct json_object *id)
{
  size_t n = may_look (level, level->nodes) ? length_of (level->nodes) : 0;
  for (size_t i = 0; i < n; i++)
    {
      struct json_object *node = json_object_array_get_idx (level->nodes, i);
      if (same_id (json_member (node, "id"), id))
        return node;
    }
  return NULL;
}

/* ---- links ---- */

/* Links are arrays [id, from node, from slot, to node, to slot, type], or objects in subgraphs. */
static struct json_object *
link_part (struct json_object *link, int index, const char *key)
{
  return json_object_is_type (link, json_type_array)
             ? json_object_array_get_idx (link, (size_t) index)
             : json_member (link, key);
}

static struct json_object *
find_link (const Level *level, struct json_object *id)
{
  if (json_object_is_type (id, json_type_null))
    return NULL;
  size_t n = may_look (level, level->links) ? length_of (level->links) : 0;
  for (size_t i = 0; i < n; i++)
    {
      struct json_object *link = json_object_array_get_idx (level->links, i);
      if (same_id (link_part (link, 0, "id"), id))
        return link;
    }
  return NULL;
}

static struct json_object *
subgraph_of (Reader *r, struct json_object *node)
{
  struct json_object *type = json_member (node, "type");
  size_t n = spend (&r->looks, length_of (r->definitions)) ? length_of (r->definitions) : 0;
  for (size_t i = 0; i < n; i++)
    {
      struct json_object *graph = json_object_array_get_idx (r->definitions, i);
      if (same_id (json_member (graph, "id"), type))
        return graph;
    }
  return NULL;
}

static struct json_object *
input_at (struct json_object *node, int64_t slot)
{
  struct json_object *inputs = json_member (node, "inputs");
  return slot >= 0 && (size_t) slot < length_of (inputs)
             ? json_object_array_get_idx (inputs, (size_t) slot)
             : NULL;
}

/* A bypassed node hands on its first input of the output's type. */
static struct json_object *
bypass (const Level *level, struct json_object *node, int64_t slot)
{
  struct json_object *inputs = json_member (node, "inputs"),
                     *outputs = json_member (node, "outputs");
  struct json_object *output = slot >= 0 && (size_t) slot < length_of (outputs)
                                   ? json_object_array_get_idx (outputs, (size_t) slot)
                                   : NULL;
  const char *type = short_text (output, "type");
  size_t n = type && may_look (level, inputs) ? length_of (inputs) : 0;
  for (size_t i = 0; i < n; i++)
    {
      struct json_object *input = json_object_array_get_idx (inputs, i);
      const char *other = short_text (input, "type");
      if (other && strcmp (type, other) == 0)
        return json_member (input, "link");
    }
  return NULL;
}

/* KJNodes' wires without a line: GetNode continues where the SetNode of its name begins. */
static struct json_object *
set_node_for (const Level *level, struct json_object *get)
{
  struct json_object *name = json_object_array_get_idx (json_member (get, "widgets_values"), 0);
  size_t n = may_look (level, level->nodes) ? length_of (level->nodes) : 0;
  for (size_t i = 0; i < n; i++)
    {
      struct json_object *node = json_object_array_get_idx (level->nodes, i);
      struct json_object *values = json_member (node, "widgets_values");
      if (is_type (node, "SetNode") && length_of (values) > 0 &&
          same_id (json_object_array_get_idx (values, 0), name))
        return node;
    }
  return NULL;
}

/* Returns: the link behind @node, which only hands on; NULL when it does more than that */
static struct json_object *
link_behind (const Level *level, struct json_object *node, int64_t slot)
{
  if (in_mode (node, MODE_BYPASSED))
    return bypass (level, node, slot);
  if (is_type (node, "Reroute") || is_type (node, "SetNode"))
    return json_member (input_at (node, 0), "link");
  if (is_type (node, "GetNode") && length_of (json_member (node, "widgets_values")) > 0)
    return json_member (input_at (set_node_for (level, node), 0), "link");
  return NULL;
}

static bool
only_hands_on (struct json_object *node)
{
  return in_mode (node, MODE_BYPASSED) || is_type (node, "Reroute") || is_type (node, "SetNode") ||
         is_type (node, "GetNode");
}

/* Where the link @id of @level comes from, past all that only hands on and out of the subgraph; an
 * origin that is a subgraph's own output stays at the node that stands for it. */
static Origin
origin_of (const Level *level, struct json_object *id)
{
  for (int i = 0; i < GRAPH_MAX_WALK; i++)
    {
      struct json_object *link = find_link (level, id);
      struct json_object *from = link ? link_part (link, 1, "origin_id") : NULL;
      int64_t slot = link ? number_of (link_part (link, 2, "origin_slot")) : 0;
      if (!from)
        break;
      if (level->outer && number_of (from) == SUBGRAPH_INPUT)
        {
          id = json_member (input_at (level->instance, slot), "link");
          level = level->outer;
          continue;
        }
      struct json_object *node = find_node (level, from);
      if (!node || in_mode (node, MODE_MUTED))
        break;
      if (!only_hands_on (node))
        return (Origin){ level, node, slot };
      id = link_behind (level, node, slot);
    }
  return (Origin){ NULL, NULL, 0 };
}

/* ---- subgraphs ---- */

static bool
open_level (const Level *outer, struct json_object *node, struct json_object *graph, Level *level)
{
  *level = (Level){ .nodes = json_member (graph, "nodes"),
                    .links = json_member (graph, "links"),
                    .outer = outer,
                    .instance = node,
                    .depth = outer->depth + 1,
                    .looks = outer->looks };
  int n = snprintf (level->prefix, sizeof level->prefix, "%s%s:", outer->prefix, id_of (node));
  return n > 0 && (size_t) n < sizeof level->prefix && level->depth <= MAX_DEPTH;
}

/* The link inside @level that ends at its output @slot. */
static struct json_object *
output_link (const Level *level, int64_t slot)
{
  size_t n = may_look (level, level->links) ? length_of (level->links) : 0;
  for (size_t i = 0; i < n; i++)
    {
      struct json_object *link = json_object_array_get_idx (level->links, i);
      if (number_of (link_part (link, 3, "target_id")) == SUBGRAPH_OUTPUT &&
          number_of (link_part (link, 4, "target_slot")) == slot)
        return link_part (link, 0, "id");
    }
  return NULL;
}

/* Writes the link [id, slot] for @o, going into subgraphs until a node of its own is found.
 * Returns: a new reference, NULL for none; failure in the status */
static struct json_object *
link_to (Reader *r, Origin o)
{
  Level inside[MAX_DEPTH];
  struct json_object *graph;
  int n = 0;
  while (o.node && (graph = subgraph_of (r, o.node)))
    {
      if (n >= MAX_DEPTH || !open_level (o.level, o.node, graph, &inside[n]))
        return NULL;
      o = origin_of (&inside[n], output_link (&inside[n], o.slot));
      n++;
    }
  if (!o.node)
    return NULL;
  char id[ID_SIZE + TEXT_EXCERPT_SIZE];
  snprintf (id, sizeof id, "%s%s", o.level->prefix, id_of (o.node));
  struct json_object *link = json_object_new_array_ext (2), *name = json_object_new_string (id),
                     *slot = json_object_new_int64 (o.slot);
  if (link && name && slot && json_object_array_add (link, name) == 0 &&
      json_object_array_add (link, slot) == 0)
    return link;
  json_object_put (link);
  no_memory (r);
  return NULL;
}

/* ---- settings ---- */

static bool
put (Reader *r, struct json_object *inputs, const char *name, struct json_object *value)
{
  bool may = spend (&r->looks, PUT_LOOKS + strlen (name));
  if (may && json_object_object_add (inputs, name, value) == 0)
    return true;
  json_object_put (value);
  return may ? no_memory (r) : too_many (r);
}

static bool
put_shared (Reader *r, struct json_object *inputs, const char *name, struct json_object *value)
{
  return put (r, inputs, name, json_object_get (value));
}

/* Behind a seed the window shows what becomes of it after each run. */
static bool
is_seed_control (const char *name, struct json_object *value)
{
  static const char *const words[] = { "fixed", "increment", "decrement", "randomize" };
  if (!strstr (name, "seed") || !json_object_is_type (value, json_type_string))
    return false;
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (strcmp (json_object_get_string (value), words[i]) == 0)
      return true;
  return false;
}

static const char *const *
known_names (struct json_object *node)
{
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (is_type (node, known[i][0]))
      return known[i] + 1;
  return NULL;
}

static const char *
widget_name (struct json_object *input)
{
  return short_text (json_member (input, "widget"), "name");
}

/* The names of a node's settings, in order: of one that is known, else of its inputs. */
typedef struct
{
  const char *const *known; /* NULL: not known */
  struct json_object *inputs;
  size_t at;
} Names;

static const char *
next_name (Names *names)
{
  const char *name = NULL;
  if (names->known)
    return names->known[names->at++];
  while (!name && names->at < length_of (names->inputs))
    name = widget_name (json_object_array_get_idx (names->inputs, names->at++));
  return name;
}

static bool
note_unnamed (Reader *r, struct json_object *node)
{
  char excerpt[TEXT_EXCERPT_SIZE];
  return notes_add (r->im->notes, r->im->status,
                    "The settings of %s have no names in this workflow and were not read.",
                    text_excerpt (excerpt, type_of (node)));
}

/* Some nodes keep their settings by name. */
static bool
put_named (Reader *r, struct json_object *values, struct json_object *inputs)
{
  struct json_object_iter it;
  bool ok = true;
  json_object_object_foreachC (values, it)
  {
    ok = ok && put_shared (r, inputs, it.key, it.val);
  }
  return ok;
}

/* @inputs: NULL to count only
 * @n_read: receives how many of @values have a name */
static bool
put_list (
    Reader *r, Names names, struct json_object *values, struct json_object *inputs, size_t *n_read)
{
  const char *name;
  size_t at = 0, n = length_of (values);
  bool ok = true;
  while (ok && at < n && (name = next_name (&names)))
    {
      ok = !inputs || put_shared (r, inputs, name, json_object_array_get_idx (values, at));
      at++;
      if (at < n && is_seed_control (name, json_object_array_get_idx (values, at)))
        at++;
    }
  *n_read = at;
  return ok;
}

/* What follows the settings of a known node is of the window alone, as the button beside a picture.
 * Of another, an older file names only those that are linked: which value is which is not known. */
static bool
put_settings (Reader *r, struct json_object *node, struct json_object *inputs)
{
  struct json_object *values = json_member (node, "widgets_values");
  Names names = { .known = known_names (node), .inputs = json_member (node, "inputs") };
  size_t n_read, n = length_of (values);
  if (json_object_is_type (values, json_type_object))
    return put_named (r, values, inputs);
  if (!spend (&r->looks, n + length_of (names.inputs)))
    return too_many (r);
  if (!names.known && put_list (r, names, values, NULL, &n_read) && n_read < n)
    return note_unnamed (r, node);
  return put_list (r, names, values, inputs, &n_read);
}

/* A setting that stands in the form of the node around; the inner node's own may be old. */
static bool
put_from_outside (Reader *r,
                  const Level *level,
                  struct json_object *input,
                  const char *name,
                  struct json_object *inputs)
{
  struct json_object *link = find_link (level, json_member (input, "link"));
  if (!link || !level->outer || number_of (link_part (link, 1, "origin_id")) != SUBGRAPH_INPUT)
    return true;
  int64_t slot = number_of (link_part (link, 2, "origin_slot"));
  const char *at, *outer_name = widget_name (input_at (level->instance, slot));
  struct json_object *values = json_member (level->instance, "widgets_values");
  Names names = { .inputs = json_member (level->instance, "inputs") };
  if (!outer_name)
    return true;
  if (!may_look (level, names.inputs))
    return too_many (r);
  for (size_t i = 0; i < length_of (values) && (at = next_name (&names)); i++)
    if (strcmp (at, outer_name) == 0)
      return put_shared (r, inputs, name, json_object_array_get_idx (values, i));
  return true;
}

static bool
put_link (Reader *r, const Level *level, struct json_object *input, struct json_object *inputs)
{
  const char *name = short_text (input, "name");
  if (!name)
    return true;
  Origin origin = origin_of (level, json_member (input, "link"));
  if (!origin.node)
    return put_from_outside (r, level, input, name, inputs);
  struct json_object *values = json_member (origin.node, "widgets_values");
  if (is_type (origin.node, "PrimitiveNode"))
    return length_of (values) == 0 ||
           put_shared (r, inputs, name, json_object_array_get_idx (values, 0));
  struct json_object *link = link_to (r, origin);
  return status_ok (r->im->status) && (!link || put (r, inputs, name, link));
}

static bool
put_links (Reader *r, const Level *level, struct json_object *node, struct json_object *inputs)
{
  struct json_object *list = json_member (node, "inputs");
  size_t n = may_look (level, list) ? length_of (list) : 0;
  for (size_t i = 0; i < n; i++)
    if (!put_link (r, level, json_object_array_get_idx (list, i), inputs))
      return false;
  return r->looks >= 0 || too_many (r);
}

/* ---- nodes ---- */

static bool
is_of_the_window (struct json_object *node)
{
  return only_hands_on (node) || in_mode (node, MODE_MUTED) || is_type (node, "PrimitiveNode") ||
         is_type (node, "Note") || is_type (node, "MarkdownNote") || !*type_of (node);
}

static bool
put_node (Reader *r, const Level *level, struct json_object *node)
{
  char id[ID_SIZE + TEXT_EXCERPT_SIZE];
  snprintf (id, sizeof id, "%s%s", level->prefix, id_of (node));
  struct json_object *out = json_object_new_object (), *inputs = json_object_new_object ();
  if (!out || !inputs || json_object_object_add (r->graph, id, out) != 0)
    {
      json_object_put (out);
      json_object_put (inputs);
      return no_memory (r);
    }
  return put (r, out, "inputs", inputs) &&
         put_shared (r, out, "class_type", json_member (node, "type")) &&
         put_settings (r, node, inputs) && put_links (r, level, node, inputs);
}

static bool
put_level (Reader *r, const Level *level)
{
  for (size_t i = 0; i < length_of (level->nodes); i++)
    {
      struct json_object *node = json_object_array_get_idx (level->nodes, i);
      struct json_object *graph = subgraph_of (r, node);
      Level inside;
      if (r->looks < 0)
        return too_many (r);
      if (++r->n_nodes > GRAPH_MAX_NODES)
        return status_fail (r->im->status, STATUS_FORMAT,
                            "The ComfyUI graph has more than %d nodes: it cannot be read.",
                            GRAPH_MAX_NODES);
      if (is_of_the_window (node))
        continue;
      if (graph && !open_level (level, node, graph, &inside))
        return status_fail (r->im->status, STATUS_FORMAT,
                            "The workflow has subgraphs in each other more than %d deep: it cannot "
                            "be read.",
                            MAX_DEPTH);
      if (graph ? !put_level (r, &inside) : !put_node (r, level, node))
        return false;
    }
  return true;
}

bool
import_is_workflow (struct json_object *root)
{
  return json_object_is_type (json_member (root, "nodes"), json_type_array);
}

struct json_object *
import_workflow_graph (Import *im, struct json_object *root)
{
  Reader r = { .im = im,
               .definitions = json_member (json_member (root, "definitions"), "subgraphs"),
               .graph = json_object_new_object (),
               .looks = MAX_LOOKS };
  Level top = { .nodes = json_member (root, "nodes"),
                .links = json_member (root, "links"),
                .looks = &r.looks };
  if (!r.graph)
    no_memory (&r);
  else if (put_level (&r, &top))
    return r.graph;
  json_object_put (r.graph);
  return NULL;
}
