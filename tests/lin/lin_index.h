// lin_index - the certificate of raft indexes: a whole history checked without search (LIN-1 a).
//
// Each reply names the index at which it took effect, so the order to check is given:
// - Real time: what returned before a call has an index not above that call's, below it if the call
//   is a write; no two writes share one. Stale reads are bound only to go never back for one
//   client.
// - Replay: all operations in order of their indexes, a write before the reads of its index,
// through
//   the plainest model of a store there is, all keys at once, and every answer compared. Stale
//   reads too: old they may be, but true for their index.
//
// A write of unknown outcome has no index. It may take effect between what returned before its call
// and the first answer that shows it, at most once; until that is known, its keys have several
// possible states. It is settled by the first answer only it explains (LIN-3).
//
// Operations without an index (0) are not checked; lin_index_t counts them.

#ifndef LIN_INDEX_H
#define LIN_INDEX_H

#include "tests/lin/lin_wgl.h"

typedef struct {
    lin_verdict_t verdict;
    size_t checked;   // operations
    size_t unindexed; // left out
    const char *why;  // of LIN_BAD
    size_t op;        // of LIN_BAD: whose answer cannot be
    size_t other;     // of LIN_BAD: the one it contradicts, or the same
} lin_index_t;

// Check a history. LIN_UNDECIDED: a key has more than 64 possible states at once.
lin_index_t lin_index (const lin_history_t *history);

#endif // LIN_INDEX_H
