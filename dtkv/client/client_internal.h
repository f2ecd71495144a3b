// client_internal - the client's parts as its own files see them.
//
// Threads. A request is built by the thread that submits it, under `lock` (in `shared`) or, in
// callbacks, by the I/O thread without it (in `own`). The I/O thread takes over whole frames;
// from then on the frame and the slots of its requests are its own. Completed slots gather in `own`
// and are handed back to `shared` under the lock, once per round.
//
//     submit                     I/O thread, one round
//     ------                     ---------------------
//     shared lane -> frame  -->  take frames, give slots back (lock)
//                                send frames: own lane -> link -> DEALER
//                                receive, look up slots, callbacks -> own lanes
//                                time limits and retries, links (reconnect)
//                                poll, if nothing moved
//
// A request's id is its slot's number and generation. The generation changes with each attempt, so
// that a reply to an attempt already given up finds nothing.

#ifndef CLIENT_INTERNAL_H
#define CLIENT_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/dt_random.h"
#include "dtkv/client/client_frame.h"
#include "dtkv/client/dt_client.h"

enum {
    CLIENT_ENDPOINTS_MAX = 16,
    CLIENT_LINKS_MAX = 32, // endpoints and leaders' addresses learned from nodes
    CLIENT_NAME_BYTES_MAX = 64,
    CLIENT_ADDRESS_BYTES_MAX = 256,
    CLIENT_GROUPS_MAX = 65536,
    CLIENT_LANES_MAX = 65536,
    CLIENT_RESERVED_SLOTS = 4, // for the client's own requests, beside in_flight_max
    CLIENT_TIMEOUT_MS_MAX = 600000,
    CLIENT_HELLO_TIMEOUT_MS = 3000, // from connect to the answer to hello
    CLIENT_BACKOFF_MS_MIN = 50,     // of reconnecting
    CLIENT_BACKOFF_MS_MAX = 2000,
    CLIENT_OPERATION_OFFSET = 10, // of the operation, one byte, in a request
    CLIENT_OPERATION_VOID = 127,  // no operation: a request taken back before it was sent
};

#define CLIENT_NO_SLOT  UINT32_MAX
#define CLIENT_HELLO_ID UINT64_MAX
#define CLIENT_NEVER    INT64_MAX
// What hello's answer may bring before its limits are known.
#define CLIENT_FRAME_BYTES_DEFAULT (8u << 20)

// slot flags
enum {
    SLOT_WRITE = 1,    // changes the store: a lost reply leaves its outcome unknown
    SLOT_SAFE = 2,     // may be sent again after a lost reply: a read, or numbered in the session
    SLOT_MAYBE = 4,    // an earlier attempt may have been carried out
    SLOT_WAITING = 8,  // waits for its next attempt; its frame is not on its way
    SLOT_INTERNAL = 16 // the client's own
};

// One request in flight. Fields up to `sequence` are written by the submitter before `frame`.
typedef struct {
    _Atomic (client_frame_t *) frame; // holds the request's bytes; NULL: slot is free
    dt_callback_t *callback;
    void *user;
    int64_t deadline_ms;
    uint64_t sequence; // in the session; 0: none
    uint32_t offset;   // of the request in the frame's data
    uint32_t bytes;
    uint32_t generation; // never 0
    uint32_t next_free;  // in a list of free slots
    uint8_t operation;
    uint8_t flags;          // SLOT_...
    uint8_t timeout_offset; // of the time limit in the request
    uint8_t attempts;       // ended without result; stops at 255
} client_slot_t;

// A list of free slots.
typedef struct {
    uint32_t first;
    uint32_t last;
    uint32_t count;
} client_free_t;

// Lanes by key, and those with something to send.
typedef struct {
    client_lane_t **table; // open addressing, capacity a power of two
    size_t capacity;
    size_t count;
    client_lane_t *recent; // found last
    client_lane_t *dirty;
    bool own; // of the I/O thread
} client_lanes_t;

// What is needed to submit: one for all other threads, one for the I/O thread.
typedef struct {
    client_lanes_t lanes;
    client_free_t free;
    int64_t due_ms; // the earliest due time it set since the I/O thread looked
    int64_t bytes;  // shared: of all requests in flight; own: change since the last round
    uint64_t submitted;
} client_side_t;

// The states of a link. Every failure leads to BACKOFF, with the socket destroyed.
//
//     IDLE -> CONNECTING -> HELLO -> READY
//       ^         |           |        |
//       |         +-----------+--------+--> BACKOFF --> CONNECTING
typedef enum {
    LINK_IDLE,       // not needed so far
    LINK_CONNECTING, // waits for the connection
    LINK_HELLO,      // waits for the answer to hello
    LINK_READY,
    LINK_BACKOFF, // waits before the next attempt
} client_link_state_t;

