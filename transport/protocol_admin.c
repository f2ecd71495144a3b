#include "transport/protocol_admin.h"

#include <string.h>

#include "base/dt_error.h"
#include "transport/msgpack_writer.h"

enum { SKIP_DEPTH = 4 };

// --- writing -------------------------------------------------------------------------------------

static void s_write_ids (dt_buffer_t *body, const protocol_ids_t *ids)
{
    msgpack_write_array (body, ids->count);
    for (uint32_t i = 0; i < ids->count; i++) {
        msgpack_write_uint (body, ids->ids[i]);
    }
}

void protocol_change_write (dt_buffer_t *body, const protocol_change_t *change)
{
    msgpack_write_array (body, 4);
    s_write_ids (body, &change->voters);
    s_write_ids (body, &change->observers);
    msgpack_write_array (body, change->members_count);
    for (uint32_t i = 0; i < change->members_count; i++) {
        msgpack_write_array (body, 3);
        msgpack_write_uint (body, change->members[i].id);
        msgpack_write_text (body, change->members[i].peer);
        msgpack_write_text (body, change->members[i].service);
    }
    msgpack_write_uint (body, change->flags);
}

void protocol_number_write (dt_buffer_t *body, uint64_t number)
{
    msgpack_write_array (body, 1);
    msgpack_write_uint (body, number);
}

static void s_pair_uint (dt_buffer_t *body, const char *name, uint64_t value)
{
    msgpack_write_text (body, name);
    msgpack_write_uint (body, value);
}

static void s_pair_bool (dt_buffer_t *body, const char *name, bool value)
{
    msgpack_write_text (body, name);
    msgpack_write_bool (body, value);
}

static void s_pair_text (dt_buffer_t *body, const char *name, const char *value)
{
    msgpack_write_text (body, name);
    msgpack_write_text (body, value);
}

static void s_pair_ids (dt_buffer_t *body, const char *name, const protocol_ids_t *ids)
{
    msgpack_write_text (body, name);
    s_write_ids (body, ids);
}

static void s_write_member (dt_buffer_t *body, const protocol_member_t *member)
{
    msgpack_write_map (body, member->followed ? 12 : 4);
    s_pair_uint (body, "id", member->id);
    s_pair_text (body, "peer", member->peer);
    s_pair_text (body, "service", member->service);
    s_pair_uint (body, "directory", member->directory);
    if (member->followed) {
        s_pair_text (body, "state", member->state);
        s_pair_bool (body, "active", member->active);
        s_pair_bool (body, "repairing", member->repairing);
        s_pair_uint (body, "match", member->match);
        s_pair_uint (body, "next", member->next);
        s_pair_uint (body, "last", member->last);
        s_pair_uint (body, "applied", member->applied);
        s_pair_uint (body, "in_flight", member->in_flight);
    }
}

void protocol_config_write (dt_buffer_t *body, const protocol_config_t *config)
{
    msgpack_write_map (body, 10);
    s_pair_uint (body, "index", config->index);
    s_pair_uint (body, "term", config->term);
    s_pair_uint (body, "leader", config->leader);
    s_pair_bool (body, "joint", config->joint);
    s_pair_bool (body, "auto_commit", config->auto_commit);
    s_pair_ids (body, "voters", &config->voters);
    s_pair_ids (body, "observers", &config->observers);
    s_pair_ids (body, "next_voters", &config->next_voters);
    s_pair_ids (body, "next_observers", &config->next_observers);
    msgpack_write_text (body, "members");
    msgpack_write_array (body, config->members_count);
    for (uint32_t i = 0; i < config->members_count; i++) {
        s_write_member (body, &config->members[i]);
    }
}

// --- reading -------------------------------------------------------------------------------------

static void s_read_ids (msgpack_cursor_t *cursor, protocol_ids_t *ids)
{
    uint32_t count = msgpack_cursor_array (cursor);
    if (count > PROTOCOL_MEMBERS_MAX) {
        msgpack_cursor_fail (cursor);
        return;
    }
    ids->count = count;
    for (uint32_t i = 0; i < count; i++) {
        ids->ids[i] = (uint32_t) msgpack_cursor_uint_max (cursor, UINT32_MAX);
    }
}

static void s_read_text (msgpack_cursor_t *cursor, char *text, size_t room)
{
    msgpack_slice_t slice = msgpack_cursor_bytes (cursor);
    if (cursor->rc != 0 || slice.bytes >= room ||
        (slice.bytes > 0 && memchr (slice.data, 0, slice.bytes))) {
        msgpack_cursor_fail (cursor);
        return;
    }
    if (slice.bytes > 0) {
        memcpy (text, slice.data, slice.bytes);
    }
    text[slice.bytes] = 0;
}

static void s_skip (msgpack_cursor_t *cursor, uint32_t count)
{
    while (count-- > 0 && cursor->rc == 0) {
        msgpack_cursor_skip (cursor, SKIP_DEPTH);
    }
}

static void s_read_change_members (msgpack_cursor_t *cursor, protocol_change_t *change)
{
    uint32_t count = msgpack_cursor_array (cursor);
    if (count > PROTOCOL_MEMBERS_MAX) {
        msgpack_cursor_fail (cursor);
        return;
    }
    for (uint32_t i = 0; i < count && cursor->rc == 0; i++) {
        protocol_member_t *member = &change->members[change->members_count++];
        uint32_t elements = msgpack_cursor_array (cursor);
        member->id = (uint32_t) msgpack_cursor_uint_max (cursor, UINT32_MAX);
        s_read_text (cursor, member->peer, sizeof member->peer);
        s_read_text (cursor, member->service, sizeof member->service);
        if (elements < 3) {
            msgpack_cursor_fail (cursor);
            return;
        }
        s_skip (cursor, elements - 3);
    }
}

