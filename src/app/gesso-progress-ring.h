/* SPDX-License-Identifier: MPL-2.0
 * gesso-progress-ring.h - a ring that fills, for the queue button.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define GESSO_TYPE_PROGRESS_RING (gesso_progress_ring_get_type ())
G_DECLARE_FINAL_TYPE (GessoProgressRing, gesso_progress_ring, GESSO, PROGRESS_RING, GtkWidget)

GtkWidget *gesso_progress_ring_new (void);
/* @fraction: 0 .. 1; less than 0: nothing runs, the ring is faint */
void gesso_progress_ring_set_fraction (GessoProgressRing *self, double fraction);

G_END_DECLS
