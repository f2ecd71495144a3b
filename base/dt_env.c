#include "base/dt_env.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const s_level_names[] = {"debug", "info", "warn", "error"};

enum { LEVELS = sizeof s_level_names / sizeof *s_level_names };

void dt_log (const dt_env_t *env, dt_log_level_t level, const char *part, const char *format, ...)
{
    if (level < env->log_level) {
        return;
    }
    char line[1024];
    int bytes = snprintf (line, sizeof line, "%s: ", part);
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (line + bytes, sizeof line - (size_t) bytes, format, arguments);
    va_end (arguments);
    env->log (env, level, line);
}

const char *dt_log_level_name (dt_log_level_t level)
{
    return s_level_names[level];
}

bool dt_log_level_parse (const char *text, dt_log_level_t *level)
{
    for (int i = 0; i < LEVELS; i++) {
        if (strcmp (text, s_level_names[i]) == 0) {
            *level = (dt_log_level_t) i;
            return true;
        }
    }
    return false;
}
