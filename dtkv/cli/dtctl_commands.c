// dtctl_commands - the table of commands: names, flags, help.

#include <string.h>

#include "dtkv/cli/dtctl.h"

const dtctl_flag_t dtctl_global_flags[] = {
    {"endpoint", 'e', "ADDRESS", "node to ask: tcp://HOST:PORT, HOST:PORT or HOST (127.0.0.1:9332)",
     true},
    {"group", 'g', "NUMBER", "raft group (the node's first)", false},
    {"timeout", 't', "DURATION", "how long to wait: 500ms, 5s, 2m (5s)", false},
    {"output", 'o', "FORMAT", "simple, table or json (simple)", false},
    {"hex", 0, NULL, "show names and values as hexadecimal digits", false},
    {"consistency", 0, "MODE", "of reads: linearizable, readindex or stale (linearizable)", false},
    {"min-index", 0, "INDEX", "a read waits until this index is applied", false},
    {"no-color", 0, NULL, "no colours on a terminal", false},
    {"help", 'h', NULL, "show help", false},
    {0},
};

#define S_FLAG_PARENTS                                                                             \
    {                                                                                              \
        "parents", 'p', NULL, "create missing directories above", false                            \
    }
#define S_FLAG_PREVIOUS                                                                            \
    {                                                                                              \
        "previous", 0, NULL, "show the value that was there before", false                         \
    }
#define S_FLAG_FILE                                                                                \
    {                                                                                              \
        "file", 'f', "FILE", "take the value from a file", false                                   \
    }
#define S_FLAG_RECURSIVE(text)                                                                     \
    {                                                                                              \
        "recursive", 'R', NULL, text, false                                                        \
    }
#define S_FLAG_LONG                                                                                \
    {                                                                                              \
        "long", 'l', NULL, "show meta data: size, version, index, time", false                     \
    }
#define S_FLAG_SKIP_OK                                                                             \
    {                                                                                              \
        "skip-ok", 0, NULL, "skipped files are no failure (exit code 0)", false                    \
    }

#define S_FLAG_TTL                                                                                 \
    {                                                                                              \
        "ttl", 0, "DURATION", "it goes by itself after that time: 500ms, 30s, 5m", false           \
    }

