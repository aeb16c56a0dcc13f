/*
 * The doors: HTTP and RESP, on top of the engine.
 *
 * `api` knows names, rights and forms: it finds who asks and what for, reads bodies by their
 * records, hands commands and queries to the engine, and writes what comes back. It decides nothing
 * about a business and keeps nothing that a restart would miss.
 *
 * Everything here is called on the engine's thread.
 */
#ifndef SL_API_API_H
#define SL_API_API_H

#include "api/asset.h"
#include "auth/auth.h"
#include "engine/engine.h"
#include "net/net.h"

struct sl_api;

struct sl_api_options {
    struct sl_env *env;
    struct sl_core *core;
    struct sl_net *net;
    const struct sl_auth *auth;
    const struct sl_asset *assets; /* the pages, below /ui/; may be none */
    size_t asset_count;
    const char *data;   /* the data folder, for /admin/status */
    int64_t timeout_ms; /* how long a query waits for a position unless it says; 0: 5,000 */
    void (*shutdown)(void *context); /* POST /admin/shutdown was allowed */
    void *context;
};

/* All that the options point at must outlive the api. SL_INVALID: a domain's route contradicts
 * itself or another door. SL_NO_MEMORY. */
enum sl_err sl_api_new(const struct sl_api_options *options, struct sl_api **out,
                       struct sl_error *error) SL_USE_RESULT;

/* Handlers for sl_http_listen and sl_resp_listen; their context is the api. */
void sl_api_http(void *context, struct sl_request *request);
enum sl_resp_result sl_api_resp(void *context, struct sl_resp_command *command);
void sl_api_resp_closed(void *context, struct sl_resp_session *session);

/* Commands are taken and views answer: all logs are recovered, and every view has been opened (it
 * may still be catching up). Once true, it stays true. */
bool sl_api_is_ready(struct sl_api *api);

/* The end of a turn: numbers for whoever watches them. Returns the next deadline on the monotonic
 * clock; INT64_MAX while nobody does. */
int64_t sl_api_turn(struct sl_api *api, int64_t monotonic_ns);

/* Ends all streams, so that connections can close. Queries that wait are answered with 503. */
void sl_api_stop(struct sl_api *api);

/* After sl_core_close and before sl_net_free, which may still call handlers of what is gone: those
 * do nothing any more. */
void sl_api_close(struct sl_api *api);
void sl_api_free(struct sl_api *api); /* NULL is allowed; after sl_net_free */

/* The OpenAPI document of these domains, without a server. */
void sl_api_write_openapi(struct sl_buf *out, const struct sl_domain *const *domains, size_t count);

#endif
