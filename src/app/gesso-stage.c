/* SPDX-License-Identifier: MPL-2.0
 * gesso-stage.c - canvas, tools, progress and filmstrip.
 *
 * Follows the queue: the running job's preview lies over the canvas and in front of the filmstrip,
 * the one's that the queue wants looked at when several run; all pictures join the filmstrip.  A
 * selected picture lies over the canvas until it is kept or left.
 */
#include "app/gesso-stage.h"

#include <glib/gi18n.h>

#include "app/canvas/gesso-tool-bar.h"
#include "app/gallery/gesso-clip-player.h"
#include "app/gesso-compat.h"
#include "app/gesso-job-text.h"
#include "app/gesso-last-results.h"
#include "app/gesso-menu.h"
#include "app/gesso-places.h"
#include "app/gesso-refresh.h"
#include "app/gesso-results.h"
#include "app/gesso-texture.h"
#include "media/frames.h"

enum
{
  ANNOUNCE_PERCENT = 25,
  SHORTEST_MS = 40, /* that a frame of a moving preview is shown */
  LONGEST_MS = 1000
};

struct _GessoStage
{
  AdwBin parent_instance;
  GessoSession *session;
  GessoLibrary *library;
  GessoDocument *document;
  GessoResults *results;
  GessoLastResults *last_results;
  GessoJob *job; /* whose progress is shown */
  GessoPlaces *places;
  GCancellable *loading;
  GessoClipPlayer *player; /* of the selected result, when it is a clip */
  GessoCanvas *canvas;
  GessoFilmstrip *filmstrip;
  GtkWidget *pill, *pill_label, *pill_bar, *zoom, *zoom_label;
  int announced;
  gboolean preview_changed;
  GessoFrame *preview; /* that is shown; of a clip one frame after the other */
  int preview_frame;
  guint preview_timer; /* 0 while nothing moves */
};

G_DEFINE_FINAL_TYPE (GessoStage, gesso_stage, ADW_TYPE_BIN)

