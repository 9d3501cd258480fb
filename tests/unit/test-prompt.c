/* SPDX-License-Identifier: MPL-2.0 */
#include <glib.h>
#include <string.h>

#include "core/mem.h"
#include "text/chars.h"
#include "text/prompt-grammar.h"

static const char BREAK[] = "<break>"; /* stands for a break in expected lists */

typedef struct
{
  const char *text;
  double weight;
} Expected;

static void
assert_pieces (const PromptPieces *pieces, const Expected *expected, int n)
{
  g_assert_cmpint (pieces->n, ==, n);
  for (int i = 0; i < n; i++)
    {
      bool is_break = expected[i].text == BREAK;
      g_assert_cmpint (pieces->items[i].is_break, ==, is_break);
      g_assert_cmpstr (pieces->items[i].text, ==, is_break ? "" : expected[i].text);
      g_assert_cmpfloat_with_epsilon (pieces->items[i].weight, expected[i].weight, 1e-12);
    }
}

static void
assert_parses (const char *text, PromptSyntax syntax, const Expected *expected, int n)
{
  Status status = { 0 };
  PromptPieces pieces;
  g_assert_true (prompt_parse_attention (text, syntax, &pieces, &status));
  assert_pieces (&pieces, expected, n);
  prompt_pieces_clear (&pieces);
}

#define ASSERT_PARSES(text, syntax, ...)                                                           \
  do                                                                                               \
    {                                                                                              \
      const Expected list[] = { __VA_ARGS__ };                                                     \
      assert_parses (text, syntax, list, G_N_ELEMENTS (list));                                     \
    }                                                                                              \
  while (0)

#define ASSERT_A1111(text, ...) ASSERT_PARSES (text, PROMPT_A1111, __VA_ARGS__)
#define ASSERT_COMFYUI(text, ...) ASSERT_PARSES (text, PROMPT_COMFYUI, __VA_ARGS__)

static void
test_attention_reads_the_published_examples (void)
{
  ASSERT_A1111 ("normal text", { "normal text", 1 });
  ASSERT_A1111 ("an (important) word", { "an ", 1 }, { "important", 1.1 }, { " word", 1 });
  ASSERT_A1111 ("(unbalanced", { "unbalanced", 1.1 });
  ASSERT_A1111 ("\\(literal\\]", { "(literal]", 1 });
  ASSERT_A1111 ("(unnecessary)(parens)", { "unnecessaryparens", 1.1 });
  ASSERT_A1111 ("a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).", { "a ", 1 },
                { "house", 1.573 }, { " ", 1.1 }, { "on", 1 }, { " a ", 1.1 }, { "hill", 0.55 },
                { ", sun, ", 1.1 }, { "sky", 1.4641 }, { ".", 1.1 });
}

static void
test_attention_keeps_what_is_no_weight (void)
{
  ASSERT_A1111 ("", { "", 1 });
  ASSERT_A1111 ("a:1.3) b", { "a:1.3) b", 1 });
  ASSERT_A1111 ("a) ]b", { "a) ]b", 1 });
  ASSERT_A1111 ("(a:b)", { "a:b", 1.1 });
  ASSERT_A1111 ("(a:1.2.3)", { "a:1.2.3", 1.1 });
  ASSERT_A1111 ("(a:.)", { "a:.", 1.1 });
  ASSERT_A1111 ("a\\b\\\\c\\", { "ab\\c", 1 });
  ASSERT_A1111 ("[a:1.5]", { "a:1.5", 1 / 1.1 }); /* no weight, and no schedule any more */
  ASSERT_A1111 ("(a : +1.5 )", { "a ", 1.5 });
  ASSERT_A1111 ("(a:-.5)", { "a", -.5 });
  ASSERT_A1111 ("([a)b]", { "a", 1.0 }, { "b", 1 / 1.1 });
}

static void
test_attention_breaks_at_the_word_break (void)
{
  ASSERT_A1111 ("a BREAK b", { "a", 1 }, { BREAK, 1 }, { "b", 1 });
  ASSERT_A1111 ("BREAK", { "", 1 }, { BREAK, 1 }, { "", 1 });
  ASSERT_A1111 ("a,\n BREAK\u3000BREAK b", { "a,", 1 }, { BREAK, 1 }, { "", 1 }, { BREAK, 1 },
                { "b", 1 });
  ASSERT_A1111 ("BREAKFAST aBREAK BREAK_ \u00e9BREAK",
                { "BREAKFAST aBREAK BREAK_ \u00e9BREAK", 1 });
  ASSERT_A1111 ("a\uff0cBREAK b", { "a\uff0c", 1 }, { BREAK, 1 }, { "b", 1 });
  ASSERT_A1111 ("(a BREAK b:1.2)", { "a", 1.2 }, { BREAK, 1 }, { "b", 1.2 });
}

