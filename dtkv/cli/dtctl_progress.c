#include "dtkv/cli/dtctl_progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "dtkv/cli/dtctl.h"
#include "dtkv/cli/dtctl_text.h"

enum {
    S_TERMINAL_PERIOD_MS = 200,
    S_LOG_PERIOD_MS = 5000,
};

void dtctl_progress_init (dtctl_progress_t *self, const char *verb)
{
    self->verb = verb;
    self->terminal = isatty (STDERR_FILENO) != 0;
    self->shown = false;
    self->start_ms = dtctl_now_ms ();
    self->next_ms = self->start_ms + (self->terminal ? S_TERMINAL_PERIOD_MS : S_LOG_PERIOD_MS);
}

void dtctl_progress_show (dtctl_progress_t *self, uint64_t keys, uint64_t bytes)
{
    uint64_t now_ms = dtctl_now_ms ();
    if (now_ms < self->next_ms) {
        return;
    }
    self->next_ms = now_ms + (self->terminal ? S_TERMINAL_PERIOD_MS : S_LOG_PERIOD_MS);
    dt_buffer_t size = {0};
    dtctl_text_size (&size, bytes);
    uint64_t elapsed_ms = now_ms - self->start_ms;
    fprintf (stderr, "%sdtctl: %s %" PRIu64 " keys, %.*s, %" PRIu64 " keys/s%s",
             self->terminal ? "\r\033[K" : "", self->verb, keys, (int) size.bytes,
             (char *) size.data, keys * 1000 / (elapsed_ms ? elapsed_ms : 1),
             self->terminal ? "" : "\n");
    dt_buffer_deinit (&size);
    self->shown = self->terminal;
}

void dtctl_progress_clear (dtctl_progress_t *self)
{
    if (self->shown) {
        fputs ("\r\033[K", stderr);
        self->shown = false;
    }
}
