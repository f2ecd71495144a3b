#include "tests/transport/document.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELLS_MAX 8

char *document_read (const char *name)
{
    char path[512];
    snprintf (path, sizeof path, "%s/docs/%s", DT_SOURCE_DIR, name);
    FILE *file = fopen (path, "rb");
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

int document_table (char *text, const char *title, int number_column, int name_column,
                    document_row_t *rows, int rows_max)
{
    char *line, *cells[CELLS_MAX];
    bool inside = false;
    int count = 0;
    while (document_line (&text, &line)) {
        int cell_count = document_cells (line, cells, CELLS_MAX);
        if (inside && cell_count == 0) {
            break;
        }
        if (!inside) {
            inside = cell_count > name_column && strcmp (cells[name_column], title) == 0;
            continue;
        }
        if (cell_count > name_column && cell_count > number_column && cells[name_column][0] &&
            cells[name_column][0] != '-') {
            ck_assert_int_lt (count, rows_max);
            rows[count].number = atoi (cells[number_column]);
            rows[count++].name = cells[name_column];
        }
    }
    ck_assert_msg (inside, "no table with %s", title);
    return count;
}

void document_compare (const document_row_t *document, int document_count,
                       const document_row_t *code, int code_count)
{
    for (int i = 0; i < code_count && i < document_count; i++) {
        ck_assert_str_eq (document[i].name, code[i].name);
        ck_assert_int_eq (document[i].number, code[i].number);
    }
    ck_assert_int_eq (document_count, code_count);
}
