/* SPDX-License-Identifier: MPL-2.0
 * options.c - the recipe table as command-line flags.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/control-args.h"
#include "core/mem.h"
#include "recipe/adapters.h"
#include "recipe/text.h"

/* Flags that are no recipe parameters; values above all characters and table indices. */
enum
{
  FLAG_TABLE = 1000, /* + index in the recipe table */
  FLAG_OUTPUT = 2000,
  FLAG_LATENT_OUT,
  FLAG_PREVIEW,
  FLAG_RESUME,
  FLAG_LORA,
  FLAG_CONTROL,
  FLAG_CONTROL_PREPROCESSOR,
  FLAG_CONTROL_RESIZE,
  FLAG_JSON,
  FLAG_LEVEL,
  FLAG_THREADS,
  FLAG_BACKEND,
  FLAG_VRAM_LIMIT,
  FLAG_FORMAT,
  FLAG_FORCE,
  FLAG_HELP,
  MAX_FLAGS = 96,
  MAX_THREADS = 256,
  MAX_VRAM_MIB = 1 << 24
};

typedef struct
{
  struct option options[MAX_FLAGS];
  char letters[2 * MAX_FLAGS];
} FlagTable;

static const struct option own_flags[] = {
  { "output", required_argument, NULL, FLAG_OUTPUT },
  { "latent-out", required_argument, NULL, FLAG_LATENT_OUT },
  { "preview", required_argument, NULL, FLAG_PREVIEW },
  { "resume", required_argument, NULL, FLAG_RESUME },
  { "lora", required_argument, NULL, FLAG_LORA },
  { "control", required_argument, NULL, FLAG_CONTROL },
  { "control-preprocessor", required_argument, NULL, FLAG_CONTROL_PREPROCESSOR },
  { "control-resize", required_argument, NULL, FLAG_CONTROL_RESIZE },
  { "json", no_argument, NULL, FLAG_JSON },
  { "level", required_argument, NULL, FLAG_LEVEL },
  { "threads", required_argument, NULL, FLAG_THREADS },
  { "backend", required_argument, NULL, FLAG_BACKEND },
  { "vram-limit", required_argument, NULL, FLAG_VRAM_LIMIT },
  { "help", no_argument, NULL, FLAG_HELP },
};

enum
{
  N_OWN_FLAGS = sizeof own_flags / sizeof *own_flags
};

static void
make_short_flags (FlagTable *t)
{
  *t = (FlagTable){ .letters = ":hm:", /* getopt: report a missing value as ':' */
                    .options = { { "json", no_argument, NULL, FLAG_JSON },
                                 { "model", required_argument, NULL, 'm' },
                                 { "help", no_argument, NULL, FLAG_HELP } } };
}

static void
make_convert_flags (FlagTable *t)
{
  *t = (FlagTable){ .letters = ":h",
                    .options = { { "format", required_argument, NULL, FLAG_FORMAT },
                                 { "force", no_argument, NULL, FLAG_FORCE },
                                 { "threads", required_argument, NULL, FLAG_THREADS },
                                 { "json", no_argument, NULL, FLAG_JSON },
                                 { "help", no_argument, NULL, FLAG_HELP } } };
}

static void
make_flags (FlagTable *t)
{
  int n = 0;
  char *letter = t->letters;
  *t = (FlagTable){ 0 };
  *letter++ = ':';
  for (int i = 0; i < recipe_table_count () && n < MAX_FLAGS - N_OWN_FLAGS - 1; i++)
    {
      const RecipeParam *p = &recipe_table ()[i];
      t->options[n++] = (struct option){ p->flag, required_argument, NULL, FLAG_TABLE + i };
      if (p->letter)
        {
          *letter++ = p->letter;
          *letter++ = ':';
        }
    }
  memcpy (letter, "o:h", sizeof "o:h");
  memcpy (t->options + n, own_flags, sizeof own_flags);
}

static int
param_of_letter (int letter)
{
  for (int i = 0; i < recipe_table_count (); i++)
    if (recipe_table ()[i].letter == letter)
      return i;
  return -1;
}

static bool
parse_threads (Options *o, const char *text, Status *status)
{
  char *end;
  long n = strtol (text, &end, 10);
  if (*text == '\0' || *end != '\0' || n < 0 || n > MAX_THREADS)
    return status_fail (status, STATUS_ARGUMENT,
                        "--threads takes a number from 0 (all cores) to %d, not %s.", MAX_THREADS,
                        text);
  o->n_threads = (int) n;
  return true;
}

