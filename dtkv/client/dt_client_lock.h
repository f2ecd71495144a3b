// dt_client_lock - temporary nodes and locks: plain calls, one request each, as those of dt_client.h.

#ifndef DT_CLIENT_LOCK_H
#define DT_CLIENT_LOCK_H

#include "dt_client.h"

#ifdef __cplusplus
extern "C" {
#endif

// Temporary nodes --------------------------------------------------------------------------------
//
// A node that goes by itself ttl_ms (1 .. 100 years) after it was put or renewed last, judged by
// the cluster's time: never early, by an election and a few milliseconds late. With DT_OWNED it
// also goes with its session (options->session, or the client's own), and ttl_ms 0 lets it live as
// long. A temporary directory goes with all that is below it, at once. Others than the owner get
// NOT_OWNER.
//
// Put again to renew. A plain put on a temporary node is refused (IS_TEMP_NODE) unless it has
// DT_KEEP_TTL (the value only) or DT_CONVERT (it becomes permanent); put_temp and mkdir_temp need
// DT_CONVERT to make a permanent node temporary (NOT_TEMP_NODE). A node's owner and time to live
// are in its meta data (DT_META).

DT_PUBLIC int dt_client_put_temp_async (dt_client_t *self, dt_bytes_t path, dt_bytes_t value,
                                        uint64_t ttl_ms, const dt_call_options_t *options,
                                        dt_callback_t *callback, void *user);
DT_PUBLIC int dt_client_mkdir_temp_async (dt_client_t *self, dt_bytes_t path, uint64_t ttl_ms,
                                          const dt_call_options_t *options, dt_callback_t *callback,
                                          void *user);
// Begin the time to live anew, with a new length. No change of the node: no index, version, event.
DT_PUBLIC int dt_client_update_ttl_async (dt_client_t *self, dt_bytes_t path, uint64_t ttl_ms,
                                          const dt_call_options_t *options, dt_callback_t *callback,
                                          void *user);

DT_PUBLIC int dt_client_put_temp (dt_client_t *self, dt_bytes_t path, dt_bytes_t value,
                                  uint64_t ttl_ms, const dt_call_options_t *options,
                                  dt_result_t **result_p);
DT_PUBLIC int dt_client_mkdir_temp (dt_client_t *self, dt_bytes_t path, uint64_t ttl_ms,
                                    const dt_call_options_t *options, dt_result_t **result_p);
DT_PUBLIC int dt_client_update_ttl (dt_client_t *self, dt_bytes_t path, uint64_t ttl_ms,
                                    const dt_call_options_t *options, dt_result_t **result_p);

// update_ttl: the time to live as it is now.
DT_PUBLIC bool dt_result_ttl (const dt_result_t *result, uint64_t *ttl_ms);

// Locks, one request each ------------------------------------------------------------------------
//
// A lock belongs to a session: options->session, or the client's own. A grant has a token, greater
// than every earlier one's of that path; it is what makes a lock safe: write under
// options->guards, or have the resource refuse tokens below the highest it saw. Without that a
// lock is advice, since a holder may be paused past its lease between a check and its effect.

#define DT_WAIT_FOREVER ((uint64_t) 9007199254740991)

typedef enum {
    DT_LOCK_EXCLUSIVE = 0,
    DT_LOCK_SHARED = 1,    // with other shared ones
    DT_LOCK_SEMAPHORE = 2, // `permits` holders at the same time
} dt_lock_mode_t;

// A zeroed struct: exclusive, no waiting, as long as the session, no value.
typedef struct {
    dt_lock_mode_t mode;
    uint32_t permits;  // of a semaphore; all who ask must name the same
    uint64_t wait_ms;  // in the queue, by the cluster's time; 0: not; DT_WAIT_FOREVER
    uint64_t lease_ms; // the grant ends when it was not renewed for so long; 0: with the session
    dt_bytes_t value;  // readable by others, while waiting and holding
} dt_lock_request_t;

// What lock answers: DT_SUCCESS: granted. DT_LOCK_BY_SELF: the session held it; its lease began
// anew. DT_LOCK_BY_OTHER: queued, if there is a contender's name; its node, path.contender, is
// overwritten by the grant and removed when the wait is over.
typedef struct {
    uint64_t token; // 0: queued
    dt_bytes_t contender;
    uint64_t lease_ms; // granted; queued: how long the wait may be
} dt_lock_answer_t;

// The value of a contender's node.
typedef struct {
    bool holding; // false: waits
    dt_lock_mode_t mode;
    uint32_t permits;
    uint64_t token; // 0 while it waits
    uint64_t lease_ms;
    dt_bytes_t value;
} dt_contender_t;

// DT_PARENTS creates the directories above.
DT_PUBLIC int dt_client_lock_async (dt_client_t *self, dt_bytes_t path,
                                    const dt_lock_request_t *request,
                                    const dt_call_options_t *options, dt_callback_t *callback,
                                    void *user);
// token 0 leaves the queue. DT_SUCCESS: released. DT_LOCK_BY_OTHER: it was only waiting, and left.
// DT_FENCED: the token is not this session's grant. DT_FORCE ends any session's grant.
DT_PUBLIC int dt_client_unlock_async (dt_client_t *self, dt_bytes_t path, uint64_t token,
                                      const dt_call_options_t *options, dt_callback_t *callback,
                                      void *user);
// lease_ms 0: as it was.
DT_PUBLIC int dt_client_lock_renew_async (dt_client_t *self, dt_bytes_t path, uint64_t token,
                                          uint64_t lease_ms, const dt_call_options_t *options,
                                          dt_callback_t *callback, void *user);

DT_PUBLIC int dt_client_lock (dt_client_t *self, dt_bytes_t path, const dt_lock_request_t *request,
                              const dt_call_options_t *options, dt_result_t **result_p);
DT_PUBLIC int dt_client_unlock (dt_client_t *self, dt_bytes_t path, uint64_t token,
                                const dt_call_options_t *options, dt_result_t **result_p);
DT_PUBLIC int dt_client_lock_renew (dt_client_t *self, dt_bytes_t path, uint64_t token,
                                    uint64_t lease_ms, const dt_call_options_t *options,
                                    dt_result_t **result_p);

// lock and lock_renew. False also when lock answered nil: held by others, and it was not to wait.
DT_PUBLIC bool dt_result_lock (const dt_result_t *result, dt_lock_answer_t *answer);

// Read a contender's value, as get and list give it; `value` points into it.
DT_PUBLIC bool dt_contender_read (dt_bytes_t bytes, dt_contender_t *contender);

#ifdef __cplusplus
}
#endif

#endif // DT_CLIENT_LOCK_H
