// Any bytes as a frame of requests: what is read can be written and is read again as the same.

#include <string.h>

#include "base/dt_assert.h"
#include "transport/protocol_hello.h"
#include "transport/protocol_request.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes);

static void s_check_again (const protocol_request_t *request)
{
    dt_buffer_t buffer = {0};
    protocol_request_write (&buffer, request);
    protocol_frame_t frame;
    protocol_request_t again;
    protocol_frame_init (&frame, buffer.data, buffer.bytes);
    dt_assert (protocol_frame_next (&frame, &again) == 1);
    dt_assert (again.id == request->id);
    dt_assert (again.operation == request->operation);
    dt_assert (again.group == request->group);
    dt_assert (again.timeout_ms == request->timeout_ms);
    dt_assert (again.session_id == request->session_id);
    dt_assert (again.session_seq == request->session_seq);
    dt_assert (again.session_ack == request->session_ack);
    dt_assert (again.min_index == request->min_index);
    dt_assert (again.read_mode == request->read_mode);
    dt_assert (again.want_digest == request->want_digest);
    dt_assert (again.trace.bytes == request->trace.bytes);
    dt_assert (again.body.bytes == request->body.bytes);
    dt_assert (memcmp (again.body.data, request->body.data, request->body.bytes) == 0);
    dt_assert (protocol_frame_next (&frame, &again) == 0);
    dt_buffer_deinit (&buffer);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    protocol_frame_t frame;
    protocol_request_t request;
    protocol_frame_init (&frame, data, bytes);
    int rc;
    while ((rc = protocol_frame_next (&frame, &request)) == 1) {
        dt_assert (request.timeout_ms >= 1 && request.timeout_ms <= PROTOCOL_TIMEOUT_MS_MAX);
        dt_assert (request.read_mode <= PROTOCOL_READ_STALE);
        dt_assert (request.trace.bytes <= PROTOCOL_TRACE_BYTES_MAX);
        s_check_again (&request);
        protocol_hello_request_t hello;
        (void) protocol_hello_request_read (request.body, &hello);
    }
    dt_assert (rc == 0 || rc == DT_ERR_MALFORMED);
    dt_assert (protocol_frame_next (&frame, &request) == 0);
    return 0;
}
