/* SPDX-License-Identifier: MPL-2.0
 * prompt-networks-note.c - what becomes of <lora:...> in a prompt.
 */
#include <stdio.h>

#include "pipelines/pipeline-private.h"

bool
prompt_networks_leave (const PipelineJob *job,
                       const char *text,
                       PromptNetworks *networks,
                       Status *status)
{
  if (!prompt_take_networks (text, networks, status))
    return false;
  for (int i = 0; i < networks->n && job->note; i++)
    {
      char note[STATUS_MESSAGE_SIZE];
      snprintf (note, sizeof note,
                "<%s:%s> in the prompt has no effect: adapters cannot be loaded yet.",
                networks->items[i].kind, networks->items[i].name);
      job->note (job->data, note);
    }
  return true;
}
