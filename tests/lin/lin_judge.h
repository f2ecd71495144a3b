// lin_judge - all three checkers on one history (LIN-1), and the verdict they make together.

#ifndef LIN_JUDGE_H
#define LIN_JUDGE_H

#include "tests/lin/lin_index.h"

typedef struct {
    lin_verdict_t verdict; // the worst: LIN_BAD before LIN_UNDECIDED before LIN_GOOD
    lin_index_t index;
    lin_verdict_t wgl;
    lin_verdict_t zones;    // LIN_GOOD where the test does not apply
    uint32_t wgl_key;       // the first key that is bad, or undecided
    uint32_t zones_key;     // the first key that is bad
    uint32_t zones_applied; // keys
    size_t unknown;         // writes of unknown outcome
} lin_judge_t;

lin_judge_t lin_judge (const lin_history_t *history, const lin_wgl_limits_t *limits);

// Say the verdict, and on a violation the operations that show it.
void lin_judge_print (const lin_judge_t *self, const lin_history_t *history, const char *name,
                      const lin_wgl_limits_t *limits, FILE *out);

#endif // LIN_JUDGE_H
