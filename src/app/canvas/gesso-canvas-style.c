/* SPDX-License-Identifier: MPL-2.0
 * gesso-canvas-style.c - style sheet and icons of the canvas's widgets, from their own resource.
 */
#include "app/canvas/gesso-canvas-style.h"

#include "gesso-canvas-resources.h"

#define RESOURCE_PATH "/io/github/gesso_studio/Gesso/canvas"

void
gesso_canvas_style_ensure (void)
{
  static gboolean done;
  GdkDisplay *display = gdk_display_get_default ();
  if (done || !display)
    return;
  done = TRUE;
  /* The linker would leave an unused resource of a static library out. */
  g_resources_register (gesso_canvas_get_resource ());
  g_autoptr (GtkCssProvider) provider = gtk_css_provider_new ();
  gtk_css_provider_load_from_resource (provider, RESOURCE_PATH "/canvas.css");
  gtk_style_context_add_provider_for_display (display, GTK_STYLE_PROVIDER (provider),
                                              GTK_STYLE_PROVIDER_PRIORITY_APPLICATION);
  gtk_icon_theme_add_resource_path (gtk_icon_theme_get_for_display (display),
                                    RESOURCE_PATH "/icons");
}
