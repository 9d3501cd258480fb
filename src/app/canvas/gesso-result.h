/* SPDX-License-Identifier: MPL-2.0
 * gesso-result.h - one picture of the filmstrip.
 */
#pragma once

#include "app/canvas/gesso-rect.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define GESSO_TYPE_RESULT (gesso_result_get_type ())
G_DECLARE_FINAL_TYPE (GessoResult, gesso_result, GESSO, RESULT, GObject)

/* Properties (all notify): "path" (string, the saved file; NULL while it is live), "paintable"
 * (GdkPaintable: the thumbnail), "label" (string for screen readers and tooltip: prompt and time),
 * "starred", "kept", "live" (boolean), "progress" (double, 0..1, of a live one). */

/* @path, @paintable, @label: (nullable) */
GessoResult *gesso_result_new (const char *path, GdkPaintable *paintable, const char *label);
const char *gesso_result_get_path (GessoResult *self);
GdkPaintable *gesso_result_get_paintable (GessoResult *self);
const char *gesso_result_get_label (GessoResult *self);
gboolean gesso_result_get_starred (GessoResult *self);
gboolean gesso_result_get_kept (GessoResult *self);
gboolean gesso_result_get_live (GessoResult *self);
double gesso_result_get_progress (GessoResult *self);
void gesso_result_set_path (GessoResult *self, const char *path);
void gesso_result_set_paintable (GessoResult *self, GdkPaintable *paintable);
void gesso_result_set_label (GessoResult *self, const char *label);
void gesso_result_set_starred (GessoResult *self, gboolean starred);
void gesso_result_set_kept (GessoResult *self, gboolean kept);
void gesso_result_set_live (GessoResult *self, gboolean live);
void gesso_result_set_progress (GessoResult *self, double progress);
/* Where on the document its job's frame was; empty when unknown. */
GessoRect gesso_result_get_where (GessoResult *self);
void gesso_result_set_where (GessoResult *self, const GessoRect *where);

G_END_DECLS
