/* SPDX-License-Identifier: MPL-2.0
 * gesso-recipe-offer.c - a picture or its settings came from outside: use them?
 */
#include "app/gesso-recipe-offer.h"

#include <glib/gi18n.h>

#include "app/gesso-dialog.h"

enum
{
  ANSWER_PICTURE,
  ANSWER_SETTINGS,
  SHOWN_NOTES = 6
};

typedef struct
{
  GessoWindow *window;
  GFile *file; /* NULL: pasted text, which stands in the prompt by now */
  char *recipe;
} Offer;

static void
offer_free (gpointer data)
{
  Offer *offer = data;
  g_object_unref (offer->window);
  g_clear_object (&offer->file);
  g_free (offer->recipe);
  g_free (offer);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Offer, offer_free)

static void
start_from (Offer *offer)
{
  if (!offer->file)
    return;
  gesso_window_show_page (offer->window, "create");
  gesso_create_page_load_picture (gesso_window_get_create_page (offer->window), offer->file);
}

static void
answered_cb (int answer, gpointer user_data)
{
  Offer *offer = user_data;
  if (answer == ANSWER_PICTURE)
    start_from (offer);
  else if (answer == ANSWER_SETTINGS)
    gesso_window_use_recipe (offer->window, offer->recipe, 0);
}

void
gesso_recipe_offer_append_notes (GString *text, char **notes)
{
  guint n = notes ? g_strv_length (notes) : 0;
  for (guint i = 0; i < n && i < SHOWN_NOTES; i++)
    g_string_append_printf (text, "%s• %s", i ? "\n" : "\n\n", notes[i]);
  if (n > SHOWN_NOTES)
    {
      guint more = n - SHOWN_NOTES;
      g_string_append_c (text, '\n');
      g_string_append_printf (text, ngettext ("• and %u more", "• and %u more", more), more);
    }
}

static char *
describe (Offer *offer, const char *source, char **notes)
{
  GString *text = g_string_new (NULL);
  g_autofree char *name =
      offer->file ? g_filename_display_basename (g_file_peek_path (offer->file)) : NULL;
  if (name)
    g_string_append_printf (text, _ ("%s says how it was made (%s)."), name, source);
  else
    g_string_append_printf (text, _ ("The text says how a picture was made (%s)."), source);
  g_autoptr (GessoForm) form = gesso_form_new ();
  if (gesso_form_load (form, offer->recipe, NULL) && gesso_form_peek (form)->prompt)
    {
      char excerpt[TEXT_EXCERPT_SIZE];
      g_string_append (text, "\n\n");
      g_string_append_printf (text, _ ("“%s”"),
                              text_excerpt (excerpt, gesso_form_peek (form)->prompt));
    }
  gesso_recipe_offer_append_notes (text, notes);
  return g_string_free (text, FALSE);
}

static void
read_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (Offer) offer = user_data;
  g_autofree char *program = NULL;
  g_auto (GStrv) notes = NULL;
  g_autoptr (GError) error = NULL;
  offer->recipe =
      gesso_library_read_recipe_finish (GESSO_LIBRARY (source), result, &program, &notes, &error);
  if (!offer->recipe)
    {
      start_from (offer);
      return;
    }
  const char *buttons[] = { offer->file ? _ ("As _Start Picture") : _ ("_Keep as Text"),
                            _ ("_Use Settings"), NULL };
  g_autofree char *body = describe (offer, program ? program : "", notes);
  GtkWindow *parent = GTK_WINDOW (offer->window);
  gesso_ask (parent, _ ("Use These Settings?"), body, buttons, GESSO_ASK_SUGGESTED, answered_cb,
             g_steal_pointer (&offer), offer_free);
}

void
gesso_recipe_offer (GessoWindow *window, GFile *file)
{
  g_return_if_fail (GESSO_IS_WINDOW (window) && G_IS_FILE (file));
  g_autofree char *path = g_file_get_path (file);
  if (!path)
    {
      gesso_window_say (window, _ ("This file is not on this computer: save it first."));
      return;
    }
  Offer *offer = g_new0 (Offer, 1);
  offer->window = g_object_ref (window);
  offer->file = g_object_ref (file);
  gesso_library_read_recipe_async (gesso_window_get_library (window), path, NULL, read_cb, offer);
}

void
gesso_recipe_offer_text (GessoWindow *window, const char *text)
{
  g_return_if_fail (GESSO_IS_WINDOW (window) && text);
  Offer *offer = g_new0 (Offer, 1);
  offer->window = g_object_ref (window);
  gesso_library_read_text_async (gesso_window_get_library (window), text, NULL, read_cb, offer);
}
