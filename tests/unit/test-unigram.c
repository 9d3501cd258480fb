/* SPDX-License-Identifier: MPL-2.0
 * test-unigram.c - ids as SentencePiece and transformers give them, and files that are none.
 *
 * cases.json holds texts and ids for each vocabulary: tests/golden/unigram_cases.py.
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <json-c/json.h>
#include <string.h>

#include "core/mem.h"
#include "text/unigram.h"

static char *
source_path (const char *name)
{
  const char *root = g_getenv ("GESSO_SOURCE");
  return g_build_filename (root ? root : ".", name, NULL);
}

static Unigram *
open_vocabulary (const char *name, Status *status)
{
  g_autofree char *path = NULL;
  if (strcmp (name, "t5") == 0)
    {
      path = source_path ("data");
      return unigram_new_bundled (path, status);
    }
  g_autofree char *relative = g_build_filename ("tests/golden/fixtures/unigram", name, NULL);
  path = source_path (relative);
  return unigram_new (path, status);
}

static char *
ids_text (const TokenIds *ids)
{
  GString *text = g_string_new (NULL);
  for (size_t i = 0; i < ids->n; i++)
    g_string_append_printf (text, "%d ", ids->items[i]);
  return g_string_free (text, FALSE);
}

static void
check_case (const Unigram *u, json_object *item)
{
  Status status = { 0 };
  TokenIds ids = { 0 }, want = { 0 };
  const char *text = json_object_get_string (json_object_array_get_idx (item, 0));
  json_object *list = json_object_array_get_idx (item, 1);
  for (size_t i = 0; i < json_object_array_length (list); i++)
    {
      g_assert_true (
          mem_grow (&want.items, &want.capacity, want.n + 1, sizeof *want.items, &status));
      want.items[want.n++] = json_object_get_int (json_object_array_get_idx (list, i));
    }
  g_assert_true (unigram_encode (u, text, &ids, &status));
  g_autofree char *a = ids_text (&ids), *b = ids_text (&want);
  if (strcmp (a, b) != 0)
    g_test_message ("text: %s", text);
  g_assert_cmpstr (a, ==, b);
  g_assert_cmpint (unigram_count (u, text, &status), ==, (int) want.n);
  token_ids_clear (&ids);
  token_ids_clear (&want);
}

static void
test_unigram_agrees (gconstpointer data)
{
  Status status = { 0 };
  g_autofree char *path = source_path ("tests/golden/fixtures/unigram/cases.json");
  json_object *root = json_object_from_file (path);
  json_object *list = json_object_object_get (root, data);
  Unigram *u = open_vocabulary (data, &status);
  g_assert_cmpstr (status.message, ==, "");
  g_assert_nonnull (u);
  g_assert_cmpuint (json_object_array_length (list), >=, strcmp (data, "t5") == 0 ? 1500 : 400);
  for (size_t i = 0; i < json_object_array_length (list); i++)
    check_case (u, json_object_array_get_idx (list, i));
  unigram_free (u);
  json_object_put (root);
}

static void
assert_ids (const Unigram *u, const char *text, const char *want)
{
  Status status = { 0 };
  TokenIds ids = { 0 };
  g_assert_true (unigram_encode (u, text, &ids, &status));
  g_autofree char *got = ids_text (&ids);
  g_assert_cmpstr (got, ==, want);
  token_ids_clear (&ids);
}

static void
test_unigram_knows_t5 (void)
{
  Status status = { 0 };
  Unigram *u = open_vocabulary ("t5", &status);
  g_assert_nonnull (u);
  g_assert_cmpint (unigram_n_ids (u), ==, 32000);
  g_assert_cmpint (unigram_pad (u), ==, 0);
  g_assert_cmpint (unigram_eos (u), ==, 1);
  g_assert_cmpint (unigram_unk (u), ==, 2);
  assert_ids (u, "", "");
  assert_ids (u, "a photo of a cat", "3 9 1202 13 3 9 1712 ");
  assert_ids (u, "😀😀", "3 2 ");
  assert_ids (u, "\xff\xfe", "3 2 "); /* not UTF-8 */
  unigram_free (u);
}

/* GGUF's arrays: the same pieces, and bytes because all 256 are there. */
static void
test_unigram_takes_arrays (void)
{
  enum
  {
    N_BYTES = 256,
    N = N_BYTES + 6
  };
  static char names[N_BYTES][8];
  const char *pieces[N] = { "<pad>",
                            "</s>",
                            "<unk>",
                            "\xe2\x96\x81",
                            "ab",
                            "\xe2\x96\x81"
                            "a" };
  float scores[N] = { 0, 0, 0, -2, -3, -1.5f };
  for (int i = 0; i < N_BYTES; i++)
    {
      g_snprintf (names[i], sizeof names[i], "<0x%02X>", i);
      pieces[6 + i] = names[i];
    }
  UnigramPieces p = {
    .n = N, .pieces = pieces, .scores = scores, .unk_id = -1, .eos_id = -1, .pad_id = -1
  };
  Status status = { 0 };
  Unigram *u = unigram_new_pieces (&p, &status);
  g_assert_nonnull (u);
  assert_ids (u, "ab", "3 4 ");
  assert_ids (u, "a  é ", "5 3 201 175 ");
  p.n = 6; /* without them */
  unigram_free (u);
  u = unigram_new_pieces (&p, &status);
  assert_ids (u, "a  é ", "5 3 2 ");
  p.no_space_prefix = p.keep_extra_spaces = true;
  unigram_free (u);
  u = unigram_new_pieces (&p, &status);
  assert_ids (u, "ab  ", "4 3 3 ");
  p.pieces = (const char *[]){ "<pad>", "x", "y", "z", "w", "v" };
  unigram_free (u);
  g_assert_null (unigram_new_pieces (&p, &status));
  g_assert_cmpint (status.code, ==, STATUS_FORMAT);
}

