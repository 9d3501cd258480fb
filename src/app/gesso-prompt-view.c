/* SPDX-License-Identifier: MPL-2.0
 * gesso-prompt-view.c - prompt and negative prompt.
 */
#include "app/gesso-prompt-view.h"

#include <glib/gi18n.h>
#include <string.h>

#include "app/gesso-name.h"
#include "app/gesso-prompt-lists.h"
#include "app/gesso-prompt-weight.h"
#include "library/gesso-library.h"

#define WEIGHT_STEP 0.1

enum
{
  HISTORY_MAX = 200
};

struct _GessoPromptView
{
  AdwBin parent_instance;
  GessoForm *form;
  GessoSession *session;
  GtkWidget *text, *placeholder, *negative, *negative_placeholder;
  GtkWidget *negative_button, *negative_revealer, *history_button, *styles_button;
  int recalled; /* place in the history, 0 = what was being written */
  char *unfinished;
  gboolean updating;
};

G_DEFINE_FINAL_TYPE (GessoPromptView, gesso_prompt_view, ADW_TYPE_BIN)

static char *
dup_buffer_text (GtkTextBuffer *buffer)
{
  GtkTextIter start, end;
  gtk_text_buffer_get_bounds (buffer, &start, &end);
  return gtk_text_buffer_get_text (buffer, &start, &end, FALSE);
}

static GtkTextView *
view_of (GessoPromptView *self, gboolean negative)
{
  return GTK_TEXT_VIEW (negative ? self->negative : self->text);
}

static void
buffer_changed (GessoPromptView *self, gboolean negative)
{
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (view_of (self, negative));
  g_autofree char *text = dup_buffer_text (buffer);
  gtk_widget_set_visible (negative ? self->negative_placeholder : self->placeholder,
                          gtk_text_buffer_get_char_count (buffer) == 0);
  if (self->updating)
    return;
  self->recalled = 0;
  gesso_form_set_text (self->form, negative ? "negative_prompt" : "prompt", text, NULL);
}

static void
text_changed_cb (GtkTextBuffer *buffer, gpointer user_data)
{
  buffer_changed (user_data, FALSE);
}

static void
negative_changed_cb (GtkTextBuffer *buffer, gpointer user_data)
{
  buffer_changed (user_data, TRUE);
}

static void
form_changed_cb (GessoForm *form, const char *key, gpointer user_data)
{
  GessoPromptView *self = user_data;
  gboolean negative = g_str_equal (key, "negative_prompt");
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (view_of (self, negative));
  g_autofree char *wanted = gesso_form_dup_text (form, key), *shown = dup_buffer_text (buffer);
  if (strcmp (wanted, shown) == 0)
    return;
  self->updating = TRUE;
  gtk_text_buffer_set_text (buffer, wanted, -1);
  self->updating = FALSE;
  if (negative && wanted[0])
    gtk_toggle_button_set_active (GTK_TOGGLE_BUTTON (self->negative_button), TRUE);
}

/* One step of undo, and the rest of the text keeps its cursor. */
static void
replace_text (GtkTextBuffer *buffer, const char *text, int start, int end)
{
  GtkTextIter from, to;
  gtk_text_buffer_begin_user_action (buffer);
  gtk_text_buffer_get_bounds (buffer, &from, &to);
  gtk_text_buffer_delete (buffer, &from, &to);
  gtk_text_buffer_insert (buffer, &from, text, -1);
  gtk_text_buffer_get_iter_at_offset (buffer, &from, start);
  gtk_text_buffer_get_iter_at_offset (buffer, &to, end);
  gtk_text_buffer_select_range (buffer, &to, &from);
  gtk_text_buffer_end_user_action (buffer);
}

void
gesso_prompt_view_add_weight (GessoPromptView *self, gboolean negative, double delta)
{
  g_return_if_fail (GESSO_IS_PROMPT_VIEW (self));
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (view_of (self, negative));
  GtkTextIter from, to;
  gtk_text_buffer_get_selection_bounds (buffer, &from, &to);
  int start = gtk_text_iter_get_offset (&from), end = gtk_text_iter_get_offset (&to);
  g_autofree char *text = dup_buffer_text (buffer);
  g_autofree char *changed = gesso_prompt_weight (text, &start, &end, delta);
  if (changed)
    replace_text (buffer, changed, start, end);
}

