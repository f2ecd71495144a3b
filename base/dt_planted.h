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
    X (SNAPSHOT_WITHOUT_SESSIONS, "snapshot-without-sessions")                                     \
    X (VOTE_BEFORE_DURABLE, "vote-before-durable")                                                 \
    X (NO_STICKINESS, "no-stickiness")                                                             \
    X (RESTART_FORGETS_PROMISE, "restart-forgets-promise")                                         \
    X (LEASE_WITHOUT_DRIFT, "lease-without-drift")                                                 \
    X (SINGLE_QUORUM_IN_JOINT, "single-quorum-in-joint")                                           \
    X (COMMIT_OLD_TERM, "commit-old-term")                                                         \
    X (NO_NOOP, "no-noop")                                                                         \
    X (TRUNCATE_ON_STALE_APPEND, "truncate-on-stale-append")                                       \
    X (ACK_LAST_INDEX, "ack-last-index")                                                           \
    X (COMMIT_UNCAPPED, "commit-uncapped")                                                         \
    X (READ_ROUND_REUSED, "read-round-reused")                                                     \
    X (CONFIG_NOT_ROLLED_BACK, "config-not-rolled-back")                                           \
    X (INSTALL_ACKED_EARLY, "install-acked-early")

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
