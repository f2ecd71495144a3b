#include "tests/lin/lin_history.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "base/dt_memory.h"

enum { WORDS = 11, FILE_BYTES_MAX = 1 << 30 };

static const char *const s_kinds[] = {"get", "list", "put", "batch", "remove", "cas", NULL};
static const char *const s_modes[] = {"linearizable", "readindex", "stale", "-", NULL};
static const char *const s_outcomes[] = {"ok",       "new",  "over",    "absent",
                                         "mismatch", "none", "unknown", NULL};

void lin_history_init (lin_history_t *self)
{
    memset (self, 0, sizeof *self);
}

void lin_history_deinit (lin_history_t *self)
{
    free (self->ops);
    free (self->items);
    free (self->keys);
    lin_history_init (self);
}

static bool s_name_is_good (const char *name, size_t bytes)
{
    if (bytes == 0 || bytes > LIN_KEY_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        if (name[i] <= ' ' || name[i] > '~' || name[i] == ',' || name[i] == '#') {
            return false;
        }
    }
    return true;
}

uint32_t lin_history_key (lin_history_t *self, const char *name, size_t bytes)
{
    if (!s_name_is_good (name, bytes)) {
        return UINT32_MAX;
    }
    for (uint32_t i = 0; i < self->key_count; i++) {
        if (strlen (self->keys[i]) == bytes && memcmp (self->keys[i], name, bytes) == 0) {
            return i;
        }
    }
    if (self->key_count == LIN_KEYS_MAX) {
        return UINT32_MAX;
    }
    if (!self->keys) {
        self->keys = dt_zalloc (LIN_KEYS_MAX, sizeof *self->keys);
    }
    memcpy (self->keys[self->key_count], name, bytes);
    return self->key_count++;
}

// Which outcomes an operation may have besides ok, none and unknown.
static bool s_outcome_fits (lin_kind_t kind, lin_outcome_t outcome)
{
    switch (outcome) {
    case LIN_NEW:
    case LIN_OVER:
        return kind == LIN_PUT;
    case LIN_ABSENT:
        return kind == LIN_REMOVE;
    case LIN_MISMATCH:
        return kind == LIN_CAS;
    default:
        return true;
    }
}

static const char *s_wrong (const lin_op_t *op, const lin_item_t *items)
{
    bool many = op->kind == LIN_LIST || op->kind == LIN_BATCH;
    if (op->items == 0 || op->items > LIN_ITEMS_MAX || (!many && op->items != 1)) {
        return "number of keys: 1, of list and batch 1 to 64";
    }
    if ((op->mode == LIN_NO_MODE) == lin_op_is_read (op)) {
        return "a read has a mode, a write has none";
    }
    if (op->ret != LIN_NEVER && op->ret < op->call) {
        return "answered before it was called";
    }
    if ((op->ret == LIN_NEVER) != (op->outcome == LIN_UNKNOWN)) {
        return "an answer never comes exactly when the outcome is unknown";
    }
    if (!s_outcome_fits (op->kind, op->outcome)) {
        return "this kind of operation has no such outcome";
    }
    if (op->kind == LIN_CAS && op->expect == 0 && items[0].value == 0) {
        return "a cas expects a value or writes one";
    }
    for (uint32_t i = 0; i < op->items; i++) {
        if ((op->kind == LIN_PUT || op->kind == LIN_BATCH) && items[i].value == 0) {
            return "value 0 means absent and cannot be put";
        }
        for (uint32_t j = 0; j < i; j++) {
            if (items[i].key == items[j].key) {
                return "a key is named twice in one operation";
            }
        }
    }
    return NULL;
}

int lin_history_add (lin_history_t *self, const lin_op_t *op, const lin_item_t *items,
                     const char **why)
{
    *why = s_wrong (op, items);
    if (*why) {
        return DT_ERR_MALFORMED;
    }
    if (self->count == LIN_OPS_MAX) {
        *why = "over 2000000 operations";
        return DT_ERR_TOO_BIG;
    }
    if (self->count == self->ops_capacity) {
        self->ops_capacity = self->ops_capacity ? 2 * self->ops_capacity : 64;
        self->ops = dt_realloc (self->ops, self->ops_capacity * sizeof *self->ops);
    }
    if (self->item_count + op->items > self->items_capacity) {
        self->items_capacity = 2 * (self->items_capacity + op->items);
        self->items = dt_realloc (self->items, self->items_capacity * sizeof *self->items);
    }
    memcpy (self->items + self->item_count, items, op->items * sizeof *items);
    lin_op_t *added = &self->ops[self->count++];
    *added = *op;
    added->item_at = self->item_count;
    self->item_count += op->items;
    return 0;
}