void
gesso_prompt_view_recall (GessoPromptView *self, int step)
{
  g_return_if_fail (GESSO_IS_PROMPT_VIEW (self));
  g_auto (GStrv) prompts = gesso_session_dup_prompts (self->session, HISTORY_MAX);
  int n = prompts ? (int) g_strv_length (prompts) : 0;
  int wanted = CLAMP (self->recalled + step, 0, n);
  if (wanted == self->recalled)
    return;
  if (self->recalled == 0)
    {
      g_free (self->unfinished);
      self->unfinished = gesso_form_dup_text (self->form, "prompt");
      /* what is written already is the newest of the history: go past it */
      if (g_strcmp0 (self->unfinished, prompts[0]) == 0 && n > 1)
        wanted = 2;
    }
  const char *text = wanted ? prompts[wanted - 1] : self->unfinished;
  gesso_form_set_text (self->form, "prompt", text, NULL);
  self->recalled = wanted;
}

char *
gesso_prompt_view_apply_style (const char *style, const char *text)
{
  g_return_val_if_fail (style && text, NULL);
  static const char slot[] = "{prompt}";
  const char *at = strstr (style, slot);
  if (at)
    return g_strdup_printf ("%.*s%s%s", (int) (at - style), style, text, at + sizeof slot - 1);
  if (!style[0] || !text[0])
    return g_strconcat (text, style, NULL);
  return g_strconcat (text, ", ", style, NULL);
}

static void
add_key (GtkShortcutController *keys,
         guint key,
         GdkModifierType modifiers,
         GtkShortcutFunc func,
         gpointer data)
{
  gtk_shortcut_controller_add_shortcut (
      keys, gtk_shortcut_new (gtk_keyval_trigger_new (key, modifiers),
                              gtk_callback_action_new (func, data, NULL)));
}

static gboolean
heavier_cb (GtkWidget *widget, GVariant *args, gpointer user_data)
{
  GessoPromptView *self = user_data;
  gesso_prompt_view_add_weight (self, widget == self->negative, WEIGHT_STEP);
  return TRUE;
}

static gboolean
lighter_cb (GtkWidget *widget, GVariant *args, gpointer user_data)
{
  GessoPromptView *self = user_data;
  gesso_prompt_view_add_weight (self, widget == self->negative, -WEIGHT_STEP);
  return TRUE;
}

static gboolean
earlier_cb (GtkWidget *widget, GVariant *args, gpointer user_data)
{
  gesso_prompt_view_recall (user_data, 1);
  return TRUE;
}

static gboolean
later_cb (GtkWidget *widget, GVariant *args, gpointer user_data)
{
  gesso_prompt_view_recall (user_data, -1);
  return TRUE;
}

/* Before the text view, which moves by paragraphs with Ctrl+Up. */
static void
add_keys (GessoPromptView *self, GtkWidget *view)
{
  GtkEventController *keys = gtk_shortcut_controller_new ();
  gtk_event_controller_set_propagation_phase (keys, GTK_PHASE_CAPTURE);
  GtkShortcutController *c = GTK_SHORTCUT_CONTROLLER (keys);
  add_key (c, GDK_KEY_Up, GDK_CONTROL_MASK, heavier_cb, self);
  add_key (c, GDK_KEY_Down, GDK_CONTROL_MASK, lighter_cb, self);
  add_key (c, GDK_KEY_Up, GDK_ALT_MASK, earlier_cb, self);
  add_key (c, GDK_KEY_Down, GDK_ALT_MASK, later_cb, self);
  gtk_widget_add_controller (view, keys);
}

static void
pasted_text_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GtkWidget) text = user_data;
  g_autofree char *pasted = gdk_clipboard_read_text_finish (GDK_CLIPBOARD (source), result, NULL);
  if (pasted && gesso_library_text_has_settings (pasted))
    gtk_widget_activate_action (text, "win.offer-settings", "s", pasted);
}

/* Sites and other programs hand out a picture's settings as one text, prompt and all. */
static void
pasted_cb (GtkTextBuffer *buffer, GdkClipboard *clipboard, gpointer user_data)
{
  GessoPromptView *self = user_data;
  gdk_clipboard_read_text_async (clipboard, NULL, pasted_text_cb, g_object_ref (self->text));
}

static void
gesso_prompt_view_dispose (GObject *object)
{
  GessoPromptView *self = GESSO_PROMPT_VIEW (object);
  gtk_widget_dispose_template (GTK_WIDGET (self), GESSO_TYPE_PROMPT_VIEW);
  g_clear_object (&self->form);
  g_clear_object (&self->session);
  g_clear_pointer (&self->unfinished, g_free);
  G_OBJECT_CLASS (gesso_prompt_view_parent_class)->dispose (object);
}

