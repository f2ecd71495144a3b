// peer_protocol - frames between nodes, written and read. Pure.
//
// A frame is one msgpack header and any number of parts behind each other; a part is a msgpack
// header and the raw bytes of its body. docs/PEER_PROTOCOL.md has the grammar, the numbers and test
// vectors. Reading allocates nothing, believes no length it has not checked against the bytes left
// [MP-1], and returns slices of the frame.

#ifndef PEER_PROTOCOL_H
#define PEER_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_buffer.h"
#include "transport/msgpack_cursor.h"

enum {
    PEER_PROTOCOL_VERSION = 1,
    PEER_HEADER_BYTES_MAX = 48,        // of a frame's header as written here
    PEER_PART_HEADER_BYTES_MAX = 24,   // of a part's
    PEER_REFUSAL_TEXT_BYTES_MAX = 200, // longer ones are cut when written, refused when read
};

// X (name, number, name in the document): parts of group 0, about the link itself.
#define PEER_LINK_TABLE(X)                                                                         \
    X (HELLO, 1, "hello")                                                                          \
    X (PROBE, 2, "probe")                                                                          \
    X (PROBE_ANSWER, 3, "probe-answer")

typedef enum {
#define PEER_LINK_ENUM(NAME, number, name) PEER_LINK_##NAME = number,
    PEER_LINK_TABLE (PEER_LINK_ENUM)
#undef PEER_LINK_ENUM
} peer_link_kind_t;

// X (name, number, name in the document): why a frame was refused.
#define PEER_REFUSAL_TABLE(X)                                                                      \
    X (VERSION, 1, "version")                                                                      \
    X (CLUSTER, 2, "cluster")                                                                      \
    X (ADDRESSEE, 3, "addressee")                                                                  \
    X (CLAIMED, 4, "claimed")                                                                      \
    X (UNPROVEN, 5, "unproven")                                                                    \
    X (MALFORMED, 6, "malformed")

typedef enum {
#define PEER_REFUSAL_ENUM(NAME, number, name) PEER_REFUSAL_##NAME = number,
    PEER_REFUSAL_TABLE (PEER_REFUSAL_ENUM)
#undef PEER_REFUSAL_ENUM
} peer_refusal_code_t;

// What every frame begins with [RAFT-19].
typedef struct {
    uint64_t cluster_id;
    uint32_t from;    // node id, not 0
    uint32_t to;      // node id, not 0
    uint64_t boot_id; // of the sender's process, not 0
    uint64_t epoch;   // of the link it was sent on; grows within a boot
} peer_header_t;

// One message of a frame.
typedef struct {
    uint32_t group;      // 0: of the link itself
    uint8_t kind;        // of raft's, or peer_link_kind_t
    uint64_t term;       // the sender's in the group
    const uint8_t *data; // body, inside the frame
    size_t bytes;        //
} peer_part_t;

// A frame being read.
typedef struct {
    peer_header_t header;
    uint64_t version; // 0 if not even that could be read
    msgpack_cursor_t cursor;
} peer_frame_t;

// Read a frame's header; the frame's bytes are borrowed. DT_ERR_MALFORMED.
// DT_ERR_PROTOCOL_VERSION: version is set, the rest is not.
int peer_frame_read (peer_frame_t *self, const uint8_t *data, size_t bytes);

// Read the next part: 1, 0 at the end, or DT_ERR_MALFORMED, after which there is nothing more.
int peer_frame_next (peer_frame_t *self, peer_part_t *part);

// Append a frame's header, or a part's header, behind which `bytes` bytes of body go.
void peer_header_write (dt_buffer_t *frame, const peer_header_t *header);
void peer_part_write (dt_buffer_t *frame, uint32_t group, uint8_t kind, uint64_t term,
                      size_t bytes);

// Append a part of the link itself. nonce is of probes and their answers; 0 for the others.
void peer_link_write (dt_buffer_t *frame, peer_link_kind_t kind, uint64_t nonce);

// The nonce of a probe or its answer; 0: it has none.
uint64_t peer_link_nonce (const peer_part_t *part);

// Why a sender is refused, told on the connection its frame came by.
typedef struct {
    uint64_t code;        // peer_refusal_code_t or one not known here
    msgpack_slice_t text; // for people
    uint64_t expected;    // what would have been taken: version, cluster id, node id, boot id
} peer_refusal_t;

void peer_refusal_write (dt_buffer_t *frame, peer_refusal_code_t code, const char *text,
                         uint64_t expected);

// DT_ERR_MALFORMED.
int peer_refusal_read (const uint8_t *data, size_t bytes, peer_refusal_t *refusal);

// The name of a code; "unknown" for others.
const char *peer_refusal_name (uint64_t code);

#endif // PEER_PROTOCOL_H
