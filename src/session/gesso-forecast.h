/* SPDX-License-Identifier: MPL-2.0
 * gesso-forecast.h - when each job of the queue will be done, kept up to date while it runs.
 *
 * Main thread only.
 */
#pragma once

#include "session/gesso-batch-clock.h"
#include "session/gesso-eta.h"
#include "session/gesso-queue-private.h"
#include "session/gesso-workers.h"

G_BEGIN_DECLS

#define GESSO_TYPE_FORECAST (gesso_forecast_get_type ())
G_DECLARE_FINAL_TYPE (GessoForecast, gesso_forecast, GESSO, FORECAST, GObject)

/* @eta: borrowed */
GessoForecast *gesso_forecast_new (GessoQueue *queue, GessoDatabase *database, GessoEta *eta);
void gesso_forecast_set_workers (GessoForecast *self, GessoWorkers *workers);
/* @job: that worker @number has, NULL for none; @left: seconds for its batch as the worker says, -1
 * when it does not */
void gesso_forecast_set_running (GessoForecast *self, int number, GessoJob *job, double left);
/* At most five times a second. */
void gesso_forecast_update_later (GessoForecast *self);
/* Asks a worker about the first job whose kind its device was never measured with; each once. */
void gesso_forecast_ask (GessoForecast *self);
/* A whole batch of @job was done by worker @number. */
void
gesso_forecast_learn (GessoForecast *self, int number, GessoJob *job, const GessoBatchClock *clock);
void gesso_forecast_close (GessoForecast *self);

G_END_DECLS
