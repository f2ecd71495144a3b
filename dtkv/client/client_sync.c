// Synchronous calls: an asynchronous one and a wait for its callback.

#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/dt_memory.h"
#include "dtkv/client/client_internal.h"
#include "dtkv/client/dt_client_lock.h"

// On the stack of the caller.
typedef struct {
    _Atomic (uint32_t) done;
    int code;
    dt_result_t **result_p; // NULL: only the code is asked for
} client_waiter_t;

static dt_bytes_t s_copy_bytes (uint8_t **place, dt_bytes_t bytes)
{
    dt_bytes_t copy = {*place, bytes.bytes};
    if (bytes.bytes) {
        memcpy (*place, bytes.data, bytes.bytes);
    }
    *place += bytes.bytes;
    return copy;
}

// The result and all it points to, in one allocation.
static dt_result_t *s_copy_result (const dt_result_t *result)
{
    dt_result_t *copy = dt_malloc (sizeof *copy + result->message.bytes +
                                   result->leader_address.bytes + result->body.bytes);
    uint8_t *place = (uint8_t *) (copy + 1);
    *copy = *result;
    copy->message = s_copy_bytes (&place, result->message);
    copy->leader_address = s_copy_bytes (&place, result->leader_address);
    copy->body = s_copy_bytes (&place, result->body);
    return copy;
}

