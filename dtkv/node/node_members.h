// node_members - the nodes of a cluster, as a node's settings name them.
//
// "1=tcp://10.0.0.1:9331,tcp://10.0.0.1:9332 2=..." : node ids with the endpoint for other nodes
// and the one for clients, separated by spaces. A group that starts for the first time begins with
// these nodes; afterwards its log says who belongs to it.

#ifndef NODE_MEMBERS_H
#define NODE_MEMBERS_H

#include "raft/core/raft_config.h"

// Add the nodes of a text to a configuration, as voters or as observers.
// DT_ERR_USAGE: *why (static text) says what is wrong with the part that begins at *at.
int node_members_parse (const char *text, bool observers, raft_config_t *config, const char **at,
                        const char **why);

#endif // NODE_MEMBERS_H
