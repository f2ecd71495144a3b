#include "raft/core/raft_config.h"

#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_hash.h"

enum {
    CONFIG_FORMAT = 2,
    CONFIG_FLAG_AUTO_COMMIT = 1,
    CONFIG_LISTS = 4,
};

// The four lists in the order of their bytes.
static void s_lists (const raft_config_t *config, const raft_node_list_t *lists[CONFIG_LISTS])
{
    lists[0] = &config->voters;
    lists[1] = &config->observers;
    lists[2] = &config->next_voters;
    lists[3] = &config->next_observers;
}

// Where an id is, or where it would go.
static uint32_t s_place (const raft_node_list_t *self, raft_node_id_t id)
{
    uint32_t place = 0;
    while (place < self->count && self->ids[place] < id) {
        place++;
    }
    return place;
}

bool raft_node_list_has (const raft_node_list_t *self, raft_node_id_t id)
{
    uint32_t place = s_place (self, id);
    return place < self->count && self->ids[place] == id;
}

bool raft_node_list_add (raft_node_list_t *self, raft_node_id_t id)
{
    if (id == 0 || self->count == RAFT_CONFIG_NODES_MAX || raft_node_list_has (self, id)) {
        return false;
    }
    uint32_t place = s_place (self, id);
    memmove (&self->ids[place + 1], &self->ids[place], (self->count - place) * sizeof self->ids[0]);
    self->ids[place] = id;
    self->count++;
    return true;
}

bool raft_node_list_remove (raft_node_list_t *self, raft_node_id_t id)
{
    uint32_t place = s_place (self, id);
    if (place == self->count || self->ids[place] != id) {
        return false;
    }
    self->count--;
    memmove (&self->ids[place], &self->ids[place + 1], (self->count - place) * sizeof self->ids[0]);
    self->ids[self->count] = 0;
    return true;
}

raft_config_t raft_config_sole (raft_node_id_t voter)
{
    raft_config_t config;
    memset (&config, 0, sizeof config);
    bool added = raft_node_list_add (&config.voters, voter);
    dt_assert (added);
    return config;
}

static bool s_list_is_valid (const raft_node_list_t *list)
{
    if (list->count > RAFT_CONFIG_NODES_MAX) {
        return false;
    }
    raft_node_id_t last = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->ids[i] <= last) {
            return false;
        }
        last = list->ids[i];
    }
    return true;
}

static bool s_lists_meet (const raft_node_list_t *one, const raft_node_list_t *other)
{
    for (uint32_t i = 0; i < one->count; i++) {
        if (raft_node_list_has (other, one->ids[i])) {
            return true;
        }
    }
    return false;
}

static bool s_node_is_valid (const raft_node_info_t *node)
{
    return node->id != 0 && memchr (node->peer, 0, sizeof node->peer) != NULL &&
           memchr (node->service, 0, sizeof node->service) != NULL;
}

// Nodes ascending, each a member.
static bool s_nodes_are_valid (const raft_config_t *self)
{
    if (self->nodes_count > RAFT_CONFIG_NODES_MAX) {
        return false;
    }
    raft_node_id_t last = 0;
    for (uint32_t i = 0; i < self->nodes_count; i++) {
        const raft_node_info_t *node = &self->nodes[i];
        if (!s_node_is_valid (node) || node->id <= last ||
            !raft_config_is_member (self, node->id)) {
            return false;
        }
        last = node->id;
    }
    return true;
}

int raft_config_validate (const raft_config_t *self)
{
    const raft_node_list_t *lists[CONFIG_LISTS];
    s_lists (self, lists);
    for (int i = 0; i < CONFIG_LISTS; i++) {
        if (!s_list_is_valid (lists[i])) {
            return DT_ERR_INVALID;
        }
    }
    bool valid =
        self->voters.count > 0 && !s_lists_meet (&self->voters, &self->observers) &&
        !s_lists_meet (&self->next_voters, &self->next_observers) &&
        (self->next_voters.count > 0 || (self->next_observers.count == 0 && !self->auto_commit)) &&
        s_nodes_are_valid (self);
    return valid ? 0 : DT_ERR_INVALID;
}