typedef struct
{
  const char *name, *text, *says;
  StatusCode code;
} BadFile;

#define VOCAB "\"vocab\": [[\"<unk>\", 0], [\"</s>\", 0]], \"unk_id\": 0"
static const BadFile bad_files[] = {
  { "empty", "", "is empty", STATUS_FORMAT },
  { "no-json", "{ \"model\": ", "is damaged", STATUS_FORMAT },
  { "no-vocabulary", "{ \"model\": {} }", "no vocabulary", STATUS_FORMAT },
  { "bpe", "{ \"model\": { \"type\": \"BPE\", \"vocab\": {} } }", "\"BPE\"", STATUS_UNSUPPORTED },
  { "normalizer", "{ \"model\": {" VOCAB "}, \"normalizer\": { \"type\": \"Lowercase\" } }",
    "\"Lowercase\"", STATUS_UNSUPPORTED },
  { "pre-tokenizer", "{ \"model\": {" VOCAB "}, \"pre_tokenizer\": { \"type\": \"Digits\" } }",
    "\"Digits\"", STATUS_UNSUPPORTED },
  { "marker", "{ \"model\": {" VOCAB "}, \"added_tokens\": [{ \"id\": 1, \"content\": \"x\" }] }",
    "marker", STATUS_FORMAT },
  { "charsmap",
    "{ \"model\": {" VOCAB "}, \"normalizer\": { \"type\": \"Precompiled\", "
    "\"precompiled_charsmap\": \"AAAA\" } }",
    "table of characters", STATUS_FORMAT },
  { "no-eos", "{ \"model\": { \"vocab\": [[\"<unk>\", 0]], \"unk_id\": 0 } }", "lacks </s>",
    STATUS_FORMAT },
  { "no-proto", "this is no model", "is damaged", STATUS_FORMAT },
};

static void
test_unigram_refuses (gconstpointer data)
{
  const BadFile *bad = data;
  Status status = { 0 };
  g_autofree char *folder = g_dir_make_tmp ("gesso-test-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "tokenizer.json", NULL);
  g_assert_true (g_file_set_contents (path, bad->text, -1, NULL));
  g_assert_null (unigram_new (folder, &status));
  g_test_message ("%s", status.message);
  g_assert_cmpint (status.code, ==, bad->code);
  g_assert_nonnull (strstr (status.message, bad->says));
  g_remove (path);
  g_rmdir (folder);
}

/* Every prefix of a model, and the model with each of its first bytes turned. */
static void
test_unigram_survives_damage (void)
{
  g_autofree char *path = source_path ("tests/golden/fixtures/unigram/bytes.model"), *data = NULL;
  gsize n;
  g_assert_true (g_file_get_contents (path, &data, &n, NULL));
  for (gsize i = 0; i < n; i += i < 512 ? 1 : 997)
    {
      Status status = { 0 };
      unigram_free (unigram_new_proto (data, i, &status));
      status = (Status){ 0 };
      data[i] = (char) ~data[i];
      unigram_free (unigram_new_proto (data, n, &status));
      data[i] = (char) ~data[i];
    }
}

static void
test_unigram_says_where_to_put_it (void)
{
  Status status = { 0 };
  g_assert_null (unigram_new_bundled ("/nonexistent", &status));
  g_assert_cmpint (status.code, ==, STATUS_NOT_FOUND);
  g_assert_nonnull (strstr (status.message, "/nonexistent/tokenizers/t5/spiece.model"));
  status = (Status){ 0 };
  g_assert_null (unigram_new ("/nonexistent", &status));
  g_assert_cmpint (status.code, ==, STATUS_NOT_FOUND);
}

static void
test_unigram_survives_every_failed_allocation (void)
{
  for (int64_t n = 1;; n++)
    {
      Status status = { 0 };
      TokenIds ids = { 0 };
      mem_fail_at (n);
      Unigram *u = open_vocabulary ("bytes.model", &status);
      bool ok = u && unigram_encode (u, "a red [eod] fox é", &ids, &status);
      mem_fail_at (0);
      unigram_free (u);
      token_ids_clear (&ids);
      if (ok)
        return;
      g_assert_cmpint (status.code, ==, STATUS_NO_MEMORY);
    }
}

int
main (int argc, char **argv)
{
  static const char *const vocabularies[] = { "t5",        "small.model", "bytes.model",
                                              "fast.json", "plain.json",  "words.json" };
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (vocabularies); i++)
    {
      g_autofree char *path = g_strdup_printf ("/text/unigram/agrees/%s", vocabularies[i]);
      g_test_add_data_func (path, vocabularies[i], test_unigram_agrees);
    }
  for (size_t i = 0; i < G_N_ELEMENTS (bad_files); i++)
    {
      g_autofree char *path = g_strdup_printf ("/text/unigram/refuses/%s", bad_files[i].name);
      g_test_add_data_func (path, &bad_files[i], test_unigram_refuses);
    }
  g_test_add_func ("/text/unigram/knows-t5", test_unigram_knows_t5);
  g_test_add_func ("/text/unigram/takes-arrays", test_unigram_takes_arrays);
  g_test_add_func ("/text/unigram/survives-damage", test_unigram_survives_damage);
  g_test_add_func ("/text/unigram/says-where-to-put-it", test_unigram_says_where_to_put_it);
  g_test_add_func ("/text/unigram/survives-every-failed-allocation",
                   test_unigram_survives_every_failed_allocation);
  return g_test_run ();
}
