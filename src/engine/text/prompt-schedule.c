/* SPDX-License-Identifier: MPL-2.0
 * prompt-schedule.c - prompt editing [from:to:when] and alternation [a|b], resolved per step.
 *
 * One pass over the text finds the groups.  A group counts only when all within it is well formed,
 * so a bracket that closes nothing, or a group of no known form, turns every bracket open at that
 * point into text.  What each step reads is then written out from the groups.
 */
#include <math.h>
#include <string.h>

#include "core/mem.h"
#include "text/chars.h"
#include "text/prompt-grammar.h"

enum
{
  MAX_COLONS = 2,
  MAX_RESULT_BYTES = 64 << 20, /* of all phases together */
  END_OF_LIST = -1
};

/* An open bracket and what stood directly inside it so far. */
typedef struct
{
  size_t open;
  size_t colons[MAX_COLONS];
  int n_colons, n_bars;
  int32_t first_bar, last_bar;
} Frame;

typedef struct
{
  size_t open, close;
  size_t colons[MAX_COLONS];
  int n_colons;
  int n_bars; /* more than 0: alternation, else editing */
  int32_t first_bar;
  int when; /* the last step with the text from before */
} Group;

typedef struct
{
  size_t at;
  int32_t next; /* in the same group */
} Bar;

typedef struct
{
  const char *text;
  size_t n;
  const PromptScheduleOptions *options;
  Group *groups;
  size_t n_groups, group_capacity;
  Bar *bars;
  size_t n_bars, bar_capacity;
  int32_t *group_at; /* per byte: group that opens there + 1 */
  Frame frames[TEXT_MAX_NESTING];
  int n_frames;
  bool verbatim; /* a | or \ that fits nowhere: the text is left as it is */
} Parser;

static void
parser_clear (Parser *p)
{
  mem_free (p->groups);
  mem_free (p->bars);
  mem_free (p->group_at);
}

/* Every bracket now open is text. */
static void
drop_frames (Parser *p)
{
  for (int i = 0; i < p->n_frames; i++)
    p->verbatim = p->verbatim || p->frames[i].n_bars;
  p->n_frames = 0;
}

/* The last step before the change that @number, at @p, asks for. */
static int
when_step (const PromptScheduleOptions *o, const char *p, size_t n, double number)
{
  bool hires = o->base_steps > 0 && !o->old_timelines;
  if (o->old_timelines)
    number = number < 1 ? number * o->steps : number;
  else if (memchr (p, '.', n))
    number = (number - (hires ? 1 : 0)) * o->steps;
  else
    number -= hires ? o->base_steps : 0;
  number = fmax (fmin (number, o->steps), -1);
  return (int) number;
}

static bool
read_when (const Parser *p, size_t start, size_t end, int *when)
{
  const char *s = p->text + start, *e = p->text + end;
  s += text_space_length (s, e);
  const char *number_end = s;
  double number;
  while (number_end < e && strchr ("0123456789.+-eE", *number_end))
    number_end++;
  size_t n = (size_t) (number_end - s);
  if (number_end + text_space_length (number_end, e) != e || !decimal_parse (s, n, true, &number))
    return false;
  *when = when_step (p->options, s, n, number);
  return true;
}

static bool
add_group (Parser *p, const Group *g, Status *status)
{
  if (!mem_grow (&p->groups, &p->group_capacity, p->n_groups + 1, sizeof *p->groups, status))
    return false;
  p->groups[p->n_groups++] = *g;
  p->group_at[g->open] = (int32_t) p->n_groups;
  return true;
}

static bool
close_square (Parser *p, size_t at, Status *status)
{
  const Frame *f = &p->frames[p->n_frames - 1];
  Group g = { .open = f->open,
              .close = at,
              .colons = { f->colons[0], f->colons[1] },
              .n_colons = f->n_colons,
              .n_bars = f->n_bars,
              .first_bar = f->first_bar };
  bool emphasis = !f->n_colons && !f->n_bars;
  bool alternates = f->n_bars && !f->n_colons;
  bool edits = !f->n_bars && f->n_colons && f->n_colons <= MAX_COLONS &&
               read_when (p, f->colons[f->n_colons - 1] + 1, at, &g.when);
  if (emphasis || alternates || edits)
    p->n_frames--;
  else
    drop_frames (p);
  return alternates || edits ? add_group (p, &g, status) : true;
}