bool raft_config_equal (const raft_config_t *self, const raft_config_t *other)
{
    const raft_node_list_t *mine[CONFIG_LISTS];
    const raft_node_list_t *theirs[CONFIG_LISTS];
    s_lists (self, mine);
    s_lists (other, theirs);
    for (int i = 0; i < CONFIG_LISTS; i++) {
        if (mine[i]->count != theirs[i]->count ||
            memcmp (mine[i]->ids, theirs[i]->ids, mine[i]->count * sizeof mine[i]->ids[0]) != 0) {
            return false;
        }
    }
    if (self->auto_commit != other->auto_commit || self->nodes_count != other->nodes_count) {
        return false;
    }
    for (uint32_t i = 0; i < self->nodes_count; i++) {
        const raft_node_info_t *mine_node = &self->nodes[i];
        const raft_node_info_t *their_node = &other->nodes[i];
        if (mine_node->id != their_node->id ||
            mine_node->directory_id != their_node->directory_id ||
            strcmp (mine_node->peer, their_node->peer) != 0 ||
            strcmp (mine_node->service, their_node->service) != 0) {
            return false;
        }
    }
    return true;
}

bool raft_config_is_joint (const raft_config_t *self)
{
    return self->next_voters.count > 0;
}

bool raft_config_is_voter (const raft_config_t *self, raft_node_id_t id)
{
    return raft_node_list_has (&self->voters, id) || raft_node_list_has (&self->next_voters, id);
}

bool raft_config_is_member (const raft_config_t *self, raft_node_id_t id)
{
    return raft_config_is_voter (self, id) || raft_node_list_has (&self->observers, id) ||
           raft_node_list_has (&self->next_observers, id);
}

bool raft_config_is_sole_voter (const raft_config_t *self, raft_node_id_t id)
{
    if (self->voters.count != 1 || self->voters.ids[0] != id) {
        return false;
    }
    return !raft_config_is_joint (self) ||
           (self->next_voters.count == 1 && self->next_voters.ids[0] == id);
}

const raft_node_info_t *raft_config_node (const raft_config_t *self, raft_node_id_t id)
{
    for (uint32_t i = 0; i < self->nodes_count; i++) {
        if (self->nodes[i].id == id) {
            return &self->nodes[i];
        }
    }
    return NULL;
}

bool raft_config_describe (raft_config_t *self, const raft_node_info_t *node)
{
    uint32_t place = 0;
    while (place < self->nodes_count && self->nodes[place].id < node->id) {
        place++;
    }
    if (!s_node_is_valid (node)) {
        return false;
    }
    if (place == self->nodes_count || self->nodes[place].id != node->id) {
        if (self->nodes_count == RAFT_CONFIG_NODES_MAX) {
            return false;
        }
        memmove (&self->nodes[place + 1], &self->nodes[place],
                 (self->nodes_count - place) * sizeof self->nodes[0]);
        self->nodes_count++;
    }
    self->nodes[place] = *node;
    return true;
}

void raft_config_forget_strangers (raft_config_t *self)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < self->nodes_count; i++) {
        if (raft_config_is_member (self, self->nodes[i].id)) {
            self->nodes[kept++] = self->nodes[i];
        }
    }
    self->nodes_count = kept;
}

static void s_put (dt_buffer_t *buffer, uint64_t value, int bytes)
{
    uint8_t *place = dt_buffer_reserve (buffer, (size_t) bytes);
    for (int i = 0; i < bytes; i++) {
        place[i] = (uint8_t) (value >> (8 * i));
    }
    buffer->bytes += (size_t) bytes;
}

static void s_put_text (dt_buffer_t *buffer, const char *text)
{
    size_t bytes = strlen (text);
    s_put (buffer, bytes, 1);
    dt_buffer_append (buffer, text, bytes);
}

