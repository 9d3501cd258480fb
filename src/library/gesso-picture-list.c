/* SPDX-License-Identifier: MPL-2.0
 * gesso-picture-list.c - the pictures that answer to a search, as a GListModel.
 *
 * It knows the numbers of all; gesso-picture-pages.c makes objects of those that are looked at.
 *
 * One query is on its way at a time.  A change of the search breaks it off and asks anew when it
 * has ended, so that typing never queues work; what an old query found is thrown away.
 *
 * A grid works 5 ms and more for each "items-changed".  So an answer to a new search is one, and
 * one to the same search as before, where the grid is to stay where it is, is as many as it needs,
 * one a turn of the main loop.
 */
#define G_LOG_DOMAIN "gesso-library"

#include "library/gesso-library-private.h"
#include "library/gesso-list-diff.h"
#include "library/gesso-picture-pages.h"
#include "library/gesso-picture-query.h"

enum
{
  FIRST_ROWS = 128 /* come with the numbers: what a window shows at once */
};

typedef struct
{
  GessoRefreshed func;
  gpointer data;
  guint generation;
} Waiter;

typedef struct _QueryRequest QueryRequest;

struct _GessoPictureList
{
  GObject parent_instance;
  GessoLibrary *library;
  GArray *ids; /* guint64 */
  GessoPicturePages *pages;
  char *search;
  gboolean starred_only, loading, detached;

  guint generation;        /* of what is asked for */
  guint search_generation; /* of search and starred-only */
  gboolean in_flight;
  GCancellable *cancellable; /* of the query on its way */
  GArray *waiters;

  QueryRequest *showing; /* answered, and shown run by run; still counts as on its way */
  GArray *runs;          /* GessoListRun; of @showing, from the end */
  guint runs_id;
  guint shown_generation; /* search_generation of what the list shows */
};

static void list_model_init (GListModelInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (GessoPictureList,
                               gesso_picture_list,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, list_model_init))

enum
{
  PROP_0,
  PROP_SEARCH,
  PROP_STARRED_ONLY,
  PROP_LOADING,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

/* -- the model ----------------------------------------------------------------------------------
 */

static GType
get_item_type (GListModel *model)
{
  return GESSO_TYPE_PICTURE;
}

static guint
get_n_items (GListModel *model)
{
  return GESSO_PICTURE_LIST (model)->ids->len;
}

static gpointer
get_item (GListModel *model, guint position)
{
  GessoPictureList *self = GESSO_PICTURE_LIST (model);
  return position < self->ids->len ? gesso_picture_pages_ref_picture (self->pages, position) : NULL;
}

static void
list_model_init (GListModelInterface *iface)
{
  iface->get_item_type = get_item_type;
  iface->get_n_items = get_n_items;
  iface->get_item = get_item;
}

/* -- queries ------------------------------------------------------------------------------------
 */

struct _QueryRequest
{
  GessoPictureList *self; /* a reference until it is answered */
  GessoPictureQuery *query;
  guint generation, search_generation;
  GAsyncReadyCallback callback; /* of the next one */
};

static void
request_free (QueryRequest *r)
{
  gesso_picture_query_free (r->query);
  g_free (r);
}

static void
set_loading (GessoPictureList *self, gboolean loading)
{
  if (self->loading == loading)
    return;
  self->loading = loading;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_LOADING]);
}

static void
call_waiters (GessoPictureList *self, guint generation)
{
  g_autoptr (GArray) due = g_array_new (FALSE, FALSE, sizeof (Waiter));
  for (guint i = 0; i < self->waiters->len;)
    {
      Waiter w = g_array_index (self->waiters, Waiter, i);
      if (w.generation > generation)
        {
          i++;
          continue;
        }
      g_array_append_val (due, w);
      g_array_remove_index (self->waiters, i);
    }
  for (guint i = 0; i < due->len; i++)
    {
      Waiter *w = &g_array_index (due, Waiter, i);
      w->func (w->data);
    }
}

