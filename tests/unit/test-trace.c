/* SPDX-License-Identifier: MPL-2.0 */
#include <glib.h>
#include <glib/gstdio.h>
#include <json-c/json.h>
#include <string.h>

#include "core/trace.h"

static void
two_ops (Ctx *ctx)
{
  const int64_t ne[3] = { 1, 4, 320 };
  OpRecord first = { .kind = OP_LINEAR,
                     .inplace = -1,
                     .flops = 2e6,
                     .weight_name = "unet.conv_in.weight",
                     .weight_bytes = 640 };
  Tensor *x = ctx_emit (ctx, first, DTYPE_F32, 3, ne);
  OpRecord second = { .kind = OP_ADD, .inplace = -1, .source = { x, x } };
  ctx_emit (ctx, second, DTYPE_F32, 3, ne);
}

static Ctx *
run (int n_runs)
{
  Status status = { 0 };
  Ctx *ctx = ctx_new (NULL, COMPUTE_F32, NULL, &status);
  two_ops (ctx);
  g_assert_true (ctx_plan (ctx));
  for (int i = 0; i < n_runs; i++)
    {
      g_assert_true (ctx_begin_run (ctx));
      two_ops (ctx);
      g_assert_true (ctx_end_run (ctx));
    }
  return ctx;
}

static void
check_line (const char *line, int index, const char *kind, const char *weight, int n_sources)
{
  json_object *o = json_tokener_parse (line);
  g_assert_nonnull (o);
#define MEMBER(name) json_object_object_get (o, name)
  g_assert_cmpstr (json_object_get_string (MEMBER ("phase")), ==, "denoise");
  g_assert_cmpint (json_object_get_int (MEMBER ("index")), ==, index);
  g_assert_cmpstr (json_object_get_string (MEMBER ("kind")), ==, kind);
  g_assert_cmpstr (json_object_get_string (MEMBER ("weight")), ==, weight);
  g_assert_cmpint (json_object_get_int (MEMBER ("runs")), ==, 2);
  g_assert_cmpfloat (json_object_get_double (MEMBER ("wall_us")), >=, 0);
  g_assert_cmpfloat (json_object_get_double (MEMBER ("cpu_us")), >=, 0);
  g_assert_cmpstr (json_object_to_json_string_ext (MEMBER ("out"), JSON_C_TO_STRING_PLAIN), ==,
                   "[1,4,320]");
  for (int i = 0; i < OP_MAX_SOURCES; i++)
    {
      json_object *source = json_object_array_get_idx (MEMBER ("sources"), (size_t) i);
      g_assert_cmpuint (json_object_array_length (source), ==, i < n_sources ? 3 : 0);
    }
#undef MEMBER
  json_object_put (o);
}

static void
test_trace_writes_a_line_an_operator (void)
{
  g_autofree char *folder = g_dir_make_tmp ("gesso-test-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "trace.json", NULL);
  g_autofree char *text = NULL;
  Ctx *ctx = run (2);
  g_setenv ("GESSO_TRACE", path, TRUE);
  trace_write (ctx, "denoise");
  g_unsetenv ("GESSO_TRACE");
  ctx_free (ctx);
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, 3); /* the last is empty */
  check_line (lines[0], 0, "linear", "unet.conv_in.weight", 0);
  check_line (lines[1], 1, "add", "", 2);
  g_unlink (path);
  g_rmdir (folder);
}

/* Plans are measured, never run: nothing to tell. */
static void
test_trace_leaves_plans_out (void)
{
  g_autofree char *folder = g_dir_make_tmp ("gesso-test-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "trace.json", NULL);
  Ctx *ctx = run (0);
  g_setenv ("GESSO_TRACE", path, TRUE);
  trace_write (ctx, "denoise");
  trace_write (NULL, "denoise");
  g_unsetenv ("GESSO_TRACE");
  ctx_free (ctx);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  g_rmdir (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/trace/line-an-operator", test_trace_writes_a_line_an_operator);
  g_test_add_func ("/core/trace/no-plans", test_trace_leaves_plans_out);
  return g_test_run ();
}