static void
test_attention_reads_comfyui (void)
{
  ASSERT_COMFYUI ("a (b) c", { "a ", 1 }, { "b", 1.1 }, { " c", 1 });
  ASSERT_COMFYUI ("((a:1.2):1.3)", { "a", 1.2 }); /* a number sets */
  ASSERT_COMFYUI ("(a (b:1.5) c:2)", { "a ", 2 }, { "b", 1.5 }, { " c", 2 });
  ASSERT_COMFYUI ("((a))", { "a", 1.21 });
  ASSERT_COMFYUI ("[a] BREAK", { "[a] BREAK", 1 });
  ASSERT_COMFYUI ("\\(a\\) (b\\))", { "(a) ", 1 }, { "b)", 1.1 });
  ASSERT_COMFYUI (")(a)", { ")(a)", 1 });
  ASSERT_COMFYUI ("(a", { "(a", 1 });
  ASSERT_COMFYUI ("((a)", { "(a", 1.1 });
  ASSERT_COMFYUI ("(:1.2)", { ":1.2", 1.1 });
  ASSERT_COMFYUI ("(a:b:1e-1 )", { "a:b", 0.1 });
  assert_parses ("", PROMPT_COMFYUI, NULL, 0);
  ASSERT_PARSES ("(a:1.3) BREAK", PROMPT_PLAIN, { "(a:1.3) BREAK", 1 });
}

static void
test_attention_limits_nesting_and_weights (void)
{
  static const struct
  {
    const char *unit;
    PromptSyntax syntax;
  } cases[] = { { "(", PROMPT_A1111 }, { "[", PROMPT_A1111 }, { "(", PROMPT_COMFYUI } };
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Status status = { 0 };
      PromptPieces pieces;
      GString *text = g_string_new (NULL);
      for (int k = 0; k <= TEXT_MAX_NESTING; k++)
        g_string_append (text, cases[i].unit);
      for (int k = 0; k <= TEXT_MAX_NESTING; k++)
        g_string_append (text, ")");
      g_assert_false (prompt_parse_attention (text->str, cases[i].syntax, &pieces, &status));
      g_assert_cmpint (status.code, ==, STATUS_ARGUMENT);
      g_assert_null (pieces.items);
      g_string_free (text, TRUE);
    }
  Status status = { 0 };
  PromptPieces pieces;
  char *digits = g_strnfill (60, '9'), *text = g_strdup_printf ("(a:%s)", digits);
  g_assert_false (prompt_parse_attention (text, PROMPT_A1111, &pieces, &status));
  g_assert_cmpint (status.code, ==, STATUS_ARGUMENT);
  g_free (digits);
  g_free (text);
}

/* Phases as "3:text|10:text". */
static void
assert_schedule (const char *text, PromptScheduleOptions options, const char *expected)
{
  Status status = { 0 };
  PromptSchedule schedule;
  g_assert_true (prompt_schedule (text, &options, &schedule, &status));
  GString *got = g_string_new (NULL);
  for (int i = 0; i < schedule.n; i++)
    g_string_append_printf (got, "%s%d:%s", i ? " / " : "", schedule.items[i].end_at_step,
                            schedule.items[i].text);
  g_assert_cmpstr (got->str, ==, expected);
  g_string_free (got, TRUE);
  prompt_schedule_clear (&schedule);
}

static void
test_schedule_reads_the_published_examples (void)
{
  PromptScheduleOptions ten = { .steps = 10 };
  assert_schedule ("test", ten, "10:test");
  assert_schedule ("a [b:3]", ten, "3:a  / 10:a b");
  assert_schedule ("a [b: 3]", ten, "3:a  / 10:a b");
  assert_schedule ("a [[[b]]:2]", ten, "2:a  / 10:a [[b]]");
  assert_schedule ("[(a:2):3]", ten, "3: / 10:(a:2)");
  assert_schedule ("a [b : c : 1] d", ten, "1:a b  d / 10:a  c  d");
  assert_schedule ("a[b:[c:d:2]:1]e", ten, "1:abe / 2:ace / 10:ade");
  assert_schedule ("a [unbalanced", ten, "10:a [unbalanced");
  assert_schedule ("a [b:.5] c", ten, "5:a  c / 10:a b c");
  assert_schedule ("((a][:b:c [d:3]", ten, "3:((a][:b:c  / 10:((a][:b:c d");
  assert_schedule ("[a|(b:1.1)]", ten,
                   "1:a / 2:(b:1.1) / 3:a / 4:(b:1.1) / 5:a / 6:(b:1.1) / 7:a / 8:(b:1.1) / 9:a / "
                   "10:(b:1.1)");
  assert_schedule (
      "[fe|]male", ten,
      "1:female / 2:male / 3:female / 4:male / 5:female / 6:male / 7:female / 8:male / "
      "9:female / 10:male");
  assert_schedule ("[fe|||]male", ten,
                   "1:female / 2:male / 3:male / 4:male / 5:female / 6:male / 7:male / 8:male / "
                   "9:female / 10:male");
}

