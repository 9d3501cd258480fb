/* SPDX-License-Identifier: MPL-2.0 */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "core/mem.h"
#include "text/chars.h"
#include "text/chunks.h"

enum
{
  EOS = 49407,
  BOS = 49406,
  COMMA = 267
};

static ClipBpe *clip; /* the bundled vocabulary, made once */

static char *
source_path (const char *name)
{
  const char *root = g_getenv ("GESSO_SOURCE");
  return g_build_filename (root ? root : ".", name, NULL);
}

/* A tokenizer folder in the temporary directory, removed by remove_folder. */
static char *
make_folder (const char *first_file, ...)
{
  char *folder = g_dir_make_tmp ("gesso-test-XXXXXX", NULL);
  va_list args;
  va_start (args, first_file);
  for (const char *name = first_file; name; name = va_arg (args, const char *))
    {
      char *path = g_build_filename (folder, name, NULL);
      g_assert_true (g_file_set_contents (path, va_arg (args, const char *), -1, NULL));
      g_free (path);
    }
  va_end (args);
  return folder;
}

static void
remove_folder (char *folder)
{
  GDir *dir = g_dir_open (folder, 0, NULL);
  const char *name;
  while ((name = g_dir_read_name (dir)))
    {
      char *path = g_build_filename (folder, name, NULL);
      g_remove (path);
      g_free (path);
    }
  g_dir_close (dir);
  g_rmdir (folder);
  g_free (folder);
}

/* vocab.json as the merges would number it, with @drop left out and @extra added. */
static char *
vocab_json (const char *const *merged, int first_special, const char *drop)
{
  GString *json = g_string_new ("{");
  int id = 0;
  for (int suffix = 0; suffix < 2; suffix++)
    for (int pass = 0; pass < 2; pass++)
      for (int byte = 0, hidden = 0; byte < 256; byte++)
        {
          bool visible = (byte > 32 && byte < 127) || (byte > 160 && byte < 173) || byte > 173;
          if (visible != (pass == 0))
            continue;
          int c = visible ? byte : 256 + hidden++;
          g_string_append_printf (json, "\"\\u%04x%s\": %d, ", (unsigned) c, suffix ? "</w>" : "",
                                  id++);
        }
  for (; merged && *merged; merged++, id++)
    if (!drop || strcmp (*merged, drop) != 0)
      g_string_append_printf (json, "\"%s\": %d, ", *merged, id);
  g_string_append_printf (json, "\"<|startoftext|>\": %d, \"<|endoftext|>\": %d}", first_special,
                          first_special + 1);
  return g_string_free (json, FALSE);
}

static const char SMALL_MERGES[] = "#version: 0.2\nc a\nca t</w>\n";
static const char *const SMALL_MERGED[] = { "ca", "cat</w>", NULL };

static char *
ids_as_text (const ClipBpe *bpe, const char *text)
{
  Status status = { 0 };
  TokenIds ids = { 0 };
  GString *out = g_string_new (NULL);
  g_assert_true (clip_bpe_encode (bpe, text, &ids, &status));
  for (size_t i = 0; i < ids.n; i++)
    g_string_append_printf (out, "%s%d", i ? " " : "", ids.items[i]);
  g_assert_cmpint (clip_bpe_count (bpe, text, &status), ==, (int) ids.n);
  token_ids_clear (&ids);
  return g_string_free (out, FALSE);
}

static void
assert_ids (const ClipBpe *bpe, const char *text, const char *expected)
{
  char *ids = ids_as_text (bpe, text);
  g_assert_cmpstr (ids, ==, expected);
  g_free (ids);
}

