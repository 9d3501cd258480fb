/* SPDX-License-Identifier: MPL-2.0
 * gesso-prompt-view.h - prompt and negative prompt, with weights, history and styles.
 */
#pragma once

#include <adwaita.h>

#include "app/gesso-form.h"
#include "session/gesso-session.h"

G_BEGIN_DECLS

#define GESSO_TYPE_PROMPT_VIEW (gesso_prompt_view_get_type ())
G_DECLARE_FINAL_TYPE (GessoPromptView, gesso_prompt_view, GESSO, PROMPT_VIEW, AdwBin)

GtkWidget *gesso_prompt_view_new (GessoForm *form, GessoSession *session);
GtkTextView *gesso_prompt_view_get_text_view (GessoPromptView *self, gboolean negative);
void gesso_prompt_view_focus (GessoPromptView *self);
void gesso_prompt_view_select_all (GessoPromptView *self); /* of the prompt: typing replaces it */
/* What the keys do; @delta of the weight, @step through the history (1 = earlier). */
void gesso_prompt_view_add_weight (GessoPromptView *self, gboolean negative, double delta);
void gesso_prompt_view_recall (GessoPromptView *self, int step);
/* "{prompt}" in a style's texts is the text written so far; without it the style is appended. */
char *gesso_prompt_view_apply_style (const char *style, const char *text);

G_END_DECLS
