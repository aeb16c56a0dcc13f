/* What the files of this folder share. Private to it. */
#ifndef SL_API_PARTS_H
#define SL_API_PARTS_H

#include "api/api.h"
#include "api/problem.h"
#include "api/route.h"
#include "api/url.h"
#include "api/visit_table.h"

#define API_JSON "application/json"
#define API_ITEMS_MAX 8190
#define API_TIMEOUT_MS_MAX 60000
#define API_ID_BYTES_MAX 256
#define API_TAG_BYTES_MAX 128
#define API_RULES_SEEN_MAX 1024

/* A domain's rule that was seen refusing. */
struct api_seen_rule {
    const struct sl_domain *domain;
    char name[64];
};

struct api_stream;
struct api_pending;
struct api_numbers;
struct api_scans;
struct row_history;
struct row_watch;

struct sl_api {
    struct sl_api_options options;
    struct sl_json_parser *parser;
    struct sl_buf out;     /* the body being written */
    struct sl_buf headers; /* and its headers */
    struct api_stream *streams;
    struct api_pending *pending; /* work that the engine still has, outside of any request */
    struct api_numbers *numbers; /* while somebody watches */
    struct api_follower *paused; /* followers of logs whose peers read slowly */
    struct api_seen_rule *seen;
    size_t seen_count;
    struct sl_buf frame;           /* a message to a RESP subscriber */
    struct row_history *histories; /* row_history.c */
    struct row_watch *paused_rows; /* whose peers read slowly */
    struct api_scans *scans;       /* cursors of SCAN (resp_scan.c); NULL: there was none yet */
    struct sl_own_table routes;    /* of the domains */
    void *visit_spare;             /* where handlers write when memory is out; NULL: no routes */
    int64_t started_ns;
    bool ready;  /* it was seen so (sl_api_is_ready) */
    bool closed; /* the engine is gone */
};

/* ---- A request at work (http.c) ------------------------------------------------------------ */

/* Lives in the request's arena until it was answered: whatever answers is the last that touches it,
 * or anything else in that arena. */
struct api_call {
    struct sl_api *api;
    struct sl_request *request;
    const struct sl_principal *who;
    struct sl_door route;
    enum sl_origin origin;
    struct sl_core_domain *domain;    /* of the route, where it names one */
    const struct sl_command *command; /* likewise */
    struct sl_view_table *view;
    struct sl_own_route *own;              /* likewise */
    void (*cancel)(struct api_call *call); /* the peer is gone: stop waiting. NULL: not waiting */
    void *work;
};

