/* SPDX-License-Identifier: MPL-2.0
 * gesso-session.h - what the program knows without widgets: queue, workers, remembered prompts.
 *
 * One worker for each device.  Property "worker-state" (GessoWorkerState: the best of them;
 * notified when any changes), "device" (string, for the user, one line for each device). Signals:
 * "worker-died" (string: one sentence).
 */
#pragma once

#include "session/gesso-devices.h"
#include "session/gesso-queue.h"

G_BEGIN_DECLS

typedef enum
{
  GESSO_WORKER_STARTING,
  GESSO_WORKER_READY,
  GESSO_WORKER_WAITING, /* died a moment ago, will be started again */
  GESSO_WORKER_STOPPED  /* died three times in a row: restart_worker() tries again */
} GessoWorkerState;
GType gesso_worker_state_get_type (void);
#define GESSO_TYPE_WORKER_STATE (gesso_worker_state_get_type ())

typedef struct
{
  const char *data_dir;     /* session.db, journals/; NULL for $XDG_DATA_HOME/gesso */
  const char *pictures_dir; /* NULL for the user's Pictures/Gesso */
  const char *worker;   /* program; NULL to find gesso-worker beside this program or installed */
  const char *backends; /* "cpu", "cuda:0,cuda:1": one worker each; NULL for every card that can be
                           used, or the CPU where there is none */
  int restart_delay_ms; /* between two starts of a worker; 0 for 5000 */
  int vram_limit_mib;   /* of each card's memory; 0: all but a reserve */
} GessoSessionOptions;

#define GESSO_TYPE_SESSION (gesso_session_get_type ())
G_DECLARE_FINAL_TYPE (GessoSession, gesso_session, GESSO, SESSION, GObject)

/* Opens the database (jobs that were running are waiting again, with their journals) and starts the
 * workers.  Refuses when another program has the same data_dir open. */
GessoSession *gesso_session_new (const GessoSessionOptions *options, GError **error);
GessoQueue *gesso_session_get_queue (GessoSession *self);
const char *gesso_session_get_pictures_dir (GessoSession *self);
/* For pictures that come from now on; NULL for the user's Pictures/Gesso. */
void gesso_session_set_pictures_dir (GessoSession *self, const char *path);
const char *gesso_session_get_data_dir (GessoSession *self);
const char *gesso_session_get_device (GessoSession *self);
/* What there is on this machine, of GessoDevice; asked anew each time. */
void gesso_session_list_devices_async (GessoSession *self,
                                       GCancellable *cancellable,
                                       GAsyncReadyCallback callback,
                                       gpointer user_data);
GPtrArray *gesso_session_list_devices_finish (GAsyncResult *result, GError **error);
/* As GessoSessionOptions says.  What runs on a device that is not among them goes on elsewhere. */
void gesso_session_set_backends (GessoSession *self, const char *backends);
/* From each card's next batch on; its worker starts anew for that. */
void gesso_session_set_vram_limit (GessoSession *self, int limit_mib);
GessoWorkerState gesso_session_get_worker_state (GessoSession *self);
/* STOPPED when any worker has, while others may go on; else the worst of them. */
GessoWorkerState gesso_session_get_worst_worker_state (GessoSession *self);
void gesso_session_restart_worker (GessoSession *self); /* those that have stopped */

/* Every worker has stopped, and one of them was a card's. */
gboolean gesso_session_offers_cpu (GessoSession *self);
void gesso_session_use_cpu (GessoSession *self); /* until this session ends */

/* What a recipe needs before it runs.  A plan asked for while another is being made replaces it. */
typedef struct
{
  guint64 peak_bytes, weight_bytes,
      available_bytes; /* what the card may give, or the machine has free */
  double seconds;      /* of all pictures; from times measured here when there are any */
  gboolean fits;
  char *recipe;    /* with everything filled in that the recipe left to the model */
  int size_step;   /* pixels that the model's sides are multiples of; 0: not said */
  int native_side; /* of the square as large as the model's own size; 0: not said */
} GessoPlan;
void gesso_plan_free (GessoPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GessoPlan, gesso_plan_free)
void gesso_session_plan_async (GessoSession *self,
                               const char *recipe,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data);
GessoPlan *gesso_session_plan_finish (GessoSession *self, GAsyncResult *result, GError **error);

/* Remembered prompts, newest first, each once; and named styles (prompt with "{prompt}", negative).
 */
void gesso_session_remember_prompt (GessoSession *self, const char *prompt, const char *negative);
char **gesso_session_dup_prompts (GessoSession *self, guint max); /* from memory, not the disk */
typedef struct
{
  char *name, *prompt, *negative;
} GessoStyle;
GPtrArray *gesso_session_get_styles (GessoSession *self); /* of GessoStyle, borrowed */
void gesso_session_save_style (GessoSession *self,
                               const char *name,
                               const char *prompt,
                               const char *negative);
void gesso_session_delete_style (GessoSession *self, const char *name);

/* The unfinished canvas and the Create page's recipe, kept for the next start (also after a crash).
 */
void
gesso_session_keep_draft (GessoSession *self, const char *key, GBytes *value); /* NULL forgets */
GBytes *gesso_session_dup_draft (GessoSession *self, const char *key);

/* Parks what runs, writes everything, ends the workers.  Blocking, at most a few seconds. */
void gesso_session_close (GessoSession *self);

G_END_DECLS
