/* SPDX-License-Identifier: MPL-2.0
 * companions.c - finding text encoders and VAE beside a transformer.
 */
#define _GNU_SOURCE
#include "weights/companions.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "weights/recognise.h"

enum
{
  PATH_SIZE = 4096,
  LEVELS_UP = 4,  /* models/diffusion_models/flux/dev/x.safetensors */
  LEVELS_DOWN = 1 /* models/text_encoders/flux/t5xxl.safetensors */
};

static const char *const encoder_folders[] = { "text_encoders", "clip", "text_encoder", NULL };
static const char *const vision_folders[] = { "clip_vision", "clip_visions", "image_encoder",
                                              NULL };
static const char *const tokenizer_folders[] = {
  "google", "text_encoders", "clip", "text_encoder", "custom_nodes/ComfyUI-WanVideoWrapper/configs",
  NULL
};
static const char *const vae_folders[] = { "vae", "VAE", NULL };
static const char *const tiny_folders[] = { "vae_approx", "VAE-taesd", "VAE-approx", NULL };

typedef struct
{
  CompanionKind kind;
  CompanionServes serves; /* NULL: any */
  void *data;
  int rank; /* of what @path names; 0: nothing yet */
  char path[PATH_SIZE];
} Search;

const char *
companion_label (CompanionKind kind)
{
  static const char *const labels[COMPANION_COUNT] = {
    [COMPANION_CLIP_L] = "CLIP-L (clip_l.safetensors)",
    [COMPANION_T5] = "T5-XXL (t5xxl_fp16.safetensors or another t5xxl file)",
    [COMPANION_FLUX_VAE] = "the VAE (ae.safetensors)",
    [COMPANION_UMT5] = "umT5-XXL (umt5_xxl_fp16.safetensors or another umt5_xxl file)",
    [COMPANION_WAN21_VAE] = "the VAE (wan_2.1_vae.safetensors)",
    [COMPANION_WAN22_VAE] = "the VAE (wan2.2_vae.safetensors)",
    [COMPANION_CLIP_VISION] = "CLIP-H (clip_vision_h.safetensors)",
    [COMPANION_TOKENIZER] = "the tokenizer (spiece.model or tokenizer.json)",
    [COMPANION_TAESD] = "TAESD (taesd_decoder.safetensors)",
    [COMPANION_TAESDXL] = "TAESD (taesdxl_decoder.safetensors)",
    [COMPANION_TAEF1] = "TAESD (taef1_decoder.safetensors)",
  };
  return labels[kind];
}

/* Letters small, "-" and "." as "_": "T5-v1_1-XXL" and "t5_v1_1_xxl" are one. */
static void
fold_name (const char *name, char *out, size_t size)
{
  size_t n = 0;
  for (; name[n] != '\0' && n + 1 < size; n++)
    out[n] = name[n] == '-' || name[n] == '.' ? '_' : (char) tolower ((unsigned char) name[n]);
  out[n] = '\0';
}

static bool
starts_with (const char *text, const char *start)
{
  return !strncmp (text, start, strlen (start));
}

/* "taesd_decoder", "taesd": not the half that encodes, nor one of another family. */
static bool
is_tiny (const char *name, const char *family)
{
  size_t n = strlen (family);
  return starts_with (name, family) && !isalnum ((unsigned char) name[n]) &&
         !strstr (name, "_encoder_");
}

/* @name: folded */
static bool
is_kind (CompanionKind kind, const char *name)
{
  switch (kind)
    {
    case COMPANION_CLIP_L:
      return strstr (name, "clip_l") || starts_with (name, "vit_l_14");
    case COMPANION_T5:
      return !strstr (name, "umt5") &&
             (strstr (name, "t5xxl") || strstr (name, "t5_xxl") || strstr (name, "t5_v1_1_xxl"));
    case COMPANION_FLUX_VAE:
      return starts_with (name, "ae_safetensors") || starts_with (name, "ae_sft") ||
             (strstr (name, "flux") && (strstr (name, "vae") || strstr (name, "_ae_")));
    case COMPANION_UMT5:
      return strstr (name, "umt5") != NULL;
    case COMPANION_WAN21_VAE:
      return strstr (name, "vae") &&
             (strstr (name, "wan2_1") || strstr (name, "wan_2_1") || strstr (name, "wan21"));
    case COMPANION_WAN22_VAE:
      return strstr (name, "vae") &&
             (strstr (name, "wan2_2") || strstr (name, "wan_2_2") || strstr (name, "wan22"));
    case COMPANION_CLIP_VISION:
      return strstr (name, "clip_vision_h") || strstr (name, "vit_huge_14") ||
             strstr (name, "vit_h_14");
    case COMPANION_TOKENIZER:
      return !strcmp (name, "spiece_model") || !strcmp (name, "tokenizer_json");
    case COMPANION_TAESD:
      return is_tiny (name, "taesd");
    case COMPANION_TAESDXL:
      return is_tiny (name, "taesdxl");
    case COMPANION_TAEF1:
      return is_tiny (name, "taef1");
    case COMPANION_COUNT:
      break;
    }
  return false;
}

