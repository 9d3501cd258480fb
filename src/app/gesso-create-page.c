/* SPDX-License-Identifier: MPL-2.0
 * gesso-create-page.c - prompt and parameters at the start side, canvas and results beside them.
 */
#include "app/gesso-create-page.h"

#include <glib/gi18n.h>

#include "app/gesso-adapter-list.h"
#include "app/gesso-control-list.h"
#include "app/gesso-draft.h"
#include "app/gesso-few-steps.h"
#include "app/gesso-frame-link.h"
#include "app/gesso-paths.h"
#include "app/gesso-resolve.h"
#include "app/gesso-seed-editor.h"
#include "app/gesso-welcome.h"

enum
{
  MAX_ADDING = 16 /* more than one presses in the time that one takes: a key that is held down */
};

struct _GessoCreatePage
{
  AdwBin parent_instance;
  GessoSession *session;
  GessoLibrary *library;
  GSettings *settings;
  GessoForm *form;
  GessoDocument *document;
  GessoPlanner *planner;
  GessoFrameLink *link;
  GessoDraft *draft;
  GtkWidget *revealer, *separator, *sidebar, *forms, *bar_place, *stage_place;
  GtkWidget *narrow_place, *prompt_tab, *picture_tab;
  GtkWidget *prompt, *list, *bar, *stage;
  gint64 editing; /* id of the job being edited, 0 for none */
  char *extended; /* of which an extension was asked for; NULL: of none */
  char *left;     /* that is not extended any more, for undo; NULL: none */
  guint n_adding; /* whose jobs are not in the queue yet */
  gboolean show_parameters, collapsed;
  gboolean shown_when_wide; /* the parameters, before the window was made narrow */
};

G_DEFINE_FINAL_TYPE (GessoCreatePage, gesso_create_page, ADW_TYPE_BIN)

enum
{
  PROP_SHOW_PARAMETERS = 1,
  PROP_COLLAPSED,
  PROP_CAN_GENERATE,
  N_PROPS
};
static GParamSpec *props[N_PROPS];

