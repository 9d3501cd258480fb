/* SPDX-License-Identifier: MPL-2.0
 * import-control.h - ControlNets as other programs write them.
 */
#pragma once

#include "recipe/controls.h"
#include "recipe/import-graph.h"
#include "recipe/pairs.h"

/* What was read of one; texts are borrowed, NULL when nothing was said. */
typedef struct
{
  const char *model;   /* a file's name, with or without extension and folders */
  const char *module;  /* the preprocessor, as its program calls it */
  const char *picture; /* the name of a file that only the other program knows */
  RecipeResize resize;
  double weight, start, end; /* out of range: the nearest that is in it */
  double a, b;               /* of the preprocessor; below 0: not said */
  double side;               /* the shorter one, of what it works on; up to 0: the result's */
  bool pixel_perfect;        /* it is the result's, whatever @side says */
} ImportedControl;

/* Adds it, and notes that its picture has to be chosen, and what a recipe cannot hold of it. */
bool import_control (Import *im, const ImportedControl *control);

/* A1111's fields "ControlNet 0", ...: both forms that the extension has written. */
bool import_control_pairs (Import *im, Pairs *pairs);

/* A ComfyUI node that applies one: ControlNetApply, ControlNetApplyAdvanced and their kin. */
bool import_control_node (Import *im, Graph *graph, GraphNode *node);
