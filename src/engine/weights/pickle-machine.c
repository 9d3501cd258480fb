/* SPDX-License-Identifier: MPL-2.0
 * pickle-machine.c - the opcodes, one case each.
 *
 * Source: the opcode list in Python's documentation of pickletools (protocols 0 to 5, the subset
 * that torch.save and Lightning write).
 */
#include "weights/pickle-machine.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "weights/pickle-torch.h"
#include "weights/tensor-table.h"

enum
{
  MAX_STACK = 1 << 22,
  MAX_TEXT_LINE = 1024,
  MAX_PROTOCOL = 5,
  MAX_LONG = 8 /* longer integers saturate: only Python cares for their value */
};

enum
{
  OP_MARK = '(',
  OP_STOP = '.',
  OP_POP = '0',
  OP_POP_MARK = '1',
  OP_DUP = '2',
  OP_FLOAT = 'F',
  OP_INT = 'I',
  OP_BININT = 'J',
  OP_BININT1 = 'K',
  OP_LONG = 'L',
  OP_BININT2 = 'M',
  OP_NONE = 'N',
  OP_BINPERSID = 'Q',
  OP_REDUCE = 'R',
  OP_BINSTRING = 'T',
  OP_SHORT_BINSTRING = 'U',
  OP_BINUNICODE = 'X',
  OP_APPEND = 'a',
  OP_BUILD = 'b',
  OP_GLOBAL = 'c',
  OP_DICT = 'd',
  OP_EMPTY_DICT = '}',
  OP_APPENDS = 'e',
  OP_BINGET = 'h',
  OP_LONG_BINGET = 'j',
  OP_LIST = 'l',
  OP_EMPTY_LIST = ']',
  OP_BINPUT = 'q',
  OP_LONG_BINPUT = 'r',
  OP_SETITEM = 's',
  OP_TUPLE = 't',
  OP_EMPTY_TUPLE = ')',
  OP_SETITEMS = 'u',
  OP_BINFLOAT = 'G',
  OP_BINBYTES = 'B',
  OP_SHORT_BINBYTES = 'C',
  OP_PROTO = 0x80,
  OP_NEWOBJ = 0x81,
  OP_TUPLE1 = 0x85,
  OP_TUPLE2 = 0x86,
  OP_TUPLE3 = 0x87,
  OP_NEWTRUE = 0x88,
  OP_NEWFALSE = 0x89,
  OP_LONG1 = 0x8a,
  OP_LONG4 = 0x8b,
  OP_SHORT_BINUNICODE = 0x8c,
  OP_BINUNICODE8 = 0x8d,
  OP_BINBYTES8 = 0x8e,
  OP_EMPTY_SET = 0x8f,
  OP_ADDITEMS = 0x90,
  OP_FROZENSET = 0x91,
  OP_NEWOBJ_EX = 0x92,
  OP_STACK_GLOBAL = 0x93,
  OP_MEMOIZE = 0x94,
  OP_FRAME = 0x95
};

typedef struct
{
  Pool *pool;
  const uint8_t *p, *end;
  size_t size;
  const char *label;
  Status *status;
  PickleValue **stack, **memo;
  size_t n_stack, stack_capacity, n_memo, memo_capacity;
} Machine;

static bool
broken (Machine *m, const char *what)
{
  return damaged (m->status, m->label, "its pickle %s", status_text (what));
}

static PickleValue *
new_value (Machine *m, PickleKind kind)
{
  PickleValue *v = pool_alloc (m->pool, 1, sizeof *v, m->status);
  if (v)
    v->kind = kind;
  return v;
}

static bool
push (Machine *m, PickleValue *v)
{
  if (!v)
    return false;
  if (m->n_stack >= MAX_STACK)
    return broken (m, STATUS_MARK ("nests too deeply"));
  if (!mem_grow (&m->stack, &m->stack_capacity, m->n_stack + 1, sizeof *m->stack, m->status))
    return false;
  m->stack[m->n_stack++] = v;
  return true;
}

static bool
push_new (Machine *m, PickleKind kind)
{
  return push (m, new_value (m, kind));
}

