// dtctl_take - what the command line, files and the terminal give to a command.

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dtkv/cli/dtctl.h"
#include "dtkv/cli/dtctl_parse.h"
#include "dtkv/cli/dtctl_path.h"

int dtctl_take_path (dtctl_t *self, const char *text, bool root_allowed, dt_bytes_t *path)
{
    size_t bytes = strlen (text);
    switch (dtctl_path_check (text, bytes, self->limits.key_bytes_max, self->limits.depth_max)) {
    case DTCTL_PATH_EMPTY_SEGMENT:
        return dtctl_usage (self, "%s: a path is names joined by single dots, such as app.db.url",
                            text);
    case DTCTL_PATH_TOO_LONG:
        dtctl_complain ("%.40s...: the path has %zu bytes, the node allows %" PRIu64, text, bytes,
                        self->limits.key_bytes_max);
        return DTCTL_EXIT_LIMIT;
    case DTCTL_PATH_TOO_DEEP:
        dtctl_complain ("%.40s...: the path has %zu segments, the node allows %" PRIu64, text,
                        dtctl_path_depth (text, bytes), self->limits.depth_max);
        return DTCTL_EXIT_LIMIT;
    case DTCTL_PATH_OK:
        break;
    }
    bool root = bytes == 0 || strcmp (text, ".") == 0;
    if (root && !root_allowed) {
        return dtctl_usage (self, "the root is no key; give a path such as app.db.url");
    }
    *path = root ? dt_bytes (NULL, 0) : dt_bytes (text, bytes);
    return 0;
}

static int s_read (int fd, const char *name, uint64_t limit, dt_buffer_t *buffer)
{
    for (;;) {
        uint8_t *place = dt_buffer_reserve (buffer, 64 * 1024);
        ssize_t got = read (fd, place, 64 * 1024);
        if (got == 0) {
            return 0;
        }
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            dtctl_complain ("cannot read %s: %s", name, strerror (errno));
            return DTCTL_EXIT_ERROR;
        }
        buffer->bytes += (size_t) got;
        if (buffer->bytes > limit) {
            dtctl_complain ("%s has more than the %" PRIu64 " bytes that the node allows a value",
                            name, limit);
            return DTCTL_EXIT_LIMIT;
        }
    }
}

int dtctl_take_value (dtctl_t *self, size_t argument, dt_buffer_t *buffer, dt_bytes_t *value)
{
    const char *file = dtctl_args_value (&self->args, "file");
    const char *text =
        argument < self->args.arguments_count ? self->args.arguments[argument] : NULL;
    uint64_t limit = self->limits.value_bytes_max;
    if (file && text) {
        return dtctl_usage (self, "the value is given twice, by --file and as an argument");
    }
    if (!file && !text) {
        return dtctl_usage (self, "the value is missing: give it as an argument ('' is an empty "
                                  "one), as --file FILE, or - to read standard input");
    }
    int rc = 0;
    if (text && strcmp (text, "-") == 0) {
        rc = s_read (STDIN_FILENO, "standard input", limit, buffer);
    } else if (file) {
        int fd = open (file, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            dtctl_complain ("cannot open %s: %s", file, strerror (errno));
            return DTCTL_EXIT_ERROR;
        }
        rc = s_read (fd, file, limit, buffer);
        close (fd);
    } else if (strlen (text) > limit) {
        dtctl_complain ("the value has %zu bytes, the node allows %" PRIu64, strlen (text), limit);
        return DTCTL_EXIT_LIMIT;
    } else {
        *value = dt_text (text);
        return 0;
    }
    if (rc == 0) {
        *value = dt_bytes (buffer->data, buffer->bytes);
    }
    return rc;
}

int dtctl_take_number (dtctl_t *self, const char *flag, uint64_t max, uint64_t *number)
{
    const char *text = dtctl_args_value (&self->args, flag);
    if (text && dtctl_parse_number (text, max, number) != 0) {
        return dtctl_usage (self, "--%s %s: give a whole number of at most %" PRIu64, flag, text,
                            max);
    }
    return 0;
}

bool dtctl_confirm (const char *question)
{
    if (!isatty (STDIN_FILENO) || !isatty (STDERR_FILENO)) {
        return false;
    }
    fprintf (stderr, "%s [y/N] ", question);
    char answer[16] = "";
    if (!fgets (answer, sizeof answer, stdin)) {
        return false;
    }
    return strcasecmp (answer, "y\n") == 0 || strcasecmp (answer, "yes\n") == 0;
}

static volatile sig_atomic_t s_signalled;

static void s_on_signal (int number)
{
    (void) number;
    s_signalled = 1;
}

bool dtctl_interrupted (void)
{
    return s_signalled != 0;
}

void dtctl_catch_signals (void)
{
    // The second one ends the program: the work may hang.
    struct sigaction action = {.sa_handler = s_on_signal, .sa_flags = (int) SA_RESETHAND};
    sigemptyset (&action.sa_mask);
    sigaction (SIGINT, &action, NULL);
    sigaction (SIGTERM, &action, NULL);
}

uint64_t dtctl_now_ms (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}
