/* SPDX-License-Identifier: MPL-2.0
 * gesso-gallery-text.h - what pictures and days are called.  All results are the caller's to
 * g_free.
 */
#pragma once

#include "library/gesso-library.h"

G_BEGIN_DECLS

/* "Today", "Yesterday", "Monday" within a week, else "12 March 2026"; local time.
 * @created_s, @now_s: Unix seconds */
char *gesso_gallery_day_text (gint64 created_s, gint64 now_s);
/* "Today, 14:05" */
char *gesso_gallery_time_text (gint64 created_s, gint64 now_s);
/* "0:05", "1:02:09"; "0:01" for less than a second */
char *gesso_gallery_duration_text (int duration_ms);
/* File name without its folder. */
char *gesso_gallery_picture_name (GessoPicture *picture);
/* What a screen reader says of a thumbnail: prompt or name, how long a clip is, date, and whether
 * it has a star. */
char *gesso_gallery_picture_label (GessoPicture *picture, gint64 now_s);
/* At most @max_chars characters, with "…" where it was cut. */
char *gesso_gallery_shorten (const char *text, glong max_chars);

G_END_DECLS