static bool
push_int (Machine *m, PickleKind kind, int64_t i)
{
  PickleValue *v = new_value (m, kind);
  if (v)
    v->integer = i;
  return push (m, v);
}

static bool
push_real (Machine *m, double real)
{
  PickleValue *v = new_value (m, PICKLE_FLOAT);
  if (v)
    v->real = real;
  return push (m, v);
}

/* A mark is not a value: NULL and FORMAT when it is in the way. */
static PickleValue *
pop (Machine *m)
{
  if (!m->n_stack || m->stack[m->n_stack - 1]->kind == PICKLE_MARK)
    {
      broken (m, STATUS_MARK ("takes a value that is not there"));
      return NULL;
    }
  return m->stack[--m->n_stack];
}

static PickleValue *
top (Machine *m)
{
  PickleValue *v = pop (m);
  m->n_stack += v != NULL;
  return v;
}

static const uint8_t *
take (Machine *m, uint64_t n)
{
  if (n > (uint64_t) (m->end - m->p))
    {
      broken (m, STATUS_MARK ("ends too early"));
      return NULL;
    }
  const uint8_t *p = m->p;
  m->p += n;
  return p;
}

/* Little-endian, @n of 1 to 8 bytes. */
static bool
take_uint (Machine *m, int n, uint64_t *out)
{
  const uint8_t *p = take (m, (uint64_t) n);
  *out = 0;
  for (int i = n - 1; p && i >= 0; i--)
    *out = *out << 8 | p[i];
  return p != NULL;
}

static bool
push_uint (Machine *m, int n)
{
  uint64_t v;
  return take_uint (m, n, &v) && push_int (m, PICKLE_INT, (int64_t) v);
}

static bool
push_text (Machine *m, PickleKind kind, const char *bytes, size_t n)
{
  PickleValue *v = new_value (m, kind);
  if (!v || !(v->text.bytes = pool_strndup (m->pool, bytes, n, m->status)))
    return false;
  v->text.size = n;
  return push (m, v);
}

static bool
push_counted_text (Machine *m, int n_length)
{
  uint64_t n;
  const uint8_t *p = take_uint (m, n_length, &n) ? take (m, n) : NULL;
  return p && push_text (m, PICKLE_TEXT, (const char *) p, (size_t) n);
}

/* Two's complement of any length. */
static bool
push_long (Machine *m, int n_length)
{
  uint64_t n;
  const uint8_t *p = take_uint (m, n_length, &n) ? take (m, n) : NULL;
  if (!p)
    return false;
  if (!n)
    return push_int (m, PICKLE_INT, 0);
  bool negative = p[n - 1] & 0x80;
  if (n > MAX_LONG)
    return push_int (m, PICKLE_INT, negative ? INT64_MIN : INT64_MAX);
  uint64_t v = negative ? UINT64_MAX : 0;
  for (uint64_t i = n; i-- > 0;)
    v = v << 8 | p[i];
  return push_int (m, PICKLE_INT, (int64_t) v);
}

static bool
push_binfloat (Machine *m)
{
  const uint8_t *p = take (m, 8);
  if (!p)
    return false;
  uint64_t bits = 0;
  for (int i = 0; i < 8; i++)
    bits = bits << 8 | p[i];
  double real;
  memcpy (&real, &bits, sizeof real);
  return push_real (m, real);
}

/* Text up to a line feed, without it, zero-terminated in @line. */
static bool
take_line (Machine *m, char line[MAX_TEXT_LINE])
{
  size_t left = (size_t) (m->end - m->p);
  const uint8_t *feed = left ? memchr (m->p, '\n', left) : NULL;
  if (!feed || feed - m->p >= MAX_TEXT_LINE)
    return broken (m, STATUS_MARK ("has a line without an end"));
  size_t n = (size_t) (feed - m->p);
  memcpy (line, m->p, n);
  line[n] = 0;
  m->p = feed + 1;
  return true;
}

