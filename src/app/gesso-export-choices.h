/* SPDX-License-Identifier: MPL-2.0
 * gesso-export-choices.h - what kind of film is wanted: format, quality, colour resolution, rate.
 *
 * Signal "changed": any of them is different.
 */
#pragma once

#include <adwaita.h>

#include "media/video/film-copy.h"

G_BEGIN_DECLS

#define GESSO_TYPE_EXPORT_CHOICES (gesso_export_choices_get_type ())
G_DECLARE_FINAL_TYPE (
    GessoExportChoices, gesso_export_choices, GESSO, EXPORT_CHOICES, AdwPreferencesGroup)

/* As they were at the last gesso_export_choices_keep(). */
GtkWidget *gesso_export_choices_new (GSettings *settings);
void gesso_export_choices_keep (GessoExportChoices *self);

void gesso_export_choices_set_format (GessoExportChoices *self, FilmFormat format);
FilmFormat gesso_export_choices_get_format (GessoExportChoices *self);
/* As typed. */
void gesso_export_choices_set_rate (GessoExportChoices *self, const char *text);
/* 16 where a source has none. */
void gesso_export_choices_propose_rate (GessoExportChoices *self, FrameRate rate);

/* gesso_export_choices_read:
 * @options: receives .film's format, quality and colours, and .rate
 *
 * Asks GStreamer what is installed: fast once it has started, else seconds.
 *
 * Returns: NULL, or a sentence for the user, to g_free
 */
char *gesso_export_choices_read (GessoExportChoices *self, FilmCopyOptions *options);

G_END_DECLS
