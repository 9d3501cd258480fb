/* SPDX-License-Identifier: MPL-2.0
 * gesso-gallery-keys.c - the gallery's single-letter keys and its context menu, each in one table.
 */
#include "app/gallery/gesso-gallery-keys.h"

#include <glib/gi18n.h>

#include "app/gesso-menu.h"

typedef struct
{
  int places; /* GessoKeysPlace */
  guint key;
  GdkModifierType modifiers;
  const char *action; /* NULL: the callback for X */
} Key;

enum
{
  LARGE = GESSO_KEYS_VIEWER | GESSO_KEYS_COMPARE, /* a picture fills the page */
  PICKED = GESSO_KEYS_GRID | GESSO_KEYS_VIEWER    /* it is clear which picture is meant */
};

static const Key keys[] = {
  { GESSO_KEYS_GRID, GDK_KEY_space, 0, "gallery.quick-look" },
  { GESSO_KEYS_GRID, GDK_KEY_x, 0, NULL },
  { GESSO_KEYS_GRID, GDK_KEY_slash, 0, "gallery.search" },
  { GESSO_KEYS_GRID, GDK_KEY_plus, 0, "gallery.larger" },
  { GESSO_KEYS_GRID, GDK_KEY_equal, 0, "gallery.larger" },
  { GESSO_KEYS_GRID, GDK_KEY_KP_Add, 0, "gallery.larger" },
  { GESSO_KEYS_GRID, GDK_KEY_minus, 0, "gallery.smaller" },
  { GESSO_KEYS_GRID, GDK_KEY_KP_Subtract, 0, "gallery.smaller" },
  { GESSO_KEYS_GRID, GDK_KEY_Escape, 0, "gallery.unselect" },
  { GESSO_KEYS_GRID, GDK_KEY_F10, GDK_SHIFT_MASK, "gallery.menu" },
  { GESSO_KEYS_GRID, GDK_KEY_Menu, 0, "gallery.menu" },
  { PICKED, GDK_KEY_s, 0, "gallery.star" },
  { PICKED, GDK_KEY_u, 0, "gallery.use-recipe" },
  { PICKED, GDK_KEY_e, 0, "gallery.extend" },
  { PICKED, GDK_KEY_i, 0, "gallery.details" },
  { PICKED, GDK_KEY_c, GDK_CONTROL_MASK, "gallery.copy-prompt" },
  { PICKED, GDK_KEY_Delete, 0, "gallery.trash" },
  { PICKED, GDK_KEY_KP_Delete, 0, "gallery.trash" },
  { GESSO_KEYS_VIEWER, GDK_KEY_Left, 0, "gallery.previous" },
  { GESSO_KEYS_VIEWER, GDK_KEY_Right, 0, "gallery.next" },
  { GESSO_KEYS_VIEWER, GDK_KEY_Page_Up, 0, "gallery.previous" },
  { GESSO_KEYS_VIEWER, GDK_KEY_Page_Down, 0, "gallery.next" },
  { GESSO_KEYS_VIEWER, GDK_KEY_space, 0, "gallery.back" },
  { GESSO_KEYS_VIEWER, GDK_KEY_p, 0, "gallery.play" },
  { GESSO_KEYS_VIEWER, GDK_KEY_comma, 0, "gallery.step(-1)" },
  { GESSO_KEYS_VIEWER, GDK_KEY_period, 0, "gallery.step(1)" },
  { LARGE, GDK_KEY_Escape, 0, "gallery.back" },
  { LARGE, GDK_KEY_BackSpace, 0, "gallery.back" },
  { LARGE, GDK_KEY_0, 0, "gallery.zoom-fit" },
  { LARGE, GDK_KEY_KP_0, 0, "gallery.zoom-fit" },
  { LARGE, GDK_KEY_1, 0, "gallery.zoom-original" },
  { LARGE, GDK_KEY_KP_1, 0, "gallery.zoom-original" },
  { LARGE, GDK_KEY_plus, 0, "gallery.zoom-in" },
  { LARGE, GDK_KEY_equal, 0, "gallery.zoom-in" },
  { LARGE, GDK_KEY_KP_Add, 0, "gallery.zoom-in" },
  { LARGE, GDK_KEY_minus, 0, "gallery.zoom-out" },
  { LARGE, GDK_KEY_KP_Subtract, 0, "gallery.zoom-out" },
  { GESSO_KEYS_COMPARE, GDK_KEY_Left, 0, "gallery.divider(-0.05)" },
  { GESSO_KEYS_COMPARE, GDK_KEY_Right, 0, "gallery.divider(0.05)" },
  { GESSO_KEYS_COMPARE, GDK_KEY_x, 0, "gallery.swap" },
  { GESSO_KEYS_COMPARE, GDK_KEY_m, 0, "gallery.wipe" },
};

