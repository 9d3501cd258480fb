/* SPDX-License-Identifier: MPL-2.0
 * test-inputs.c - start pictures and masks on their way to the engine and back.
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "core/mem.h"
#include "media/clip.h"
#include "media/png.h"
#include "pipelines/latents-file.h"
#include "worker/inputs.h"

enum
{
  WIDTH = 60,
  HEIGHT = 40,
  SIZE = 32 /* of the job */
};

static const Checkpoint sd_model = { .config = { .family = FAMILY_SDXL } };
static const Checkpoint flux_model = { .config = { .family = FAMILY_FLUX } };

typedef struct
{
  char *folder, *init, *mask;
  Recipe recipe;
} Fixture;

static void
write_picture (const char *path, int width, int height, const uint8_t *rgb)
{
  Status status = { 0 };
  const PngOptions options = { .overwrite = true };
  const Image image = { width, height, (uint8_t *) rgb };
  if (!png_write_file (path, &image, &options, &status))
    g_error ("%s", status.message);
}

/* A mask that is white in the box. */
static void
write_mask (const Fixture *f, int width, int height, MaskBox box)
{
  g_autofree uint8_t *rgb = g_malloc0 ((gsize) width * (gsize) height * 3);
  for (int y = box.y; y < box.y + box.height; y++)
    memset (rgb + ((gsize) y * (gsize) width + (gsize) box.x) * 3, 255, (gsize) box.width * 3);
  write_picture (f->mask, width, height, rgb);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  uint8_t rgb[WIDTH * HEIGHT * 3];
  Status status = { 0 };
  for (int i = 0; i < WIDTH * HEIGHT * 3; i++)
    rgb[i] = (uint8_t) (i * 2654435761u >> 24);
  f->folder = g_dir_make_tmp ("gesso-inputs-XXXXXX", NULL);
  f->init = g_build_filename (f->folder, "init.png", NULL);
  f->mask = g_build_filename (f->folder, "mask.png", NULL);
  write_picture (f->init, WIDTH, HEIGHT, rgb);
  write_mask (f, WIDTH, HEIGHT, (MaskBox){ 20, 10, 12, 8 });
  recipe_init (&f->recipe);
  recipe_set (&f->recipe, "init_image", f->init, &status);
  recipe_set (&f->recipe, "mask_image", f->mask, &status);
  recipe_set (&f->recipe, "mask_blur", "0", &status);
  g_assert_true (status_ok (&status));
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  recipe_clear (&f->recipe);
  g_unlink (f->init);
  g_unlink (f->mask);
  g_rmdir (f->folder);
  g_free (f->init);
  g_free (f->mask);
  g_free (f->folder);
}

/* Loads, gives and lays @value over; the result goes to @out. */
static bool
pass_through (
    Fixture *f, JobInputs *in, PipelineJob *job, uint8_t value, Image *out, Status *status)
{
  *job = (PipelineJob){ .denoise = 1 };
  *out = (Image){ 0 };
  if (!job_inputs_load (in, &f->recipe, &sd_model, status))
    return false;
  job->width = f->recipe.width ? f->recipe.width : SIZE;
  job->height = f->recipe.height ? f->recipe.height : SIZE;
  g_autofree uint8_t *rgb = g_malloc ((gsize) job->width * (gsize) job->height * 3);
  memset (rgb, value, (gsize) job->width * (gsize) job->height * 3);
  return job_inputs_give (in, &f->recipe, job, status) &&
         job_inputs_finish (in, rgb, job->width, job->height, out, status);
}

/* Pixels of @out that differ from the start picture, as a box. */
static MaskBox
changed (const Fixture *f, const Image *out)
{
  Image init;
  Status status = { 0 };
  g_assert_true (image_read (&init, f->init, &status));
  g_assert_cmpint (out->width, ==, init.width);
  g_assert_cmpint (out->height, ==, init.height);
  g_autofree uint8_t *differs = g_malloc0 ((gsize) init.width * (gsize) init.height);
  for (int i = 0; i < init.width * init.height; i++)
    differs[i] = memcmp (init.rgb + 3 * i, out->rgb + 3 * i, 3) != 0;
  image_clear (&init);
  return mask_box (differs, out->width, out->height);
}

