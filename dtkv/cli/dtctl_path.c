#include "dtkv/cli/dtctl_path.h"

#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"

size_t dtctl_path_depth (const void *path, size_t bytes)
{
    const char *place = path;
    size_t depth = bytes > 0;
    for (size_t i = 0; i < bytes; i++) {
        depth += place[i] == '.';
    }
    return depth;
}

dtctl_path_state_t dtctl_path_check (const void *path, size_t bytes, uint64_t key_bytes_max,
                                     uint64_t depth_max)
{
    const char *place = path;
    if (bytes == 0 || (bytes == 1 && place[0] == '.')) {
        return DTCTL_PATH_OK;
    }
    for (size_t i = 0; i < bytes; i++) {
        if (place[i] == '.' && (i == 0 || i + 1 == bytes || place[i + 1] == '.')) {
            return DTCTL_PATH_EMPTY_SEGMENT;
        }
    }
    if (key_bytes_max && bytes > key_bytes_max) {
        return DTCTL_PATH_TOO_LONG;
    }
    if (depth_max && dtctl_path_depth (path, bytes) > depth_max) {
        return DTCTL_PATH_TOO_DEEP;
    }
    return DTCTL_PATH_OK;
}

void dtctl_path_encode (dt_buffer_t *out, const void *name, size_t bytes, bool is_link)
{
    dt_assert (bytes > 0);
    const char *place = name;
    for (size_t i = 0; i < bytes; i++) {
        if (place[i] == '.') {
            dt_buffer_append (out, "%2E", 3);
        } else if (place[i] == '%') {
            dt_buffer_append (out, "%25", 3);
        } else {
            dt_buffer_append (out, place + i, 1);
        }
    }
    if (is_link) {
        dt_buffer_append (out, "%@", 2);
    }
}

int dtctl_path_decode (dt_buffer_t *out, const void *segment, size_t bytes, bool *is_link)
{
    const char *place = segment;
    size_t start = out->bytes;
    bool link = bytes > 2 && memcmp (place + bytes - 2, "%@", 2) == 0;
    bytes -= link ? 2 : 0;
    for (size_t i = 0; i < bytes; i++) {
        char byte = place[i];
        if (byte == '%') {
            if (bytes - i >= 3 && memcmp (place + i, "%2E", 3) == 0) {
                byte = '.';
            } else if (bytes - i < 3 || memcmp (place + i, "%25", 3) != 0) {
                goto invalid;
            }
            i += 2;
        } else if (byte == '.' || byte == '/' || byte == 0) {
            goto invalid;
        }
        dt_buffer_append (out, &byte, 1);
    }
    size_t length = out->bytes - start;
    if (length == 0) {
        goto invalid;
    }
    const uint8_t *name = out->data + start;
    if (length <= 2 && name[0] == '.' && name[length - 1] == '.') {
        goto invalid;
    }
    *is_link = link;
    return 0;

invalid:
    out->bytes = start;
    return DT_ERR_INVALID;
}

// Append a path to an absolute one, taking back a part for every `..`. False if it climbed above
// the first `floor` bytes.
static bool s_walk (dt_buffer_t *path, const char *steps, size_t floor)
{
    bool inside = true;
    while (*steps) {
        size_t length = strcspn (steps, "/");
        if (length == 2 && memcmp (steps, "..", 2) == 0) {
            inside = inside && path->bytes > floor;
            while (path->bytes > 0 && path->data[--path->bytes] != '/') {
            }
        } else if (length > 0 && !(length == 1 && steps[0] == '.')) {
            dt_buffer_append (path, "/", 1);
            dt_buffer_append (path, steps, length);
        }
        steps += length;
        steps += strspn (steps, "/");
    }
    return inside;
}

void dtctl_path_link_target (dt_buffer_t *out, const char *root, const char *folder,
                             const char *target)
{
    dt_buffer_t absolute = {0};
    dt_buffer_append (&absolute, root, strlen (root));
    size_t floor = absolute.bytes;
    s_walk (&absolute, folder, floor);
    if (target[0] == '/' || s_walk (&absolute, target, floor)) {
        dt_buffer_append (out, target, strlen (target));
    } else {
        dt_buffer_append (out, absolute.bytes ? (char *) absolute.data : "/",
                          absolute.bytes ? absolute.bytes : 1);
    }
    dt_buffer_deinit (&absolute);
}
