// lin_history - what clients asked a store and what they were told, as the checkers read it.
//
// A text file holds one operation per line, eleven words with blanks between; '#' begins a comment:
//
//   CLIENT NODE MODE KIND KEYS VALUES EXPECT CALL RETURN OUTCOME INDEX
//
//   CLIENT   number of the process that asked; it asks one thing at a time
//   NODE     number of the node it asked first; 0: not known
//   MODE     of reads: linearizable, readindex or stale; of writes: -
//   KIND     get, list (several gets at one moment), put, batch (several puts at one moment),
//            remove, cas (compare and set)
//   KEYS     names separated by commas
//   VALUES   one number per key: what was read, or what was written; 0: absent, a cas that writes 0
//            removes; remove: -; a read without a result: -. A value is written once in a history.
//   EXPECT   cas: the value compared with, 0: must be absent; else -
//   CALL     time of the call in nanoseconds of one monotonic clock (LIN-4)
//   RETURN   time of the answer; -: never (LIN-3)
//   OUTCOME  ok; put: also new (nothing was there) or over (something was); remove: also absent;
//            cas: also mismatch; none: certainly not carried out; unknown: perhaps (JEP-15)
//   INDEX    raft index the answer named; 0: it named none
//
// All keys are absent at the beginning. Reading is bounded: a file that breaks a rule is refused
// with the line and the reason.

#ifndef LIN_HISTORY_H
#define LIN_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    LIN_OPS_MAX = 2000000,
    LIN_KEYS_MAX = 1024,
    LIN_KEY_BYTES_MAX = 64,
    LIN_ITEMS_MAX = 64,
    LIN_LINE_BYTES_MAX = 8192,
};

#define LIN_NEVER UINT64_MAX // time of an answer that never came

typedef enum { LIN_GET, LIN_LIST, LIN_PUT, LIN_BATCH, LIN_REMOVE, LIN_CAS } lin_kind_t;

typedef enum { LIN_LINEARIZABLE, LIN_READ_INDEX, LIN_STALE, LIN_NO_MODE } lin_mode_t;

typedef enum {
    LIN_OK,
    LIN_NEW,
    LIN_OVER,
    LIN_ABSENT,
    LIN_MISMATCH,
    LIN_NONE,
    LIN_UNKNOWN,
} lin_outcome_t;

// A key and the value read or written.
typedef struct {
    uint32_t key;
    uint64_t value;
} lin_item_t;

typedef struct {
    uint32_t client;
    uint32_t node;
    lin_mode_t mode;
    lin_kind_t kind;
    lin_outcome_t outcome;
    uint32_t items; // 1 unless list or batch
    size_t item_at; // of the first, in lin_history_t.items
    uint64_t expect;
    uint64_t call;
    uint64_t ret; // LIN_NEVER without an answer
    uint64_t index;
} lin_op_t;

typedef struct {
    lin_op_t *ops;
    size_t count;
    size_t ops_capacity;
    lin_item_t *items;
    size_t item_count;
    size_t items_capacity;
    char (*keys)[LIN_KEY_BYTES_MAX + 1];
    uint32_t key_count;
} lin_history_t;

// Make an empty history; free one.
void lin_history_init (lin_history_t *self);
void lin_history_deinit (lin_history_t *self);

// The number of a key, made known if it is new. UINT32_MAX: too many keys, or no name of a key
// (1 .. LIN_KEY_BYTES_MAX printable bytes, no blank, comma or '#').
uint32_t lin_history_key (lin_history_t *self, const char *name, size_t bytes);

// Append an operation with op->items copied items. DT_ERR_MALFORMED: it breaks a rule of the
// format, *why says which; DT_ERR_TOO_BIG: LIN_OPS_MAX are there.
int lin_history_add (lin_history_t *self, const lin_op_t *op, const lin_item_t *items,
                     const char **why);

// Read a whole text. DT_ERR_MALFORMED or DT_ERR_TOO_BIG with *line (0: the file as a whole) and
// *why. The history keeps what came before the error.
int lin_history_parse (lin_history_t *self, const char *text, size_t bytes, size_t *line,
                       const char **why);

// Read a file; errors as above, DT_ERR_IO: cannot be read.
int lin_history_load (lin_history_t *self, const char *path, size_t *line, const char **why);

// Each value is written at most once: 0, or DT_ERR_MALFORMED. parse and load check this.
int lin_history_check_unique (const lin_history_t *self, const char **why);

// Write one operation as a line, or all of them.
void lin_history_print_op (const lin_history_t *self, const lin_op_t *op, FILE *out);
void lin_history_print (const lin_history_t *self, FILE *out);

static inline bool lin_op_is_read (const lin_op_t *op)
{
    return op->kind == LIN_GET || op->kind == LIN_LIST;
}

#endif // LIN_HISTORY_H
