// dtctl_path - paths of the tree, and how names of files become segments of a path and back. Pure.
//
// A segment may hold any byte but `.`; a file name any byte but `/` and NUL. So in a segment made
// from a file name
//
//     %2E   is a `.`
//     %25   is a `%`
//     %@    at the end marks a symbolic link, whose target is the value
//
// and every other byte stands for itself. Names in this form are called canonical; each file name
// has exactly one canonical segment, and two files never meet in one key.

#ifndef DTCTL_PATH_H
#define DTCTL_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_buffer.h"

// What a path of the command line may be. `.` and the empty path are the root.
typedef enum {
    DTCTL_PATH_OK,
    DTCTL_PATH_EMPTY_SEGMENT, // begins or ends with a `.`, or holds two in a row
    DTCTL_PATH_TOO_LONG,      // more bytes than key_bytes_max
    DTCTL_PATH_TOO_DEEP,      // more segments than depth_max
} dtctl_path_state_t;

// Look at a path; 0 for a limit means no limit.
dtctl_path_state_t dtctl_path_check (const void *path, size_t bytes, uint64_t key_bytes_max,
                                     uint64_t depth_max);

// How many segments a path has; 0 for the empty path.
size_t dtctl_path_depth (const void *path, size_t bytes);

// Append the segment for a file's name (bytes > 0).
void dtctl_path_encode (dt_buffer_t *out, const void *name, size_t bytes, bool is_link);

// Append the file's name for a segment. DT_ERR_INVALID: the segment is not canonical or no file can
// have this name (empty, `.`, `..`, with `/` or NUL); nothing is appended then.
int dtctl_path_decode (dt_buffer_t *out, const void *segment, size_t bytes, bool *is_link);

// Append the target of a relative link so that it still leads to the same place from elsewhere:
// as it is if it stays inside the tree it stands in, else from the root of the file system.
// root: absolute path of the tree without trailing `/`; folder: of the link's folder below root,
// "" or "a/b"; both without `.` and `..`. An absolute target is appended as it is.
void dtctl_path_link_target (dt_buffer_t *out, const char *root, const char *folder,
                             const char *target);

#endif // DTCTL_PATH_H
