/* SPDX-License-Identifier: MPL-2.0
 * client.h - the client's side for tests: a real worker process at the other end of a real socket.
 *
 * Everything runs on the default main context.  Waiting ends with the test's failure when nothing
 * happens for CLIENT_DEADLINE_S; no test depends on how long anything takes.
 */
#pragma once

#include <gio/gio.h>

#include "ipc/gesso-ipc.h"
#include "ipc/peer.h"

enum
{
  CLIENT_DEADLINE_S = 120
};

typedef struct
{
  guint index;
  int width, height;
  GBytes *rgb;
  char *recipe;
  char *clip; /* its file, copied beside it as ".taken"; NULL for a picture */
} TestPicture;

typedef struct TestClient TestClient;
/* After a progress message of the phase "denoise" or "decode". */
typedef void (*TestStepFunc) (TestClient *client, const char *phase, int done);

struct TestClient
{
  GSubprocess *process;
  GDBusConnection *connection;
  GessoIpcWorker1 *worker;
  GessoIpcClient1 *skeleton;

  /* what the worker said */
  GPtrArray *pictures; /* of TestPicture */
  GPtrArray *notes;    /* of char * */
  GString *phases;     /* each once, as it first came: "loading text denoise decode " */
  int n_previews, n_open_previews, max_open_previews, last_preview_step;
  int preview_frames; /* of the last one */
  double preview_rate;
  int step, n_steps; /* of the last "denoise" */
  double last_eta;
  char *end, *code, *sentence; /* "finished", "parked", "failed" */
  int parked_step;
  gint64 ended_at; /* monotonic time */

  /* how to behave */
  TestStepFunc on_step;
  gpointer user_data;
  gboolean hold_previews, hold_pictures, refuse_pictures;
  GPtrArray *held; /* of GDBusMethodInvocation, unanswered */
  gboolean gone;   /* the connection was closed */
};

/* @env: "NAME=VALUE", ..., NULL-terminated, or NULL */
TestClient *test_client_new (const char *backend, const char *const *env);
/* Ends the worker if it runs and checks that it did not crash. */
void test_client_free (TestClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TestClient, test_client_free)

/* Calls Run.  Returns: FALSE and @error when it was not accepted */
gboolean test_client_run (TestClient *client,
                          const char *batch,
                          const char *recipe,
                          const char *journal,
                          GVariant *skip,
                          GError **error);
/* Calls Run, which has to be accepted, and waits for the batch's end. */
void test_client_run_to_end (TestClient *client,
                             const char *batch,
                             const char *recipe,
                             const char *journal);
void test_client_wait_end (TestClient *client);
/* Waits until *@flag; the main context's sources have to change it. */
void test_client_wait (TestClient *client, const gboolean *flag);
/* Waits for the process.  Returns: its exit status; fails the test if a signal ended it */
int test_client_wait_exit (TestClient *client);
void test_client_kill (TestClient *client); /* SIGKILL, and waits */
/* Forgets what was said about the last batch. */
void test_client_reset (TestClient *client);

const TestPicture *test_client_picture (TestClient *client, guint index);
/* The same pictures, pixel for pixel. */
void test_assert_same_pictures (TestClient *a, TestClient *b);
