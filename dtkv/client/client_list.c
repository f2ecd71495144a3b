// A cursor over a directory, page by page.

#include <stdlib.h>

#include "base/dt_memory.h"
#include "dtkv/client/dt_client.h"

struct dt_list {
    dt_client_t *client;
    dt_call_options_t options;
    void *path; // copied
    size_t path_bytes;
    uint32_t items_max;
    dt_result_t *page;      // read last
    dt_iterator_t iterator; // in page
    dt_bytes_t after;       // where the next page begins; in page
    bool started;           // a page was read
    bool done;
};

dt_list_t *dt_list_open (dt_client_t *client, dt_bytes_t path, uint32_t page_items_max,
                         const dt_call_options_t *options)
{
    dt_list_t *self = dt_zalloc (1, sizeof *self);
    self->client = client;
    if (options) {
        self->options = *options;
    }
    self->path = dt_malloc (path.bytes);
    if (path.bytes) {
        memcpy (self->path, path.data, path.bytes);
    }
    self->path_bytes = path.bytes;
    self->items_max = page_items_max;
    return self;
}

// Fetch the page after the present one, which stays if that fails.
static int s_fetch (dt_list_t *self)
{
    dt_page_t page = {self->items_max, 0, self->after};
    dt_result_t *result;
    int code = dt_client_list (self->client, dt_bytes (self->path, self->path_bytes), &page,
                               &self->options, &result);
    dt_iterator_t iterator;
    dt_bytes_t after;
    if (code == DT_SUCCESS && !dt_result_list (result, &iterator, &after, NULL)) {
        code = DT_MALFORMED;
    }
    if (code != DT_SUCCESS) {
        dt_result_free (&result);
        return code;
    }
    dt_result_free (&self->page);
    self->page = result;
    self->iterator = iterator;
    self->after = after;
    self->started = true;
    return DT_SUCCESS;
}

int dt_list_next (dt_list_t *self, dt_list_item_t *item)
{
    while (!self->done) {
        if (self->started && dt_list_item_next (&self->iterator, item)) {
            return DT_SUCCESS;
        }
        if (self->started && self->iterator.malformed) {
            return DT_MALFORMED;
        }
        if (self->started && self->after.bytes == 0) {
            self->done = true;
            break;
        }
        int code = s_fetch (self);
        if (code) {
            return code;
        }
    }
    return DT_NOT_FOUND;
}

bool dt_list_done (const dt_list_t *self)
{
    return self->done;
}

const dt_result_t *dt_list_result (const dt_list_t *self)
{
    return self->page;
}

void dt_list_close (dt_list_t **self_p)
{
    dt_list_t *self = *self_p;
    if (self) {
        dt_result_free (&self->page);
        free (self->path);
        free (self);
        *self_p = NULL;
    }
}
