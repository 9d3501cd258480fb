/* SPDX-License-Identifier: MPL-2.0 */
#include <glib.h>
#include <string.h>

#include "text/chunks.h"
#include "text/weighting.h"

enum
{
  EOS = 49407,
  BOS = 49406,
  CAT = 2368,
  DOG = 1929
};

static ClipBpe *clip; /* the bundled vocabulary, made once */

static char *
source_path (const char *name)
{
  const char *root = g_getenv ("GESSO_SOURCE");
  return g_build_filename (root ? root : ".", name, NULL);
}

static PromptPieces
parse (const char *text, PromptSyntax syntax)
{
  Status status = { 0 };
  PromptPieces pieces;
  g_assert_true (prompt_parse_attention (text, syntax, &pieces, &status));
  return pieces;
}

static TokenChunks *
chunk (const char *text, PromptSyntax syntax, ChunkMode mode, int32_t pad)
{
  Status status = { 0 };
  PromptPieces pieces = parse (text, syntax);
  ChunkOptions options = { mode, CHUNK_COMMA_BACKTRACK, pad };
  TokenChunks *t = token_chunks_new (clip, &pieces, &options, &status);
  g_assert_nonnull (t);
  g_assert_cmpint (t->length, ==, CHUNK_LENGTH);
  for (int i = 0; i < t->n_chunks; i++)
    {
      g_assert_cmpint (t->ids[i * CHUNK_LENGTH], ==, BOS);
      g_assert_cmpint (t->ids[i * CHUNK_LENGTH + t->eos_index[i]], ==, EOS);
    }
  prompt_pieces_clear (&pieces);
  return t;
}

/* "cat" @n times, with a comma as word @comma (-1: none). */
static char *
cats (int n, int comma)
{
  GString *text = g_string_new (NULL);
  for (int i = 0; i < n; i++)
    g_string_append (text, i == comma ? ", " : "cat ");
  return g_string_free (text, FALSE);
}

/* Content tokens of chunk @i: what lies before its end token. */
static int
content_of (const TokenChunks *t, int i)
{
  return t->eos_index[i] - 1;
}

static void
assert_split (int n, int comma, int n_chunks, int first, int last)
{
  char *text = cats (n, comma);
  TokenChunks *t = chunk (text, PROMPT_A1111, CHUNKS_A1111, EOS);
  g_assert_cmpint (t->n_chunks, ==, n_chunks);
  g_assert_cmpint (content_of (t, 0), ==, first);
  g_assert_cmpint (content_of (t, n_chunks - 1), ==, last);
  token_chunks_free (t);
  g_free (text);
}

static void
test_chunks_fill_75_tokens (void)
{
  assert_split (0, -1, 1, 0, 0);
  assert_split (74, -1, 1, 74, 74);
  assert_split (75, -1, 1, 75, 75);
  assert_split (76, -1, 2, 75, 1);
  assert_split (150, -1, 2, 75, 75);
}

/* A comma with at most 20 tokens from its place to the end of the chunk takes them along. */
static void
test_chunks_cut_behind_a_comma_nearby (void)
{
  assert_split (76, 56, 2, 57, 19);
  assert_split (76, 55, 2, 56, 20);
  assert_split (76, 54, 2, 75, 1);
  assert_split (76, 75, 2, 75, 1); /* the comma itself is the 76th token */
}

static void
test_chunks_of_the_moved_tokens_keep_ids_and_weights (void)
{
  char *head = cats (70, 60), *text = g_strconcat (head, "(dog cat dog cat cat cat:1.5)", NULL);
  TokenChunks *t = chunk (text, PROMPT_A1111, CHUNKS_A1111, EOS);
  g_assert_cmpint (t->n_chunks, ==, 2);
  g_assert_cmpint (content_of (t, 0), ==, 61);
  g_assert_cmpint (content_of (t, 1), ==, 15);
  g_assert_cmpint (t->n_tokens, ==, 75 + 15);
  const int32_t *ids = t->ids + CHUNK_LENGTH;
  const float *weights = t->weights + CHUNK_LENGTH;
  for (int i = 1; i <= 15; i++)
    {
      g_assert_cmpint (ids[i], ==, i == 10 || i == 12 ? DOG : CAT);
      g_assert_cmpfloat (weights[i], ==, i >= 10 ? 1.5f : 1.0f);
    }
  for (int i = 0; i < CHUNK_LENGTH; i++)
    g_assert_cmpfloat (t->weights[i], ==, 1.0f);
  token_chunks_free (t);
  g_free (text);
  g_free (head);
}

