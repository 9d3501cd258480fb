/* SPDX-License-Identifier: MPL-2.0
 * import-comfyui.h - the parts of reading a ComfyUI graph; for import-comfyui*.c only.
 *
 * All return false (NULL) with the status set when memory ran out.
 */
#pragma once

#include "recipe/import-graph.h"

typedef struct
{
  Import *im;
  Graph graph;
} Comfy;

bool comfy_class_has (const GraphNode *node, const char *part);
/* Sets recipe key @key from the value of @input, if there is one. */
bool comfy_set (Comfy *w, GraphNode *node, const char *input, const char *key);

bool comfy_read_sampler (Comfy *w, GraphNode *sampler);
/* Returns: the node that holds model and prompts: the guider of SamplerCustomAdvanced, or @sampler
 */
GraphNode *comfy_read_guider (Comfy *w, GraphNode *sampler);

bool comfy_set_vae (Comfy *w, GraphNode *node);
bool comfy_read_models (Comfy *w, const GraphNode *from);
/* @branch: "positive", "negative" or "conditioning"; @key: the recipe's prompt */
bool comfy_read_prompt (Comfy *w, const GraphNode *from, const char *branch, const char *key);
