/* SPDX-License-Identifier: MPL-2.0
 * gesso-project.h - which .gesso file the Create page belongs to, and whether it is up to date.
 *
 * Form and canvas are kept as drafts all the time; a project is the file that the user names. Which
 * one it is survives a restart and a crash with the drafts.
 */
#pragma once

#include "app/gesso-create-page.h"

G_BEGIN_DECLS

#define GESSO_TYPE_PROJECT (gesso_project_get_type ())
G_DECLARE_FINAL_TYPE (GessoProject, gesso_project, GESSO, PROJECT, GObject)

/* Signal "changed" (): path or modified are others. */
GessoProject *gesso_project_new (GessoSession *session, GessoCreatePage *page, GSettings *settings);

/* Returns: NULL while the page belongs to no file */
const char *gesso_project_get_path (GessoProject *self);
/* Returns: the file's name without ".gesso"; NULL without a file; the caller's to g_free */
char *gesso_project_dup_name (GessoProject *self);
/* Something changed since the file was written or read; TRUE for what never was in a file. */
gboolean gesso_project_get_modified (GessoProject *self);
/* What the page shows would be lost if something else took its place. */
gboolean gesso_project_has_unsaved (GessoProject *self);

/* gesso_project_save_async:
 * @path: the page belongs to this file from now on
 *
 * Saves what is there at the time of the call.
 */
void gesso_project_save_async (GessoProject *self,
                               const char *path,
                               GAsyncReadyCallback callback,
                               gpointer user_data);
gboolean gesso_project_save_finish (GessoProject *self, GAsyncResult *result, GError **error);
/* Form, canvas and project are as they were when it fails.  The canvas's history begins anew.
 * Another open meanwhile: CANCELLED. */
void gesso_project_open_async (GessoProject *self,
                               const char *path,
                               GAsyncReadyCallback callback,
                               gpointer user_data);
gboolean gesso_project_open_finish (GessoProject *self, GAsyncResult *result, GError **error);
/* An empty canvas that belongs to no file; the form stays, and undo brings the picture back. */
void gesso_project_begin_new (GessoProject *self);
/* For the end of the program: the changes were declined, the next start opens the file as it is. */
void gesso_project_decline (GessoProject *self);
gboolean gesso_project_is_declined (GessoProject *self);

G_END_DECLS
