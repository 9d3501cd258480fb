/* SPDX-License-Identifier: MPL-2.0 */
#include <glib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/dtype.h"
#include "core/guard.h"
#include "core/mem.h"
#include "core/threads.h"

static void
test_f16_round_trips_every_value (void)
{
  for (uint32_t h = 0; h < 0x10000; h++)
    {
      float f = f16_to_f32 ((uint16_t) h);
      if (isnan (f))
        g_assert_true (isnan (f16_to_f32 (f32_to_f16 (f))));
      else
        g_assert_cmphex (f32_to_f16 (f), ==, h);
    }
}

static void
test_f16_rounds_to_nearest_even (void)
{
  g_assert_cmphex (f32_to_f16 (65519.0f), ==, 0x7bff);
  g_assert_cmphex (f32_to_f16 (65520.0f), ==, 0x7c00);
  g_assert_cmphex (f32_to_f16 (1.0f + 1.0f / 2048), ==, 0x3c00); /* a tie goes to even */
  g_assert_cmphex (f32_to_f16 (1.0f + 3.0f / 2048), ==, 0x3c02);
  g_assert_cmphex (f32_to_f16 (ldexpf (1, -25)), ==, 0x0000);
  g_assert_cmphex (f32_to_f16 (ldexpf (1.5f, -25)), ==, 0x0001);
}

static void
test_bf16_rounds_to_nearest_even (void)
{
  g_assert_cmphex (f32_to_bf16 (1.0f + 1.0f / 256), ==, 0x3f80);
  g_assert_cmphex (f32_to_bf16 (1.0f + 3.0f / 256), ==, 0x3f82);
  g_assert_true (isnan (bf16_to_f32 (f32_to_bf16 (NAN))));
}

static void
test_grow_fails_without_losing_the_array (void)
{
  Status status = { 0 };
  int *items = NULL;
  size_t capacity = 0;
  g_assert_true (mem_grow (&items, &capacity, 3, sizeof *items, &status));
  items[2] = 7;
  mem_fail_at (1);
  g_assert_false (mem_grow (&items, &capacity, 1000, sizeof *items, &status));
  mem_fail_at (0);
  g_assert_cmpint (status.code, ==, STATUS_NO_MEMORY);
  g_assert_cmpint (items[2], ==, 7);
  mem_free (items);
}

static void
test_status_keeps_the_first_failure (void)
{
  Status status = { 0 };
  status_fail (&status, STATUS_IO, "first %d", 1);
  status_fail (&status, STATUS_FORMAT, "second");
  g_assert_cmpint (status.code, ==, STATUS_IO);
  g_assert_cmpstr (status.message, ==, "first 1");
}

static void
count_task (void *data, int64_t task, int thread)
{
  _Atomic int *seen = data;
  atomic_fetch_add (&seen[task], 1);
}

static void
test_threads_run_every_task_once (void)
{
  Status status = { 0 };
  Threads *t = threads_new (4, &status);
  static _Atomic int seen[1000];
  for (int round = 1; round <= 50; round++)
    {
      threads_run (t, 1000, count_task, seen, NULL);
      for (int i = 0; i < 1000; i++)
        g_assert_cmpint (seen[i], ==, round);
    }
  threads_free (t);
}

static void
test_threads_start_nothing_once_cancelled (void)
{
  Status status = { 0 };
  Threads *t = threads_new (2, &status);
  static _Atomic int seen[10];
  atomic_bool cancel = true;
  threads_run (t, 10, count_task, seen, &cancel);
  for (int i = 0; i < 10; i++)
    g_assert_cmpint (seen[i], ==, 0);
  threads_free (t);
}

/* Another order of the arguments, as another language may want. */
static const char *
to_german (const char *text)
{
  return g_str_equal (text, "Cannot %s \"%s\".") ? "„%2$s“ kann nicht %1$s werden."
         : g_str_equal (text, "open")            ? "geöffnet"
                                                 : text;
}