static void
close_round (Parser *p)
{
  if (p->frames[p->n_frames - 1].n_colons <= 1)
    p->n_frames--;
  else
    drop_frames (p);
}

static bool
close_frame (Parser *p, size_t at, Status *status)
{
  if (!p->n_frames)
    return true;
  char open = p->text[p->frames[p->n_frames - 1].open];
  if (p->text[at] == ']' && open == '[')
    return close_square (p, at, status);
  if (p->text[at] == ')' && open == '(')
    close_round (p);
  else
    drop_frames (p);
  return true;
}

static bool
open_frame (Parser *p, size_t at, Status *status)
{
  if (p->n_frames == TEXT_MAX_NESTING)
    return status_fail (status, STATUS_ARGUMENT,
                        "The prompt's brackets nest more than %d deep: remove some.",
                        TEXT_MAX_NESTING);
  p->frames[p->n_frames++] = (Frame){ .open = at, .first_bar = END_OF_LIST };
  return true;
}

static bool
add_bar (Parser *p, size_t at, Status *status)
{
  Frame *f = p->n_frames ? &p->frames[p->n_frames - 1] : NULL;
  if (!f || p->text[f->open] != '[')
    {
      p->verbatim = true;
      return true;
    }
  if (!mem_grow (&p->bars, &p->bar_capacity, p->n_bars + 1, sizeof *p->bars, status))
    return false;
  int32_t bar = (int32_t) p->n_bars++;
  p->bars[bar] = (Bar){ .at = at, .next = END_OF_LIST };
  if (f->n_bars++)
    p->bars[f->last_bar].next = bar;
  else
    f->first_bar = bar;
  f->last_bar = bar;
  return true;
}

static void
add_colon (Parser *p, size_t at)
{
  if (!p->n_frames)
    return;
  Frame *f = &p->frames[p->n_frames - 1];
  if (f->n_colons < MAX_COLONS)
    f->colons[f->n_colons] = at;
  f->n_colons += f->n_colons <= MAX_COLONS; /* more are all alike */
}

static bool
parse (Parser *p, Status *status)
{
  p->group_at = mem_calloc (p->n, sizeof *p->group_at);
  if (!p->group_at)
    return text_no_memory (status);
  bool ok = true;
  for (size_t i = 0; ok && !p->verbatim && i < p->n; i++)
    {
      char c = p->text[i];
      if (c == '\\')
        {
          i++;
          p->verbatim = i == p->n || p->text[i] == '\n';
        }
      else if (c == '(' || c == '[')
        ok = open_frame (p, i, status);
      else if (c == ')' || c == ']')
        ok = close_frame (p, i, status);
      else if (c == '|')
        ok = add_bar (p, i, status);
      else if (c == ':')
        add_colon (p, i);
    }
  drop_frames (p);
  return ok;
}

/* What @group shows at @step: bytes @from .. @to of the text. */
static void
choose (const Parser *p, const Group *g, int step, size_t *from, size_t *to)
{
  if (!g->n_bars)
    {
      bool before = step <= g->when;
      bool has_before = g->n_colons == 2;
      *from = has_before && !before ? g->colons[0] + 1 : g->open + 1;
      *to = has_before && !before ? g->colons[1] : g->colons[0];
      if (!has_before && before)
        *to = *from;
      return;
    }
  int option = (step - 1) % (g->n_bars + 1);
  *from = g->open + 1;
  int32_t bar = g->first_bar;
  for (; option > 0; option--, bar = p->bars[bar].next)
    *from = p->bars[bar].at + 1;
  *to = bar == END_OF_LIST ? g->close : p->bars[bar].at;
}

