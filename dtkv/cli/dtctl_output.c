#include "dtkv/cli/dtctl_output.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "dtkv/cli/dtctl_text.h"

enum {
    S_COLUMNS_MAX = 32,
    S_FLUSH_BYTES = 64 * 1024,
};

// A cell of the table: where its text lies.
typedef struct {
    size_t at;
    size_t bytes;
    bool right; // numbers stand on the right
} s_cell_t;

struct dtctl_output {
    int fd;
    dtctl_format_t format;
    bool hex;
    bool in_record;
    int error;                        // errno of the first write that failed, 0: none
    dt_buffer_t pending;              // not written yet
    dt_buffer_t text;                 // text of the table's cells
    const char *names[S_COLUMNS_MAX]; // of the table's columns; literals of the commands
    size_t columns;
    s_cell_t *cells; // row by row, S_COLUMNS_MAX to a row
    size_t rows;
    size_t rows_capacity;
    size_t column; // next one to fill
};

dtctl_output_t *dtctl_output_new (int fd, dtctl_format_t format, bool hex)
{
    dtctl_output_t *self = dt_zalloc (1, sizeof *self);
    self->fd = fd;
    self->format = format;
    self->hex = hex;
    return self;
}

dtctl_format_t dtctl_output_format (const dtctl_output_t *self)
{
    return self->format;
}

static void s_write (dtctl_output_t *self)
{
    size_t done = 0;
    while (done < self->pending.bytes && !self->error) {
        ssize_t wrote = write (self->fd, self->pending.data + done, self->pending.bytes - done);
        if (wrote >= 0) {
            done += (size_t) wrote;
        } else if (errno != EINTR) {
            self->error = errno;
        }
    }
    dt_buffer_clear (&self->pending);
}

void dtctl_output_flush (dtctl_output_t *self)
{
    s_write (self);
}

static void s_flush_when_much (dtctl_output_t *self)
{
    if (self->pending.bytes >= S_FLUSH_BYTES) {
        s_write (self);
    }
}

void dtctl_output_simple (dtctl_output_t *self, const char *format, ...)
{
    if (self->format != DTCTL_FORMAT_SIMPLE) {
        return;
    }
    char line[512];
    va_list args;
    va_start (args, format);
    int bytes = vsnprintf (line, sizeof line, format, args);
    va_end (args);
    dt_assert (bytes >= 0 && bytes < (int) sizeof line);
    dt_buffer_append (&self->pending, line, (size_t) bytes);
    s_flush_when_much (self);
}

void dtctl_output_simple_bytes (dtctl_output_t *self, const void *data, size_t bytes)
{
    if (self->format != DTCTL_FORMAT_SIMPLE) {
        return;
    }
    if (self->hex) {
        dtctl_text_hex (&self->pending, data, bytes);
    } else {
        dtctl_text_escape (&self->pending, data, bytes);
    }
    s_flush_when_much (self);
}

void dtctl_output_simple_raw (dtctl_output_t *self, const void *data, size_t bytes)
{
    if (self->format == DTCTL_FORMAT_SIMPLE) {
        dt_buffer_append (&self->pending, data, bytes);
        s_flush_when_much (self);
    }
}

// The table
// ----------------------------------------------------------------------------------------

// Begin the next cell; its text goes to self->text, then s_cell_end.
static s_cell_t *s_cell_begin (dtctl_output_t *self, const char *name, bool right)
{
    dt_assert (self->in_record);
    dt_assert (self->column < S_COLUMNS_MAX);
    if (self->column == self->columns) {
        self->names[self->columns++] = name;
    }
    s_cell_t *cell = &self->cells[self->rows * S_COLUMNS_MAX + self->column++];
    cell->at = self->text.bytes;
    cell->right = right;
    return cell;
}

static void s_cell_end (dtctl_output_t *self, s_cell_t *cell)
{
    cell->bytes = self->text.bytes - cell->at;
}

static void s_row_begin (dtctl_output_t *self)
{
    if (self->rows == self->rows_capacity) {
        self->rows_capacity = self->rows_capacity ? 2 * self->rows_capacity : 16;
        self->cells =
            dt_realloc (self->cells, self->rows_capacity * S_COLUMNS_MAX * sizeof *self->cells);
    }
    for (size_t i = 0; i < S_COLUMNS_MAX; i++) {
        self->cells[self->rows * S_COLUMNS_MAX + i] = (s_cell_t){0};
    }
    self->column = 0;
}

