/* SPDX-License-Identifier: MPL-2.0
 * clip-write.c - frames into an archive, one at a time.
 */
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "media/clip.h"

static const char mime_type[] = "application/x-gesso-clip";

bool
clip_writer_open (ClipWriter *clip, const char *path, const FilmInfo *info, Status *status)
{
  *clip = (ClipWriter){ .info = *info };
  clip->info.n_frames = 0;
  if (!frame_rate_is_valid (info->rate))
    return status_fail (status, STATUS_ARGUMENT, "A clip cannot have %d/%d frames a second.",
                        info->rate.num, info->rate.den);
  return frames_check_limits (&clip->info, NULL, path, status) &&
         zip_writer_open (&clip->zip, path, status) &&
         zip_writer_add (&clip->zip, "mimetype", mime_type, strlen (mime_type), status);
}

bool
clip_writer_add (ClipWriter *clip, const uint8_t *rgb, Status *status)
{
  char name[ZIP_NAME_SIZE];
  uint8_t *png = NULL;
  size_t n_bytes = 0;
  const Image image = { clip->info.width, clip->info.height, (uint8_t *) rgb };
  const PngOptions options = { .fast = true };
  if (clip->info.n_frames >= FILM_MAX_FRAMES)
    return status_fail (status, STATUS_UNSUPPORTED, "A clip has at most %d frames.",
                        FILM_MAX_FRAMES);
  snprintf (name, sizeof name, "frames/%05d.png", clip->info.n_frames);
  bool ok = png_write_memory (&png, &n_bytes, &image, &options, status) &&
            zip_writer_add (&clip->zip, name, png, n_bytes, status);
  mem_free (png);
  clip->info.n_frames += ok;
  return ok;
}

bool
clip_writer_add_latents (ClipWriter *clip, const void *data, size_t n_bytes, Status *status)
{
  return zip_writer_add (&clip->zip, "latents.safetensors", data, n_bytes, status);
}

bool
clip_writer_add_recipe (ClipWriter *clip, const char *json, Status *status)
{
  return zip_writer_add (&clip->zip, "recipe.json", json, strlen (json), status);
}

bool
clip_writer_commit (ClipWriter *clip, bool overwrite, Status *status)
{
  char text[128];
  const FilmInfo *info = &clip->info;
  int n = snprintf (text, sizeof text, "gesso-clip 1\nsize %dx%d\nrate %d/%d\nframes %d\n",
                    info->width, info->height, info->rate.num, info->rate.den, info->n_frames);
  bool ok = info->n_frames > 0 ||
            status_fail (status, STATUS_ARGUMENT, "A clip without frames cannot be written.");
  ok = ok && zip_writer_add (&clip->zip, "clip.txt", text, (size_t) n, status) &&
       zip_writer_commit (&clip->zip, overwrite, status);
  clip_writer_discard (clip);
  return ok;
}

void
clip_writer_discard (ClipWriter *clip)
{
  zip_writer_discard (&clip->zip);
  *clip = (ClipWriter){ 0 };
}

char *
clip_path_beside (const char *film, Status *status)
{
  static const char extension[] = ".gclip";
  const char *slash = strrchr (film, '/'), *dot = strrchr (slash ? slash : film, '.');
  size_t n = dot ? (size_t) (dot - film) : strlen (film);
  char *path = mem_calloc (n + sizeof extension, 1);
  if (!path)
    {
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
      return NULL;
    }
  memcpy (path, film, n);
  memcpy (path + n, extension, sizeof extension);
  return path;
}
