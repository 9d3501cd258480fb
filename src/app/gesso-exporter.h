/* SPDX-License-Identifier: MPL-2.0
 * gesso-exporter.h - films written on a thread of their own, with progress and cancel.
 */
#pragma once

#include <gio/gio.h>

#include "media/video/film-copy.h"

G_BEGIN_DECLS

/* gesso_exporter_read_info_async:
 * @path: a clip, a film, a moving picture or a folder of pictures
 *
 * A first look at a film may take seconds, while GStreamer looks at its plugins.
 */
void gesso_exporter_read_info_async (const char *path,
                                     GCancellable *cancellable,
                                     GAsyncReadyCallback callback,
                                     gpointer user_data);
/* Returns: FALSE with @error in the engine's words */
gboolean gesso_exporter_read_info_finish (GAsyncResult *result, FilmInfo *info, GError **error);

/* On the main loop, at most about twenty times a second; @n_expected is never below @n_done. */
typedef void (*GessoExporterProgress) (int n_done, int n_expected, gpointer user_data);

/* gesso_exporter_run_async:
 * @options: .film without its texts, and .rate; the rest is the exporter's own
 * @progress: not called any more once @cancellable was cancelled
 */
void gesso_exporter_run_async (const char *from,
                               const char *to,
                               const FilmCopyOptions *options,
                               GessoExporterProgress progress,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data);
/* Returns: FALSE with @error, and no file; @film: what was written */
gboolean gesso_exporter_run_finish (GAsyncResult *result, FilmCopied *film, GError **error);

G_END_DECLS
