/* SPDX-License-Identifier: MPL-2.0
 * gesso-gallery-style.c - style sheet and icons of the gallery's widgets, from their own resource.
 */
#include "app/gallery/gesso-gallery-style.h"

#include "gesso-gallery-resources.h"

#define RESOURCE_PATH "/io/github/gesso_studio/Gesso/gallery"

void
gesso_gallery_style_ensure (void)
{
  static gboolean done;
  GdkDisplay *display = gdk_display_get_default ();
  if (done || !display)
    return;
  done = TRUE;
  /* The linker would leave an unused resource of a static library out. */
  g_resources_register (gesso_gallery_get_resource ());
  g_autoptr (GtkCssProvider) provider = gtk_css_provider_new ();
  gtk_css_provider_load_from_resource (provider, RESOURCE_PATH "/gallery.css");
  gtk_style_context_add_provider_for_display (display, GTK_STYLE_PROVIDER (provider),
                                              GTK_STYLE_PROVIDER_PRIORITY_APPLICATION);
  gtk_icon_theme_add_resource_path (gtk_icon_theme_get_for_display (display),
                                    RESOURCE_PATH "/icons");
}

GtkWidget *
gesso_gallery_icon_button (const char *icon, const char *action, const char *label)
{
  GtkWidget *button = gtk_button_new_from_icon_name (icon);
  gtk_widget_add_css_class (button, "flat");
  gtk_widget_set_tooltip_text (button, label);
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, label,
                                  -1);
  if (action)
    gtk_actionable_set_detailed_action_name (GTK_ACTIONABLE (button), action);
  return button;
}
