#include "dtkv/cli/dtctl_line.h"

#include <stdbool.h>
#include <string.h>

#include "base/dt_error.h"

// Where the reading of a line stands.
typedef struct {
    const char *start;
    const char *place;
    const char *end;
    dt_buffer_t *words;
    const char *problem; // NULL while all is well
} s_reader_t;

static bool s_fail (s_reader_t *self, const char *problem)
{
    self->problem = problem;
    return false;
}

static int s_hex_digit (char byte)
{
    return byte >= '0' && byte <= '9'   ? byte - '0'
           : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10
           : byte >= 'A' && byte <= 'F' ? byte - 'A' + 10
                                        : -1;
}

// Read what follows a backslash.
static bool s_read_escape (s_reader_t *self)
{
    static const char names[] = "\\\"nrt0";
    static const char bytes[] = "\\\"\n\r\t";
    if (self->place == self->end) {
        return s_fail (self, "the line ends inside an escape");
    }
    char name = *self->place++;
    if (name == 'x') {
        int high = self->end - self->place >= 2 ? s_hex_digit (self->place[0]) : -1;
        int low = high >= 0 ? s_hex_digit (self->place[1]) : -1;
        if (low < 0) {
            return s_fail (self, "\\x needs two hexadecimal digits");
        }
        char byte = (char) (high << 4 | low);
        dt_buffer_append (self->words, &byte, 1);
        self->place += 2;
        return true;
    }
    const char *found = name ? strchr (names, name) : NULL;
    if (!found) {
        return s_fail (self, "unknown escape; there are \\\\ \\\" \\n \\r \\t \\0 \\xNN");
    }
    dt_buffer_append (self->words, &bytes[found - names], 1);
    return true;
}

static bool s_read_quoted (s_reader_t *self, char quote)
{
    const char *opened = self->place++;
    while (self->place < self->end && *self->place != quote) {
        char byte = *self->place++;
        if (quote == '"' && byte == '\\') {
            if (!s_read_escape (self)) {
                return false;
            }
        } else {
            dt_buffer_append (self->words, &byte, 1);
        }
    }
    if (self->place == self->end) {
        self->place = opened;
        return s_fail (self, "this quote is never closed");
    }
    self->place++;
    return true;
}

static bool s_is_blank (char byte)
{
    return byte == ' ' || byte == '\t';
}

// Read the next word. False at the end of the line, at a comment, or with a problem.
static bool s_read_word (s_reader_t *self, size_t *at, size_t *bytes)
{
    while (self->place < self->end && s_is_blank (*self->place)) {
        self->place++;
    }
    if (self->place == self->end || *self->place == '#') {
        return false;
    }
    *at = self->words->bytes;
    while (self->place < self->end && !s_is_blank (*self->place)) {
        char byte = *self->place;
        if (byte == '\'' || byte == '"') {
            if (!s_read_quoted (self, byte)) {
                return false;
            }
        } else if (byte == '\\') {
            return s_fail (self, "a backslash must stand inside quotes");
        } else {
            dt_buffer_append (self->words, &byte, 1);
            self->place++;
        }
    }
    *bytes = self->words->bytes - *at;
    return true;
}

static bool s_read_verb (s_reader_t *self, dtctl_line_verb_t *verb)
{
    static const struct {
        const char *name;
        dtctl_line_verb_t verb;
    } verbs[] = {{"put", DTCTL_LINE_PUT}, {"rm", DTCTL_LINE_REMOVE}, {"get", DTCTL_LINE_GET}};
    size_t at;
    size_t bytes;
    if (!s_read_word (self, &at, &bytes)) {
        *verb = DTCTL_LINE_NOTHING;
        return !self->problem;
    }
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (bytes == strlen (verbs[i].name) &&
            memcmp (self->words->data + at, verbs[i].name, bytes) == 0) {
            *verb = verbs[i].verb;
            self->words->bytes = at;
            return true;
        }
    }
    self->place = self->start;
    return s_fail (self, "unknown verb; a line begins with put, rm or get");
}

static bool s_read_line (s_reader_t *self, dtctl_line_t *line)
{
    if (!s_read_verb (self, &line->verb)) {
        return false;
    }
    if (line->verb == DTCTL_LINE_NOTHING) {
        return true;
    }
    if (!s_read_word (self, &line->key_at, &line->key_bytes)) {
        return self->problem ? false : s_fail (self, "the key is missing");
    }
    if (line->verb == DTCTL_LINE_PUT && !s_read_word (self, &line->value_at, &line->value_bytes)) {
        return self->problem ? false : s_fail (self, "the value is missing; an empty one is ''");
    }
    size_t at;
    size_t bytes;
    if (s_read_word (self, &at, &bytes)) {
        return s_fail (self, "there is a word too much; quote what holds a blank");
    }
    return !self->problem;
}

int dtctl_line_parse (const void *data, size_t bytes, dt_buffer_t *words, dtctl_line_t *line,
                      const char **problem, size_t *column)
{
    const char *text = data;
    if (bytes > 0 && text[bytes - 1] == '\n') {
        bytes--;
    }
    if (bytes > 0 && text[bytes - 1] == '\r') {
        bytes--;
    }
    size_t before = words->bytes;
    s_reader_t reader = {text, text, text ? text + bytes : text, words, NULL};
    dtctl_line_t result = {0};
    if (!s_read_line (&reader, &result)) {
        words->bytes = before;
        *problem = reader.problem;
        *column = (size_t) (reader.place - reader.start) + 1;
        return DT_ERR_INVALID;
    }
    *line = result;
    return 0;
}