static bool
is_vae (CompanionKind kind)
{
  return kind == COMPANION_FLUX_VAE || kind == COMPANION_WAN21_VAE || kind == COMPANION_WAN22_VAE;
}

/* How well a file serves: 0 not at all. */
static int
rank_of (CompanionKind kind, const char *file_name)
{
  char name[NAME_MAX + 1];
  const char *end = strrchr (file_name, '.');
  fold_name (file_name, name, sizeof name);
  bool gguf = end && !strcasecmp (end, ".gguf");
  bool weights = end && (!strcasecmp (end, ".safetensors") || !strcasecmp (end, ".sft"));
  /* Wan's own repositories have pickles */
  weights |= end && kind >= COMPANION_UMT5 && !strcasecmp (end, ".pth");
  if (kind == COMPANION_TOKENIZER)
    return is_kind (kind, name);
  if (!is_kind (kind, name) || (!weights && !(gguf && !is_vae (kind))))
    return 0;
  if (gguf || (end && !strcasecmp (end, ".pth")))
    return 1;
  if (strstr (name, "fp8"))
    return strstr (name, "scaled") ? 3 : 2;
  return 4;
}

static void
consider (Search *s, const char *folder, const char *name)
{
  char path[PATH_SIZE];
  int rank = rank_of (s->kind, name);
  if (rank == 0 || snprintf (path, sizeof path, "%s/%s", folder, name) >= (int) sizeof path)
    return;
  bool better = rank > s->rank || (rank == s->rank && strcmp (path, s->path) < 0);
  if (better && (!s->serves || s->serves (path, s->data)))
    {
      s->rank = rank;
      memcpy (s->path, path, sizeof path);
    }
}

static void
search_folder (Search *s, const char *folder, int levels)
{
  char below[PATH_SIZE];
  DIR *dir = opendir (folder);
  for (struct dirent *e = dir ? readdir (dir) : NULL; e; e = readdir (dir))
    {
      if (e->d_name[0] == '.')
        continue;
      bool folder_or_link = e->d_type == DT_DIR || e->d_type == DT_LNK || e->d_type == DT_UNKNOWN;
      if (levels > 0 && folder_or_link &&
          snprintf (below, sizeof below, "%s/%s", folder, e->d_name) < (int) sizeof below)
        search_folder (s, below, levels - 1);
      if (e->d_type != DT_DIR)
        consider (s, folder, e->d_name);
    }
  if (dir)
    closedir (dir);
}

/* @path loses its last component; false at the root. */
static bool
go_up (char *path)
{
  char *slash = strrchr (path, '/');
  if (!slash)
    {
      bool below_here = strcmp (path, ".") != 0;
      strcpy (path, ".");
      return below_here;
    }
  if (slash == path)
    return false;
  *slash = '\0';
  return true;
}

static const char *const *
folders_of (CompanionKind kind)
{
  if (kind == COMPANION_CLIP_VISION)
    return vision_folders;
  if (kind == COMPANION_TOKENIZER)
    return tokenizer_folders;
  if (kind == COMPANION_TAESD || kind == COMPANION_TAESDXL || kind == COMPANION_TAEF1)
    return tiny_folders;
  return is_vae (kind) ? vae_folders : encoder_folders;
}

bool
companion_find (const char *model_path, CompanionKind kind, char *out, size_t size)
{
  return companion_find_that (model_path, kind, NULL, NULL, out, size);
}

