/* SPDX-License-Identifier: MPL-2.0
 * convert.c - `gesso-cli convert`: a model file in another storage format.
 */
#include "cli/convert.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weights/parts.h"
#include "weights/refuse.h"
#include "worker/paths.h"

static const char *const format_names[CONVERT_COUNT] = {
  [CONVERT_BF16] = "bf16", [CONVERT_FP8] = "fp8", [CONVERT_Q8_0] = "q8_0", [CONVERT_Q4_K] = "q4_k"
};

typedef struct
{
  Options *o;
  const char *input, *output;
  const char *shown; /* the output's name once all is done */
  bool is_part;      /* of a folder: kept where the format changes nothing */
  WeightSet *set;
  Source source;
  ConvertPlan plan;
  AtomicFile file;
  Progress progress;
  uint64_t done_bytes;
} Conversion;

static bool
find_format (Conversion *c, Status *status)
{
  for (int i = 0; c->o->format && i < CONVERT_COUNT; i++)
    if (strcmp (c->o->format, format_names[i]) == 0)
      {
        c->plan.format = (ConvertFormat) i;
        return true;
      }
  return status_fail (status, STATUS_ARGUMENT, "convert needs --format: bf16, fp8, q8_0 or q4_k.");
}

static bool
ends_with (const char *text, const char *tail)
{
  size_t n = strlen (text), m = strlen (tail);
  return n >= m && strcmp (text + n - m, tail) == 0;
}

static bool
is_folder (const char *path)
{
  struct stat info;
  return stat (path, &info) == 0 && S_ISDIR (info.st_mode);
}

static const char *
tail_of (ConvertFormat format)
{
  return convert_is_gguf (format) ? ".gguf" : ".safetensors";
}

static bool
check_usage (Conversion *c, Status *status)
{
  int n = c->o->n_operands;
  if (n < 2)
    return status_fail (status, STATUS_ARGUMENT, "convert needs an input file and an output file.");
  c->input = c->o->operands[0];
  c->output = c->o->operands[n - 1];
  if (!find_format (c, status))
    return false;
  if (n > 2)
    return is_folder (c->output) ||
           status_fail (status, STATUS_ARGUMENT,
                        "Several files are converted into a folder: \"%.200s\" is none.",
                        c->output);
  if (is_folder (c->input) &&
      (ends_with (c->output, ".gguf") || ends_with (c->output, ".safetensors")))
    return status_fail (status, STATUS_ARGUMENT,
                        "A folder is converted into a folder: leave the ending off \"%.200s\".",
                        c->output);
  if (is_folder (c->input))
    return !convert_is_gguf (c->plan.format) ||
           status_fail (status, STATUS_ARGUMENT,
                        "A folder's files are written as safetensors: choose --format bf16 or fp8, "
                        "or convert one file of it.");
  const char *tail = tail_of (c->plan.format);
  return ends_with (c->output, tail) ||
         status_fail (status, STATUS_ARGUMENT,
                      "%s is written as a %s file: let the output's name end so.", c->o->format,
                      tail);
}

static bool
check_places (const Conversion *c, Status *status)
{
  if (is_folder (c->input))
    return status_fail (status, STATUS_UNSUPPORTED,
                        "\"%.200s\" is a folder: convert it alone, into a new folder.", c->input);
  if (!c->o->force && access (c->output, F_OK) == 0)
    return status_fail (status, STATUS_IO,
                        "\"%.200s\" exists already: choose another name, or --force to replace it.",
                        c->output);
  return true;
}

static bool
read_input (Conversion *c, Status *status)
{
  PartList list;
  c->set = weights_new (status);
  if (!c->set || !source_read (&c->source, c->set, c->input, false, status))
    return false;
  const char *label = path_base (c->input);
  if (!refuse_known (&c->source.table, label, status))
    return false;
  parts_find (&list, &c->source.table, PART_COUNT);
  if (!list.n_parts && !c->is_part && !refuse_rest (&c->source.table, label, status))
    return false;
  c->plan.may_be_copy = c->is_part;
  c->plan.table = &c->source.table;
  c->plan.label = label;
  c->plan.pool = &c->set->pool;
  return convert_plan (&c->plan, status);
}

static bool
tell_progress (void *data, const OutTensor *tensor, uint64_t n_bytes)
{
  Conversion *c = data;
  int before = (int) (c->done_bytes >> 20);
  c->done_bytes += n_bytes;
  int done = (int) (c->done_bytes >> 20), total = (int) (c->plan.data_bytes >> 20);
  if (done != before)
    progress_named (&c->progress, "convert", done, total < done ? done : total);
  return !atomic_load (&cli_cancel);
}

