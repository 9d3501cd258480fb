/* SPDX-License-Identifier: MPL-2.0
 * import-graph.h - a ComfyUI graph as an array of nodes that can be walked without going in
 * circles.
 */
#pragma once

#include "recipe/import-set.h"

enum
{
  GRAPH_MAX_NODES = 10000,
  GRAPH_ID_SIZE = 1024,     /* of a node; what is longer is none */
  GRAPH_MAX_WALK = 200,     /* links followed in one direction; longer chains end there */
  GRAPH_MAX_LOOKS = 5000000 /* at inputs, all together: a file cannot keep us busy */
};

typedef struct
{
  const char *id, *class_type; /* borrowed from the JSON */
  struct json_object *inputs;  /* borrowed, an object */
  bool understood;             /* its settings are in the recipe, in a note, or do not matter */
} GraphNode;

/* Zero-initialise. */
typedef struct
{
  GraphNode *nodes;
  size_t n, capacity;
  int64_t n_looks;
  Status *status; /* that of graph_read() */
} Graph;

/* Borrows from @root, and keeps @status: both have to outlive the graph. */
bool graph_read (Graph *graph, struct json_object *root, Status *status);
void graph_clear (Graph *graph);

/* The node that input @key is linked to; NULL when it is none or holds a value, or when
 * GRAPH_MAX_LOOKS were done: the graph's status says so. */
GraphNode *graph_follow (Graph *graph, const GraphNode *node, const char *key);
/* The same for the first of the NULL-terminated @keys that is linked. */
GraphNode *graph_follow_any (Graph *graph, const GraphNode *node, const char *const *keys);

/* graph_value:
 *
 * Returns: the single value of input @key, borrowed; when it is linked, the value of that name, or
 * under a usual one ("value", "text", ...), in the nodes behind the link; NULL when there is none
 */
struct json_object *graph_value (Graph *graph, GraphNode *node, const char *key);
/* The same, when it is a text. */
const char *graph_text (Graph *graph, GraphNode *node, const char *key);

bool graph_has (const GraphNode *node, const char *key);
