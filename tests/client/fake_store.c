#include "tests/client/fake_store.h"

#include <stdlib.h>

#include "base/dt_memory.h"
#include "dtkv/client/dt_client_types.h"
#include "dtkv/core/dtkv_store.h"
#include "transport/msgpack_cursor.h"
#include "transport/msgpack_writer.h"

#define SESSIONS_MAX 64
#define REPLIES_MAX  100000

typedef struct {
    uint8_t *path;
    size_t path_bytes;
    uint8_t *value;
    size_t value_bytes;
    bool directory;
    uint64_t create_index, modify_index, version, writer;
} fake_node_t;

typedef struct {
    uint64_t id;
    uint64_t ack;
    uint64_t *indexes; // by number; 0: not carried out
    uint8_t *codes;
} fake_session_t;

struct fake_store {
    fake_node_t *nodes; // in order of their paths
    size_t count;
    uint64_t index;
    uint64_t writes;
    uint64_t next_session;
    fake_session_t sessions[SESSIONS_MAX];
    size_t session_count;
    dtkv_store_t *real; // what is too much for this one, a tree of its own
};

fake_store_t *fake_store_new (uint32_t number)
{
    fake_store_t *self = dt_zalloc (1, sizeof *self);
    dtkv_store_options_t options = {.limits = DTKV_LIMITS_DEFAULT};
    self->real = dtkv_store_new (&options);
    self->index = 100;
    self->next_session = 1000 * (uint64_t) number;
    return self;
}

static void s_node_free (fake_node_t *node)
{
    free (node->path);
    free (node->value);
}

void fake_store_expire_sessions (fake_store_t *self)
{
    for (size_t i = 0; i < self->session_count; i++) {
        free (self->sessions[i].indexes);
        free (self->sessions[i].codes);
    }
    self->session_count = 0;
}

void fake_store_destroy (fake_store_t **self_p)
{
    fake_store_t *self = *self_p;
    if (self) {
        for (size_t i = 0; i < self->count; i++) {
            s_node_free (&self->nodes[i]);
        }
        fake_store_expire_sessions (self);
        dtkv_store_destroy (&self->real);
        free (self->nodes);
        free (self);
        *self_p = NULL;
    }
}

uint64_t fake_store_writes (const fake_store_t *self)
{
    return self->writes;
}

static int s_compare (const fake_node_t *node, msgpack_slice_t path)
{
    size_t bytes = node->path_bytes < path.bytes ? node->path_bytes : path.bytes;
    int order = bytes ? memcmp (node->path, path.data, bytes) : 0;
    return order ? order : (node->path_bytes > path.bytes) - (node->path_bytes < path.bytes);
}

