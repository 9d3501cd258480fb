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
  bool is_clip; /* its latents have frames */
} Comfy;

typedef bool (*ComfyTest) (const GraphNode *node);

bool comfy_class_has (const GraphNode *node, const char *part);
/* Sets recipe key @key from the value of @input, if there is one. */
bool comfy_set (Comfy *w, GraphNode *node, const char *input, const char *key);

/* comfy_find_upstream:
 *
 * Breadth first from @start (included) along pictures and latents.  Returns: NULL when there is
 * none, or @w's status is set
 */
GraphNode *comfy_find_upstream (Comfy *w, GraphNode *start, ComfyTest test);
/* What the sampler starts from. */
GraphNode *comfy_latent_of (Comfy *w, const GraphNode *sampler);

bool comfy_read_sampler (Comfy *w, GraphNode *sampler);
/* Kijai's WanVideoWrapper, whose one node is sampler, schedule and shift. */
bool comfy_is_wan_wrapper (const GraphNode *sampler);
/* The step that @sampler begins or ends before, under whichever name; -1 when it does not say.
 * @end: the end, not the beginning */
int64_t comfy_step_of (Comfy *w, GraphNode *sampler, bool end);
/* Notes what @sampler leaves undone; the last pass that does a part of the same run is @last. */
bool comfy_note_partial_steps (Comfy *w, GraphNode *sampler, GraphNode *last);
/* Returns: the node that holds model and prompts: the guider of SamplerCustomAdvanced, or @sampler
 */
GraphNode *comfy_read_guider (Comfy *w, GraphNode *sampler);

bool comfy_set_vae (Comfy *w, GraphNode *node);
bool comfy_read_models (Comfy *w, const GraphNode *from);
/* Returns: the file's name in the loader that @from has its model from; NULL when there is none */
const char *comfy_peek_model (Comfy *w, const GraphNode *from);
/* @branch: "positive", "negative" or "conditioning"; @key: the recipe's prompt */
bool comfy_read_prompt (Comfy *w, const GraphNode *from, const char *branch, const char *key);

/* ---- clips: import-comfyui-clips.c ---- */

bool comfy_is_loaded_image (const GraphNode *node);
bool comfy_has_frames (const GraphNode *node);
/* Notes the pictures that a clip begins and ends with, and inputs that a recipe has no place for.
 * @sized: the node that says how long the clip is */
bool comfy_read_frames (Comfy *w, GraphNode *sized);
/* Frames a second, from whatever writes the film. */
bool comfy_read_rate (Comfy *w);
/* Whether @later goes on where @earlier stops, in the same run, with another model: Wan 2.2's two
 * experts. */
bool comfy_is_second_expert (Comfy *w, const GraphNode *later, const GraphNode *earlier);
/* comfy_read_second_expert:
 * @sampler: for which comfy_is_second_expert() was true
 *
 * After the first pass was read: the second model, its guidance, its adapters, and the noise level
 * at which it takes over.
 */
bool comfy_read_second_expert (Comfy *w, GraphNode *sampler);
/* What ComfyUI does to Wan's noise levels when the graph says nothing. */
bool comfy_settle_shift (Comfy *w);