bool
companion_find_that (const char *model_path,
                     CompanionKind kind,
                     CompanionServes serves,
                     void *data,
                     char *out,
                     size_t size)
{
  Search s = { .kind = kind, .serves = serves, .data = data };
  char folder[PATH_SIZE], below[PATH_SIZE];
  const char *const *names = folders_of (kind);
  if (snprintf (folder, sizeof folder, "%s", model_path) >= (int) sizeof folder || !go_up (folder))
    return false;
  search_folder (&s, folder, 0);
  for (int up = 0; s.rank == 0 && up < LEVELS_UP; up++)
    {
      for (int i = 0; names[i]; i++)
        if (snprintf (below, sizeof below, "%s/%s", folder, names[i]) < (int) sizeof below)
          search_folder (&s, below, LEVELS_DOWN);
      if (!go_up (folder))
        break;
    }
  return s.rank > 0 && snprintf (out, size, "%s", s.path) < (int) size;
}

bool
companion_in_folder (const char *folder, CompanionKind kind, char *out, size_t size)
{
  Search s = { .kind = kind };
  search_folder (&s, folder, 0);
  return s.rank > 0 && snprintf (out, size, "%s", s.path) < (int) size;
}

/* ---- the other expert ---- */

/* Letters small, digits; without the words that tell experts apart. */
static void
plain_name (const char *name, char *out, size_t size)
{
  static const char *const words[] = { "highnoise", "lownoise", "noise", "high", "low" };
  size_t n = 0;
  for (; *name && n + 1 < size; name++)
    if (isalnum ((unsigned char) *name))
      out[n++] = (char) tolower ((unsigned char) *name);
  out[n] = '\0';
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    for (char *at; (at = strstr (out, words[i])) != NULL;)
      memmove (at, at + strlen (words[i]), strlen (at + strlen (words[i])) + 1);
}

typedef struct
{
  char name[NAME_MAX + 1]; /* plain */
  WanExpert wanted;
  int n_found;
  char path[PATH_SIZE];
} ExpertSearch;

/* @marked: the folder's name has said which expert its files are. */
static void
search_expert (ExpertSearch *s, const char *folder, bool marked)
{
  char plain[NAME_MAX + 1];
  DIR *dir = opendir (folder);
  for (struct dirent *e = dir ? readdir (dir) : NULL; e; e = readdir (dir))
    {
      WanExpert expert = wan_expert_of (e->d_name);
      plain_name (e->d_name, plain, sizeof plain);
      bool fits = expert == s->wanted || (marked && expert == WAN_EXPERT_UNKNOWN);
      if (e->d_name[0] == '.' || !fits || strcmp (plain, s->name) != 0)
        continue;
      if (snprintf (s->path, sizeof s->path, "%s/%s", folder, e->d_name) < (int) sizeof s->path)
        s->n_found++;
    }
  if (dir)
    closedir (dir);
}

static void
search_beside (ExpertSearch *s, const char *folder)
{
  char below[PATH_SIZE];
  DIR *dir = opendir (folder);
  for (struct dirent *e = dir ? readdir (dir) : NULL; e; e = readdir (dir))
    if (e->d_name[0] != '.' && e->d_type != DT_REG && wan_expert_of (e->d_name) == s->wanted &&
        snprintf (below, sizeof below, "%s/%s", folder, e->d_name) < (int) sizeof below)
      search_expert (s, below, true);
  if (dir)
    closedir (dir);
}

bool
companion_find_expert (const char *model_path, WanExpert wanted, char *out, size_t size)
{
  ExpertSearch s = { .wanted = wanted };
  char folder[PATH_SIZE];
  if (snprintf (folder, sizeof folder, "%s", model_path) >= (int) sizeof folder)
    return false;
  while (strlen (folder) > 1 && folder[strlen (folder) - 1] == '/')
    folder[strlen (folder) - 1] = '\0';
  const char *slash = strrchr (folder, '/');
  plain_name (slash ? slash + 1 : folder, s.name, sizeof s.name);
  if (!go_up (folder))
    return false;
  search_expert (&s, folder, false);
  if (s.n_found == 0 && go_up (folder))
    search_beside (&s, folder);
  return s.n_found == 1 && snprintf (out, size, "%s", s.path) < (int) size;
}