/* INT also writes booleans, as "00" and "01"; LONG ends in 'L'. */
static bool
push_line_int (Machine *m, bool may_be_bool)
{
  char line[MAX_TEXT_LINE];
  if (!take_line (m, line))
    return false;
  if (may_be_bool && (!strcmp (line, "00") || !strcmp (line, "01")))
    return push_int (m, PICKLE_BOOL, line[1] == '1');
  char *rest;
  int64_t v = strtoll (line, &rest, 10);
  if (rest == line || (*rest && strcmp (rest, "L") != 0))
    return broken (m, STATUS_MARK ("has a number that is none"));
  return push_int (m, PICKLE_INT, v);
}

static bool
push_line_float (Machine *m)
{
  char line[MAX_TEXT_LINE];
  if (!take_line (m, line))
    return false;
  char *rest;
  double v = strtod (line, &rest);
  return rest == line || *rest ? broken (m, STATUS_MARK ("has a number that is none"))
                               : push_real (m, v);
}

static bool
push_global (Machine *m, const char *module, const char *name)
{
  PickleValue *v = new_value (m, PICKLE_GLOBAL);
  if (!v || !(v->text.bytes = pool_printf (m->pool, m->status, "%s.%s", module, name)))
    return false;
  v->text.size = strlen (v->text.bytes);
  return push (m, v);
}

static bool
op_global (Machine *m)
{
  char module[MAX_TEXT_LINE], name[MAX_TEXT_LINE];
  return take_line (m, module) && take_line (m, name) && push_global (m, module, name);
}

static bool
op_stack_global (Machine *m)
{
  PickleValue *name = pop (m), *module = name ? pop (m) : NULL;
  if (!module)
    return false;
  if (name->kind != PICKLE_TEXT || module->kind != PICKLE_TEXT)
    return broken (m, STATUS_MARK ("names a class by something that is not text"));
  return push_global (m, module->text.bytes, name->text.bytes);
}

/* Items above the topmost mark, in order; the mark is removed.  Borrowed until the next push. */
static bool
pop_to_mark (Machine *m, PickleValue ***items, size_t *n)
{
  size_t at = m->n_stack;
  while (at > 0 && m->stack[at - 1]->kind != PICKLE_MARK)
    at--;
  if (!at)
    return broken (m, STATUS_MARK ("has no mark where it needs one"));
  *items = m->stack + at;
  *n = m->n_stack - at;
  m->n_stack = at - 1;
  return true;
}

static bool
extend (Machine *m, PickleValue *list, PickleValue **items, size_t n)
{
  if (!n)
    return true;
  if (!pool_grow (m->pool, &list->list.items, &list->list.capacity, list->list.n + n, sizeof *items,
                  m->status))
    return false;
  memcpy (list->list.items + list->list.n, items, n * sizeof *items);
  list->list.n += n;
  return true;
}

/* Objects that are not ours swallow what is put into them. */
static bool
add_items (Machine *m, PickleValue *to, PickleKind kind, PickleValue **items, size_t n)
{
  if (kind == PICKLE_DICT && n % 2)
    return broken (m, STATUS_MARK ("sets a key without a value"));
  if (to->kind == PICKLE_OPAQUE)
    return true;
  if (to->kind != kind)
    return broken (m, STATUS_MARK ("adds items to something that holds none"));
  return extend (m, to, items, n);
}

static bool
op_add_marked (Machine *m, PickleKind kind)
{
  PickleValue **items = NULL;
  size_t n = 0;
  PickleValue *to = pop_to_mark (m, &items, &n) ? top (m) : NULL;
  return to && add_items (m, to, kind, items, n);
}

static bool
op_append (Machine *m)
{
  PickleValue *item = pop (m), *to = item ? top (m) : NULL;
  return to && add_items (m, to, PICKLE_LIST, &item, 1);
}

static bool
op_setitem (Machine *m)
{
  PickleValue *pair[2];
  pair[1] = pop (m);
  pair[0] = pair[1] ? pop (m) : NULL;
  PickleValue *to = pair[0] ? top (m) : NULL;
  return to && add_items (m, to, PICKLE_DICT, pair, 2);
}

static bool
op_collect_marked (Machine *m, PickleKind kind)
{
  PickleValue **items = NULL;
  size_t n = 0;
  if (!pop_to_mark (m, &items, &n))
    return false;
  PickleValue *v = new_value (m, kind);
  return v && add_items (m, v, kind, items, n) && push (m, v);
}

