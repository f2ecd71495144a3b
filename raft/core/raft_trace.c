#include "raft/core/raft_trace.h"

#include <stdarg.h>
#include <stdio.h>

#include "raft/core/raft_internal.h"

void raft_trace (const raft_core_t *self, dt_log_level_t level, const char *format, ...)
{
    if (!self->options.trace || level < self->options.trace_level) {
        return;
    }
    char line[RAFT_TRACE_BYTES_MAX + 1];
    int start = snprintf (line, sizeof line, "group %u: ", self->options.group_id);
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (line + start, sizeof line - (size_t) start, format, arguments);
    va_end (arguments);
    self->options.trace (self->options.trace_argument, level, line);
}