enum
{
  MESSAGE,
  PICTURE_DROPPED,
  DISCARDED,
  RESTORED,
  CLIP_LEFT,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

static void
say (GessoCreatePage *self, const char *message)
{
  g_signal_emit (self, signals[MESSAGE], 0, message);
}

/* ---- layout ---- */

/* Generate and the way to the other pane stand below both of them. */
static void
fold (GessoCreatePage *self)
{
  GtkWidget *place = self->collapsed ? self->narrow_place : self->bar_place;
  gtk_widget_set_visible (self->narrow_place, self->collapsed);
  gtk_widget_set_visible (self->bar_place, !self->collapsed);
  if (!self->bar || gtk_widget_get_parent (self->bar) == place)
    return;
  g_autoptr (GtkWidget) bar = g_object_ref (self->bar);
  gtk_box_remove (GTK_BOX (gtk_widget_get_parent (bar)), bar);
  gtk_box_append (GTK_BOX (place), bar);
}

static void
update_panes (GessoCreatePage *self)
{
  gboolean alone = self->collapsed && self->show_parameters;
  fold (self);
  gtk_toggle_button_set_active (
      GTK_TOGGLE_BUTTON (self->show_parameters ? self->prompt_tab : self->picture_tab), TRUE);
  gtk_revealer_set_reveal_child (GTK_REVEALER (self->revealer), self->show_parameters);
  gtk_widget_set_hexpand (self->revealer, alone);
  gtk_widget_set_visible (self->separator, self->show_parameters && !alone);
  gtk_widget_set_visible (self->stage_place, !alone);
}

static void
picture_tab_cb (GtkToggleButton *tab, gpointer user_data)
{
  GessoCreatePage *self = user_data;
  gboolean parameters = !gtk_toggle_button_get_active (tab);
  if (parameters != self->show_parameters)
    g_object_set (self, "show-parameters", parameters, NULL);
}

/* Who looked at the picture while there was no room for both has not put the parameters away. */
static void
set_collapsed (GessoCreatePage *self, gboolean collapsed)
{
  if (collapsed == self->collapsed)
    return;
  self->collapsed = collapsed;
  if (collapsed)
    self->shown_when_wide = self->show_parameters;
  else if (self->shown_when_wide && !self->show_parameters)
    g_object_set (self, "show-parameters", TRUE, NULL);
}

static void
update_link (GessoCreatePage *self)
{
  gesso_frame_link_set_model (self->link, gesso_planner_get_native (self->planner),
                              gesso_planner_get_size_step (self->planner),
                              gesso_parameter_list_makes_clips (GESSO_PARAMETER_LIST (self->list)));
}

static void
show_clip (GessoCreatePage *self, gboolean extends)
{
  g_autofree char *path = extends ? gesso_form_dup_text (self->form, "extend") : NULL;
  gesso_generate_bar_set_clip (GESSO_GENERATE_BAR (self->bar), path,
                               path && g_strcmp0 (path, self->extended) == 0);
}

static void
update_mode (GessoCreatePage *self)
{
  gboolean pixels = gesso_document_frame_has_picture (self->document);
  gboolean animate = gesso_parameter_list_makes_clips (GESSO_PARAMETER_LIST (self->list));
  gboolean mask = pixels && !animate && gesso_generate_get_mask_key () &&
                  gesso_document_frame_has_mask (self->document);
  gesso_parameter_list_set_has_pixels (GESSO_PARAMETER_LIST (self->list), pixels && !animate);
  gesso_parameter_list_set_has_mask (GESSO_PARAMETER_LIST (self->list), mask);
  gboolean extends = animate && !gesso_form_is_default (self->form, "extend");
  update_link (self);
  show_clip (self, extends);
  gesso_planner_set_inputs (self->planner, pixels && !extends, mask, animate);
  gesso_generate_bar_set_mode (GESSO_GENERATE_BAR (self->bar), extends   ? GESSO_MODE_EXTEND
                                                               : animate ? GESSO_MODE_ANIMATE
                                                               : mask    ? GESSO_MODE_INPAINT
                                                               : pixels  ? GESSO_MODE_REFINE
                                                                         : GESSO_MODE_GENERATE);
}

static void
planned_cb (GessoCreatePage *self)
{
  int native = gesso_planner_get_native (self->planner);
  int step = gesso_planner_get_size_step (self->planner);
  gesso_generate_bar_set_plan (
      GESSO_GENERATE_BAR (self->bar), gesso_planner_get_text (self->planner),
      gesso_planner_get_problem (self->planner), gesso_planner_is_tight (self->planner));
  gesso_parameter_list_set_native (GESSO_PARAMETER_LIST (self->list), native, step);
  update_link (self);
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_CAN_GENERATE]);
}

/* ---- generating ---- */

gboolean
gesso_create_page_get_can_generate (GessoCreatePage *self)
{
  g_return_val_if_fail (GESSO_IS_CREATE_PAGE (self), FALSE);
  return self->n_adding < MAX_ADDING && gesso_planner_get_problem (self->planner) == NULL;
}

static void
set_adding (GessoCreatePage *self, guint n)
{
  self->n_adding = n;
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_CAN_GENERATE]);
}

static void
generated_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoCreatePage) self = user_data;
  GessoRect where;
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) ids = gesso_generate_finish (result, &where, &error);
  if (!self->session)
    return;
  set_adding (self, self->n_adding - 1);
  if (!ids)
    {
      say (self, error->message);
      return;
    }
  if (!gesso_rect_is_empty (&where))
    gesso_stage_set_where (GESSO_STAGE (self->stage), (const gint64 *) ids->data, ids->len, &where);
  if (self->editing)
    say (self, _ ("The job was changed"));
  else if (ids->len > 1)
    {
      g_autofree char *text = g_strdup_printf (_ ("%u jobs were added to the queue"), ids->len);
      say (self, text);
    }
  gesso_create_page_stop_editing (self);
}

/* A number that is being typed is the field's before Enter, too. */
static void
take_typed_number (GessoCreatePage *self)
{
  GtkRoot *root = gtk_widget_get_root (GTK_WIDGET (self));
  GtkWidget *focus = root ? gtk_root_get_focus (root) : NULL;
  GtkWidget *spin = focus ? gtk_widget_get_ancestor (focus, GTK_TYPE_SPIN_BUTTON) : NULL;
  if (spin)
    gtk_spin_button_update (GTK_SPIN_BUTTON (spin));
}

