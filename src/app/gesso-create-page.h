/* SPDX-License-Identifier: MPL-2.0
 * gesso-create-page.h - prompt and parameters at the start side, canvas and results beside them.
 */
#pragma once

#include <adwaita.h>

#include "app/gesso-form.h"
#include "app/gesso-generate-bar.h"
#include "app/gesso-generate.h"
#include "app/gesso-parameter-list.h"
#include "app/gesso-planner.h"
#include "app/gesso-prompt-view.h"
#include "app/gesso-stage.h"

G_BEGIN_DECLS

#define GESSO_TYPE_CREATE_PAGE (gesso_create_page_get_type ())
G_DECLARE_FINAL_TYPE (GessoCreatePage, gesso_create_page, GESSO, CREATE_PAGE, AdwBin)

/* Properties: "show-parameters" (boolean), "collapsed" (boolean: parameters or picture, not both),
 * "can-generate" (boolean, read-only).
 * Signals: "message" (string for a toast), "picture-dropped" (GFile) -> gboolean, "discarded" (),
 * "restored" (): the canvas of the last time is back, "clip-left" (): a clip is not extended any
 * more, which gesso_create_page_extend_again() undoes.
 */
GtkWidget *
gesso_create_page_new (GessoSession *session, GessoLibrary *library, GSettings *settings);

GessoForm *gesso_create_page_get_form (GessoCreatePage *self);
GessoDocument *gesso_create_page_get_document (GessoCreatePage *self);
GessoPlanner *gesso_create_page_get_planner (GessoCreatePage *self);
GessoStage *gesso_create_page_get_stage (GessoCreatePage *self);
GessoPromptView *gesso_create_page_get_prompt_view (GessoCreatePage *self);
GessoParameterList *gesso_create_page_get_parameter_list (GessoCreatePage *self);
GessoGenerateBar *gesso_create_page_get_generate_bar (GessoCreatePage *self);

/* gesso_create_page_generate:
 * @options: NULL for one job at the end of the queue
 *
 * Draws a new seed unless it is locked, remembers the prompt, and adds the jobs of what the fields
 * say now, also while those of before are being added.  Says why, where it cannot.
 */
void gesso_create_page_generate (GessoCreatePage *self, const GessoGenerateOptions *options);
gboolean gesso_create_page_get_can_generate (GessoCreatePage *self);

/* gesso_create_page_load_recipe:
 * @job: a waiting job that Generate is to update; 0 for none
 *
 * A start picture named in the recipe comes onto the canvas.
 */
gboolean
gesso_create_page_load_recipe (GessoCreatePage *self, const char *json, gint64 job, GError **error);
/* gesso_create_page_load_form:
 *
 * The recipe of a project: the canvas holds what its start picture is made of.
 */
gboolean gesso_create_page_load_form (GessoCreatePage *self, const char *json, GError **error);
/* Whether the chosen model is one for video. */
gboolean gesso_create_page_makes_clips (GessoCreatePage *self);
/* What is made next goes on from the clip or film @path. */
void gesso_create_page_extend (GessoCreatePage *self, const char *path);
/* What is made next is a clip of its own again; so it is, too, once another beginning is chosen. */
void gesso_create_page_stop_extending (GessoCreatePage *self);
void gesso_create_page_extend_again (GessoCreatePage *self);
void gesso_create_page_stop_editing (GessoCreatePage *self);
void gesso_create_page_load_picture (GessoCreatePage *self, GFile *file);
void gesso_create_page_focus_prompt (GessoCreatePage *self);
/* The canvas of the last time is still being unpacked. */
gboolean gesso_create_page_is_restoring (GessoCreatePage *self);
/* Before the session is closed. */
void gesso_create_page_keep_draft (GessoCreatePage *self);

G_END_DECLS
