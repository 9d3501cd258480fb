/* SPDX-License-Identifier: MPL-2.0
 * png-write.c - writing a picture as PNG, whole or not at all.
 */
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "core/utf8.h"
#include "media/png-common.h"
#include "media/png.h"

enum
{
  KEY_MAX = 79
};

typedef struct
{
  PngState state;  /* first: libpng's callbacks see it */
  AtomicFile file; /* not open: into memory */
  uint8_t *memory;
  size_t n_memory, capacity;
  png_text *texts;
  char **latin1; /* texts in Latin-1, owned */
  size_t n_texts;
} PngWriter;

static void
write_cb (png_structp png, png_bytep data, size_t n_bytes)
{
  PngWriter *w = png_get_io_ptr (png);
  if (w->file.open)
    {
      if (!atomic_file_write (&w->file, data, n_bytes, w->state.status))
        png_error (png, "write failed");
      return;
    }
  if (!mem_grow (&w->memory, &w->capacity, w->n_memory + n_bytes, 1, w->state.status))
    png_error (png, "out of memory");
  memcpy (w->memory + w->n_memory, data, n_bytes);
  w->n_memory += n_bytes;
}

/* The file is brought to the disk once, when it is complete. */
static void
flush_cb (png_structp png)
{
}

/* Returns: @text in Latin-1, or NULL when it has other characters or memory ran out. */
static char *
dup_latin1 (const char *text, bool *fits, Status *status)
{
  size_t left = strlen (text), n = 0;
  char *out = mem_calloc (left + 1, 1);
  *fits = true;
  if (!out)
    status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  while (out && left > 0)
    {
      uint32_t code = 0;
      int step = utf8_next (text, left, &code);
      if (step == 0 || code > 0xff)
        {
          *fits = false;
          mem_free (out);
          return NULL;
        }
      out[n++] = (char) code;
      text += step;
      left -= (size_t) step;
    }
  return out;
}

static bool
check_text (const PngText *text, Status *status)
{
  size_t n = strlen (text->key);
  bool ok = n >= 1 && n <= KEY_MAX && text->key[0] != ' ' && text->key[n - 1] != ' ';
  for (size_t i = 0; i < n && ok; i++)
    ok = text->key[i] >= ' ' && text->key[i] <= '~';
  if (!ok)
    return status_fail (status, STATUS_ARGUMENT,
                        "A text of a PNG needs a name of 1 to %d printable ASCII characters.",
                        KEY_MAX);
  return utf8_is_valid (text->value, strlen (text->value)) ||
         status_fail (status, STATUS_ARGUMENT, "The text \"%.79s\" is not valid UTF-8.", text->key);
}

static bool
prepare_texts (PngWriter *w, const PngOptions *options)
{
  Status *status = w->state.status;
  w->texts = mem_calloc (options->n_texts, sizeof *w->texts);
  w->latin1 = mem_calloc (options->n_texts, sizeof *w->latin1);
  if (!w->texts || !w->latin1)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  w->n_texts = options->n_texts;
  for (size_t i = 0; i < w->n_texts; i++)
    {
      const PngText *text = &options->texts[i];
      bool fits;
      if (!check_text (text, status))
        return false;
      w->latin1[i] = dup_latin1 (text->value, &fits, status);
      if (!w->latin1[i] && fits)
        return false;
      /* libpng reads through these pointers and does not write. */
      w->texts[i].compression = fits ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
      w->texts[i].key = (char *) text->key;
      w->texts[i].text = fits ? w->latin1[i] : (char *) text->value;
    }
  return true;
}