static void
assert_box (MaskBox b, int x, int y, int width, int height)
{
  g_assert_cmpint (b.x, ==, x);
  g_assert_cmpint (b.y, ==, y);
  g_assert_cmpint (b.width, ==, width);
  g_assert_cmpint (b.height, ==, height);
}

static void
test_without_mask_the_drawing_is_the_picture (Fixture *f, gconstpointer data)
{
  JobInputs in;
  PipelineJob job;
  Image out;
  Status status = { 0 };
  recipe_set (&f->recipe, "mask_image", "", &status);
  g_assert_true (pass_through (f, &in, &job, 7, &out, &status));
  g_assert_cmpint (job.width, ==, 56); /* what of 60 divides by 8 */
  g_assert_cmpint (out.width, ==, 56);
  g_assert_null (job.mask);
  g_assert_nonnull (job.init_rgb);
  g_assert_cmpint (out.rgb[0], ==, 7);
  image_clear (&out);
  job_inputs_clear (&in);
}

static void
test_unmasked_pixels_stay (Fixture *f, gconstpointer data)
{
  JobInputs in;
  PipelineJob job;
  Image out;
  Status status = { 0 };
  f->recipe.width = WIDTH;
  f->recipe.height = HEIGHT;
  g_assert_true (pass_through (f, &in, &job, 7, &out, &status));
  assert_box (changed (f, &out), 20, 10, 12, 8);
  g_assert_cmpint (job.mask[15 * WIDTH + 25], ==, 255);
  g_assert_cmpint (job.mask[0], ==, 0);
  g_assert_cmpstr (in.note, ==, "");
  image_clear (&out);
  job_inputs_clear (&in);
}

static void
test_blur_reaches_a_little_further (Fixture *f, gconstpointer data)
{
  JobInputs in;
  PipelineJob job;
  Image out;
  Status status = { 0 };
  f->recipe.width = WIDTH;
  f->recipe.height = HEIGHT;
  f->recipe.mask_blur = 2;
  g_assert_true (pass_through (f, &in, &job, 7, &out, &status));
  MaskBox b = changed (f, &out);
  g_assert_cmpint (b.x, <, 20);
  g_assert_cmpint (b.x, >=, 20 - 3 * 2);
  g_assert_cmpint (b.y + b.height, >, 18);
  g_assert_cmpint (b.y + b.height, <=, 18 + 3 * 2);
  image_clear (&out);
  job_inputs_clear (&in);
}

static void
test_masked_part_is_put_back (Fixture *f, gconstpointer data)
{
  JobInputs in;
  PipelineJob job;
  Image out;
  Status status = { 0 };
  f->recipe.inpaint_area = RECIPE_INPAINT_MASKED;
  f->recipe.inpaint_padding = 4;
  g_assert_true (pass_through (f, &in, &job, 7, &out, &status));
  g_assert_cmpint (job.width, ==, SIZE); /* not the start picture's */
  assert_box (in.box, 16, 4, 20, 20);    /* 12 + 8 wide, and square as the job is */
  assert_box (changed (f, &out), 20, 10, 12, 8);
  g_assert_cmpint (job.mask[SIZE / 2 * SIZE + SIZE / 2], ==, 255);
  g_assert_cmpint (job.mask[0], ==, 0);
  image_clear (&out);
  job_inputs_clear (&in);
}

static void
test_other_sizes_are_resized_with_a_note (Fixture *f, gconstpointer data)
{
  JobInputs in;
  PipelineJob job;
  Image out;
  Status status = { 0 };
  write_mask (f, 2 * WIDTH, 2 * HEIGHT, (MaskBox){ 40, 20, 24, 16 });
  f->recipe.width = WIDTH;
  f->recipe.height = HEIGHT;
  g_assert_true (pass_through (f, &in, &job, 7, &out, &status));
  g_assert_nonnull (strstr (in.note, "120 x 80 pixels"));
  MaskBox b = changed (f, &out);
  g_assert_cmpint (ABS (b.x - 20), <=, 1);
  g_assert_cmpint (ABS (b.width - 12), <=, 2);
  image_clear (&out);
  job_inputs_clear (&in);
}

