/* SPDX-License-Identifier: MPL-2.0
 * gesso-dialog.h - windows that ask: a modal frame with a header bar, and a question with buttons.
 */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

/* A modal window over @parent that Escape closes; shown by gtk_window_present().
 * @content: taken */
GtkWindow *gesso_dialog_new (GtkWindow *parent, const char *title, GtkWidget *content);

/* @answer: index of the button that was pressed, -1 when the dialog was closed */
typedef void (*GessoAnswered) (int answer, gpointer user_data);

typedef enum
{
  GESSO_ASK_PLAIN = 0,
  GESSO_ASK_SUGGESTED = 1 << 0,  /* the last button is what one wants */
  GESSO_ASK_DESTRUCTIVE = 1 << 1 /* the last button destroys something */
} GessoAskFlags;

/* gesso_ask:
 * @buttons: labels, NULL at the end; the last one answers Return
 * @user_data: freed with @destroy (may be NULL) after the answer
 */
GtkWindow *gesso_ask (GtkWindow *parent,
                      const char *heading,
                      const char *body,
                      const char *const *buttons,
                      GessoAskFlags flags,
                      GessoAnswered callback,
                      gpointer user_data,
                      GDestroyNotify destroy);

G_END_DECLS