static bool
parse_vram_limit (Options *o, const char *text, Status *status)
{
  char *end;
  long n = strtol (text, &end, 10);
  if (*text == '\0' || *end != '\0' || n < 1 || n > MAX_VRAM_MIB)
    return status_fail (status, STATUS_ARGUMENT,
                        "--vram-limit takes a number of MiB, as in 8000, not %s.", text);
  o->vram_limit_mib = n;
  return true;
}

/* A reference image given again is one more. */
static bool
take_reference (Options *o, Status *status)
{
  for (int i = 0; i < RECIPE_MAX_REFERENCES; i++)
    {
      const RecipeParam *p = recipe_find_param (recipe_reference_keys[i]);
      if (!*param_peek_string (p, &o->recipe))
        return recipe_set (&o->recipe, p->key, optarg, status);
    }
  return status_fail (status, STATUS_ARGUMENT,
                      "There are more than %d reference images: leave "
                      "some out.",
                      RECIPE_MAX_REFERENCES);
}

static bool
take_param (Options *o, int index, Status *status)
{
  const RecipeParam *p = &recipe_table ()[index];
  if (!strcmp (p->key, recipe_reference_keys[0]) && *optarg)
    return take_reference (o, status);
  if (!strcmp (p->key, "seed"))
    o->has_seed = true;
  return recipe_set (&o->recipe, p->key, optarg, status);
}

/* The number behind the last colon of @text, which is cut off there. */
static bool
cut_weight (char *text, double *weight)
{
  char *colon = strrchr (text, ':');
  if (!colon || colon == text || !text_to_double (colon + 1, weight))
    return false;
  *colon = '\0';
  return true;
}

/* NAME, NAME:WEIGHT or NAME:WEIGHT:TEXT_WEIGHT; a name may be a path. */
static bool
take_lora (Options *o, const char *text, Status *status)
{
  double last, first;
  RecipeAdapters list = { 0 };
  char *name = mem_strdup (text);
  if (!name)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  bool ok = recipe_adapters_read (&list, &o->recipe, status);
  bool one = cut_weight (name, &last), two = one && cut_weight (name, &first);
  RecipeAdapter *item = ok ? recipe_adapters_add (&list, name, status) : NULL;
  if (item && one)
    {
      item->weight = two ? first : last;
      item->text_weight = last;
    }
  if (item && strchr (name, '/'))
    ok = text_replace (&item->path, name, status) && text_replace (&item->name, NULL, status);
  ok = ok && item && recipe_adapters_write (&list, &o->recipe, status);
  recipe_adapters_clear (&list);
  mem_free (name);
  return ok;
}

static bool
take_flag (Options *o, int flag, char **argv, Status *status)
{
  switch (flag)
    {
    case 'o':
    case FLAG_OUTPUT:
      o->output = optarg;
      return true;
    case FLAG_LATENT_OUT:
      o->latent_out = optarg;
      return true;
    case FLAG_PREVIEW:
      o->preview = optarg;
      return true;
    case FLAG_RESUME:
      o->resume = optarg;
      return true;
    case FLAG_FORMAT:
      o->format = optarg;
      return true;
    case FLAG_FORCE:
      return o->force = true;
    case FLAG_LORA:
      return take_lora (o, optarg, status);
    case FLAG_CONTROL:
      return take_control (&o->recipe, optarg, status);
    case FLAG_CONTROL_PREPROCESSOR:
      return take_control_preprocessor (&o->recipe, optarg, status);
    case FLAG_CONTROL_RESIZE:
      return take_control_resize (&o->recipe, optarg, status);
    case FLAG_JSON:
      return o->json = true;
    case FLAG_LEVEL:
      o->level = optarg;
      return true;
    case FLAG_THREADS:
      return parse_threads (o, optarg, status);
    case FLAG_BACKEND:
      o->backend = optarg;
      return true;
    case FLAG_VRAM_LIMIT:
      return parse_vram_limit (o, optarg, status);
    case 'h':
    case FLAG_HELP:
      return o->help = true;
    case ':':
      return status_fail (status, STATUS_ARGUMENT, "%s needs a value; --help lists all flags.",
                          argv[optind - 1]);
    case '?':
      return status_fail (status, STATUS_ARGUMENT, "There is no flag %s; --help lists all flags.",
                          argv[optind - 1]);
    default:
      return take_param (o, flag >= FLAG_TABLE ? flag - FLAG_TABLE : param_of_letter (flag),
                         status);
    }
}