static void
test_black_masks_are_refused (Fixture *f, gconstpointer data)
{
  JobInputs in;
  Status status = { 0 };
  write_mask (f, WIDTH, HEIGHT, (MaskBox){ 0 });
  g_assert_false (job_inputs_load (&in, &f->recipe, &sd_model, &status));
  g_assert_cmpint (status.code, ==, STATUS_ARGUMENT);
  g_assert_nonnull (strstr (status.message, "all black"));
}

static void
test_fill_takes_what_surrounds (Fixture *f, gconstpointer data)
{
  uint8_t rgb[WIDTH * HEIGHT * 3], mask[WIDTH * HEIGHT] = { 0 };
  Status status = { 0 };
  Image image = { WIDTH, HEIGHT, rgb };
  for (int i = 0; i < WIDTH * HEIGHT; i++)
    {
      int x = i % WIDTH, y = i / WIDTH;
      mask[i] = x > 20 && x < 40 && y > 12 && y < 28 ? 255 : 0;
      rgb[3 * i] = mask[i] ? 0 : 200; /* black inside, orange around */
      rgb[3 * i + 1] = mask[i] ? 0 : 100;
      rgb[3 * i + 2] = 0;
    }
  g_assert_true (mask_fill (&image, mask, &status));
  for (int i = 0; i < WIDTH * HEIGHT; i++)
    {
      g_assert_cmpint (ABS (rgb[3 * i] - 200), <=, mask[i] ? 2 : 0);
      g_assert_cmpint (ABS (rgb[3 * i + 1] - 100), <=, mask[i] ? 2 : 0);
    }
}

static void
test_blur_keeps_the_sum (Fixture *f, gconstpointer data)
{
  uint8_t mask[HEIGHT * WIDTH] = { 0 };
  Status status = { 0 };
  long before = 0, after = 0;
  for (int y = 15; y < 25; y++)
    for (int x = 20; x < 40; x++)
      mask[y * WIDTH + x] = 255;
  for (int i = 0; i < WIDTH * HEIGHT; i++)
    before += mask[i];
  g_assert_true (mask_blur (mask, WIDTH, HEIGHT, 3, &status));
  for (int i = 0; i < WIDTH * HEIGHT; i++)
    after += mask[i];
  g_assert_cmpint (ABS (after - before), <, before / 100);
  /* an edge of a Gaussian: half there, 84 % one sigma further in */
  g_assert_cmpint (ABS (mask[20 * WIDTH + 19] + mask[20 * WIDTH + 20] - 232), <, 12);
  g_assert_cmpint (mask[20 * WIDTH + 2], ==, 0);
}

static void
test_every_allocation_may_fail (Fixture *f, gconstpointer data)
{
  f->recipe.inpaint_area = RECIPE_INPAINT_MASKED;
  f->recipe.inpaint_fill = RECIPE_INPAINT_FILL;
  f->recipe.mask_blur = 3;
  int64_t live = mem_live ();
  bool reached = true;
  int n = 1;
  for (; reached; n++)
    {
      JobInputs in = { 0 };
      PipelineJob job;
      Image out;
      Status status = { 0 };
      mem_fail_at (n);
      bool ok = pass_through (f, &in, &job, 7, &out, &status);
      reached = mem_count () >= n;
      mem_fail_at (0);
      image_clear (&out);
      job_inputs_clear (&in);
      g_assert_cmpint (mem_live (), ==, live);
      g_assert_true (ok ? status_ok (&status) : status.code == STATUS_NO_MEMORY);
    }
  g_assert_cmpint (n, >, 20);
}