/* Empties the header buffer, puts what every answer has, and returns it for more. */
struct sl_buf *api_headers(struct api_call *call);
/* Answers with the headers as they stand in the buffer. */
void api_send(struct api_call *call, int status, const char *type, struct sl_text body);
/* … a body that is given away, for those that may be large. */
void api_send_buf(struct api_call *call, int status, const char *type, struct sl_buf *body);
/* Answers with the usual headers. */
void api_answer(struct api_call *call, int status, const char *type, struct sl_text body);
/* Answers with a problem document; `rule` is one of Sluice's own, and says the status. */
void api_refuse(struct api_call *call, const char *rule, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same with a position token in the document and the header. */
void api_refuse_at(struct api_call *call, const char *rule, uint64_t position, const char *detail);
/* "Sluice-Position: …\r\n" */
void api_header_position(struct api_call *call, uint64_t position);
/* Memory of the request is out. */
void api_no_memory(struct api_call *call);

/* From now on `cancel` is called when the peer leaves. */
void api_wait(struct api_call *call, void (*cancel)(struct api_call *call), void *work);
void api_waited(struct api_call *call);

/* What a query wants: 0 where it says nothing. False: it was answered. */
bool api_wanted_position(struct api_call *call, uint64_t *out);
/* A position token from elsewhere in the request. False: it was answered. */
bool api_read_position(struct api_call *call, struct sl_text token, uint64_t *out);
bool api_wanted_deadline(struct api_call *call, int64_t *out_ns);
bool api_wants_stream(const struct api_call *call);
bool api_wants_page(const struct api_call *call);
/* Refuses parameters that are not among the names (ended by NULL). False: it was answered. */
bool api_knows_parameters(struct api_call *call, const char *const *names);
/* Is the ETag of this body among If-None-Match? Puts the ETag into the header buffer. */
bool api_etag_matches(struct api_call *call, struct sl_text body);
/* The same where the body's hash is known: sl_hash64 with seed 0. */
bool api_etag_is(struct api_call *call, uint64_t hash);

/* ---- Doors, by file ------------------------------------------------------------------------ */

void api_get_root(struct api_call *call); /* http_index.c */
void api_get_domain(struct api_call *call);
void api_get_health(struct api_call *call);
void api_get_ready(struct api_call *call);
void api_get_page(struct api_call *call); /* http_pages.c */
void api_get_page_moved(struct api_call *call);
void api_get_errors(struct api_call *call); /* http_errors.c */
void api_get_error(struct api_call *call);
void api_post_command(struct api_call *call); /* http_command.c */
void api_get_row(struct api_call *call);      /* http_row.c */
/* http_past.c: the row with the key, as it was at a position or a time */
void api_get_past(struct api_call *call, struct sl_text key, struct sl_text at);
void api_get_list(struct api_call *call);     /* http_list.c */
void api_get_events(struct api_call *call);   /* http_log.c */
void api_get_stream(struct api_call *call);
void api_get_metrics(struct api_call *call); /* metrics.c */
void api_get_openapi(struct api_call *call); /* openapi.c */
void api_get_live(struct api_call *call);    /* numbers.c */
void api_get_status(struct api_call *call);  /* admin.c */
void api_post_shutdown(struct api_call *call);
void api_post_view_retry(struct api_call *call);
void api_post_view_skip(struct api_call *call);
void api_post_view_rebuild(struct api_call *call); /* admin_views.c */
void api_get_view_digest(struct api_call *call);
/* ",\"rebuild\":{…}" where the view was rebuilt since the start, or is now. */
void api_write_rebuild(struct sl_core_domain *domain, size_t place, struct sl_buf *out);
void api_write_rebuild_metrics(struct sl_api *api, struct sl_buf *out);
void api_post_process_retry(struct api_call *call); /* admin_processes.c */
void api_post_process_skip(struct api_call *call);
/* ",\"processes\":[…]" */
void api_write_processes(struct sl_core_domain *domain, struct sl_buf *out);
void api_write_process_metrics(struct sl_core *core, struct sl_buf *out);
/* Answers that an event was skipped, or why that could not be written down (admin.c). */
void api_skipped(struct sl_core_skip *skip, const struct sl_outcome *outcome);

/* A visit to a domain's own route (visit.c). */
void api_visit(struct api_call *call);
/* The request's Idempotency-Key, or an id made for it (http_command.c). False: it was answered. */
bool api_wanted_id(struct api_call *call, struct sl_uuid *out);

/* Of the call's view, once it gave up on an event: a header that says so. */
void api_header_degraded(struct api_call *call); /* http_row.c */
/* Refuses a query that wants what a degraded view will not apply. False: it was answered. */
bool api_can_reach(struct api_call *call, uint64_t wanted);

/* ---- Commands, whichever door they come by (outcome.c) ------------------------------------- */

/* Sets what a repeat must equal to be one, of name, body and who sends it; command and principal of
 * the submission are set. */
void api_digest(const struct sl_core_domain *domain, struct sl_text body,
                struct sl_submission *submission);
/* Appends an outcome as JSON: the accepted form, or a problem. `in_array` adds the status. */
void api_write_outcome(struct sl_core_domain *domain, const struct sl_outcome *outcome,
                       bool in_array, struct sl_buf *out);
/* Appends what a body broke, as a problem. */
void api_write_broken(const struct sl_broken_rule *broken, struct sl_text id, struct sl_buf *out);
/* Remembers which domain refuses by a rule, for the rule's page. */
void api_saw_rule(struct sl_api *api, const struct sl_domain *domain, struct sl_text rule);

/* ---- Streams (stream.c) -------------------------------------------------------------------- */

/* The first member of each kind of stream. */
struct api_stream {
    struct sl_api *api;
    struct sl_stream *stream;
    struct api_stream *next, **link;
    void (*end)(struct api_stream *stream); /* gives all up, calls api_stream_close, frees itself */
};

/* Answers the call with a stream of events. */
void api_stream_open(struct api_stream *stream, struct api_call *call,
                     void (*end)(struct api_stream *stream));
void api_stream_close(struct api_stream *stream);

/* Where a stream of rows is to go on: Last-Event-ID, or `since`. `*out_has`: one of them is given.
 * False: it was answered. */
bool api_wanted_since(struct api_call *call, bool *out_has, uint64_t *out);
/* Follows the row with this key (rows_live.c). `first` is the row as it stands at the position,
 * which is sent; NULL: there is none. */
void api_follow_row(struct api_call *call, struct sl_text key, const struct sl_view_row *first,
                    uint64_t position);
/* Follows all rows that match the query's leading fields; `since`: from there on, or NULL: from now
 * on. */
void api_follow_list(struct api_call *call, const struct sl_list_query *query,
                     const uint64_t *since);

/* Follows events from a position on (log_live.c). */
struct api_log_query {
    enum sl_read_by by; /* POSITION, STREAM or TAG */
    struct sl_text key;
    uint64_t from;
};
void api_follow_log(struct api_call *call, const struct api_log_query *query);
/* Goes on with those whose peers have read; returns when to look again. */
int64_t api_log_turn(struct sl_api *api, int64_t monotonic_ns);

/* Does the stored event belong to what the query asks for? */
bool api_log_query_matches(const struct api_log_query *query, const struct sl_stored_event *event);

/* ---- Work that outlives its request or session --------------------------------------------- */

/* First member; freed when the engine answers, or when the api is freed after the engine has gone.
 */
struct api_pending {
    struct api_pending *next, **link;
    void (*free)(struct api_pending *pending);
};
void api_pending_add(struct sl_api *api, struct api_pending *pending,
                     void (*release)(struct api_pending *pending));
void api_pending_remove(struct api_pending *pending);

/* Forgets the cursors of SCAN (resp_scan.c), and which rows have changed (row_history.c). */
void resp_scans_free(struct sl_api *api);
void api_row_histories_free(struct sl_api *api);
/* Goes on with subscribers whose peers have read; returns when to look again. */
int64_t resp_rows_turn(struct sl_api *api, int64_t monotonic_ns);

/* ---- Numbers (numbers.c) ------------------------------------------------------------------- */

/* Bytes of memory that the process has; 0 where the system does not say. */
uint64_t api_memory_bytes(struct sl_api *api);
/* The duration, in microseconds, below which this share of the durations lies. */
double api_histogram_share(const struct sl_histogram *now, const struct sl_histogram *before,
                           double share);
int64_t api_numbers_turn(struct sl_api *api, int64_t monotonic_ns);

/* ---- Small texts --------------------------------------------------------------------------- */

static inline struct sl_text api_text(const char *string)
{
    return (struct sl_text){string, string ? __builtin_strlen(string) : 0};
}

/* Appends `"name":` … or a quoted text. */
static inline void api_json_string(struct sl_buf *out, const char *string)
{
    sl_json_write_text(out, api_text(string));
}

#endif
