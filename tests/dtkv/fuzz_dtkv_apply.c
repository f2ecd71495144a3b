// fuzz_dtkv_apply - requests of any bytes, against the model.
//
// Input: records of u8 operation, u8 session (0 none, else slot of an earlier one, high bit:
// cluster time leaps), u8 seq, u8 length, then that many bytes of payload. Operations are mapped so
// that every byte means one of the store's, reads included.

#include <stdint.h>

#include "base/dt_assert.h"
#include "tests/dtkv/kv_program.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes);

static uint16_t s_operation (uint8_t byte)
{
    static const uint16_t operations[] = {
        DTKV_OP_PUT,          DTKV_OP_REMOVE,        DTKV_OP_MKDIR,
        DTKV_OP_BATCH_PUT,    DTKV_OP_BATCH_REMOVE,  DTKV_OP_COMPARE_AND_SET,
        DTKV_OP_SESSION_OPEN, DTKV_OP_SESSION_CLOSE, DTKV_OP_SESSION_KEEPALIVE,
        DTKV_OP_GET,          DTKV_OP_LIST,          DTKV_OP_BATCH_GET,
        DTKV_OP_MOVE,         DTKV_OP_INCREMENT,     DTKV_OP_TRANSACTION,
        DTKV_OP_PUT_TEMP,     DTKV_OP_MKDIR_TEMP,    DTKV_OP_UPDATE_TTL,
        DTKV_OP_LOCK,         DTKV_OP_UNLOCK,        DTKV_OP_LOCK_RENEW,
        DTKV_OP_GUARDED,
    };
    uint8_t count = sizeof operations / sizeof operations[0];
    return byte < 2 * count ? operations[byte % count] : byte;
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    enum { RECORDS_MAX = 300 };
    dtkv_store_options_t options = {.limits = kv_program_limits (), .hash_seed = 1};
    dtkv_store_t *store = dtkv_store_new (&options);
    kv_model_t *model = kv_model_new (&options.limits);
    uint64_t sessions[16] = {0};
    log_entry_t entry = {.cluster_time_ms = 1, .type = LOG_ENTRY_COMMAND};
    while (bytes >= 4 && entry.index < RECORDS_MAX) {
        size_t length = data[3] < bytes - 4 ? data[3] : bytes - 4;
        entry.index++;
        entry.cluster_time_ms += data[1] & 0x80 ? 700 : 1;
        entry.session_id = sessions[data[1] & 15];
        entry.session_seq = data[2] & 15;
        entry.session_ack = data[2] >> 4;
        entry.type = data[1] & 0x40 ? LOG_ENTRY_CLOCK : LOG_ENTRY_COMMAND;
        entry.operation = s_operation (data[0]);
        entry.payload = data + 4;
        entry.payload_bytes = (uint32_t) length;
        kv_program_read_both (store, model, entry.operation, entry.payload, length);
        // The model has no past; these two are never proposed, so no log holds them.
        bool past = entry.operation == DTKV_OP_GET_AT || entry.operation == DTKV_OP_DIFF;
        int code = past ? DTKV_CLIENT_REQ_ERROR : kv_program_apply_both (store, model, &entry);
        if (code == DTKV_SUCCESS && entry.operation == DTKV_OP_SESSION_OPEN) {
            sessions[1 + entry.index % 15] = entry.index;
        }
        data += 4 + length;
        bytes -= 4 + length;
    }
    kv_program_compare (store, model);
    dtkv_store_check (store);
    dtkv_store_destroy (&store);
    kv_model_destroy (&model);
    return 0;
}
