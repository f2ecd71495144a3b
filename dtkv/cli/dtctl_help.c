// dtctl_help - the commands about this program: help, version, completion.

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dtkv/cli/dtctl.h"
#include "dtkv/cli/dtctl_text.h"

enum { S_VERSION_WAIT_MS = 1000 };

// Help goes through the output as everything does, so that a full disk is noticed. Long texts are
// written raw: they are not bounded by a line.
static void s_text (dtctl_t *self, const char *text)
{
    dtctl_output_simple_raw (self->out, text, strlen (text));
}

static void s_flag (dtctl_t *self, const dtctl_flag_t *flag)
{
    char name[64];
    char letter[8] = "";
    if (flag->letter) {
        snprintf (letter, sizeof letter, "-%c,", flag->letter);
    }
    snprintf (name, sizeof name, "--%s%s%s", flag->name, flag->value ? " " : "",
              flag->value ? flag->value : "");
    dtctl_output_simple (self->out, "  %-3s %-24s %s\n", letter, name, flag->help);
}

static void s_flags (dtctl_t *self, const char *title, const dtctl_flag_t *flags)
{
    if (flags && flags->name) {
        dtctl_output_simple (self->out, "\n%s\n", title);
    }
    for (; flags && flags->name; flags++) {
        s_flag (self, flags);
    }
}

static void s_help_command (dtctl_t *self, const dtctl_command_t *command)
{
    dtctl_output_simple (self->out, "dtctl %s - %s\n\nusage: dtctl %s %s%s\n\n", command->name,
                         command->summary, command->name, command->arguments,
                         command->flags ? " [flags]" : "");
    s_text (self, command->details);
    s_flags (self, "Flags", command->flags);
    s_text (self, "\nGlobal flags and exit codes: dtctl help\n");
}

static void s_help_all (dtctl_t *self)
{
    s_text (self, "dtctl - talk to a Dongting node\n\nusage: dtctl [flags] COMMAND [arguments]\n");
    const char *section = "";
    for (const dtctl_command_t *command = dtctl_commands; command->name; command++) {
        if (strcmp (command->section, section) != 0) {
            section = command->section;
            dtctl_output_simple (self->out, "\n%s\n", section);
        }
        dtctl_output_simple (self->out, "  %-12s %s\n", command->name, command->summary);
    }
    s_flags (self, "Global flags", dtctl_global_flags);
    s_text (
        self,
        "\n"
        "Each can come from the environment: DTCTL_ENDPOINT, DTCTL_TIMEOUT, DTCTL_MIN_INDEX ...;\n"
        "flags win. Several endpoints are joined by commas.\n"
        "\n"
        "Exit codes\n"
        "  0    done\n"
        "  1    failed for another reason, or files were skipped\n"
        "  2    wrong command line or input\n"
        "  3    not found: the key, or the directory it would stand in\n"
        "  4    the condition does not hold, or what is there is in the way\n"
        "  5    not allowed\n"
        "  6    no node could serve; nothing was changed\n"
        "  7    outcome unknown: a write may or may not have happened\n"
        "  8    over a limit, or no space\n"
        "  9    data is corrupt\n"
        "  130  interrupted\n"
        "\n"
        "dtctl COMMAND --help explains a command and shows examples.\n");
}

int dtctl_help (dtctl_t *self)
{
    if (self->command && strcmp (self->command->name, "help") != 0) {
        s_help_command (self, self->command);
        return DTCTL_EXIT_OK;
    }
    if (self->args.arguments_count == 0) {
        s_help_all (self);
        return DTCTL_EXIT_OK;
    }
    const dtctl_command_t *command = dtctl_command_find (self->args.arguments[0]);
    if (!command) {
        return dtctl_usage (self, "there is no command %s", self->args.arguments[0]);
    }
    s_help_command (self, command);
    return DTCTL_EXIT_OK;
}