/* 60 x 40 is 3 : 2: 1248 x 832 is the nearest of Kontext's sizes. */
static void
test_reference_takes_a_size_of_kontext (Fixture *f, gconstpointer data)
{
  JobInputs in;
  PipelineJob job = { .denoise = 1 };
  Status status = { 0 };
  recipe_set (&f->recipe, "init_image", "", &status);
  recipe_set (&f->recipe, "mask_image", "", &status);
  recipe_set (&f->recipe, "reference_image", f->init, &status);
  g_assert_true (job_inputs_load (&in, &f->recipe, &flux_model, &status));
  g_assert_cmpint (f->recipe.width, ==, 1248);
  g_assert_cmpint (f->recipe.height, ==, 832);
  job.width = 1024;
  job.height = 1024;
  g_assert_true (job_inputs_give (&in, &f->recipe, &job, &status));
  g_assert_cmpint (job.n_references, ==, 1);
  g_assert_cmpint (job.references[0].width, ==, 1248);
  g_assert_cmpint (job.references[0].height, ==, 832);
  g_assert_nonnull (job.references[0].rgb);
  job_inputs_clear (&in);
}

/* Each is fitted by itself; one that is left out leaves no gap. */
static void
test_references_keep_their_order (Fixture *f, gconstpointer data)
{
  JobInputs in;
  PipelineJob job = { .denoise = 1, .width = SIZE, .height = SIZE };
  Status status = { 0 };
  recipe_set (&f->recipe, "init_image", "", &status);
  recipe_set (&f->recipe, "mask_image", "", &status);
  recipe_set (&f->recipe, "reference_image_2", f->init, &status);
  recipe_set (&f->recipe, "reference_image_4", f->mask, &status);
  recipe_set (&f->recipe, "reference_places", "index", &status);
  g_assert_true (job_inputs_load (&in, &f->recipe, &flux_model, &status));
  g_assert_true (job_inputs_give (&in, &f->recipe, &job, &status));
  g_assert_cmpint (job.n_references, ==, 2);
  g_assert_cmpint (job.references[0].width, ==, 1248);
  g_assert_cmpmem (job.references[0].rgb, 1, in.references[0].rgb, 1);
  g_assert_cmpint (job.references[1].width, >, 0);
  g_assert_true (job.reference_places == REFERENCES_INDEX);
  job_inputs_clear (&in);
  recipe_set (&f->recipe, "reference_image_4", "/nowhere.png", &status);
  g_assert_false (job_inputs_load (&in, &f->recipe, &flux_model, &status));
  g_assert_nonnull (strstr (status.message, "/nowhere.png"));
}

static void
test_reference_of_another_family_is_noted (Fixture *f, gconstpointer data)
{
  JobInputs in;
  PipelineJob job = { .denoise = 1, .width = SIZE, .height = SIZE };
  Status status = { 0 };
  recipe_set (&f->recipe, "mask_image", "", &status);
  recipe_set (&f->recipe, "reference_image", "/nowhere.png", &status);
  g_assert_true (job_inputs_load (&in, &f->recipe, &sd_model, &status));
  g_assert_true (job_inputs_give (&in, &f->recipe, &job, &status));
  g_assert_cmpint (job.n_references, ==, 0);
  g_assert_nonnull (strstr (in.note, "only FLUX.1"));
  job_inputs_clear (&in);
  /* one does not push the other out */
  recipe_set (&f->recipe, "first_frame", "/nowhere.png", &status);
  g_assert_true (job_inputs_load (&in, &f->recipe, &sd_model, &status));
  g_assert_nonnull (strstr (in.note, "only FLUX.1 models read one. A first or last frame"));
  job_inputs_clear (&in);
}

static void
test_control_image_has_the_size_of_the_picture (Fixture *f, gconstpointer data)
{
  JobInputs in;
  PipelineJob job = { .denoise = 1 };
  Status status = { 0 };
  recipe_set (&f->recipe, "init_image", "", &status);
  recipe_set (&f->recipe, "mask_image", "", &status);
  recipe_set (&f->recipe, "control_image", f->init, &status);
  g_assert_true (job_inputs_load (&in, &f->recipe, &flux_model, &status));
  g_assert_cmpint (f->recipe.width, ==, 56);
  g_assert_cmpint (f->recipe.height, ==, 40);
  job.width = 56;
  job.height = 40;
  g_assert_true (job_inputs_give (&in, &f->recipe, &job, &status));
  g_assert_cmpint (in.control.width, ==, 56);
  g_assert_true (job.control_rgb == in.control.rgb);
  job_inputs_clear (&in);
}

