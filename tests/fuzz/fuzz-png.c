/* SPDX-License-Identifier: MPL-2.0
 * fuzz-png.c - damaged PNG, JPEG and WebP files: pixels and texts read, or refused with a sentence.
 *
 * Checksums of most PNGs are made right again after the change, or nothing behind them would be
 * reached.  Run alone: fuzz-png --runs 10000 --seed 1
 */
#include <webp/encode.h>
#include <zlib.h>

#include "core/mem.h"
#include "core/utf8.h"
#include "media/image.h"
#include "media/texts.h"
#include "mutate.h"

enum
{
  ROOM = 1 << 14,
  MOST_CHANGES = 10,
  SIGNATURE_BYTES = 8
};

typedef struct
{
  uint8_t data[ROOM];
  size_t n;
} Bytes;

static void
put (Bytes *b, const void *data, size_t n)
{
  b->n = fuzz_insert (b->data, b->n, ROOM, b->n, data, n);
}

static void
put_u32 (Bytes *b, uint32_t v)
{
  uint8_t bytes[4] = { (uint8_t) (v >> 24), (uint8_t) (v >> 16), (uint8_t) (v >> 8), (uint8_t) v };
  put (b, bytes, 4);
}

static void
put_chunk (Bytes *b, const char *type, const void *data, size_t n)
{
  put_u32 (b, (uint32_t) n);
  size_t start = b->n;
  put (b, type, 4);
  put (b, data, n);
  put_u32 (b, (uint32_t) crc32 (0, b->data + start, (uInt) (b->n - start)));
}

static void
put_packed (Bytes *b, const char *type, const void *head, size_t n_head, const void *data, size_t n)
{
  uint8_t packed[2048];
  uLongf n_packed = sizeof packed - n_head;
  memcpy (packed, head, n_head);
  compress (packed + n_head, &n_packed, data, n);
  put_chunk (b, type, packed, n_head + n_packed);
}

static const char tiff[] =
    "MM\0*"
    "\0\0\0\x08\0\x02\x01\x0f\0\x02\0\0\0\x0a\0\0\0\x46\x87\x69\0\x04\0\0\0\x01\0\0\0\x26\0\0\0\0"
    "\0\x01\x92\x86\0\x07\0\0\0\x0e\0\0\0\x38\0\0\0\0UNICODE\0\0f\0o\0xprompt:{}\0";

/* A small picture of every kind, with every kind of text. */
static void
make_png (Bytes *b, FuzzRandom *r)
{
  static const uint8_t kinds[][3] /* depth, colour type, bits of a pixel */
      = { { 8, 2, 24 }, { 8, 6, 32 }, { 16, 2, 48 }, { 1, 0, 1 },
          { 8, 3, 8 },  { 8, 4, 16 }, { 16, 6, 64 } };
  const uint8_t *kind = kinds[fuzz_below (r, sizeof kinds / sizeof kinds[0])];
  uint8_t width = (uint8_t) (1 + fuzz_below (r, 9)), height = (uint8_t) (1 + fuzz_below (r, 9));
  uint8_t interlaced = (uint8_t) fuzz_below (r, 2), pixels[1024];
  uint8_t header[13] = { 0, 0, 0, width, 0, 0, 0, height, kind[0], kind[1], 0, 0, interlaced };
  size_t n = (size_t) height * (1 + ((size_t) width * kind[2] + 7) / 8);
  for (size_t i = 0; i < sizeof pixels; i++)
    pixels[i] = (uint8_t) fuzz_below (r, 5); /* every filter type */
  put (b, "\x89PNG\r\n\x1a\n", SIGNATURE_BYTES);
  put_chunk (b, "IHDR", header, sizeof header);
  put_chunk (b, "tEXt", "parameters\0fox\nSteps: 1", 23);
  if (kind[1] == 3)
    put_chunk (b, "PLTE", "\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17", 15);
  put_packed (b, "zTXt", "packed\0\0", 8, "much much much text", 19);
  put_packed (b, "IDAT", "", 0, pixels, interlaced ? sizeof pixels : n);
  put_packed (b, "iTXt", "after\0\1\0en\0T\0", 13, "\xe7\x8b\x90", 3);
  put_chunk (b, "eXIf", tiff, sizeof tiff - 1);
  put_chunk (b, "IEND", "", 0);
}

static void
make_jpeg (Bytes *b)
{
  put (b,
       "\xff\xd8\xff\xe1\0\x58"
       "Exif\0\0",
       12);
  put (b, tiff, sizeof tiff - 1);
  put (b,
       "\xff\xc0\0\x0b\x08\0\x08\0\x08\x01\x01\x11\0\xff\xda\0\x08\x01\x01\0\0\x3f\0\x12\x34\xff"
       "\xd9",
       27);
}

static void
put_riff (Bytes *b, const char *type, const void *data, size_t n)
{
  uint8_t size[4] = { (uint8_t) n, (uint8_t) (n >> 8), 0, 0 };
  put (b, type, 4);
  put (b, size, 4);
  put (b, data, n);
  put (b, "", n & 1);
}

