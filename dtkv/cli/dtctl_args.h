// dtctl_args - flags and arguments of a command line. Pure.
//
// Flags may stand before and after the command and between its arguments: --name VALUE,
// --name=VALUE, --switch, -x VALUE, -xVALUE, -xyz for switches. `--` ends the flags; `-` alone is
// an argument.

#ifndef DTCTL_ARGS_H
#define DTCTL_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/dt_buffer.h"

typedef struct {
    const char *name;  // without the dashes
    char letter;       // short form, 0 for none
    const char *value; // what the value is called in the help; NULL for a switch
    const char *help;  // one line
    bool repeats;      // may be given more than once; the values are joined with commas
} dtctl_flag_t;

enum {
    DTCTL_FLAGS_MAX = 32,
    DTCTL_ARGUMENTS_MAX = 1024,
};

// What a command line held.
typedef struct {
    const dtctl_flag_t *flags[DTCTL_FLAGS_MAX]; // those that may be given
    char *values[DTCTL_FLAGS_MAX];              // NULL: not given; "" for a switch; owned
    size_t flags_count;
    const char *arguments[DTCTL_ARGUMENTS_MAX];
    size_t arguments_count;
} dtctl_args_t;

// Begin with no flag known and no argument.
void dtctl_args_init (dtctl_args_t *self);

// Free what the values hold.
void dtctl_args_deinit (dtctl_args_t *self);

// Let these flags be given; the list ends at a flag without a name and must outlive self.
void dtctl_args_allow (dtctl_args_t *self, const dtctl_flag_t *flags);

// Read a command line. DT_ERR_USAGE: `problem` says what is wrong and what was perhaps meant.
int dtctl_args_parse (dtctl_args_t *self, int count, char *const *arguments, dt_buffer_t *problem);

// The first argument of a command line that is no flag nor a flag's value, by the flags allowed so
// far: the command. Its place in arguments, or count if there is none.
int dtctl_args_find_command (const dtctl_args_t *self, int count, char *const *arguments);

// The value of a flag, NULL if it was not given. A name that is not allowed is an error of the
// program.
const char *dtctl_args_value (const dtctl_args_t *self, const char *name);

// Give a flag a value unless the command line did.
void dtctl_args_default (dtctl_args_t *self, const char *name, const char *value);

// True if the flag was given.
bool dtctl_args_has (const dtctl_args_t *self, const char *name);

#endif // DTCTL_ARGS_H
