/* SPDX-License-Identifier: MPL-2.0
 * library-fixture.h - a library of its own for each test, and what tests of its parts share.
 */
#pragma once

#include "library/gesso-library-private.h"
#include "tree.h"

typedef struct
{
  char *dir, *db, *cache, *files; /* @files is for the tests to fill and to name */
  GessoLibrary *library;
} Fixture;

/* The fixture's index, once more where it is open. */
GessoLibrary *open_library (Fixture *f);
/* Asserts that nobody else holds it. */
void close_library (GessoLibrary **library);

guint n_of (Fixture *f, GessoFileKind kind);
int n_pictures (Fixture *f);
/* The list keeps it. */
GessoPicture *picture_at (gpointer list, guint i);

void wait_models (Fixture *f, GessoFileKind kind, guint n);
void wait_items (gpointer list, guint n);
/* For tree_wait: of a GessoPictureList, of a GessoPicture. */
gboolean is_loaded (gpointer list);
gboolean is_filled (gpointer picture);

/* @n pictures with A1111's text in a folder below @files, each a second newer than the one before;
 * make_pictures names the folder to nobody. */
void make_pictures (Fixture *f, const char *folder, int n);
void add_pictures (Fixture *f, const char *folder, guint n);
/* What a search of @list finds is @n pictures. */
void assert_search (GessoPictureList *list, const char *text, guint n);

/* A callback that keeps a reference in the GAsyncResult * that it is given, and the wait for it. */
void keep_result_cb (GObject *source, GAsyncResult *result, gpointer user_data);
GAsyncResult *await (GAsyncResult **result);

/* Of a main function: first, for each test, last. */
void init_tests (int *argc, char ***argv);
void add_test (const char *path, void (*test) (Fixture *, gconstpointer));
int run_tests (void);
