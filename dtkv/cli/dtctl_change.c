#include "dtkv/cli/dtctl_change.h"

#include <string.h>

#include "base/dt_error.h"

bool dtctl_change_has (const protocol_ids_t *ids, uint32_t id)
{
    for (uint32_t i = 0; i < ids->count; i++) {
        if (ids->ids[i] == id) {
            return true;
        }
    }
    return false;
}

uint32_t dtctl_change_tolerates (const protocol_ids_t *voters)
{
    return voters->count > 0 ? (voters->count - 1) / 2 : 0;
}

static void s_take_out (protocol_ids_t *ids, uint32_t id)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < ids->count; i++) {
        if (ids->ids[i] != id) {
            ids->ids[kept++] = ids->ids[i];
        }
    }
    ids->count = kept;
}

static bool s_put_in (protocol_ids_t *ids, uint32_t id)
{
    if (ids->count == PROTOCOL_MEMBERS_MAX) {
        return false;
    }
    ids->ids[ids->count++] = id;
    return true;
}

static void s_copy_members (const protocol_config_t *now, protocol_change_t *target)
{
    target->members_count = now->members_count;
    for (uint32_t i = 0; i < now->members_count; i++) {
        target->members[i].id = now->members[i].id;
        memcpy (target->members[i].peer, now->members[i].peer, sizeof target->members[i].peer);
        memcpy (target->members[i].service, now->members[i].service,
                sizeof target->members[i].service);
    }
}

static protocol_member_t *s_member (protocol_change_t *target, uint32_t id)
{
    for (uint32_t i = 0; i < target->members_count; i++) {
        if (target->members[i].id == id) {
            return &target->members[i];
        }
    }
    if (target->members_count == PROTOCOL_MEMBERS_MAX) {
        return NULL;
    }
    protocol_member_t *member = &target->members[target->members_count++];
    memset (member, 0, sizeof *member);
    member->id = id;
    return member;
}

static int s_fail (const char **why, const char *text)
{
    *why = text;
    return DT_ERR_BAD_CHANGE;
}

static int s_add (const protocol_config_t *now, const dtctl_change_t *change,
                  protocol_change_t *target, const char **why)
{
    bool known = dtctl_change_has (&now->voters, change->id) ||
                 dtctl_change_has (&now->observers, change->id);
    protocol_member_t *member = s_member (target, change->id);
    if (!member) {
        return s_fail (why, "the group has 32 nodes already");
    }
    if (!known && (!change->peer || !change->service)) {
        return s_fail (why,
                       "a new node needs --peer and --service, its endpoints for other nodes and "
                       "for clients");
    }
    bool same = dtctl_change_has (&now->observers, change->id) &&
                (!change->peer || strcmp (change->peer, member->peer) == 0) &&
                (!change->service || strcmp (change->service, member->service) == 0);
    if (change->peer) {
        strncpy (member->peer, change->peer, sizeof member->peer - 1);
    }
    if (change->service) {
        strncpy (member->service, change->service, sizeof member->service - 1);
    }
    if (dtctl_change_has (&target->voters, change->id)) {
        s_take_out (&target->voters, change->id);
        if (target->voters.count == 0) {
            return s_fail (why, "it is the only voter");
        }
    }
    if (!dtctl_change_has (&target->observers, change->id) &&
        !s_put_in (&target->observers, change->id)) {
        return s_fail (why, "the group has 32 observers already");
    }
    return same ? 1 : 0;
}

static int s_promote (const protocol_config_t *now, const dtctl_change_t *change,
                      protocol_change_t *target, const char **why)
{
    if (dtctl_change_has (&now->voters, change->id)) {
        return 1;
    }
    if (!dtctl_change_has (&now->observers, change->id)) {
        return s_fail (why, "it is not an observer: add it first, so that it can catch up");
    }
    s_take_out (&target->observers, change->id);
    return s_put_in (&target->voters, change->id) ? 0
                                                  : s_fail (why, "the group has 32 voters already");
}

static int s_remove (const protocol_config_t *now, const dtctl_change_t *change,
                     protocol_change_t *target, const char **why)
{
    bool votes = dtctl_change_has (&now->voters, change->id);
    if (!votes && !dtctl_change_has (&now->observers, change->id)) {
        return 1;
    }
    if (votes && now->voters.count == 1) {
        return s_fail (why, "it is the only voter: add and promote another first");
    }
    s_take_out (&target->voters, change->id);
    s_take_out (&target->observers, change->id);
    return 0;
}

static int s_replace (const protocol_config_t *now, const dtctl_change_t *change,
                      protocol_change_t *target, const char **why)
{
    bool votes = dtctl_change_has (&now->voters, change->replaced);
    bool leaves = votes || dtctl_change_has (&now->observers, change->replaced);
    bool is_voter = dtctl_change_has (&now->voters, change->id);
    if (!leaves) {
        return is_voter || dtctl_change_has (&now->observers, change->id)
                   ? 1
                   : s_fail (why, "the node it is to replace does not belong to the group");
    }
    int rc = is_voter ? 0 : s_add (now, change, target, why);
    if (rc < 0) {
        return rc;
    }
    s_take_out (&target->voters, change->replaced);
    s_take_out (&target->observers, change->replaced);
    if (votes && !is_voter) {
        s_take_out (&target->observers, change->id);
        (void) s_put_in (&target->voters, change->id); // there is room: one has left
    }
    return 0;
}

int dtctl_change_target (const protocol_config_t *now, const dtctl_change_t *change,
                         protocol_change_t *target, const char **why)
{
    memset (target, 0, sizeof *target);
    *why = NULL;
    if (now->joint) {
        return s_fail (why, "a change is under way: see dtctl config commit and abort");
    }
    if (change->id == 0) {
        return s_fail (why, "node ids are from 1");
    }
    target->voters = now->voters;
    target->observers = now->observers;
    s_copy_members (now, target);
    switch (change->kind) {
    case DTCTL_CHANGE_ADD_OBSERVER:
        return s_add (now, change, target, why);
    case DTCTL_CHANGE_PROMOTE:
        return s_promote (now, change, target, why);
    case DTCTL_CHANGE_REMOVE:
        return s_remove (now, change, target, why);
    case DTCTL_CHANGE_REPLACE:
        return s_replace (now, change, target, why);
    }
    return s_fail (why, "no such change");
}