bool
options_parse (Options *o, int argc, char **argv, FlagSet set, Status *status)
{
  FlagTable flags;
  *o = (Options){ 0 };
  recipe_init (&o->recipe);
  (set == FLAGS_DRAW      ? make_flags
   : set == FLAGS_CONVERT ? make_convert_flags
                          : make_short_flags) (&flags);
  opterr = 0;
  for (;;)
    {
      int flag = getopt_long (argc, argv, flags.letters, flags.options, NULL);
      if (flag == -1)
        break;
      if (!take_flag (o, flag, argv, status))
        return false;
    }
  o->operands = argv + optind;
  o->n_operands = argc - optind;
  return true;
}

void
options_clear (Options *o)
{
  recipe_clear (&o->recipe);
}

static void
print_param (const RecipeParam *p)
{
  char flag[64];
  snprintf (flag, sizeof flag, "--%s", p->flag);
  if (p->letter)
    printf ("  -%c, %-22s %s\n", p->letter, flag, p->help);
  else
    printf ("      %-22s %s\n", flag, p->help);
  if (p->type == PARAM_ENUM)
    {
      printf ("      %-22s one of", "");
      for (int i = 0; p->choices[i]; i++)
        printf ("%s %s", i ? "," : "", p->choices[i]);
      printf ("; default %s\n", p->default_text);
    }
  else if (p->default_text && *p->default_text)
    printf ("      %-22s default %s%s%s\n", "", p->default_text, p->unit ? " " : "",
            p->unit ? p->unit : "");
}

void
options_print_help (FlagSet set)
{
  if (set == FLAGS_CONVERT)
    printf (
        "      --format NAME          bf16 or fp8 (scaled, as ComfyUI reads it) for safetensors,\n"
        "                             q8_0 or q4_k for GGUF\n"
        "      --force                replace a file that exists\n"
        "      --threads N            threads; 0 for one a core\n");
  if (set != FLAGS_DRAW)
    {
      if (set != FLAGS_CONVERT)
        printf ("  -m, --model FILE           inspect: whether an adapter goes with this model\n");
      printf ("      --json                 JSON on standard output\n"
              "  -h, --help                 this text\n");
      return;
    }
  printf ("The picture:\n");
  for (int i = 0; i < recipe_table_count (); i++)
    print_param (&recipe_table ()[i]);
  printf (
      "      --lora NAME[:W[:T]]    a LoRA of that name or path at weight W, and T on the text\n"
      "                             encoders; may be given several times\n"
      "      --control FILE:IMAGE[:W[:START[:END]]]\n"
      "                             a ControlNet of that name or path that follows a picture, at\n"
      "                             weight W, from START to END of the steps (0 to 1); may be\n"
      "                             given several times\n"
      "      --control-preprocessor NAME[:A[:B]]\n"
      "                             what is made of the last one's picture before: none, canny\n"
      "                             (thresholds, 100:200), invert, blur (sigma, 9) or threshold\n"
      "                             (127)\n"
      "      --control-resize NAME  how the last one's picture gets the result's shape: crop,\n"
      "                             fill or stretch; default crop\n"
      "\nThe program:\n"
      "  -o, --output FILE          where the picture or clip goes; a folder ends in /;\n"
      "                             default: Gesso in your Pictures folder\n"
      "                             a clip's format is as it ends, .mp4 where nothing is said\n"
      "      --latent-out FILE      also write the final latent, a safetensors file\n"
      "      --preview FILE         keep a PNG of how far the first picture is, after each step\n"
      "      --resume FILE          video: go on with the clip whose journal this is, "
      "FILM.journal;\n"
      "                             the same command with the same --output does so by itself\n"
      "      --json                 JSON lines on standard output\n"
      "      --level NAME           instruction set: ref, sse2, avx2, avx512, avx512bf16, amx\n"
      "      --backend NAME         what computes: cpu (the default), cuda, cuda:1 for the second\n"
      "                             card, or auto: a card where there is one\n"
      "      --vram-limit MIB       how much of the card's memory to take\n"
      "      --threads N            threads; 0 for one a core\n"
      "  -h, --help                 this text\n");
}
