/* SPDX-License-Identifier: MPL-2.0
 * main.c - gesso-cli: the studio without a display.
 */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "config.h"
#include "core/guard.h"
#if GESSO_VIDEO
#  include "media/video/video.h"
#endif

atomic_bool cli_cancel, cli_told_to_end;

typedef struct
{
  const char *name;
  int (*run) (Options *o);
  FlagSet flags;
  const char *synopsis, *summary;
  int (*run_own) (int argc, char **argv, const char *usage); /* reads its flags itself; or NULL */
} Command;

static const Command commands[] = {
  { "generate", command_generate, FLAGS_DRAW, "generate [FLAGS] PROMPT", "make pictures" },
  { "plan", command_plan, FLAGS_DRAW, "plan [FLAGS] [PROMPT]",
    "say what a picture needs in memory and time" },
  { "inspect", command_inspect, FLAGS_PLAIN, "inspect [--json] FILE...",
    "say what model files are" },
  { "convert", command_convert, FLAGS_CONVERT, "convert --format NAME INPUT... OUTPUT",
    "write model files or a diffusers folder in another storage format" },
  { "recipe", command_recipe, FLAGS_PLAIN, "recipe FILE",
    "print the recipe inside a picture, film or ComfyUI workflow, as JSON" },
  { "models", command_models, FLAGS_PLAIN, "models [--json]", "list the models found" },
  { "devices", command_devices, FLAGS_PLAIN, "devices [--json]",
    "say what can compute on this machine" },
  { "bench", NULL, FLAGS_PLAIN, "bench [--backend NAME] [--json]", "measure what computes here",
    command_bench },
#if GESSO_VIDEO
  { "video", command_video, FLAGS_DRAW, "video [FLAGS] PROMPT", "make clips" },
  { "export", NULL, FLAGS_PLAIN, "export [FLAGS] INPUT OUTPUT",
    "write a clip, pictures or a film as a film of another format", command_export },
#endif
};

enum
{
  N_COMMANDS = sizeof commands / sizeof *commands
};

static void
on_signal (int number)
{
  if (number == SIGTERM)
    atomic_store (&cli_told_to_end, true);
  atomic_store (&cli_cancel, true);
}

static void
catch_signals (void)
{
  struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int) SA_RESETHAND };
  sigaction (SIGINT, &action, NULL);
  sigaction (SIGTERM, &action, NULL);
  signal (SIGPIPE, SIG_IGN);
  signal (SIGXFSZ, SIG_IGN); /* a full disk is an error to report, not to die of */
}

static void
print_help (void)
{
  printf ("Gesso %s makes pictures and clips from words, on this machine.\n\nUsage:\n",
          GESSO_VERSION);
  for (int i = 0; i < N_COMMANDS; i++)
    printf ("  gesso-cli %-36s %s\n", commands[i].synopsis, commands[i].summary);
  printf ("\nTry:  gesso-cli generate \"a red apple\"\n"
          "      gesso-cli COMMAND --help   for all flags\n");
}

static const Command *
find_command (const char *name)
{
  for (int i = 0; i < N_COMMANDS; i++)
    if (!strcmp (commands[i].name, name))
      return &commands[i];
  return NULL;
}

static void
format_usage (const Command *c, char *out, size_t room)
{
  snprintf (out, room, "Usage: gesso-cli %s\n%c%s.\n\n", c->synopsis, c->summary[0] - 'a' + 'A',
            c->summary + 1);
}

static int
run_with_options (const Command *c, int argc, char **argv, const char *usage)
{
  Options o;
  Status status = { 0 };
  int code = EXIT_DONE;
  if (!options_parse (&o, argc, argv, c->flags, &status))
    code = cli_usage_error (&status);
  else if (o.help)
    {
      printf ("%s", usage);
      options_print_help (c->flags);
    }
  else
    code = c->run (&o);
  options_clear (&o);
  return code;
}

static int
run_command (const Command *c, int argc, char **argv)
{
  Status status = { 0 };
  char usage[256];
  format_usage (c, usage, sizeof usage);
  int code = c->run_own ? c->run_own (argc, argv, usage) : run_with_options (c, argc, argv, usage);
  if (fflush (stdout) != 0 && code == EXIT_DONE)
    {
      status_fail (&status, STATUS_IO, "The output could not be written: is the disk full?");
      code = cli_fail (&status, false);
    }
  return code;
}

static int
unknown_command (const char *name)
{
  Status status = { 0 };
  char list[128] = "";
  for (int i = 0; i < N_COMMANDS; i++)
    {
      const char *before = i == 0 ? "" : i + 1 == N_COMMANDS ? " and " : ", ";
      size_t n = strlen (list);
      snprintf (list + n, sizeof list - n, "%s%s", before, commands[i].name);
    }
  status_fail (&status, STATUS_ARGUMENT, "There is no command %s; the commands are %s.", name,
               list);
  return cli_usage_error (&status);
}

int
main (int argc, char **argv)
{
  setlocale (LC_CTYPE, "");
  catch_signals ();
  guard_install ();
#if GESSO_VIDEO
  video_hush ();
#endif
  if (argc < 2 || !strcmp (argv[1], "help") || !strcmp (argv[1], "--help") ||
      !strcmp (argv[1], "-h"))
    {
      print_help ();
      return EXIT_DONE;
    }
  if (!strcmp (argv[1], "--version"))
    {
      printf ("Gesso %s\n", GESSO_VERSION);
      return EXIT_DONE;
    }
  const Command *c = find_command (argv[1]);
  return c ? run_command (c, argc - 1, argv + 1) : unknown_command (argv[1]);
}
