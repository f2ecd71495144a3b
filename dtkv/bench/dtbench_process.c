#include "dtkv/bench/dtbench_process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool s_read_file (int pid, const char *name, char *text, size_t bytes)
{
    char path[64];
    if (pid) {
        snprintf (path, sizeof path, "/proc/%d/%s", pid, name);
    } else {
        snprintf (path, sizeof path, "/proc/self/%s", name);
    }
    FILE *file = fopen (path, "r");
    if (!file) {
        return false;
    }
    size_t length = fread (text, 1, bytes - 1, file);
    text[length] = 0;
    fclose (file);
    return length > 0;
}

// A line "VmRSS:   1234 kB".
static uint64_t s_kilobytes (const char *status, const char *name)
{
    const char *line = strstr (status, name);
    return line ? strtoull (line + strlen (name), NULL, 10) * 1024 : 0;
}

bool dtbench_process_usage (int pid, dtbench_usage_t *usage)
{
    char text[4096];
    if (!s_read_file (pid, "stat", text, sizeof text)) {
        return false;
    }
    // The name in brackets may hold anything; times are the 12th and 13th fields after it.
    const char *place = strrchr (text, ')');
    unsigned long user, system;
    if (!place || sscanf (place + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                          &system) != 2) {
        return false;
    }
    usage->cpu_s = (double) (user + system) / (double) sysconf (_SC_CLK_TCK);
    if (!s_read_file (pid, "status", text, sizeof text)) {
        return false;
    }
    usage->rss_bytes = s_kilobytes (text, "VmRSS:");
    usage->rss_bytes_max = s_kilobytes (text, "VmHWM:");
    return true;
}