static void
test_chunks_break_where_asked (void)
{
  static const struct
  {
    const char *text;
    int n_chunks, first, last, n_tokens;
  } cases[] = {
    { "BREAK cat", 2, 0, 1, 76 },
    { "cat BREAK", 1, 1, 1, 75 },
    { "cat BREAK BREAK cat", 3, 1, 1, 151 },
    { "cat BREAK cat cat", 2, 1, 2, 77 },
    { "(cat BREAK cat cat:1.2)", 2, 1, 2, 77 },
    { "BREAKFAST", 1, 1, 1, 1 },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      TokenChunks *t = chunk (cases[i].text, PROMPT_A1111, CHUNKS_A1111, EOS);
      g_assert_cmpint (t->n_chunks, ==, cases[i].n_chunks);
      g_assert_cmpint (content_of (t, 0), ==, cases[i].first);
      g_assert_cmpint (content_of (t, t->n_chunks - 1), ==, cases[i].last);
      g_assert_cmpint (t->n_tokens, ==, cases[i].n_tokens);
      token_chunks_free (t);
    }
}

static void
test_chunks_pad_behind_the_first_end_token (void)
{
  TokenChunks *l = chunk ("cat", PROMPT_A1111, CHUNKS_A1111, EOS);
  TokenChunks *g = chunk ("cat <|endoftext|> cat", PROMPT_A1111, CHUNKS_A1111, 0);
  TokenChunks *d = chunk ("cat <|endoftext|> cat", PROMPT_PLAIN, CHUNKS_TRUNCATE, 0);
  for (int i = 2; i < CHUNK_LENGTH; i++)
    {
      g_assert_cmpint (l->ids[i], ==, EOS);
      g_assert_cmpint (g->ids[i], ==, i == 2 ? EOS : 0);
      g_assert_cmpint (d->ids[i], ==, i == 2 || i == 4 ? EOS : i == 3 ? CAT : 0);
    }
  g_assert_cmpint (g->eos_index[0], ==, 2);
  g_assert_cmpint (d->eos_index[0], ==, 2);
  token_chunks_free (l);
  token_chunks_free (g);
  token_chunks_free (d);
}

static void
test_chunks_comfyui_keeps_short_pieces_whole (void)
{
  char *head = cats (70, -1);
  char *seven = g_strconcat (head, "(cat cat cat cat cat cat cat:1.2)", NULL);
  char *eight = g_strconcat (head, "(cat cat cat cat cat cat cat cat:1.2)", NULL);
  TokenChunks *s = chunk (seven, PROMPT_COMFYUI, CHUNKS_COMFYUI, 0);
  TokenChunks *e = chunk (eight, PROMPT_COMFYUI, CHUNKS_COMFYUI, 0);
  g_assert_cmpint (s->n_chunks, ==, 2);
  g_assert_cmpint (content_of (s, 0), ==, 70);
  g_assert_cmpint (content_of (s, 1), ==, 7);
  g_assert_cmpint (s->n_tokens, ==, 77);
  g_assert_cmpint (content_of (e, 0), ==, 75);
  g_assert_cmpint (content_of (e, 1), ==, 3);
  g_assert_cmpfloat (e->weights[71], ==, 1.2f);
  g_assert_cmpfloat (e->weights[76], ==, 1.0f);
  token_chunks_free (s);
  token_chunks_free (e);
  g_free (head);
  g_free (seven);
  g_free (eight);
}

static void
test_chunks_truncate_keeps_the_end_token (void)
{
  char *text = cats (100, -1);
  TokenChunks *t = chunk (text, PROMPT_PLAIN, CHUNKS_TRUNCATE, 0);
  g_assert_cmpint (t->n_chunks, ==, 1);
  g_assert_cmpint (t->ids[76], ==, EOS);
  g_assert_cmpint (t->ids[75], ==, CAT);
  g_assert_cmpint (t->n_tokens, ==, 100);
  token_chunks_free (t);
  g_free (text);
}