/* What is wrong with the form as it was before the last keys is no reason: the job itself says it,
 * should it be wrong still. */
static gboolean
may_generate (GessoCreatePage *self)
{
  const char *problem = gesso_planner_get_problem (self->planner);
  if (!problem || gesso_planner_is_old (self->planner))
    return self->n_adding < MAX_ADDING;
  if (gtk_widget_get_mapped (self->bar))
    gesso_generate_bar_point_out (GESSO_GENERATE_BAR (self->bar));
  else
    say (self, problem);
  return FALSE;
}

void
gesso_create_page_generate (GessoCreatePage *self, const GessoGenerateOptions *options)
{
  g_return_if_fail (GESSO_IS_CREATE_PAGE (self));
  take_typed_number (self);
  if (!may_generate (self))
    return;
  GessoGenerateOptions chosen = options ? *options : (GessoGenerateOptions){ 0 };
  chosen.animate = gesso_parameter_list_makes_clips (GESSO_PARAMETER_LIST (self->list));
  chosen.edit = self->editing;
  if (!g_settings_get_boolean (self->settings, "seed-locked") && !self->editing)
    gesso_seed_editor_draw (self->form);
  const Recipe *recipe = gesso_form_peek (self->form);
  gesso_session_remember_prompt (self->session, recipe_str (recipe->prompt),
                                 recipe_str (recipe->negative_prompt));
  g_free (self->extended);
  self->extended = gesso_form_dup_text (self->form, "extend");
  update_mode (self);
  set_adding (self, self->n_adding + 1);
  gesso_generate_async (self->session, self->library, self->form, self->document, &chosen,
                        generated_cb, g_object_ref (self));
}

gboolean
gesso_create_page_makes_clips (GessoCreatePage *self)
{
  g_return_val_if_fail (GESSO_IS_CREATE_PAGE (self), FALSE);
  return gesso_parameter_list_makes_clips (GESSO_PARAMETER_LIST (self->list));
}

/* Its size and rate are the clip's, and its first frame is there already. */
void
gesso_create_page_extend (GessoCreatePage *self, const char *path)
{
  static const char *const others[] = { "width", "height", "fps", "first_frame", "last_frame" };
  g_autoptr (GError) error = NULL;
  g_return_if_fail (GESSO_IS_CREATE_PAGE (self) && path);
  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    gesso_form_reset (self->form, others[i]);
  if (!gesso_form_set_text (self->form, "extend", path, &error))
    say (self, error->message);
}

void
gesso_create_page_stop_extending (GessoCreatePage *self)
{
  g_return_if_fail (GESSO_IS_CREATE_PAGE (self));
  if (gesso_form_is_default (self->form, "extend"))
    return;
  g_free (self->left);
  self->left = gesso_form_dup_text (self->form, "extend");
  gesso_form_reset (self->form, "extend");
  g_signal_emit (self, signals[CLIP_LEFT], 0);
}

void
gesso_create_page_extend_again (GessoCreatePage *self)
{
  g_return_if_fail (GESSO_IS_CREATE_PAGE (self));
  if (self->left)
    gesso_create_page_extend (self, self->left);
}

/* A clip begins with one thing only: who brings another goes on to something else. */
static void
begins_otherwise_cb (GessoCreatePage *self)
{
  if (gesso_create_page_makes_clips (self))
    gesso_create_page_stop_extending (self);
}

static void
frame_changed_cb (GessoForm *form, const char *key, gpointer user_data)
{
  if (!gesso_form_is_default (form, key))
    begins_otherwise_cb (user_data);
}

void
gesso_create_page_stop_editing (GessoCreatePage *self)
{
  g_return_if_fail (GESSO_IS_CREATE_PAGE (self));
  self->editing = 0;
  gesso_generate_bar_set_editing (GESSO_GENERATE_BAR (self->bar), FALSE);
}

/* ---- recipes ---- */