typedef struct
{
  GCallback func;
  gpointer user_data;
} Callback;

static gboolean
call_cb (GtkWidget *widget, GVariant *args, gpointer user_data)
{
  Callback *callback = user_data;
  ((void (*) (GtkWidget *, gpointer)) callback->func) (widget, callback->user_data);
  return TRUE;
}

static GtkShortcut *
new_shortcut (const Key *key, GCallback compare, gpointer user_data)
{
  GtkShortcutTrigger *trigger = gtk_keyval_trigger_new (key->key, key->modifiers);
  if (!key->action)
    {
      Callback *callback = g_new (Callback, 1);
      *callback = (Callback){ compare, user_data };
      return gtk_shortcut_new (trigger, gtk_callback_action_new (call_cb, callback, g_free));
    }
  g_autofree char *name = NULL;
  g_autoptr (GVariant) target = NULL;
  g_action_parse_detailed_name (key->action, &name, &target, NULL);
  GtkShortcut *shortcut = gtk_shortcut_new (trigger, gtk_named_action_new (name));
  gtk_shortcut_set_arguments (shortcut, target);
  return shortcut;
}

void
gesso_gallery_keys_add (GtkWidget *widget,
                        GessoKeysPlace place,
                        GCallback compare,
                        gpointer user_data)
{
  g_return_if_fail (GTK_IS_WIDGET (widget));
  GtkEventController *controller = gtk_shortcut_controller_new ();
  /* The grid has uses of its own for Space; buttons over a picture keep theirs. */
  if (place == GESSO_KEYS_GRID)
    gtk_event_controller_set_propagation_phase (controller, GTK_PHASE_CAPTURE);
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    if ((keys[i].places & (int) place) && (keys[i].action || compare))
      gtk_shortcut_controller_add_shortcut (GTK_SHORTCUT_CONTROLLER (controller),
                                            new_shortcut (&keys[i], compare, user_data));
  gtk_widget_add_controller (widget, controller);
}

GMenu *
gesso_gallery_menu (void)
{
  static const GessoMenuEntry look[] = { { N_ ("_Open"), "gallery.open" },
                                         { N_ ("_Quick Look"), "gallery.quick-look" },
                                         { N_ ("_Compare"), "gallery.compare" } };
  static const GessoMenuEntry use[] = { { N_ ("_Use Recipe"), "gallery.use-recipe" },
                                        { N_ ("Use S_eed"), "gallery.use-seed" },
                                        { N_ ("Send to Can_vas"), "gallery.send-to-canvas" },
                                        { N_ ("E_xtend Clip"), "gallery.extend" } };
  static const GessoMenuEntry file[] = { { N_ ("_Star"), "gallery.star" },
                                         { N_ ("Copy _Prompt"), "gallery.copy-prompt" },
                                         { N_ ("Expo_rt Film…"), "gallery.export" },
                                         { N_ ("Show in _Files"), "gallery.show-in-files" } };
  static const GessoMenuEntry away[] = { { N_ ("Move to _Trash"), "gallery.trash" } };
  static GMenu *menu;
  if (menu)
    return menu;
  menu = g_menu_new ();
  gesso_menu_add_section (menu, look, G_N_ELEMENTS (look));
  gesso_menu_add_section (menu, use, G_N_ELEMENTS (use));
  gesso_menu_add_section (menu, file, G_N_ELEMENTS (file));
  gesso_menu_add_section (menu, away, G_N_ELEMENTS (away));
  return menu;
}