enum
{
  MESSAGE,
  PICTURE_DROPPED,
  DISCARDED,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

static void
say (GessoStage *self, const char *message)
{
  g_signal_emit (self, signals[MESSAGE], 0, message);
}

static const GessoRect *
where_of (GessoStage *self, GessoJob *job)
{
  return gesso_places_get (self->places, gesso_job_get_id (job));
}

/* ---- the running job ---- */

static void
announce (GessoStage *self, GessoJob *job)
{
  int quarter = (int) (gesso_job_get_fraction (job) * 100) / ANNOUNCE_PERCENT;
  if (quarter == self->announced)
    return;
  self->announced = quarter;
  g_autofree char *text = g_strdup_printf (_ ("%d %% done"), quarter * ANNOUNCE_PERCENT);
  gesso_compat_announce (GTK_WIDGET (self), text);
}

static void
update_progress (GessoStage *self)
{
  int n_others = gesso_queue_get_n_running (gesso_session_get_queue (self->session)) - 1;
  g_autofree char *text = gesso_job_text_dup_progress_of (self->job, n_others);
  double fraction = CLAMP (gesso_job_get_fraction (self->job), 0, 1);
  gtk_label_set_label (GTK_LABEL (self->pill_label), text);
  gtk_progress_bar_set_fraction (GTK_PROGRESS_BAR (self->pill_bar), fraction);
  announce (self, self->job);
}

static void
show_preview (GessoStage *self)
{
  const GessoFrame *preview = self->preview;
  g_autofree char *text = gesso_job_text_dup_progress (self->job);
  double fraction = CLAMP (gesso_job_get_fraction (self->job), 0, 1);
  g_autoptr (GBytes) rgb = preview ? gesso_frame_dup_rgb (preview, self->preview_frame) : NULL;
  g_autoptr (GdkTexture) texture =
      preview ? gesso_texture_new (rgb, preview->width, preview->height) : NULL;
  gesso_filmstrip_set_live (self->filmstrip, GDK_PAINTABLE (texture), fraction, text);
  if (preview)
    gesso_canvas_set_preview (self->canvas, rgb, preview->width, preview->height,
                              where_of (self, self->job));
  else
    gesso_canvas_clear_preview (self->canvas);
}

static gboolean
next_frame_cb (gpointer user_data)
{
  GessoStage *self = user_data;
  self->preview_frame = (self->preview_frame + 1) % self->preview->n_frames;
  show_preview (self);
  return G_SOURCE_CONTINUE;
}

/* Moves at the clip's own speed, as long as somebody can see it. */
static void
move_preview (GessoStage *self)
{
  const GessoFrame *p = self->preview;
  gboolean moves = self->job && p && p->n_frames > 1 && p->rate > 0 &&
                   gtk_widget_get_mapped (GTK_WIDGET (self->canvas));
  g_clear_handle_id (&self->preview_timer, g_source_remove);
  if (moves)
    self->preview_timer = g_timeout_add ((guint) CLAMP (1000 / p->rate, SHORTEST_MS, LONGEST_MS),
                                         next_frame_cb, self);
}

/* While a widget says that it goes it is mapped still. */
static void
stop_preview (GessoStage *self)
{
  g_clear_handle_id (&self->preview_timer, g_source_remove);
}

static void
clear_preview (GessoStage *self)
{
  g_clear_pointer (&self->preview, gesso_frame_free);
  self->preview_frame = 0;
  move_preview (self);
}

/* A new one goes on where the old one was. */
static void
update_preview (GessoStage *self)
{
  const GessoFrame *preview = gesso_job_get_preview (self->job);
  gboolean is_new =
      preview ? !self->preview || preview->rgb != self->preview->rgb : self->preview != NULL;
  if (is_new)
    {
      int at = self->preview_frame;
      g_clear_pointer (&self->preview, gesso_frame_free);
      self->preview = preview ? gesso_frame_copy (preview) : NULL;
      self->preview_frame = preview ? at % preview->n_frames : 0;
      if (self->preview_timer == 0 || !preview || preview->n_frames == 1)
        move_preview (self);
    }
  show_preview (self);
}

/* Once a frame: a small model takes many steps in that time. */
static void
refresh (GtkWidget *widget)
{
  GessoStage *self = GESSO_STAGE (widget);
  gtk_widget_set_visible (self->pill, self->job != NULL);
  if (self->job)
    {
      update_progress (self);
      if (self->preview_changed)
        update_preview (self);
    }
  else
    {
      clear_preview (self);
      gesso_filmstrip_clear_live (self->filmstrip);
      gesso_canvas_clear_preview (self->canvas);
    }
  self->preview_changed = FALSE;
}

static void
job_notify_cb (GessoJob *job, GParamSpec *pspec, gpointer user_data)
{
  GessoStage *self = user_data;
  const char *name = g_param_spec_get_name (pspec);
  self->preview_changed |= g_str_equal (name, "preview") || g_str_equal (name, "fraction");
  gesso_refresh_queue (GTK_WIDGET (self), refresh);
}

static void
running_cb (GessoStage *self)
{
  GessoJob *job = gesso_queue_get_running (gesso_session_get_queue (self->session));
  gesso_refresh_queue (GTK_WIDGET (self), refresh); /* how many run may have changed */
  if (self->job == job)
    return;
  if (self->job)
    g_signal_handlers_disconnect_by_func (self->job, job_notify_cb, self);
  g_set_object (&self->job, job);
  self->announced = 0;
  self->preview_changed = TRUE;
  if (job)
    g_signal_connect_object (job, "notify", G_CALLBACK (job_notify_cb), self, 0);
}

static void
picture_cb (GessoQueue *queue, GessoJob *job, int index, const char *path, gpointer user_data)
{
  GessoStage *self = user_data;
  gesso_results_add (self->results, path, gesso_job_get_title (job), where_of (self, job));
}

/* ---- the selected result ---- */

static void
shown_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoStage) self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GdkTexture) texture = gesso_texture_load_finish (result, &error);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) || !self->document)
    return;
  GessoResult *selected = gesso_filmstrip_get_selected (self->filmstrip);
  if (!texture)
    {
      say (self, error->message);
      return;
    }
  GessoRect where = selected ? gesso_result_get_where (selected) : (GessoRect){ 0 };
  gesso_canvas_set_result (self->canvas, texture, gesso_rect_is_empty (&where) ? NULL : &where);
}