static void
begin_query (GessoPictureList *self, GAsyncReadyCallback callback)
{
  QueryRequest *r = g_new0 (QueryRequest, 1);
  r->self = g_object_ref (self);
  r->query = gesso_picture_query_new (self->search, self->starred_only, FIRST_ROWS);
  r->generation = self->generation;
  r->search_generation = self->search_generation;
  r->callback = callback;
  self->in_flight = TRUE;
  self->cancellable = g_cancellable_new ();
  gesso_database_run_async (gesso_library_get_reader (self->library), FALSE,
                            gesso_picture_query_run, r->query, NULL, self->cancellable, callback,
                            r);
}

static gboolean
is_stale (GessoPictureList *self, const QueryRequest *r)
{
  return self->detached || r->search_generation != self->search_generation;
}

static void
end_query (GessoPictureList *self, QueryRequest *r)
{
  gboolean stale = is_stale (self, r);
  guint generation = r->generation;
  GAsyncReadyCallback callback = r->callback;
  self->in_flight = FALSE;
  g_clear_object (&self->cancellable);
  request_free (r);
  if (!stale)
    call_waiters (self, generation);
  if (self->in_flight || self->detached)
    return; /* a listener asked, or the library closed */
  if (generation != self->generation)
    begin_query (self, callback);
  else
    set_loading (self, FALSE);
}

/* The next run.  Returns: FALSE when there is none left, or the question has changed. */
static gboolean
show_run (GessoPictureList *self)
{
  const QueryRequest *r = self->showing;
  if (!is_stale (self, r) && self->runs->len)
    gesso_list_diff_apply_last (G_LIST_MODEL (self), self->ids, self->runs,
                                (const guint64 *) (gpointer) r->query->ids->data);
  return self->showing && !is_stale (self, r) && self->runs->len > 0;
}

static void
end_showing (GessoPictureList *self)
{
  QueryRequest *r = g_steal_pointer (&self->showing);
  g_clear_pointer (&self->runs, g_array_unref);
  if (r)
    end_query (self, r);
}

static gboolean
show_run_cb (gpointer data)
{
  g_autoptr (GessoPictureList) self = g_object_ref (data);
  if (show_run (self))
    return G_SOURCE_CONTINUE;
  self->runs_id = 0;
  end_showing (self);
  return G_SOURCE_REMOVE;
}

static void
show (GessoPictureList *self, QueryRequest *r)
{
  gboolean same_search = r->search_generation == self->shown_generation;
  self->shown_generation = r->search_generation;
  self->showing = r;
  gesso_picture_pages_fill (self->pages,
                            r->query->rows); /* so that listeners find the first rows complete */
  self->runs = gesso_list_diff_find (self->ids, (const guint64 *) (gpointer) r->query->ids->data,
                                     r->query->ids->len, !same_search);
  if (show_run (self))
    self->runs_id = g_idle_add_full (G_PRIORITY_DEFAULT, show_run_cb, self, NULL);
  else
    end_showing (self);
}

static void
queried_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  QueryRequest *r = user_data;
  g_autoptr (GessoPictureList) self = r->self;
  g_autoptr (GError) error = NULL;
  gboolean ok = gesso_database_run_finish (GESSO_DATABASE (source), result, &error);
  gboolean stale = is_stale (self, r);
  if (!ok && !stale)
    g_message ("Pictures cannot be searched: %s", error->message);
  if (ok && !stale)
    show (self, r);
  else
    end_query (self, r);
}

void
gesso_picture_list_refresh (GessoPictureList *self, GessoRefreshed func, gpointer data)
{
  g_return_if_fail (GESSO_IS_PICTURE_LIST (self));
  if (self->detached)
    {
      if (func)
        func (data);
      return;
    }
  Waiter w = { func, data, ++self->generation };
  if (func)
    g_array_append_val (self->waiters, w);
  set_loading (self, TRUE);
  if (!self->in_flight)
    begin_query (self, queried_cb);
}

/* What is on its way answers another question. */
static void
ask_again (GessoPictureList *self)
{
  self->generation++;
  self->search_generation++;
  set_loading (self, TRUE);
  if (self->in_flight)
    g_cancellable_cancel (self->cancellable);
  else if (!self->detached)
    begin_query (self, queried_cb);
}

/* -- the object ---------------------------------------------------------------------------------
 */

