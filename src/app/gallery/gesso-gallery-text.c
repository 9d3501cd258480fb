/* SPDX-License-Identifier: MPL-2.0
 * gesso-gallery-text.c - what pictures and days are called.
 */
#include "app/gallery/gesso-gallery-text.h"

#include <glib/gi18n.h>

enum
{
  LABEL_CHARS = 160, /* more of a prompt is not listened to */
  WEEK_DAYS = 7,
  MINUTE_S = 60
};

/* GLib asks the disk each time which zone the machine is in; a grid of thumbnails has hundreds of
 * times to show, so it is asked once a minute. */
static GDateTime *
local_time (gint64 unix_s, gint64 now_s)
{
  static GTimeZone *zone;
  static gint64 asked;
  if (!zone || asked != now_s / MINUTE_S)
    {
      g_clear_pointer (&zone, g_time_zone_unref);
      zone = g_time_zone_new_local ();
      asked = now_s / MINUTE_S;
    }
  g_autoptr (GDateTime) utc = g_date_time_new_from_unix_utc (unix_s);
  return utc ? g_date_time_to_timezone (utc, zone) : NULL;
}

/* Days since the year 1, local time: a day may have 23 or 25 hours. */
static guint32
day_number (GDateTime *time)
{
  int year, month, day;
  g_date_time_get_ymd (time, &year, &month, &day);
  GDate date;
  g_date_clear (&date, 1);
  g_date_set_dmy (&date, (GDateDay) day, (GDateMonth) month, (GDateYear) year);
  return g_date_get_julian (&date);
}

char *
gesso_gallery_day_text (gint64 created_s, gint64 now_s)
{
  g_autoptr (GDateTime) then = local_time (created_s, now_s);
  g_autoptr (GDateTime) now = local_time (now_s, now_s);
  if (!then || !now)
    return g_strdup (_ ("Unknown date"));
  gint64 days = (gint64) day_number (now) - (gint64) day_number (then);
  if (days == 0)
    return g_strdup (_ ("Today"));
  if (days == 1)
    return g_strdup (_ ("Yesterday"));
  if (days > 1 && days < WEEK_DAYS)
    return g_date_time_format (then, "%A");
  /* Translators: a day, as for g_date_time_format(): 12 March 2026 */
  return g_date_time_format (then, _ ("%-e %B %Y"));
}

char *
gesso_gallery_time_text (gint64 created_s, gint64 now_s)
{
  g_autofree char *day = gesso_gallery_day_text (created_s, now_s);
  g_autoptr (GDateTime) then = local_time (created_s, now_s);
  g_autofree char *hour = then ? g_date_time_format (then, "%R") : g_strdup ("");
  /* Translators: a day, then a time of the day: "Today, 14:05" */
  return g_strdup_printf (_ ("%s, %s"), day, hour);
}

char *
gesso_gallery_picture_name (GessoPicture *picture)
{
  g_return_val_if_fail (GESSO_IS_PICTURE (picture), NULL);
  const char *path = gesso_picture_get_path (picture);
  return *path ? g_filename_display_basename (path) : g_strdup ("");
}

char *
gesso_gallery_shorten (const char *text, glong max_chars)
{
  g_return_val_if_fail (text != NULL, NULL);
  if (g_utf8_strlen (text, -1) <= max_chars)
    return g_strdup (text);
  g_autofree char *start = g_utf8_substring (text, 0, max_chars);
  return g_strconcat (start, "…", NULL);
}

char *
gesso_gallery_duration_text (int duration_ms)
{
  int s = MAX ((duration_ms + 500) / 1000, 1);
  return s < 3600 ? g_strdup_printf ("%d:%02d", s / 60, s % 60)
                  : g_strdup_printf ("%d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
}

static char *
dup_spoken_name (GessoPicture *picture)
{
  const char *prompt = gesso_picture_get_prompt (picture);
  int duration = gesso_picture_get_duration (picture);
  char *name =
      *prompt ? gesso_gallery_shorten (prompt, LABEL_CHARS) : gesso_gallery_picture_name (picture);
  if (duration == 0)
    return name;
  g_autofree char *of_clip = name;
  /* Translators: prompt of a clip, and its length */
  return g_strdup_printf (_ ("%s, clip of %.1f seconds"), of_clip, duration / 1000.0);
}

char *
gesso_gallery_picture_label (GessoPicture *picture, gint64 now_s)
{
  g_return_val_if_fail (GESSO_IS_PICTURE (picture), NULL);
  g_autofree char *name = dup_spoken_name (picture);
  g_autofree char *time = gesso_gallery_time_text (gesso_picture_get_created (picture), now_s);
  if (gesso_picture_get_starred (picture))
    /* Translators: prompt of a picture, its date, and that it has a star */
    return g_strdup_printf (_ ("%s, %s, starred"), name, time);
  return g_strdup_printf (_ ("%s, %s"), name, time);
}