static void
test_schedule_counts_hires_steps_from_their_start (void)
{
  PromptScheduleOptions hires = { .steps = 10, .base_steps = 10 };
  assert_schedule ("a [b:.5] c", hires, "10:a b c");
  assert_schedule ("a [b:1.5] c", hires, "5:a  c / 10:a b c");
  assert_schedule ("a [b:12] c", hires, "2:a  c / 10:a b c");
  assert_schedule ("a [b:3] c", hires, "10:a b c");
}

static void
test_schedule_reads_old_timelines (void)
{
  PromptScheduleOptions old = { .steps = 10, .old_timelines = true };
  assert_schedule ("[a:b:0.3]", old, "3:a / 10:b");
  assert_schedule ("[a:b:3.0]", old, "3:a / 10:b");
  old.old_timelines = false;
  assert_schedule ("[a:b:3.0]", old, "10:a");
}

static void
test_schedule_keeps_what_is_no_schedule (void)
{
  PromptScheduleOptions ten = { .steps = 10 };
  static const char *const texts[] = {
    "",        "a | b",    "[a:b|c]",  "[a:b:c:3]", "[a:b]",       "[]",         "\\",
    "[a|b:3]", "(a|b)",    "[a:3",     "[a (b:3]",  "(a [b) c:3]", "a\\[b:3\\]", "[a:b:3 4]",
    "[a:3\\]", "[a:b:2e]", "[b::c:2]", "[:|b]",     "[a:b:1.5.2]", "a\\\n",
  };
  for (size_t i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      char *expected = g_strconcat ("10:", texts[i], NULL);
      assert_schedule (texts[i], ten, expected);
      g_free (expected);
    }
  assert_schedule ("(a:b:c)[x:2]", ten, "2:(a:b:c) / 10:(a:b:c)x");
  assert_schedule ("[a:b:[c:d:2]]", ten, "2:[a:b:c] / 10:[a:b:d]");
  assert_schedule ("[a:b:0][c:d:12][e::-1]", ten, "10:bc");
}

static void
test_schedule_refuses_what_is_out_of_bounds (void)
{
  Status status = { 0 };
  PromptSchedule schedule;
  PromptScheduleOptions options = { .steps = 0 };
  g_assert_false (prompt_schedule ("a", &options, &schedule, &status));
  g_assert_cmpint (status.code, ==, STATUS_ARGUMENT);
  status = (Status){ 0 };
  options.steps = PROMPT_MAX_STEPS;
  char *filler = g_strnfill (100000, 'x'), *text = g_strconcat ("[a|b]", filler, NULL);
  g_assert_false (prompt_schedule (text, &options, &schedule, &status)); /* would be 1 GB */
  g_assert_cmpint (status.code, ==, STATUS_ARGUMENT);
  g_free (filler);
  g_free (text);
  char *deep = g_strnfill (TEXT_MAX_NESTING + 1, '[');
  status = (Status){ 0 };
  g_assert_false (prompt_schedule (deep, &options, &schedule, &status));
  g_assert_cmpint (status.code, ==, STATUS_ARGUMENT);
  g_free (deep);
}

static void
assert_and (const char *text, const Expected *expected, int n)
{
  Status status = { 0 };
  PromptPieces pieces;
  g_assert_true (prompt_split_and (text, &pieces, &status));
  assert_pieces (&pieces, expected, n);
  prompt_pieces_clear (&pieces);
}

#define ASSERT_AND(text, ...)                                                                      \
  do                                                                                               \
    {                                                                                              \
      const Expected list[] = { __VA_ARGS__ };                                                     \
      assert_and (text, list, G_N_ELEMENTS (list));                                                \
    }                                                                                              \
  while (0)

