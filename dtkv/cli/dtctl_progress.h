// dtctl_progress - how far a long command is, on standard error.
//
// On a terminal one line that is written over, else a line every five seconds.

#ifndef DTCTL_PROGRESS_H
#define DTCTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    const char *verb; // "imported"
    bool terminal;
    bool shown; // the line must be cleared before anything else is printed
    uint64_t next_ms;
    uint64_t start_ms;
} dtctl_progress_t;

// Begin. verb is a literal.
void dtctl_progress_init (dtctl_progress_t *self, const char *verb);

// Show the state if it is time to. Cheap enough to call for every key.
void dtctl_progress_show (dtctl_progress_t *self, uint64_t keys, uint64_t bytes);

// Clear the line, before a message or at the end.
void dtctl_progress_clear (dtctl_progress_t *self);

#endif // DTCTL_PROGRESS_H