/* The control list with one item that has the start picture and these members. */
static void
set_control (Fixture *f, const char *members)
{
  Status status = { 0 };
  g_autofree char *json =
      g_strdup_printf ("[{\"model\": \"%s\", \"image\": \"%s\"%s}]", f->init, f->init, members);
  if (!recipe_set (&f->recipe, "controls", json, &status))
    g_error ("%s", status.message);
}

static const uint8_t *
pixel_of (const PipelineJob *job, int x, int y)
{
  return job->controls[0].rgb + (y * job->width + x) * 3;
}

/* 60 x 40 into 32 x 32: all of it has bars above and below, the rest fills the frame. */
static void
test_control_is_brought_to_the_size (Fixture *f, gconstpointer data)
{
  static const char *const resizes[] = { "crop", "fill", "stretch" };
  const uint8_t black[3] = { 0 };
  for (int i = 0; i < 3; i++)
    {
      JobInputs in = { 0 };
      PipelineJob job = { .width = SIZE, .height = SIZE, .denoise = 1 };
      Status status = { 0 };
      g_autofree char *members = g_strdup_printf (
          ", \"resize\": \"%s\", \"weight\": 0.7, \"start\": 0.2, \"end\": 0.8", resizes[i]);
      recipe_set (&f->recipe, "init_image", "", &status);
      recipe_set (&f->recipe, "mask_image", "", &status);
      set_control (f, members);
      g_assert_true (job_inputs_load (&in, &f->recipe, &sd_model, &status));
      g_assert_true (job_inputs_give (&in, &f->recipe, &job, &status));
      g_assert_cmpint (job.n_controls, ==, 1);
      g_assert_cmpstr (job.controls[0].path, ==, f->init);
      g_assert_cmpfloat (job.controls[0].weight, ==, 0.7);
      g_assert_cmpfloat (job.controls[0].start, ==, 0.2);
      g_assert_cmpfloat (job.controls[0].end, ==, 0.8);
      bool has_bar = memcmp (pixel_of (&job, SIZE / 2, 1), black, 3) == 0 &&
                     memcmp (pixel_of (&job, SIZE / 2, SIZE - 2), black, 3) == 0;
      g_assert_true (has_bar == (i == 1));
      g_assert_cmpint (memcmp (pixel_of (&job, SIZE / 2, SIZE / 2), black, 3), !=, 0);
      job_inputs_clear (&in);
    }
}

static void
test_control_is_preprocessed (Fixture *f, gconstpointer data)
{
  JobInputs in = { 0 };
  PipelineJob job = { .width = WIDTH, .height = HEIGHT, .denoise = 1 };
  Status status = { 0 };
  recipe_set (&f->recipe, "mask_image", "", &status);
  set_control (f, ", \"preprocessor\": \"invert\"");
  g_assert_true (job_inputs_load (&in, &f->recipe, &sd_model, &status));
  g_assert_true (job_inputs_give (&in, &f->recipe, &job, &status));
  for (int i = 0; i < 3 * WIDTH * HEIGHT; i++)
    g_assert_cmpint (job.controls[0].rgb[i], ==, 255 - job.init_rgb[i]);
  job_inputs_clear (&in);
}

/* The network sees the part that is drawn, as the start picture's. */
static void
test_control_is_cut_with_the_masked_part (Fixture *f, gconstpointer data)
{
  JobInputs in = { 0 };
  PipelineJob job = { .width = SIZE, .height = SIZE, .denoise = 1 };
  Status status = { 0 };
  recipe_set (&f->recipe, "inpaint_area", "masked", &status);
  set_control (f, "");
  g_assert_true (job_inputs_load (&in, &f->recipe, &sd_model, &status));
  g_assert_true (job_inputs_give (&in, &f->recipe, &job, &status));
  g_assert_cmpmem (job.controls[0].rgb, 3 * SIZE * SIZE, job.init_rgb, 3 * SIZE * SIZE);
  job_inputs_clear (&in);
}