static void
gesso_prompt_view_class_init (GessoPromptViewClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  G_OBJECT_CLASS (klass)->dispose = gesso_prompt_view_dispose;
  gtk_widget_class_set_template_from_resource (
      widget_class, "/io/github/gesso_studio/Gesso/ui/gesso-prompt-view.ui");
  gtk_widget_class_bind_template_child (widget_class, GessoPromptView, text);
  gtk_widget_class_bind_template_child (widget_class, GessoPromptView, placeholder);
  gtk_widget_class_bind_template_child (widget_class, GessoPromptView, negative);
  gtk_widget_class_bind_template_child (widget_class, GessoPromptView, negative_placeholder);
  gtk_widget_class_bind_template_child (widget_class, GessoPromptView, negative_button);
  gtk_widget_class_bind_template_child (widget_class, GessoPromptView, negative_revealer);
  gtk_widget_class_bind_template_child (widget_class, GessoPromptView, history_button);
  gtk_widget_class_bind_template_child (widget_class, GessoPromptView, styles_button);
}

static void
gesso_prompt_view_init (GessoPromptView *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  gesso_name_buttons (GTK_WIDGET (self));
  add_keys (self, self->text);
  add_keys (self, self->negative);
  g_signal_connect (gtk_text_view_get_buffer (view_of (self, FALSE)), "changed",
                    G_CALLBACK (text_changed_cb), self);
  g_signal_connect (gtk_text_view_get_buffer (view_of (self, FALSE)), "paste-done",
                    G_CALLBACK (pasted_cb), self);
  g_signal_connect (gtk_text_view_get_buffer (view_of (self, TRUE)), "changed",
                    G_CALLBACK (negative_changed_cb), self);
}

GtkWidget *
gesso_prompt_view_new (GessoForm *form, GessoSession *session)
{
  g_return_val_if_fail (GESSO_IS_FORM (form) && GESSO_IS_SESSION (session), NULL);
  GessoPromptView *self = g_object_new (GESSO_TYPE_PROMPT_VIEW, NULL);
  self->form = g_object_ref (form);
  self->session = g_object_ref (session);
  gtk_menu_button_set_popover (GTK_MENU_BUTTON (self->history_button),
                               gesso_prompt_history_new (form, session));
  gtk_menu_button_set_popover (GTK_MENU_BUTTON (self->styles_button),
                               gesso_prompt_styles_new (form, session));
  g_signal_connect_object (form, "changed::prompt", G_CALLBACK (form_changed_cb), self, 0);
  g_signal_connect_object (form, "changed::negative_prompt", G_CALLBACK (form_changed_cb), self, 0);
  form_changed_cb (form, "prompt", self);
  form_changed_cb (form, "negative_prompt", self);
  return GTK_WIDGET (self);
}

GtkTextView *
gesso_prompt_view_get_text_view (GessoPromptView *self, gboolean negative)
{
  g_return_val_if_fail (GESSO_IS_PROMPT_VIEW (self), NULL);
  return view_of (self, negative);
}

/* GTK shows what the focus comes to; the text may have it and be scrolled away. */
static void
scroll_to (GtkWidget *widget)
{
  graphene_rect_t at;
  GtkWidget *page = gtk_widget_get_ancestor (widget, GTK_TYPE_VIEWPORT);
  if (!page ||
      !gtk_widget_compute_bounds (widget, gtk_viewport_get_child (GTK_VIEWPORT (page)), &at))
    return;
  gtk_adjustment_clamp_page (gtk_scrollable_get_vadjustment (GTK_SCROLLABLE (page)), at.origin.y,
                             at.origin.y + at.size.height);
}

void
gesso_prompt_view_focus (GessoPromptView *self)
{
  g_return_if_fail (GESSO_IS_PROMPT_VIEW (self));
  gtk_widget_grab_focus (self->text);
  scroll_to (GTK_WIDGET (self));
}

void
gesso_prompt_view_select_all (GessoPromptView *self)
{
  g_return_if_fail (GESSO_IS_PROMPT_VIEW (self));
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (view_of (self, FALSE));
  GtkTextIter start, end;
  gtk_text_buffer_get_bounds (buffer, &start, &end);
  gtk_text_buffer_select_range (buffer, &end, &start);
}
