#include "dtkv/cli/dtctl_args.h"

#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "dtkv/cli/dtctl_text.h"

void dtctl_args_init (dtctl_args_t *self)
{
    memset (self, 0, sizeof *self);
}

void dtctl_args_deinit (dtctl_args_t *self)
{
    for (size_t i = 0; i < self->flags_count; i++) {
        free (self->values[i]);
    }
    memset (self, 0, sizeof *self);
}

void dtctl_args_allow (dtctl_args_t *self, const dtctl_flag_t *flags)
{
    for (; flags && flags->name; flags++) {
        dt_assert (self->flags_count < DTCTL_FLAGS_MAX);
        self->flags[self->flags_count++] = flags;
    }
}

static size_t s_find_name (const dtctl_args_t *self, const char *name, size_t bytes)
{
    size_t i = 0;
    while (i < self->flags_count && !(strncmp (self->flags[i]->name, name, bytes) == 0 &&
                                      strlen (self->flags[i]->name) == bytes)) {
        i++;
    }
    return i;
}

static size_t s_find_letter (const dtctl_args_t *self, char letter)
{
    size_t i = 0;
    while (i < self->flags_count && self->flags[i]->letter != letter) {
        i++;
    }
    return i;
}

static void s_unknown (const dtctl_args_t *self, const char *argument, size_t bytes,
                       dt_buffer_t *problem)
{
    const char *names[DTCTL_FLAGS_MAX + 1] = {0};
    for (size_t i = 0; i < self->flags_count; i++) {
        names[i] = self->flags[i]->name;
    }
    dt_buffer_printf (problem, "unknown flag %.*s", (int) bytes, argument);
    if (bytes > 2 && argument[1] == '-') {
        char word[64] = "";
        memcpy (word, argument + 2, bytes - 2 < 63 ? bytes - 2 : 63);
        const char *nearest = dtctl_text_nearest (word, names);
        if (nearest) {
            dt_buffer_printf (problem, "; did you mean --%s?", nearest);
            return;
        }
    }
    dt_buffer_printf (problem, "; if it is an argument, write -- before it");
}

// Take a flag's value. DT_ERR_USAGE: it was given already.
static int s_set (dtctl_args_t *self, size_t flag, const char *value, dt_buffer_t *problem)
{
    if (!self->values[flag]) {
        self->values[flag] = dt_strdup (value);
        return 0;
    }
    if (!self->flags[flag]->value) {
        return 0;
    }
    if (!self->flags[flag]->repeats) {
        dt_buffer_printf (problem, "--%s is given twice", self->flags[flag]->name);
        return DT_ERR_USAGE;
    }
    size_t before = strlen (self->values[flag]);
    size_t more = strlen (value) + 1;
    self->values[flag] = dt_realloc (self->values[flag], before + 1 + more);
    self->values[flag][before] = ',';
    memcpy (self->values[flag] + before + 1, value, more);
    return 0;
}

static int s_needs_value (const dtctl_flag_t *flag, dt_buffer_t *problem)
{
    dt_buffer_printf (problem, "--%s needs a value: --%s %s", flag->name, flag->name, flag->value);
    return DT_ERR_USAGE;
}

// Read --name, --name=VALUE or --name VALUE. *next is the argument after it, taken if needed.
static int s_parse_long (dtctl_args_t *self, const char *argument, const char *next, int *taken,
                         dt_buffer_t *problem)
{
    size_t bytes = strcspn (argument, "=");
    size_t flag = s_find_name (self, argument + 2, bytes - 2);
    if (flag == self->flags_count) {
        s_unknown (self, argument, bytes, problem);
        return DT_ERR_USAGE;
    }
    bool has_value = argument[bytes] == '=';
    if (!self->flags[flag]->value) {
        if (has_value) {
            dt_buffer_printf (problem, "--%s takes no value", self->flags[flag]->name);
            return DT_ERR_USAGE;
        }
        return s_set (self, flag, "", problem);
    }
    if (has_value) {
        return s_set (self, flag, argument + bytes + 1, problem);
    }
    if (!next) {
        return s_needs_value (self->flags[flag], problem);
    }
    *taken = 1;
    return s_set (self, flag, next, problem);
}

// Read -x, -xyz, -xVALUE or -x VALUE.
static int s_parse_short (dtctl_args_t *self, const char *argument, const char *next, int *taken,
                          dt_buffer_t *problem)
{
    for (const char *letter = argument + 1; *letter; letter++) {
        size_t flag = s_find_letter (self, *letter);
        if (flag == self->flags_count) {
            s_unknown (self, argument, strlen (argument), problem);
            return DT_ERR_USAGE;
        }
        if (self->flags[flag]->value) {
            if (letter[1]) {
                return s_set (self, flag, letter + 1 + (letter[1] == '='), problem);
            }
            if (!next) {
                return s_needs_value (self->flags[flag], problem);
            }
            *taken = 1;
            return s_set (self, flag, next, problem);
        }
        int rc = s_set (self, flag, "", problem);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static bool s_is_flag (const char *argument)
{
    return argument[0] == '-' && argument[1];
}

int dtctl_args_parse (dtctl_args_t *self, int count, char *const *arguments, dt_buffer_t *problem)
{
    bool flags = true;
    for (int i = 0; i < count; i++) {
        const char *argument = arguments[i];
        if (flags && strcmp (argument, "--") == 0) {
            flags = false;
        } else if (flags && s_is_flag (argument)) {
            const char *next = i + 1 < count ? arguments[i + 1] : NULL;
            int taken = 0;
            int rc = argument[1] == '-' ? s_parse_long (self, argument, next, &taken, problem)
                                        : s_parse_short (self, argument, next, &taken, problem);
            if (rc != 0) {
                return rc;
            }
            i += taken;
        } else {
            if (self->arguments_count == DTCTL_ARGUMENTS_MAX) {
                dt_buffer_printf (problem, "more than %d arguments", DTCTL_ARGUMENTS_MAX);
                return DT_ERR_USAGE;
            }
            self->arguments[self->arguments_count++] = argument;
        }
    }
    return 0;
}

// True if the flag in `argument` takes the next argument as its value.
static bool s_takes_next (const dtctl_args_t *self, const char *argument)
{
    if (argument[1] == '-') {
        size_t flag = s_find_name (self, argument + 2, strlen (argument + 2));
        return flag < self->flags_count && self->flags[flag]->value;
    }
    for (const char *letter = argument + 1; *letter; letter++) {
        size_t flag = s_find_letter (self, *letter);
        if (flag < self->flags_count && self->flags[flag]->value) {
            return !letter[1];
        }
    }
    return false;
}

int dtctl_args_find_command (const dtctl_args_t *self, int count, char *const *arguments)
{
    int i = 0;
    while (i < count && strcmp (arguments[i], "--") != 0) {
        if (!s_is_flag (arguments[i])) {
            return i;
        }
        i += s_takes_next (self, arguments[i]) ? 2 : 1;
    }
    return count;
}

static size_t s_flag (const dtctl_args_t *self, const char *name)
{
    size_t flag = s_find_name (self, name, strlen (name));
    dt_assert (flag < self->flags_count);
    return flag;
}

const char *dtctl_args_value (const dtctl_args_t *self, const char *name)
{
    return self->values[s_flag (self, name)];
}

void dtctl_args_default (dtctl_args_t *self, const char *name, const char *value)
{
    size_t flag = s_flag (self, name);
    if (!self->values[flag]) {
        self->values[flag] = dt_strdup (value);
    }
}

bool dtctl_args_has (const dtctl_args_t *self, const char *name)
{
    return dtctl_args_value (self, name) != NULL;
}
