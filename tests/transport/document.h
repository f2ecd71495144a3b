// document - reads docs/PROTOCOL.md for the tests that compare it with the code.

#ifndef DOCUMENT_H
#define DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

// The whole document, zero-terminated; free with free ().
char *document_read (void);

// Cut the next line off *text; false at the end. The line ends where the newline was.
bool document_line (char **text, char **line);

// Split a line of a table, "| a | b |", into its cells in place, without blanks around them.
// Returns how many; 0: no line of a table.
int document_cells (char *line, char **cells, int cells_max);

#endif // DOCUMENT_H