static void
stop_player (GessoStage *self)
{
  if (self->player)
    g_object_run_dispose (G_OBJECT (self->player));
  g_clear_object (&self->player);
}

static void
frame_cb (GessoStage *self)
{
  GessoResult *selected = gesso_filmstrip_get_selected (self->filmstrip);
  GdkTexture *frame = gesso_clip_player_get_texture (self->player);
  const char *problem = gesso_clip_player_get_problem (self->player);
  if (problem)
    say (self, problem);
  if (!frame || !selected)
    return;
  GessoRect where = gesso_result_get_where (selected);
  gesso_canvas_set_result (self->canvas, frame, gesso_rect_is_empty (&where) ? NULL : &where);
}

/* Plays on the canvas, over and over, as long as it is selected. */
static void
play (GessoStage *self, const char *path)
{
  self->player = gesso_clip_player_new (path, GTK_WIDGET (self->canvas));
  g_signal_connect_object (self->player, "frame", G_CALLBACK (frame_cb), self, G_CONNECT_SWAPPED);
}

static void
selected_cb (GessoStage *self)
{
  stop_player (self);
  g_cancellable_cancel (self->loading);
  g_clear_object (&self->loading);
  GessoResult *selected = gesso_filmstrip_get_selected (self->filmstrip);
  const char *path = selected ? gesso_result_get_path (selected) : NULL;
  if (!path || gesso_result_get_kept (selected))
    {
      gesso_canvas_set_result (self->canvas, NULL, NULL);
      return;
    }
  if (frames_may_move (path))
    {
      play (self, path);
      return;
    }
  self->loading = g_cancellable_new ();
  gesso_texture_load_async (path, self->loading, shown_cb, g_object_ref (self));
}

static void
result_message_cb (GessoResults *results, const char *message, gpointer user_data)
{
  say (user_data, message);
}

static void
discarded_cb (GessoStage *self)
{
  g_signal_emit (self, signals[DISCARDED], 0);
}

static void
canvas_failed_cb (GessoCanvas *canvas, const char *message, gpointer user_data)
{
  say (user_data, message);
}

static gboolean
canvas_dropped_cb (
    GessoCanvas *canvas, GFile *file, GdkTexture *texture, guint zone, gpointer user_data)
{
  gboolean taken = FALSE;
  if (file && zone == GESSO_DROP_PICTURE)
    g_signal_emit (user_data, signals[PICTURE_DROPPED], 0, file, &taken);
  return taken;
}

static gboolean
canvas_files_dropped_cb (GessoCanvas *canvas, GdkFileList *list, gpointer user_data)
{
  g_autoptr (GSList) files = gdk_file_list_get_files (list);
  g_auto (GVariantBuilder) uris = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_STRING_ARRAY);
  for (GSList *l = files; l; l = l->next)
    g_variant_builder_add_value (&uris, g_variant_new_take_string (g_file_get_uri (l->data)));
  return gtk_widget_activate_action_variant (user_data, "win.open-uris",
                                             g_variant_builder_end (&uris));
}

/* Who brings a picture wants to see it: no result lies over it or beside it. */
static void
canvas_loaded_cb (GessoCanvas *canvas, gpointer user_data)
{
  gesso_filmstrip_set_selected (((GessoStage *) user_data)->filmstrip, NULL);
}

static void
step_cb (GessoStage *self, int direction)
{
  gesso_filmstrip_step (self->filmstrip, direction);
}

static void
previous_cb (GessoCanvas *canvas, gpointer user_data)
{
  step_cb (user_data, -1);
}

static void
next_cb (GessoCanvas *canvas, gpointer user_data)
{
  step_cb (user_data, 1);
}

static void
canvas_keep_cb (GessoCanvas *canvas, gpointer user_data)
{
  gtk_widget_activate_action (GTK_WIDGET (((GessoStage *) user_data)->filmstrip), "filmstrip.keep",
                              NULL);
}

