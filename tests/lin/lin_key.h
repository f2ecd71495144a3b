// lin_key - what a history says about one key: the sequence that WGL and the zone test check.
//
// Linearizability is local: a history is linearizable only if what it says about each key is
// (Horn & Kroening 2015). A list counts as a get of each of its keys, a batch as a put.
//
// Stale reads, reads without a result and writes that were certainly not carried out are left out.

#ifndef LIN_KEY_H
#define LIN_KEY_H

#include "tests/lin/lin_history.h"

typedef struct {
    lin_kind_t kind; // get, put, remove or cas
    lin_outcome_t outcome;
    uint64_t value;  // read or written; 0: absent
    uint64_t expect; // of a cas
    uint64_t call;
    uint64_t ret;   // LIN_NEVER: it may take effect at any time after its call, or not at all
    uint64_t index; // as the reply named it
    size_t op;      // in the history
} lin_key_op_t;

typedef struct {
    lin_key_op_t *ops; // in the order of their calls
    size_t count;
} lin_key_t;

// Gather the operations on a key. Free with lin_key_deinit.
void lin_key_init (lin_key_t *self, const lin_history_t *history, uint32_t key);
void lin_key_deinit (lin_key_t *self);

// A state of one key is the value it has, 0 if it is absent. LIN_ANY_STATE: nothing is known yet.
#define LIN_ANY_STATE UINT64_MAX

// May the operation find this state and answer as it did? Then *after is the state it leaves. An
// operation of unknown outcome fits always, and does what it does in that state.
bool lin_key_step (const lin_key_op_t *op, uint64_t state, uint64_t *after);

#endif // LIN_KEY_H