static void
assert_control_refused (Fixture *f, const char *json, StatusCode code, const char *sentence)
{
  JobInputs in = { 0 };
  Status status = { 0 };
  g_assert_true (recipe_set (&f->recipe, "controls", json, &status));
  g_assert_false (job_inputs_load (&in, &f->recipe, &sd_model, &status));
  g_assert_cmpint (status.code, ==, code);
  if (!strstr (status.message, sentence))
    g_error ("\"%s\" lacks \"%s\"", status.message, sentence);
}

static void
test_controls_that_lack_something_are_refused (Fixture *f, gconstpointer data)
{
  JobInputs in = { 0 };
  Status status = { 0 };
  g_autofree char *bare = g_strdup_printf ("[{\"model\": \"%s\"}]", f->init);
  g_autofree char *gone =
      g_strdup_printf ("[{\"model\": \"%s\", \"image\": \"/nowhere.png\"}]", f->init);
  assert_control_refused (f, "[{}]", STATUS_ARGUMENT, "ControlNet 1 has no model");
  assert_control_refused (f, bare, STATUS_ARGUMENT, "ControlNet 1 has no picture to follow");
  assert_control_refused (f, gone, STATUS_NOT_FOUND, "/nowhere.png");
  assert_control_refused (f, "[{\"model\": \"nobody-has-this\"}]", STATUS_NOT_FOUND,
                          "There is no ControlNet \"nobody-has-this\"");
  /* what is off lacks nothing, and another family's recipe may name them */
  g_assert_true (recipe_set (&f->recipe, "controls", "[{\"off\": true}]", &status));
  g_assert_true (job_inputs_load (&in, &f->recipe, &sd_model, &status));
  job_inputs_clear (&in);
  g_assert_true (recipe_set (&f->recipe, "controls", "[{}]", &status));
  g_assert_true (job_inputs_load (&in, &f->recipe, &flux_model, &status));
  g_assert_nonnull (strstr (in.note, "ControlNets have no effect"));
  job_inputs_clear (&in);
}

/* As all other pictures of a recipe: the first frame of what moves. */
static void
test_control_may_be_a_gif (Fixture *f, gconstpointer data)
{
  static const char gif[] = "GIF89a\1\0\1\0\200\0\0\377\377\377\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;";
  g_autofree char *path = g_build_filename (f->folder, "a.gif", NULL);
  g_autofree char *json =
      g_strdup_printf ("[{\"model\": \"%s\", \"image\": \"%s\"}]", f->init, path);
  JobControls controls = { .list = { .n = 0 } };
  Status status = { 0 };
  g_assert_true (g_file_set_contents (path, gif, sizeof gif - 1, NULL));
  g_assert_true (recipe_set (&f->recipe, "controls", json, &status));
  if (!job_controls_load (&controls, &f->recipe, &status))
    g_error ("%s", status.message);
  g_assert_cmpint (controls.images[0].width, ==, 1);
  g_assert_cmpint (controls.images[0].height, ==, 1);
  job_controls_clear (&controls);
  g_unlink (path);
}

/* A clip of one frame with latents of 7 channels, which no model has. */
static void
write_clip (const char *path)
{
  static const uint8_t rgb[SIZE * SIZE * 3];
  float latents[7 * 2] = { 0 };
  const PipelineResult result = { .n_frames = 5,
                                  .latents = latents,
                                  .latent_channels = 7,
                                  .latent_frames = 2,
                                  .latent_height = 1,
                                  .latent_width = 1 };
  const FilmInfo info = { .width = SIZE, .height = SIZE, .rate = { 16, 1 } };
  ClipWriter clip = { 0 };
  Status status = { 0 };
  size_t n_bytes;
  uint8_t *file = latents_file (&result, 0, 1, &n_bytes, &status);
  g_assert_nonnull (file);
  clip_writer_open (&clip, path, &info, &status);
  clip_writer_add (&clip, rgb, &status);
  clip_writer_add_latents (&clip, file, n_bytes, &status);
  clip_writer_commit (&clip, true, &status);
  g_assert_cmpstr (status.message, ==, "");
  mem_free (file);
}