static void s_pad (dt_buffer_t *out, size_t count)
{
    while (count-- > 0) {
        dt_buffer_append (out, " ", 1);
    }
}

static void s_print_cell (dtctl_output_t *self, const void *data, size_t bytes, size_t width,
                          bool right, bool last)
{
    size_t padding = width - dtctl_text_width (data, bytes);
    s_pad (&self->pending, right ? padding : 0);
    dt_buffer_append (&self->pending, data, bytes);
    s_pad (&self->pending, right || last ? 0 : padding);
    dt_buffer_append (&self->pending, last ? "\n" : "  ", last ? 1 : 2);
}

static void s_print_table (dtctl_output_t *self)
{
    size_t widths[S_COLUMNS_MAX];
    for (size_t column = 0; column < self->columns; column++) {
        widths[column] = strlen (self->names[column]);
        for (size_t row = 0; row < self->rows; row++) {
            const s_cell_t *cell = &self->cells[row * S_COLUMNS_MAX + column];
            size_t width =
                cell->bytes ? dtctl_text_width (self->text.data + cell->at, cell->bytes) : 0;
            widths[column] = width > widths[column] ? width : widths[column];
        }
    }
    for (size_t column = 0; column < self->columns; column++) {
        char name[64];
        size_t bytes = 0;
        for (; self->names[column][bytes] && bytes < sizeof name; bytes++) {
            char byte = self->names[column][bytes];
            name[bytes] = byte == '_' ? ' ' : (char) toupper (byte);
        }
        // A column of numbers has its name above its digits.
        s_print_cell (self, name, bytes, widths[column], self->cells[column].right,
                      column + 1 == self->columns);
    }
    for (size_t row = 0; row < self->rows; row++) {
        for (size_t column = 0; column < self->columns; column++) {
            const s_cell_t *cell = &self->cells[row * S_COLUMNS_MAX + column];
            s_print_cell (self, cell->bytes ? (char *) self->text.data + cell->at : "", cell->bytes,
                          widths[column], cell->right, column + 1 == self->columns);
        }
        s_flush_when_much (self);
    }
}

// Records
// ------------------------------------------------------------------------------------------

void dtctl_output_begin (dtctl_output_t *self)
{
    dt_assert (!self->in_record);
    self->in_record = true;
    if (self->format == DTCTL_FORMAT_JSON) {
        dt_buffer_printf (&self->pending, "{\"schema\":1");
    } else if (self->format == DTCTL_FORMAT_TABLE) {
        s_row_begin (self);
    }
}

void dtctl_output_end (dtctl_output_t *self)
{
    dt_assert (self->in_record);
    self->in_record = false;
    if (self->format == DTCTL_FORMAT_JSON) {
        dt_buffer_append (&self->pending, "}\n", 2);
        s_flush_when_much (self);
    } else if (self->format == DTCTL_FORMAT_TABLE) {
        self->rows++;
    }
}

// Begin a JSON field; true if the format is JSON.
static bool s_json (dtctl_output_t *self, const char *name)
{
    if (self->format != DTCTL_FORMAT_JSON) {
        return false;
    }
    dt_assert (self->in_record);
    dt_buffer_append (&self->pending, ",", 1);
    dtctl_text_json (&self->pending, name, strlen (name));
    dt_buffer_append (&self->pending, ":", 1);
    return true;
}

static void s_field (dtctl_output_t *self, const char *name, const char *text, bool right)
{
    if (s_json (self, name)) {
        dt_buffer_append (&self->pending, text, strlen (text));
    } else if (self->format == DTCTL_FORMAT_TABLE) {
        s_cell_t *cell = s_cell_begin (self, name, right);
        dt_buffer_append (&self->text, text, strlen (text));
        s_cell_end (self, cell);
    }
}

void dtctl_output_json_number (dt_buffer_t *out, uint64_t value)
{
    const char *quote = value > 1ull << 53 ? "\"" : "";
    dt_buffer_printf (out, "%s%llu%s", quote, (unsigned long long) value, quote);
}

