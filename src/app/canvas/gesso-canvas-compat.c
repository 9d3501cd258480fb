/* SPDX-License-Identifier: MPL-2.0
 * gesso-canvas-compat.c - drawing that newer GTK does better, each with its form on the floor
 * version.
 */
#undef GDK_VERSION_MAX_ALLOWED
#include "app/canvas/gesso-canvas-compat.h"

#include <gsk/gskcairorenderer.h>

#define NEAREST_FROM 2.0 /* zoom */

gboolean
gesso_canvas_compat_is_software (GtkWidget *widget)
{
  GtkNative *native = gtk_widget_get_native (widget);
  return native && GSK_IS_CAIRO_RENDERER (gtk_native_get_renderer (native));
}

#if GTK_CHECK_VERSION(4, 10, 0)
void
gesso_canvas_compat_append (GtkSnapshot *snapshot,
                            GdkTexture *texture,
                            const graphene_rect_t *bounds,
                            const graphene_rect_t *visible,
                            double zoom,
                            gboolean software)
{
  GskScalingFilter filter =
      zoom >= NEAREST_FROM ? GSK_SCALING_FILTER_NEAREST : GSK_SCALING_FILTER_LINEAR;
  gtk_snapshot_append_scaled_texture (snapshot, texture, filter, bounds);
}
#else
static void
free_surface (gpointer surface)
{
  cairo_surface_destroy (surface);
}

/* The texture's pixels for cairo, kept with it. */
static cairo_surface_t *
surface_of (GdkTexture *texture)
{
  cairo_surface_t *surface = g_object_get_data (G_OBJECT (texture), "gesso-surface");
  if (surface)
    return surface;
  surface = cairo_image_surface_create (CAIRO_FORMAT_ARGB32, gdk_texture_get_width (texture),
                                        gdk_texture_get_height (texture));
  /* Out of memory: a surface in error, which draws nothing. */
  if (cairo_surface_status (surface) == CAIRO_STATUS_SUCCESS)
    gdk_texture_download (texture, cairo_image_surface_get_data (surface),
                          (gsize) cairo_image_surface_get_stride (surface));
  cairo_surface_mark_dirty (surface);
  g_object_set_data_full (G_OBJECT (texture), "gesso-surface", surface, free_surface);
  return surface;
}

/* The visible part by cairo, with a filter that can be chosen: GSK 4.8 always smooths, copies the
 * whole texture for each frame when it draws by cairo itself, and then shrinks at a third of the
 * speed. */
static void
append_by_cairo (GtkSnapshot *snapshot,
                 GdkTexture *texture,
                 const graphene_rect_t *bounds,
                 const graphene_rect_t *visible,
                 cairo_filter_t filter)
{
  graphene_rect_t part;
  if (!graphene_rect_intersection (bounds, visible, &part))
    return;
  cairo_t *cr = gtk_snapshot_append_cairo (snapshot, &part);
  cairo_rectangle (cr, part.origin.x, part.origin.y, part.size.width, part.size.height);
  cairo_clip (cr);
  cairo_translate (cr, bounds->origin.x, bounds->origin.y);
  cairo_scale (cr, (double) bounds->size.width / gdk_texture_get_width (texture),
               (double) bounds->size.height / gdk_texture_get_height (texture));
  cairo_set_source_surface (cr, surface_of (texture), 0, 0);
  cairo_pattern_set_filter (cairo_get_source (cr), filter);
  cairo_pattern_set_extend (cairo_get_source (cr), CAIRO_EXTEND_PAD);
  cairo_paint (cr);
  cairo_destroy (cr);
}

void
gesso_canvas_compat_append (GtkSnapshot *snapshot,
                            GdkTexture *texture,
                            const graphene_rect_t *bounds,
                            const graphene_rect_t *visible,
                            double zoom,
                            gboolean software)
{
  if (zoom >= NEAREST_FROM)
    append_by_cairo (snapshot, texture, bounds, visible, CAIRO_FILTER_NEAREST);
  else if (software)
    append_by_cairo (snapshot, texture, bounds, visible, CAIRO_FILTER_BILINEAR);
  else
    gtk_snapshot_append_texture (snapshot, texture, bounds);
}
#endif
