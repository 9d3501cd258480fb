/* SPDX-License-Identifier: MPL-2.0
 * gesso-window.h - the window: header bar, pages, queue pane, toasts, the one banner.
 */
#pragma once

#include <adwaita.h>

#include "app/gesso-banner.h"
#include "app/gesso-create-page.h"
#include "app/gesso-project.h"
#include "app/gesso-queue-pane.h"

G_BEGIN_DECLS

#define GESSO_TYPE_WINDOW (gesso_window_get_type ())
G_DECLARE_FINAL_TYPE (GessoWindow, gesso_window, GESSO, WINDOW, AdwApplicationWindow)

GtkWidget *gesso_window_new (GtkApplication *app,
                             GessoSession *session,
                             GessoLibrary *library,
                             GSettings *settings);
GessoCreatePage *gesso_window_get_create_page (GessoWindow *self);
GessoQueuePane *gesso_window_get_queue_pane (GessoWindow *self);
GessoBanner *gesso_window_get_banner (GessoWindow *self);
/* Returns: NULL once the window is closed */
GessoProject *gesso_window_get_project (GessoWindow *self);
GessoSession *gesso_window_get_session (GessoWindow *self);
GessoLibrary *gesso_window_get_library (GessoWindow *self);
GSettings *gesso_window_get_settings (GessoWindow *self);

/* An answer to what the user did: at once, in the place of the one before. */
void gesso_window_say (GessoWindow *self, const char *message);
/* @action: of the toast's button, without a parameter */
void gesso_window_say_with_action (GessoWindow *self,
                                   const char *message,
                                   const char *button,
                                   const char *action);
/* What happened by itself; it waits its turn. */
void gesso_window_tell_news (GessoWindow *self, const char *message);
/* A page of the view switcher, behind those that are there. */
void gesso_window_add_page (
    GessoWindow *self, GtkWidget *page, const char *name, const char *title, const char *icon);
void gesso_window_show_page (GessoWindow *self, const char *name);
/* A picture file: its recipe is offered, or it becomes the start picture. */
void gesso_window_open_picture (GessoWindow *self, GFile *file);
/* For recipes from elsewhere (gallery): fills the form and shows the Create page. */
gboolean gesso_window_use_recipe (GessoWindow *self, const char *json, gint64 job);
/* Writes what the window shows as a PNG; for pictures of the program and tests. */
gboolean gesso_window_save_screenshot (GtkWindow *window, const char *path, GError **error);

G_END_DECLS
