/* SPDX-License-Identifier: MPL-2.0
 * inspect-embedding.c - `gesso-cli inspect` of textual inversions.
 */
#include <stdio.h>
#include <string.h>

#include "cli/inspect.h"
#include "weights/embedding.h"

enum
{
  WIDTH_CLIP_L = 768,
  WIDTH_SD2 = 1024,
  WIDTH_BIGG = 1280
};

/* By the width of the text encoders' vectors, as A1111 and ComfyUI know them.  Returns: NULL when
 * no encoder that we know is so wide */
static const char *
family_of (const EmbeddingFile *e)
{
  bool l = embedding_vectors (e, 0, WIDTH_CLIP_L, NULL) > 0;
  bool g = embedding_vectors (e, 1, WIDTH_BIGG, NULL) > 0;
  if (l)
    return g ? "SDXL" : "SD 1.5";
  return embedding_vectors (e, 0, WIDTH_SD2, NULL) > 0 ? "SD 2" : NULL;
}

/* How many tokens of a prompt it takes: each encoder's vectors stand side by side. */
static int64_t
count (const EmbeddingFile *e)
{
  int64_t most = 0;
  for (size_t i = 0; i < e->source.table.n_items; i++)
    {
      const FileTensor *t = &e->source.table.items[i];
      for (int encoder = 0; t->rank > 0 && t->ne[t->rank - 1] > 1 && encoder < 2; encoder++)
        {
          int64_t n = embedding_vectors (e, encoder, t->ne[t->rank - 1], NULL);
          most = n > most ? n : most;
        }
    }
  return most;
}

static void
word_of (const EmbeddingFile *e, char *out, size_t size)
{
  const char *dot = strrchr (e->label, '.');
  snprintf (out, size, "%.*s", (int) (dot ? dot - e->label : (long) strlen (e->label)), e->label);
}

static void
print_json (const EmbeddingFile *e, const char *widths, const char *word)
{
  const char *family = family_of (e);
  printf ("{\"path\": ");
  json_print_string (e->path);
  printf (", \"type\": \"embedding\", \"family\": \"%s\", \"container\": \"%s\", "
          "\"bytes\": %lld, \"vectors\": %lld, \"width\": \"%s\", \"word\": ",
          family ? family : "unknown", e->source.container, (long long) e->source.file_bytes,
          (long long) count (e), widths);
  json_print_string (word);
  printf ("}\n");
}

static void
print_text (const EmbeddingFile *e, const char *widths, const char *word)
{
  const char *family = family_of (e);
  printf ("%s\n  textual inversion%s%s, %s, %.1f MB\n  %lld vectors of %s values\n"
          "  in a prompt: %s, or embedding:%s under ComfyUI's weighting\n",
          e->path, family ? " for " : "", family ? family : "", e->source.container,
          (double) e->source.file_bytes / 1e6, (long long) count (e), widths, word, word);
}

InspectEnd
inspect_embedding (const char *path, bool json)
{
  Status other = { 0 };
  char widths[256], word[256];
  EmbeddingFile *e = embedding_open (path, NULL, &other);
  if (!e || !embedding_is_alone (e))
    {
      embedding_close (e);
      return INSPECT_OTHER;
    }
  embedding_widths (e, widths, sizeof widths);
  word_of (e, word, sizeof word);
  (json ? print_json : print_text) (e, widths, word);
  embedding_close (e);
  return INSPECT_DONE;
}
