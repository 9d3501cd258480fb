/* SPDX-License-Identifier: MPL-2.0
 * gesso-planner.h - what the form's recipe needs and takes, asked of the worker a moment after each
 * edit.
 *
 * Signal "changed": text, problem or native side are new.
 */
#pragma once

#include "app/gesso-form.h"
#include "library/gesso-library.h"
#include "session/gesso-session.h"

G_BEGIN_DECLS

#define GESSO_TYPE_PLANNER (gesso_planner_get_type ())
G_DECLARE_FINAL_TYPE (GessoPlanner, gesso_planner, GESSO, PLANNER, GObject)

GessoPlanner *gesso_planner_new (GessoSession *session, GessoLibrary *library, GessoForm *form);
/* Whether Generate will add a start picture and a mask, which only the canvas has; with @clips the
 * picture is the first frame. */
void gesso_planner_set_inputs (GessoPlanner *self, gboolean picture, gboolean mask, gboolean clips);
/* "About 12 s · 2.1 GB"; "" while nothing is known. */
const char *gesso_planner_get_text (GessoPlanner *self);
/* Why the recipe cannot run, NULL when it can or nobody knows yet. */
const char *gesso_planner_get_problem (GessoPlanner *self);
/* Text and problem are of the form as it was before the last keys; the new ones are asked for. */
gboolean gesso_planner_is_old (GessoPlanner *self);
/* It can run but may not fit into what is free now. */
gboolean gesso_planner_is_tight (GessoPlanner *self);
/* Side of the square the model was trained on, px; 0 while not known. */
int gesso_planner_get_native (GessoPlanner *self);
/* Pixels that its sides are multiples of; 0 while not known. */
int gesso_planner_get_size_step (GessoPlanner *self);
/* "4 min", "12 s"; the caller's to g_free */
char *gesso_planner_format_seconds (double seconds);

G_END_DECLS
