// dtctl_change - what a change of members would make of a configuration, and what it tolerates.
// Pure.

#ifndef DTCTL_CHANGE_H
#define DTCTL_CHANGE_H

#include "transport/protocol_admin.h"

typedef enum {
    DTCTL_CHANGE_ADD_OBSERVER, // a node, new or a voter so far
    DTCTL_CHANGE_PROMOTE,      // an observer becomes voter
    DTCTL_CHANGE_REMOVE,       // a node leaves
    DTCTL_CHANGE_REPLACE,      // a node becomes voter, or stays observer, in the place of one that
                               // leaves
} dtctl_change_kind_t;

// What is asked for.
typedef struct {
    dtctl_change_kind_t kind;
    uint32_t id;
    uint32_t replaced;   // REPLACE: who leaves
    const char *peer;    // ADD_OBSERVER, REPLACE: endpoints; NULL: as they are known
    const char *service; //
} dtctl_change_t;

// The target of a change from a plain configuration. 0; 1: it is so already, nothing has to be
// done; DT_ERR_BAD_CHANGE: it does not fit, *why (static text) says how.
int dtctl_change_target (const protocol_config_t *now, const dtctl_change_t *change,
                         protocol_change_t *target, const char **why);

// How many voters may fail while the group goes on.
uint32_t dtctl_change_tolerates (const protocol_ids_t *voters);

// Whether an id is in a list.
bool dtctl_change_has (const protocol_ids_t *ids, uint32_t id);

#endif // DTCTL_CHANGE_H
