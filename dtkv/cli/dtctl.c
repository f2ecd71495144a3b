// dtctl - the online command line client: reads the command line, runs one command.

#include "dtkv/cli/dtctl.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/dt_error.h"
#include "dtkv/cli/dtctl_parse.h"
#include "dtkv/cli/dtctl_text.h"

#define S_ENDPOINT_DEFAULT "tcp://127.0.0.1:9332"

enum { S_TIMEOUT_MS_MAX = 600000 };

// Append one endpoint in the form the client wants: tcp://HOST:PORT.
static void s_endpoint (dt_buffer_t *out, const char *text, size_t bytes)
{
    bool scheme = memmem (text, bytes, "://", 3) != NULL;
    bool tcp = !scheme || strncmp (text, "tcp://", 6) == 0;
    const char *host = scheme ? text + 6 : text;
    const char *close = memrchr (text, ']', bytes);
    const char *from = close ? close : host;
    bool port =
        tcp && from < text + bytes && memchr (from, ':', (size_t) (text + bytes - from)) != NULL;
    dt_buffer_printf (out, "%s%s%.*s%s", out->bytes ? "," : "", scheme ? "" : "tcp://", (int) bytes,
                      text, tcp && !port ? ":9332" : "");
}

static char *s_endpoints (const char *text)
{
    dt_buffer_t out = {0};
    size_t bytes;
    while (*text) {
        bytes = strcspn (text, ",");
        if (bytes > 0) {
            s_endpoint (&out, text, bytes);
        }
        text += bytes + (text[bytes] == ',');
    }
    dt_buffer_append (&out, "", 1);
    return (char *) dt_buffer_detach (&out, &bytes);
}

// Give the global flags that the command line left out their values from the environment.
static int s_take_environment (dtctl_t *self)
{
    for (const dtctl_flag_t *flag = dtctl_global_flags; flag->name; flag++) {
        char name[64] = "DTCTL_";
        for (size_t i = 0; flag->name[i] && i < 40; i++) {
            name[6 + i] = flag->name[i] == '-' ? '_' : (char) toupper (flag->name[i]);
        }
        const char *value = getenv (name);
        if (!value || !*value || strcmp (flag->name, "help") == 0) {
            continue;
        }
        if (flag->value || strcmp (value, "1") == 0 || strcmp (value, "true") == 0) {
            dtctl_args_default (&self->args, flag->name, value);
        } else if (strcmp (value, "0") != 0 && strcmp (value, "false") != 0) {
            return dtctl_usage (self, "environment variable %s is '%s': give 1 or 0", name, value);
        }
    }
    return 0;
}

// Read a choice of words; *choice is its place.
static int s_take_choice (dtctl_t *self, const char *flag, const char *const *words,
                          uint32_t *choice)
{
    const char *text = dtctl_args_value (&self->args, flag);
    if (!text) {
        return 0;
    }
    dt_buffer_t all = {0};
    for (uint32_t i = 0; words[i]; i++) {
        if (strcmp (text, words[i]) == 0) {
            *choice = i;
            dt_buffer_deinit (&all);
            return 0;
        }
        dt_buffer_printf (&all, "%s%s", i ? ", " : "", words[i]);
    }
    int rc = dtctl_usage (self, "--%s %s: give one of %.*s", flag, text, (int) all.bytes,
                          (char *) all.data);
    dt_buffer_deinit (&all);
    return rc;
}

static int s_take_globals (dtctl_t *self, uint32_t *format)
{
    static const char *const formats[] = {"simple", "table", "json", NULL};
    static const char *const modes[] = {"linearizable", "readindex", "stale", NULL};
    uint64_t group = 0;
    uint64_t timeout_ms = 5000;
    int rc = s_take_environment (self);
    if (rc == 0) {
        rc = s_take_choice (self, "output", formats, format);
    }
    if (rc == 0) {
        rc = s_take_choice (self, "consistency", modes, &self->read_mode);
    }
    if (rc == 0) {
        rc = dtctl_take_number (self, "group", UINT32_MAX, &group);
    }
    if (rc == 0) {
        rc = dtctl_take_number (self, "min-index", UINT64_MAX, &self->min_index);
    }
    const char *timeout = dtctl_args_value (&self->args, "timeout");
    if (rc == 0 && timeout &&
        (dtctl_parse_duration (timeout, &timeout_ms) != 0 || timeout_ms == 0 ||
         timeout_ms > S_TIMEOUT_MS_MAX)) {
        rc = dtctl_usage (self, "--timeout %s: give a duration of 1ms to 10m, such as 500ms or 5s",
                          timeout);
    }
    const char *endpoint = dtctl_args_value (&self->args, "endpoint");
    self->endpoints = s_endpoints (endpoint ? endpoint : S_ENDPOINT_DEFAULT);
    if (rc == 0 && !*self->endpoints) {
        rc = dtctl_usage (self, "--endpoint names no node");
    }
    self->group = (uint32_t) group;
    self->timeout_ms = (uint32_t) timeout_ms;
    self->hex = dtctl_args_has (&self->args, "hex");
    self->color_out =
        isatty (STDOUT_FILENO) && !getenv ("NO_COLOR") && !dtctl_args_has (&self->args, "no-color");
    if (dtctl_args_has (&self->args, "no-color")) {
        setenv ("DTCTL_NO_COLOR", "1", 1);
    }
    return rc;
}