static void
test_chunks_match_extends_the_shorter (void)
{
  Status status = { 0 };
  char *text = cats (151, -1);
  TokenChunks *a = chunk (text, PROMPT_A1111, CHUNKS_A1111, 0);
  TokenChunks *b = chunk ("cat", PROMPT_A1111, CHUNKS_A1111, 0);
  g_assert_true (token_chunks_match (b, a, &status));
  g_assert_cmpint (a->n_chunks, ==, 3);
  g_assert_cmpint (b->n_chunks, ==, 3);
  for (int i = 0; i < CHUNK_LENGTH; i++)
    {
      int id = b->ids[2 * CHUNK_LENGTH + i];
      g_assert_cmpint (id, ==, i == 0 ? BOS : i == 1 ? EOS : 0);
      g_assert_cmpfloat (b->weights[2 * CHUNK_LENGTH + i], ==, 1.0f);
    }
  g_assert_cmpint (b->eos_index[2], ==, 1);
  g_assert_cmpint (b->ids[1], ==, CAT);
  token_chunks_free (a);
  token_chunks_free (b);
  g_free (text);
}

/* A prompt of one chunk with the weights of tokens 1 .. n set to @w, and made-up encodings. */
static TokenChunks *
weighted (const char *text, float **z, float **z_empty, int dim)
{
  TokenChunks *t = chunk (text, PROMPT_A1111, CHUNKS_A1111, EOS);
  GRand *rand = g_rand_new_with_seed (3);
  int n = t->n_chunks * CHUNK_LENGTH * dim;
  *z = g_new (float, n);
  *z_empty = g_new (float, CHUNK_LENGTH *dim);
  for (int i = 0; i < n; i++)
    (*z)[i] = (float) g_rand_double_range (rand, -1, 1.5);
  for (int i = 0; i < CHUNK_LENGTH * dim; i++)
    (*z_empty)[i] = (float) g_rand_double_range (rand, -1, 1);
  g_rand_free (rand);
  return t;
}

enum
{
  DIM = 5,
  CHUNK_VALUES = CHUNK_LENGTH * DIM
};

static double
mean_of (const float *z)
{
  double sum = 0;
  for (int i = 0; i < CHUNK_VALUES; i++)
    sum += (double) z[i];
  return sum / CHUNK_VALUES;
}

static void
test_weighting_a1111_restores_the_mean_of_each_chunk (void)
{
  Status status = { 0 };
  float *z, *z0;
  TokenChunks *t = weighted ("(cat cat:1.7) cat BREAK cat BREAK (cat:0.2)", &z, &z0, DIM);
  float *before = g_memdup2 (z, 3 * CHUNK_VALUES * sizeof *z);
  g_assert_true (weighting_apply (WEIGHTING_A1111, t, z, NULL, DIM, &status));
  for (int i = 0; i < 3; i++)
    g_assert_cmpfloat_with_epsilon (mean_of (z + i * CHUNK_VALUES),
                                    mean_of (before + i * CHUNK_VALUES), 1e-7);
  /* Within a chunk weights are relative: token 1 has 1.7, token 3 has 1. */
  float ratio = z[DIM] / before[DIM] / (z[3 * DIM] / before[3 * DIM]);
  g_assert_cmpfloat_with_epsilon (ratio, 1.7f, 1e-5);
  g_assert_cmpmem (z + CHUNK_VALUES, CHUNK_VALUES * sizeof *z, before + CHUNK_VALUES,
                   CHUNK_VALUES * sizeof *z);
  g_free (before);
  g_free (z);
  g_free (z0);
  token_chunks_free (t);
}

static void
test_weighting_no_norm_multiplies (void)
{
  Status status = { 0 };
  float *z, *z0;
  TokenChunks *t = weighted ("cat (cat:1.5)", &z, &z0, DIM);
  float *before = g_memdup2 (z, CHUNK_VALUES * sizeof *z);
  g_assert_true (weighting_apply (WEIGHTING_A1111_NO_NORM, t, z, NULL, DIM, &status));
  for (int i = 0; i < CHUNK_VALUES; i++)
    g_assert_cmpfloat (z[i], ==, i / DIM == 2 ? before[i] * 1.5f : before[i]);
  memcpy (before, z, CHUNK_VALUES * sizeof *z);
  g_assert_true (weighting_apply (WEIGHTING_NONE, t, z, NULL, DIM, &status));
  g_assert_cmpmem (z, CHUNK_VALUES * sizeof *z, before, CHUNK_VALUES * sizeof *z);
  g_free (before);
  g_free (z);
  g_free (z0);
  token_chunks_free (t);
}

