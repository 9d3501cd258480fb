/* SPDX-License-Identifier: MPL-2.0
 * test-project-file.c - .gesso files: what comes back, and what is refused.
 */
#include "session/gesso-project-file.h"

#include <glib/gstdio.h>
#include <string.h>
#include <zlib.h>

#define RECIPE "{\"prompt\": \"a red apple\"}"

enum
{
  CRC_BYTES = 4,
  VERSION_AT = 8,
  N_MUTATIONS = 20000
};

static GBytes *
new_project (void)
{
  g_autoptr (GBytes) canvas = g_bytes_new_static ("pixels\0and more", 15);
  return gesso_project_file_pack (RECIPE, canvas);
}

static GByteArray *
copy_of (GBytes *bytes)
{
  gsize n;
  const guint8 *data = g_bytes_get_data (bytes, &n);
  GByteArray *copy = g_byte_array_new ();
  return g_byte_array_append (copy, data, (guint) n);
}

/* As if it had been written so. */
static void
make_whole (GByteArray *bytes)
{
  guint32 crc = GUINT32_TO_LE ((guint32) crc32_z (0, bytes->data, bytes->len - CRC_BYTES));
  memcpy (bytes->data + bytes->len - CRC_BYTES, &crc, sizeof crc);
}

/* Returns: NULL when @bytes were taken, else the sentence */
static char *
refusal (const GByteArray *bytes)
{
  g_autofree char *recipe = NULL;
  g_autoptr (GBytes) canvas = NULL;
  /* a copy of just that size, so that reading past it is seen */
  g_autoptr (GBytes) copy = g_bytes_new (bytes->data, bytes->len);
  g_autoptr (GError) error = NULL;
  if (gesso_project_file_unpack (copy, &recipe, &canvas, &error))
    {
      g_assert_nonnull (recipe);
      g_assert_nonnull (canvas);
      return NULL;
    }
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  g_assert_null (recipe);
  g_assert_null (canvas);
  return g_strdup (error->message);
}

static void
test_comes_back (void)
{
  g_autoptr (GBytes) bytes = new_project ();
  g_autofree char *recipe = NULL;
  g_autoptr (GBytes) canvas = NULL;
  g_autoptr (GError) error = NULL;
  gesso_project_file_unpack (bytes, &recipe, &canvas, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (recipe, ==, RECIPE);
  gsize n;
  const char *pixels = g_bytes_get_data (canvas, &n);
  g_assert_cmpmem (pixels, n, "pixels\0and more", 15);
}

static void
test_cut_short (void)
{
  g_autoptr (GBytes) whole = new_project ();
  for (guint n = (guint) g_bytes_get_size (whole); n-- > 0;)
    {
      g_autoptr (GByteArray) bytes = copy_of (whole);
      g_byte_array_set_size (bytes, n);
      g_autofree char *sentence = refusal (bytes);
      g_assert_nonnull (sentence);
    }
}

static void
test_any_wrong_byte (void)
{
  g_autoptr (GBytes) whole = new_project ();
  for (guint i = 0; i < g_bytes_get_size (whole); i++)
    {
      g_autoptr (GByteArray) bytes = copy_of (whole);
      bytes->data[i] ^= 0x10;
      g_autofree char *sentence = refusal (bytes);
      g_assert_nonnull (sentence);
    }
}

static void
test_newer_says_so (void)
{
  g_autoptr (GBytes) whole = new_project ();
  g_autoptr (GByteArray) bytes = copy_of (whole);
  bytes->data[VERSION_AT]++;
  make_whole (bytes);
  g_autofree char *sentence = refusal (bytes);
  g_assert_nonnull (strstr (sentence, "newer Gesso"));
}

static void
test_picture_is_no_project (void)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_byte_array_append (bytes, (const guint8 *) "\x89PNG\r\n\x1a\n0123456789012345", 24);
  g_autofree char *sentence = refusal (bytes);
  g_assert_nonnull (strstr (sentence, "not a Gesso project"));
}

/* A later Gesso may add what this one can do without. */
static void
test_unknown_part_is_passed_over (void)
{
  static const guint8 part[] = { 99, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 'n', 'e', 'w' };
  g_autoptr (GBytes) whole = new_project ();
  g_autoptr (GByteArray) bytes = copy_of (whole);
  g_byte_array_set_size (bytes, bytes->len - CRC_BYTES);
  bytes->data[VERSION_AT + 4]++; /* the number of parts */
  g_byte_array_append (bytes, part, sizeof part);
  g_byte_array_set_size (bytes, bytes->len + CRC_BYTES);
  make_whole (bytes);
  g_assert_null (refusal (bytes));
}