typedef struct {
    char address[CLIENT_ADDRESS_BYTES_MAX];
    client_link_state_t state;
    uint32_t node_id;  // from hello; 0: not known
    uint32_t epoch;    // counts connections
    uint32_t failures; // since it was last READY
    void *dealer;
    void *monitor;
    int64_t due_ms; // end of CONNECTING, HELLO or BACKOFF
} client_link_t;

typedef enum {
    SESSION_NONE,    // to be opened
    SESSION_OPENING, // asked for
    SESSION_OPEN,
    SESSION_FAILED, // asked for again at session_due_ms
} client_session_state_t;

struct dt_client {
    // Set by open, constant after.
    dt_client_options_t options;
    char name[CLIENT_NAME_BYTES_MAX + 1];
    uint64_t client_id;
    uint32_t slot_count;
    client_slot_t *slots;
    _Atomic (int64_t) *due_ms; // per slot: when to look at it next
    int wake_fd;
    void *zmq_context;
    pthread_t thread;
    bool thread_started;

    // Under lock.
    pthread_mutex_t lock;
    pthread_cond_t room; // slots, bytes or session numbers became free, or the state changed
    client_side_t shared;
    uint32_t waiters; // blocked on `room`
    bool sleeping;    // the I/O thread polls: write wake_fd
    bool closing;
    bool hello_seen;
    int open_code; // why no node is usable so far
    char open_text[200];
    dt_limits_t limits;
    uint32_t *groups;
    size_t group_count;
    dt_client_stats_t stats;         // as of the I/O thread's last round
    _Atomic (pthread_t) batch_owner; // the thread inside a batch; 0: none

    // Read by submitters, written by the I/O thread.
    _Atomic (uint64_t) frame_bytes_max;
    _Atomic (uint64_t) session_next; // next sequence number
    _Atomic (uint64_t) session_ack;  // lowest number not completed
    _Atomic (uint64_t) session_window;
    _Atomic (uint64_t) session_id;

    // The I/O thread's.
    pthread_t io_thread;
    client_side_t own;
    int64_t now_ms;
    int64_t due_ms_next; // the earliest of due_ms, or earlier
    uint64_t sent_mark;  // own.submitted when own lanes were sent last
    bool stop;
    client_link_t links[CLIENT_LINKS_MAX];
    uint32_t link_count;
    uint32_t preferred; // link that worked last
    client_free_t reserved;
    dt_random_t random;
    dt_client_stats_t counters;
    uint32_t *groups_read; // room for hello's groups
    bool check;            // links or session changed: look at their times
    int64_t timer_ms;      // the earliest of their times
    client_session_state_t session_state;
    uint64_t *session_done; // ring of bits: numbers above the ack that are completed
    uint64_t session_bits;  // its size, a power of two
    uint64_t session_ttl_ms;
    int64_t session_due_ms;   // keepalive, or the next attempt to open
    uint64_t session_renewed; // of session_next at the last keepalive
};

// client_submit.c: slots and flow control ---------------------------------------------------------

// What a request is, beside its body.
typedef struct {
    uint8_t operation;
    uint8_t flags; // SLOT_WRITE, SLOT_SAFE, SLOT_INTERNAL
    const dt_call_options_t *options;
    dt_callback_t *callback;
    void *user;
} client_call_t;

// A request being written.
typedef struct {
    dt_client_t *client;
    client_side_t *side;
    client_lane_t *lane;
    const dt_call_options_t *options;
    uint8_t *start;
    uint64_t sequence;
    int64_t deadline_ms;
    uint32_t slot;
    uint8_t flags; // SLOT_...
    uint8_t timeout_offset;
    bool locked; // client->lock is to be given back at the end
} client_request_t;

// Begin a request whose body takes at most body_bytes. On 0, write the body at *place and call
// client_request_end; the lock may be held meanwhile. Otherwise a code as of dt_client_..._async.
int client_request_begin (client_request_t *self, dt_client_t *client, const client_call_t *call,
                          size_t body_bytes, uint8_t **place);

// The body ends at `place`: add the options and hand the request on.
void client_request_end (client_request_t *self, const client_call_t *call, uint8_t *place);

// The lane of a key in `lanes`, created when new; NULL: too many.
client_lane_t *client_lanes_find (client_lanes_t *lanes, const client_key_t *key);
void client_lanes_deinit (client_lanes_t *lanes);

void client_free_push (dt_client_t *self, client_free_t *list, uint32_t slot);
// CLIENT_NO_SLOT: the list is empty.
uint32_t client_free_pop (dt_client_t *self, client_free_t *list);
// Move all of `from` to the front of `to`.
void client_free_splice (dt_client_t *self, client_free_t *to, client_free_t *from);

// True on the I/O thread.
bool client_on_io_thread (const dt_client_t *self);
// True between dt_client_batch_begin and flush, for the thread that is there.
bool client_in_batch (dt_client_t *self);

// Milliseconds of a clock that never jumps, a few milliseconds coarse.
int64_t client_now_ms (void);

