/* SPDX-License-Identifier: MPL-2.0
 * import-programs.h - one reader for each program; called by import.c with parsed JSON.
 *
 * Each returns false with the status set when the text is damaged or memory ran out.
 */
#pragma once

#include "recipe/import-set.h"

/* @graph: the API-format graph of the chunk "prompt" */
bool import_comfyui (Import *im, struct json_object *graph);
/* True when @root looks like such a graph: an object of objects with a class_type. */
bool import_is_comfyui (struct json_object *root);

bool import_invokeai (Import *im, struct json_object *metadata); /* invokeai_metadata */
bool import_invokeai_sd (Import *im, struct json_object *root);  /* sd-metadata */
bool import_invokeai_dream (Import *im, const char *command);    /* Dream */

bool import_swarmui (Import *im, struct json_object *root); /* an object with sui_image_params */

/* @description: the prompt, NULL when it stands in @comment */
bool import_novelai (Import *im, struct json_object *comment, const char *description);

/* Sampler and schedule names of ComfyUI and SwarmUI. */
bool import_comfyui_sampler (Import *im, const char *name);
bool import_comfyui_scheduler (Import *im, const char *name);
