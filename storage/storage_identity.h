// storage_identity - whose file it is. Every file of a group names all three.

#ifndef STORAGE_IDENTITY_H
#define STORAGE_IDENTITY_H

#include <stdint.h>

typedef struct {
    uint64_t cluster_id;
    uint32_t group_id; // raft group
    uint32_t node_id;  // of the node that wrote it
} storage_identity_t;

#endif // STORAGE_IDENTITY_H
