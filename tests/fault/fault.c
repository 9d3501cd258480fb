/* SPDX-License-Identifier: MPL-2.0
 * fault.c - what happens when memory, files, the disk or the user's patience run out.
 *
 * fault [--every N]; GESSO_SOURCE names the source tree.  With N, every Nth of the allocations that
 * a kind of run makes fails, of each kind another one.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/mem.h"
#include "media/png.h"
#include "pipelines/pipeline.h"
#include "support/tap.h"

enum
{
  PATH_SIZE = 4096,
  SIDE = 16,
  CLIP_SIDE = 32,
  CLIP_FRAMES = 5,
  FLUX_TOKENS = 16,
  STEPS = 2,
  MAX_TOLERATED = 1, /* syncing the folder */
  MAX_CACHED = 5 /* texts, a start picture, its unmasked part and a reference, for the next job */
};

static const double CANCEL_SECONDS = 0.5;

typedef struct
{
  char fixtures[PATH_SIZE / 2], temp[PATH_SIZE / 4];
  int every, n_kinds; /* of runs, whose allocations have failed */
} Suite;

static double
now (void)
{
  struct timespec t;
  clock_gettime (CLOCK_MONOTONIC, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

/* A sentence begins with a capital or a quoted name, ends in a full stop and fits one line. */
static bool
is_sentence (const char *text)
{
  size_t n = strlen (text);
  return n >= 10 && text[n - 1] == '.' && !strchr (text, '\n') && !strstr (text, "(null)");
}

/* ---- one whole run ---- */

typedef struct
{
  const char *model, *picture; /* picture: NULL, or where it is written */
  atomic_bool cancel;
  int cancel_at, n_progress; /* cancel at this progress report, 0: never */
  double cancelled_at;
  bool preview, from_image, masked, reference, in_steps, first_frame, extends;
  uint64_t hash; /* of the pixels */
} Run;

static void
on_progress (void *data, PipelinePhase phase, int done, int total)
{
  Run *r = data;
  if (++r->n_progress == r->cancel_at)
    {
      r->cancelled_at = now ();
      atomic_store (&r->cancel, true);
    }
}

static void
on_preview (void *data, const uint8_t *rgb, int width, int height, int step)
{
}

static void
on_preview_clip (void *data, const uint8_t *rgb, int n_frames, int width, int height, int step)
{
}

static uint8_t *
decode (PipelineRun *run, Status *status)
{
  uint8_t *rgb = mem_calloc (SIDE * SIDE, 3);
  if (!rgb)
    status_fail (status, STATUS_NO_MEMORY, "Out of memory: choose a smaller picture.");
  if (rgb && pipeline_run_decode (run, 0, -1, rgb, status))
    return rgb;
  mem_free (rgb);
  return NULL;
}

/* Step by step: parked and saved after each, taken up again by another run. */
static bool
draw_in_steps (Pipeline *pipeline, const PipelineJob *job, PipelineResult *result, Status *status)
{
  *result = (PipelineResult){ 0 };
  PipelineRun *run = pipeline_run_new (pipeline, job, status);
  bool ok = run != NULL;
  while (ok && pipeline_run_step (run) < pipeline_run_n_steps (run))
    {
      ok = pipeline_run_advance (run, status);
      pipeline_run_park (run);
      size_t n = pipeline_run_save_size (run);
      void *state = ok ? mem_calloc (n, 1) : NULL;
      if (ok && !state)
        ok = status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs.");
      if (ok)
        {
          pipeline_run_save (run, state);
          pipeline_run_free (run);
          run = pipeline_run_new (pipeline, job, status);
          ok = run && pipeline_run_restore (run, state, n, status);
        }
      mem_free (state);
    }
  *result = ok ? *pipeline_run_result (run) : *result;
  result->latents = NULL;
  ok = ok && (result->rgb = decode (run, status));
  pipeline_run_free (run);
  return ok;
}

/* @start: room for a frame */
static void
make_clip (PipelineJob *job, const Run *r, const uint8_t *start)
{
  static const float before[CLIP_SIDE * CLIP_SIDE]; /* room for a latent frame of any channels */
  job->before = r->extends ? before : NULL;
  job->n_before = r->extends;
  job->sampler = SAMPLER_UNIPC_BH2;
  job->width = job->height = CLIP_SIDE;
  job->n_frames = CLIP_FRAMES;
  job->preview_clip = r->preview ? on_preview_clip : NULL;
  job->first_rgb = r->first_frame ? start : NULL;
  job->guidance_scale_2 = 2;
}

static bool
draw (Run *r, Pipeline *pipeline, Status *status)
{
  PipelineJob job;
  PipelineResult result;
  pipeline_job_defaults (pipeline_checkpoint (pipeline), &job);
  job.prompt = "a [cat:(dog:1.2):0.5] AND a hat :0.5";
  job.negative_prompt = "blurry";
  bool flow = job.prediction == PREDICTION_FLOW; /* diffusers has Euler only for it */
  job.sampler = flow ? SAMPLER_EULER : SAMPLER_DPMPP_2M;
  job.width = job.height = SIDE;
  job.steps = STEPS;
  job.cancel = &r->cancel;
  job.progress = on_progress;
  job.preview = r->preview ? on_preview : NULL;
  job.data = r;
  uint8_t start[CLIP_SIDE * CLIP_SIDE * 3] = { 0 };
  if (r->from_image)
    job.init_rgb = start;
  job.denoise = 0.9;
  uint8_t mask[SIDE * SIDE] = { 0 };
  for (int i = SIDE * SIDE / 2; i < SIDE * SIDE; i++)
    mask[i] = 255;
  job.mask = r->masked ? mask : NULL;
  if (flow)
    {
      job.max_tokens = FLUX_TOKENS;
      job.guidance_scale = 2;
    }
  if (pipeline_checkpoint (pipeline)->config.family == FAMILY_WAN)
    make_clip (&job, r, start);
  if (r->reference)
    {
      job.references[0] = job.references[1] = (PipelineReference){ start, SIDE, SIDE };
      job.n_references = 2;
    }
  if (!(r->in_steps ? draw_in_steps : pipeline_generate) (pipeline, &job, &result, status))
    return false;
  size_t n = (size_t) result.n_frames * (size_t) result.width * (size_t) result.height * 3;
  r->hash = 5381;
  for (size_t i = 0; i < n; i++)
    r->hash = r->hash * 33 + result.rgb[i];
  const PngText text = { "parameters", "a cat, \xe2\x82\xac" };
  const PngOptions options = { .texts = &text, .n_texts = 1, .overwrite = true };
  const Image image = { result.width, result.height, result.rgb };
  bool ok = !r->picture || png_write_file (r->picture, &image, &options, status);
  pipeline_result_clear (&result);
  return ok;
}

/* From nothing to a picture file. */
static bool
run (Run *r, Status *status)
{
  Backend *backend = backend_cpu_new (NULL, 1, status);
  Pipeline *pipeline = NULL;
  if (backend)
    pipeline = pipeline_open (&(PipelineSource){ .model_path = r->model, .tokenizers_dir = "" },
                              backend, status);
  bool ok = pipeline && draw (r, pipeline, status);
  pipeline_free (pipeline);
  if (backend)
    backend_free (backend);
  return ok;
}

/* ---- memory ---- */

typedef struct
{
  int64_t n_tried, n_tolerated, n_wrong;
  char first_wrong[512];
} Tally;

/* Runs with allocation @nth failing.  Returns: false once there are fewer allocations than that */
static bool
run_short (Run *r, int64_t nth, uint64_t expected_hash, int64_t live, Tally *t)
{
  Status status = { 0 };
  mem_fail_at (nth);
  bool ok = run (r, &status);
  bool reached = mem_count () >= nth;
  mem_fail_at (0);
  bool leaked = mem_live () != live;
  bool right = ok ? status_ok (&status) && r->hash == expected_hash
                  : status.code == STATUS_NO_MEMORY && is_sentence (status.message);
  t->n_tried++;
  t->n_tolerated += ok && reached;
  if (!right || leaked)
    {
      if (t->n_wrong++ == 0)
        snprintf (t->first_wrong, sizeof t->first_wrong, "number %lld: %s, %s \"%.200s\"%s",
                  (long long) nth, ok ? "went on" : "failed", status_code_name (status.code),
                  status.message, leaked ? ", and leaks" : "");
    }
  return reached;
}

static void
test_every_allocation_may_fail (Suite *s, const char *model, Run r, const char *what)
{
  char path[PATH_SIZE], picture[PATH_SIZE], name[128];
  snprintf (path, sizeof path, "%s/%s", s->fixtures, model);
  snprintf (picture, sizeof picture, "%s/out.png", s->temp);
  r.model = path;
  r.picture = picture;
  Status status = { 0 };
  Tally t = { 0 };
  bool ok = run (&r, &status);
  uint64_t hash = r.hash;
  int64_t live = mem_live ();
  int64_t first = 1 + s->n_kinds++ % s->every;
  for (int64_t n = first; ok && run_short (&r, n, hash, live, &t); n += s->every)
    ;
  ok = ok && run (&r, &status) && r.hash == hash;
  /* a preview that cannot be made is left out */
  bool tolerable = r.preview || t.n_tolerated <= MAX_TOLERATED + MAX_CACHED;
  bool enough = t.n_tried > 100 / s->every;
  snprintf (name, sizeof name, "memory/%s%s", model, what);
  tap_ok (ok && t.n_wrong == 0 && tolerable && enough, name,
          "%lld failures tried, %lld tolerated, %lld wrong%s%s%s", (long long) t.n_tried,
          (long long) t.n_tolerated, (long long) t.n_wrong, t.n_wrong ? "; " : "", t.first_wrong,
          status.message);
}

/* ---- cancelling ---- */

static void
test_cancel_at_every_report (Suite *s, const char *model, Run kind)
{
  char path[PATH_SIZE], name[128];
  double slowest = 0;
  int k = 1, n_wrong = 0;
  snprintf (path, sizeof path, "%s/%s", s->fixtures, model);
  for (;; k++)
    {
      Run r = kind;
      Status status = { 0 };
      r.model = path;
      r.cancel_at = k;
      bool ok = run (&r, &status);
      if (r.n_progress < k) /* all reports seen */
        {
          n_wrong += !ok;
          break;
        }
      slowest = now () - r.cancelled_at > slowest ? now () - r.cancelled_at : slowest;
      /* once the picture is complete there is nothing left to cancel */
      n_wrong += ok ? false : status.code != STATUS_CANCELLED || !is_sentence (status.message);
      n_wrong += ok && r.cancel_at < STEPS + 1;
    }
  snprintf (name, sizeof name, "cancel/%s", model);
  tap_ok (n_wrong == 0 && k > STEPS + 1 && slowest <= CANCEL_SECONDS, name,
          "at %d reports, slowest %.3f s, %d wrong", k - 1, slowest, n_wrong);
}

static void
test_cancel_before_start (Suite *s)
{
  char path[PATH_SIZE];
  snprintf (path, sizeof path, "%s/sd15-tiny", s->fixtures);
  Run r = { .model = path, .cancel = true };
  Status status = { 0 };
  bool ok = run (&r, &status);
  tap_ok (!ok && status.code == STATUS_CANCELLED && r.n_progress == 0, "cancel/before-start", "%s",
          status.message);
}

/* ---- broken model folders ---- */

typedef enum
{
  REMOVED,
  EMPTIED,
  HALVED,
  GARBAGE,
  BREAK_COUNT
} Break;

static const char *const break_names[BREAK_COUNT] = { "removed", "emptied", "halved", "garbage" };

typedef bool (*FileFunc) (Suite *s, const char *path, const char *relative, void *data);

/* Calls @func for every file under @root/@relative. */
static bool
for_each_file (Suite *s, const char *root, const char *relative, FileFunc func, void *data)
{
  char dir[PATH_SIZE], child[PATH_SIZE], path[2 * PATH_SIZE];
  struct dirent **entries;
  snprintf (dir, sizeof dir, "%.2000s/%.2000s", root, relative);
  int n = scandir (dir, &entries, NULL, alphasort);
  bool ok = n >= 0;
  for (int i = 0; i < n; i++)
    {
      const char *name = entries[i]->d_name;
      struct stat st;
      snprintf (child, sizeof child, "%.2000s%s%.255s", relative, *relative ? "/" : "", name);
      snprintf (path, sizeof path, "%s/%s", root, child);
      if (ok && *name != '.' && lstat (path, &st) == 0)
        ok = S_ISDIR (st.st_mode) ? for_each_file (s, root, child, func, data)
                                  : func (s, path, child, data);
      (free) (entries[i]);
    }
  if (n >= 0)
    (free) (entries);
  return ok;
}

static void
make_parents (const char *path)
{
  char partial[2 * PATH_SIZE];
  snprintf (partial, sizeof partial, "%s", path);
  for (char *p = partial + 1; *p; p++)
    if (*p == '/')
      {
        *p = '\0';
        mkdir (partial, 0777);
        *p = '/';
      }
}

static bool
link_file (Suite *s, const char *path, const char *relative, void *data)
{
  char to[PATH_SIZE];
  snprintf (to, sizeof to, "%s/model/%.2000s", s->temp, relative);
  make_parents (to);
  unlink (to);
  return symlink (path, to) == 0;
}

/* Puts a damaged copy of @original at @path. */
static void
break_file (const char *path, const char *original, Break how)
{
  char buffer[1 << 12];
  struct stat st;
  unlink (path);
  FILE *in = fopen (original, "rb"), *out = how == REMOVED ? NULL : fopen (path, "wb");
  size_t left = stat (original, &st) == 0 ? (size_t) st.st_size : 0;
  left = how == EMPTIED ? 0 : how == HALVED ? left / 2 : left;
  while (in && out && left > 0)
    {
      size_t n = fread (buffer, 1, left < sizeof buffer ? left : sizeof buffer, in);
      for (size_t i = 0; how == GARBAGE && i < n; i++)
        buffer[i] = (char) (i * 2654435761u >> 7 ^ (unsigned char) buffer[i]);
      left = n > 0 ? left - fwrite (buffer, 1, n, out) : 0;
    }
  if (in)
    fclose (in);
  if (out)
    fclose (out);
}

/* What a picture cannot be made without; other files only add detail, so a model may do without. */
static bool
is_essential (const char *relative)
{
  return strstr (relative, "safetensors") || strstr (relative, "merges.txt");
}

static bool
says_which (const char *message, const char *relative)
{
  const char *slash = strchr (relative, '/');
  char part[64];
  snprintf (part, sizeof part, "%.*s", slash ? (int) (slash - relative) : 63, relative);
  const char *base = slash ? slash + 1 : relative;
  return strstr (message, base) || strstr (message, part) ||
         (!strncmp (part, "text_encoder", 12) && strstr (message, "text encoder")) ||
         (!strncmp (part, "tokenizer", 9) && strstr (message, "tokenizer")) ||
         (!strcmp (part, "unet") && strstr (message, "U-Net")) ||
         (!strcmp (part, "vae") && strstr (message, "VAE"));
}

static bool
test_broken_file (Suite *s, const char *path, const char *relative, void *data)
{
  char broken[PATH_SIZE], model[PATH_SIZE], name[2 * PATH_SIZE];
  snprintf (model, sizeof model, "%s/model", s->temp);
  snprintf (broken, sizeof broken, "%s/%.2000s", model, relative);
  for (int how = 0; how < BREAK_COUNT; how++)
    {
      Run r = { .model = model };
      Status status = { 0 };
      break_file (broken, path, (Break) how);
      bool ok = run (&r, &status);
      bool right = ok ? !is_essential (relative)
                      : is_sentence (status.message) && says_which (status.message, relative) &&
                            (status.code == STATUS_FORMAT || status.code == STATUS_NOT_FOUND ||
                             status.code == STATUS_UNSUPPORTED || status.code == STATUS_IO);
      snprintf (name, sizeof name, "broken/%s/%s/%s", (const char *) data, relative,
                break_names[how]);
      tap_ok (right, name, "%s", ok ? "works without" : status.message);
    }
  return link_file (s, path, relative, NULL);
}

static void
test_broken_folder (Suite *s, const char *model)
{
  char root[PATH_SIZE], copy[PATH_SIZE];
  snprintf (root, sizeof root, "%s/%s", s->fixtures, model);
  snprintf (copy, sizeof copy, "%s/model", s->temp);
  if (!for_each_file (s, root, "", link_file, NULL))
    tap_ok (false, "broken", "the copy of %s could not be made", model);
  Run r = { .model = copy };
  Status status = { 0 };
  bool whole = run (&r, &status);
  tap_ok (whole, "broken/copy-works", "%s", status.message);
  for_each_file (s, root, "", test_broken_file, (void *) (uintptr_t) model);
  char command[PATH_SIZE + 16]; /* empty folders count, too */
  snprintf (command, sizeof command, "rm -rf '%s'", copy);
  tap_ok (system (command) == 0, "broken/copy-is-removed", "%s", copy);
}

/* ---- writing ---- */

static bool
count_file (Suite *s, const char *path, const char *relative, void *data)
{
  ++*(int *) data;
  return true;
}

/* "" is the folder itself; hidden files count, too: nothing may be left behind. */
static int
files_in (const char *dir)
{
  int n = 0;
  DIR *d = opendir (dir);
  for (struct dirent *e; d && (e = readdir (d));)
    n += strcmp (e->d_name, ".") != 0 && strcmp (e->d_name, "..") != 0;
  if (d)
    closedir (d);
  return n;
}

static bool
write_gradient (const char *path, Status *status)
{
  enum
  {
    PICTURE_SIDE = 64
  };
  uint8_t rgb[PICTURE_SIDE * PICTURE_SIDE * 3];
  for (size_t i = 0; i < sizeof rgb; i++)
    rgb[i] = (uint8_t) (i * 2654435761u >> 11); /* does not compress */
  return png_write_file (path, &(Image){ PICTURE_SIDE, PICTURE_SIDE, rgb }, NULL, status);
}

static void
test_full_disk (Suite *s)
{
  char dir[PATH_SIZE], path[2 * PATH_SIZE];
  struct rlimit before, limit;
  struct stat st;
  Status status = { 0 };
  snprintf (dir, sizeof dir, "%s/full", s->temp);
  snprintf (path, sizeof path, "%s/a.png", dir);
  mkdir (dir, 0777);
  bool ok = write_gradient (path, &status) && stat (path, &st) == 0 &&
            getrlimit (RLIMIT_FSIZE, &before) == 0;
  signal (SIGXFSZ, SIG_IGN);
  int n_wrong = 0;
  off_t size = ok ? st.st_size : 0;
  const off_t limits[] = { 0, 1, 100, size / 2, size - 1 };
  unlink (path);
  limit = before;
  for (size_t i = 0; ok && i < sizeof limits / sizeof *limits; i++)
    {
      Status full = { 0 };
      limit.rlim_cur = (rlim_t) limits[i];
      setrlimit (RLIMIT_FSIZE, &limit);
      bool written = write_gradient (path, &full);
      setrlimit (RLIMIT_FSIZE, &before);
      n_wrong += written || full.code != STATUS_IO || !strstr (full.message, "disk is full") ||
                 files_in (dir) != 0;
      status = full;
    }
  tap_ok (ok && n_wrong == 0, "disk/full", "%s", status.message);
  rmdir (dir);
}

static void
refused (Suite *s, const char *name, const char *path, const char *says)
{
  Status status = { 0 };
  bool written = write_gradient (path, &status);
  tap_ok (!written && is_sentence (status.message) && strstr (status.message, says), name, "%s",
          written ? "was written" : status.message);
}

static void
test_unwritable (Suite *s)
{
  char dir[PATH_SIZE], path[2 * PATH_SIZE];
  snprintf (dir, sizeof dir, "%s/closed", s->temp);
  mkdir (dir, 0555);
  snprintf (path, sizeof path, "%s/a.png", dir);
  if (access (dir, W_OK) != 0)
    refused (s, "disk/read-only-folder", path, "not permitted");
  else
    tap_skip ("disk/read-only-folder", "this user may write everywhere");
  tap_ok (files_in (dir) == 0, "disk/read-only-folder-is-empty", "%s", "");
  rmdir (dir);
  refused (s, "disk/no-folder", path, "there is no such file or folder");
  refused (s, "disk/system-folder", "/proc/self/a.png", "Cannot write");
  snprintf (path, sizeof path, "%s/sd15-tiny/model_index.json/a.png", s->fixtures);
  refused (s, "disk/file-as-folder", path, "Cannot write");
  int n_left = 0;
  for_each_file (s, s->temp, "", count_file, &n_left);
  tap_ok (n_left == 1, "disk/nothing-left", "%d files", n_left); /* out.png */
}

/* ---- main ---- */

int
main (int argc, char **argv)
{
  const char *source = getenv ("GESSO_SOURCE"), *temp = getenv ("TMPDIR");
  char path[PATH_SIZE];
  Suite s = { .every = argc == 3 && strcmp (argv[1], "--every") == 0 ? atoi (argv[2]) : 1 };
  if ((argc != 1 && argc != 3) || s.every < 1)
    {
      fprintf (stderr, "usage: fault [--every N]\n");
      return EXIT_FAILURE;
    }
  snprintf (s.fixtures, sizeof s.fixtures, "%s/tests/golden/fixtures", source ? source : ".");
  snprintf (s.temp, sizeof s.temp, "%.900s/gesso-fault-XXXXXX", temp ? temp : "/tmp");
  if (!mkdtemp (s.temp))
    {
      printf ("Bail out! no temporary folder: %s\n", strerror (errno));
      return EXIT_FAILURE;
    }
  const Run plain = { 0 }, preview = { .preview = true }, from_image = { .from_image = true };
  const Run masked = { .from_image = true, .masked = true };
  const Run in_steps = { .in_steps = true };
  const Run first_frame = { .first_frame = true, .preview = true };
  const Run extends = { .extends = true };
  const Run reference = { .reference = true, .preview = true };
  const Run masked_in_steps = { .from_image = true, .masked = true, .in_steps = true };
  test_every_allocation_may_fail (&s, "sd15-tiny", plain, "");
  test_every_allocation_may_fail (&s, "sd15-tiny", from_image, "/from-image");
  test_every_allocation_may_fail (&s, "sd15-tiny", masked, "/masked");
  test_every_allocation_may_fail (&s, "sd15-tiny", in_steps, "/in-steps");
  test_every_allocation_may_fail (&s, "sdxl-tiny", plain, "");
  test_every_allocation_may_fail (&s, "sdxl-tiny", preview, "/preview");
  test_every_allocation_may_fail (&s, "sdxl-tiny", masked_in_steps, "/masked-in-steps");
  test_every_allocation_may_fail (&s, "flux-tiny", masked_in_steps, "/masked-in-steps");
  test_every_allocation_may_fail (&s, "flux-tiny", reference, "/reference");
  test_every_allocation_may_fail (&s, "wan-tiny", plain, "");
  test_every_allocation_may_fail (&s, "wan-tiny-i2v21", first_frame, "/first-frame");
  test_every_allocation_may_fail (&s, "wan-tiny-i2v21", extends, "/extends");
  test_every_allocation_may_fail (&s, "wan-tiny-ti2v", first_frame, "/first-frame");
  test_cancel_before_start (&s);
  test_cancel_at_every_report (&s, "sd15-tiny", plain);
  test_cancel_at_every_report (&s, "sdxl-tiny", plain);
  test_cancel_at_every_report (&s, "flux-tiny", plain);
  test_cancel_at_every_report (&s, "wan-tiny", plain);
  test_cancel_at_every_report (&s, "wan-tiny-i2v21", first_frame);
  test_full_disk (&s);
  test_unwritable (&s);
  test_broken_folder (&s, "sd15-tiny");
  test_broken_folder (&s, "sdxl-tiny");
  test_broken_folder (&s, "wan-tiny");
  snprintf (path, sizeof path, "rm -rf '%.1000s'", s.temp);
  return system (path) != 0 || tap_end () != EXIT_SUCCESS;
}