void raft_config_encode (const raft_config_t *self, dt_buffer_t *buffer)
{
    dt_assert (raft_config_validate (self) == 0);
    const raft_node_list_t *lists[CONFIG_LISTS];
    s_lists (self, lists);
    s_put (buffer, CONFIG_FORMAT, 1);
    s_put (buffer, self->auto_commit ? CONFIG_FLAG_AUTO_COMMIT : 0, 1);
    for (int i = 0; i < CONFIG_LISTS; i++) {
        s_put (buffer, lists[i]->count, 1);
    }
    s_put (buffer, self->nodes_count, 1);
    for (int i = 0; i < CONFIG_LISTS; i++) {
        for (uint32_t j = 0; j < lists[i]->count; j++) {
            s_put (buffer, lists[i]->ids[j], 4);
        }
    }
    for (uint32_t i = 0; i < self->nodes_count; i++) {
        s_put (buffer, self->nodes[i].id, 4);
        s_put (buffer, self->nodes[i].directory_id, 8);
        s_put_text (buffer, self->nodes[i].peer);
        s_put_text (buffer, self->nodes[i].service);
    }
}

uint64_t raft_config_hash (const raft_config_t *self)
{
    dt_buffer_t bytes = {0};
    raft_config_encode (self, &bytes);
    uint64_t hash = dt_hash64 (bytes.data, bytes.bytes, 0);
    dt_buffer_deinit (&bytes);
    return hash;
}

// What is left to be read. `bad` stays set once something was missing.
typedef struct {
    const uint8_t *data;
    size_t bytes;
    bool bad;
} s_rest_t;

static uint64_t s_get (s_rest_t *rest, size_t bytes)
{
    if (rest->bytes < bytes) {
        rest->bad = true;
        rest->bytes = 0;
        return 0;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        value |= (uint64_t) rest->data[i] << (8 * i);
    }
    rest->data += bytes;
    rest->bytes -= bytes;
    return value;
}

static void s_get_text (s_rest_t *rest, char *text)
{
    size_t bytes = s_get (rest, 1);
    if (bytes > RAFT_ENDPOINT_BYTES_MAX || bytes > rest->bytes ||
        memchr (rest->data, 0, bytes) != NULL) {
        rest->bad = true;
        return;
    }
    memcpy (text, rest->data, bytes);
    text[bytes] = 0;
    rest->data += bytes;
    rest->bytes -= bytes;
}

static void s_get_list (s_rest_t *rest, raft_node_list_t *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        list->ids[i] = (raft_node_id_t) s_get (rest, 4);
    }
}

static void s_get_nodes (s_rest_t *rest, raft_config_t *config)
{
    for (uint32_t i = 0; i < config->nodes_count; i++) {
        config->nodes[i].id = (raft_node_id_t) s_get (rest, 4);
        config->nodes[i].directory_id = s_get (rest, 8);
        s_get_text (rest, config->nodes[i].peer);
        s_get_text (rest, config->nodes[i].service);
    }
}

int raft_config_decode (const uint8_t *data, size_t bytes, raft_config_t *config)
{
    s_rest_t rest = {data, bytes, false};
    uint64_t format = s_get (&rest, 1);
    if (bytes > 0 && format > CONFIG_FORMAT) {
        return DT_ERR_NEWER_FORMAT;
    }
    uint64_t flags = format > 1 ? s_get (&rest, 1) : 0;
    raft_config_t read;
    memset (&read, 0, sizeof read);
    raft_node_list_t *lists[CONFIG_LISTS] = {&read.voters, &read.observers, &read.next_voters,
                                             &read.next_observers};
    bool fits = format > 0 && flags <= CONFIG_FLAG_AUTO_COMMIT;
    for (int i = 0; i < CONFIG_LISTS; i++) {
        lists[i]->count = (uint32_t) s_get (&rest, 1);
        fits = fits && lists[i]->count <= RAFT_CONFIG_NODES_MAX;
    }
    read.nodes_count = format > 1 ? (uint32_t) s_get (&rest, 1) : 0;
    read.auto_commit = flags != 0;
    if (!fits || read.nodes_count > RAFT_CONFIG_NODES_MAX) {
        return DT_ERR_MALFORMED;
    }
    for (int i = 0; i < CONFIG_LISTS; i++) {
        s_get_list (&rest, lists[i]);
    }
    s_get_nodes (&rest, &read);
    if (rest.bad || rest.bytes > 0 || raft_config_validate (&read) != 0) {
        return DT_ERR_MALFORMED;
    }
    *config = read;
    return 0;
}
