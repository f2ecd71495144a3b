// protocol_admin - bodies of the requests about a group's members and leader, and their replies.
//
//     prepare  = [ voters, observers, [ [ id, peer, service ] ... ], flags ? ]   ; lists of node
//     ids commit   = abort = [ joint-index ? ] transfer = [ node ? ] ; 0: whoever is fit index    =
//     [ index ]                  ; reply to prepare, commit and abort leader   = [ node ] ; reply
//     to transfer config   = { "index", "term", "leader", "joint", "auto_commit",
//                  "voters", "observers", "next_voters", "next_observers",
//                  "members": [ { "id", "peer", "service", "directory", ... } ... ] }
//
// What a leader knows of a member it adds to the member's map: "state", "active", "repairing",
// "match", "next", "last", "applied", "in_flight". Unknown names are ignored. Pure.

#ifndef PROTOCOL_ADMIN_H
#define PROTOCOL_ADMIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/dt_buffer.h"
#include "transport/msgpack_cursor.h"

enum {
    PROTOCOL_MEMBERS_MAX = 32,        // in one list
    PROTOCOL_ENDPOINT_BYTES_MAX = 95, // without a NUL
    PROTOCOL_CHANGE_AUTO_COMMIT = 1,  // flags of prepare
    PROTOCOL_CHANGE_FORCE = 2,
};

typedef struct {
    uint32_t count;
    uint32_t ids[PROTOCOL_MEMBERS_MAX];
} protocol_ids_t;

typedef struct {
    uint32_t id;
    char peer[PROTOCOL_ENDPOINT_BYTES_MAX + 1];
    char service[PROTOCOL_ENDPOINT_BYTES_MAX + 1];
    uint64_t directory; // 0: not known
    // From the leader only:
    bool followed;  // the rest is set
    bool active;    // heard from lately
    bool repairing; //
    char state[16]; // probe, pipeline, snapshot
    uint64_t match, next, last, applied, in_flight;
} protocol_member_t;

typedef struct {
    protocol_ids_t voters, observers;
    uint32_t members_count;
    protocol_member_t members[PROTOCOL_MEMBERS_MAX]; // id, peer, service
    uint32_t flags;
} protocol_change_t;

typedef struct {
    uint64_t index, term;
    uint32_t leader; // 0: not known
    bool joint, auto_commit;
    protocol_ids_t voters, observers, next_voters, next_observers;
    uint32_t members_count;
    protocol_member_t members[PROTOCOL_MEMBERS_MAX];
} protocol_config_t;

void protocol_change_write (dt_buffer_t *body, const protocol_change_t *change);
// DT_ERR_MALFORMED: not a prepare's body.
int protocol_change_read (msgpack_slice_t body, protocol_change_t *change);

// Bodies of one optional number.
void protocol_number_write (dt_buffer_t *body, uint64_t number);
// 0 if the array is empty or the body nil. DT_ERR_MALFORMED.
int protocol_number_read (msgpack_slice_t body, uint64_t *number);

void protocol_config_write (dt_buffer_t *body, const protocol_config_t *config);
int protocol_config_read (msgpack_slice_t body, protocol_config_t *config);

#endif // PROTOCOL_ADMIN_H
