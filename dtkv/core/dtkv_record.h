// dtkv_record - the records of a snapshot stream. Format: top of dtkv_record.c.

#ifndef DTKV_RECORD_H
#define DTKV_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_buffer.h"
#include "dtkv/core/dtkv_node.h"
#include "dtkv/core/dtkv_session.h"

enum {
    DTKV_RECORD_NODE = 1,
    DTKV_RECORD_SESSION = 2,
    DTKV_RECORD_END = 3,

    DTKV_SNAPSHOT_VERSION = 2,
    DTKV_HEADER_BYTES = 48,
    DTKV_NODE_BYTES = 92,    // before name and value
    DTKV_SESSION_BYTES = 40, // before the replies
    DTKV_REPLY_BYTES = 24,   // before the body
    DTKV_END_BYTES = 16,
    DTKV_REPLY_BODY_CEILING = 256 * 1024 * 1024,
};

// What the stream begins with.
typedef struct {
    uint64_t applied_index;
    uint64_t cluster_time_ms;
    uint64_t nodes;    // the root not counted
    uint64_t sessions; // records that follow
} dtkv_header_t;

// The fixed part of a node's record.
typedef struct {
    bool sound; // the bytes that hold nothing are 0
    uint8_t flags;
    uint16_t depth; // 0: the root
    uint16_t name_bytes;
    uint32_t value_bytes;
    uint64_t create_index;
    uint64_t modify_index;
    uint64_t version;
    uint64_t child_version;
    uint64_t create_ms;
    uint64_t modify_ms;
    uint64_t writer;
    dtkv_lifetime_t lifetime;
} dtkv_node_record_t;

// The fixed part of a session's record.
typedef struct {
    bool sound;       // the bytes that hold nothing are 0
    uint32_t replies; // that follow it
    uint64_t id;
    uint64_t ttl_ms;
    uint64_t deadline_ms;
    uint64_t ack;
} dtkv_session_record_t;

void dtkv_record_write_header (const dtkv_header_t *header, dt_buffer_t *out);
void dtkv_record_write_node (const dtkv_node_t *node, uint32_t depth, const uint8_t *name,
                             size_t name_bytes, dt_buffer_t *out);
void dtkv_record_write_session (const dtkv_session_t *session, dt_buffer_t *out);
void dtkv_record_write_end (uint64_t digest, dt_buffer_t *out);

// Read a header of DTKV_HEADER_BYTES. DT_ERR_CORRUPT or DT_ERR_NEWER_FORMAT.
int dtkv_record_read_header (const uint8_t *data, dtkv_header_t *header);

// Read fixed parts, of the lengths above. The values are not judged.
void dtkv_record_read_node (const uint8_t *data, dtkv_node_record_t *record);
void dtkv_record_read_session (const uint8_t *data, dtkv_session_record_t *record);
void dtkv_record_read_reply (const uint8_t *data, dtkv_kept_reply_t *reply);
// DT_ERR_CORRUPT: the bytes that hold nothing are not 0.
int dtkv_record_read_end (const uint8_t *data, uint64_t *digest);

#endif // DTKV_RECORD_H
