#include "tests/transport/document.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *document_read (void)
{
    FILE *file = fopen (DT_SOURCE_DIR "/docs/PROTOCOL.md", "rb");
    ck_assert_ptr_nonnull (file);
    size_t room = 1 << 20;
    char *text = malloc (room);
    size_t bytes = fread (text, 1, room - 1, file);
    ck_assert_uint_lt (bytes, room - 1);
    ck_assert_uint_gt (bytes, 0);
    text[bytes] = 0;
    fclose (file);
    return text;
}

bool document_line (char **text, char **line)
{
    if (**text == 0) {
        return false;
    }
    *line = *text;
    char *end = strchr (*text, '\n');
    if (end) {
        *end = 0;
        *text = end + 1;
    } else {
        *text += strlen (*text);
    }
    return true;
}

int document_cells (char *line, char **cells, int cells_max)
{
    if (line[0] != '|') {
        return 0;
    }
    int count = 0;
    char *cell = line + 1;
    for (char *bar; (bar = strchr (cell, '|')) && count < cells_max; cell = bar + 1) {
        *bar = 0;
        cell += strspn (cell, " ");
        size_t bytes = strlen (cell);
        while (bytes && cell[bytes - 1] == ' ') {
            cell[--bytes] = 0;
        }
        cells[count++] = cell;
    }
    return count;
}