static void
gesso_picture_list_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GessoPictureList *self = GESSO_PICTURE_LIST (object);
  switch (id)
    {
    case PROP_SEARCH:
      g_value_set_string (value, self->search);
      break;
    case PROP_STARRED_ONLY:
      g_value_set_boolean (value, self->starred_only);
      break;
    case PROP_LOADING:
      g_value_set_boolean (value, self->loading);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gesso_picture_list_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GessoPictureList *self = GESSO_PICTURE_LIST (object);
  switch (id)
    {
    case PROP_SEARCH:
      gesso_picture_list_set_search (self, g_value_get_string (value));
      break;
    case PROP_STARRED_ONLY:
      gesso_picture_list_set_starred_only (self, g_value_get_boolean (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
stop_showing (GessoPictureList *self)
{
  g_clear_handle_id (&self->runs_id, g_source_remove);
  g_clear_pointer (&self->runs, g_array_unref);
  g_clear_pointer (&self->showing, request_free);
}

static void
gesso_picture_list_dispose (GObject *object)
{
  GessoPictureList *self = GESSO_PICTURE_LIST (object);
  stop_showing (self);
  if (self->library)
    gesso_library_remove_list (self->library, self);
  if (self->pages)
    gesso_picture_pages_close (self->pages);
  g_clear_pointer (&self->pages, gesso_picture_pages_unref);
  g_clear_object (&self->library);
  G_OBJECT_CLASS (gesso_picture_list_parent_class)->dispose (object);
}

static void
gesso_picture_list_finalize (GObject *object)
{
  GessoPictureList *self = GESSO_PICTURE_LIST (object);
  g_free (self->search);
  g_array_unref (self->ids);
  g_array_unref (self->waiters);
  G_OBJECT_CLASS (gesso_picture_list_parent_class)->finalize (object);
}

static void
gesso_picture_list_class_init (GessoPictureListClass *klass)
{
  const GParamFlags flags = G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  object_class->get_property = gesso_picture_list_get_property;
  object_class->set_property = gesso_picture_list_set_property;
  object_class->dispose = gesso_picture_list_dispose;
  object_class->finalize = gesso_picture_list_finalize;
  properties[PROP_SEARCH] =
      g_param_spec_string ("search", NULL, NULL, "", G_PARAM_READWRITE | flags);
  properties[PROP_STARRED_ONLY] =
      g_param_spec_boolean ("starred-only", NULL, NULL, FALSE, G_PARAM_READWRITE | flags);
  properties[PROP_LOADING] =
      g_param_spec_boolean ("loading", NULL, NULL, FALSE, G_PARAM_READABLE | flags);
  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
gesso_picture_list_init (GessoPictureList *self)
{
  self->search = g_strdup ("");
  self->ids = g_array_new (FALSE, FALSE, sizeof (guint64));
  self->waiters = g_array_new (FALSE, FALSE, sizeof (Waiter));
}

GessoPictureList *
gesso_picture_list_new (GessoLibrary *library)
{
  g_return_val_if_fail (GESSO_IS_LIBRARY (library), NULL);
  GessoPictureList *self = g_object_new (GESSO_TYPE_PICTURE_LIST, NULL);
  self->library = g_object_ref (library);
  self->pages = gesso_picture_pages_new (library, self->ids);
  gesso_library_add_list (library, self);
  ask_again (self);
  return self;
}

void
gesso_picture_list_set_search (GessoPictureList *self, const char *text)
{
  g_return_if_fail (GESSO_IS_PICTURE_LIST (self));
  if (g_strcmp0 (self->search, text ? text : "") == 0)
    return;
  g_free (self->search);
  self->search = g_strdup (text ? text : "");
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_SEARCH]);
  ask_again (self);
}

void
gesso_picture_list_set_starred_only (GessoPictureList *self, gboolean starred_only)
{
  g_return_if_fail (GESSO_IS_PICTURE_LIST (self));
  if (self->starred_only == !!starred_only)
    return;
  self->starred_only = !!starred_only;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_STARRED_ONLY]);
  ask_again (self);
}

void
gesso_picture_list_detach (GessoPictureList *self)
{
  g_return_if_fail (GESSO_IS_PICTURE_LIST (self));
  self->detached = TRUE;
  if (self->pages)
    gesso_picture_pages_close (self->pages);
  stop_showing (self);
  if (self->cancellable)
    g_cancellable_cancel (self->cancellable);
  call_waiters (self, G_MAXUINT);
}