typedef struct
{
  GessoCreatePage *self;
  char *mask;
} Inputs;

/* The mask lies over the frame, which covers the picture once that is there. */
static void
picture_loaded_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autofree Inputs *inputs = user_data;
  g_autoptr (GessoCreatePage) self = inputs->self;
  g_autofree char *mask = inputs->mask;
  g_autoptr (GError) error = NULL;
  GessoCanvas *canvas = self->stage ? gesso_stage_get_canvas (GESSO_STAGE (self->stage)) : NULL;
  if (!gesso_document_load_finish (GESSO_DOCUMENT (source), result, &error))
    say (self, error->message);
  else if (canvas)
    g_signal_emit_by_name (canvas, "picture-loaded");
  if (!error && canvas && mask && *mask)
    {
      g_autoptr (GFile) file = g_file_new_for_path (mask);
      gesso_canvas_load_file (canvas, file, GESSO_DROP_MASK);
    }
}

/* A recipe that begins with nothing would begin with the picture that is on the canvas.  Undo
 * brings that back.  Before the form is filled in, whose size would be fitted to the picture. */
static gboolean
clear_for (GessoCreatePage *self, const char *json, GError **error)
{
  g_autoptr (GessoForm) trial = gesso_form_new ();
  if (!gesso_form_load (trial, json, error))
    return FALSE;
  if (!gesso_form_peek (trial)->init_image && gesso_document_has_picture (self->document))
    gesso_document_clear (self->document);
  return TRUE;
}

/* The canvas owns start picture and mask; the form names them only inside a job. */
static void
take_inputs (GessoCreatePage *self)
{
  const char *mask_key = gesso_generate_get_mask_key ();
  g_autofree char *picture = gesso_form_dup_text (self->form, "init_image");
  char *mask = mask_key ? gesso_form_dup_text (self->form, mask_key) : NULL;
  gesso_form_reset (self->form, "init_image");
  if (mask_key)
    gesso_form_reset (self->form, mask_key);
  if (!*picture)
    {
      g_free (mask);
      return;
    }
  Inputs *inputs = g_new (Inputs, 1);
  *inputs = (Inputs){ g_object_ref (self), mask };
  g_autoptr (GFile) file = g_file_new_for_path (picture);
  gesso_document_load_async (self->document, file, NULL, picture_loaded_cb, inputs);
}

gboolean
gesso_create_page_load_recipe (GessoCreatePage *self, const char *json, gint64 job, GError **error)
{
  g_return_val_if_fail (GESSO_IS_CREATE_PAGE (self) && json, FALSE);
  g_autofree char *model = gesso_form_dup_text (self->form, "model");
  if (!clear_for (self, json, error) || !gesso_form_load (self->form, json, error))
    return FALSE;
  gesso_resolve_model (self->form, self->library, model);
  take_inputs (self);
  g_settings_set_boolean (self->settings, "seed-locked", TRUE);
  self->editing = job;
  gesso_generate_bar_set_editing (GESSO_GENERATE_BAR (self->bar), job != 0);
  return TRUE;
}

gboolean
gesso_create_page_load_form (GessoCreatePage *self, const char *json, GError **error)
{
  g_return_val_if_fail (GESSO_IS_CREATE_PAGE (self) && json, FALSE);
  const char *mask_key = gesso_generate_get_mask_key ();
  g_autofree char *model = gesso_form_dup_text (self->form, "model");
  if (!gesso_form_load (self->form, json, error))
    return FALSE;
  gesso_form_reset (self->form, "init_image");
  if (mask_key)
    gesso_form_reset (self->form, mask_key);
  gesso_resolve_model (self->form, self->library, model);
  gesso_create_page_stop_editing (self);
  return TRUE;
}

void
gesso_create_page_load_picture (GessoCreatePage *self, GFile *file)
{
  g_return_if_fail (GESSO_IS_CREATE_PAGE (self) && G_IS_FILE (file));
  gesso_canvas_load_file (gesso_stage_get_canvas (GESSO_STAGE (self->stage)), file,
                          GESSO_DROP_PICTURE);
}