// The first node not before the path.
static size_t s_place (const fake_store_t *self, msgpack_slice_t path)
{
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (s_compare (&self->nodes[middle], path) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static fake_node_t *s_find (const fake_store_t *self, msgpack_slice_t path)
{
    size_t place = s_place (self, path);
    return place < self->count && s_compare (&self->nodes[place], path) == 0 ? &self->nodes[place]
                                                                             : NULL;
}

static void s_write_node (dt_buffer_t *body, const fake_node_t *node, uint64_t flags)
{
    if (!node) {
        msgpack_write_nil (body);
        return;
    }
    msgpack_write_array (body, flags & DT_META ? 3 : 2);
    msgpack_write_uint (body, node->directory);
    if (node->directory) {
        msgpack_write_nil (body);
    } else {
        msgpack_write_bin (body, node->value, (uint32_t) node->value_bytes);
    }
    if (flags & DT_META) {
        msgpack_write_array (body, 9);
        msgpack_write_uint (body, node->create_index);
        msgpack_write_uint (body, node->modify_index);
        msgpack_write_uint (body, node->version);
        msgpack_write_uint (body, 0);
        msgpack_write_uint (body, 1111);
        msgpack_write_uint (body, 2222);
        msgpack_write_uint (body, node->writer);
        msgpack_write_uint (body, 0);
        msgpack_write_uint (body, 0);
    }
}

static void s_previous (dt_buffer_t *body, const fake_node_t *node, uint64_t flags)
{
    s_write_node (body, flags & DT_PREVIOUS ? node : NULL, flags);
}

static uint32_t s_put (fake_store_t *self, msgpack_slice_t path, msgpack_slice_t value,
                       bool directory, uint64_t writer)
{
    fake_node_t *node = s_find (self, path);
    uint32_t code = node ? DT_SUCCESS_OVERWRITE : DT_SUCCESS;
    self->writes++;
    if (!node) {
        size_t place = s_place (self, path);
        self->nodes = dt_realloc (self->nodes, (self->count + 1) * sizeof *self->nodes);
        memmove (&self->nodes[place + 1], &self->nodes[place],
                 (self->count - place) * sizeof *self->nodes);
        self->count++;
        node = &self->nodes[place];
        *node = (fake_node_t){.path = dt_memdup (path.data, path.bytes),
                              .path_bytes = path.bytes,
                              .create_index = self->index};
    }
    free (node->value);
    node->value = dt_memdup (value.data, value.bytes);
    node->value_bytes = value.bytes;
    node->directory = directory;
    node->modify_index = self->index;
    node->version++;
    node->writer = writer;
    return code;
}

static uint32_t s_remove (fake_store_t *self, msgpack_slice_t path)
{
    fake_node_t *node = s_find (self, path);
    if (!node) {
        return DT_NOT_FOUND;
    }
    self->writes++;
    s_node_free (node);
    memmove (node, node + 1, (size_t) (self->nodes + self->count - node - 1) * sizeof *node);
    self->count--;
    return DT_SUCCESS;
}

static uint64_t s_optional (msgpack_cursor_t *body, uint32_t *left)
{
    if (*left == 0) {
        return 0;
    }
    --*left;
    return msgpack_cursor_take_nil (body) ? 0 : msgpack_cursor_uint (body);
}

static uint32_t s_do_one (fake_store_t *self, const protocol_request_t *request,
                          msgpack_cursor_t *body, uint32_t left, dt_buffer_t *out)
{
    msgpack_slice_t path = msgpack_cursor_bytes (body), value = {(const uint8_t *) "", 0};
    left--;
    if (request->operation == PROTOCOL_PUT) {
        value = msgpack_cursor_bytes (body);
        left--;
    }
    uint64_t flags = s_optional (body, &left);
    fake_node_t *node = s_find (self, path);
    switch (request->operation) {
    case PROTOCOL_GET:
        s_write_node (out, node, flags);
        return node ? DT_SUCCESS : DT_NOT_FOUND;
    case PROTOCOL_PUT:
        s_previous (out, node, flags);
        return s_put (self, path, value, false, request->client_id);
    case PROTOCOL_REMOVE:
        s_previous (out, node, flags);
        return s_remove (self, path);
    default:
        msgpack_write_nil (out);
        return node ? DT_DIR_EXISTS : s_put (self, path, value, true, request->client_id);
    }
}

static uint32_t s_list (const fake_store_t *self, msgpack_cursor_t *body, uint32_t left,
                        dt_buffer_t *out)
{
    msgpack_slice_t path = msgpack_cursor_bytes (body), after = {NULL, 0};
    left--;
    uint64_t flags = s_optional (body, &left);
    uint64_t items_max = s_optional (body, &left);
    s_optional (body, &left);
    if (left && !msgpack_cursor_take_nil (body)) {
        after = msgpack_cursor_bytes (body);
    }
    dt_buffer_t items = {0};
    uint32_t count = 0;
    const fake_node_t *last = NULL, *more = NULL;
    for (size_t i = 0; i < self->count && !more; i++) {
        const fake_node_t *node = &self->nodes[i];
        if (node->path_bytes <= path.bytes + 1 || memcmp (node->path, path.data, path.bytes) ||
            node->path[path.bytes] != '.' || (after.data && s_compare (node, after) <= 0)) {
            continue;
        }
        if (items_max && count == items_max) {
            more = node;
            break;
        }
        msgpack_write_array (&items, flags & DT_KEYS_ONLY ? 1 : 2);
        msgpack_write_bin (&items, node->path + path.bytes + 1,
                           (uint32_t) (node->path_bytes - path.bytes - 1));
        if (!(flags & DT_KEYS_ONLY)) {
            s_write_node (&items, node, flags);
        }
        last = node;
        count++;
    }
    msgpack_write_array (out, 3);
    msgpack_write_array (out, count);
    dt_buffer_append (out, items.data, items.bytes);
    if (more) {
        msgpack_write_bin (out, last->path, (uint32_t) last->path_bytes);
    } else {
        msgpack_write_nil (out);
    }
    msgpack_write_uint (out, count);
    dt_buffer_deinit (&items);
    return DT_SUCCESS;
}

static uint32_t s_batch (fake_store_t *self, const protocol_request_t *request,
                         msgpack_cursor_t *body, dt_buffer_t *out)
{
    uint32_t count = msgpack_cursor_array (body);
    msgpack_write_array (out, count);
    for (uint32_t i = 0; i < count; i++) {
        dt_buffer_t node = {0};
        protocol_request_t one = *request;
        uint32_t code, left = 1;
        if (request->operation == PROTOCOL_BATCH_PUT) {
            left = msgpack_cursor_array (body);
            one.operation = PROTOCOL_PUT;
        } else {
            one.operation =
                request->operation == PROTOCOL_BATCH_GET ? PROTOCOL_GET : PROTOCOL_REMOVE;
        }
        code = s_do_one (self, &one, body, left, &node);
        msgpack_write_array (out, 2);
        msgpack_write_uint (out, code);
        dt_buffer_append (out, node.data, node.bytes);
        dt_buffer_deinit (&node);
    }
    return DT_SUCCESS;
}

static uint32_t s_compare_and_set (fake_store_t *self, const protocol_request_t *request,
                                   msgpack_cursor_t *body, uint32_t left, dt_buffer_t *out)
{
    msgpack_slice_t path = msgpack_cursor_bytes (body);
    uint64_t condition = msgpack_cursor_uint (body);
    fake_node_t *node = s_find (self, path);
    bool holds;
    if (condition == 0 && !msgpack_cursor_take_nil (body)) {
        msgpack_slice_t expected = msgpack_cursor_bytes (body);
        holds = node && node->value_bytes == expected.bytes &&
                memcmp (node->value, expected.data, expected.bytes) == 0;
    } else if (condition == 0) {
        holds = !node;
    } else {
        uint64_t number = msgpack_cursor_uint (body);
        holds = number == 0
                    ? !node
                    : node && number == (condition == 1 ? node->version : node->modify_index);
    }
    bool removal = msgpack_cursor_take_nil (body);
    msgpack_slice_t value = {NULL, 0};
    if (!removal) {
        value = msgpack_cursor_bytes (body);
    }
    left -= 4;
    s_previous (out, holds ? node : NULL, s_optional (body, &left));
    if (!holds) {
        return DT_CAS_MISMATCH;
    }
    return removal ? s_remove (self, path)
                   : (s_put (self, path, value, false, request->client_id), DT_SUCCESS);
}

static fake_session_t *s_session (fake_store_t *self, uint64_t id)
{
    for (size_t i = 0; i < self->session_count; i++) {
        if (self->sessions[i].id == id) {
            return &self->sessions[i];
        }
    }
    return NULL;
}

static uint32_t s_session_do (fake_store_t *self, const protocol_request_t *request,
                              msgpack_cursor_t *body, dt_buffer_t *out)
{
    uint64_t number = msgpack_cursor_uint (body);
    if (request->operation == PROTOCOL_SESSION_OPEN) {
        if (self->session_count == SESSIONS_MAX) {
            msgpack_write_nil (out);
            return DT_TOO_MANY_SESSIONS;
        }
        fake_session_t *session = &self->sessions[self->session_count++];
        session->id = ++self->next_session;
        session->ack = 1;
        session->indexes = dt_zalloc (REPLIES_MAX, sizeof *session->indexes);
        session->codes = dt_zalloc (REPLIES_MAX, sizeof *session->codes);
        msgpack_write_array (out, 2);
        msgpack_write_uint (out, session->id);
        msgpack_write_uint (out, number);
        return DT_SUCCESS;
    }
    fake_session_t *session = s_session (self, number);
    if (!session) {
        msgpack_write_nil (out);
        return DT_SESSION_UNKNOWN;
    }
    if (request->operation == PROTOCOL_SESSION_CLOSE) {
        session->id = 0;
        msgpack_write_nil (out);
    } else {
        msgpack_write_array (out, 2);
        msgpack_write_uint (out, number);
        msgpack_write_uint (out, 60000);
    }
    return DT_SUCCESS;
}

static void s_status (const fake_store_t *self, dt_buffer_t *out)
{
    msgpack_write_map (out, 5);
    msgpack_write_text (out, "role");
    msgpack_write_text (out, "leader");
    msgpack_write_text (out, "index");
    msgpack_write_uint (out, self->index);
    msgpack_write_text (out, "ready");
    msgpack_write_bool (out, true);
    msgpack_write_text (out, "offset");
    dt_buffer_append (out, "\xd1\xff\x00", 3); // -256
    msgpack_write_text (out, "peers");
    msgpack_write_array (out, 1);
    msgpack_write_uint (out, 3);
}

static uint32_t s_do_really (fake_store_t *self, const protocol_request_t *request,
                             dt_buffer_t *out)
{
    uint16_t operation = (uint16_t) request->operation;
    const uint8_t *body = request->body.data;
    if (!dtkv_operation_writes (operation, body, request->body.bytes)) {
        return (uint32_t) dtkv_store_read (self->real, operation, body, request->body.bytes, out);
    }
    self->writes++;
    log_entry_t entry = {
        .index = self->index,
        .type = LOG_ENTRY_COMMAND,
        .operation = operation,
        .payload = body,
        .payload_bytes = (uint32_t) request->body.bytes,
    };
    dtkv_outcome_t outcome;
    return (uint32_t) dtkv_store_apply (self->real, &entry, out, &outcome);
}

static uint32_t s_do (fake_store_t *self, const protocol_request_t *request, dt_buffer_t *out)
{
    msgpack_cursor_t body;
    msgpack_cursor_init (&body, request->body.data, request->body.bytes);
    uint32_t left = msgpack_cursor_take_nil (&body) ? 0 : msgpack_cursor_array (&body);
    self->index++;
    switch (request->operation) {
    case PROTOCOL_GET:
    case PROTOCOL_PUT:
    case PROTOCOL_REMOVE:
    case PROTOCOL_MKDIR:
        return s_do_one (self, request, &body, left, out);
    case PROTOCOL_LIST:
        return s_list (self, &body, left, out);
    case PROTOCOL_BATCH_GET:
    case PROTOCOL_BATCH_PUT:
    case PROTOCOL_BATCH_REMOVE:
        return s_batch (self, request, &body, out);
    case PROTOCOL_COMPARE_AND_SET:
        return s_compare_and_set (self, request, &body, left, out);
    case PROTOCOL_MOVE:
    case PROTOCOL_INCREMENT:
    case PROTOCOL_TRANSACTION:
        return s_do_really (self, request, out);
    case PROTOCOL_SESSION_OPEN:
    case PROTOCOL_SESSION_CLOSE:
    case PROTOCOL_SESSION_KEEPALIVE:
        return s_session_do (self, request, &body, out);
    case PROTOCOL_STATUS:
        s_status (self, out);
        return DT_SUCCESS;
    case PROTOCOL_SNAPSHOT_TAKE:
        msgpack_write_array (out, 2);
        msgpack_write_uint (out, self->index);
        msgpack_write_uint (out, 4096);
        return DT_SUCCESS;
    case PROTOCOL_PING:
        msgpack_write_nil (out);
        return DT_SUCCESS;
    default:
        msgpack_write_nil (out);
        return DT_UNKNOWN_OPERATION;
    }
}

uint32_t fake_store_do (fake_store_t *self, const protocol_request_t *request, dt_buffer_t *body,
                        uint64_t *index)
{
    uint64_t number = request->session_seq;
    *index = 0;
    if (number == 0) {
        uint32_t code = s_do (self, request, body);
        *index = self->index;
        return code;
    }
    fake_session_t *session = s_session (self, request->session_id);
    if (!session || number >= REPLIES_MAX) {
        msgpack_write_nil (body);
        return DT_SESSION_UNKNOWN;
    }
    if (request->session_ack > session->ack) {
        session->ack = request->session_ack;
    }
    if (number < session->ack) {
        msgpack_write_nil (body);
        return DT_SESSION_SEQ_STALE;
    }
    if (session->indexes[number]) { // bodies are not kept: tests retry writes that answer nil
        msgpack_write_nil (body);
        *index = session->indexes[number];
        return session->codes[number];
    }
    uint32_t code = s_do (self, request, body);
    session->indexes[number] = *index = self->index;
    session->codes[number] = (uint8_t) code;
    return code;
}
