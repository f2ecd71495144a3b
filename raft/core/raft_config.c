#include "raft/core/raft_config.h"

#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"

enum {
    CONFIG_FORMAT = 1,
    CONFIG_LISTS = 4,
    CONFIG_HEADER_BYTES = 1 + CONFIG_LISTS,
    CONFIG_ID_BYTES = 4,
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

int raft_config_validate (const raft_config_t *self)
{
    const raft_node_list_t *lists[CONFIG_LISTS];
    s_lists (self, lists);
    for (int i = 0; i < CONFIG_LISTS; i++) {
        if (!s_list_is_valid (lists[i])) {
            return DT_ERR_INVALID;
        }
    }
    bool valid = self->voters.count > 0 && !s_lists_meet (&self->voters, &self->observers) &&
                 !s_lists_meet (&self->next_voters, &self->next_observers) &&
                 (self->next_voters.count > 0 || self->next_observers.count == 0);
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

void raft_config_encode (const raft_config_t *self, dt_buffer_t *buffer)
{
    dt_assert (raft_config_validate (self) == 0);
    const raft_node_list_t *lists[CONFIG_LISTS];
    s_lists (self, lists);
    uint8_t *start = dt_buffer_reserve (buffer, RAFT_CONFIG_BYTES_MAX);
    uint8_t *place = start;
    *place++ = CONFIG_FORMAT;
    for (int i = 0; i < CONFIG_LISTS; i++) {
        *place++ = (uint8_t) lists[i]->count;
    }
    for (int i = 0; i < CONFIG_LISTS; i++) {
        for (uint32_t j = 0; j < lists[i]->count; j++) {
            raft_node_id_t id = lists[i]->ids[j];
            for (int shift = 0; shift < 32; shift += 8) {
                *place++ = (uint8_t) (id >> shift);
            }
        }
    }
    buffer->bytes += (size_t) (place - start);
}

static uint32_t s_get_u32 (const uint8_t *data)
{
    return (uint32_t) data[0] | (uint32_t) data[1] << 8 | (uint32_t) data[2] << 16 |
           (uint32_t) data[3] << 24;
}

int raft_config_decode (const uint8_t *data, size_t bytes, raft_config_t *config)
{
    if (bytes == 0) {
        return DT_ERR_MALFORMED;
    }
    if (data[0] > CONFIG_FORMAT) {
        return DT_ERR_NEWER_FORMAT;
    }
    if (data[0] != CONFIG_FORMAT || bytes < CONFIG_HEADER_BYTES) {
        return DT_ERR_MALFORMED;
    }
    size_t ids = 0;
    for (int i = 0; i < CONFIG_LISTS; i++) {
        if (data[1 + i] > RAFT_CONFIG_NODES_MAX) {
            return DT_ERR_MALFORMED;
        }
        ids += data[1 + i];
    }
    if (bytes != CONFIG_HEADER_BYTES + ids * CONFIG_ID_BYTES) {
        return DT_ERR_MALFORMED;
    }
    raft_config_t read;
    memset (&read, 0, sizeof read);
    raft_node_list_t *lists[CONFIG_LISTS] = {&read.voters, &read.observers, &read.next_voters,
                                             &read.next_observers};
    const uint8_t *place = data + CONFIG_HEADER_BYTES;
    for (int i = 0; i < CONFIG_LISTS; i++) {
        lists[i]->count = data[1 + i];
        for (uint32_t j = 0; j < lists[i]->count; j++) {
            lists[i]->ids[j] = s_get_u32 (place);
            place += CONFIG_ID_BYTES;
        }
    }
    if (raft_config_validate (&read) != 0) {
        return DT_ERR_MALFORMED;
    }
    *config = read;
    return 0;
}
