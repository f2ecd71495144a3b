// dt_assert - assertions that stay on in every build.
//
// For programming errors only, never for bytes from a disk, a network or a user. A failed
// assertion prints the condition and aborts: the process is crash-only, its state is on disk.

#ifndef DT_ASSERT_H
#define DT_ASSERT_H

// Assert one condition without side effects.
#define dt_assert(condition)                                                                       \
    do {                                                                                           \
        if (__builtin_expect (!(condition), 0)) {                                                  \
            dt_assert_fail (#condition, __FILE__, __LINE__, __func__);                             \
        }                                                                                          \
    } while (0)

// Mark a place that cannot be reached.
#define dt_unreachable() dt_assert_fail ("unreachable", __FILE__, __LINE__, __func__)

// Print the failed condition on stderr and abort.
void dt_assert_fail (const char *condition, const char *file, int line, const char *function)
    __attribute__ ((noreturn, cold));

#endif // DT_ASSERT_H
