// protocol_request - the requests inside a body frame, read and written.
//
//     body-frame = [ frame-header ] 1*request
//     request    = [ id, operation, group, timeout-ms, body, options ? ]
//
// Reading allocates nothing and copies nothing: slices point into the frame. What comes out has
// been checked for form only; the meaning of operation and body is the store's business.

#ifndef PROTOCOL_REQUEST_H
#define PROTOCOL_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_buffer.h"
#include "transport/msgpack_cursor.h"
#include "transport/protocol.h"

typedef struct {
    uint64_t id;           // chosen by the client
    uint32_t operation;    // protocol_operation_t or one this version does not know
    uint32_t group;        // 0: the node's first group
    uint32_t timeout_ms;   // 1 .. PROTOCOL_TIMEOUT_MS_MAX after reading; 0 in writing: default
    msgpack_slice_t body;  // one array or nil, well formed; empty in writing: nil
    uint64_t client_id;    // from the frame's header; not written here
    uint64_t session_id;   // 0: none
    uint64_t session_seq;  // 0: not under a session
    uint64_t session_ack;  // lowest seq whose reply has not arrived; 0: none said
    uint64_t min_index;    // reads wait for it
    uint32_t read_mode;    // protocol_read_mode_t
    uint32_t max_age_ms;   // a stale read: how old its state may be; 0: any age
    bool want_digest;      // the reply carries the digest of the state
    msgpack_slice_t trace; // at most PROTOCOL_TRACE_BYTES_MAX bytes; data NULL: none
} protocol_request_t;

// The state of reading one frame.
typedef struct {
    msgpack_cursor_t cursor;
    uint64_t client_id;   // defaults of the frame's header
    uint64_t session_id;  //
    uint64_t session_ack; //
    bool empty;           // no request was read yet
    bool failed;          // the refusal was reported
} protocol_frame_t;

// Start reading a frame of `bytes` bytes, which must outlive every request read from it. Reads the
// header if there is one; a malformed header is reported by the first protocol_frame_next.
void protocol_frame_init (protocol_frame_t *self, const void *data, size_t bytes);

// Read the next request, header defaults and default time limit filled in.
// 1: *request is set. 0: the frame is at its end.
// DT_ERR_MALFORMED, once: what is left of the frame cannot be read, nor can a frame with no request
// in it; request->id is the refused request's id, 0 if it could not be read; the other fields are
// not to be used. The next call returns 0.
int protocol_frame_next (protocol_frame_t *self, protocol_request_t *request);

// Append a frame's header; fields that are 0 are left out.
void protocol_header_write (dt_buffer_t *buffer, uint64_t client_id, uint64_t session_id,
                            uint64_t session_ack);

// Append a request. Options that are 0, false or NULL are left out, and the array of options with
// them if none is left. client_id is not written: it stands in the frame's header.
void protocol_request_write (dt_buffer_t *buffer, const protocol_request_t *request);

// The same in two halves, for a caller that packs the body between them (request->body is ignored;
// exactly one msgpack array or nil must be appended). Both get the same request.
void protocol_request_open (dt_buffer_t *buffer, const protocol_request_t *request);
void protocol_request_close (dt_buffer_t *buffer, const protocol_request_t *request);

#endif // PROTOCOL_REQUEST_H