int dtctl_version (dtctl_t *self)
{
    dtctl_output_simple (self->out, "dtctl %s, protocol 1\n", DTCTL_VERSION);
    dtctl_output_begin (self->out);
    dtctl_output_text (self->out, "client", DTCTL_VERSION);
    dtctl_output_number (self->out, "protocol", 1);
    // Whoever asks for the version does not want to wait long for a node.
    if (!dtctl_args_has (&self->args, "timeout") && self->timeout_ms > S_VERSION_WAIT_MS) {
        self->timeout_ms = S_VERSION_WAIT_MS;
    }
    int rc = dtctl_connect (self);
    if (rc == 0) {
        dtctl_output_simple (self->out, "node  %s, protocol %" PRIu32 "\n",
                             self->limits.server_version, self->limits.protocol_version);
        dtctl_output_text (self->out, "node", self->limits.server_version);
        dtctl_output_number (self->out, "node_protocol", self->limits.protocol_version);
    } else {
        // No node is no failure of this question; the message is on standard error.
        dtctl_output_null (self->out, "node");
        dtctl_output_null (self->out, "node_protocol");
    }
    dtctl_output_end (self->out);
    return DTCTL_EXIT_OK;
}

static void s_completion_flags (dt_buffer_t *out, const dtctl_flag_t *flags)
{
    for (; flags && flags->name; flags++) {
        dt_buffer_printf (out, " --%s", flags->name);
    }
}

int dtctl_completion (dtctl_t *self)
{
    if (strcmp (self->args.arguments[0], "bash") != 0) {
        return dtctl_usage (self, "completion %s: there is only bash", self->args.arguments[0]);
    }
    dt_buffer_t text = {0};
    dt_buffer_printf (
        &text, "# bash completion for dtctl; source <(dtctl completion bash)\n"
               "_dtctl ()\n{\n"
               "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
               "    local command= i flags commands=\"");
    for (const dtctl_command_t *command = dtctl_commands; command->name; command++) {
        dt_buffer_printf (&text, "%s%s", command == dtctl_commands ? "" : " ", command->name);
    }
    dt_buffer_printf (&text, "\"\n    local global=\"");
    s_completion_flags (&text, dtctl_global_flags);
    dt_buffer_printf (
        &text,
        "\"\n"
        "    case $before in\n"
        "    -o | --output) COMPREPLY=($(compgen -W 'simple table json' -- \"$word\")); return ;;\n"
        "    --consistency) COMPREPLY=($(compgen -W 'linearizable readindex stale' -- \"$word\")); "
        "return ;;\n"
        "    --links) COMPREPLY=($(compgen -W 'keep follow skip' -- \"$word\")); return ;;\n"
        "    -f | --file | --acked-log) COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n"
        "    esac\n"
        "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "        [[ \" $commands \" == *\" ${COMP_WORDS[i]} \"* ]] && { command=${COMP_WORDS[i]}; "
        "break; }\n"
        "    done\n"
        "    case $command in\n"
        "    '') COMPREPLY=($(compgen -W \"$commands $global\" -- \"$word\")); return ;;\n");
    for (const dtctl_command_t *command = dtctl_commands; command->name; command++) {
        dt_buffer_printf (&text, "    %s) flags='", command->name);
        s_completion_flags (&text, command->flags);
        dt_buffer_printf (&text, "' ;;\n");
    }
    dt_buffer_printf (
        &text,
        "    esac\n"
        "    if [[ $word == -* ]]; then\n"
        "        COMPREPLY=($(compgen -W \"$flags $global\" -- \"$word\"))\n"
        "    elif [[ $command == help ]]; then\n"
        "        COMPREPLY=($(compgen -W \"$commands\" -- \"$word\"))\n"
        "    elif [[ $command == batch || $command == import || $command == export ]]; then\n"
        "        COMPREPLY=($(compgen -f -- \"$word\"))\n"
        "    fi\n"
        "}\n"
        "complete -F _dtctl dtctl\n");
    dtctl_output_simple_raw (self->out, text.data, text.bytes);
    dt_buffer_deinit (&text);
    return DTCTL_EXIT_OK;
}