static const dtctl_flag_t s_put_flags[] = {
    S_FLAG_FILE,
    S_FLAG_PARENTS,
    S_FLAG_PREVIOUS,
    S_FLAG_TTL,
    {"sequential", 's', NULL, "append a rising number of 20 digits to the key", false},
    {0},
};
static const dtctl_flag_t s_parents_flags[] = {S_FLAG_PARENTS, {0}};
static const dtctl_flag_t s_member_flags[] = {
    {"peer", 0, "ENDPOINT", "of a new node, for other nodes: tcp://HOST:9331", false},
    {"service", 0, "ENDPOINT", "of a new node, for clients: tcp://HOST:9332", false},
    {"observer", 0, NULL, "add: it stays an observer, without a vote", false},
    {"force", 0, NULL, "even if it has not caught up, or no quorum would be alive", false},
    {"dry-run", 'n', NULL, "only show the configurations before and after", false},
    {0},
};
static const dtctl_flag_t s_get_flags[] = {S_FLAG_LONG, {0}};
static const dtctl_flag_t s_mkdir_flags[] = {S_FLAG_PARENTS, S_FLAG_PREVIOUS, S_FLAG_TTL, {0}};
static const dtctl_flag_t s_remove_flags[] = {
    {"recursive", 'r', NULL, "remove a directory with all that is below it", false},
    {"yes", 'y', NULL, "do not ask", false},
    {"dry-run", 'n', NULL, "only count what would be removed", false},
    {0},
};
static const dtctl_flag_t s_list_flags[] = {
    S_FLAG_RECURSIVE ("everything below, not only direct children"),
    S_FLAG_LONG,
    {"values", 'v', NULL, "show values, escaped to stay on one line", false},
    {"keys-only", 'k', NULL, "names only: least work for the node, no mark for directories", false},
    {"count-only", 'c', NULL, "only how many there are", false},
    {"limit", 0, "NUMBER", "at most so many", false},
    {0},
};
static const dtctl_flag_t s_tree_flags[] = {
    {"depth", 'L', "NUMBER", "at most so many levels", false},
    {0},
};
static const dtctl_flag_t s_cas_flags[] = {
    {"value", 0, "VALUE", "if the value is this", false},
    {"version", 0, "NUMBER", "if the version is this", false},
    {"index", 0, "NUMBER", "if it was changed last at this index", false},
    {"absent", 0, NULL, "if there is no such key", false},
    {"remove", 0, NULL, "remove the key instead of setting it", false},
    S_FLAG_FILE,
    S_FLAG_PARENTS,
    S_FLAG_PREVIOUS,
    {0},
};
static const dtctl_flag_t s_batch_flags[] = {
    {"atomic", 0, NULL, "all or nothing; puts only or removals only", false},
    S_FLAG_PARENTS,
    {0},
};
static const dtctl_flag_t s_import_flags[] = {
    {"to", 0, "PATH", "directory of the tree to import into", false},
    {"links", 0, "HOW", "symbolic links: keep, follow or skip (keep)", false},
    {"max-file-size", 0, "SIZE", "skip larger files, e.g. 64KiB (the node's limit)", false},
    {"acked-log", 0, "FILE", "append each acknowledged key to a file", false},
    S_FLAG_SKIP_OK,
    {0},
};
static const dtctl_flag_t s_export_flags[] = {
    {"links", 0, "HOW", "symbolic links: keep or skip (keep)", false},
    S_FLAG_SKIP_OK,
    {0},
};
static const dtctl_flag_t s_ping_flags[] = {
    {"count", 'c', "NUMBER", "so many times, one each second (1)", false},
    {0},
};

static const char s_keys[] = "Keys";
static const char s_many[] = "Many keys at once";
static const char s_node[] = "Nodes";
static const char s_self[] = "This program";

