/* SPDX-License-Identifier: MPL-2.0
 * test-library-far-disk.c - a folder whose disk does not answer beside one whose disk does.
 *
 * Both are of models, and named in this order.  Run alone:
 * build/tests/library/test-library-far-disk
 */
#include <glib/gstdio.h>

#include "library-fixture.h"
#include "support/far-disk.h"

enum
{
  PATIENCE_MS = 40
};

typedef struct
{
  Fixture *f;
  char *far, *near;
} Disks;

static Disks
make_disks (Fixture *f)
{
  Disks d = { f, tree_mkdir (f->files, "a-far"), tree_mkdir (f->files, "b-near") };
  g_free (tree_lora (d.far, "old.safetensors", 768));
  gesso_library_add_folder (f->library, d.far);
  gesso_library_add_folder (f->library, d.near);
  wait_models (f, GESSO_FILE_LORA, 1);
  tree_settle (f->library);
  g_free (tree_lora (d.far, "new.safetensors", 768));
  wait_models (f, GESSO_FILE_LORA, 2);
  tree_settle (f->library);
  gesso_scanner_set_patience (f->library->scanner, PATIENCE_MS);
  return d;
}

static gboolean
far_is_silent (gpointer data)
{
  Disks *d = data;
  return gesso_library_is_silent (d->f->library, d->far);
}

static gboolean
far_answers (gpointer data)
{
  return !far_is_silent (data);
}

static void
let_far_fall_silent (Disks *d)
{
  g_test_expect_message ("gesso-library", G_LOG_LEVEL_MESSAGE,
                         "The disk of */a-far does not answer.");
  far_disk_begin (d->far);
  far_disk_hold (true);
  gesso_library_rescan (d->f->library);
  tree_wait (far_is_silent, d);
  g_test_assert_expected_messages ();
}

static void
let_far_answer (Disks *d)
{
  far_disk_hold (false);
  tree_wait (far_answers, d);
  tree_settle (d->f->library);
}

static void
clear_disks (Disks *d)
{
  far_disk_end ();
  g_free (d->far);
  g_free (d->near);
}

/* What is near is seen meanwhile, then and later; what is far is kept, and seen afterwards. */
static void
test_far_holds_up_nobody (Fixture *f, gconstpointer data)
{
  Disks d = make_disks (f);
  let_far_fall_silent (&d);
  g_assert_false (gesso_library_is_silent (f->library, d.near));
  g_free (tree_lora (d.near, "one.safetensors", 768));
  wait_models (f, GESSO_FILE_LORA, 3);
  tree_settle (f->library);
  g_free (tree_lora (d.near, "sub/two.safetensors", 768));
  wait_models (f, GESSO_FILE_LORA, 4);
  tree_settle (f->library);
  g_assert_true (far_is_silent (&d));
  let_far_answer (&d);
  g_assert_cmpint (n_of (f, GESSO_FILE_LORA), ==, 4);
  clear_disks (&d);
}

/* A folder that was to be looked at while it did not answer is looked at when it does. */
static void
test_far_is_seen_when_it_answers (Fixture *f, gconstpointer data)
{
  Disks d = make_disks (f);
  let_far_fall_silent (&d);
  gesso_library_rescan (f->library);
  tree_settle (f->library);
  far_disk_end (); /* the test itself writes there */
  tree_wait (far_answers, &d);
  tree_settle (f->library);
  g_autofree char *old = g_build_filename (d.far, "old.safetensors", NULL);
  g_assert_cmpint (g_remove (old), ==, 0);
  wait_models (f, GESSO_FILE_LORA, 1); /* it is watched as before */
  clear_disks (&d);
}

/* Leaving it out is possible, and the thread that still waits brings nothing back. */
static void
test_far_can_be_left_out (Fixture *f, gconstpointer data)
{
  Disks d = make_disks (f);
  let_far_fall_silent (&d);
  gesso_library_remove_folder (f->library, d.far);
  wait_models (f, GESSO_FILE_LORA, 0);
  let_far_answer (&d);
  g_assert_cmpint (n_of (f, GESSO_FILE_LORA), ==, 0);
  clear_disks (&d);
}

/* What is known of it is not lost, however often it falls silent. */
static void
test_far_comes_back (Fixture *f, gconstpointer data)
{
  Disks d = make_disks (f);
  g_free (tree_lora (d.far, "sub/deep.safetensors", 768));
  wait_models (f, GESSO_FILE_LORA, 3);
  tree_settle (f->library);
  for (int i = 0; i < 3; i++)
    {
      let_far_fall_silent (&d);
      let_far_answer (&d);
      g_assert_cmpint (n_of (f, GESSO_FILE_LORA), ==, 3);
      far_disk_end ();
    }
  clear_disks (&d);
}

int
main (int argc, char **argv)
{
  init_tests (&argc, &argv);
  add_test ("/library/far/holds-up-nobody", test_far_holds_up_nobody);
  add_test ("/library/far/is-seen-when-it-answers", test_far_is_seen_when_it_answers);
  add_test ("/library/far/can-be-left-out", test_far_can_be_left_out);
  add_test ("/library/far/comes-back-each-time", test_far_comes_back);
  return run_tests ();
}