static void
test_and_splits_whole_words (void)
{
  ASSERT_AND ("a cat", { "a cat", 1 });
  ASSERT_AND ("", { "", 1 });
  ASSERT_AND ("a :1.2 AND b : -.5 AND c", { "a", 1.2 }, { " b", -.5 }, { " c", 1 });
  ASSERT_AND ("SAND ANDY and", { "SAND ANDY and", 1 });
  ASSERT_AND ("AND", { "", 1 }, { "", 1 });
  ASSERT_AND ("(a:1.2) AND a:b: 2.", { "(a:1.2)", 1 }, { " a:b", 2 });
  ASSERT_AND ("a:1-2 AND b:", { "a:1-2", 1 }, { " b:", 1 });
}

static void
test_networks_are_taken_out (void)
{
  Status status = { 0 };
  PromptNetworks n;
  g_assert_true (prompt_take_networks (
      "a <lora:my style:0.8> b<lora:x:0.5:0.7:unet=0.2><hypernet:h> < c <d> <e:> <lora:q=1:te=2",
      &n, &status));
  g_assert_cmpstr (n.rest, ==, "a  b < c <d> <e:> <lora:q=1:te=2");
  g_assert_cmpint (n.n, ==, 3);
  g_assert_cmpstr (n.items[0].kind, ==, "lora");
  g_assert_cmpstr (n.items[0].name, ==, "my style");
  g_assert_cmpint (n.items[1].n_args, ==, 3);
  g_assert_null (n.items[1].args[1].key);
  g_assert_cmpstr (n.items[1].args[1].value, ==, "0.7");
  g_assert_cmpstr (n.items[1].args[2].key, ==, "unet");
  g_assert_cmpstr (n.items[1].args[2].value, ==, "0.2");
  g_assert_cmpstr (n.items[2].kind, ==, "hypernet");
  g_assert_cmpstr (n.items[2].name, ==, "h");
  double te, unet;
  g_assert_true (prompt_network_weights (&n.items[0], &te, &unet, &status));
  g_assert_cmpfloat (te, ==, 0.8);
  g_assert_cmpfloat (unet, ==, 0.8);
  g_assert_true (prompt_network_weights (&n.items[1], &te, &unet, &status));
  g_assert_cmpfloat (te, ==, 0.5);
  g_assert_cmpfloat (unet, ==, 0.2);
  g_assert_true (prompt_network_weights (&n.items[2], &te, &unet, &status));
  g_assert_cmpfloat (te, ==, 1);
  prompt_networks_clear (&n);
}

static void
test_networks_report_a_weight_that_is_no_number (void)
{
  static const char *const tags[] = { "<lora:a:strong>", "<lora:a:1:>", "<lora:a:unet=1e99>" };
  for (size_t i = 0; i < G_N_ELEMENTS (tags); i++)
    {
      Status status = { 0 };
      PromptNetworks n;
      double te, unet;
      g_assert_true (prompt_take_networks (tags[i], &n, &status));
      g_assert_false (prompt_network_weights (&n.items[0], &te, &unet, &status));
      g_assert_cmpint (status.code, ==, STATUS_ARGUMENT);
      prompt_networks_clear (&n);
    }
}

static void
test_decimal_rounds_as_double (void)
{
  static const struct
  {
    const char *text;
    double value;
  } cases[] = { { "1.1", 1.1 },     { "0.29", 0.29 },
                { "+.5", .5 },      { "-2.", -2 },
                { "1e3", 1000 },    { "12E-1", 1.2 },
                { "1.573", 1.573 }, { "0.123456789", 0.123456789 },
                { "1e22", 1e22 },   { "0e99999", 0 } };
  double value;
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_assert_true (decimal_parse (cases[i].text, strlen (cases[i].text), true, &value));
      g_assert_cmpfloat (value, ==, cases[i].value);
    }
  static const char *const not [] = {
    "", ".", "+", "1.2.3", "1e", "e1", "1,5", "0x1", "nan", "1 "
  };
  for (size_t i = 0; i < G_N_ELEMENTS (not ); i++)
    g_assert_false (decimal_parse (not [i], strlen (not [i]), true, &value));
  g_assert_false (decimal_parse ("1e3", 3, false, &value));
}

/* All parsers on one text, under whatever mem_fail_at is set to. */
static bool
run_all (const char *text, Status *status)
{
  PromptNetworks networks = { 0 };
  PromptSchedule schedule = { 0 };
  PromptPieces pieces = { 0 };
  PromptScheduleOptions options = { .steps = 7 };
  bool ok = prompt_take_networks (text, &networks, status) &&
            prompt_schedule (networks.rest, &options, &schedule, status) &&
            prompt_split_and (text, &pieces, status);
  prompt_pieces_clear (&pieces);
  for (int syntax = PROMPT_A1111; ok && syntax <= PROMPT_PLAIN; syntax++)
    {
      ok = prompt_parse_attention (text, (PromptSyntax) syntax, &pieces, status);
      prompt_pieces_clear (&pieces);
    }
  double te, unet;
  Status ignored = { 0 };
  for (int i = 0; i < networks.n; i++)
    prompt_network_weights (&networks.items[i], &te, &unet, &ignored);
  prompt_schedule_clear (&schedule);
  prompt_networks_clear (&networks);
  return ok;
}