// Parsing ----------------------------------------------------------------------------------------

static bool s_number (const char *word, uint64_t max, uint64_t *number)
{
    uint64_t value = 0;
    if (!*word) {
        return false;
    }
    for (; *word; word++) {
        if (*word < '0' || *word > '9' || value > (max - (uint64_t) (*word - '0')) / 10) {
            return false;
        }
        value = 10 * value + (uint64_t) (*word - '0');
    }
    *number = value;
    return true;
}

// Like s_number; "-" gives what is meant by it.
static bool s_number_or (const char *word, uint64_t instead, uint64_t *number)
{
    if (strcmp (word, "-") == 0) {
        *number = instead;
        return true;
    }
    return s_number (word, LIN_NEVER - 1, number);
}

static bool s_choice (const char *word, const char *const *names, int *number)
{
    for (int i = 0; names[i]; i++) {
        if (strcmp (word, names[i]) == 0) {
            *number = i;
            return true;
        }
    }
    return false;
}

// Split KEYS and VALUES at their commas.
static const char *s_items (lin_history_t *self, char *keys, char *values, lin_item_t *items,
                            uint32_t *count)
{
    bool without = strcmp (values, "-") == 0;
    *count = 0;
    for (;;) {
        if (*count == LIN_ITEMS_MAX) {
            return "over 64 keys";
        }
        size_t key_bytes = strcspn (keys, ",");
        size_t value_bytes = strcspn (values, ",");
        lin_item_t *item = &items[(*count)++];
        item->key = lin_history_key (self, keys, key_bytes);
        if (item->key == UINT32_MAX) {
            return "no good name of a key, or over 1024 keys";
        }
        bool more = keys[key_bytes] != 0;
        bool more_values = values[value_bytes] != 0;
        values[value_bytes] = 0;
        item->value = 0;
        if (!without && (more != more_values || !s_number (values, LIN_NEVER - 1, &item->value))) {
            return "not one number per key";
        }
        if (!more) {
            return NULL;
        }
        keys += key_bytes + 1;
        values += without ? 0 : value_bytes + 1;
    }
}

static const char *s_scalars (char **words, lin_op_t *op)
{
    uint64_t client, node;
    int mode, kind, outcome;
    if (!s_number (words[0], UINT32_MAX, &client) || !s_number (words[1], UINT32_MAX, &node)) {
        return "client and node are numbers of 32 bits";
    }
    if (!s_choice (words[2], s_modes, &mode) || !s_choice (words[3], s_kinds, &kind) ||
        !s_choice (words[9], s_outcomes, &outcome)) {
        return "no such mode, kind or outcome";
    }
    if (!s_number_or (words[6], 0, &op->expect) || !s_number (words[7], LIN_NEVER - 1, &op->call) ||
        !s_number_or (words[8], LIN_NEVER, &op->ret) ||
        !s_number (words[10], LIN_NEVER - 1, &op->index)) {
        return "expect, call, return and index are numbers";
    }
    op->client = (uint32_t) client;
    op->node = (uint32_t) node;
    op->mode = (lin_mode_t) mode;
    op->kind = (lin_kind_t) kind;
    op->outcome = (lin_outcome_t) outcome;
    if ((strcmp (words[6], "-") == 0) == (op->kind == LIN_CAS)) {
        return "a cas expects something, others do not";
    }
    bool valueless = strcmp (words[5], "-") == 0;
    bool resultless = op->outcome == LIN_NONE || op->outcome == LIN_UNKNOWN;
    if (valueless != (op->kind == LIN_REMOVE || (lin_op_is_read (op) && resultless))) {
        return "values: of remove and of reads without a result none, of others all";
    }
    return NULL;
}

static int s_line (lin_history_t *self, char *line, const char **why)
{
    char *words[WORDS + 1];
    int count = 0;
    char *rest = line;
    line[strcspn (line, "#")] = 0;
    for (char *word; count <= WORDS && (word = strtok_r (rest, " \t\r", &rest));) {
        words[count++] = word;
    }
    if (count == 0) {
        return 0;
    }
    *why = count == WORDS ? NULL : "not eleven words";
    lin_op_t op = {0};
    lin_item_t items[LIN_ITEMS_MAX];
    if (!*why) {
        *why = s_scalars (words, &op);
    }
    if (!*why) {
        *why = s_items (self, words[4], words[5], items, &op.items);
    }
    return *why ? DT_ERR_MALFORMED : lin_history_add (self, &op, items, why);
}