static void
test_clip_of_another_model_pushes_no_note_out (Fixture *f, gconstpointer data)
{
  static const Checkpoint wan_model = { .config = { .family = FAMILY_WAN,
                                                    .has_wan = true,
                                                    .wan = { .out_channels = 16 } } };
  g_autofree char *path = g_build_filename (f->folder, "a.gclip", NULL);
  JobInputs in;
  Status status = { 0 };
  write_clip (path);
  write_mask (f, 30, 20, (MaskBox){ 0, 0, 30, 20 });
  recipe_set (&f->recipe, "width", "32", &status);
  recipe_set (&f->recipe, "height", "32", &status);
  recipe_set (&f->recipe, "window", "5", &status);
  recipe_set (&f->recipe, "extend", path, &status);
  if (!job_inputs_load (&in, &f->recipe, &wan_model, &status))
    g_error ("%s", status.message);
  g_assert_nonnull (strstr (in.note, "the mask was resized. The clip to extend was made with"));
  job_inputs_clear (&in);
  g_unlink (path);
}

/* Of all pictures that a recipe can name, and their paths are long. */
static void
test_there_is_room_for_every_note (Fixture *f, gconstpointer data)
{
  static const char gif[] = "GIF89a\1\0\1\0\200\0\0\377\377\377\0\0\0"
                            ",\0\0\0\0\1\0\1\0\0\2\2D\1\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;";
  static const char *const keys[] = { "init_image",        "reference_image",   "reference_image_2",
                                      "reference_image_3", "reference_image_4", "control_image" };
  g_autofree char *letters = g_strnfill (200, 'a');
  g_autofree char *folder = g_build_filename (f->folder, letters, NULL);
  g_autofree char *path = g_build_filename (folder, "a.gif", NULL);
  JobInputs in;
  Status status = { 0 };
  g_assert_cmpint (g_mkdir (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (path, gif, sizeof gif - 1, NULL));
  recipe_set (&f->recipe, "controls", "[{\"model\": \"a\"}]", &status);
  for (size_t i = 0; i < G_N_ELEMENTS (keys); i++)
    recipe_set (&f->recipe, keys[i], path, &status);
  if (!job_inputs_load (&in, &f->recipe, &flux_model, &status))
    g_error ("%s", status.message);
  g_auto (GStrv) moving = g_strsplit (in.note, "moves: its first frame is taken.", -1);
  g_assert_cmpuint (g_strv_length (moving), ==, G_N_ELEMENTS (keys) + 1);
  g_assert_nonnull (strstr (in.note, "the mask was resized."));
  g_assert_true (g_str_has_suffix (in.note, "models of SD 1.5 and SDXL."));
  job_inputs_clear (&in);
  g_unlink (path);
  g_rmdir (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, func) g_test_add ("/worker/inputs/" path, Fixture, NULL, set_up, func, tear_down)
  ADD ("without-mask", test_without_mask_the_drawing_is_the_picture);
  ADD ("unmasked-pixels-stay", test_unmasked_pixels_stay);
  ADD ("blur", test_blur_reaches_a_little_further);
  ADD ("masked-part-is-put-back", test_masked_part_is_put_back);
  ADD ("resized-with-a-note", test_other_sizes_are_resized_with_a_note);
  ADD ("black-masks", test_black_masks_are_refused);
  ADD ("fill", test_fill_takes_what_surrounds);
  ADD ("blur-keeps-the-sum", test_blur_keeps_the_sum);
  ADD ("reference", test_reference_takes_a_size_of_kontext);
  ADD ("references", test_references_keep_their_order);
  ADD ("reference-elsewhere", test_reference_of_another_family_is_noted);
  ADD ("control", test_control_image_has_the_size_of_the_picture);
  ADD ("controls/size", test_control_is_brought_to_the_size);
  ADD ("controls/preprocessed", test_control_is_preprocessed);
  ADD ("controls/masked-part", test_control_is_cut_with_the_masked_part);
  ADD ("controls/gif", test_control_may_be_a_gif);
  ADD ("controls/refused", test_controls_that_lack_something_are_refused);
  ADD ("notes/extend", test_clip_of_another_model_pushes_no_note_out);
  ADD ("notes/room", test_there_is_room_for_every_note);
  ADD ("memory", test_every_allocation_may_fail);
  return g_test_run ();
}