/* Appends what @from .. @to reads at @step.  Recursion is bounded by TEXT_MAX_NESTING. */
static bool
render (const Parser *p, int step, size_t from, size_t to, TextBuf *out, Status *status)
{
  size_t run = from;
  for (size_t i = from; i < to; i++)
    {
      if (!p->group_at[i])
        continue;
      const Group *g = &p->groups[p->group_at[i] - 1];
      size_t a, b;
      choose (p, g, step, &a, &b);
      if (!text_buf_add (out, p->text + run, i - run, status) ||
          !render (p, step, a, b, out, status))
        return false;
      i = g->close;
      run = i + 1;
    }
  if (out->n > MAX_RESULT_BYTES)
    return status_fail (
        status, STATUS_ARGUMENT,
        "The prompt changes too often for its length: shorten it or take fewer steps.");
  return text_buf_add (out, p->text + run, to - run, status);
}

/* Marks the steps at which a phase ends. */
static void
mark_ends (const Parser *p, bool *ends)
{
  int steps = p->options->steps;
  bool alternates = false;
  for (size_t i = 0; i < p->n_groups; i++)
    {
      const Group *g = &p->groups[i];
      alternates = alternates || g->n_bars;
      if (!g->n_bars && g->when >= 1)
        ends[g->when] = true;
    }
  for (int step = alternates ? 1 : steps; step <= steps; step++)
    ends[step] = true;
}

/* Writes the phases' texts one behind the other into @out and their ends into @items. */
static bool
render_phases (const Parser *p, const bool *ends, PromptPhase *items, TextBuf *out, Status *status)
{
  int n = 0;
  for (int step = 1; step <= p->options->steps; step++)
    {
      if (!ends[step])
        continue;
      items[n++].end_at_step = step;
      if (!render (p, step, 0, p->n, out, status) || !text_buf_add (out, "", 1, status))
        return false;
    }
  return true;
}

static bool
build (const Parser *p, PromptSchedule *schedule, Status *status)
{
  bool *ends = mem_calloc ((size_t) p->options->steps + 1, sizeof *ends);
  TextBuf out = { 0 };
  bool ok = ends != NULL || text_no_memory (status);
  if (ok)
    {
      mark_ends (p, ends);
      for (int step = 1; step <= p->options->steps; step++)
        schedule->n += ends[step];
      schedule->items = mem_calloc ((size_t) schedule->n, sizeof *schedule->items);
      ok = (schedule->items != NULL || text_no_memory (status)) &&
           render_phases (p, ends, schedule->items, &out, status);
    }
  if (ok)
    {
      const char *text = schedule->pool = out.data;
      for (int i = 0; i < schedule->n; i++, text += strlen (text) + 1)
        schedule->items[i].text = text;
    }
  else
    text_buf_clear (&out);
  mem_free (ends);
  return ok;
}

bool
prompt_schedule (const char *text,
                 const PromptScheduleOptions *options,
                 PromptSchedule *schedule,
                 Status *status)
{
  *schedule = (PromptSchedule){ 0 };
  if (options->steps < 1 || options->steps > PROMPT_MAX_STEPS)
    return status_fail (status, STATUS_ARGUMENT, "%d steps are asked for: choose 1 to %d.",
                        options->steps, PROMPT_MAX_STEPS);
  Parser p = { .text = text, .options = options };
  bool ok = text_check_length (text, &p.n, status) && parse (&p, status);
  if (ok && p.verbatim)
    {
      p.n_groups = 0;
      memset (p.group_at, 0, p.n * sizeof *p.group_at);
    }
  ok = ok && build (&p, schedule, status);
  if (!ok)
    prompt_schedule_clear (schedule);
  parser_clear (&p);
  return ok;
}

void
prompt_schedule_clear (PromptSchedule *schedule)
{
  mem_free (schedule->items);
  mem_free (schedule->pool);
  *schedule = (PromptSchedule){ 0 };
}
