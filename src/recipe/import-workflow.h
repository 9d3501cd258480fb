/* SPDX-License-Identifier: MPL-2.0
 * import-workflow.h - ComfyUI's other form of a graph: what its window saves.
 */
#pragma once

#include "recipe/import-set.h"

/* True when @root looks like one: an object with an array of nodes. */
bool import_is_workflow (struct json_object *root);

/* import_workflow_graph:
 * @root: a workflow, version 0.4 or 1.0
 *
 * Turns it into the form of the chunk "prompt": inputs by name, links past muted, bypassed and
 * rerouting nodes, subgraphs opened.  Nodes whose settings have no names keep their links only, and
 * a note says so.
 *
 * Returns: a new reference; NULL and @im's status set: FORMAT, NO_MEMORY
 */
struct json_object *import_workflow_graph (Import *im, struct json_object *root);
