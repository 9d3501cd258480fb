/* SPDX-License-Identifier: MPL-2.0
 * clip-read.c - any frame of a clip.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "media/clip.h"

enum
{
  MIME_OFFSET = 38, /* behind the local header and the name "mimetype" */
  TEXT_MAX = 1000
};

static const char mime_type[] = "application/x-gesso-clip";

typedef struct
{
  char *path;
  MediaSource source;
  ZipReader zip;
  FilmInfo info;
} ClipReader;

bool
clip_is (const uint8_t *data, size_t n_bytes)
{
  static_assert (CLIP_HEAD_BYTES == MIME_OFFSET + sizeof mime_type - 1, "what clip_is looks at");
  return n_bytes >= CLIP_HEAD_BYTES && memcmp (data, "PK\3\4", 4) == 0 &&
         memcmp (data + MIME_OFFSET, mime_type, sizeof mime_type - 1) == 0;
}

static bool
damaged (const ClipReader *c, Status *status)
{
  return status_fail (status, STATUS_FORMAT, "Cannot read \"%.300s\": the clip is damaged.",
                      c->path);
}

static const ZipEntry *
frame_entry (const ClipReader *c, int n)
{
  char name[ZIP_NAME_SIZE];
  snprintf (name, sizeof name, "frames/%05d.png", n);
  return zip_reader_find (&c->zip, name);
}

static bool
parse_text (ClipReader *c, const char *text)
{
  int version = 0;
  FilmInfo *i = &c->info;
  int n = sscanf (text, "gesso-clip %9d\nsize %9dx%9d\nrate %9d/%9d\nframes %9d", &version,
                  &i->width, &i->height, &i->rate.num, &i->rate.den, &i->n_frames);
  return n == 6 && version == 1 && frame_rate_is_valid (i->rate) && i->n_frames > 0;
}

static bool
read_text (ClipReader *c, Status *status)
{
  const ZipEntry *entry = zip_reader_find (&c->zip, "clip.txt");
  if (!entry || entry->size_bytes > TEXT_MAX)
    return damaged (c, status);
  uint8_t *text = zip_reader_read (&c->zip, entry, status);
  bool ok = text && (parse_text (c, (const char *) text) || damaged (c, status));
  mem_free (text);
  return ok;
}

static bool
read_header (ClipReader *c, const FrameLimits *limits, Status *status)
{
  if (!media_source_open (&c->source, c->path, status))
    return false;
  c->source.name = c->path;
  if (!zip_reader_open (&c->zip, &c->source, status) || !read_text (c, status) ||
      !frames_check_limits (&c->info, limits, c->path, status))
    return false;
  for (int n = 0; n < c->info.n_frames; n++)
    if (!frame_entry (c, n))
      return damaged (c, status);
  return true;
}

static void
clip_close (void *self)
{
  ClipReader *c = self;
  zip_reader_close (&c->zip);
  media_source_close (&c->source);
  mem_free (c->path);
  mem_free (c);
}

/* Returns: NULL and a status */
static ClipReader *
clip_open (const char *path, const FrameLimits *limits, Status *status)
{
  ClipReader *c = mem_calloc (1, sizeof *c);
  if (c)
    *c = (ClipReader){ .path = mem_strdup (path), .source = { .fd = -1 } };
  if (!c || !c->path)
    status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  else if (read_header (c, limits, status))
    return c;
  if (c)
    clip_close (c);
  return NULL;
}

static bool
clip_get (void *self, int n, uint8_t *rgb, bool *end, Status *status)
{
  const ClipReader *c = self;
  const ZipEntry *entry = frame_entry (c, n);
  Image image = { 0 };
  uint8_t *png = zip_reader_read (&c->zip, entry, status);
  bool ok = png && ((png_is (png, entry->size_bytes) || damaged (c, status)) &&
                    image_read_memory (&image, png, entry->size_bytes, c->path, status));
  mem_free (png);
  if (ok && (image.width != c->info.width || image.height != c->info.height))
    ok = damaged (c, status);
  if (ok)
    memcpy (rgb, image.rgb, frames_size_bytes (&c->info));
  image_clear (&image);
  return ok;
}

static bool
read_recipe (const ZipReader *zip, MediaTexts *texts, Status *status)
{
  const ZipEntry *entry = zip_reader_find (zip, "recipe.json");
  if (!entry)
    return true;
  if (entry->size_bytes > TEXT_MAX_BYTES)
    {
      texts->n_skipped++;
      return true;
    }
  uint8_t *json = zip_reader_read (zip, entry, status);
  bool ok = json && media_texts_add (texts, "gesso", json, entry->size_bytes, status);
  mem_free (json);
  return ok;
}

bool
clip_read_texts (MediaTexts *texts, const MediaSource *source, Status *status)
{
  ZipReader zip;
  bool ok = zip_reader_open (&zip, source, status);
  if (ok)
    ok = read_recipe (&zip, texts, status);
  zip_reader_close (&zip);
  return ok;
}

FrameSource *
frames_of_clip (const char *path, const FrameLimits *limits, Status *status)
{
  static const FrameSourceKind kind = { clip_get, clip_close };
  ClipReader *c = clip_open (path, limits, status);
  FrameSource *source = c ? frames_new (&kind, c, status) : NULL;
  if (!source)
    return NULL;
  source->info = c->info;
  source->description = "clip";
  if (read_recipe (&c->zip, &source->texts, status))
    return source;
  frames_close (source);
  return NULL;
}

bool
clip_has_film (const char *clip, const char *film)
{
  Status ignored = { 0 };
  MediaTexts a = { 0 }, b = { 0 };
  const char *x = NULL, *y = NULL;
  if (media_texts_read (&a, film, &ignored) && media_texts_read (&b, clip, &ignored))
    {
      x = media_texts_find (&a, "gesso");
      y = media_texts_find (&b, "gesso");
    }
  bool same = x && y && !strcmp (x, y);
  media_texts_clear (&a);
  media_texts_clear (&b);
  return same;
}

uint8_t *
clip_read_latents (const char *path, size_t *n_bytes, Status *status)
{
  ClipReader *c = clip_open (path, NULL, status);
  if (!c)
    return NULL;
  uint8_t *data = NULL;
  const ZipEntry *entry = zip_reader_find (&c->zip, "latents.safetensors");
  if (entry)
    data = zip_reader_read (&c->zip, entry, status);
  else
    status_fail (status, STATUS_NOT_FOUND, "\"%.300s\" holds no latents: it cannot be extended.",
                 path);
  *n_bytes = data ? entry->size_bytes : 0;
  clip_close (c);
  return data;
}