void
gesso_create_page_focus_prompt (GessoCreatePage *self)
{
  g_return_if_fail (GESSO_IS_CREATE_PAGE (self));
  gesso_prompt_view_focus (GESSO_PROMPT_VIEW (self->prompt));
}

gboolean
gesso_create_page_is_restoring (GessoCreatePage *self)
{
  g_return_val_if_fail (GESSO_IS_CREATE_PAGE (self), FALSE);
  return self->draft && gesso_draft_is_restoring (self->draft);
}

void
gesso_create_page_keep_draft (GessoCreatePage *self)
{
  g_return_if_fail (GESSO_IS_CREATE_PAGE (self));
  gesso_draft_keep (self->draft);
}

/* ---- making ---- */

static void
message_cb (GtkWidget *part, const char *message, gpointer user_data)
{
  say (user_data, message);
}

static gboolean
stage_dropped_cb (GessoStage *stage, GFile *file, gpointer user_data)
{
  gboolean taken = FALSE;
  g_signal_emit (user_data, signals[PICTURE_DROPPED], 0, file, &taken);
  return taken;
}

static void
stage_discarded_cb (GessoStage *stage, gpointer user_data)
{
  g_signal_emit (user_data, signals[DISCARDED], 0);
}

static void
restored_cb (GessoCreatePage *self)
{
  g_signal_emit (self, signals[RESTORED], 0);
}

/* What a person sees who starts the program for the first time. */
static void
fill_first_form (GessoCreatePage *self)
{
  /* Translators: keep the English words: the model that comes with Gesso knows no others. */
  gesso_form_set_text (self->form, "prompt", _ ("a red apple"), NULL);
}

static void
choose_some_model (GessoCreatePage *self)
{
  g_autofree char *shipped = gesso_paths_dup_shipped_model ();
  if (shipped && gesso_form_is_default (self->form, "model"))
    gesso_form_set_text (self->form, "model", shipped, NULL);
}

static void
append_list (GessoCreatePage *self, GtkWidget *list)
{
  gtk_box_append (GTK_BOX (self->forms), list);
  g_signal_connect_object (list, "message", G_CALLBACK (message_cb), self, 0);
}

static void
build_sidebar (GessoCreatePage *self)
{
  self->prompt = gesso_prompt_view_new (self->form, self->session);
  self->list = gesso_parameter_list_new (self->form, self->library);
  self->bar = gesso_generate_bar_new (self->form);
  gtk_box_append (GTK_BOX (self->forms), gesso_welcome_new (self->library, self->settings));
  gtk_box_append (GTK_BOX (self->forms), self->prompt);
  gtk_box_append (GTK_BOX (self->forms), gesso_few_steps_new (self->form, self->library));
  gtk_box_append (GTK_BOX (self->forms), self->list);
  append_list (self, gesso_adapter_list_new (self->form, self->library));
  append_list (self, gesso_control_list_new (self->form, self->library));
  gtk_box_append (GTK_BOX (self->bar_place), self->bar);
}

