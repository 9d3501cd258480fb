/* SPDX-License-Identifier: MPL-2.0
 * gallery-fixture.h - the gallery in a real window, with 300 pictures.
 */
#pragma once

#include <adwaita.h>

#include "app/gallery/gesso-gallery-private.h"

enum
{
  N_PICTURES = 300,
  OWN_PICTURE = 3, /* has our recipe; with a model that is not there */
  A1111_PICTURE = 7
};

typedef struct
{
  GtkWidget *window, *page;
  GessoGalleryPage *self; /* the same, for its parts */
  GessoLibrary *library;
  char *dir, *pictures;
  char *recipe, *seed, *canvas;
  guint n_create;
} Fixture;

/* Runs the main loop until @done, which a hang never is. */
gboolean pump_until (gboolean (*done) (Fixture *), Fixture *f);
#define WAIT(f, done) g_assert_true (pump_until (done, f))

/* Takes in what waits in the main loop. */
void settle (void);
/* Of the group "gallery". */
void act (Fixture *f, const char *name);
/* A shell line with xdotool, while this program goes on handling what it does. */
void input (const char *line);

/* Where the @n-th of a folder is; the caller frees it. */
char *picture_path (const char *dir, int n);
/* The first ones are the newest; forty a day. */
void write_picture (Fixture *f, int n, gint64 now_s);
/* Cuts the file of the @n-th in half, for this test alone. */
void cut_picture (Fixture *f, int n);

guint n_listed (Fixture *f);
gboolean is_loaded (Fixture *f);
gboolean has_all (Fixture *f);
gboolean can_undo (Fixture *f);
gboolean got_recipe (Fixture *f);
gboolean viewer_is_complete (Fixture *f);

GtkSelectionModel *selection (Fixture *f);
void pick (Fixture *f, guint position, gboolean alone);
GessoPicture *at (Fixture *f, guint position); /* the list keeps it */
/* Where GESSO_SCREENSHOTS names a folder. */
void screenshot (Fixture *f, const char *name);

void set_up_empty (Fixture *f, gconstpointer unused);
void set_up (Fixture *f, gconstpointer unused);
void tear_down (Fixture *f, gconstpointer unused);

/* Of a main function: first, for each test, last. */
void init_tests (int *argc, char ***argv);
#define TEST(path, name)                                                                           \
  g_test_add ("/gallery/" path, Fixture, NULL, set_up, test_gallery_##name, tear_down)
int run_tests (void);
