// document - reads files of docs/ for the tests that compare them with the code.

#ifndef DOCUMENT_H
#define DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

// The whole of docs/NAME, zero-terminated; free with free ().
char *document_read (const char *name);

// Cut the next line off *text; false at the end. The line ends where the newline was.
bool document_line (char **text, char **line);

// Split a line of a table, "| a | b |", into its cells in place, without blanks around them.
// Returns how many; 0: no line of a table.
int document_cells (char *line, char **cells, int cells_max);

typedef struct {
    int number;
    const char *name; // inside the document, or the code's
} document_row_t;

// Find "| number | name |" pairs in the table whose first line has `title` as cell `column`; pairs
// stand in cells (number_column, name_column). Returns how many rows it took.
int document_table (char *text, const char *title, int number_column, int name_column,
                    document_row_t *rows, int rows_max);

// Assert that the rows of a document are those of the code.
void document_compare (const document_row_t *document, int document_count,
                       const document_row_t *code, int code_count);

#endif // DOCUMENT_H
