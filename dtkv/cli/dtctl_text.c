#include "dtkv/cli/dtctl_text.h"

#include <string.h>

// Length of the well-formed UTF-8 sequence at the start of data, 0 if there is none.
static size_t s_sequence (const uint8_t *data, size_t bytes)
{
    uint8_t first = data[0];
    if (first < 0x80) {
        return 1;
    }
    size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || bytes < length) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((data[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    // The second byte tells overlong forms, surrogates and what lies above U+10FFFF.
    if ((first == 0xe0 && data[1] < 0xa0) || (first == 0xed && data[1] > 0x9f) ||
        (first == 0xf0 && data[1] < 0x90) || (first == 0xf4 && data[1] > 0x8f)) {
        return 0;
    }
    return length;
}

bool dtctl_text_is_utf8 (const void *data, size_t bytes)
{
    const uint8_t *place = data;
    while (bytes > 0) {
        size_t length = s_sequence (place, bytes);
        if (length == 0) {
            return false;
        }
        place += length;
        bytes -= length;
    }
    return true;
}

static const char s_hex[] = "0123456789abcdef";

static void s_escape_byte (dt_buffer_t *out, uint8_t byte)
{
    char text[4] = {'\\', 'x', s_hex[byte >> 4], s_hex[byte & 15]};
    const char *named = byte == '\n' ? "\\n" : byte == '\r' ? "\\r" : byte == '\t' ? "\\t" : NULL;
    dt_buffer_append (out, named ? named : text, named ? 2 : 4);
}

static void s_escape (dt_buffer_t *out, const uint8_t *place, size_t bytes, bool quoted)
{
    while (bytes > 0) {
        size_t length = s_sequence (place, bytes);
        // C1 control characters (U+0080 .. U+009F) steer terminals as C0 ones do.
        bool control = length == 1 ? place[0] < 0x20 || place[0] == 0x7f
                                   : length == 2 && place[0] == 0xc2 && place[1] < 0xa0;
        if (length == 0 || control) {
            length = length ? length : 1;
            for (size_t i = 0; i < length; i++) {
                s_escape_byte (out, place[i]);
            }
        } else {
            if (place[0] == '\\' || (quoted && place[0] == '"')) {
                dt_buffer_append (out, "\\", 1);
            }
            dt_buffer_append (out, place, length);
        }
        place += length;
        bytes -= length;
    }
}

void dtctl_text_escape (dt_buffer_t *out, const void *data, size_t bytes)
{
    s_escape (out, data, bytes, false);
}

void dtctl_text_quote (dt_buffer_t *out, const void *data, size_t bytes)
{
    dt_buffer_append (out, "\"", 1);
    s_escape (out, data, bytes, true);
    dt_buffer_append (out, "\"", 1);
}

void dtctl_text_hex (dt_buffer_t *out, const void *data, size_t bytes)
{
    const uint8_t *place = data;
    uint8_t *to = dt_buffer_reserve (out, 2 * bytes);
    for (size_t i = 0; i < bytes; i++) {
        to[2 * i] = (uint8_t) s_hex[place[i] >> 4];
        to[2 * i + 1] = (uint8_t) s_hex[place[i] & 15];
    }
    out->bytes += 2 * bytes;
}

void dtctl_text_base64 (dt_buffer_t *out, const void *data, size_t bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *place = data;
    for (size_t i = 0; i < bytes; i += 3) {
        size_t left = bytes - i;
        uint32_t bits = (uint32_t) place[i] << 16;
        bits |= left > 1 ? (uint32_t) place[i + 1] << 8 : 0;
        bits |= left > 2 ? place[i + 2] : 0;
        char text[4] = {digits[bits >> 18], digits[bits >> 12 & 63],
                        left > 1 ? digits[bits >> 6 & 63] : '=',
                        left > 2 ? digits[bits & 63] : '='};
        dt_buffer_append (out, text, sizeof text);
    }
}

void dtctl_text_json (dt_buffer_t *out, const void *data, size_t bytes)
{
    const uint8_t *place = data;
    dt_buffer_append (out, "\"", 1);
    for (size_t i = 0; i < bytes; i++) {
        if (place[i] == '"' || place[i] == '\\') {
            dt_buffer_append (out, "\\", 1);
        }
        if (place[i] < 0x20 || place[i] == 0x7f) {
            dt_buffer_printf (out, "\\u%04x", place[i]);
        } else {
            dt_buffer_append (out, place + i, 1);
        }
    }
    dt_buffer_append (out, "\"", 1);
}

void dtctl_text_time (dt_buffer_t *out, uint64_t time_ms)
{
    if (time_ms == 0) {
        dt_buffer_append (out, "-", 1);
        return;
    }
    // The civil calendar from days, counted in eras of 400 years that begin on the first of March.
    uint64_t seconds = time_ms / 1000;
    uint64_t days = seconds / 86400 + 719468;
    uint64_t era = days / 146097;
    uint64_t day_of_era = days % 146097;
    uint64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t month_from_march = (5 * day_of_year + 2) / 153;
    uint64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    uint64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    uint64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
    dt_buffer_printf (out, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", (unsigned) year, (unsigned) month,
                      (unsigned) day, (unsigned) (seconds / 3600 % 24),
                      (unsigned) (seconds / 60 % 60), (unsigned) (seconds % 60),
                      (unsigned) (time_ms % 1000));
}

void dtctl_text_size (dt_buffer_t *out, uint64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        dt_buffer_printf (out, "%u B", (unsigned) bytes);
        return;
    }
    double size = (double) bytes / 1024;
    size_t unit = 0;
    while (size >= 1024 && unit < 5) {
        size /= 1024;
        unit++;
    }
    dt_buffer_printf (out, "%.1f %s", size, units[unit]);
}

size_t dtctl_text_width (const void *data, size_t bytes)
{
    const uint8_t *place = data;
    size_t width = 0;
    for (size_t i = 0; i < bytes; i++) {
        width += (place[i] & 0xc0) != 0x80;
    }
    return width;
}

enum { S_WORD_MAX = 63 };

size_t dtctl_text_distance (const char *one, const char *other)
{
    size_t columns = strlen (other);
    if (columns > S_WORD_MAX || strlen (one) > S_WORD_MAX) {
        return S_WORD_MAX;
    }
    size_t row[S_WORD_MAX + 1];
    for (size_t j = 0; j <= columns; j++) {
        row[j] = j;
    }
    for (size_t i = 0; one[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < columns; j++) {
            size_t best = diagonal + (one[i] != other[j]);
            best = row[j] + 1 < best ? row[j] + 1 : best;
            best = row[j + 1] + 1 < best ? row[j + 1] + 1 : best;
            diagonal = row[j + 1];
            row[j + 1] = best;
        }
    }
    return row[columns];
}

const char *dtctl_text_nearest (const char *word, const char *const *candidates)
{
    const char *nearest = NULL;
    // A third of the word may be wrong, one letter of a short one.
    size_t best = strlen (word) / 3 + 2;
    for (size_t i = 0; candidates[i]; i++) {
        size_t distance = dtctl_text_distance (word, candidates[i]);
        if (distance < best && distance < strlen (candidates[i])) {
            best = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}