static void
test_status_speaks_the_users_language (void)
{
  Status status = { 0 }, other = { 0 }, english = { 0 };
  status_set_translate (to_german);
  status_fail (&status, STATUS_IO, "Cannot %s \"%s\".", status_text (STATUS_MARK ("open")), "a b");
  status_fail (&other, STATUS_IO, "%s", "open"); /* what a "%s" stands for is no text of ours */
  status_set_translate (NULL);
  status_fail (&english, STATUS_IO, "Cannot %s \"%s\".", status_text (STATUS_MARK ("open")), "a b");
  g_assert_cmpstr (status.message, ==, "„a b“ kann nicht geöffnet werden.");
  g_assert_cmpstr (other.message, ==, "open");
  g_assert_cmpstr (english.message, ==, "Cannot open \"a b\".");
}

static void
test_status_says_where_it_is_read (void)
{
  g_assert_cmpstr (status_here ("--vae", "VAE"), ==, "--vae");
  status_set_in_window (true);
  g_assert_cmpstr (status_here ("--vae", "VAE"), ==, "VAE");
  status_set_translate (to_german);
  g_assert_cmpstr (status_here ("read", "open"), ==, "geöffnet");
  status_set_translate (NULL);
  status_set_in_window (false);
}

/* A file that shrinks while it is mapped: zeros, a sentence, and no more once it is unmapped. */
static void
test_guard_survives_a_shortened_file (void)
{
  Status status = { 0 };
  size_t page = (size_t) sysconf (_SC_PAGESIZE), size = 4 * page;
  FILE *file = tmpfile ();
  g_assert_nonnull (file);
  g_assert_cmpint (ftruncate (fileno (file), (off_t) size), ==, 0);
  volatile const char *map = mmap (NULL, size, PROT_READ, MAP_PRIVATE, fileno (file), 0);
  g_assert_true ((const void *) map != MAP_FAILED);
  guard_install ();
  int slot = guard_add ((const void *) map, size, "model.safetensors");
  g_assert_cmpint (slot, >=, 0);
  g_assert_true (guard_check (&status));
  g_assert_cmpint (ftruncate (fileno (file), (off_t) page), ==, 0);
  g_assert_cmpint (map[0], ==, 0);
  g_assert_true (guard_check (&status));
  g_assert_cmpint (map[2 * page + 7], ==, 0); /* SIGBUS without the guard */
  g_assert_cmpint (map[size - 1], ==, 0);
  g_assert_false (guard_check (&status));
  g_assert_cmpint (status.code, ==, STATUS_IO);
  g_assert_nonnull (strstr (status.message, "model.safetensors"));
  guard_remove (slot);
  Status fresh = { 0 };
  g_assert_true (guard_check (&fresh));
  munmap ((void *) map, size);
  fclose (file);
}

/* Elsewhere SIGBUS still ends the program. */
static void
test_guard_leaves_other_mappings_alone (void)
{
  if (g_test_subprocess ())
    {
      FILE *file = tmpfile ();
      volatile const char *map = mmap (NULL, 4096, PROT_READ, MAP_PRIVATE, fileno (file), 0);
      guard_install ();
      g_assert_cmpint (map[0], ==, 0);
      return;
    }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
  g_test_trap_assert_failed ();
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/dtype/f16-round-trips", test_f16_round_trips_every_value);
  g_test_add_func ("/core/dtype/f16-rounds-to-nearest-even", test_f16_rounds_to_nearest_even);
  g_test_add_func ("/core/dtype/bf16-rounds-to-nearest-even", test_bf16_rounds_to_nearest_even);
  g_test_add_func ("/core/guard/shortened-file", test_guard_survives_a_shortened_file);
  g_test_add_func ("/core/guard/others-alone", test_guard_leaves_other_mappings_alone);
  g_test_add_func ("/core/mem/grow-fails-cleanly", test_grow_fails_without_losing_the_array);
  g_test_add_func ("/core/status/first-failure-wins", test_status_keeps_the_first_failure);
  g_test_add_func ("/core/status/users-language", test_status_speaks_the_users_language);
  g_test_add_func ("/core/status/says-where-it-is-read", test_status_says_where_it_is_read);
  g_test_add_func ("/core/threads/every-task-once", test_threads_run_every_task_once);
  g_test_add_func ("/core/threads/cancel", test_threads_start_nothing_once_cancelled);
  return g_test_run ();
}