int dtctl_connect (dtctl_t *self)
{
    dt_client_options_t options;
    char error[256] = "";
    dt_client_options_init (&options);
    options.endpoints = self->endpoints;
    options.name = "dtctl";
    options.group = self->group;
    options.timeout_ms = self->timeout_ms;
    options.connect_timeout_ms = self->timeout_ms;
    int code = dt_client_open (&self->client, &options, error, sizeof error);
    if (code == DT_SUCCESS) {
        code = dt_client_limits (self->client, &self->limits);
    }
    if (code == DT_SUCCESS) {
        return 0;
    }
    if (code == DT_TIMEOUT || code == DT_NOT_READY) {
        dtctl_complain ("no node answered at %s within %u ms; is it running, and is this its "
                        "address? --endpoint names another",
                        self->endpoints, self->timeout_ms);
        return DTCTL_EXIT_UNAVAILABLE;
    }
    dtctl_complain ("cannot connect to %s: %s%s%s", self->endpoints, dt_code_text (code),
                    *error ? ": " : "", error);
    return dtctl_exit_of (code, DT_OUTCOME_NOT_DONE);
}

dt_call_options_t dtctl_call_options (const dtctl_t *self, uint32_t flags)
{
    return (dt_call_options_t){.group = self->group,
                               .timeout_ms = self->timeout_ms,
                               .flags = flags,
                               .read_mode = self->read_mode,
                               .min_index = self->min_index};
}

// The command that a word names; complains if there is none.
static const dtctl_command_t *s_command (dtctl_t *self, const char *word)
{
    const dtctl_command_t *command = dtctl_command_find (word);
    if (command) {
        return command;
    }
    const char *names[64] = {0};
    for (size_t i = 0; dtctl_commands[i].name && i < 63; i++) {
        names[i] = dtctl_commands[i].name;
    }
    const char *nearest = dtctl_text_nearest (word, names);
    if (nearest) {
        dtctl_usage (self, "there is no command %s; did you mean %s?", word, nearest);
    } else {
        dtctl_usage (self, "there is no command %s", word);
    }
    return NULL;
}

static int s_check_arguments (dtctl_t *self)
{
    size_t count = self->args.arguments_count;
    if (count < self->command->arguments_min) {
        return dtctl_usage (self, "%s needs more arguments: dtctl %s %s", self->command->name,
                            self->command->name, self->command->arguments);
    }
    if (count > self->command->arguments_max) {
        return dtctl_usage (self, "%s: there is an argument too much: %s", self->command->name,
                            self->args.arguments[self->command->arguments_max]);
    }
    bool import = self->command->run == dtctl_import;
    if (import && !dtctl_args_has (&self->args, "to")) {
        return dtctl_usage (self, "import needs --to PATH; --to . is the root");
    }
    return 0;
}

// Read the command line. Returns 0 with self->command set, or an exit code after complaining.
static int s_parse (dtctl_t *self, int count, char **arguments)
{
    dt_buffer_t problem = {0};
    dtctl_args_allow (&self->args, dtctl_global_flags);
    int place = dtctl_args_find_command (&self->args, count, arguments);
    if (place < count) {
        self->command = s_command (self, arguments[place]);
        if (!self->command) {
            return DTCTL_EXIT_USAGE;
        }
        dtctl_args_allow (&self->args, self->command->flags);
        // What stands before the command are flags, what stands behind it flags and arguments.
        for (int i = place; i + 1 < count; i++) {
            arguments[i] = arguments[i + 1];
        }
        count--;
    }
    int rc = 0;
    if (dtctl_args_parse (&self->args, count, arguments, &problem) != 0) {
        rc = dtctl_usage (self, "%.*s", (int) problem.bytes, (char *) problem.data);
    } else if (!self->command && !dtctl_args_has (&self->args, "help")) {
        rc = dtctl_usage (self, "which command?");
    }
    dt_buffer_deinit (&problem);
    return rc;
}

static int s_run (dtctl_t *self, int count, char **arguments)
{
    uint32_t format = DTCTL_FORMAT_SIMPLE;
    int rc = s_parse (self, count, arguments);
    if (rc != 0) {
        return rc;
    }
    bool help = dtctl_args_has (&self->args, "help") || self->command->run == dtctl_help ||
                self->command->run == dtctl_completion;
    rc = help ? 0 : s_take_globals (self, &format);
    if (rc == 0 && !dtctl_args_has (&self->args, "help")) {
        rc = s_check_arguments (self);
    }
    if (rc != 0) {
        return rc;
    }
    self->out = dtctl_output_new (STDOUT_FILENO, (dtctl_format_t) format, self->hex);
    return dtctl_args_has (&self->args, "help") ? dtctl_help (self) : self->command->run (self);
}

int main (int count, char **arguments)
{
    dtctl_t self = {0};
    int error = 0;
    dtctl_args_init (&self.args);
    int rc = s_run (&self, count - 1, arguments + 1);
    dt_client_close (&self.client);
    if (dtctl_output_destroy (&self.out, &error) != 0) {
        dtctl_complain ("cannot write the output: %s", strerror (error));
        rc = rc ? rc : DTCTL_EXIT_ERROR;
    }
    dtctl_args_deinit (&self.args);
    free (self.endpoints);
    return rc;
}
