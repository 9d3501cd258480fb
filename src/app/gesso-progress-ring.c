/* SPDX-License-Identifier: MPL-2.0
 * gesso-progress-ring.c - a ring that fills, drawn in the text's colour.
 */
#include "app/gesso-progress-ring.h"

#include <math.h>

#include "app/gesso-compat.h"

enum
{
  SIDE = 16 /* px */
};

#define LINE_WIDTH 2.5
#define FAINT 0.25

struct _GessoProgressRing
{
  GtkWidget parent_instance;
  double fraction;
};

G_DEFINE_FINAL_TYPE (GessoProgressRing, gesso_progress_ring, GTK_TYPE_WIDGET)

static void
arc (cairo_t *cr, const GdkRGBA *color, double alpha, double fraction)
{
  double radius = (SIDE - LINE_WIDTH) / 2;
  cairo_set_source_rgba (cr, color->red, color->green, color->blue, color->alpha * alpha);
  cairo_new_path (cr);
  cairo_arc (cr, SIDE / 2.0, SIDE / 2.0, radius, -G_PI_2, -G_PI_2 + 2 * G_PI * fraction);
  cairo_stroke (cr);
}

static void
gesso_progress_ring_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  GessoProgressRing *self = GESSO_PROGRESS_RING (widget);
  GdkRGBA color;
  gesso_compat_get_color (widget, &color);
  float x = (float) (gtk_widget_get_width (widget) - SIDE) / 2;
  float y = (float) (gtk_widget_get_height (widget) - SIDE) / 2;
  cairo_t *cr = gtk_snapshot_append_cairo (snapshot, &GRAPHENE_RECT_INIT (x, y, SIDE, SIDE));
  cairo_translate (cr, x, y);
  cairo_set_line_width (cr, LINE_WIDTH);
  arc (cr, &color, FAINT, 1);
  if (self->fraction > 0)
    arc (cr, &color, 1, fmin (self->fraction, 1));
  cairo_destroy (cr);
}

static void
gesso_progress_ring_measure (GtkWidget *widget,
                             GtkOrientation orientation,
                             int for_size,
                             int *minimum,
                             int *natural,
                             int *minimum_baseline,
                             int *natural_baseline)
{
  *minimum = *natural = SIDE;
}

static void
gesso_progress_ring_class_init (GessoProgressRingClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  widget_class->snapshot = gesso_progress_ring_snapshot;
  widget_class->measure = gesso_progress_ring_measure;
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_PRESENTATION);
}

static void
gesso_progress_ring_init (GessoProgressRing *self)
{
  self->fraction = -1;
}

GtkWidget *
gesso_progress_ring_new (void)
{
  return g_object_new (GESSO_TYPE_PROGRESS_RING, NULL);
}

void
gesso_progress_ring_set_fraction (GessoProgressRing *self, double fraction)
{
  g_return_if_fail (GESSO_IS_PROGRESS_RING (self));
  if (fabs (self->fraction - fraction) < 1e-3)
    return;
  self->fraction = fraction;
  gtk_widget_queue_draw (GTK_WIDGET (self));
}
