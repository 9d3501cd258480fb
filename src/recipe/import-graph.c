/* SPDX-License-Identifier: MPL-2.0
 * import-graph.c - walking a ComfyUI graph.
 */
#include "recipe/import-graph.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "recipe/json.h"

static int
compare_ids (const void *a, const void *b)
{
  return strcmp (((const GraphNode *) a)->id, ((const GraphNode *) b)->id);
}

static bool
add_node (Graph *graph, const char *id, struct json_object *value, Status *status)
{
  GraphNode node = { .id = id,
                     .class_type = json_member_text (value, "class_type"),
                     .inputs = json_member (value, "inputs") };
  if (!node.class_type || !json_object_is_type (node.inputs, json_type_object) ||
      strlen (id) >= GRAPH_ID_SIZE)
    return true; /* not a node: settings of the editor */
  if (graph->n >= GRAPH_MAX_NODES)
    return status_fail (status, STATUS_FORMAT,
                        "The ComfyUI graph has more than %d nodes: it cannot be read.",
                        GRAPH_MAX_NODES);
  if (!mem_grow (&graph->nodes, &graph->capacity, graph->n + 1, sizeof node, status))
    return false;
  graph->nodes[graph->n++] = node;
  return true;
}

bool
graph_read (Graph *graph, struct json_object *root, Status *status)
{
  struct json_object_iter it;
  bool ok = true;
  graph->status = status;
  json_object_object_foreachC (root, it)
  {
    ok = ok && add_node (graph, it.key, it.val, status);
  }
  if (graph->n)
    qsort (graph->nodes, graph->n, sizeof *graph->nodes, compare_ids);
  return ok;
}

void
graph_clear (Graph *graph)
{
  mem_free (graph->nodes);
  *graph = (Graph){ 0 };
}

bool
graph_has (const GraphNode *node, const char *key)
{
  return json_member (node->inputs, key) != NULL;
}

/* A link is the array [id of a node, number of its output].  Anything longer than an id would be
 * written out, or compared, at every look. */
static bool
is_link (struct json_object *value)
{
  if (!json_object_is_type (value, json_type_array) || json_object_array_length (value) != 2)
    return false;
  struct json_object *id = json_object_array_get_idx (value, 0);
  return (json_object_is_type (id, json_type_int) ||
          (json_object_is_type (id, json_type_string) &&
           json_object_get_string_len (id) < GRAPH_ID_SIZE)) &&
         json_object_is_type (json_object_array_get_idx (value, 1), json_type_int);
}

GraphNode *
graph_follow (Graph *graph, const GraphNode *node, const char *key)
{
  struct json_object *value = json_member (node->inputs, key);
  if (++graph->n_looks > GRAPH_MAX_LOOKS)
    status_fail (graph->status, STATUS_FORMAT,
                 "The ComfyUI workflow has too many links to be read.");
  if (graph->n_looks > GRAPH_MAX_LOOKS || !is_link (value) || graph->n == 0)
    return NULL;
  GraphNode wanted = { .id = json_object_get_string (json_object_array_get_idx (value, 0)) };
  return wanted.id ? bsearch (&wanted, graph->nodes, graph->n, sizeof wanted, compare_ids) : NULL;
}

GraphNode *
graph_follow_any (Graph *graph, const GraphNode *node, const char *const *keys)
{
  GraphNode *found = NULL;
  for (; *keys && !found; keys++)
    found = graph_follow (graph, node, *keys);
  return found;
}

static bool
is_single (struct json_object *value)
{
  enum json_type type = json_object_get_type (value);
  return type != json_type_null && type != json_type_object && type != json_type_array;
}

struct json_object *
graph_value (Graph *graph, GraphNode *node, const char *key)
{
  static const char *const usual[] = { "value", "text",       "string", "int",  "float", "number",
                                       "seed",  "noise_seed", "prompt", "Text", NULL };
  const char *from = key;
  for (int i = 0; node && i < GRAPH_MAX_WALK; i++)
    {
      node->understood = true;
      struct json_object *value = json_member (node->inputs, from);
      if (is_single (value))
        return value;
      GraphNode *next = graph_follow (graph, node, from);
      if (!next)
        return NULL;
      from = graph_has (next, key) ? key : NULL;
      for (const char *const *name = usual; !from && *name; name++)
        from = graph_has (next, *name) ? *name : NULL;
      if (!from)
        return NULL;
      node = next;
    }
  return NULL;
}

const char *
graph_text (Graph *graph, GraphNode *node, const char *key)
{
  struct json_object *value = graph_value (graph, node, key);
  if (!json_object_is_type (value, json_type_string))
    return NULL;
  const char *text = json_object_get_string (value);
  return text && strlen (text) == (size_t) json_object_get_string_len (value) ? text : NULL;
}