static void
test_prompt_survives_each_failed_allocation (void)
{
  static const char text[] = "a (b:1.2) [c|d|(e)] [f:[g::2]:.5] <lora:x:0.5:te=1> BREAK AND \\(h "
                             "((i)) [j:3] <lora:y> a long tail of text so that buffers grow often";
  bool done = false;
  int nth = 1;
  for (; !done; nth++)
    {
      Status status = { 0 };
      mem_fail_at (nth);
      bool ok = run_all (text, &status);
      done = mem_count () < nth;
      mem_fail_at (0);
      g_assert_cmpint (ok, ==, done);
      g_assert_cmpint (status.code, ==, done ? STATUS_OK : STATUS_NO_MEMORY);
    }
  g_assert_cmpint (nth, >, 20);
}

static void
test_prompt_takes_any_bytes (void)
{
  static const char *const units[] = { "(",   ")",      "[",         "]",        ":",  "|",
                                       "\\",  ":1.2)",  ":3]",       "<lora:a:", ">",  "BREAK",
                                       "AND", "\u3000", " : .5",     "\xc3",     "\n", "a",
                                       "1e9", "=",      "\U0001F600" };
  GRand *rand = g_rand_new_with_seed (7);
  for (int round = 0; round < 20000; round++)
    {
      GString *text = g_string_new (NULL);
      int n = g_rand_int_range (rand, 0, 60);
      for (int i = 0; i < n; i++)
        if (g_rand_int_range (rand, 0, 4))
          g_string_append (text, units[g_rand_int_range (rand, 0, G_N_ELEMENTS (units))]);
        else
          g_string_append_c (text, (char) g_rand_int_range (rand, 1, 256));
      Status status = { 0 };
      bool ok = run_all (text->str, &status);
      g_assert_true (ok || status.code == STATUS_ARGUMENT);
      g_string_free (text, TRUE);
    }
  g_rand_free (rand);
}

/* Repeated units of 100 KB: linear, or the test times out. */
static void
test_prompt_is_fast_on_long_texts (void)
{
  static const char *const units[] = { "()", "(a)", "<a:", "[a|b]", ":", "BREAK ", " ",       "\\(",
                                       "|",  "]",   "a:",  "AND ",  "<", "[a:b]",  "[a:b:3]", "1" };
  for (size_t i = 0; i < G_N_ELEMENTS (units); i++)
    {
      GString *text = g_string_new (NULL);
      while (text->len < 100000)
        g_string_append (text, units[i]);
      Status status = { 0 };
      g_assert_true (run_all (text->str, &status));
      g_string_free (text, TRUE);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/text/attention/published", test_attention_reads_the_published_examples);
  g_test_add_func ("/text/attention/literal", test_attention_keeps_what_is_no_weight);
  g_test_add_func ("/text/attention/break", test_attention_breaks_at_the_word_break);
  g_test_add_func ("/text/attention/comfyui", test_attention_reads_comfyui);
  g_test_add_func ("/text/attention/limits", test_attention_limits_nesting_and_weights);
  g_test_add_func ("/text/schedule/published", test_schedule_reads_the_published_examples);
  g_test_add_func ("/text/schedule/hires", test_schedule_counts_hires_steps_from_their_start);
  g_test_add_func ("/text/schedule/old-timelines", test_schedule_reads_old_timelines);
  g_test_add_func ("/text/schedule/literal", test_schedule_keeps_what_is_no_schedule);
  g_test_add_func ("/text/schedule/limits", test_schedule_refuses_what_is_out_of_bounds);
  g_test_add_func ("/text/and/whole-words", test_and_splits_whole_words);
  g_test_add_func ("/text/networks/taken-out", test_networks_are_taken_out);
  g_test_add_func ("/text/networks/bad-weight", test_networks_report_a_weight_that_is_no_number);
  g_test_add_func ("/text/decimal/rounds", test_decimal_rounds_as_double);
  g_test_add_func ("/text/prompt/failed-allocations", test_prompt_survives_each_failed_allocation);
  g_test_add_func ("/text/prompt/any-bytes", test_prompt_takes_any_bytes);
  g_test_add_func ("/text/prompt/long-texts", test_prompt_is_fast_on_long_texts);
  return g_test_run ();
}
