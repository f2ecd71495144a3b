// dt_planted - bugs planted on purpose, to see that the simulator finds them [DST-15].
//
// Without DT_PLANTED_BUGS, which only a program of tests/sim is compiled with, every dt_planted ()
// is the constant false and leaves no trace in the code.

#ifndef DT_PLANTED_H
#define DT_PLANTED_H

// X (NAME, "name")
#define DT_PLANTED_TABLE(X)                                                                        \
    X (ACK_BEFORE_SYNC, "ack-before-sync")                                                         \
    X (SKIP_DIRECTORY_SYNC, "skip-directory-sync")                                                 \
    X (NO_CRC_CHAIN, "no-crc-chain")                                                               \
    X (RETRY_SYNC, "retry-sync")                                                                   \
    X (SNAPSHOT_WITHOUT_SESSIONS, "snapshot-without-sessions")

#ifdef DT_PLANTED_BUGS

#define DT_PLANTED_ENUM(NAME, name) DT_PLANTED_##NAME,
enum { DT_PLANTED_NONE, DT_PLANTED_TABLE (DT_PLANTED_ENUM) DT_PLANTED_COUNT };
#undef DT_PLANTED_ENUM

extern unsigned dt_planted_bug;              // the one that is active
extern const char *const dt_planted_names[]; // by number

#define dt_planted(bug) (dt_planted_bug == (bug))

#else

#define dt_planted(bug) false

#endif

#endif // DT_PLANTED_H
