/*
 * What a domain's words on the command line speak to the server with.
 *
 * One thread at a time. Texts handed out live until the next call on the same client.
 */
#ifndef SLUICE_CLIENT_H
#define SLUICE_CLIENT_H

#include <sluice/types.h>

struct sl_client;

struct sl_answer {
    int status;          /* HTTP status; 0 where no answer came and `error` was filled */
    struct sl_text body; /* JSON */
    struct sl_text position; /* the position token, or empty */
};

/* POSTs a command, or an array of them, as JSON. Without an answer (a refused connection, a reset,
 * 503) it tries again with the same id, with growing pauses, until `deadline_s` seconds passed. */
enum sl_err sl_client_post(struct sl_client *client, const char *path, struct sl_text json,
                           struct sl_text id, int deadline_s, struct sl_answer *out,
                           struct sl_error *error) __attribute__((warn_unused_result));

/* GETs a path with its query; `position` is a token to wait for, or empty. Tries again likewise. */
enum sl_err sl_client_get(struct sl_client *client, const char *path, struct sl_text position,
                          int deadline_s, struct sl_answer *out, struct sl_error *error)
    __attribute__((warn_unused_result));

/* Shows progress on stderr: a line that renews itself on a terminal, one line every few seconds
 * elsewhere. `total` 0: unknown. Call it as often as you like. */
void sl_client_progress(struct sl_client *client, const char *what, uint64_t done, uint64_t total);

#endif