/* With pixels, lossless or lossy, and texts; or texts alone. */
static void
make_webp (Bytes *b, FuzzRandom *r)
{
  static const char xmp[] = "<exif:UserComment><rdf:li>a &lt;fox&#x3e;</rdf:li></exif:UserComment>";
  static const uint8_t rgb[6 * 5 * 3] = { 9, 200, 30, 90, 1 };
  uint8_t *pixels = NULL;
  size_t n = 0, kind = fuzz_below (r, 3);
  if (kind == 0)
    n = WebPEncodeLosslessRGB (rgb, 6, 5, 18, &pixels);
  else if (kind == 1)
    n = WebPEncodeRGB (rgb, 6, 5, 18, 50, &pixels);
  put (b, "RIFF\xff\0\0\0WEBP", 12);
  if (n)
    put_riff (b, "VP8X", "\x2c\0\0\0\x05\0\0\x04\0\0", 10);
  put_riff (b, "ICCP", "no profile", 10);
  if (n)
    put (b, pixels + 12, n - 12); /* behind the RIFF header */
  put_riff (b, "EXIF", tiff, sizeof tiff - 1);
  put_riff (b, "XMP ", xmp, sizeof xmp - 1);
  uint32_t size = (uint32_t) b->n - 8;
  for (int i = 0; i < 4; i++)
    b->data[4 + i] = (uint8_t) (size >> (8 * i));
  WebPFree (pixels);
}

/* Walks the chunks as they stand now and corrects their checksums. */
static void
repair_checksums (Bytes *b)
{
  for (size_t at = SIGNATURE_BYTES; at + 12 <= b->n;)
    {
      const uint8_t *p = b->data + at;
      size_t n = (size_t) p[0] << 24 | (size_t) p[1] << 16 | (size_t) p[2] << 8 | p[3];
      if (n > b->n - at - 12)
        return;
      uint32_t crc = (uint32_t) crc32 (0, p + 4, (uInt) (n + 4));
      for (int i = 0; i < 4; i++)
        b->data[at + 8 + n + (size_t) i] = (uint8_t) (crc >> (24 - 8 * i));
      at += 12 + n;
    }
}

static void
die (const char *what, long run)
{
  fprintf (stderr, "fuzz-png: run %ld: %s\n", run, what);
  exit (1);
}

static bool
is_sentence (const Status *status)
{
  return status->message[0] && utf8_is_valid (status->message, strlen (status->message));
}

/* From an allocation of exactly this size, so that reading past it is seen. */
static bool
try_bytes (const Bytes *b, long run)
{
  uint8_t *data = malloc (b->n ? b->n : 1);
  Image image;
  MediaTexts texts = { 0 };
  Status status = { 0 }, text_status = { 0 };
  memcpy (data, b->data, b->n);
  bool ok = image_read_memory (&image, data, b->n, "fuzz", &status);
  if (ok ? !image.rgb || image.width < 1 || image.height < 1 : image.rgb || !is_sentence (&status))
    die ("neither a picture nor a sentence", run);
  if (!media_texts_read_memory (&texts, data, b->n, "fuzz", &text_status) &&
      !is_sentence (&text_status))
    die ("refused without a sentence", run);
  for (size_t i = 0; i < texts.n; i++)
    if (!utf8_is_valid (texts.items[i].value, strlen (texts.items[i].value)))
      die ("a text is not UTF-8", run);
  ok |= texts.n > 0;
  media_texts_clear (&texts);
  image_clear (&image);
  free (data);
  return ok;
}

int
main (int argc, char **argv)
{
  static Bytes b;
  static const char *const words[] = { "IDAT",
                                       "tEXt",
                                       "zTXt",
                                       "iTXt",
                                       "eXIf",
                                       "IEND",
                                       "tRNS",
                                       "PLTE",
                                       "Exif",
                                       "UNICODE",
                                       "\xff\xff\xff\xff",
                                       "\x7f\xff\xff\xff",
                                       "\xff\xda",
                                       "\xff\xe1" };
  long n_accepted = 0;
  FuzzOptions options;
  if (fuzz_options (&options, argc, argv) != 0)
    return 2;
  FuzzRandom r = { options.seed };
  for (long run = 0; run < options.runs; run++)
    {
      size_t kind = fuzz_below (&r, 10);
      b.n = 0;
      if (kind == 0)
        make_jpeg (&b);
      else if (kind == 1)
        make_webp (&b, &r);
      else
        make_png (&b, &r);
      for (size_t i = fuzz_below (&r, MOST_CHANGES); i > 0; i--)
        b.n = fuzz_mutate (&r, b.data, b.n, ROOM, words, sizeof words / sizeof words[0]);
      if (kind > 3)
        repair_checksums (&b);
      n_accepted += try_bytes (&b, run);
    }
  printf ("%ld runs, %ld accepted, %ld refused\n", options.runs, n_accepted,
          options.runs - n_accepted);
  return 0;
}