static void
build_stage (GessoCreatePage *self)
{
  self->stage = gesso_stage_new (self->session, self->library, self->document);
  gtk_widget_set_hexpand (self->stage, TRUE);
  gtk_box_append (GTK_BOX (self->stage_place), self->stage);
  g_signal_connect_object (self->stage, "message", G_CALLBACK (message_cb), self, 0);
  g_signal_connect_object (self->stage, "picture-dropped", G_CALLBACK (stage_dropped_cb), self, 0);
  g_signal_connect_object (self->stage, "discarded", G_CALLBACK (stage_discarded_cb), self, 0);
  g_signal_connect_object (gesso_stage_get_canvas (GESSO_STAGE (self->stage)), "picture-loaded",
                           G_CALLBACK (begins_otherwise_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (gesso_stage_get_filmstrip (GESSO_STAGE (self->stage)), "keep",
                           G_CALLBACK (begins_otherwise_cb), self, G_CONNECT_SWAPPED);
}

static void
gesso_create_page_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GessoCreatePage *self = GESSO_CREATE_PAGE (object);
  switch (id)
    {
    case PROP_SHOW_PARAMETERS:
      g_value_set_boolean (value, self->show_parameters);
      break;
    case PROP_COLLAPSED:
      g_value_set_boolean (value, self->collapsed);
      break;
    case PROP_CAN_GENERATE:
      g_value_set_boolean (value, gesso_create_page_get_can_generate (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gesso_create_page_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GessoCreatePage *self = GESSO_CREATE_PAGE (object);
  switch (id)
    {
    case PROP_SHOW_PARAMETERS:
      self->show_parameters = g_value_get_boolean (value);
      break;
    case PROP_COLLAPSED:
      set_collapsed (self, g_value_get_boolean (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
  update_panes (self);
}

static void
gesso_create_page_dispose (GObject *object)
{
  GessoCreatePage *self = GESSO_CREATE_PAGE (object);
  g_clear_object (&self->draft);
  g_clear_object (&self->link);
  if (self->planner)
    g_object_run_dispose (G_OBJECT (self->planner));
  self->stage = NULL;
  gtk_widget_dispose_template (GTK_WIDGET (self), GESSO_TYPE_CREATE_PAGE);
  g_clear_object (&self->session);
  g_clear_object (&self->library);
  g_clear_object (&self->settings);
  G_OBJECT_CLASS (gesso_create_page_parent_class)->dispose (object);
}

static void
gesso_create_page_finalize (GObject *object)
{
  GessoCreatePage *self = GESSO_CREATE_PAGE (object);
  g_clear_object (&self->planner);
  g_clear_object (&self->form);
  g_clear_object (&self->document);
  g_free (self->extended);
  g_free (self->left);
  G_OBJECT_CLASS (gesso_create_page_parent_class)->finalize (object);
}

static void
gesso_create_page_class_init (GessoCreatePageClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  object_class->get_property = gesso_create_page_get_property;
  object_class->set_property = gesso_create_page_set_property;
  object_class->dispose = gesso_create_page_dispose;
  object_class->finalize = gesso_create_page_finalize;
  props[PROP_SHOW_PARAMETERS] = g_param_spec_boolean ("show-parameters", NULL, NULL, FALSE,
                                                      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
  props[PROP_COLLAPSED] = g_param_spec_boolean ("collapsed", NULL, NULL, FALSE,
                                                G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
  props[PROP_CAN_GENERATE] = g_param_spec_boolean ("can-generate", NULL, NULL, FALSE,
                                                   G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, props);
  signals[MESSAGE] = g_signal_new ("message", GESSO_TYPE_CREATE_PAGE, G_SIGNAL_RUN_LAST, 0, NULL,
                                   NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
  signals[PICTURE_DROPPED] =
      g_signal_new ("picture-dropped", GESSO_TYPE_CREATE_PAGE, G_SIGNAL_RUN_LAST, 0,
                    g_signal_accumulator_true_handled, NULL, NULL, G_TYPE_BOOLEAN, 1, G_TYPE_FILE);
  signals[DISCARDED] = g_signal_new ("discarded", GESSO_TYPE_CREATE_PAGE, G_SIGNAL_RUN_LAST, 0,
                                     NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[CLIP_LEFT] = g_signal_new ("clip-left", GESSO_TYPE_CREATE_PAGE, G_SIGNAL_RUN_LAST, 0,
                                     NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[RESTORED] = g_signal_new ("restored", GESSO_TYPE_CREATE_PAGE, G_SIGNAL_RUN_LAST, 0, NULL,
                                    NULL, NULL, G_TYPE_NONE, 0);
  gtk_widget_class_set_template_from_resource (
      widget_class, "/io/github/gesso_studio/Gesso/ui/gesso-create-page.ui");
  gtk_widget_class_bind_template_child (widget_class, GessoCreatePage, revealer);
  gtk_widget_class_bind_template_child (widget_class, GessoCreatePage, separator);
  gtk_widget_class_bind_template_child (widget_class, GessoCreatePage, sidebar);
  gtk_widget_class_bind_template_child (widget_class, GessoCreatePage, forms);
  gtk_widget_class_bind_template_child (widget_class, GessoCreatePage, bar_place);
  gtk_widget_class_bind_template_child (widget_class, GessoCreatePage, stage_place);
  gtk_widget_class_bind_template_child (widget_class, GessoCreatePage, narrow_place);
  gtk_widget_class_bind_template_child (widget_class, GessoCreatePage, prompt_tab);
  gtk_widget_class_bind_template_child (widget_class, GessoCreatePage, picture_tab);
  gtk_widget_class_bind_template_callback (widget_class, picture_tab_cb);
}

static void
gesso_create_page_init (GessoCreatePage *self)
{
  self->form = gesso_form_new ();
  self->document = gesso_document_new ();
  gtk_widget_init_template (GTK_WIDGET (self));
}

GtkWidget *
gesso_create_page_new (GessoSession *session, GessoLibrary *library, GSettings *settings)
{
  g_return_val_if_fail (GESSO_IS_SESSION (session) && GESSO_IS_LIBRARY (library), NULL);
  g_return_val_if_fail (G_IS_SETTINGS (settings), NULL);
  GessoCreatePage *self = g_object_new (GESSO_TYPE_CREATE_PAGE, NULL);
  self->session = g_object_ref (session);
  self->library = g_object_ref (library);
  self->settings = g_object_ref (settings);
  gboolean restored;
  self->draft = gesso_draft_new (session, self->form, self->document, &restored);
  g_signal_connect_object (self->draft, "restored", G_CALLBACK (restored_cb), self,
                           G_CONNECT_SWAPPED);
  if (!restored)
    fill_first_form (self);
  choose_some_model (self);
  self->planner = gesso_planner_new (session, library, self->form);
  self->link = gesso_frame_link_new (self->form, self->document);
  build_sidebar (self);
  build_stage (self);
  g_signal_connect_object (self->planner, "changed", G_CALLBACK (planned_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->list, "families-changed", G_CALLBACK (update_mode), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->document, "changed", G_CALLBACK (update_mode), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->form, "changed::extend", G_CALLBACK (update_mode), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->form, "changed::first_frame", G_CALLBACK (frame_changed_cb), self,
                           0);
  g_signal_connect_object (self->form, "changed::last_frame", G_CALLBACK (frame_changed_cb), self,
                           0);
  if (!restored) /* an example, which the first words take the place of */
    gesso_prompt_view_select_all (GESSO_PROMPT_VIEW (self->prompt));
  g_settings_bind (settings, "show-parameters", self, "show-parameters", G_SETTINGS_BIND_DEFAULT);
  update_mode (self);
  planned_cb (self);
  return GTK_WIDGET (self);
}

GessoForm *
gesso_create_page_get_form (GessoCreatePage *self)
{
  g_return_val_if_fail (GESSO_IS_CREATE_PAGE (self), NULL);
  return self->form;
}

GessoDocument *
gesso_create_page_get_document (GessoCreatePage *self)
{
  g_return_val_if_fail (GESSO_IS_CREATE_PAGE (self), NULL);
  return self->document;
}

GessoPlanner *
gesso_create_page_get_planner (GessoCreatePage *self)
{
  g_return_val_if_fail (GESSO_IS_CREATE_PAGE (self), NULL);
  return self->planner;
}

GessoStage *
gesso_create_page_get_stage (GessoCreatePage *self)
{
  g_return_val_if_fail (GESSO_IS_CREATE_PAGE (self), NULL);
  return GESSO_STAGE (self->stage);
}

GessoPromptView *
gesso_create_page_get_prompt_view (GessoCreatePage *self)
{
  g_return_val_if_fail (GESSO_IS_CREATE_PAGE (self), NULL);
  return GESSO_PROMPT_VIEW (self->prompt);
}

GessoParameterList *
gesso_create_page_get_parameter_list (GessoCreatePage *self)
{
  g_return_val_if_fail (GESSO_IS_CREATE_PAGE (self), NULL);
  return GESSO_PARAMETER_LIST (self->list);
}

GessoGenerateBar *
gesso_create_page_get_generate_bar (GessoCreatePage *self)
{
  g_return_val_if_fail (GESSO_IS_CREATE_PAGE (self), NULL);
  return GESSO_GENERATE_BAR (self->bar);
}
