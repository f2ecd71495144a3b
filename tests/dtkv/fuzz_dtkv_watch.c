// fuzz_dtkv_watch - requests of watches with bodies of any bytes, between writes and pushes.
//
// The input is a row of [ what, length, bytes ]: a request of watches with that body, or a write, or
// a push. Whatever comes, the registry stays sound and what is sent is well-formed.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "dtkv/core/dtkv_watch.h"
#include "tests/dtkv/kv_program.h"
#include "tests/dtkv/kv_request.h"
#include "transport/msgpack_cursor.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes);

static void s_on_send (void *context, const dtkv_watch_client_t *client, uint64_t request_id, int code,
                       uint64_t index, const uint8_t *body, size_t bytes)
{
    (void) context;
    (void) request_id;
    (void) code;
    (void) index;
    msgpack_cursor_t cursor;
    dt_assert (client->bytes == 1);
    msgpack_cursor_init (&cursor, body, bytes);
    msgpack_cursor_skip (&cursor, MSGPACK_DEPTH_MAX - 1);
    dt_assert (msgpack_cursor_finished (&cursor));
}

static void s_request (kv_fixture_t *kv, dtkv_watches_t *watches, uint32_t operation,
                       const uint8_t *body, size_t bytes, uint64_t now_ms)
{
    uint8_t client = 'c';
    // A copy of just these bytes, so that reading behind them is noticed.
    uint8_t *copy = malloc (bytes + !bytes);
    memcpy (copy, body, bytes);
    dt_buffer_clear (&kv->reply);
    int valid = dtkv_watch_validate (operation, copy, bytes);
    int code = dtkv_watches_request (watches, &(dtkv_watch_client_t){&client, 1}, 1, operation,
                                     copy, bytes, now_ms, &kv->reply);
    dt_assert (valid == 0 || code == valid);
    free (copy);
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, kv->reply.data, kv->reply.bytes);
    msgpack_cursor_skip (&cursor, MSGPACK_DEPTH_MAX - 1);
    dt_assert (msgpack_cursor_finished (&cursor));
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    static const uint32_t operations[] = {DTKV_OP_WATCH_OPEN, DTKV_OP_WATCH_ADD,
                                          DTKV_OP_WATCH_REMOVE, DTKV_OP_WATCH_ACK,
                                          DTKV_OP_WATCH_LIST};
    static const char *const paths[] = {"a", "a.b", "b", "a.b.c"};
    kv_fixture_t kv;
    uint64_t now_ms = 1000;
    uint64_t deadline_ms;
    dtkv_limits_t limits = kv_program_limits ();
    kv_fixture_init (&kv, &limits);
    dtkv_watches_t *watches = dtkv_watches_new (
        &(dtkv_watches_options_t){.watches_max = 100, .streams_max = 3}, kv.store);
    while (bytes >= 2) {
        unsigned what = data[0] % 8;
        size_t length = data[1] < bytes - 2 ? data[1] : bytes - 2;
        if (what < 5) {
            s_request (&kv, watches, operations[what], data + 2, length, now_ms);
        } else if (what == 5) {
            kv_put (&kv, paths[data[1] % 4], "v", DTKV_FLAG_PARENTS);
            length = 0;
        } else if (what == 6) {
            kv_remove (&kv, paths[data[1] % 4], DTKV_FLAG_RECURSIVE);
            length = 0;
        } else {
            now_ms += (uint64_t) data[1] * 10;
            dtkv_watches_push (watches, now_ms, s_on_send, NULL, &deadline_ms);
            length = 0;
        }
        dtkv_watches_check (watches);
        data += 2 + length;
        bytes -= 2 + length;
    }
    for (int i = 0; i < 10; i++) {
        dtkv_watches_push (watches, now_ms, s_on_send, NULL, &deadline_ms);
    }
    dtkv_watches_end (watches, 73, s_on_send, NULL);
    dtkv_watches_destroy (&watches);
    kv_fixture_deinit (&kv);
    return 0;
}
