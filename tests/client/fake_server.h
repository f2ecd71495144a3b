// fake_server - a node for tests of the client: speaks the protocol, misbehaves on request.
//
// One thread, one ROUTER on a port of the loopback that the system chose. Calls are safe from any
// other thread.

#ifndef FAKE_SERVER_H
#define FAKE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    FAKE_CODE,       // not carried out, answered with rule.code (and hint)
    FAKE_DROP,       // carried out, not answered
    FAKE_IGNORE,     // not carried out, not answered
    FAKE_HOLD,       // carried out, answered by fake_server_release
    FAKE_DUPLICATE,  // answered twice
    FAKE_WRONG_ID,   // answered under other ids first, then rightly
    FAKE_GARBAGE,    // carried out, answered with bytes that are no reply
    FAKE_TRUNCATED,  // carried out, answered with half a reply
    FAKE_TWO_FRAMES, // carried out, answered with a message of two frames
    FAKE_OVERSIZE,   // carried out, answered with a message over any limit
    FAKE_DISCONNECT, // carried out, then all connections are closed, and new ones accepted
    FAKE_BAD_BODY,   // carried out, answered with a body of the wrong shape
} fake_action_t;

typedef struct {
    fake_action_t action;
    uint32_t operation;         // 0: any but hello
    uint32_t times;             // how often it applies
    uint32_t code;              // FAKE_CODE
    uint32_t leader_node_id;    // FAKE_CODE: hint, 0: none
    const char *leader_address; // FAKE_CODE: hint, NULL: none; must outlive the server
} fake_rule_t;

// What a request was, as the server saw it.
typedef struct {
    uint64_t id;
    uint32_t operation;
    uint32_t group;
    uint32_t timeout_ms;
    uint64_t client_id;
    uint64_t session_id;
    uint64_t session_seq;
    uint64_t session_ack;
    uint64_t min_index;
    uint32_t read_mode;
    bool want_digest;
    size_t body_bytes;
    uint8_t body[200]; // its first bytes
} fake_seen_t;

typedef struct fake_server fake_server_t;

// Start a server; node_id is what its hello says.
fake_server_t *fake_server_new (uint32_t node_id);
void fake_server_destroy (fake_server_t **self_p);

// "tcp://127.0.0.1:port".
const char *fake_server_endpoint (const fake_server_t *self);

// Add a rule; of those that match a request the oldest with times left applies.
void fake_server_rule (fake_server_t *self, fake_rule_t rule);

// Set a limit of hello answers from now on. Only session_replies_max is of interest.
void fake_server_limit_replies (fake_server_t *self, uint64_t session_replies_max);

// The code hello is answered with.
void fake_server_hello_code (fake_server_t *self, uint32_t code);

// Send the held answers.
void fake_server_release (fake_server_t *self);

// Close the socket (connections end; nobody can connect), and open it again on the same port.
void fake_server_down (fake_server_t *self);
void fake_server_up (fake_server_t *self);

void fake_server_expire_sessions (fake_server_t *self);

// Writes carried out.
uint64_t fake_server_writes (fake_server_t *self);

// How many requests of an operation came (0: all but hello), and the nth of them (false: fewer).
size_t fake_server_count (fake_server_t *self, uint32_t operation);
bool fake_server_seen (fake_server_t *self, uint32_t operation, size_t nth, fake_seen_t *seen);

// Wait until `count` requests of an operation came. False: not within ten seconds.
bool fake_server_wait (fake_server_t *self, uint32_t operation, size_t count);

#endif // FAKE_SERVER_H