/* Bytes that are whole and yet wrong: taken or refused, never read past their end. */
static void
test_made_up (void)
{
  g_autoptr (GBytes) whole = new_project ();
  g_autoptr (GRand) rand = g_rand_new_with_seed (7);
  int n_refused = 0;
  for (int i = 0; i < N_MUTATIONS; i++)
    {
      g_autoptr (GByteArray) bytes = copy_of (whole);
      for (int k = g_rand_int_range (rand, 1, 4); k > 0; k--)
        bytes->data[g_rand_int_range (rand, 0, (int) bytes->len)] =
            (guint8) g_rand_int_range (rand, 0, 256);
      make_whole (bytes);
      g_autofree char *sentence = refusal (bytes);
      n_refused += sentence != NULL;
    }
  g_assert_cmpint (n_refused, >, N_MUTATIONS / 4);
}

/* ---- files ---- */

static GAsyncResult *answer;

static void
answered_cb (GObject *source, GAsyncResult *result, gpointer unused)
{
  answer = g_object_ref (result);
}

static GAsyncResult *
wait_for_answer (void)
{
  while (!answer)
    g_main_context_iteration (NULL, TRUE);
  return g_steal_pointer (&answer);
}

static gboolean
write_file (const char *path, const char *recipe, GError **error)
{
  g_autoptr (GBytes) canvas = g_bytes_new_static ("xyz", 3);
  gesso_project_file_write_async (path, recipe, canvas, answered_cb, NULL);
  g_autoptr (GAsyncResult) result = wait_for_answer ();
  return gesso_project_file_write_finish (result, error);
}

static char *
read_file (const char *path, GError **error)
{
  char *recipe = NULL;
  g_autoptr (GBytes) canvas = NULL;
  gesso_project_file_read_async (path, answered_cb, NULL);
  g_autoptr (GAsyncResult) result = wait_for_answer ();
  gesso_project_file_read_finish (result, &recipe, &canvas, error);
  return recipe;
}

static guint
n_files (const char *dir)
{
  g_autoptr (GDir) open = g_dir_open (dir, 0, NULL);
  guint n = 0;
  while (g_dir_read_name (open))
    n++;
  return n;
}

static void
test_file_is_replaced_whole (void)
{
  g_autofree char *dir = g_dir_make_tmp ("gesso-project-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (dir, "a.gesso", NULL);
  g_autoptr (GError) error = NULL;
  g_assert_true (write_file (path, "{\"seed\": 1}", &error));
  g_assert_true (write_file (path, "{\"seed\": 2}", &error));
  g_assert_no_error (error);
  g_autofree char *recipe = read_file (path, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (recipe, ==, "{\"seed\": 2}");
  g_assert_cmpuint (n_files (dir), ==, 1); /* nothing half-written beside it */
  g_remove (path);
  g_rmdir (dir);
}

static void
test_failures_have_a_sentence (void)
{
  g_autofree char *dir = g_dir_make_tmp ("gesso-project-XXXXXX", NULL);
  g_autofree char *missing = g_build_filename (dir, "missing", "a.gesso", NULL);
  g_autoptr (GError) write_error = NULL, folder_error = NULL, read_error = NULL;
  g_assert_false (write_file (missing, RECIPE, &write_error));
  g_assert_nonnull (strstr (write_error->message, "a.gesso"));
  g_assert_false (write_file (dir, RECIPE, &folder_error)); /* a folder stands there */
  g_assert_null (read_file (missing, &read_error));
  g_assert_nonnull (strstr (read_error->message, "a.gesso"));
  g_assert_cmpuint (n_files (dir), ==, 0);
  g_rmdir (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/session/project-file/comes-back", test_comes_back);
  g_test_add_func ("/session/project-file/cut-short", test_cut_short);
  g_test_add_func ("/session/project-file/any-wrong-byte", test_any_wrong_byte);
  g_test_add_func ("/session/project-file/newer-says-so", test_newer_says_so);
  g_test_add_func ("/session/project-file/picture-is-no-project", test_picture_is_no_project);
  g_test_add_func ("/session/project-file/unknown-part", test_unknown_part_is_passed_over);
  g_test_add_func ("/session/project-file/made-up", test_made_up);
  g_test_add_func ("/session/project-file/replaced-whole", test_file_is_replaced_whole);
  g_test_add_func ("/session/project-file/failures-have-a-sentence", test_failures_have_a_sentence);
  return g_test_run ();
}