static void
test_clip_encodes_published_vectors (void)
{
  static const struct
  {
    const char *text, *ids;
  } cases[] = {
    { "a photo of a cat", "320 1125 539 320 2368" },
    { "a photo of an astronaut riding a horse on mars",
      "320 1125 539 550 18376 6765 320 4558 525 7496" },
    { "Hello  World!!!", "3306 1002 995" },
    { "don't 1234", "847 713 272 273 274 275" },
    { "na\u00efve caf\u00e9", "1097 35689 563 15304" },
    { "\u4f60\u597d", "47466 254 29290 377" },
    { "emoji \U0001F600", "16327 7334" },
    { "(masterpiece:1.2), best quality", "263 12066 281 272 269 273 2361 949 3027" },
    { "x,y , z", "343 267 344 267 345" },
    { "<|endoftext|> a", "49407 320" },
    { "anime-girl's hair", "6469 268 1611 568 2225" },
    { "\u00c0\u00c9", "36149 4166" },
    { "2girls", "273 1917" },
    { "supercalifragilistic", "1642 2857 13093 2076 1561" },
    { "", "" },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    assert_ids (clip, cases[i].text, cases[i].ids);
}

static void
test_clip_normalises_before_it_splits (void)
{
  assert_ids (clip, "cafe\u0301", "15304");        /* composed */
  assert_ids (clip, "\u00c0\u00c9", "36149 4166"); /* lower case beyond ASCII */
  assert_ids (clip, "A\tPHOTO\n\u3000of\u00a0 ", "320 1125 539");
  assert_ids (clip, "DON'T", "847 713");
  assert_ids (clip, "!!<|endoftext|>!!", "748 49407 748"); /* a run ends at a special token */
}

static void
test_clip_knows_its_special_ids (void)
{
  g_assert_cmpint (clip_bpe_bos (clip), ==, BOS);
  g_assert_cmpint (clip_bpe_eos (clip), ==, EOS);
  g_assert_cmpint (clip_bpe_pad (clip), ==, EOS);
  g_assert_cmpint (clip_bpe_comma (clip), ==, COMMA);
  g_assert_cmpint (clip_bpe_n_ids (clip), ==, 49408);
}

static void
test_clip_reads_bytes_that_are_not_utf8 (void)
{
  assert_ids (clip, "\ufffd", "39802");
  assert_ids (clip, "\xff", "39802");
  assert_ids (clip, "cat\xe4\xbd", "2368 47356 39802");
}

/* Rounds and rank order by hand: "cat" merges, "cats" may not use cat</w>. */
static void
test_clip_merges_in_rank_order (void)
{
  Status status = { 0 };
  char *folder = make_folder ("merges.txt", SMALL_MERGES, NULL);
  ClipBpe *bpe = clip_bpe_new (folder, &status);
  g_assert_nonnull (bpe);
  assert_ids (bpe, "cat", "513");
  assert_ids (bpe, "cats", "512 83 338"); /* ca t s</w> */
  g_assert_cmpint (clip_bpe_eos (bpe), ==, 515);
  clip_bpe_free (bpe);
  remove_folder (folder);
}

/* Of "x x x" the left pair merges, and every occurrence merges before the next rank. */
static void
test_clip_merges_all_occurrences_left_to_right (void)
{
  Status status = { 0 };
  char *folder = make_folder ("merges.txt", "#version: 0.2\nx x\nx x</w>\nxx xx\n", NULL);
  ClipBpe *bpe = clip_bpe_new (folder, &status);
  assert_ids (bpe, "xxx", "512 343");   /* xx x</w> */
  assert_ids (bpe, "xxxx", "512 513");  /* xx xx</w> */
  assert_ids (bpe, "xxxxx", "514 343"); /* xxxx x</w> */
  assert_ids (bpe, "xxxxxx", "514 513");
  clip_bpe_free (bpe);
  remove_folder (folder);
}

static void
test_clip_obeys_vocab_json (void)
{
  Status status = { 0 };
  char *json = vocab_json (SMALL_MERGED, 600, NULL);
  char *folder =
      make_folder ("merges.txt", SMALL_MERGES, "vocab.json", json, "special_tokens_map.json",
                   "{\"pad_token\": {\"content\": \"!\"}}", NULL);
  ClipBpe *bpe = clip_bpe_new (folder, &status);
  g_assert_cmpstr (status.message, ==, "");
  g_assert_cmpint (clip_bpe_bos (bpe), ==, 600);
  g_assert_cmpint (clip_bpe_eos (bpe), ==, 601);
  g_assert_cmpint (clip_bpe_pad (bpe), ==, 0);
  g_assert_cmpint (clip_bpe_n_ids (bpe), ==, 602);
  assert_ids (bpe, "cat <|endoftext|>", "513 601");
  clip_bpe_free (bpe);
  remove_folder (folder);
  g_free (json);
}

static void
test_clip_reads_tokenizer_json (void)
{
  Status status = { 0 };
  char *vocab = vocab_json (SMALL_MERGED, 514, NULL);
  for (int as_pairs = 0; as_pairs < 2; as_pairs++)
    {
      char *json = g_strdup_printf (
          "{\"model\": {\"type\": \"BPE\", \"end_of_word_suffix\": \"</w>\", "
          "\"vocab\": %s, \"merges\": %s}}",
          vocab, as_pairs ? "[[\"c\", \"a\"], [\"ca\", \"t</w>\"]]" : "[\"c a\", \"ca t</w>\"]");
      char *folder = make_folder ("tokenizer.json", json, NULL);
      ClipBpe *bpe = clip_bpe_new (folder, &status);
      g_assert_cmpstr (status.message, ==, "");
      assert_ids (bpe, "cat", "513");
      g_assert_cmpint (clip_bpe_eos (bpe), ==, 515);
      clip_bpe_free (bpe);
      remove_folder (folder);
      g_free (json);
    }
  g_free (vocab);
}

static void
assert_load_fails (char *folder, StatusCode code)
{
  Status status = { 0 };
  g_assert_null (clip_bpe_new (folder, &status));
  g_assert_cmpint (status.code, ==, code);
  g_assert_cmpstr (status.message, !=, "");
  remove_folder (folder);
}

static void
test_clip_refuses_damaged_files (void)
{
  char *lacking = vocab_json (SMALL_MERGED, 514, "cat</w>");
  char *doubled = vocab_json (SMALL_MERGED, 512, NULL);
  assert_load_fails (make_folder (NULL, NULL), STATUS_NOT_FOUND);
  assert_load_fails (make_folder ("merges.txt", "", NULL), STATUS_FORMAT);
  assert_load_fails (make_folder ("merges.txt", "#version: 0.2\nc a t\n", NULL), STATUS_FORMAT);
  assert_load_fails (make_folder ("merges.txt", "#version: 0.2\nca t</w>\n", NULL), STATUS_FORMAT);
  assert_load_fails (make_folder ("merges.txt", SMALL_MERGES, "vocab.json", "[1]", NULL),
                     STATUS_FORMAT);
  assert_load_fails (make_folder ("merges.txt", SMALL_MERGES, "vocab.json", "{\"a\": 1", NULL),
                     STATUS_FORMAT);
  assert_load_fails (make_folder ("merges.txt", SMALL_MERGES, "vocab.json", lacking, NULL),
                     STATUS_FORMAT);
  assert_load_fails (make_folder ("merges.txt", SMALL_MERGES, "vocab.json", doubled, NULL),
                     STATUS_FORMAT);
  assert_load_fails (make_folder ("tokenizer.json", "{\"model\": {\"type\": \"Unigram\"}}", NULL),
                     STATUS_FORMAT);
  g_free (lacking);
  g_free (doubled);
}

/* 100 KB of one word, of one accent after another, of one digit: linear, or the test times out. */
static void
test_clip_is_fast_on_long_words (void)
{
  static const char *const units[] = {
    "a", "ab", "a\u0301\u0323", "\u0323\u0301", "7", "!?", "\xff"
  };
  Status status = { 0 };
  for (size_t i = 0; i < G_N_ELEMENTS (units); i++)
    {
      GString *text = g_string_new (NULL);
      while (text->len < 100000)
        g_string_append (text, units[i]);
      g_assert_cmpint (clip_bpe_count (clip, text->str, &status), >, 0);
      g_string_free (text, TRUE);
    }
}

static void
test_clip_refuses_a_prompt_beyond_the_limit (void)
{
  Status status = { 0 };
  char *text = g_strnfill (TEXT_MAX_BYTES + 1, 'a');
  g_assert_cmpint (clip_bpe_count (clip, text, &status), ==, -1);
  g_assert_cmpint (status.code, ==, STATUS_ARGUMENT);
  g_free (text);
}

/* Every allocation of making a tokenizer, a prompt's pieces and its chunks fails once. */
static void
test_text_survives_each_failed_allocation (void)
{
  char *json = vocab_json (SMALL_MERGED, 514, NULL);
  char *folder = make_folder ("merges.txt", SMALL_MERGES, "vocab.json", json, NULL);
  static const char text[] =
      "cat, cats BREAK (e\u0301 \u0323\u0301:1.3), [cat] tttttttttttttttttttttttttttttttttttt "
      "1234567890 1234567890 1234567890 1234567890 1234567890 1234567890 1234567890 1234567890";
  bool done = false;
  int n_failures = 0;
  for (int nth = 1; !done; nth++, n_failures++)
    {
      Status status = { 0 };
      PromptPieces pieces = { 0 };
      TokenChunks *t = NULL;
      mem_fail_at (nth);
      ClipBpe *bpe = clip_bpe_new (folder, &status);
      ChunkOptions options = { CHUNKS_A1111, CHUNK_COMMA_BACKTRACK, 0 };
      if (bpe && prompt_parse_attention (text, PROMPT_A1111, &pieces, &status))
        t = token_chunks_new (bpe, &pieces, &options, &status);
      done = t && token_chunks_extend (t, 50, &status) && mem_count () < nth;
      mem_fail_at (0);
      g_assert_cmpint (status.code, ==, done ? STATUS_OK : STATUS_NO_MEMORY);
      token_chunks_free (t);
      prompt_pieces_clear (&pieces);
      clip_bpe_free (bpe);
    }
  g_assert_cmpint (n_failures, >, 20);
  remove_folder (folder);
  g_free (json);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  Status status = { 0 };
  char *data = source_path ("data");
  clip = clip_bpe_new_bundled (data, &status);
  g_free (data);
  g_assert_cmpstr (status.message, ==, "");
  g_test_add_func ("/text/clip/published-vectors", test_clip_encodes_published_vectors);
  g_test_add_func ("/text/clip/normalises", test_clip_normalises_before_it_splits);
  g_test_add_func ("/text/clip/special-ids", test_clip_knows_its_special_ids);
  g_test_add_func ("/text/clip/not-utf8", test_clip_reads_bytes_that_are_not_utf8);
  g_test_add_func ("/text/clip/rank-order", test_clip_merges_in_rank_order);
  g_test_add_func ("/text/clip/all-occurrences", test_clip_merges_all_occurrences_left_to_right);
  g_test_add_func ("/text/clip/vocab-json", test_clip_obeys_vocab_json);
  g_test_add_func ("/text/clip/tokenizer-json", test_clip_reads_tokenizer_json);
  g_test_add_func ("/text/clip/damaged-files", test_clip_refuses_damaged_files);
  g_test_add_func ("/text/clip/long-words", test_clip_is_fast_on_long_words);
  g_test_add_func ("/text/clip/too-long", test_clip_refuses_a_prompt_beyond_the_limit);
  g_test_add_func ("/text/failed-allocations", test_text_survives_each_failed_allocation);
  int failed = g_test_run ();
  clip_bpe_free (clip);
  return failed;
}
