/* SPDX-License-Identifier: MPL-2.0
 * test-weights.c - containers and weight sets: safetensors, pickles, binding, hashing.
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "weights/hash.h"
#include "weights/pickle.h"
#include "weights/safetensors.h"
#include "weights/weight-set.h"
#include "weights/weights.h"

/* ---- safetensors ---- */

typedef struct
{
  const char *header;
  size_t data_bytes;
  const char *sentence; /* part of it; NULL: valid */
} HeaderCase;

static const HeaderCase header_cases[] = {
  { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, NULL },
  { "{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[1,5]}}   ", 8, NULL },
  { "{\"a\":{\"dtype\":\"F4\",\"shape\":[4],\"data_offsets\":[0,2]}}", 8, NULL },
  { "{\"a\":{\"dtype\":\"F16\",\"shape\":[0,9],\"data_offsets\":[3,3]}}", 8, NULL },
  { "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
    "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[2,6]}}",
    8, NULL },
  { "{\"__metadata__\":{\"k\":\"v: \\\"x\\\":\"},"
    "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
    1, NULL },
  { "{}", 0, "holds no tensors" },
  { "[1]", 0, "not an object" },
  { "{\"a\":", 0, "ends too early" },
  { "{\"a\":{}} x", 0, "JSON" },
  { "{\"a\":1}", 0, "not an object" },
  { "{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "has no dtype" },
  { "{\"a\":{\"dtype\":\"F99\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "does not know" },
  { "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, "has no shape" },
  { "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "not made of counts" },
  { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", 8, "not made of counts" },
  { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}", 8,
    "9 dimensions" },
  { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8, "data_offsets" },
  { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8,
    "ends before it begins" },
  { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 8, "cut short" },
  { "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, "needs 12" },
  { "{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 8, "holds 1 bytes" },
  { "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,8],\"data_offsets\":[0,8]}}", 8,
    "too large" },
  { "{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,8]}}", 8,
    "is damaged" }, /* json-c 0.18 refuses the number itself */
  { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
    "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
    8, "same name twice" },
  { "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 8,
    "same name twice" },
  { "{\"__metadata__\":{\"k\":1},\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
    "not text" },
};

static GByteArray *
safetensors_bytes (const char *header, size_t data_bytes)
{
  GByteArray *bytes = g_byte_array_new ();
  guint64 n = GUINT64_TO_LE (strlen (header));
  g_byte_array_append (bytes, (const guint8 *) &n, sizeof n);
  g_byte_array_append (bytes, (const guint8 *) header, strlen (header));
  for (size_t i = 0; i < data_bytes; i++)
    g_byte_array_append (bytes, &(guint8){ (guint8) i }, 1);
  return bytes;
}

static void
test_safetensors_checks_headers (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (header_cases); i++)
    {
      const HeaderCase *c = &header_cases[i];
      GByteArray *bytes = safetensors_bytes (c->header, c->data_bytes);
      Pool pool = { 0 };
      TensorTable table;
      Status status = { 0 };
      table_init (&table, &pool);
      bool ok = safetensors_parse (&table, bytes->data, bytes->len, "model.safetensors", &status);
      g_test_message ("%s: %s", c->header, status.message);
      g_assert_true (ok == (c->sentence == NULL));
      g_assert_true (ok == status_ok (&status));
      if (c->sentence)
        g_assert_nonnull (strstr (status.message, c->sentence));
      table_clear (&table);
      pool_clear (&pool);
      g_byte_array_unref (bytes);
    }
}

static void
test_safetensors_checks_lengths (void)
{
  static const struct
  {
    guint64 n;
    size_t size;
    const char *sentence;
  } cases[] = {
    { 0, 5, "5 bytes long" },
    { 0, 8, "empty" },
    { 100, 40, "cut short" },
    { G_MAXUINT64, 40, "cut short" },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      guint8 bytes[40] = { 0 };
      guint64 n = GUINT64_TO_LE (cases[i].n);
      memcpy (bytes, &n, sizeof n);
      Pool pool = { 0 };
      TensorTable table;
      Status status = { 0 };
      table_init (&table, &pool);
      g_assert_false (safetensors_parse (&table, bytes, cases[i].size, "x", &status));
      g_assert_nonnull (strstr (status.message, cases[i].sentence));
      table_clear (&table);
      pool_clear (&pool);
    }
}

static void
test_safetensors_reads_tensors_and_metadata (void)
{
  GByteArray *bytes =
      safetensors_bytes ("{\"__metadata__\":{\"format\":\"pt\"},"
                         "\"a.b\":{\"dtype\":\"F16\",\"shape\":[2,3],\"data_offsets\":[3,15]}}",
                         16);
  Pool pool = { 0 };
  TensorTable table;
  Status status = { 0 };
  table_init (&table, &pool);
  g_assert_true (safetensors_parse (&table, bytes->data, bytes->len, "x", &status));
  const FileTensor *t = table_find (&table, "a.b");
  g_assert_nonnull (t);
  g_assert_cmpint (t->dtype, ==, DTYPE_F16);
  g_assert_cmpint (t->rank, ==, 2);
  g_assert_cmpint (t->ne[1], ==, 3);
  g_assert_cmpint (t->data[0], ==, 3); /* data bytes count up from 0 */
  g_assert_cmpstr (table_metadata (&table, "format"), ==, "pt");
  table_clear (&table);
  pool_clear (&pool);
  g_byte_array_unref (bytes);
}

/* ---- pickles: legacy containers built by hand ---- */

#define PICKLE_HEADER                                                                              \
  "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." /* magic */                          \
  "\x80\x02M\xe9\x03."                                        /* protocol 1001 */                  \
  "\x80\x02}."                                                /* facts about the machine */

/* A storage of 6 floats under key "k"; leaves it on the stack. */
#define STORAGE_OF(kind, count)                                                                    \
  "(U\x07storagectorch\n" kind "\nU\x01kU\x03"                                                     \
  "cpuK" count "NtQ"
#define REBUILD "ctorch._utils\n_rebuild_tensor_v2\n("

static bool
parse_pickle (GByteArray *bytes, bool header_only, TensorTable *table, Pool *pool, Status *status)
{
  *status = (Status){ 0 };
  table_init (table, pool);
  return pickle_parse (table, bytes->data, bytes->len, header_only, "model.ckpt", status);
}

static GByteArray *
legacy_bytes (const char *object, size_t n, bool with_storage)
{
  static const char keys[] = "\x80\x02]U\x01ka.";
  static const char no_keys[] = "\x80\x02].";
  GByteArray *bytes = g_byte_array_new ();
  g_byte_array_append (bytes, (const guint8 *) PICKLE_HEADER, sizeof PICKLE_HEADER - 1);
  g_byte_array_append (bytes, (const guint8 *) object, n);
  if (!with_storage)
    {
      g_byte_array_append (bytes, (const guint8 *) no_keys, sizeof no_keys - 1);
      return bytes;
    }
  g_byte_array_append (bytes, (const guint8 *) keys, sizeof keys - 1);
  guint64 count = GUINT64_TO_LE (6);
  g_byte_array_append (bytes, (const guint8 *) &count, sizeof count);
  for (int i = 0; i < 6; i++)
    {
      float v = (float) i;
      g_byte_array_append (bytes, (const guint8 *) &v, sizeof v);
    }
  return bytes;
}

#define LEGACY(text, storage) legacy_bytes (text, sizeof text - 1, storage)

static void
test_pickle_reads_views (void)
{
  /* { "state_dict": { "t": 3x2 transposed view, "s": 2 elements from offset 4 }, "epoch": 3 } */
  GByteArray *bytes =
      LEGACY ("\x80\x02}(U\x0astate_dict}(U\x01t" REBUILD STORAGE_OF (
                  "FloatStorage", "\x06") "K\x00K\x03K\x02\x86K\x01K\x03\x86\x89}tRU\x01s" REBUILD
                  STORAGE_OF ("FloatStorage", "\x06") "K\x04K\x02\x85K\x01\x85\x89}tRuU\x05"
                                                      "epochK\x03u.",
              true);
  Pool pool = { 0 };
  TensorTable table;
  Status status;
  bool ok = parse_pickle (bytes, false, &table, &pool, &status);
  g_assert_cmpstr (status.message, ==, "");
  g_assert_true (ok);
  g_assert_cmpuint (table.n_items, ==, 2);
  const FileTensor *t = table_find (&table, "t");
  static const float expected[] = { 0, 3, 1, 4, 2, 5 };
  g_assert_cmpmem (t->data, t->n_bytes, expected, sizeof expected);
  const FileTensor *s = table_find (&table, "s");
  g_assert_true (s->data > bytes->data && s->data < bytes->data + bytes->len); /* not copied */
  g_assert_cmpmem (s->data, s->n_bytes, ((float[]){ 4, 5 }), 8);
  table_clear (&table);
  pool_clear (&pool);
  g_byte_array_unref (bytes);
}

typedef struct
{
  const char *object;
  size_t n;
  bool with_storage;
  const char *sentence;
} PickleCase;

#define CASE(text, storage, sentence)                                                              \
  {                                                                                                \
    text, sizeof text - 1, storage, sentence                                                       \
  }

static const PickleCase pickle_cases[] = {
  /* os.system ("x") becomes opaque, and is no dictionary */
  CASE ("\x80\x02"
        "cos\nsystem\nU\x01x\x85R.",
        false,
        "not a dictionary"),
  CASE ("\x80\x02}.", false, "holds no tensors"),
  CASE ("\x80\x02}", false, "pickle"),
  CASE ("\x80\x09}.", false, "protocol"),
  CASE ("\x80\x02\xfe.", false, "operation 0xfe"),
  CASE ("\x80\x02R.", false, "not there"),
  CASE ("\x80\x02h\x05.", false, "never stored"),
  CASE ("\x80\x02}r\xff\xff\xff\x7f.", false, "impossible place"),
  CASE ("\x80\x02K\x01K\x02"
        "a.",
        false,
        "holds none"),
  CASE ("\x80\x02}(K\x01u.", false, "without a value"),
  CASE ("\x80\x02X\xff\xff\xff\x7f"
        "a.",
        false,
        "ends too early"),
  CASE ("\x80\x02t.", false, "no mark"),
  /* six elements, 7 asked for */
  CASE ("\x80\x02}U\x01t" REBUILD STORAGE_OF ("FloatStorage",
                                              "\x06") "K\x00K\x07\x85K\x01\x85\x89}tRs.",
        true,
        "beyond its storage"),
  CASE ("\x80\x02}U\x01t" REBUILD STORAGE_OF ("FloatStorage",
                                              "\x06") "K\x00K\x02\x85J\xff\xff\xff\xff"
                                                      "\x85\x89}tRs.",
        true,
        "makes no sense"),
  CASE ("\x80\x02}U\x01t" REBUILD STORAGE_OF ("FloatStorage",
                                              "\x09") "K\x00K\x02\x85K\x01\x85\x89}tRs.",
        true,
        "cut short"),
  CASE ("\x80\x02}U\x01t" REBUILD STORAGE_OF ("FloatStorage",
                                              "\x06") "K\x00K\x02\x85K\x01\x85\x89}tRs.",
        false,
        "missing"),
};

static void
test_pickle_refuses_nonsense (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (pickle_cases); i++)
    {
      const PickleCase *c = &pickle_cases[i];
      GByteArray *bytes = legacy_bytes (c->object, c->n, c->with_storage);
      Pool pool = { 0 };
      TensorTable table;
      Status status;
      g_assert_false (parse_pickle (bytes, false, &table, &pool, &status));
      g_test_message ("%zu: %s", i, status.message);
      g_assert_nonnull (strstr (status.message, c->sentence));
      table_clear (&table);
      pool_clear (&pool);
      g_byte_array_unref (bytes);
    }
}

static void
test_pickle_survives_a_dictionary_in_itself (void)
{
  /* d = {}; d["a"] = d; d["b"] = d */
  GByteArray *bytes = LEGACY ("\x80\x02}q\x01(U\x01"
                              "ah\x01U\x01"
                              "bh\x01u.",
                              false);
  Pool pool = { 0 };
  TensorTable table;
  Status status;
  g_assert_false (parse_pickle (bytes, false, &table, &pool, &status));
  g_assert_nonnull (strstr (status.message, "no tensors"));
  table_clear (&table);
  pool_clear (&pool);
  g_byte_array_unref (bytes);
}

/* The exported checkpoint: ZIP, shared and transposed storages, parameters, every element type. */
static void
test_pickle_agrees_with_safetensors (void)
{
  const char *source = g_getenv ("GESSO_SOURCE");
  char *ckpt = g_build_filename (source, "tests/golden/fixtures/sd15-tiny-part.ckpt", NULL);
  char *expect = g_strconcat (ckpt, ".expect.safetensors", NULL);
  char *a, *b;
  gsize n_a, n_b;
  g_assert_true (g_file_get_contents (ckpt, &a, &n_a, NULL));
  g_assert_true (g_file_get_contents (expect, &b, &n_b, NULL));
  for (int header_only = 0; header_only < 2; header_only++)
    {
      Pool pool = { 0 };
      TensorTable pickle, safe;
      Status status = { 0 };
      table_init (&pickle, &pool);
      table_init (&safe, &pool);
      bool ok = pickle_parse (&pickle, a, n_a, header_only, "part.ckpt", &status) &&
                safetensors_parse (&safe, b, n_b, "expect", &status);
      g_assert_cmpstr (status.message, ==, "");
      g_assert_true (ok);
      g_assert_cmpuint (pickle.n_items, ==, safe.n_items);
      for (size_t i = 0; i < safe.n_items; i++)
        {
          const FileTensor *s = &safe.items[i], *p = table_find (&pickle, s->name);
          g_test_message ("%s", s->name);
          g_assert_nonnull (p);
          g_assert_cmpint (p->dtype, ==, s->dtype);
          g_assert_cmpint (p->rank, ==, s->rank);
          g_assert_cmpmem (p->ne, sizeof p->ne, s->ne, sizeof s->ne);
          if (header_only)
            g_assert_null (p->data);
          else
            g_assert_cmpmem (p->data, p->n_bytes, s->data, s->n_bytes);
        }
      table_clear (&pickle);
      table_clear (&safe);
      pool_clear (&pool);
    }
  g_free (a);
  g_free (b);
  g_free (ckpt);
  g_free (expect);
}

/* ---- weight sets ---- */

static WeightSet *
two_weights (Status *status)
{
  WeightSet *set = weights_new (status);
  g_assert_nonnull (set);
  Weight a = { .name = "unet.a", .file_name = "a", .rank = 4, .ne = { 8, 4, 1, 1 } };
  Weight b = { .name = "vae.b", .file_name = "b", .rank = 1, .ne = { 3 } };
  g_assert_nonnull (weights_add (set, &a, status));
  g_assert_nonnull (weights_add (set, &b, status));
  return set;
}

static void
test_weights_forgive_trailing_ones (void)
{
  Status status = { 0 };
  WeightSet *set = two_weights (&status);
  g_assert_nonnull (weights_bind (set, 2, (int64_t[]){ 8, 4 }, "unet.%s", "a"));
  g_assert_nonnull (weights_bind (set, 3, (int64_t[]){ 3, 1, 1 }, "vae.b"));
  g_assert_null (weights_bind (set, 2, (int64_t[]){ 4, 8 }, "unet.a"));
  g_assert_cmpstr (weights_problem (set, 0), ==,
                   "misshapen: unet.a is (8, 4, 1, 1), the model needs (4, 8)");
  weights_free (set);
}

static void
test_weights_list_problems_and_leftovers (void)
{
  Status status = { 0 };
  WeightSet *set = two_weights (&status);
  g_assert_null (weights_bind_optional (set, 1, (int64_t[]){ 2 }, "unet.c"));
  g_assert_true (weights_check (set, &status));
  g_assert_null (weights_bind (set, 1, (int64_t[]){ 2 }, "unet.%d", 5));
  g_assert_cmpstr (weights_problem (set, 0), ==, "missing: unet.5");
  g_assert_null (weights_problem (set, 1));
  g_assert_false (weights_check (set, &status));
  g_assert_cmpint (status.code, ==, STATUS_FORMAT);
  g_assert_nonnull (strstr (status.message, "missing: unet.5"));
  g_assert_nonnull (weights_bind (set, 1, (int64_t[]){ 3 }, "vae.b"));
  g_assert_cmpint (weights_unused_count (set, ""), ==, 1);
  g_assert_cmpstr (weights_unused (set, "", 0)->name, ==, "unet.a");
  g_assert_null (weights_unused (set, "", 1));
  g_assert_null (weights_unused (set, "vae.", 0));
  g_assert_cmpint (weights_parameters (set, ""), ==, 35);
  g_assert_cmpint (weights_parameters (set, "unet."), ==, 32);
  weights_free (set);
}

static void
test_weights_declare_what_is_asked_for (void)
{
  Status status = { 0 };
  WeightSet *set = weights_new_declared (&status);
  for (int i = 0; i < 200; i++)
    {
      const Weight *w = weights_bind (set, 2, (int64_t[]){ 8, 4 }, "unet.%d", i);
      g_assert_nonnull (w);
      g_assert_cmpint (w->dtype, ==, DTYPE_F16);
      g_assert_null (w->data);
    }
  g_assert_true (weights_find (set, "unet.0") ==
                 weights_bind (set, 2, (int64_t[]){ 8, 4 }, "unet.0"));
  g_assert_null (weights_bind (set, 2, (int64_t[]){ 4, 4 }, "unet.0"));
  g_assert_cmpint (weights_problem_count (set), ==, 1);
  g_assert_cmpint (weights_count (set), ==, 200);
  g_assert_cmpint (weights_parameters (set, ""), ==, 6400);
  weights_free (set);
}

/* ---- hash ---- */

static bool
cancel_at_once (void *data, int64_t done, int64_t total)
{
  *(int64_t *) data = total;
  return false;
}

static void
test_hash_of_a_file (void)
{
  char *dir = g_dir_make_tmp ("gesso-XXXXXX", NULL);
  char *path = g_build_filename (dir, "abc", NULL);
  char hex[SHA256_HEX_SIZE];
  Status status = { 0 };
  int64_t total = 0;
  g_assert_true (g_file_set_contents (path, "abc", 3, NULL));
  g_assert_true (file_sha256 (path, hex, NULL, NULL, &status));
  /* FIPS 180-2, appendix B.1 */
  g_assert_cmpstr (hex, ==, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  g_assert_false (file_sha256 (path, hex, cancel_at_once, &total, &status));
  g_assert_cmpint (status.code, ==, STATUS_CANCELLED);
  g_assert_cmpint (total, ==, 3);
  status = (Status){ 0 };
  g_unlink (path);
  g_assert_false (file_sha256 (path, hex, NULL, NULL, &status));
  g_assert_cmpint (status.code, ==, STATUS_NOT_FOUND);
  g_rmdir (dir);
  g_free (path);
  g_free (dir);
}

/* Resident pages of files, in kB. */
static long
file_kb (void)
{
  char *text, *line;
  long kb = -1;
  if (g_file_get_contents ("/proc/self/status", &text, NULL, NULL))
    {
      line = strstr (text, "RssFile:");
      kb = line ? strtol (line + strlen ("RssFile:"), NULL, 10) : -1;
      g_free (text);
    }
  return kb;
}

static bool
is_dropped (const char *name)
{
  return g_str_has_prefix (name, "drop.");
}

enum
{
  HALF = 4 << 20 /* bytes of one of two weights in a file */
};

/* Pages of a file go; the other weight, and memory that no file holds again, stay. */
static void
test_weights_drop_pages (void)
{
  Status status = { 0 };
  WeightSet *set = weights_new (&status);
  char *dir = g_dir_make_tmp ("gesso-weights-XXXXXX", NULL);
  char *path = g_build_filename (dir, "w", NULL), *bytes = g_malloc (2 * HALF);
  memset (bytes, 7, 2 * HALF);
  g_assert_true (g_file_set_contents (path, bytes, 2 * HALF, NULL));
  int file = weights_map_file (set, path, &status);
  g_assert_cmpint (file, ==, 0);
  const uint8_t *data = set->files[0].data;
  Weight w = { .rank = 1, .ne = { HALF / 4 }, .dtype = DTYPE_F32 };
  w.name = "drop.file";
  w.data = data;
  g_assert_nonnull (weights_add (set, &w, &status));
  w.name = "keep.file";
  w.data = data + HALF;
  g_assert_nonnull (weights_add (set, &w, &status));
  w.name = "drop.memory";
  w.data = bytes;
  g_assert_nonnull (weights_add (set, &w, &status));
  uint64_t sum = 0;
  for (int i = 0; i < 2 * HALF; i += 64)
    sum += data[i];
  g_assert_cmpuint (sum, ==, 7 * 2 * HALF / 64);
  long before = file_kb ();
  weights_wont_need (set, is_dropped);
  long after = file_kb ();
  g_test_message ("%ld kB of file pages, then %ld", before, after);
  g_assert_cmpint (before - after, >, HALF / 1024 - 512); /* the kernel counts in batches */
  g_assert_cmpint (before - after, <, HALF / 1024 + 512);
  g_assert_cmpint (bytes[HALF / 2], ==, 7);
  g_assert_cmpint (data[HALF / 2], ==, 7);
  weights_free (set);
  g_unlink (path);
  g_rmdir (dir);
  g_free (bytes);
  g_free (path);
  g_free (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/weights/safetensors/checks-headers", test_safetensors_checks_headers);
  g_test_add_func ("/weights/safetensors/checks-lengths", test_safetensors_checks_lengths);
  g_test_add_func ("/weights/safetensors/reads", test_safetensors_reads_tensors_and_metadata);
  g_test_add_func ("/weights/pickle/reads-views", test_pickle_reads_views);
  g_test_add_func ("/weights/pickle/refuses-nonsense", test_pickle_refuses_nonsense);
  g_test_add_func ("/weights/pickle/dictionary-in-itself",
                   test_pickle_survives_a_dictionary_in_itself);
  g_test_add_func ("/weights/pickle/agrees-with-safetensors", test_pickle_agrees_with_safetensors);
  g_test_add_func ("/weights/set/forgives-trailing-ones", test_weights_forgive_trailing_ones);
  g_test_add_func ("/weights/set/lists-problems", test_weights_list_problems_and_leftovers);
  g_test_add_func ("/weights/set/declares", test_weights_declare_what_is_asked_for);
  g_test_add_func ("/weights/set/drops-pages", test_weights_drop_pages);
  g_test_add_func ("/weights/hash/file", test_hash_of_a_file);
  return g_test_run ();
}
