// Lines of a batch file, and the segments and paths that they may hold.

#include <stdint.h>
#include <string.h>

#include "base/dt_assert.h"
#include "dtkv/cli/dtctl_line.h"
#include "dtkv/cli/dtctl_path.h"
#include "dtkv/cli/dtctl_text.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes);

// Quote what was read and read it again: the same bytes must come out.
static void s_check_quoting (const uint8_t *value, size_t bytes)
{
    dt_buffer_t line = {0};
    dt_buffer_t words = {0};
    dtctl_line_t parsed;
    const char *problem;
    size_t column;
    dt_buffer_printf (&line, "put k ");
    dtctl_text_quote (&line, value, bytes);
    int rc = dtctl_line_parse (line.data, line.bytes, &words, &parsed, &problem, &column);
    dt_assert (rc == 0);
    dt_assert (parsed.value_bytes == bytes);
    dt_assert (memcmp (words.data + parsed.value_at, value, bytes) == 0);
    dt_buffer_deinit (&line);
    dt_buffer_deinit (&words);
}

// A segment that decodes is the one segment of its name.
static void s_check_segment (const uint8_t *segment, size_t bytes)
{
    dt_buffer_t name = {0};
    dt_buffer_t again = {0};
    bool is_link;
    if (dtctl_path_decode (&name, segment, bytes, &is_link) == 0) {
        dt_assert (memchr (name.data, '/', name.bytes) == NULL);
        dt_assert (memchr (name.data, 0, name.bytes) == NULL);
        dtctl_path_encode (&again, name.data, name.bytes, is_link);
        dt_assert (again.bytes == bytes);
        dt_assert (memcmp (again.data, segment, bytes) == 0);
    }
    dt_buffer_deinit (&name);
    dt_buffer_deinit (&again);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    dt_buffer_t words = {0};
    dtctl_line_t line;
    const char *problem = NULL;
    size_t column = 0;
    if (dtctl_line_parse (data, bytes, &words, &line, &problem, &column) == 0) {
        dt_assert (line.key_at + line.key_bytes <= words.bytes);
        dt_assert (line.value_at + line.value_bytes <= words.bytes);
        if (line.verb != DTCTL_LINE_NOTHING) {
            const uint8_t *key = words.data + line.key_at;
            dtctl_path_check (key, line.key_bytes, 8192, 128);
            s_check_segment (key, line.key_bytes);
            s_check_quoting (words.data + line.value_at, line.value_bytes);
        }
    } else {
        dt_assert (problem != NULL);
        dt_assert (column >= 1 && column <= bytes + 1);
        dt_assert (words.bytes == 0);
    }
    dt_buffer_deinit (&words);
    return 0;
}
