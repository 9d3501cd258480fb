/* SPDX-License-Identifier: MPL-2.0
 * unigram-proto.c - reads a serialised ModelProto (spiece.model).
 *
 * Source: SentencePiece's sentencepiece_model.proto; the wire format of Protocol Buffers.
 */
#include <string.h>

#include "text/unigram-private.h"

/* A message, or what is left of it. */
typedef struct
{
  const uint8_t *p, *end;
} Reader;

typedef enum
{
  WIRE_VARINT,
  WIRE_64,
  WIRE_BYTES,
  WIRE_32 = 5
} WireType;

typedef struct
{
  uint32_t number;
  WireType type;
  uint64_t value; /* varints, 32 and 64 bits */
  Reader bytes;
} Field;

enum
{
  MODEL_PIECE = 1,
  MODEL_TRAINER = 2,
  MODEL_NORMALIZER = 3,
  PIECE_TEXT = 1,
  PIECE_SCORE = 2,
  PIECE_TYPE = 3,
  TRAINER_TYPE = 3,
  TRAINER_SUFFIX = 24,
  TRAINER_BYTE_FALLBACK = 35,
  TRAINER_UNK = 40,
  TRAINER_EOS = 42,
  TRAINER_PAD = 43,
  NORMALIZER_CHARSMAP = 2,
  NORMALIZER_PREFIX = 3,
  NORMALIZER_JOIN = 4,
  NORMALIZER_ESCAPE = 5,
  TYPE_UNIGRAM = 1
};

static bool
damaged_proto (Status *status)
{
  return status_fail (status, STATUS_FORMAT,
                      "The tokenizer's SentencePiece model is damaged: get its file again.");
}

static bool
read_varint (Reader *r, uint64_t *value)
{
  *value = 0;
  for (int shift = 0; shift < 64 && r->p < r->end; shift += 7)
    {
      uint8_t byte = *r->p++;
      *value |= (uint64_t) (byte & 0x7f) << shift;
      if (byte < 0x80)
        return true;
    }
  return false;
}

static bool
read_fixed (Reader *r, size_t n, uint64_t *value)
{
  if ((size_t) (r->end - r->p) < n)
    return false;
  *value = 0;
  memcpy (value, r->p, n);
  r->p += n;
  return true;
}

/* Returns: false at the end, and when damaged, which @status tells apart */
static bool
next_field (Reader *r, Field *f, Status *status)
{
  uint64_t key, n;
  if (r->p == r->end)
    return false;
  bool ok = read_varint (r, &key);
  *f = (Field){ .number = (uint32_t) (key >> 3), .type = (WireType) (key & 7) };
  if (ok && f->type == WIRE_VARINT)
    ok = read_varint (r, &f->value);
  else if (ok && f->type == WIRE_64)
    ok = read_fixed (r, 8, &f->value);
  else if (ok && f->type == WIRE_32)
    ok = read_fixed (r, 4, &f->value);
  else if (ok && f->type == WIRE_BYTES && read_varint (r, &n) && n <= (size_t) (r->end - r->p))
    {
      f->bytes = (Reader){ r->p, r->p + n };
      r->p += n;
    }
  else
    ok = false;
  return ok || damaged_proto (status);
}

static bool
read_piece (Unigram *u, Reader r, Status *status)
{
  Field f;
  Reader text = { 0 };
  float score = 0;
  PieceKind kind = PIECE_NORMAL;
  while (next_field (&r, &f, status))
    if (f.number == PIECE_TEXT && f.type == WIRE_BYTES)
      text = f.bytes;
    else if (f.number == PIECE_SCORE && f.type == WIRE_32)
      memcpy (&score, &f.value, sizeof score);
    else if (f.number == PIECE_TYPE && f.type == WIRE_VARINT && f.value >= PIECE_NORMAL &&
             f.value <= PIECE_BYTE)
      kind = (PieceKind) f.value;
  if (!status_ok (status))
    return false;
  return text.p && unigram_add (u, (const char *) text.p, (size_t) (text.end - text.p), score, kind,
                                status)
             ? true
             : status_ok (status) && damaged_proto (status);
}

static bool
not_ours (const char *what, Status *status)
{
  return status_fail (status, STATUS_UNSUPPORTED,
                      "The tokenizer's SentencePiece model %s, which this version cannot use; take "
                      "the one that belongs to T5 or umT5.",
                      status_text (what));
}

static bool
read_trainer (Unigram *u, Reader r, Status *status)
{
  Field f;
  while (next_field (&r, &f, status))
    {
      if (f.type != WIRE_VARINT)
        continue;
      if (f.number == TRAINER_TYPE && f.value != TYPE_UNIGRAM)
        return not_ours (STATUS_MARK ("is no unigram model"), status);
      if (f.number == TRAINER_SUFFIX && f.value)
        return not_ours (STATUS_MARK ("writes spaces behind words"), status);
      if (f.number == TRAINER_BYTE_FALLBACK)
        u->rules.byte_fallback = f.value != 0;
      if (f.number == TRAINER_UNK)
        u->unk = (int32_t) f.value;
      if (f.number == TRAINER_EOS)
        u->eos = (int32_t) f.value;
      if (f.number == TRAINER_PAD)
        u->pad = (int32_t) f.value;
    }
  return status_ok (status);
}

static bool
read_normalizer (Unigram *u, Reader r, Status *status)
{
  Field f;
  while (next_field (&r, &f, status))
    if (f.number == NORMALIZER_CHARSMAP && f.type == WIRE_BYTES && !u->trie)
      {
        if (!unigram_set_charsmap (u, f.bytes.p, (size_t) (f.bytes.end - f.bytes.p), status))
          return false;
      }
    else if (f.number == NORMALIZER_PREFIX && f.type == WIRE_VARINT)
      u->rules.prefix = f.value ? PREFIX_FIRST : PREFIX_NEVER;
    else if (f.number == NORMALIZER_JOIN && f.type == WIRE_VARINT)
      u->rules.join_spaces = f.value != 0;
    else if (f.number == NORMALIZER_ESCAPE && f.type == WIRE_VARINT && !f.value)
      return not_ours (STATUS_MARK ("leaves spaces as they are"), status);
  return status_ok (status);
}

bool
unigram_read_proto (Unigram *u, const void *data, size_t size, Status *status)
{
  Field f;
  Reader r = { data, (const uint8_t *) data + size };
  u->rules = (UnigramRules){ .prefix = PREFIX_FIRST, .join_spaces = true };
  while (next_field (&r, &f, status))
    {
      bool ok = true;
      if (f.type != WIRE_BYTES)
        continue;
      if (f.number == MODEL_PIECE)
        ok = read_piece (u, f.bytes, status);
      else if (f.number == MODEL_TRAINER)
        ok = read_trainer (u, f.bytes, status);
      else if (f.number == MODEL_NORMALIZER)
        ok = read_normalizer (u, f.bytes, status);
      if (!ok)
        return false;
    }
  return status_ok (status);
}
