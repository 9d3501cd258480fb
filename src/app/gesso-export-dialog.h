/* SPDX-License-Identifier: MPL-2.0
 * gesso-export-dialog.h - a clip, a film or pictures as a film of another format.
 */
#pragma once

#include "app/gesso-window.h"
#include "media/film.h"

G_BEGIN_DECLS

#define GESSO_TYPE_EXPORT_DIALOG (gesso_export_dialog_get_type ())
G_DECLARE_FINAL_TYPE (GessoExportDialog, gesso_export_dialog, GESSO, EXPORT_DIALOG, AdwWindow)

/* @path: what film_open() reads; what it is not is said in the dialog */
GtkWidget *gesso_export_dialog_new (GessoWindow *parent, const char *path);
/* As if chosen. */
void gesso_export_dialog_set_format (GessoExportDialog *self, FilmFormat format);
void gesso_export_dialog_set_rate (GessoExportDialog *self, const char *text);
/* @replace: whether a file of that name may be replaced, as a file chooser asks */
void gesso_export_dialog_set_target (GessoExportDialog *self, const char *path, gboolean replace);
const char *gesso_export_dialog_get_target (GessoExportDialog *self);
/* What is wrong, or ""; while nothing is, Export can be pressed. */
const char *gesso_export_dialog_get_problem (GessoExportDialog *self);
gboolean gesso_export_dialog_is_ready (GessoExportDialog *self);
gboolean gesso_export_dialog_is_running (GessoExportDialog *self);
/* Frames of the running export so far. */
int gesso_export_dialog_get_n_done (GessoExportDialog *self);
void gesso_export_dialog_export (GessoExportDialog *self);
/* The running export, else the dialog. */
void gesso_export_dialog_cancel (GessoExportDialog *self);

G_END_DECLS
