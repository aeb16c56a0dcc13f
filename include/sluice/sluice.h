/*
 * Sluice in your own program: the engine without a network.
 *
 *     struct sl_engine *engine;
 *     struct sl_error error = {0};
 *     const struct sl_options options = { .data = "data", .domains = { domains, 1 } };
 *     if (sl_open(&options, &engine, &error) != SL_OK)
 *         …
 *
 * The engine runs on threads of its own. Every function here may be called from any thread, from
 * several at once, and blocks its caller until the answer is there.
 */
#ifndef SLUICE_SLUICE_H
#define SLUICE_SLUICE_H

#include <sluice/domain.h>

struct sl_engine;

struct sl_options {
    const char *data; /* folder for logs and views; made if it is missing */
    struct sl_domains {
        const struct sl_domain *const *items;
        size_t count;
    } domains;
};

/* An answer. Release it with sl_reply_close. */
struct sl_reply {
    int status;            /* as HTTP would say it: 200, 201, 404, 409, 422, 503, … */
    struct sl_text body;   /* JSON */
    uint64_t position;     /* that the answer depends on or reflects: durable, counted from 0 */
    bool has_position;
    void *memory;
};

/* Opens or makes the logs and views in options->data and recovers them. `*out` is to be closed.
 * Errors: SL_BUSY another process has the folder; SL_CORRUPT, SL_IO, SL_UNSUPPORTED with the file
 * named; SL_INVALID a domain's tables contradict themselves. */
enum sl_err sl_open(const struct sl_options *options, struct sl_engine **out,
                    struct sl_error *error) __attribute__((warn_unused_result));

/* Carries a command out and waits until its outcome is durable. `id` may be empty (one is made);
 * the same id again gets the same outcome. Refusals are replies (422), not errors. */
enum sl_err sl_execute(struct sl_engine *engine, const char *domain, const char *command,
                       struct sl_text json, struct sl_text id, struct sl_reply *out,
                       struct sl_error *error) __attribute__((warn_unused_result));

/* Reads one row, by its key as text, from a view that has applied all below `position`
 * (0: whatever is there now). */
enum sl_err sl_lookup(struct sl_engine *engine, const char *domain, const char *view,
                      struct sl_text key, uint64_t position, struct sl_reply *out,
                      struct sl_error *error) __attribute__((warn_unused_result));

/* Lists rows in the order of an index (NULL: of the key). `equal`: the values of leading fields,
 * joined by commas as in places, that the rows must have ("2026-11-23"), or empty. `after`: the
 * "next" of an earlier reply, or empty. At most 1,000 rows. The body is {"rows": […], "next":
 * …}. */
enum sl_err sl_list(struct sl_engine *engine, const char *domain, const char *view,
                    const char *index, struct sl_text equal, struct sl_text after, uint32_t limit,
                    uint64_t position, struct sl_reply *out, struct sl_error *error)
    __attribute__((warn_unused_result));

void sl_reply_close(struct sl_reply *reply);

/* Finishes what is under way, makes all durable and stops. NULL is allowed. */
void sl_close(struct sl_engine *engine);

/* Runs specifications against a domain, printing one TAP line each to stdout. Returns the number
 * that failed. */
int sl_run_specs(const struct sl_domain *domain, const struct sl_spec *specs, size_t count);

/* "0.1.0" */
const char *sl_version(void);

#endif
