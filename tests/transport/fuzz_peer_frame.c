// Any bytes as a frame of another node and as a refusal: what is read can be written and is read
// again as the same; every body lies inside the frame.

#include <string.h>

#include "base/dt_assert.h"
#include "transport/peer_message.h"
#include "transport/peer_protocol.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes);

static void s_check_again (const peer_frame_t *frame, const dt_buffer_t *written)
{
    peer_frame_t again;
    peer_part_t part;
    dt_buffer_t second = {0};
    dt_assert (peer_frame_read (&again, written->data, written->bytes) == 0);
    dt_assert (memcmp (&again.header, &frame->header, sizeof again.header) == 0);
    peer_header_write (&second, &again.header);
    int rc;
    while ((rc = peer_frame_next (&again, &part)) == 1) {
        peer_part_write (&second, part.group, part.kind, part.term, part.bytes);
        dt_buffer_append (&second, part.data, part.bytes);
    }
    dt_assert (rc == 0);
    dt_assert (second.bytes == written->bytes);
    dt_assert (memcmp (second.data, written->data, second.bytes) == 0);
    dt_buffer_deinit (&second);
}

static void s_check_frame (const uint8_t *data, size_t bytes)
{
    peer_frame_t frame;
    peer_part_t part;
    int rc = peer_frame_read (&frame, data, bytes);
    if (rc != 0) {
        dt_assert (rc == DT_ERR_MALFORMED || rc == DT_ERR_PROTOCOL_VERSION);
        dt_assert (peer_frame_next (&frame, &part) == 0);
        return;
    }
    dt_buffer_t written = {0};
    peer_header_write (&written, &frame.header);
    while ((rc = peer_frame_next (&frame, &part)) == 1) {
        dt_assert (part.data > data);
        dt_assert (part.data + part.bytes <= data + bytes);
        dt_assert (part.bytes <= PEER_BODY_BYTES_MAX);
        peer_part_write (&written, part.group, part.kind, part.term, part.bytes);
        dt_buffer_append (&written, part.data, part.bytes);
        (void) peer_link_nonce (&part);
    }
    dt_assert (rc == 0 || rc == DT_ERR_MALFORMED);
    dt_assert (peer_frame_next (&frame, &part) == 0);
    s_check_again (&frame, &written);
    dt_buffer_deinit (&written);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    s_check_frame (data, bytes);
    peer_refusal_t refusal;
    if (peer_refusal_read (data, bytes, &refusal) == 0) {
        dt_assert (refusal.text.bytes <= PEER_REFUSAL_TEXT_BYTES_MAX);
        dt_assert (refusal.text.bytes == 0 || refusal.text.data > data);
    }
    return 0;
}
