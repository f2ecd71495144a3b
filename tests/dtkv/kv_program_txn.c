// Moves, increments and transactions of random programs.

#include "dtkv/core/dtkv_operation.h"
#include "tests/dtkv/kv_program.h"
#include "transport/msgpack_writer.h"

static uint64_t s_below (kv_program_t *self, uint64_t bound)
{
    return dt_random_below (&self->random, bound);
}

static int64_t s_delta (kv_program_t *self)
{
    static const int64_t edges[] = {INT64_MAX, INT64_MIN, INT64_MAX - 1, INT32_MIN, -129, -33, 0};
    if (s_below (self, 4) == 0) {
        return edges[s_below (self, sizeof edges / sizeof edges[0])];
    }
    return (int64_t) s_below (self, 400) - 200;
}

// Values that are numbers or nearly, at a few paths, for increments to find.
static uint16_t s_put_number (kv_program_t *self)
{
    static const char *const numbers[] = {"",
                                          "0",
                                          "-",
                                          "-0",
                                          "007",
                                          "1 ",
                                          "+1",
                                          "x",
                                          "-5",
                                          "9223372036854775807",
                                          "9223372036854775808",
                                          "-9223372036854775808",
                                          "-9223372036854775809"};
    const char *number = numbers[s_below (self, sizeof numbers / sizeof numbers[0])];
    msgpack_write_array (&self->body, 2);
    msgpack_write_bin (&self->body, "ab", 2);
    msgpack_write_bin (&self->body, number, (uint32_t) strlen (number));
    return DTKV_OP_PUT;
}

uint16_t kv_program_move_or_increment (kv_program_t *self)
{
    uint64_t choice = s_below (self, 10);
    if (choice == 0) {
        return s_put_number (self);
    }
    msgpack_write_array (&self->body, 3);
    if (choice < 4) {
        msgpack_write_bin (&self->body, "ab", 2);
    } else {
        kv_program_path (self);
    }
    if (choice < 6) {
        msgpack_write_int (&self->body, s_delta (self));
    } else {
        kv_program_path (self);
    }
    kv_program_flags (self, 1);
    return choice < 6 ? DTKV_OP_INCREMENT : DTKV_OP_MOVE;
}

static void s_condition (kv_program_t *self)
{
    uint64_t kind = s_below (self, s_below (self, 40) ? 8 : 10);
    msgpack_write_array (&self->body, 3);
    msgpack_write_uint (&self->body, kind);
    kv_program_path (self);
    if (kind == DTKV_IF_VALUE) {
        kv_program_value (self);
    } else {
        msgpack_write_uint (&self->body, s_below (self, 2) ? s_below (self, 4)
                                                           : s_below (self, self->index + 1));
    }
}

static void s_operations (kv_program_t *self, bool reads_only)
{
    uint32_t count = (uint32_t) s_below (self, s_below (self, 10) ? 4 : 8);
    msgpack_write_array (&self->body, count);
    for (uint32_t i = 0; i < count; i++) {
        dt_buffer_t whole = self->body;
        self->body = (dt_buffer_t){0};
        bool read = reads_only || s_below (self, 3) == 0;
        uint16_t operation = read ? kv_program_read_one (self) : kv_program_write (self);
        dt_buffer_t part = self->body;
        self->body = whole;
        msgpack_write_array (&self->body, 2);
        msgpack_write_uint (&self->body, s_below (self, 200) ? operation : s_below (self, 100));
        dt_buffer_append (&self->body, part.data, part.bytes);
        dt_buffer_deinit (&part);
    }
}

uint16_t kv_program_transaction (kv_program_t *self, bool reads_only)
{
    uint32_t conditions = (uint32_t) s_below (self, 3);
    bool otherwise = s_below (self, 2);
    msgpack_write_array (&self->body, otherwise ? 3 : 2);
    msgpack_write_array (&self->body, conditions);
    for (uint32_t i = 0; i < conditions; i++) {
        s_condition (self);
    }
    s_operations (self, reads_only);
    if (otherwise) {
        s_operations (self, reads_only);
    }
    return DTKV_OP_TRANSACTION;
}
