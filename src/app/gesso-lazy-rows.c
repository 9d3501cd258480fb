/* SPDX-License-Identifier: MPL-2.0
 * gesso-lazy-rows.c - rows of a GtkListView, made for what can be seen and a few a frame.
 */
#include "app/gesso-lazy-rows.h"

#include <adwaita.h>

enum
{
  BUDGET_US = 4000, /* of a frame's 16 ms */
  MARGIN = 200,     /* logical pixels beyond the view that are filled, too */
  SETTLE_FRAMES = 3 /* where a new row lies is known after the next layout */
};

typedef struct
{
  GtkListItem *item; /* borrowed: lives as long as it is bound */
  GtkWidget *bin;    /* its child is the row, or NULL before the first filling */
  gboolean shown;
} Slot;

struct _GessoLazyRows
{
  GObject parent_instance;
  GtkListView *list; /* borrowed: it outlives its rows */
  GessoLazyRowsFuncs funcs;
  gpointer user_data;
  int height;
  GPtrArray *bound; /* of Slot *, owned by their boxes */
  guint tick;
  int frames_left;
};

G_DEFINE_FINAL_TYPE (GessoLazyRows, gesso_lazy_rows, G_TYPE_OBJECT)

static void
fill (GessoLazyRows *self, Slot *slot)
{
  if (!adw_bin_get_child (ADW_BIN (slot->bin)))
    adw_bin_set_child (ADW_BIN (slot->bin), self->funcs.make (self->user_data));
  slot->shown = TRUE;
  self->funcs.show (adw_bin_get_child (ADW_BIN (slot->bin)), slot->item, self->user_data);
}

static gboolean
is_in_view (GessoLazyRows *self, Slot *slot)
{
  graphene_rect_t box;
  float height = (float) gtk_widget_get_height (GTK_WIDGET (self->list));
  return gtk_widget_get_height (slot->bin) > 0 &&
         gtk_widget_compute_bounds (slot->bin, GTK_WIDGET (self->list), &box) &&
         box.origin.y + box.size.height > -MARGIN && box.origin.y < height + MARGIN;
}

/* Returns: FALSE when time was up before everything in view was filled */
static gboolean
fill_view (GessoLazyRows *self)
{
  gint64 end = g_get_monotonic_time () + BUDGET_US;
  for (guint i = 0; i < self->bound->len; i++)
    {
      Slot *slot = g_ptr_array_index (self->bound, i);
      if (slot->shown || !is_in_view (self, slot))
        continue;
      if (g_get_monotonic_time () >= end)
        return FALSE;
      fill (self, slot);
    }
  return TRUE;
}

static gboolean
tick_cb (GtkWidget *list, GdkFrameClock *clock, gpointer user_data)
{
  GessoLazyRows *self = user_data;
  if (gtk_widget_get_mapped (list) && !fill_view (self))
    return G_SOURCE_CONTINUE;
  if (gtk_widget_get_mapped (list) && --self->frames_left > 0)
    return G_SOURCE_CONTINUE;
  self->tick = 0;
  return G_SOURCE_REMOVE;
}

static void
schedule (GessoLazyRows *self)
{
  self->frames_left = SETTLE_FRAMES;
  if (!self->tick)
    self->tick = gtk_widget_add_tick_callback (GTK_WIDGET (self->list), tick_cb, self, NULL);
}

static void
setup_cb (GtkSignalListItemFactory *factory, GtkListItem *item, gpointer user_data)
{
  GessoLazyRows *self = user_data;
  Slot *slot = g_new0 (Slot, 1);
  slot->bin = adw_bin_new ();
  gtk_widget_set_size_request (slot->bin, -1, self->height);
  g_object_set_data_full (G_OBJECT (slot->bin), "slot", slot, g_free);
  gtk_list_item_set_child (item, slot->bin);
}

static Slot *
slot_of (GtkListItem *item)
{
  GtkWidget *bin = gtk_list_item_get_child (item);
  return bin ? g_object_get_data (G_OBJECT (bin), "slot") : NULL;
}

static void
bind_cb (GtkSignalListItemFactory *factory, GtkListItem *item, gpointer user_data)
{
  GessoLazyRows *self = user_data;
  Slot *slot = slot_of (item);
  slot->item = item;
  slot->shown = FALSE;
  g_ptr_array_add (self->bound, slot);
  schedule (self);
}

