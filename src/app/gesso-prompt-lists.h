/* SPDX-License-Identifier: MPL-2.0
 * gesso-prompt-lists.h - the popovers beside the prompt: earlier prompts, and named styles.
 */
#pragma once

#include <gtk/gtk.h>

#include "app/gesso-form.h"
#include "session/gesso-session.h"

G_BEGIN_DECLS

/* Both are filled each time they open. */
GtkWidget *gesso_prompt_history_new (GessoForm *form, GessoSession *session);
GtkWidget *gesso_prompt_styles_new (GessoForm *form, GessoSession *session);

G_END_DECLS