static bool
op_tuple (Machine *m, size_t n)
{
  PickleValue *items[3], *v = new_value (m, PICKLE_TUPLE);
  for (size_t i = n; v && i-- > 0;)
    if (!(items[i] = pop (m)))
      return false;
  return v && extend (m, v, items, n) && push (m, v);
}

static bool
op_put (Machine *m, uint64_t at)
{
  PickleValue *v = top (m);
  if (!v)
    return false;
  /* Every put takes a byte at least, and Python numbers them in order. */
  if (at >= m->size)
    return broken (m, STATUS_MARK ("remembers a value at an impossible place"));
  if (!mem_grow (&m->memo, &m->memo_capacity, at + 1, sizeof *m->memo, m->status))
    return false;
  while (m->n_memo <= at)
    m->memo[m->n_memo++] = NULL;
  m->memo[at] = v;
  return true;
}

static bool
op_get (Machine *m, uint64_t at)
{
  if (at >= m->n_memo || !m->memo[at])
    return broken (m, STATUS_MARK ("recalls a value that it never stored"));
  return push (m, m->memo[at]);
}

static bool
op_memo (Machine *m, int n, bool (*op) (Machine *, uint64_t))
{
  uint64_t at;
  return take_uint (m, n, &at) && op (m, at);
}

static bool
op_reduce (Machine *m)
{
  PickleValue *args = pop (m), *callable = args ? pop (m) : NULL;
  return callable && push (m, pickle_torch_call (m->pool, callable, args, m->label, m->status));
}

static bool
op_newobj_ex (Machine *m)
{
  PickleValue *keywords = pop (m), *args = keywords ? pop (m) : NULL;
  PickleValue *type = args ? pop (m) : NULL;
  return type && push_new (m, PICKLE_OPAQUE);
}

/* State of an object: attributes of a dict (torch's _metadata) and of opaque objects are dropped.
 */
static bool
op_build (Machine *m)
{
  return pop (m) && top (m);
}

static bool
op_persistent_id (Machine *m)
{
  PickleValue *id = pop (m);
  return id && push (m, pickle_torch_storage (m->pool, id, m->label, m->status));
}

static bool
op_proto (Machine *m)
{
  uint64_t protocol;
  if (!take_uint (m, 1, &protocol))
    return false;
  return protocol <= MAX_PROTOCOL ||
         broken (m, STATUS_MARK ("is of a protocol that does not exist"));
}

static bool
op_pop_mark (Machine *m)
{
  PickleValue **items = NULL;
  size_t n = 0;
  return pop_to_mark (m, &items, &n);
}

static bool
op_pop (Machine *m)
{
  if (!m->n_stack)
    return broken (m, STATUS_MARK ("takes a value that is not there"));
  m->n_stack--;
  return true;
}

static bool
unknown_op (Machine *m, uint8_t op)
{
  return status_fail (
      m->status, STATUS_UNSUPPORTED,
      "\"%.100s\" uses pickle operation 0x%02x, which model files do not need; it was "
      "not opened for your safety.",
      m->label, op);
}

/* Opcodes that push constants. */
static bool
step_constant (Machine *m, uint8_t op)
{
  uint64_t v;
  switch (op)
    {
    case OP_NONE:
      return push_new (m, PICKLE_NONE);
    case OP_NEWTRUE:
    case OP_NEWFALSE:
      return push_int (m, PICKLE_BOOL, op == OP_NEWTRUE);
    case OP_BININT:
      return take_uint (m, 4, &v) && push_int (m, PICKLE_INT, (int32_t) v);
    case OP_BININT1:
      return push_uint (m, 1);
    case OP_BININT2:
      return push_uint (m, 2);
    case OP_INT:
    case OP_LONG:
      return push_line_int (m, op == OP_INT);
    case OP_LONG1:
      return push_long (m, 1);
    case OP_LONG4:
      return push_long (m, 4);
    case OP_FLOAT:
      return push_line_float (m);
    case OP_BINFLOAT:
      return push_binfloat (m);
    case OP_SHORT_BINUNICODE:
    case OP_SHORT_BINSTRING:
    case OP_SHORT_BINBYTES:
      return push_counted_text (m, 1);
    case OP_BINUNICODE:
    case OP_BINSTRING:
    case OP_BINBYTES:
      return push_counted_text (m, 4);
    case OP_BINUNICODE8:
    case OP_BINBYTES8:
      return push_counted_text (m, 8);
    case OP_GLOBAL:
      return op_global (m);
    default:
      return unknown_op (m, op);
    }
}

