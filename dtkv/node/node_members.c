#include "dtkv/node/node_members.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"

static int s_fail (const char **why, const char *text)
{
    *why = text;
    return DT_ERR_USAGE;
}

static bool s_copy_endpoint (char *endpoint, const char *start, size_t bytes)
{
    bool known = strncmp (start, "tcp://", 6) == 0 || strncmp (start, "ipc://", 6) == 0;
    if (bytes < 7 || bytes > RAFT_ENDPOINT_BYTES_MAX || !known) {
        return false;
    }
    memcpy (endpoint, start, bytes);
    endpoint[bytes] = 0;
    return true;
}

// One "ID=PEER,SERVICE" of `bytes` bytes.
static int s_parse_one (const char *text, size_t bytes, bool observers, raft_config_t *config,
                        const char **why)
{
    char *end;
    errno = 0;
    unsigned long long id = strtoull (text, &end, 10);
    if (end == text || *end != '=' || errno != 0 || id == 0 || id > UINT32_MAX || text[0] == '-') {
        return s_fail (why, "a node looks like 1=tcp://host:9331,tcp://host:9332; ids are from 1");
    }
    raft_node_info_t node = {.id = (raft_node_id_t) id};
    const char *peer = end + 1;
    const char *stop = text + bytes;
    const char *comma = memchr (peer, ',', (size_t) (stop - peer));
    if (!comma || !s_copy_endpoint (node.peer, peer, (size_t) (comma - peer)) ||
        !s_copy_endpoint (node.service, comma + 1, (size_t) (stop - comma - 1))) {
        return s_fail (why,
                       "a node needs two endpoints like tcp://host:port (or ipc://@name on one "
                       "machine), of at most 95 bytes: for other nodes, and for clients");
    }
    if (raft_config_is_member (config, node.id)) {
        return s_fail (why, "this node stands there twice");
    }
    raft_node_list_t *list = observers ? &config->observers : &config->voters;
    if (!raft_node_list_add (list, node.id) || !raft_config_describe (config, &node)) {
        return s_fail (why, "more than 32 nodes");
    }
    return 0;
}

int node_members_parse (const char *text, bool observers, raft_config_t *config, const char **at,
                        const char **why)
{
    for (;;) {
        text += strspn (text, " \t");
        if (!*text) {
            return 0;
        }
        size_t bytes = strcspn (text, " \t");
        int rc = s_parse_one (text, bytes, observers, config, why);
        if (rc != 0) {
            *at = text;
            return rc;
        }
        text += bytes;
    }
}
