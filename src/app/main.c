/* SPDX-License-Identifier: MPL-2.0
 * main.c - the program `gesso`: the window.
 */
#include <glib/gi18n.h>
#include <locale.h>

#include "app/gesso-application.h"
#include "app/gesso-paths.h"
#include "core/guard.h"
#include "core/status.h"
#if GESSO_VIDEO
#  include "media/video/video.h"
#endif

/* What the engine's own sentences come out as, in this process. */
static const char *
translate (const char *text)
{
  return dgettext (GETTEXT_PACKAGE, text);
}

int
main (int argc, char **argv)
{
  guard_install (); /* the library's scanner maps the headers of files that others may change */
#if GESSO_VIDEO
  video_hush ();
#endif
  setlocale (LC_ALL, "");
  g_autofree char *locale_dir = gesso_paths_dup_locale_dir (GESSO_LOCALE_DIR);
  bindtextdomain (GETTEXT_PACKAGE, locale_dir);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
  status_set_translate (translate);
  status_set_in_window (true);
  g_autoptr (GessoApplication) app = gesso_application_new ();
  return g_application_run (G_APPLICATION (app), argc, argv);
}
