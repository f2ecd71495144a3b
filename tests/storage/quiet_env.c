#include "quiet_env.h"

#include <stdio.h>
#include <string.h>

static char s_lines[64 * 1024];
static uint64_t s_entropy_word;

static int64_t s_now_ns (const dt_env_t *self)
{
    (void) self;
    return 1000;
}

static int64_t s_wall_ms (const dt_env_t *self)
{
    (void) self;
    return 1700000000000;
}

static uint64_t s_entropy (const dt_env_t *self)
{
    (void) self;
    return s_entropy_word += 0x9e3779b97f4a7c15;
}

static void s_log (const dt_env_t *self, dt_log_level_t level, const char *line)
{
    (void) self;
    size_t used = strlen (s_lines);
    if (sizeof s_lines - used < strlen (line) + 20) {
        used = 0;
    }
    snprintf (s_lines + used, sizeof s_lines - used, "%s %s\n", dt_log_level_name (level), line);
}

void quiet_env_init (dt_env_t *env)
{
    *env = (dt_env_t){
        .now_ns = s_now_ns,
        .wall_ms = s_wall_ms,
        .entropy = s_entropy,
        .log = s_log,
        .log_level = DT_LOG_DEBUG,
    };
    s_lines[0] = 0;
    s_entropy_word = 1;
}

bool quiet_env_said (const char *text)
{
    return strstr (s_lines, text) != NULL;
}

const char *quiet_env_lines (void)
{
    return s_lines;
}
