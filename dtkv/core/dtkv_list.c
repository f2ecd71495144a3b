// list: a page of a directory, or how many nodes there are.

#include <string.h>

#include "dtkv/core/dtkv_ops.h"
#include "dtkv/core/dtkv_walk.h"
#include "transport/msgpack_writer.h"

// A page being written.
typedef struct {
    const dtkv_request_t *request;
    dt_buffer_t *reply;
    size_t start;     // offset of the first item
    uint64_t count;   // items in it
    uint64_t looks;   // nodes it may still look at
    dt_buffer_t last; // name of the last node looked at
    bool more;        // there are nodes behind it
} s_page_t;

enum { ARRAY_HEADER_BYTES_MAX = 5 };

static void s_set_last (s_page_t *self, const uint8_t *name, size_t bytes)
{
    dt_buffer_clear (&self->last);
    dt_buffer_append (&self->last, name, bytes);
}

// Add an item. False: the page is full, and the item is not in it.
static bool s_add (s_page_t *self, const uint8_t *name, size_t bytes, const dtkv_node_t *node)
{
    bool keys_only = self->request->flags & DTKV_FLAG_KEYS_ONLY;
    size_t before = self->reply->bytes;
    if (self->count == self->request->items_max) {
        self->more = true;
        return false;
    }
    msgpack_write_array (self->reply, keys_only ? 1 : 2);
    msgpack_write_bin (self->reply, name, (uint32_t) bytes);
    if (!keys_only) {
        dtkv_reply_node (self->reply, node, self->request->flags);
    }
    if (self->count && self->reply->bytes - self->start > self->request->bytes_max) {
        self->reply->bytes = before;
        self->more = true;
        return false;
    }
    self->count++;
    s_set_last (self, name, bytes);
    return true;
}

// Look at a node, and add it if it is of the kind asked for. False: the page ends before it.
static bool s_look (s_page_t *self, const uint8_t *name, size_t bytes, const dtkv_node_t *node)
{
    uint32_t flags = self->request->flags;
    if (!(flags & DTKV_FLAG_DIRECTORIES_ONLY)) {
        return s_add (self, name, bytes, node);
    }
    if (self->looks == 0) {
        self->more = true;
        return false;
    }
    self->looks--;
    if (!dtkv_node_is_directory (node)) {
        s_set_last (self, name, bytes);
        return true;
    }
    if (flags & DTKV_FLAG_COUNT_ONLY) {
        self->count++;
        s_set_last (self, name, bytes);
        return true;
    }
    return s_add (self, name, bytes, node);
}

static void s_fill_children (s_page_t *self, const dtkv_directory_t *directory)
{
    const dtkv_order_t *children = &directory->children;
    dtkv_position_t position = {0};
    msgpack_slice_t after = self->request->after;
    if (after.bytes && dtkv_order_find (children, after.data, after.bytes, &position)) {
        position = dtkv_order_next (children, position);
    }
    for (const dtkv_node_t *node; (node = dtkv_order_at (children, position));) {
        if (!s_look (self, dtkv_node_name (node), node->name_bytes, node)) {
            return;
        }
        position = dtkv_order_next (children, position);
    }
}

static void s_fill_subtree (s_page_t *self, const dtkv_directory_t *directory)
{
    dtkv_walk_t walk;
    dtkv_walk_init (&walk, directory, NULL, 0);
    if (self->request->after.bytes) {
        dtkv_walk_seek (&walk, self->request->after.data, self->request->after.bytes);
    }
    for (const dtkv_node_t *node; (node = dtkv_walk_next (&walk));) {
        if (!s_look (self, walk.path.data, walk.path.bytes, node)) {
            break;
        }
    }
    dtkv_walk_deinit (&walk);
}

// The number of items is known at the end only: write the header then and close the gap.
static void s_set_header (s_page_t *self)
{
    uint8_t header[MSGPACK_HEADER_BYTES_MAX];
    bool count_only = self->request->flags & DTKV_FLAG_COUNT_ONLY;
    uint8_t *end = msgpack_put_array (header, count_only ? 0 : (uint32_t) self->count);
    size_t bytes = (size_t) (end - header);
    size_t items_bytes = self->reply->bytes - self->start;
    uint8_t *place = self->reply->data + self->start - ARRAY_HEADER_BYTES_MAX;
    memcpy (place, header, bytes);
    memmove (place + bytes, place + ARRAY_HEADER_BYTES_MAX, items_bytes);
    self->reply->bytes -= ARRAY_HEADER_BYTES_MAX - bytes;
}

static void s_page (const dtkv_request_t *request, const dtkv_directory_t *directory,
                    const dtkv_limits_t *limits, dt_buffer_t *reply)
{
    s_page_t page = {.request = request, .reply = reply, .looks = limits->list_items_max};
    msgpack_write_array (reply, 3);
    dt_buffer_reserve (reply, ARRAY_HEADER_BYTES_MAX);
    reply->bytes += ARRAY_HEADER_BYTES_MAX;
    page.start = reply->bytes;
    if (request->flags & DTKV_FLAG_RECURSIVE) {
        s_fill_subtree (&page, directory);
    } else {
        s_fill_children (&page, directory);
    }
    s_set_header (&page);
    if (page.more) {
        msgpack_write_bin (reply, page.last.data, (uint32_t) page.last.bytes);
    } else {
        msgpack_write_nil (reply);
    }
    msgpack_write_uint (reply, page.count);
    dt_buffer_deinit (&page.last);
}

static void s_count (const dtkv_request_t *request, const dtkv_directory_t *directory,
                     dt_buffer_t *reply)
{
    msgpack_write_array (reply, 3);
    msgpack_write_array (reply, 0);
    msgpack_write_nil (reply);
    msgpack_write_uint (reply, request->flags & DTKV_FLAG_RECURSIVE ? directory->descendants
                                                                    : directory->children.nodes);
}

int dtkv_list (const dtkv_tree_t *tree, const dtkv_request_t *request, const dtkv_limits_t *limits,
               dt_buffer_t *reply)
{
    const dtkv_node_t *node = dtkv_tree_find (tree, request->path.data, request->path.bytes);
    uint32_t flags = request->flags;
    if (!node || !dtkv_node_is_directory (node)) {
        msgpack_write_nil (reply);
        return node ? DTKV_PARENT_NOT_DIR : DTKV_NOT_FOUND;
    }
    // How many directories there are nobody keeps: they are counted, page by page.
    if ((flags & DTKV_FLAG_COUNT_ONLY) && !(flags & DTKV_FLAG_DIRECTORIES_ONLY)) {
        s_count (request, dtkv_node_directory (node), reply);
    } else {
        s_page (request, dtkv_node_directory (node), limits, reply);
    }
    return DTKV_SUCCESS;
}