/* Opcodes that build containers. */
static bool
step_container (Machine *m, uint8_t op)
{
  switch (op)
    {
    case OP_MARK:
      return push_new (m, PICKLE_MARK);
    case OP_EMPTY_DICT:
      return push_new (m, PICKLE_DICT);
    case OP_EMPTY_LIST:
    case OP_EMPTY_SET:
      return push_new (m, PICKLE_LIST);
    case OP_EMPTY_TUPLE:
      return push_new (m, PICKLE_TUPLE);
    case OP_TUPLE1:
    case OP_TUPLE2:
    case OP_TUPLE3:
      return op_tuple (m, (size_t) (op - OP_TUPLE1 + 1));
    case OP_TUPLE:
      return op_collect_marked (m, PICKLE_TUPLE);
    case OP_LIST:
    case OP_FROZENSET:
      return op_collect_marked (m, PICKLE_LIST);
    case OP_DICT:
      return op_collect_marked (m, PICKLE_DICT);
    case OP_APPEND:
      return op_append (m);
    case OP_APPENDS:
    case OP_ADDITEMS:
      return op_add_marked (m, PICKLE_LIST);
    case OP_SETITEM:
      return op_setitem (m);
    case OP_SETITEMS:
      return op_add_marked (m, PICKLE_DICT);
    default:
      return step_constant (m, op);
    }
}

/* Opcodes that move and combine values. */
static bool
step (Machine *m, uint8_t op)
{
  switch (op)
    {
    case OP_PROTO:
      return op_proto (m);
    case OP_FRAME:
      return take (m, 8) != NULL;
    case OP_POP:
      return op_pop (m);
    case OP_POP_MARK:
      return op_pop_mark (m);
    case OP_DUP:
      return push (m, top (m));
    case OP_BINGET:
      return op_memo (m, 1, op_get);
    case OP_LONG_BINGET:
      return op_memo (m, 4, op_get);
    case OP_BINPUT:
      return op_memo (m, 1, op_put);
    case OP_LONG_BINPUT:
      return op_memo (m, 4, op_put);
    case OP_MEMOIZE:
      return op_put (m, m->n_memo);
    case OP_STACK_GLOBAL:
      return op_stack_global (m);
    case OP_REDUCE:
    case OP_NEWOBJ:
      return op_reduce (m);
    case OP_NEWOBJ_EX:
      return op_newobj_ex (m);
    case OP_BUILD:
      return op_build (m);
    case OP_BINPERSID:
      return op_persistent_id (m);
    default:
      return step_container (m, op);
    }
}

static PickleValue *
run (Machine *m)
{
  for (;;)
    {
      const uint8_t *op = take (m, 1);
      if (!op)
        return NULL;
      if (*op == OP_STOP)
        return pop (m);
      if (!step (m, *op))
        return NULL;
    }
}

PickleValue *
pickle_run (Pool *pool, const uint8_t **p, const uint8_t *end, const char *label, Status *status)
{
  Machine m = {
    .pool = pool, .p = *p, .end = end, .size = (size_t) (end - *p), .label = label, .status = status
  };
  PickleValue *v = run (&m);
  mem_free (m.stack);
  mem_free (m.memo);
  *p = m.p;
  return v;
}

const PickleValue *
pickle_member (const PickleValue *dict, const char *key)
{
  const PickleValue *found = NULL;
  for (size_t i = 0; dict->kind == PICKLE_DICT && i + 1 < dict->list.n; i += 2)
    {
      const PickleValue *k = dict->list.items[i];
      if (k->kind == PICKLE_TEXT && strcmp (k->text.bytes, key) == 0)
        found = dict->list.items[i + 1];
    }
  return found;
}
