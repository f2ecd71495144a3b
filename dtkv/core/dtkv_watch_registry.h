// dtkv_watch_registry - streams, their watches, and who watches a path.
//
// Three hash tables: places (paths that are watched) by path; watches by (stream, number); watches
// by (stream, place). A place lists its watches, so an event finds those it concerns by looking up
// the prefixes of its path. Part of dtkv_watch: nobody else includes it.

#ifndef DTKV_WATCH_REGISTRY_H
#define DTKV_WATCH_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_buffer.h"

typedef struct watch_link watch_link_t;

struct watch_link {
    watch_link_t *next;
    uint64_t hash;
};

typedef struct {
    watch_link_t **buckets; // owned
    uint64_t capacity;      // power of 2, or 0
    uint64_t count;
} watch_table_t;

typedef struct watch watch_t;
typedef struct watch_place watch_place_t;
typedef struct watch_stream watch_stream_t;

struct watch_place {
    watch_link_t link;    // in registry.places
    watch_t *first;       // of the watches on it; never NULL
    uint32_t path_bytes;  //
    uint8_t path[];       //
};

// How far initial state was read.
typedef struct {
    bool begun;         // the watched node itself is done
    dt_buffer_t cursor; // path of the last node sent
} watch_paging_t;

struct watch {
    watch_link_t by_id;           // in registry.ids
    watch_link_t by_place;        // in registry.watches
    watch_stream_t *stream;       //
    watch_place_t *place;         //
    watch_t *place_prev;          // of the place
    watch_t *place_next;          //
    watch_t *stream_prev;         // of the stream
    watch_t *stream_next;         //
    watch_t *special_prev;        // of stream.replaying or stream.paging
    watch_t *special_next;        //
    watch_paging_t *paging;       // owned; NULL: initial state is complete
    uint64_t after;               // entries up to here are not for it
    uint32_t id;                  // chosen by the client
    uint8_t depth;                // 0 the node, 1 its children too, 2 the subtree
    uint8_t filters;              // WATCH_FILTER_*
    bool latest;                  // only the latest change of each node
    bool falls_back;              // state anew when events are lost
    bool replaying;               // in stream.replaying: wants entries the stream is done with
};

enum {
    WATCH_FILTER_NO_PUTS = 1,
    WATCH_FILTER_NO_REMOVES = 2,
    WATCH_FILTER_NO_VALUES = 4,
    WATCH_FILTER_PREVIOUS = 8,
    WATCH_FILTERS_ALL = 15,
};

enum {
    WATCH_PENDING_MAX = 256, // positions a stream keeps
    WATCH_UNACKED_MAX = 256, // pushes of a stream not acknowledged; power of 2
};

struct watch_stream {
    watch_link_t by_id;            // in registry.streams
    uint64_t id;                   //
    uint64_t request_id;           // all replies carry it
    uint8_t *client;               // owned
    size_t client_bytes;           //
    watch_t *first;                // its watches
    uint64_t count;                //
    watch_t *replaying;            // watches that want older entries
    watch_t *paging;               // watches that want initial state
    watch_stream_t *ready_prev;    // there may be something to send
    watch_stream_t *ready_next;    //
    bool ready;                    //
    watch_stream_t *tick_prev;     // all streams, by tick_ms
    watch_stream_t *tick_next;     //
    uint64_t tick_ms;              //
    uint64_t heard_ms;             // the client asked something of it
    uint64_t pushed_ms;            // something was sent
    bool scanning;                 // every event from scan_at on is looked at
    uint64_t scan_at;              // position
    uint64_t scan_index;           // entries up to here were scanned for the replaying ones
    uint64_t seen;                 // entries up to here were sent to all others
    uint64_t *pending;             // owned: positions of events for it, while not scanning
    uint32_t pending_first;        //
    uint32_t pending_count;        //
    dt_buffer_t ended;             // items of watches that ended
    uint32_t ended_count;          //
    dt_buffer_t resyncs;           // items of watches that start anew
    uint32_t resyncs_count;        //
    uint64_t lag_index;            // to be told until these two were sent: all is known up to here
    uint64_t window_bytes;         //
    uint64_t seq;                  // of the last push
    uint64_t acked;                // up to here
    uint64_t sent_bytes;           // of all pushes
    uint64_t acked_bytes;          // of those acknowledged
    uint64_t totals[WATCH_UNACKED_MAX]; // sent_bytes as of each push, by seq
};

typedef struct {
    uint64_t seed;
    watch_table_t places;
    watch_table_t ids;
    watch_table_t watches;
    watch_table_t streams;
    watch_stream_t *ready_first;
    watch_stream_t *ready_last;
    watch_stream_t *tick_first;
    watch_stream_t *tick_last;
} watch_registry_t;

void watch_registry_init (watch_registry_t *self, uint64_t seed);
// All streams must be gone (asserted).
void watch_registry_deinit (watch_registry_t *self);

watch_stream_t *watch_stream_new (watch_registry_t *self, uint64_t id, const void *client,
                                  size_t client_bytes);
watch_stream_t *watch_stream_find (const watch_registry_t *self, uint64_t id);
// Its watches go too.
void watch_stream_destroy (watch_registry_t *self, watch_stream_t **stream_p);

// The stream may have something to send, or has not.
void watch_stream_set_ready (watch_registry_t *self, watch_stream_t *stream, bool ready);
// Look at it again at tick_ms, which is not before that of any other.
void watch_stream_set_tick (watch_registry_t *self, watch_stream_t *stream, uint64_t tick_ms);

// The place of a path; NULL: nobody watches it.
watch_place_t *watch_place_find (const watch_registry_t *self, const uint8_t *path, size_t bytes);

// Add a watch that does not exist, with the values of *like.
watch_t *watch_new (watch_registry_t *self, watch_stream_t *stream, const uint8_t *path,
                    size_t bytes, const watch_t *like);
watch_t *watch_find (const watch_registry_t *self, const watch_stream_t *stream, uint32_t id);
void watch_destroy (watch_registry_t *self, watch_t **watch_p);

// The watches of a stream on a place, one after the other; `from` NULL: the first.
watch_t *watch_on_place (const watch_registry_t *self, const watch_stream_t *stream,
                         const watch_place_t *place, const watch_t *from);

// Enter the list of watches that want older entries, or of those that want initial state.
void watch_set_replaying (watch_t *watch, bool on);
void watch_set_paging (watch_t *watch, bool on);

void watch_registry_check (const watch_registry_t *self);

#endif // DTKV_WATCH_REGISTRY_H
