/* SPDX-License-Identifier: MPL-2.0
 * gesso-project-file.h - a .gesso file: the recipe that is being written and the canvas.
 *
 * The canvas is bytes here (gesso_document_serialise); what they mean is the canvas's business.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define GESSO_PROJECT_SUFFIX ".gesso"
#define GESSO_PROJECT_MIME_TYPE "application/x-gesso-project"

/* The file's bytes without touching a disk; @recipe: JSON. */
GBytes *gesso_project_file_pack (const char *recipe, GBytes *canvas);
/* gesso_project_file_unpack:
 * @recipe: receives JSON, the caller's to g_free; not read any further here
 * @canvas: receives a part of @bytes
 *
 * Fails: G_IO_ERROR_INVALID_DATA with a sentence for the user: no project, damaged, cut short, or
 * made by a newer Gesso
 */
gboolean gesso_project_file_unpack (GBytes *bytes, char **recipe, GBytes **canvas, GError **error);

/* On a thread.  A file of that name is replaced, once the new one is whole and on the disk. */
void gesso_project_file_write_async (const char *path,
                                     const char *recipe,
                                     GBytes *canvas,
                                     GAsyncReadyCallback callback,
                                     gpointer user_data);
gboolean gesso_project_file_write_finish (GAsyncResult *result, GError **error);
void
gesso_project_file_read_async (const char *path, GAsyncReadyCallback callback, gpointer user_data);
gboolean gesso_project_file_read_finish (GAsyncResult *result,
                                         char **recipe,
                                         GBytes **canvas,
                                         GError **error);

G_END_DECLS