int lin_history_parse (lin_history_t *self, const char *text, size_t bytes, size_t *line,
                       const char **why)
{
    char copy[LIN_LINE_BYTES_MAX + 1];
    *line = 0;
    for (size_t at = 0; at < bytes;) {
        const char *end = memchr (text + at, '\n', bytes - at);
        size_t line_bytes = end ? (size_t) (end - (text + at)) : bytes - at;
        ++*line;
        if (line_bytes > LIN_LINE_BYTES_MAX || memchr (text + at, 0, line_bytes)) {
            *why = "a line over 8192 bytes, or with a zero byte";
            return DT_ERR_MALFORMED;
        }
        memcpy (copy, text + at, line_bytes);
        copy[line_bytes] = 0;
        int rc = s_line (self, copy, why);
        if (rc) {
            return rc;
        }
        at += line_bytes + 1;
    }
    *line = 0;
    return lin_history_check_unique (self, why);
}

int lin_history_load (lin_history_t *self, const char *path, size_t *line, const char **why)
{
    *line = 0;
    *why = "cannot be read";
    FILE *file = fopen (path, "rb");
    if (!file) {
        return DT_ERR_IO;
    }
    char *text = NULL;
    size_t bytes = 0, got = 0, capacity = 0;
    do {
        if (bytes == capacity) {
            capacity = capacity ? 2 * capacity : 65536;
            text = dt_realloc (text, capacity);
        }
        got = fread (text + bytes, 1, capacity - bytes, file);
        bytes += got;
    } while (got > 0 && bytes <= FILE_BYTES_MAX);
    int rc = ferror (file) ? DT_ERR_IO : 0;
    fclose (file);
    if (!rc && bytes > FILE_BYTES_MAX) {
        *why = "over 1 GiB";
        rc = DT_ERR_TOO_BIG;
    }
    if (!rc) {
        rc = lin_history_parse (self, text, bytes, line, why);
    }
    free (text);
    return rc;
}

static int s_compare_values (const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;
    return x < y ? -1 : x > y;
}

int lin_history_check_unique (const lin_history_t *self, const char **why)
{
    uint64_t *values = dt_zalloc (self->item_count + 1, sizeof *values);
    size_t count = 0;
    for (size_t i = 0; i < self->count; i++) {
        const lin_op_t *op = &self->ops[i];
        for (uint32_t j = 0; !lin_op_is_read (op) && j < op->items; j++) {
            uint64_t value = self->items[op->item_at + j].value;
            if (value) {
                values[count++] = value;
            }
        }
    }
    qsort (values, count, sizeof *values, s_compare_values);
    int rc = 0;
    for (size_t i = 1; i < count && !rc; i++) {
        if (values[i] == values[i - 1]) {
            *why = "a value is written twice";
            rc = DT_ERR_MALFORMED;
        }
    }
    free (values);
    return rc;
}

// Printing ---------------------------------------------------------------------------------------

void lin_history_print_op (const lin_history_t *self, const lin_op_t *op, FILE *out)
{
    const lin_item_t *items = self->items + op->item_at;
    bool resultless = op->outcome == LIN_NONE || op->outcome == LIN_UNKNOWN;
    fprintf (out, "%u %u %s %s ", op->client, op->node, s_modes[op->mode], s_kinds[op->kind]);
    for (uint32_t i = 0; i < op->items; i++) {
        fprintf (out, "%s%s", i ? "," : "", self->keys[items[i].key]);
    }
    if (op->kind == LIN_REMOVE || (lin_op_is_read (op) && resultless)) {
        fprintf (out, " -");
    } else {
        for (uint32_t i = 0; i < op->items; i++) {
            fprintf (out, "%s%" PRIu64, i ? "," : " ", items[i].value);
        }
    }
    if (op->kind == LIN_CAS) {
        fprintf (out, " %" PRIu64 " %" PRIu64 " ", op->expect, op->call);
    } else {
        fprintf (out, " - %" PRIu64 " ", op->call);
    }
    if (op->ret == LIN_NEVER) {
        fprintf (out, "-");
    } else {
        fprintf (out, "%" PRIu64, op->ret);
    }
    fprintf (out, " %s %" PRIu64 "\n", s_outcomes[op->outcome], op->index);
}

void lin_history_print (const lin_history_t *self, FILE *out)
{
    for (size_t i = 0; i < self->count; i++) {
        lin_history_print_op (self, &self->ops[i], out);
    }
}