static void
test_weighting_comfyui_moves_from_the_empty_prompt (void)
{
  Status status = { 0 };
  float *z, *z0;
  TokenChunks *t = weighted ("cat (cat:0) BREAK (cat:2)", &z, &z0, DIM);
  float *before = g_memdup2 (z, 2 * CHUNK_VALUES * sizeof *z);
  g_assert_false (weighting_apply (WEIGHTING_COMFYUI, t, z, NULL, DIM, &status));
  status = (Status){ 0 };
  g_assert_true (weighting_apply (WEIGHTING_COMFYUI, t, z, z0, DIM, &status));
  for (int i = 0; i < 2 * CHUNK_VALUES; i++)
    {
      int token = i / DIM;
      float expected = before[i];
      if (token == 2)
        expected = z0[i]; /* weight 0 is the empty prompt */
      else if (token == CHUNK_LENGTH + 1)
        expected = z0[i - CHUNK_VALUES] + 2 * (before[i] - z0[i - CHUNK_VALUES]);
      g_assert_cmpfloat (z[i], ==, expected);
    }
  g_free (before);
  g_free (z);
  g_free (z0);
  token_chunks_free (t);
}

static void
test_weighting_reports_a_mean_that_is_gone (void)
{
  Status status = { 0 };
  float *z, *z0;
  TokenChunks *t = weighted ("(cat:0)", &z, &z0, DIM);
  memset (z, 0, CHUNK_VALUES * sizeof *z);
  z[DIM] = 1; /* all that there is belongs to the token of weight 0 */
  g_assert_false (weighting_apply (WEIGHTING_A1111, t, z, NULL, DIM, &status));
  g_assert_cmpint (status.code, ==, STATUS_ARGUMENT);
  g_free (z);
  g_free (z0);
  token_chunks_free (t);
}

static void
test_chunks_take_any_bytes (void)
{
  static const char *const units[] = { "(",      ")", ":1.2)", "BREAK", ",", "<|endoftext|>",
                                       "\u0301", "7" };
  GRand *rand = g_rand_new_with_seed (20240611);
  for (int round = 0; round < 3000; round++)
    {
      GString *text = g_string_new (NULL);
      int n = g_rand_int_range (rand, 0, 200);
      for (int i = 0; i < n; i++)
        if (g_rand_int_range (rand, 0, 4))
          g_string_append_c (text, (char) g_rand_int_range (rand, 1, 256));
        else
          g_string_append (text, units[g_rand_int_range (rand, 0, G_N_ELEMENTS (units))]);
      for (int mode = CHUNKS_A1111; mode <= CHUNKS_TRUNCATE; mode++)
        {
          TokenChunks *t =
              chunk (text->str, (PromptSyntax) mode, (ChunkMode) mode, round % 2 ? 0 : EOS);
          for (int i = 0; i < t->n_chunks * CHUNK_LENGTH; i++)
            g_assert_true (t->ids[i] >= 0 && t->ids[i] < clip_bpe_n_ids (clip));
          token_chunks_free (t);
        }
      g_string_free (text, TRUE);
    }
  g_rand_free (rand);
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
  g_test_add_func ("/text/chunks/75-tokens", test_chunks_fill_75_tokens);
  g_test_add_func ("/text/chunks/comma", test_chunks_cut_behind_a_comma_nearby);
  g_test_add_func ("/text/chunks/moved-tokens",
                   test_chunks_of_the_moved_tokens_keep_ids_and_weights);
  g_test_add_func ("/text/chunks/break", test_chunks_break_where_asked);
  g_test_add_func ("/text/chunks/padding", test_chunks_pad_behind_the_first_end_token);
  g_test_add_func ("/text/chunks/comfyui", test_chunks_comfyui_keeps_short_pieces_whole);
  g_test_add_func ("/text/chunks/truncate", test_chunks_truncate_keeps_the_end_token);
  g_test_add_func ("/text/chunks/match", test_chunks_match_extends_the_shorter);
  g_test_add_func ("/text/chunks/any-bytes", test_chunks_take_any_bytes);
  g_test_add_func ("/text/weighting/a1111", test_weighting_a1111_restores_the_mean_of_each_chunk);
  g_test_add_func ("/text/weighting/no-norm", test_weighting_no_norm_multiplies);
  g_test_add_func ("/text/weighting/comfyui", test_weighting_comfyui_moves_from_the_empty_prompt);
  g_test_add_func ("/text/weighting/mean-gone", test_weighting_reports_a_mean_that_is_gone);
  int failed = g_test_run ();
  clip_bpe_free (clip);
  return failed;
}
