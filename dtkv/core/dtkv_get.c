// get, batch_get, and how a node is shown in a reply.

#include <string.h>

#include "dtkv/core/dtkv_ops.h"
#include "transport/msgpack_writer.h"

enum { META_ELEMENTS = 9 };

static uint8_t *s_put_meta (uint8_t *place, const dtkv_node_t *node)
{
    place = msgpack_put_array (place, META_ELEMENTS);
    place = msgpack_put_uint (place, node->create_index);
    place = msgpack_put_uint (place, node->modify_index);
    place = msgpack_put_uint (place, node->version);
    place = msgpack_put_uint (place, dtkv_node_child_version (node));
    place = msgpack_put_uint (place, node->create_ms);
    place = msgpack_put_uint (place, node->modify_ms);
    place = msgpack_put_uint (place, node->writer);
    const dtkv_lifetime_t lifetime = dtkv_node_lifetime (node);
    place = msgpack_put_uint (place, lifetime.owner);
    return msgpack_put_uint (place, lifetime.ttl_ms);
}

void dtkv_reply_node (dt_buffer_t *reply, const dtkv_node_t *node, uint32_t flags)
{
    size_t room = (META_ELEMENTS + 4) * MSGPACK_HEADER_BYTES_MAX + node->value_bytes;
    uint8_t *start = dt_buffer_reserve (reply, room);
    uint8_t *place = msgpack_put_array (start, flags & DTKV_FLAG_META ? 3 : 2);
    place = msgpack_put_uint (place, node->flags);
    if (dtkv_node_is_directory (node)) {
        *place++ = 0xc0;
    } else {
        place = msgpack_put_bin_header (place, node->value_bytes);
        memcpy (place, dtkv_node_value (node), node->value_bytes);
        place += node->value_bytes;
    }
    if (flags & DTKV_FLAG_META) {
        place = s_put_meta (place, node);
    }
    reply->bytes += (size_t) (place - start);
}

bool dtkv_reply_previous (dtkv_context_t *self, const dtkv_node_t *node, uint32_t flags)
{
    if (!(flags & DTKV_FLAG_PREVIOUS)) {
        msgpack_write_nil (self->body);
        return true;
    }
    if (self->body->bytes + node->value_bytes > self->body_bytes_max) {
        return false;
    }
    dtkv_reply_node (self->body, node, flags);
    return true;
}

int dtkv_reply_nil (dtkv_context_t *self, int code)
{
    msgpack_write_nil (self->body);
    return code;
}

int dtkv_get (const dtkv_tree_t *tree, const dtkv_request_t *request, dt_buffer_t *reply)
{
    const dtkv_node_t *node = dtkv_tree_find (tree, request->path.data, request->path.bytes);
    if (!node) {
        msgpack_write_nil (reply);
        return DTKV_NOT_FOUND;
    }
    dtkv_reply_node (reply, node, request->flags);
    return DTKV_SUCCESS;
}

static void s_get_item (const dtkv_tree_t *tree, dtkv_request_t *request,
                        const dtkv_limits_t *limits, size_t reply_bytes_max, dt_buffer_t *reply)
{
    dtkv_path_t path = {0};
    const dtkv_node_t *node = NULL;
    int code = dtkv_request_item (request, false, &path, NULL, limits);
    if (!code) {
        node = dtkv_tree_find (tree, path.data, path.bytes);
        code = node ? DTKV_SUCCESS : DTKV_NOT_FOUND;
    }
    if (node && reply->bytes + node->value_bytes > reply_bytes_max) {
        node = NULL;
        code = DTKV_BATCH_TOO_LARGE;
    }
    msgpack_write_array (reply, 2);
    msgpack_write_uint (reply, (uint64_t) code);
    if (node) {
        dtkv_reply_node (reply, node, request->flags);
    } else {
        msgpack_write_nil (reply);
    }
}

int dtkv_batch_get (const dtkv_tree_t *tree, dtkv_request_t *request, const dtkv_limits_t *limits,
                    dt_buffer_t *reply)
{
    size_t reply_bytes_max = reply->bytes + limits->reply_bytes_max;
    msgpack_write_array (reply, request->item_count);
    for (uint32_t i = 0; i < request->item_count; i++) {
        s_get_item (tree, request, limits, reply_bytes_max, reply);
    }
    return DTKV_SUCCESS;
}