static void
canvas_star_cb (GessoCanvas *canvas, gpointer user_data)
{
  gtk_widget_activate_action (GTK_WIDGET (((GessoStage *) user_data)->filmstrip), "filmstrip.star",
                              NULL);
}

static void
canvas_discard_cb (GessoCanvas *canvas, gpointer user_data)
{
  gtk_widget_activate_action (GTK_WIDGET (((GessoStage *) user_data)->filmstrip),
                              "filmstrip.discard", NULL);
}

static void
panes_cb (GessoCanvas *canvas, gpointer user_data)
{
  gtk_widget_activate_action (user_data, "win.toggle-panes", NULL);
}

static void
zoom_cb (GessoStage *self)
{
  g_autofree char *text =
      g_strdup_printf (_ ("%.0f %%"), gesso_canvas_get_zoom (self->canvas) * 100);
  gtk_label_set_label (GTK_LABEL (self->zoom_label), text);
}

/* ---- layout ---- */

static GtkWidget *
new_icon_button (const char *icon, const char *action, const char *tip)
{
  GtkWidget *button = gtk_button_new_from_icon_name (icon);
  gtk_actionable_set_action_name (GTK_ACTIONABLE (button), action);
  gtk_widget_set_tooltip_text (button, tip);
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, tip, -1);
  gtk_widget_add_css_class (button, "flat");
  gtk_widget_add_css_class (button, "circular");
  return button;
}

static GtkWidget *
new_pill (GessoStage *self)
{
  self->pill = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 10);
  gtk_widget_add_css_class (self->pill, "pill-box");
  gtk_widget_set_halign (self->pill, GTK_ALIGN_CENTER);
  gtk_widget_set_valign (self->pill, GTK_ALIGN_END);
  self->pill_label = gtk_label_new (NULL);
  gtk_widget_add_css_class (self->pill_label, "numeric");
  gtk_label_set_ellipsize (GTK_LABEL (self->pill_label), PANGO_ELLIPSIZE_END);
  self->pill_bar = gtk_progress_bar_new ();
  gtk_widget_set_valign (self->pill_bar, GTK_ALIGN_CENTER);
  gtk_widget_set_size_request (self->pill_bar, 70, -1);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->pill_bar), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  _ ("Progress of the running job"), -1);
  gtk_box_append (GTK_BOX (self->pill), self->pill_label);
  gtk_box_append (GTK_BOX (self->pill), self->pill_bar);
  gtk_box_append (GTK_BOX (self->pill),
                  new_icon_button ("window-close-symbolic", "win.stop", _ ("Stop")));
  gtk_widget_set_visible (self->pill, FALSE);
  return self->pill;
}

static GtkWidget *
new_zoom (GessoStage *self)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 2);
  gtk_widget_add_css_class (box, "pill-box");
  gtk_widget_set_halign (box, GTK_ALIGN_END);
  gtk_widget_set_valign (box, GTK_ALIGN_END);
  self->zoom_label = gtk_label_new (NULL);
  gtk_widget_add_css_class (self->zoom_label, "numeric");
  gtk_box_append (GTK_BOX (box), self->zoom_label);
  gtk_box_append (GTK_BOX (box),
                  new_icon_button ("zoom-fit-best-symbolic", "canvas.fit", _ ("Fit")));
  self->zoom = box;
  return box;
}

/* The pill stands in the middle, or as far from there as it takes to leave room for the zoom. */
static gboolean
place_pill_cb (GtkOverlay *overlay, GtkWidget *child, GdkRectangle *at, gpointer user_data)
{
  GessoStage *self = user_data;
  if (child != self->pill)
    return FALSE;
  GtkRequisition least, pill, zoom;
  int width = gtk_widget_get_width (GTK_WIDGET (overlay));
  gtk_widget_get_preferred_size (self->pill, &least, &pill);
  gtk_widget_get_preferred_size (self->zoom, NULL, &zoom);
  int room = MAX (width - zoom.width, least.width);
  at->width = MIN (pill.width, room);
  at->height = pill.height;
  at->x = MIN ((width - at->width) / 2, room - at->width);
  at->y = gtk_widget_get_height (GTK_WIDGET (overlay)) - pill.height;
  if (gtk_widget_get_direction (GTK_WIDGET (overlay)) == GTK_TEXT_DIR_RTL)
    at->x = width - at->x - at->width;
  return TRUE;
}