static void
print_tensors (const Conversion *c)
{
  for (size_t i = 0; i < c->plan.n_tensors; i++)
    {
      const OutTensor *t = &c->plan.tensors[i];
      const char *from = t->source->type_name, *to = dtype_name (t->dtype);
      if (c->o->json)
        {
          printf ("{\"event\": \"tensor\", \"name\": ");
          json_print_string (t->name);
          printf (", \"from\": \"%s\", \"to\": \"%s\", \"relative_rms\": %.6g, \"max_error\": "
                  "%.6g}\n",
                  from, to, t->relative_rms, t->max_error);
        }
      else if (!t->is_copy)
        printf ("%-7s %-7s relative rms %.2e  max %.2e  %s\n", from, to, t->relative_rms,
                t->max_error, t->name);
    }
}

static void
print_summary (const Conversion *c)
{
  const OutTensor *worst = NULL;
  size_t n_changed = 0;
  for (size_t i = 0; i < c->plan.n_tensors; i++)
    {
      const OutTensor *t = &c->plan.tensors[i];
      n_changed += !t->is_copy;
      if (!t->is_copy && (!worst || t->relative_rms > worst->relative_rms))
        worst = t;
    }
  struct stat info = { 0 };
  stat (c->output, &info);
  if (c->o->json)
    {
      printf ("{\"event\": \"done\", \"path\": ");
      json_print_string (c->shown);
      printf (", \"bytes\": %lld, \"source_bytes\": %lld, \"tensors\": %zu, \"converted\": %zu, "
              "\"left_out\": %zu, \"worst_relative_rms\": %.6g, \"worst\": ",
              (long long) info.st_size, (long long) c->source.file_bytes, c->plan.n_tensors,
              n_changed, c->plan.n_left_out, worst ? worst->relative_rms : 0);
      json_print_string (worst ? worst->name : "");
      printf ("}\n");
      return;
    }
  printf ("%s: %.1f MB (was %.1f MB), %zu tensors, %zu of them in another format", c->shown,
          (double) info.st_size / 1e6, (double) c->source.file_bytes / 1e6, c->plan.n_tensors,
          n_changed);
  if (c->plan.n_left_out)
    printf (", %zu that GGUF does not hold left out", c->plan.n_left_out);
  if (worst)
    printf ("; largest relative error %.2e in %s", worst->relative_rms, worst->name);
  printf ("\n");
}

static bool
convert (Conversion *c, Status *status)
{
  if (!check_places (c, status) || !read_input (c, status) ||
      !atomic_file_open (&c->file, c->output, status))
    return false;
  progress_init (&c->progress, c->o->json, 1);
  bool ok = convert_write (&c->plan, &c->file, c->o->n_threads, tell_progress, c, status) &&
            atomic_file_commit (&c->file, c->o->force, status);
  progress_clear_line (&c->progress);
  return ok;
}

/* One file in @all's format.  @is_part: of a folder */
static bool
convert_one (const Conversion *all,
             const char *input,
             const char *output,
             const char *shown,
             bool is_part,
             Status *status)
{
  Conversion c = {
    .o = all->o, .input = input, .output = output, .shown = shown, .is_part = is_part
  };
  c.plan.format = all->plan.format;
  bool ok = convert (&c, status);
  if (ok)
    {
      print_tensors (&c);
      print_summary (&c);
    }
  atomic_file_discard (&c.file);
  source_clear (&c.source);
  if (c.set)
    weights_free (c.set);
  return ok;
}

static bool
convert_part (void *data, const char *input, const char *output, const char *shown, Status *status)
{
  return convert_one (data, input, output, shown, true, status);
}

/* Each under its own name in the folder. */
static bool
convert_several (Conversion *c, Status *status)
{
  bool ok = true;
  for (int i = 0; ok && i + 1 < c->o->n_operands; i++)
    {
      char output[GESSO_PATH_SIZE];
      const char *base = path_base (c->o->operands[i]), *dot = strrchr (base, '.');
      int n_stem = dot ? (int) (dot - base) : (int) strlen (base);
      snprintf (output, sizeof output, "%s/%.*s%s", c->output, n_stem, base,
                tail_of (c->plan.format));
      ok = convert_one (c, c->o->operands[i], output, output, false, status);
    }
  return ok;
}

int
command_convert (Options *o)
{
  Status status = { 0 };
  Conversion c = { .o = o };
  if (!check_usage (&c, &status))
    return cli_usage_error (&status);
  bool ok;
  if (o->n_operands > 2)
    ok = convert_several (&c, &status);
  else if (is_folder (c.input))
    ok = convert_folder (c.input, c.output, convert_part, &c, &status);
  else
    ok = convert_one (&c, c.input, c.output, c.output, false, &status);
  return ok ? EXIT_DONE : cli_fail (&status, o->json);
}