void dtctl_output_json_bytes (dt_buffer_t *out, const void *data, size_t bytes, bool hex)
{
    dt_buffer_printf (out, hex ? "{\"hex\":\"" : "{\"base64\":\"");
    if (hex) {
        dtctl_text_hex (out, data, bytes);
    } else {
        dtctl_text_base64 (out, data, bytes);
    }
    dt_buffer_append (out, "\"", 1);
    if (dtctl_text_is_utf8 (data, bytes)) {
        dt_buffer_printf (out, ",\"text\":");
        dtctl_text_json (out, data, bytes);
    }
    dt_buffer_append (out, "}", 1);
}

void dtctl_output_number (dtctl_output_t *self, const char *name, uint64_t value)
{
    if (s_json (self, name)) {
        dtctl_output_json_number (&self->pending, value);
    } else {
        char text[32];
        snprintf (text, sizeof text, "%llu", (unsigned long long) value);
        s_field (self, name, text, true);
    }
}

void dtctl_output_signed (dtctl_output_t *self, const char *name, int64_t value)
{
    char text[40];
    bool wide = value > 1ll << 53 || value < -(1ll << 53);
    const char *quote = wide && self->format == DTCTL_FORMAT_JSON ? "\"" : "";
    snprintf (text, sizeof text, "%s%lld%s", quote, (long long) value, quote);
    s_field (self, name, text, true);
}

void dtctl_output_real (dtctl_output_t *self, const char *name, double value)
{
    char text[64];
    snprintf (text, sizeof text, "%.3f", value);
    s_field (self, name, text, true);
}

void dtctl_output_bool (dtctl_output_t *self, const char *name, bool value)
{
    s_field (self, name, value ? "true" : "false", false);
}

void dtctl_output_null (dtctl_output_t *self, const char *name)
{
    s_field (self, name, self->format == DTCTL_FORMAT_JSON ? "null" : "-", false);
}

void dtctl_output_text (dtctl_output_t *self, const char *name, const char *value)
{
    if (s_json (self, name)) {
        dtctl_text_json (&self->pending, value, strlen (value));
    } else {
        s_field (self, name, value, false);
    }
}

void dtctl_output_bytes (dtctl_output_t *self, const char *name, const void *data, size_t bytes)
{
    if (s_json (self, name)) {
        dtctl_output_json_bytes (&self->pending, data, bytes, self->hex);
    } else if (self->format == DTCTL_FORMAT_TABLE) {
        s_cell_t *cell = s_cell_begin (self, name, false);
        if (self->hex) {
            dtctl_text_hex (&self->text, data, bytes);
        } else {
            dtctl_text_escape (&self->text, data, bytes);
        }
        s_cell_end (self, cell);
    }
}

void dtctl_output_time (dtctl_output_t *self, const char *name, uint64_t time_ms)
{
    if (self->format == DTCTL_FORMAT_TABLE) {
        s_cell_t *cell = s_cell_begin (self, name, false);
        dtctl_text_time (&self->text, time_ms);
        s_cell_end (self, cell);
    } else {
        char name_ms[64];
        snprintf (name_ms, sizeof name_ms, "%s_ms", name);
        dtctl_output_number (self, name_ms, time_ms);
    }
}

void dtctl_output_json (dtctl_output_t *self, const char *name, const void *json, size_t bytes)
{
    if (s_json (self, name)) {
        dt_buffer_append (&self->pending, json, bytes);
    } else if (self->format == DTCTL_FORMAT_TABLE) {
        s_cell_t *cell = s_cell_begin (self, name, false);
        dt_buffer_append (&self->text, json, bytes);
        s_cell_end (self, cell);
    }
}

int dtctl_output_destroy (dtctl_output_t **self_p, int *error)
{
    dtctl_output_t *self = *self_p;
    if (!self) {
        return 0;
    }
    *self_p = NULL;
    if (self->format == DTCTL_FORMAT_TABLE && self->rows > 0) {
        s_print_table (self);
    }
    s_write (self);
    int failure = self->error;
    if (failure && error) {
        *error = failure;
    }
    dt_buffer_deinit (&self->pending);
    dt_buffer_deinit (&self->text);
    free (self->cells);
    free (self);
    return failure ? DT_ERR_IO : 0;
}