/* ---- the menu of the result that lies over the canvas ---- */

static void
result_action_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoStage *self = user_data;
  g_autofree char *name = g_strconcat ("filmstrip.", g_action_get_name (G_ACTION (action)), NULL);
  gtk_widget_activate_action (GTK_WIDGET (self->filmstrip), name, NULL);
}

static void
add_result_menu (GessoStage *self, GtkWidget *box)
{
  static const GActionEntry actions[] = { { "keep", result_action_cb },
                                          { "star", result_action_cb },
                                          { "copy", result_action_cb },
                                          { "show-in-files", result_action_cb },
                                          { "discard", result_action_cb } };
  static const GessoMenuEntry entries[] = {
    { N_ ("_Keep"), "result.keep" },
    { N_ ("S_tar"), "result.star" },
    { N_ ("Cop_y"), "result.copy" },
    { N_ ("Show in Fi_les"), "result.show-in-files" },
    { N_ ("_Use Settings or Start From It…"), "win.use-result" },
    { N_ ("_Discard"), "result.discard" },
  };
  g_autoptr (GSimpleActionGroup) group = g_simple_action_group_new ();
  g_autoptr (GMenu) menu = g_menu_new ();
  g_action_map_add_action_entries (G_ACTION_MAP (group), actions, G_N_ELEMENTS (actions), self);
  gtk_widget_insert_action_group (box, "result", G_ACTION_GROUP (group));
  gesso_menu_add_section (menu, entries, G_N_ELEMENTS (entries));
  gesso_canvas_set_result_menu (self->canvas, G_MENU_MODEL (menu));
}

static void
build (GessoStage *self)
{
  self->canvas = GESSO_CANVAS (gesso_canvas_new (self->document));
  self->filmstrip = GESSO_FILMSTRIP (gesso_filmstrip_new ());
  GtkWidget *overlay = gtk_overlay_new ();
  gtk_widget_set_vexpand (overlay, TRUE);
  gtk_widget_add_css_class (overlay, "stage");
  gtk_overlay_set_child (GTK_OVERLAY (overlay), GTK_WIDGET (self->canvas));
  GtkWidget *tools = gesso_tool_bar_new (self->canvas);
  gtk_widget_set_halign (tools, GTK_ALIGN_START);
  gtk_widget_set_valign (tools, GTK_ALIGN_CENTER);
  gtk_overlay_add_overlay (GTK_OVERLAY (overlay), tools);
  g_signal_connect_object (overlay, "get-child-position", G_CALLBACK (place_pill_cb), self, 0);
  gtk_overlay_add_overlay (GTK_OVERLAY (overlay), new_pill (self));
  gtk_overlay_add_overlay (GTK_OVERLAY (overlay), new_zoom (self));
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  gtk_box_append (GTK_BOX (box), overlay);
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (self->filmstrip));
  gtk_widget_insert_action_group (box, "canvas", gesso_canvas_get_actions (self->canvas));
  add_result_menu (self, box);
  adw_bin_set_child (ADW_BIN (self), box);
}

