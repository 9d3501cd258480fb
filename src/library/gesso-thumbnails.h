/* SPDX-License-Identifier: MPL-2.0
 * gesso-thumbnails.h - two threads that make thumbnails, the newest request first.
 */
#pragma once

#include "library/gesso-thumbnail-cache.h"

G_BEGIN_DECLS

#define GESSO_TYPE_THUMBNAILS (gesso_thumbnails_get_type ())
G_DECLARE_FINAL_TYPE (GessoThumbnails, gesso_thumbnails, GESSO, THUMBNAILS, GObject)

GessoThumbnails *gesso_thumbnails_new (const char *dir, gint64 max_bytes);
/* Waits for the threads; requests that wait are cancelled. */
void gesso_thumbnails_stop (GessoThumbnails *self);

/* gesso_thumbnails_request:
 * @task: takes the reference; returns a GessoThumbnail, or an error
 *
 * Requests that are cancelled before their turn are dropped unread.
 */
void gesso_thumbnails_request (GessoThumbnails *self, const char *path, int size, GTask *task);
/* For tests: pictures that were made or loaded so far. */
int gesso_thumbnails_count (GessoThumbnails *self);

G_END_DECLS