static void
write_header (PngWriter *w, const Image *image, bool fast)
{
  if (fast)
    {
      png_set_compression_level (w->state.png, 1);
      png_set_filter (w->state.png, 0, PNG_FILTER_UP);
    }
  png_set_IHDR (w->state.png, w->state.info, (png_uint_32) image->width,
                (png_uint_32) image->height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_sRGB (w->state.png, w->state.info, PNG_sRGB_INTENT_PERCEPTUAL);
  if (w->n_texts)
    png_set_text (w->state.png, w->state.info, w->texts, (int) w->n_texts);
  png_write_info (w->state.png, w->state.info);
}

/* libpng comes back here on errors; all that has to be freed is in @w. */
static bool
encode (PngWriter *w, const Image *image, const PngOptions *options)
{
  if (setjmp (png_jmpbuf (w->state.png)))
    return png_state_failed (&w->state);
  write_header (w, image, options->fast);
  for (int y = 0; y < image->height; y++)
    {
      if (options->cancel && atomic_load (options->cancel))
        return status_fail (w->state.status, STATUS_CANCELLED, "Saving was cancelled.");
      png_write_row (w->state.png,
                     image->rgb + (size_t) y * (size_t) image->width * IMAGE_CHANNELS);
    }
  png_write_end (w->state.png, NULL);
  return true;
}

static bool
start (PngWriter *w)
{
  PngState *s = &w->state;
  s->png = png_create_write_struct_2 (PNG_LIBPNG_VER_STRING, s, png_error_cb, png_warning_cb, s,
                                      png_malloc_cb, png_free_cb);
  s->info = s->png ? png_create_info_struct (s->png) : NULL;
  if (!s->info)
    return status_fail (s->status, STATUS_NO_MEMORY,
                        "Out of memory: close other programs and retry.");
  png_set_write_fn (s->png, w, write_cb, flush_cb);
  return true;
}

static void
finish (PngWriter *w)
{
  png_destroy_write_struct (&w->state.png, &w->state.info);
  atomic_file_discard (&w->file);
  for (size_t i = 0; i < w->n_texts; i++)
    mem_free (w->latin1[i]);
  mem_free (w->latin1);
  mem_free (w->texts);
  mem_free (w->memory);
}

static bool
check_size (const Image *image, Status *status)
{
  if (image->width >= 1 && image->height >= 1 && image->width <= IMAGE_MAX_SIDE &&
      image->height <= IMAGE_MAX_SIDE)
    return true;
  return status_fail (status, STATUS_ARGUMENT, "A picture of %d x %d px cannot be saved.",
                      image->width, image->height);
}

bool
png_write_file (const char *path, const Image *image, const PngOptions *options, Status *status)
{
  static const PngOptions none = { 0 };
  options = options ? options : &none;
  if (!check_size (image, status))
    return false;
  PngWriter w = { .state = { .status = status, .name = path, .writes = true } };
  bool ok = prepare_texts (&w, options) && start (&w) && atomic_file_open (&w.file, path, status) &&
            encode (&w, image, options) && atomic_file_commit (&w.file, options->overwrite, status);
  finish (&w);
  return ok;
}

bool
png_write_memory (
    uint8_t **data, size_t *n_bytes, const Image *image, const PngOptions *options, Status *status)
{
  if (!check_size (image, status))
    return false;
  PngWriter w = { .state = { .status = status, .name = "a picture", .writes = true } };
  bool ok = prepare_texts (&w, options) && start (&w) && encode (&w, image, options);
  if (ok)
    {
      *data = w.memory;
      *n_bytes = w.n_memory;
      w.memory = NULL;
    }
  finish (&w);
  return ok;
}

char *
png_new_name (const char *folder, const char *stem, Status *status)
{
  enum
  {
    DIGITS_BYTES = 24,
    MAX_NUMBER = 99999
  };
  size_t n = strlen (folder) + strlen (stem) + DIGITS_BYTES;
  char *path = mem_calloc (n, 1);
  if (!path)
    status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  for (int i = 1; path && i <= MAX_NUMBER; i++)
    {
      snprintf (path, n, "%s/%s-%05d.png", folder, stem, i);
      if (access (path, F_OK) != 0)
        return path;
    }
  if (path)
    status_fail (status, STATUS_IO, "All names \"%.200s-NNNNN.png\" are taken: use another folder.",
                 stem);
  mem_free (path);
  return NULL;
}
