// dtctl_walk - every file, directory and link below a directory, one after the other.
//
// A directory comes before what it holds; names of one directory come in byte order. Devices,
// sockets and pipes are named too, so that they can be reported. One file descriptor is held per
// level. Loops that links to directories make are noticed.

#ifndef DTCTL_WALK_H
#define DTCTL_WALK_H

#include <stdbool.h>
#include <stdint.h>

typedef struct dtctl_walk dtctl_walk_t;

typedef enum {
    DTCTL_WALK_FILE,
    DTCTL_WALK_DIRECTORY,
    DTCTL_WALK_LINK,
    DTCTL_WALK_OTHER,  // device, socket, pipe
    DTCTL_WALK_FAILED, // could not be read: error says why
    DTCTL_WALK_LOOP,   // a link to a directory that it stands in
} dtctl_walk_kind_t;

typedef struct {
    dtctl_walk_kind_t kind;
    int folder_fd;      // of the directory it stands in
    const char *name;   // in that directory
    const char *path;   // below the walk's root: a/b/name
    const char *folder; // the same without the name: a/b, "" directly below the root
    uint64_t bytes;     // of a file, when it was looked at
    int error;          // errno, for DTCTL_WALK_FAILED
} dtctl_walk_entry_t;

// Begin at a directory (or a link to one). NULL: it cannot be opened, errno says why.
// follow: a link counts as what it leads to, one that leads nowhere has failed.
dtctl_walk_t *dtctl_walk_new (const char *root, bool follow);

// Free a walk and null the pointer. Accepts a NULL walk.
void dtctl_walk_destroy (dtctl_walk_t **self_p);

// Give the next entry, valid until the next call. False at the end.
bool dtctl_walk_next (dtctl_walk_t *self, dtctl_walk_entry_t *entry);

#endif // DTCTL_WALK_H