static void
connect_canvas (GessoStage *self)
{
  static const struct
  {
    const char *signal;
    GCallback callback;
  } wires[] = {
    { "failed", G_CALLBACK (canvas_failed_cb) },
    { "picture-dropped", G_CALLBACK (canvas_dropped_cb) },
    { "picture-loaded", G_CALLBACK (canvas_loaded_cb) },
    { "files-dropped", G_CALLBACK (canvas_files_dropped_cb) },
    { "previous-result", G_CALLBACK (previous_cb) },
    { "next-result", G_CALLBACK (next_cb) },
    { "keep-result", G_CALLBACK (canvas_keep_cb) },
    { "star-result", G_CALLBACK (canvas_star_cb) },
    { "discard-result", G_CALLBACK (canvas_discard_cb) },
    { "toggle-panes", G_CALLBACK (panes_cb) },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (wires); i++)
    g_signal_connect_object (self->canvas, wires[i].signal, wires[i].callback, self, 0);
  g_signal_connect_object (self->canvas, "notify::zoom", G_CALLBACK (zoom_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->canvas, "map", G_CALLBACK (move_preview), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->canvas, "unmap", G_CALLBACK (stop_preview), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->filmstrip, "notify::selected", G_CALLBACK (selected_cb), self,
                           G_CONNECT_SWAPPED);
}

static void
connect_queue (GessoStage *self)
{
  GessoQueue *queue = gesso_session_get_queue (self->session);
  g_signal_connect_object (queue, "notify::running", G_CALLBACK (running_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (queue, "picture", G_CALLBACK (picture_cb), self, 0);
}

static void
gesso_stage_dispose (GObject *object)
{
  GessoStage *self = GESSO_STAGE (object);
  stop_player (self);
  g_clear_handle_id (&self->preview_timer, g_source_remove);
  g_clear_pointer (&self->preview, gesso_frame_free);
  g_cancellable_cancel (self->loading);
  g_clear_object (&self->loading);
  g_clear_object (&self->job);
  if (self->last_results)
    g_object_run_dispose (G_OBJECT (self->last_results));
  g_clear_object (&self->last_results);
  g_clear_object (&self->results);
  g_clear_object (&self->session);
  g_clear_object (&self->library);
  g_clear_object (&self->document);
  g_clear_object (&self->places);
  G_OBJECT_CLASS (gesso_stage_parent_class)->dispose (object);
}

static void
gesso_stage_class_init (GessoStageClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_stage_dispose;
  signals[MESSAGE] = g_signal_new ("message", GESSO_TYPE_STAGE, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                   NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
  signals[PICTURE_DROPPED] =
      g_signal_new ("picture-dropped", GESSO_TYPE_STAGE, G_SIGNAL_RUN_LAST, 0,
                    g_signal_accumulator_true_handled, NULL, NULL, G_TYPE_BOOLEAN, 1, G_TYPE_FILE);
  signals[DISCARDED] = g_signal_new ("discarded", GESSO_TYPE_STAGE, G_SIGNAL_RUN_LAST, 0, NULL,
                                     NULL, NULL, G_TYPE_NONE, 0);
}

static void
gesso_stage_init (GessoStage *self)
{
}

GtkWidget *
gesso_stage_new (GessoSession *session, GessoLibrary *library, GessoDocument *document)
{
  g_return_val_if_fail (GESSO_IS_SESSION (session) && GESSO_IS_LIBRARY (library), NULL);
  g_return_val_if_fail (GESSO_IS_DOCUMENT (document), NULL);
  GessoStage *self = g_object_new (GESSO_TYPE_STAGE, NULL);
  self->session = g_object_ref (session);
  self->library = g_object_ref (library);
  self->document = g_object_ref (document);
  self->places = gesso_places_new (session);
  build (self);
  self->results = gesso_results_new (self->filmstrip, document, library);
  g_signal_connect_object (self->results, "message", G_CALLBACK (result_message_cb), self, 0);
  g_signal_connect_object (self->results, "discarded", G_CALLBACK (discarded_cb), self,
                           G_CONNECT_SWAPPED);
  self->last_results = gesso_last_results_new (session, self->filmstrip, self->results);
  connect_canvas (self);
  connect_queue (self);
  zoom_cb (self);
  running_cb (self);
  return GTK_WIDGET (self);
}

GessoCanvas *
gesso_stage_get_canvas (GessoStage *self)
{
  g_return_val_if_fail (GESSO_IS_STAGE (self), NULL);
  return self->canvas;
}

GessoFilmstrip *
gesso_stage_get_filmstrip (GessoStage *self)
{
  g_return_val_if_fail (GESSO_IS_STAGE (self), NULL);
  return self->filmstrip;
}

void
gesso_stage_set_where (GessoStage *self, const gint64 *jobs, guint n, const GessoRect *where)
{
  g_return_if_fail (GESSO_IS_STAGE (self) && where);
  gesso_places_set (self->places, jobs, n, where);
}

void
gesso_stage_undo_discard (GessoStage *self)
{
  g_return_if_fail (GESSO_IS_STAGE (self));
  gesso_results_undo_discard (self->results);
}
