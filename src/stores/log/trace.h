/*
 * The positions of a key through all segments, in either direction: one or two hashes (a stream,
 * the tag that stands for it) walked as one. Owned by the reader; one at a time, since it borrows
 * known->hits.
 */
#ifndef SL_STORES_LOG_TRACE_H
#define SL_STORES_LOG_TRACE_H

#include "stores/log/known.h"

struct sl_log_trace_list {
    uint64_t hash;
    bool wanted;
    const uint64_t *items; /* ascending, of the segment that the trace is in */
    size_t count;
    bool more; /* behind them, in the same segment */
    /* Of each level the group that was asked last, and what it said. */
    struct sl_log_trace_group {
        bool asked;
        unsigned parts; /* sl_log_groups_parts */
        size_t index;
    } groups[SL_LOG_GROUP_LEVELS];
};

struct sl_log_trace {
    struct sl_log_known *known;
    struct sl_log_trace_list lists[2];
    uint64_t from, until; /* what is left */
    bool backwards;
    /* Segments are numbered through: those on the shelf first, then raw ones. */
    size_t segment; /* the one that the trace is in */
    size_t edge;    /* segments from it on, or, backwards, below it, were not looked at yet */
};

/* For positions in [from, until). Events under the hashes only; whoever uses a position compares
 * the event's text. */
void sl_log_trace_begin(struct sl_log_trace *trace, struct sl_log_known *known,
                        const uint64_t *stream_hash, const uint64_t *tag_hash, uint64_t from,
                        uint64_t until, bool backwards);

/* SL_NOT_FOUND: that was all. SL_CORRUPT, SL_IO, SL_NO_MEMORY. */
enum sl_err sl_log_trace_next(struct sl_log_trace *trace, uint64_t *out,
                              struct sl_error *error) SL_USE_RESULT;

#endif
