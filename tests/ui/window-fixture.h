/* SPDX-License-Identifier: MPL-2.0
 * window-fixture.h - the real window in a test's own process, with a real worker on the null
 * backend.
 */
#pragma once

#include "app/gesso-application.h"

enum
{
  DEADLINE_S = 120 /* far beyond what anything takes: a hang, not a slow machine */
};

typedef struct
{
  char *dir;
  GessoApplication *app;
  GessoWindow *window;
  GessoCreatePage *page;
  GessoForm *form;
  GessoSession *session;
  GessoQueue *queue;
} Fixture;

typedef gboolean (*Condition) (Fixture *f);

/* Runs the main loop until @condition; @what for the message when it never happens. */
void wait_until (Fixture *f, Condition condition, const char *what);
#define WAIT(f, condition) wait_until (f, condition, #condition)

/* What computes is "null", or what GESSO_TEST_BACKENDS names: "settings" leaves it to them.  A
 * worker that died starts again after the session's own time, or after GESSO_TEST_RESTART_MS. */
void start_in (Fixture *f, const char *dir);
void setup (Fixture *f, gconstpointer unused);
void stop (Fixture *f);
void remove_tree (const char *path);
void teardown (Fixture *f, gconstpointer unused);
/* A copy of the session's files as they lie on the disk while the program runs is what a crash
 * leaves. */
void copy_database (const char *from, const char *to);
void act (Fixture *f, const char *action);
void act_on (Fixture *f, const char *action, GessoJob *job);
gboolean action_enabled (Fixture *f, const char *name);
gboolean planned (Fixture *f);
gboolean refused (Fixture *f);
gboolean allowed (Fixture *f);
guint n_jobs (Fixture *f);
GessoJob *job_at (Fixture *f, guint position);
gboolean has_one_picture (Fixture *f);
gboolean nothing_waits (Fixture *f);
gboolean has_result (Fixture *f);
gboolean can_generate (Fixture *f);
/* The first, of what the form says. */
void make_picture (Fixture *f);
/* Runs a command, of xdotool for instance, while the window goes on. */
void press (Fixture *f, const char *command);
/* Whether there is something to press keys with; else the test is skipped. */
gboolean has_input (void);
gboolean is_active (Fixture *f);
/* The window is active then, which takes real keys. */
void focus_prompt (Fixture *f);
/* Lets @widget, which is mapped, be laid out and drawn twice: what that brings about is there. */
void draw (Fixture *f, GtkWidget *widget);

/* In @widget, itself first; NULL: none */
GtkWidget *nth (GtkWidget *widget, GType type, int n); /* from 0 */
GtkWidget *find_label (GtkWidget *widget, const char *part);
GtkWidget *find_button (GtkWidget *widget, const char *label);
GtkWidget *find_button_anywhere (const char *label);
/* Whether a label with @part in it is on the screen, or scrolled out of sight. */
gboolean says (GtkWidget *widget, const char *part);

/* The window asks whether the settings of a picture are to be used. */
gboolean settings_are_offered (Fixture *f);
gboolean prompt_is_apple (Fixture *f); /* as in what make_picture() drew */

#define ADD(path, func) g_test_add ("/ui/" path, Fixture, NULL, setup, func, teardown)
