// dtutl_output - lines of the offline tool: JSON objects, or the same as `kind name=value ...`.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_buffer.h"
#include "base/dt_error.h"
#include "storage/dtutl.h"

static void s_simple_value (dt_buffer_t *out, const json_t *value)
{
    if (json_is_string (value) && json_string_length (value) > 0 &&
        strlen (json_string_value (value)) == json_string_length (value) &&
        strspn (json_string_value (value), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                           "0123456789_-./:+%@") == json_string_length (value)) {
        dt_buffer_printf (out, "%s", json_string_value (value));
        return;
    }
    char *text = json_dumps (value, JSON_ENCODE_ANY | JSON_COMPACT);
    dt_assert (text);
    dt_buffer_append (out, text, strlen (text));
    free (text);
}

void dtutl_emit (const dtutl_t *self, json_t *object)
{
    dt_buffer_t out = {0};
    if (self->json) {
        json_t *line = json_pack ("{s:i}", "schema", DTUTL_SCHEMA);
        json_object_update (line, object);
        char *text = json_dumps (line, JSON_COMPACT);
        dt_assert (text);
        dt_buffer_append (&out, text, strlen (text));
        free (text);
        json_decref (line);
    } else {
        const char *name;
        json_t *value;
        json_object_foreach (object, name, value)
        {
            if (strcmp (name, "kind") == 0) {
                dt_buffer_printf (&out, "%s", json_string_value (value));
                continue;
            }
            dt_buffer_printf (&out, " %s=", name);
            s_simple_value (&out, value);
        }
    }
    dt_buffer_append (&out, "\n", 1);
    fwrite (out.data, 1, out.bytes, stdout);
    dt_buffer_deinit (&out);
    json_decref (object);
}

json_t *dtutl_object (const char *kind, const uint32_t *group)
{
    json_t *object = json_pack ("{s:s}", "kind", kind);
    dt_assert (object);
    if (group) {
        dtutl_add_number (object, "group", *group);
    }
    return object;
}

void dtutl_add_number (json_t *object, const char *name, uint64_t value)
{
    // JSON integers here end at 2^63 - 1; only damaged files hold counts beyond it.
    if (value > INT64_MAX) {
        dtutl_add_hex (object, name, value);
        return;
    }
    json_object_set_new (object, name, json_integer ((json_int_t) value));
}

void dtutl_add_hex (json_t *object, const char *name, uint64_t value)
{
    char text[17];
    snprintf (text, sizeof text, "%016llx", (unsigned long long) value);
    json_object_set_new (object, name, json_string (text));
}

void dtutl_add_text (json_t *object, const char *name, const char *value)
{
    json_t *text = json_string (value);
    json_object_set_new (object, name, text ? text : json_string ("(not UTF-8)"));
}

static void s_base64 (dt_buffer_t *out, const uint8_t *data, size_t bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes; i += 3) {
        size_t left = bytes - i;
        uint32_t word = (uint32_t) data[i] << 16;
        word |= left > 1 ? (uint32_t) data[i + 1] << 8 : 0;
        word |= left > 2 ? data[i + 2] : 0;
        char four[4] = {digits[word >> 18], digits[word >> 12 & 63],
                        left > 1 ? digits[word >> 6 & 63] : '=',
                        left > 2 ? digits[word & 63] : '='};
        dt_buffer_append (out, four, sizeof four);
    }
}

void dtutl_add_bytes (json_t *object, const char *name, const uint8_t *data, size_t bytes)
{
    dt_buffer_t text = {0};
    json_t *utf8 = json_stringn (bytes ? (const char *) data : "", bytes);
    if (utf8) {
        json_object_set_new (object, name, utf8);
    }
    dt_buffer_printf (&text, "%s_base64", name);
    dt_buffer_append (&text, "", 1);
    size_t start = text.bytes;
    s_base64 (&text, data, bytes);
    json_object_set_new (object, (const char *) text.data,
                         json_stringn ((const char *) text.data + start, text.bytes - start));
    dt_buffer_deinit (&text);
}

static dtutl_exit_t s_exit_code (int rc)
{
    switch (rc) {
    case 0:
        return DTUTL_OK;
    case DT_ERR_CORRUPT:
    case DT_ERR_GAP:
    case DT_ERR_FOREIGN:
        return DTUTL_CORRUPT;
    case DT_ERR_NOT_FOUND:
        return DTUTL_NOT_FOUND;
    case DT_ERR_IN_USE:
        return DTUTL_IN_USE;
    default:
        return DTUTL_FAILED;
    }
}

void dtutl_note (dtutl_t *self, int rc)
{
    static const dtutl_exit_t by_weight[] = {DTUTL_OK, DTUTL_NOT_FOUND, DTUTL_FAILED, DTUTL_IN_USE,
                                             DTUTL_CORRUPT};
    dtutl_exit_t code = s_exit_code (rc);
    for (size_t i = sizeof by_weight / sizeof by_weight[0]; i-- > 0;) {
        if (by_weight[i] == code || by_weight[i] == self->result) {
            self->result = by_weight[i];
            return;
        }
    }
}

void dtutl_add_result (dtutl_t *self, json_t *object, int rc, const char *why)
{
    json_object_set_new (object, "ok", json_boolean (rc == 0));
    if (rc) {
        dtutl_add_text (object, "error", dt_error_name (rc));
        dtutl_add_text (object, "why", why && why[0] ? why : dt_error_text (rc));
    }
    dtutl_note (self, rc);
}

storage_identity_t dtutl_identity (const dtutl_t *self, uint32_t group)
{
    return (storage_identity_t){.cluster_id = self->identity.cluster_id,
                                .group_id = group,
                                .node_id = self->identity.node_id};
}