static void
unbind_cb (GtkSignalListItemFactory *factory, GtkListItem *item, gpointer user_data)
{
  GessoLazyRows *self = user_data;
  Slot *slot = slot_of (item);
  if (!slot)
    return;
  g_ptr_array_remove_fast (self->bound, slot);
  GtkWidget *row = adw_bin_get_child (ADW_BIN (slot->bin));
  if (slot->shown && row)
    self->funcs.clear (row, self->user_data);
  slot->shown = FALSE;
  slot->item = NULL;
}

static void
gesso_lazy_rows_finalize (GObject *object)
{
  GessoLazyRows *self = GESSO_LAZY_ROWS (object);
  g_ptr_array_unref (self->bound);
  G_OBJECT_CLASS (gesso_lazy_rows_parent_class)->finalize (object);
}

static void
gesso_lazy_rows_dispose (GObject *object)
{
  GessoLazyRows *self = GESSO_LAZY_ROWS (object);
  if (self->tick && self->list)
    gtk_widget_remove_tick_callback (GTK_WIDGET (self->list), self->tick);
  self->tick = 0;
  self->list = NULL;
  G_OBJECT_CLASS (gesso_lazy_rows_parent_class)->dispose (object);
}

static void
gesso_lazy_rows_class_init (GessoLazyRowsClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_lazy_rows_dispose;
  G_OBJECT_CLASS (klass)->finalize = gesso_lazy_rows_finalize;
}

static void
gesso_lazy_rows_init (GessoLazyRows *self)
{
  self->bound = g_ptr_array_new ();
}

GessoLazyRows *
gesso_lazy_rows_new (GtkListView *list,
                     int height,
                     const GessoLazyRowsFuncs *funcs,
                     gpointer user_data)
{
  g_return_val_if_fail (GTK_IS_LIST_VIEW (list) && funcs, NULL);
  GessoLazyRows *self = g_object_new (GESSO_TYPE_LAZY_ROWS, NULL);
  self->list = list;
  self->height = height;
  self->funcs = *funcs;
  self->user_data = user_data;
  g_autoptr (GtkListItemFactory) factory = gtk_signal_list_item_factory_new ();
  g_signal_connect_object (factory, "setup", G_CALLBACK (setup_cb), self, 0);
  g_signal_connect_object (factory, "bind", G_CALLBACK (bind_cb), self, 0);
  g_signal_connect_object (factory, "unbind", G_CALLBACK (unbind_cb), self, 0);
  gtk_list_view_set_factory (list, factory);
  g_signal_connect_object (list, "map", G_CALLBACK (schedule), self, G_CONNECT_SWAPPED);
  GtkAdjustment *scroll = gtk_scrollable_get_vadjustment (GTK_SCROLLABLE (list));
  static const char *const moves[] = { "value-changed", "changed" };
  for (gsize i = 0; i < G_N_ELEMENTS (moves); i++)
    g_signal_connect_object (scroll, moves[i], G_CALLBACK (schedule), self, G_CONNECT_SWAPPED);
  return self;
}

void
gesso_lazy_rows_update (GessoLazyRows *self)
{
  g_return_if_fail (GESSO_IS_LAZY_ROWS (self));
  for (guint i = 0; i < self->bound->len; i++)
    {
      Slot *slot = g_ptr_array_index (self->bound, i);
      if (slot->shown)
        fill (self, slot);
    }
}

GtkWidget *
gesso_lazy_rows_get_row (GessoLazyRows *self, gpointer item)
{
  g_return_val_if_fail (GESSO_IS_LAZY_ROWS (self), NULL);
  for (guint i = 0; i < self->bound->len; i++)
    {
      Slot *slot = g_ptr_array_index (self->bound, i);
      if (gtk_list_item_get_item (slot->item) != item)
        continue;
      if (!slot->shown)
        fill (self, slot);
      return adw_bin_get_child (ADW_BIN (slot->bin));
    }
  return NULL;
}

guint
gesso_lazy_rows_get_n_shown (GessoLazyRows *self)
{
  g_return_val_if_fail (GESSO_IS_LAZY_ROWS (self), 0);
  guint n = 0;
  for (guint i = 0; i < self->bound->len; i++)
    n += ((Slot *) g_ptr_array_index (self->bound, i))->shown;
  return n;
}