// Wake the I/O thread if it sleeps. Under lock.
void client_wake (dt_client_t *self);

// Put a lane that got something to send on the side's list.
static inline void client_side_mark (client_side_t *self, client_lane_t *lane)
{
    if (!lane->dirty) {
        lane->dirty = true;
        lane->next_dirty = self->lanes.dirty;
        self->lanes.dirty = lane;
    }
}

// client_io.c: the I/O thread ---------------------------------------------------------------------

void *client_io_run (void *client);

// Send what the own lanes hold. True if anything left.
bool client_io_send (dt_client_t *self);

// client_complete.c: the end of an attempt, and of a request --------------------------------------

// End a request with a result whose code is final; runs the callback and frees the slot.
// result->operation and ->outcome are filled in here.
void client_complete (dt_client_t *self, uint32_t slot, dt_result_t *result);

// The same for a code found by the client itself, with an optional text.
void client_complete_code (dt_client_t *self, uint32_t slot, int code, const char *message);

// An attempt was answered with `result`: completes the request or arranges its next attempt.
void client_answered (dt_client_t *self, uint32_t slot, dt_result_t *result, uint32_t link);

// The reply to an attempt will not come: its connection was lost, or silent for too long.
void client_lost (dt_client_t *self, uint32_t slot);

// Copy the request into the own lane of its key, as a new attempt, and send it with the next round.
void client_resend (dt_client_t *self, uint32_t slot);

// Look at every slot that is due: time limits, next attempts, silent nodes. Sets due_ms_next.
void client_check_due (dt_client_t *self);

// End everything, at close.
void client_complete_all (dt_client_t *self);

// client_link.c: connections ----------------------------------------------------------------------

// Begin to connect. Does nothing unless IDLE or BACKOFF.
void client_link_start (dt_client_t *self, uint32_t link);

// Give the connection up: destroys the socket, tells its requests, waits before the next attempt.
void client_link_fail (dt_client_t *self, uint32_t link, int code, const char *why);

// Begin to connect to some node, where none is connected or being tried.
void client_link_keep (dt_client_t *self);

// Read what the monitor says.
void client_link_watch (dt_client_t *self, uint32_t link);

// Time limits of links. Returns the next one.
int64_t client_link_check_due (dt_client_t *self);

// The answer to hello.
void client_link_hello (dt_client_t *self, uint32_t link, const dt_result_t *result);

// The READY link for a lane, moving the lane if its own does not work; or -1: wait.
int client_link_for_lane (dt_client_t *self, client_lane_t *lane);

// The link of a leader named in a reply; or -1: not known.
int client_link_of_leader (dt_client_t *self, uint32_t node_id, dt_bytes_t address);

// Let the lanes of a key, first attempts and later ones, use a link.
void client_link_prefer (dt_client_t *self, const client_key_t *key, uint32_t link);

// Let the lanes of a key try another link than `link`, where they use that one.
void client_link_leave (dt_client_t *self, const client_key_t *key, uint32_t link);

// Send a frame; takes over its own hold. False: not now, the frame still waits.
bool client_link_send (dt_client_t *self, uint32_t link, client_frame_t *frame);

// Destroy the sockets; linger_ms for what is still to be sent.
void client_link_close (dt_client_t *self, uint32_t link, int linger_ms);

// client_reply.c: messages from nodes -------------------------------------------------------------

// Receive at most `messages_max` messages; returns how many came.
int client_receive (dt_client_t *self, uint32_t link, int messages_max);

// client_session.c: exactly once ------------------------------------------------------------------

// Open, renew and give up the session as time goes by. Returns when to look again.
int64_t client_session_check_due (dt_client_t *self);

// True if frames of session writes may be sent.
static inline bool client_session_is_open (const dt_client_t *self)
{
    return self->session_state == SESSION_OPEN;
}

// Tell a node that the session is not needed any more; nobody waits for its answer.
void client_session_say_goodbye (dt_client_t *self);

// True if the node can take the numbers of a frame now: they lie inside the window above the
// acknowledgement. Later attempts always may; so may the frame that the window waits for.
bool client_session_admits (const dt_client_t *self, const client_frame_t *frame);

// A write with this number is completed: moves the acknowledgement on.
void client_session_completed (dt_client_t *self, uint64_t sequence);

// Remember why no node can be used, for dt_client_open; 0: one can.
void client_note (dt_client_t *self, int code, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

// A node says that it does not know the session `session_id`.
void client_session_lost (dt_client_t *self, uint64_t session_id);

// The id of a slot's present attempt.
static inline uint64_t client_slot_id (const client_slot_t *slot, uint32_t number)
{
    return (uint64_t) slot->generation << 32 | number;
}

// The next generation; 0 is left out, so that no id is 0.
static inline uint32_t client_next_generation (uint32_t generation)
{
    return generation + 1 ? generation + 1 : 1;
}

#endif // CLIENT_INTERNAL_H
