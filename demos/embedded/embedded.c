// embedded - a cluster inside one application: three nodes and a client in this process, no TCP port, no other program.
//
// Says what it does, checks every answer; exit code 0 if all was as expected.

#include <dt_client.h>
#include <dt_server.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NODES = 3, WAIT_MS = 30000 };

static char s_place[] = "/tmp/dongting-embedded-XXXXXX";
static char s_directory[NODES][128], s_peer[NODES][128], s_service[NODES][128];
static char s_members[1024], s_endpoints[512];
static dt_server_t *s_nodes[NODES];

static void s_fail (const char *what, const char *why)
{
    fprintf (stderr, "FAILED: %s: %s\n", what, why);
    exit (1);
}

// The application's own logging: only what is worth a look.
static void s_log (void *argument, dt_server_log_level_t level, const char *line)
{
    if (level >= DT_SERVER_LOG_WARN) {
        fprintf (stderr, "   node %s: %s\n", (const char *) argument, line);
    }
}

static void s_name_everything (void)
{
    if (!mkdtemp (s_place)) {
        s_fail (s_place, "cannot be made");
    }
    for (int i = 0; i < NODES; i++) {
        snprintf (s_directory[i], sizeof s_directory[i], "%s/%d", s_place, i + 1);
        snprintf (s_peer[i], sizeof s_peer[i], "ipc://@%s-peer-%d", s_place, i + 1);
        snprintf (s_service[i], sizeof s_service[i], "ipc://@%s-client-%d", s_place, i + 1);
        size_t used = strlen (s_members);
        snprintf (s_members + used, sizeof s_members - used, "%s%d=%s,%s", i ? " " : "", i + 1, s_peer[i],
                  s_service[i]);
        used = strlen (s_endpoints);
        snprintf (s_endpoints + used, sizeof s_endpoints - used, "%s%s", i ? "," : "", s_service[i]);
    }
}

static void s_start (int i)
{
    static char ids[NODES][2];
    ids[i][0] = (char) ('1' + i);
    const dt_server_setting_t settings[] = {
        {"node-id", ids[i]},      {"cluster-id", "11"},      {"data-dir", s_directory[i]},
        {"members", s_members},   {"replicate", s_peer[i]},  {"service", s_service[i]},
        {"max-clients", "100"},   {"election-time", "500ms"}, {"heartbeat", "50ms"},
    };
    dt_server_options_t options = {settings, sizeof settings / sizeof *settings, s_log, ids[i]};
    char error[300];
    if (dt_server_start (&s_nodes[i], &options, error, sizeof error) != DT_SERVER_OK) {
        s_fail ("start", error);
    }
}

static void s_stop (int i)
{
    if (dt_server_stop (&s_nodes[i], WAIT_MS) != DT_SERVER_OK) {
        s_fail (s_directory[i], "does not stop");
    }
}

static void s_put (dt_client_t *client, const char *value)
{
    int code = dt_client_put (client, dt_text ("app.mode"), dt_text (value),
                              &(dt_call_options_t){.flags = DT_PARENTS}, NULL);
    if (!dt_code_is_success (code)) {
        s_fail ("put", dt_code_text (code));
    }
    printf ("   app.mode is now %s\n", value);
}

static void s_expect (dt_client_t *client, const char *value)
{
    dt_result_t *result = NULL;
    dt_node_t node;
    int code = dt_client_get (client, dt_text ("app.mode"), NULL, &result);
    if (!dt_code_is_success (code) || !dt_result_node (result, &node)) {
        s_fail ("get", dt_code_text (code));
    }
    if (node.value.bytes != strlen (value) || memcmp (node.value.data, value, node.value.bytes) != 0) {
        s_fail ("app.mode", "is not what was written");
    }
    dt_result_free (&result);
    printf ("   app.mode reads %s (as expected)\n", value);
}

int main (void)
{
    s_name_everything ();
    printf ("== three nodes in this process, data below %s\n", s_place);
    for (int i = 0; i < NODES; i++) {
        s_start (i);
    }
    for (int i = 0; i < NODES; i++) {
        if (dt_server_wait_ready (s_nodes[i], WAIT_MS) != DT_SERVER_OK) {
            s_fail ("ready", "a node does not get there");
        }
    }
    dt_client_options_t options;
    dt_client_options_init (&options);
    options.endpoints = s_endpoints;
    options.session = true; // a write whose answer is lost in a failover happens once all the same
    options.timeout_ms = WAIT_MS;
    dt_client_t *client;
    char error[200];
    if (dt_client_open (&client, &options, error, sizeof error) != DT_SUCCESS) {
        s_fail ("client", error);
    }
    printf ("== the client writes and reads\n");
    s_put (client, "green");
    s_expect (client, "green");
    for (int i = 0; i < NODES; i++) {
        printf ("== node %d stops; the two others go on\n", i + 1);
        s_stop (i);
        s_expect (client, i == 0 ? "green" : i == 1 ? "mode-1" : "mode-2");
        char value[24];
        snprintf (value, sizeof value, "mode-%d", i + 1);
        s_put (client, value);
        printf ("== node %d comes back with what it had, and catches up\n", i + 1);
        s_start (i);
        if (dt_server_wait_ready (s_nodes[i], WAIT_MS) != DT_SERVER_OK) {
            s_fail ("ready", "the node does not come back");
        }
    }
    s_expect (client, "mode-3");
    dt_client_close (&client);
    for (int i = 0; i < NODES; i++) {
        s_stop (i);
    }
    char command[200];
    snprintf (command, sizeof command, "rm -rf '%s'", s_place);
    if (system (command) != 0) {
        s_fail (s_place, "cannot be removed");
    }
    printf ("\nAll of it as expected.\n");
    return 0;
}