static void s_done (void *user, const dt_result_t *result)
{
    client_waiter_t *self = user;
    self->code = result->code;
    if (self->result_p) {
        *self->result_p = s_copy_result (result);
    }
    // After the store the waiter's stack may be gone: only its address is used from here.
    _Atomic (uint32_t) *done = &self->done;
    atomic_store_explicit (done, 1, memory_order_release);
    syscall (SYS_futex, done, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

// Before the submission.
static int s_prepare (client_waiter_t *self, dt_client_t *client, dt_result_t **result_p)
{
    if (result_p) {
        *result_p = NULL;
    }
    atomic_init (&self->done, 0);
    self->result_p = result_p;
    return client_on_io_thread (client) || client_in_batch (client) ? DT_INVALID : 0;
}

static int s_wait (client_waiter_t *self, int submitted)
{
    if (submitted) {
        return submitted;
    }
    while (!atomic_load_explicit (&self->done, memory_order_acquire)) {
        syscall (SYS_futex, &self->done, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    }
    return self->code;
}

void dt_result_free (dt_result_t **result_p)
{
    free (*result_p);
    *result_p = NULL;
}

// The body of a synchronous call: `call` is the asynchronous one, up to its options.
#define WAIT_FOR(self, result_p, call, ...)                                                        \
    client_waiter_t waiter;                                                                        \
    int rc = s_prepare (&waiter, self, result_p);                                                  \
    return rc ? rc : s_wait (&waiter, call (self, __VA_ARGS__, s_done, &waiter))

int dt_client_ping (dt_client_t *self, const dt_call_options_t *options, dt_result_t **result_p)
{
    WAIT_FOR (self, result_p, dt_client_ping_async, options);
}

int dt_client_get (dt_client_t *self, dt_bytes_t path, const dt_call_options_t *options,
                   dt_result_t **result_p)
{
    WAIT_FOR (self, result_p, dt_client_get_async, path, options);
}

int dt_client_put (dt_client_t *self, dt_bytes_t path, dt_bytes_t value,
                   const dt_call_options_t *options, dt_result_t **result_p)
{
    WAIT_FOR (self, result_p, dt_client_put_async, path, value, options);
}

int dt_client_remove (dt_client_t *self, dt_bytes_t path, const dt_call_options_t *options,
                      dt_result_t **result_p)
{
    WAIT_FOR (self, result_p, dt_client_remove_async, path, options);
}

int dt_client_mkdir (dt_client_t *self, dt_bytes_t path, const dt_call_options_t *options,
                     dt_result_t **result_p)
{
    WAIT_FOR (self, result_p, dt_client_mkdir_async, path, options);
}

int dt_client_list (dt_client_t *self, dt_bytes_t path, const dt_page_t *page,
                    const dt_call_options_t *options, dt_result_t **result_p)
{
    WAIT_FOR (self, result_p, dt_client_list_async, path, page, options);
}

int dt_client_batch_get (dt_client_t *self, const dt_bytes_t *paths, size_t count,
                         const dt_call_options_t *options, dt_result_t **result_p)
{
    WAIT_FOR (self, result_p, dt_client_batch_get_async, paths, count, options);
}

int dt_client_batch_put (dt_client_t *self, const dt_pair_t *pairs, size_t count,
                         const dt_call_options_t *options, dt_result_t **result_p)
{
    WAIT_FOR (self, result_p, dt_client_batch_put_async, pairs, count, options);
}

int dt_client_batch_remove (dt_client_t *self, const dt_bytes_t *paths, size_t count,
                            const dt_call_options_t *options, dt_result_t **result_p)
{
    WAIT_FOR (self, result_p, dt_client_batch_remove_async, paths, count, options);
}

int dt_client_compare_and_set (dt_client_t *self, dt_bytes_t path, const dt_condition_t *condition,
                               const dt_bytes_t *value, const dt_call_options_t *options,
                               dt_result_t **result_p)
{
    WAIT_FOR (self, result_p, dt_client_compare_and_set_async, path, condition, value, options);
}

int dt_client_move (dt_client_t *self, dt_bytes_t from, dt_bytes_t to,
                    const dt_call_options_t *options, dt_result_t **result_p)
{
    WAIT_FOR (self, result_p, dt_client_move_async, from, to, options);
}

int dt_client_increment (dt_client_t *self, dt_bytes_t path, int64_t delta,
                         const dt_call_options_t *options, dt_result_t **result_p)
{
    WAIT_FOR (self, result_p, dt_client_increment_async, path, delta, options);
}

int dt_client_transaction (dt_client_t *self, const dt_txn_t *txn, const dt_call_options_t *options,
                           dt_result_t **result_p)
{
    WAIT_FOR (self, result_p, dt_client_transaction_async, txn, options);
}

int dt_client_status (dt_client_t *self, const dt_call_options_t *options, dt_result_t **result_p)
{
    WAIT_FOR (self, result_p, dt_client_status_async, options);
}

int dt_client_admin (dt_client_t *self, dt_admin_t operation, dt_bytes_t body,
                     const dt_call_options_t *options, dt_result_t **result_p)
{
    WAIT_FOR (self, result_p, dt_client_admin_async, operation, body, options);
}

int dt_client_snapshot_take (dt_client_t *self, const dt_call_options_t *options,
                             dt_result_t **result_p)
{
    WAIT_FOR (self, result_p, dt_client_snapshot_take_async, options);
}

int dt_client_session_open (dt_client_t *self, uint32_t ttl_ms, const dt_call_options_t *options,
                            dt_result_t **result_p)
{
    WAIT_FOR (self, result_p, dt_client_session_open_async, ttl_ms, options);
}

int dt_client_session_close (dt_client_t *self, uint64_t session_id,
                             const dt_call_options_t *options, dt_result_t **result_p)
{
    WAIT_FOR (self, result_p, dt_client_session_close_async, session_id, options);
}

int dt_client_session_keepalive (dt_client_t *self, uint64_t session_id,
                                 const dt_call_options_t *options, dt_result_t **result_p)
{
    WAIT_FOR (self, result_p, dt_client_session_keepalive_async, session_id, options);
}

int dt_client_put_temp (dt_client_t *self, dt_bytes_t path, dt_bytes_t value, uint64_t ttl_ms,
                        const dt_call_options_t *options, dt_result_t **result_p)
{
    WAIT_FOR (self, result_p, dt_client_put_temp_async, path, value, ttl_ms, options);
}

int dt_client_mkdir_temp (dt_client_t *self, dt_bytes_t path, uint64_t ttl_ms,
                          const dt_call_options_t *options, dt_result_t **result_p)
{
    WAIT_FOR (self, result_p, dt_client_mkdir_temp_async, path, ttl_ms, options);
}

int dt_client_update_ttl (dt_client_t *self, dt_bytes_t path, uint64_t ttl_ms,
                          const dt_call_options_t *options, dt_result_t **result_p)
{
    WAIT_FOR (self, result_p, dt_client_update_ttl_async, path, ttl_ms, options);
}

int dt_client_lock (dt_client_t *self, dt_bytes_t path, const dt_lock_request_t *request,
                    const dt_call_options_t *options, dt_result_t **result_p)
{
    WAIT_FOR (self, result_p, dt_client_lock_async, path, request, options);
}

int dt_client_unlock (dt_client_t *self, dt_bytes_t path, uint64_t token,
                      const dt_call_options_t *options, dt_result_t **result_p)
{
    WAIT_FOR (self, result_p, dt_client_unlock_async, path, token, options);
}

int dt_client_lock_renew (dt_client_t *self, dt_bytes_t path, uint64_t token, uint64_t lease_ms,
                          const dt_call_options_t *options, dt_result_t **result_p)
{
    WAIT_FOR (self, result_p, dt_client_lock_renew_async, path, token, lease_ms, options);
}
