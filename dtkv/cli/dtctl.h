// dtctl - what the commands of the program share: the context of a run, commands, failures.
//
// A command is a function that does its work and returns the exit code; results go to self->out,
// everything else to standard error.

#ifndef DTCTL_H
#define DTCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_buffer.h"
#include "dtkv/cli/dtctl_args.h"
#include "dtkv/cli/dtctl_output.h"
#include "dtkv/client/dt_client.h"

#define DTCTL_VERSION "0.1.0"

// Exit codes; part of the program's contract.
typedef enum {
    DTCTL_EXIT_OK = 0,
    DTCTL_EXIT_ERROR = 1,        // anything else
    DTCTL_EXIT_USAGE = 2,        // wrong command line or input; nothing was sent
    DTCTL_EXIT_NOT_FOUND = 3,    // no such key or directory
    DTCTL_EXIT_PRECONDITION = 4, // the condition does not hold, or what is there is in the way
    DTCTL_EXIT_DENIED = 5,
    DTCTL_EXIT_UNAVAILABLE = 6, // no node answered or could serve; nothing was changed
    DTCTL_EXIT_UNKNOWN = 7,     // a write may or may not have happened
    DTCTL_EXIT_LIMIT = 8,       // over a limit, or no space
    DTCTL_EXIT_CORRUPT = 9,
    DTCTL_EXIT_SIGNAL = 130,
} dtctl_exit_t;

typedef struct dtctl dtctl_t;
typedef int (dtctl_run_fn) (dtctl_t *self);

typedef struct {
    const char *name;
    const char *section;   // heading it stands under in the help
    const char *arguments; // for the help
    const char *summary;   // one line
    const char *details;   // rest of its help: what it does, then examples
    const dtctl_flag_t *flags;
    size_t arguments_min;
    size_t arguments_max;
    dtctl_run_fn *run;
} dtctl_command_t;

struct dtctl {
    const dtctl_command_t *command;
    dtctl_args_t args;
    dtctl_output_t *out;
    dt_client_t *client; // NULL until dtctl_connect
    dt_limits_t limits;  // of the node, after dtctl_connect
    char *endpoints;     // owned
    uint32_t group;
    uint32_t timeout_ms;
    uint32_t read_mode; // dt_read_mode_t
    uint64_t min_index;
    bool hex;
    bool color_out; // standard output is a terminal and colours are welcome
};

// The commands, ending at one without a name, and the flags that all of them take.
extern const dtctl_command_t dtctl_commands[];
extern const dtctl_flag_t dtctl_global_flags[];

// The command of a name, NULL if there is none.
const dtctl_command_t *dtctl_command_find (const char *name);

// Messages
// -----------------------------------------------------------------------------------------

// Print "dtctl: ..." on standard error.
void dtctl_complain (const char *format, ...) __attribute__ ((format (printf, 1, 2)));

// Complain about the command line and name the help. Returns DTCTL_EXIT_USAGE.
int dtctl_usage (const dtctl_t *self, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));

// The exit code for a result's code.
int dtctl_exit_of (int code, dt_outcome_t outcome);

// Complain that `action` ("put") on `path` failed: what, why, what to do. result may be NULL: the
// request was not accepted. Returns the exit code.
int dtctl_fail (const char *action, dt_bytes_t path, int code, const dt_result_t *result);

// The same, and free the result.
int dtctl_fail_free (const char *action, dt_bytes_t path, int code, dt_result_t **result_p);

// Complain that a node's answer could not be read. Returns DTCTL_EXIT_ERROR.
int dtctl_fail_answer (const char *action);

// Running
// ------------------------------------------------------------------------------------------

// Open the client. Returns 0, or an exit code after complaining.
int dtctl_connect (dtctl_t *self);

// Options for a call with these request flags.
dt_call_options_t dtctl_call_options (const dtctl_t *self, uint32_t flags);

// Read a path of the command line and hold it against the limits (after dtctl_connect). `.` is the
// root, allowed with root_allowed. Returns 0, or an exit code after complaining.
int dtctl_take_path (dtctl_t *self, const char *text, bool root_allowed, dt_bytes_t *path);

// Take a value from where the command line says: --file F, `-` (standard input), or the argument at
// this place (missing: usage error). buffer holds what was read and is the caller's. Needs
// dtctl_connect, for the limit.
int dtctl_take_value (dtctl_t *self, size_t argument, dt_buffer_t *buffer, dt_bytes_t *value);

// Read a number or duration flag; *number stays as it is if the flag was not given. Returns 0, or
// an exit code after complaining.
int dtctl_take_number (dtctl_t *self, const char *flag, uint64_t max, uint64_t *number);

// Ask on the terminal; true if the answer is yes. False without a terminal.
bool dtctl_confirm (const char *question);

// The fields of a node in a record: what it is, its value (if asked), and its meta data.
void dtctl_record_node (dtctl_t *self, const dt_node_t *node, bool with_value);

// SIGINT or SIGTERM came, after dtctl_catch_signals. Until then they end the program.
bool dtctl_interrupted (void);
void dtctl_catch_signals (void);

// Milliseconds that only go forward.
uint64_t dtctl_now_ms (void);

// The commands
// -------------------------------------------------------------------------------------

dtctl_run_fn dtctl_put, dtctl_ttl, dtctl_increment, dtctl_move, dtctl_cas, dtctl_mkdir, dtctl_get, dtctl_list,
    dtctl_tree, dtctl_remove, dtctl_batch, dtctl_import, dtctl_export, dtctl_status, dtctl_info,
    dtctl_ping, dtctl_snapshot, dtctl_members, dtctl_member, dtctl_cluster, dtctl_config,
    dtctl_transfer, dtctl_help, dtctl_version, dtctl_completion;

#endif // DTCTL_H
