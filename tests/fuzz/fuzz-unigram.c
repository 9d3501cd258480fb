/* SPDX-License-Identifier: MPL-2.0
 * fuzz-unigram.c - damaged vocabularies and any text: refused with a sentence, or every text gets
 * ids that the vocabulary has.
 *
 * Run alone: fuzz-unigram --runs 2000 --seed 1
 */
#include "mutate.h"

#include "core/mem.h"
#include "text/unigram.h"

enum
{
  ROOM = 4096,
  TEXT_ROOM = 256,
  MOST_CHANGES = 4
};

/* A ModelProto: <pad>, </s>, <unk>, a space, "a", "ab", a user-defined piece, a byte; unk 2, eos 1,
 * pad 0; and a charsmap of one unit. */
static const char proto[] = "\x0a\x0e\x0a\x05<pad>\x15\0\0\0\0\x18\x03"
                            "\x0a\x0d\x0a\x04</s>\x15\0\0\0\0\x18\x03"
                            "\x0a\x0e\x0a\x05<unk>\x15\0\0\0\0\x18\x02"
                            "\x0a\x0a\x0a\x03\xe2\x96\x81\x15\0\0\0\xc0"
                            "\x0a\x08\x0a\x01\x61\x15\0\0\x80\xbf"
                            "\x0a\x09\x0a\x02\x61\x62\x15\0\0\0\xbf"
                            "\x0a\x0c\x0a\x03[x]\x15\0\0\0\0\x18\x04"
                            "\x0a\x0f\x0a\x06<0x41>\x15\0\0\0\0\x18\x06"
                            "\x12\x0e\x18\x01\x98\x02\x01\xc0\x02\x02\xd0\x02\x01\xd8\x02\0"
                            "\x1a\x12\x12\x0a\x04\0\0\0\0\x04\0\0\x20\0\x18\x01\x20\x01\x28\x01";

static const char json[] =
    "{\"added_tokens\": [{\"id\": 1, \"content\": \"</s>\"}, {\"id\": 6, \"content\": \"<m>\"}], "
    "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Precompiled\", "
    "\"precompiled_charsmap\": \"BAAAAAQAACAA\"}, {\"type\": \"Strip\", \"strip_right\": true}, "
    "{\"type\": \"Replace\", \"pattern\": {\"Regex\": \" {2,}\"}, \"content\": \" \"}]}, "
    "\"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": "
    "\"WhitespaceSplit\"}, {\"type\": \"Metaspace\", \"replacement\": \"\xe2\x96\x81\", "
    "\"prepend_scheme\": \"first\"}]}, \"model\": {\"type\": \"Unigram\", \"unk_id\": 0, "
    "\"vocab\": "
    "[[\"<unk>\", 0], [\"</s>\", 0], [\"\xe2\x96\x81\", -2], [\"a\", -1.5], [\"ab\", -1]]}}";

static const char *const words[] = { "\x0a",
                                     "\x12",
                                     "\x1a",
                                     "\x18\x04",
                                     "\xff\xff\xff\xff\x0f",
                                     "\"id\": 4000000",
                                     "\"unk_id\": 9",
                                     "-1e999",
                                     "null",
                                     "[]",
                                     "{}",
                                     "\xe2\x96\x81",
                                     "<m>",
                                     "[x]",
                                     "\xf0\x9f\x98\x80",
                                     "\xff",
                                     "  " };

static const char texts[] = "a ab  [x] <m></s> \xe2\x96\x81 na\xc3\xafve \xef\xbc\xa1 "
                            "e\xcc\x81 \xf0\x9f\x98\x80\xf0\x9f\x98\x80 end ";

static size_t
change (FuzzRandom *r, uint8_t *data, size_t n, size_t room)
{
  for (size_t k = 1 + fuzz_below (r, MOST_CHANGES); k > 0; k--)
    n = fuzz_mutate (r, data, n, room, words, sizeof words / sizeof *words);
  return n;
}

/* Returns: whether the run went as it should */
static bool
encode (const Unigram *u, FuzzRandom *r)
{
  uint8_t text[TEXT_ROOM + 1];
  Status status = { 0 };
  TokenIds ids = { 0 };
  memcpy (text, texts, sizeof texts);
  size_t n = change (r, text, sizeof texts - 1, TEXT_ROOM);
  text[n] = 0;
  bool ok = unigram_encode (u, (const char *) text, &ids, &status);
  for (size_t i = 0; ok && i < ids.n; i++)
    ok = ids.items[i] >= 0 && ids.items[i] < unigram_n_ids (u);
  token_ids_clear (&ids);
  return ok;
}

static Unigram *
open_file (const uint8_t *data, size_t n, const char *path, Status *status)
{
  FILE *file = fopen (path, "wb");
  bool ok = file && fwrite (data, 1, n, file) == n;
  if (file)
    fclose (file);
  return ok ? unigram_new (path, status) : NULL;
}

static bool
run (FuzzRandom *r, bool is_json, const char *path, long *n_opened)
{
  uint8_t data[ROOM];
  Status status = { 0 };
  size_t n = is_json ? sizeof json - 1 : sizeof proto - 1;
  memcpy (data, is_json ? json : proto, n);
  if (fuzz_below (r, 8) > 0) /* else only the text is changed */
    n = change (r, data, n, ROOM);
  Unigram *u = is_json ? open_file (data, n, path, &status) : unigram_new_proto (data, n, &status);
  if (!u)
    return !status_ok (&status) && *status.message;
  bool ok = encode (u, r);
  unigram_free (u);
  ++*n_opened;
  return ok;
}

int
main (int argc, char **argv)
{
  FuzzOptions options;
  char path[] = "/tmp/gesso-fuzz-XXXXXX";
  long n_opened = 0;
  int bad = fuzz_options (&options, argc, argv), file = bad ? -1 : mkstemp (path);
  if (file < 0)
    return 2;
  for (long i = 0; i < options.runs && !bad; i++)
    {
      FuzzRandom r = { options.seed * 1000003 + (uint64_t) i };
      bad = !run (&r, i % 4 == 0, path, &n_opened);
      if (bad)
        printf ("FAIL: run %ld of seed %llu\n", i, (unsigned long long) options.seed);
    }
  remove (path);
  printf ("%ld runs, %ld vocabularies opened\n", options.runs, n_opened);
  return bad || n_opened == 0;
}