int protocol_change_read (msgpack_slice_t body, protocol_change_t *change)
{
    memset (change, 0, sizeof *change);
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, body.data, body.bytes);
    uint32_t elements = msgpack_cursor_array (&cursor);
    if (elements < 3) {
        return DT_ERR_MALFORMED;
    }
    s_read_ids (&cursor, &change->voters);
    s_read_ids (&cursor, &change->observers);
    s_read_change_members (&cursor, change);
    if (elements > 3) {
        change->flags = (uint32_t) msgpack_cursor_uint_max (&cursor, UINT32_MAX);
        s_skip (&cursor, elements - 4);
    }
    return msgpack_cursor_finished (&cursor) ? 0 : DT_ERR_MALFORMED;
}

int protocol_number_read (msgpack_slice_t body, uint64_t *number)
{
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, body.data, body.bytes);
    *number = 0;
    if (body.bytes == 0 || msgpack_cursor_take_nil (&cursor)) {
        return msgpack_cursor_finished (&cursor) ? 0 : DT_ERR_MALFORMED;
    }
    uint32_t elements = msgpack_cursor_array (&cursor);
    if (elements > 0) {
        *number = msgpack_cursor_uint (&cursor);
        s_skip (&cursor, elements - 1);
    }
    return msgpack_cursor_finished (&cursor) ? 0 : DT_ERR_MALFORMED;
}

static bool s_is (msgpack_slice_t name, const char *text)
{
    return name.bytes == strlen (text) && memcmp (name.data, text, name.bytes) == 0;
}

static void s_read_member (msgpack_cursor_t *cursor, protocol_member_t *member)
{
    uint32_t pairs = msgpack_cursor_map (cursor);
    for (uint32_t i = 0; i < pairs && cursor->rc == 0; i++) {
        msgpack_slice_t name = msgpack_cursor_bytes (cursor);
        const struct {
            const char *name;
            uint64_t *number;
        } numbers[] = {
            {"directory", &member->directory}, {"match", &member->match},
            {"next", &member->next},           {"last", &member->last},
            {"applied", &member->applied},     {"in_flight", &member->in_flight},
        };
        bool done = false;
        for (size_t j = 0; j < sizeof numbers / sizeof *numbers && !done; j++) {
            if (s_is (name, numbers[j].name)) {
                *numbers[j].number = msgpack_cursor_uint (cursor);
                done = true;
            }
        }
        if (done) {
            continue;
        }
        if (s_is (name, "id")) {
            member->id = (uint32_t) msgpack_cursor_uint_max (cursor, UINT32_MAX);
        } else if (s_is (name, "peer")) {
            s_read_text (cursor, member->peer, sizeof member->peer);
        } else if (s_is (name, "service")) {
            s_read_text (cursor, member->service, sizeof member->service);
        } else if (s_is (name, "state")) {
            s_read_text (cursor, member->state, sizeof member->state);
            member->followed = true;
        } else if (s_is (name, "active")) {
            member->active = msgpack_cursor_bool (cursor);
        } else if (s_is (name, "repairing")) {
            member->repairing = msgpack_cursor_bool (cursor);
        } else {
            msgpack_cursor_skip (cursor, SKIP_DEPTH);
        }
    }
}

static void s_read_members (msgpack_cursor_t *cursor, protocol_config_t *config)
{
    uint32_t count = msgpack_cursor_array (cursor);
    if (count > PROTOCOL_MEMBERS_MAX) {
        msgpack_cursor_fail (cursor);
        return;
    }
    config->members_count = count;
    for (uint32_t i = 0; i < count && cursor->rc == 0; i++) {
        s_read_member (cursor, &config->members[i]);
    }
}

static void s_read_config_pair (msgpack_cursor_t *cursor, msgpack_slice_t name,
                                protocol_config_t *config)
{
    if (s_is (name, "index")) {
        config->index = msgpack_cursor_uint (cursor);
    } else if (s_is (name, "term")) {
        config->term = msgpack_cursor_uint (cursor);
    } else if (s_is (name, "leader")) {
        config->leader = (uint32_t) msgpack_cursor_uint_max (cursor, UINT32_MAX);
    } else if (s_is (name, "joint")) {
        config->joint = msgpack_cursor_bool (cursor);
    } else if (s_is (name, "auto_commit")) {
        config->auto_commit = msgpack_cursor_bool (cursor);
    } else if (s_is (name, "voters")) {
        s_read_ids (cursor, &config->voters);
    } else if (s_is (name, "observers")) {
        s_read_ids (cursor, &config->observers);
    } else if (s_is (name, "next_voters")) {
        s_read_ids (cursor, &config->next_voters);
    } else if (s_is (name, "next_observers")) {
        s_read_ids (cursor, &config->next_observers);
    } else if (s_is (name, "members")) {
        s_read_members (cursor, config);
    } else {
        msgpack_cursor_skip (cursor, SKIP_DEPTH);
    }
}

int protocol_config_read (msgpack_slice_t body, protocol_config_t *config)
{
    memset (config, 0, sizeof *config);
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, body.data, body.bytes);
    uint32_t pairs = msgpack_cursor_map (&cursor);
    for (uint32_t i = 0; i < pairs && cursor.rc == 0; i++) {
        msgpack_slice_t name = msgpack_cursor_bytes (&cursor);
        s_read_config_pair (&cursor, name, config);
    }
    return msgpack_cursor_finished (&cursor) ? 0 : DT_ERR_MALFORMED;
}