const dtctl_command_t dtctl_commands[] = {
    {"put", s_keys, "KEY VALUE | KEY - | KEY --file FILE", "set a value",
     "VALUE may be empty (''); - reads standard input; both take any bytes.\n"
     "\n"
     "  dtctl put -p app.db.url postgres://db/app\n"
     "  dtctl put app.logo --file logo.png\n"
     "  date | dtctl put app.started -\n"
     "  dtctl put -s queue.job- work       creates queue.job-00000000000000000042, prints it\n"
     "  dtctl put --ttl 30s services.web.10-0-0-7 up\n",
     s_put_flags, 1, 2, dtctl_put},
    {"ttl", s_keys, "KEY DURATION", "have a temporary key or directory live so long from now on",
     "It does not count as a change: version and index stay.\n"
     "\n"
     "  dtctl ttl services.web.10-0-0-7 30s\n",
     NULL, 2, 2, dtctl_ttl},
    {"get", s_keys, "KEY", "print a value",
     "Writes the bytes of the value and nothing else. On a terminal control characters are\n"
     "escaped and a newline is added.\n"
     "\n"
     "  dtctl get app.db.url\n"
     "  dtctl get app.logo > logo.png\n"
     "  dtctl get -o json app.db.url\n"
     "  dtctl get -l app.db.url            its size, version, index, time\n",
     s_get_flags, 1, 1, dtctl_get},
    {"rm", s_keys, "KEY", "remove a value or a directory",
     "A directory that is not empty needs -r, and -y or an answer on the terminal. A subtree\n"
     "larger than the node's batch_items_max goes in several steps.\n"
     "\n"
     "  dtctl rm app.db.url\n"
     "  dtctl rm -rn app                   how many would go?\n"
     "  dtctl rm -ry app\n",
     s_remove_flags, 1, 1, dtctl_remove},
    {"incr", s_keys, "KEY [NUMBER]", "add to a number",
     "The value is a decimal number; NUMBER (1) may be negative, after --. A missing key counts "
     "as\n"
     "0. Prints the sum. Exit code 4 if the value is no number, or the sum would be out of range.\n"
     "\n"
     "  dtctl incr app.visits\n"
     "  dtctl incr -p app.stock.bolts 500\n"
     "  dtctl incr app.stock.bolts -- -12\n",
     s_parents_flags, 1, 2, dtctl_increment},
    {"mv", s_keys, "FROM TO", "move a value or a directory with all that is below it",
     "At once, whatever reads meanwhile. TO must be free (exit code 4), and not below FROM. At "
     "most\n"
     "the node's batch_items_max keys (exit code 8); locks and temporary keys do not move.\n"
     "\n"
     "  dtctl mv app.next app.current\n"
     "  dtctl mv -p app archive.2026.app\n",
     s_parents_flags, 2, 2, dtctl_move},
    {"mkdir", s_keys, "PATH", "create a directory",
     "With -p the directories above it too, and it is fine if it is there.\n"
     "\n"
     "  dtctl mkdir -p app.db\n",
     s_mkdir_flags, 1, 1, dtctl_mkdir},
    {"ls", s_keys, "[PATH]", "list a directory",
     "Names in byte order, directories with a dot behind. Control characters and bytes that\n"
     "are no UTF-8 are escaped. Without PATH the root.\n"
     "\n"
     "  dtctl ls\n"
     "  dtctl ls -lR app\n"
     "  dtctl ls -Rv app                   names and values, separated by a tab\n"
     "  dtctl ls -R --count-only app\n"
     "  dtctl ls -o json app | jq -r .name.text\n",
     s_list_flags, 0, 1, dtctl_list},
    {"tree", s_keys, "[PATH]", "draw a directory",
     "  dtctl tree app\n"
     "  dtctl tree -L 2\n",
     s_tree_flags, 0, 1, dtctl_tree},
    {"cas", s_keys, "KEY CONDITION NEW | --remove", "set or remove a key if a condition holds",
     "One CONDITION: --value V, --version N, --index N or --absent. Exit code 4 if it does not\n"
     "hold; nothing is changed then.\n"
     "\n"
     "  dtctl cas app.leader --absent node-1\n"
     "  dtctl cas app.leader --value node-1 node-2\n"
     "  dtctl cas app.leader --version 7 --remove\n",
     s_cas_flags, 1, 2, dtctl_cas},
    {"batch", s_many, "FILE | -", "carry out puts, removals and reads from a file",
     "A line is `put KEY VALUE`, `rm KEY` or `get KEY`; # begins a comment. Words with blanks\n"
     "stand in quotes: '...' as it is, \"...\" with \\\\ \\\" \\n \\r \\t \\0 \\xNN.\n"
     "Each line has its own result; the exit code is that of the first failure.\n"
     "\n"
     "  printf 'put app.a 1\\nput app.b \"two words\"\\nget app.a\\n' | dtctl batch -p -\n"
     "  dtctl batch --atomic changes.txt\n",
     s_batch_flags, 1, 1, dtctl_batch},
    {"import", s_many, "DIR --to PATH", "store the files of a directory",
     "Files become values, directories directories. In a name `.` becomes %2E and `%` %25. A\n"
     "symbolic link becomes a value that holds its target, under its name and %@; a relative\n"
     "target outside of DIR is stored from the root. Modes, owners and times are not kept.\n"
     "Skipped, with a message: devices, sockets, pipes, what cannot be read, files over the "
     "limit.\n"
     "Running it again is harmless and completes what was cut off. Keys that are no longer in\n"
     "DIR stay.\n"
     "\n"
     "  dtctl import /etc --to etc\n"
     "  dtctl import conf --to app.conf --links follow --max-file-size 64KiB\n",
     s_import_flags, 1, 1, dtctl_import},
    {"export", s_many, "PATH DIR", "write a subtree into files",
     "The reverse of import. DIR is created if missing; files there are replaced, others stay.\n"
     "Names never lead out of DIR. Skipped, with a message: names that no file can have.\n"
     "\n"
     "  dtctl export etc /tmp/etc-copy && diff -r /etc /tmp/etc-copy\n",
     s_export_flags, 2, 2, dtctl_export},
    {"ping", s_node, "", "measure the way to a node and back",
     "  dtctl ping\n"
     "  dtctl -e db1:9332 ping -c 5\n",
     s_ping_flags, 0, 0, dtctl_ping},
    {"status", s_node, "", "what a node says of itself",
     "  dtctl status\n"
     "  dtctl status -o json\n",
     NULL, 0, 0, dtctl_status},
    {"info", s_node, "", "version, cluster, groups and limits of a node",
     "  dtctl info\n"
     "  dtctl info -o json | jq .value_bytes_max\n",
     NULL, 0, 0, dtctl_info},
    {"members", s_node, "", "the nodes of the group, who leads, how far each is",
     "A leader's view if one answers; without one, who belongs to the group.\n"
     "\n"
     "  dtctl members -o table\n",
     NULL, 0, 0, dtctl_members},
    {"member", s_node, "add|promote|demote|remove|replace ID", "change who belongs to the group",
     "add makes a node an observer, waits until it has caught up and makes it a voter; with\n"
     "--observer it stays one. Start the node with --join yes before. replace OLD NEW does so for\n"
     "NEW and takes OLD out in the same change, be it alive or dead. Each prints the\n"
     "configuration before and after and how many failures it tolerates. What would leave no live\n"
     "quorum is refused unless forced. Repeating what is done is no error.\n"
     "\n"
     "  dtctl member add 4 --peer tcp://10.0.0.4:9331 --service tcp://10.0.0.4:9332 -t 5m\n"
     "  dtctl member replace 2 4 --peer tcp://10.0.0.4:9331 --service tcp://10.0.0.4:9332 -t 5m\n"
     "  dtctl member remove 2 --dry-run\n",
     s_member_flags, 2, 3, dtctl_member},
    {"cluster", s_node, "", "every node of the group: role, indexes, lag, disk",
     "Asks each node itself. The exit code is 6 if one does not answer or is not well.\n"
     "\n"
     "  dtctl cluster -o table\n",
     NULL, 0, 0, dtctl_cluster},
    {"config", s_node, "commit|abort", "finish or undo a change that was left half done",
     "  dtctl config abort\n", NULL, 1, 1, dtctl_config},
    {"transfer-leader", s_node, "[ID]", "have another node lead: ID, or whoever is fit",
     "  dtctl transfer-leader 2\n", NULL, 0, 1, dtctl_transfer},
    {"snapshot", s_node, "take", "have the node take a snapshot",
     "  dtctl snapshot take --timeout 5m\n", NULL, 1, 1, dtctl_snapshot},
    {"help", s_self, "[COMMAND]", "show help",
     "  dtctl help\n"
     "  dtctl help import\n",
     NULL, 0, 1, dtctl_help},
    {"version", s_self, "", "version of this program, and of the node if one answers",
     "  dtctl version\n", NULL, 0, 0, dtctl_version},
    {"completion", s_self, "bash", "print a script that completes command lines",
     "  source <(dtctl completion bash)\n", NULL, 1, 1, dtctl_completion},
    {0},
};

const dtctl_command_t *dtctl_command_find (const char *name)
{
    const dtctl_command_t *command = dtctl_commands;
    while (command->name && strcmp (command->name, name) != 0) {
        command++;
    }
    return command->name ? command : NULL;
}
