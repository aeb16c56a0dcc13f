/*
 * Who is asking, and what they may do.
 *
 * A principal comes from a bearer token (HTTP `Authorization: Bearer …`, RESP `AUTH`), from the
 * Unix socket (whoever may open the file owns the server: role "admin"), or is nobody in particular
 * ("anonymous"). Tokens are kept as SHA-256 digests and compared in constant time.
 *
 * One function says what is allowed, sl_auth_may, and every door calls it before it does anything
 * for anybody. Host and Origin of HTTP requests are checked even on loopback, so that no page of
 * another site can speak to a server on this machine, neither by a form nor by DNS rebinding.
 *
 * Filled at start, constant afterwards; then any thread may read it.
 */
#ifndef SL_AUTH_AUTH_H
#define SL_AUTH_AUTH_H

#include <sluice/domain.h>

#include "base/env.h"

/* Limits (M1). */
enum {
    SL_AUTH_TOKENS_MAX = 256,
    SL_AUTH_NAMES_MAX = 64, /* hosts, and origins, each */
    SL_AUTH_NAME_BYTES_MAX = 120, /* of a token: the log says who did what */
    SL_AUTH_TOKEN_BYTES_MAX = 512,
    SL_AUTH_TOKEN_BYTES_MIN = 16,  /* shorter ones can be guessed */
    SL_AUTH_ADMIN_TOKEN_SIZE = 49, /* 24 random bytes in hex, terminated */
};

struct sl_auth;

/* Nobody is known yet, and the anonymous principal may nothing. */
enum sl_err sl_auth_new(struct sl_auth **out) SL_USE_RESULT;
void sl_auth_free(struct sl_auth *auth); /* NULL is allowed */

/* ---- Filling it ---------------------------------------------------------------------------- */

/* What the anonymous principal may: words such as "user"; "" for nothing. Copied. SL_NO_MEMORY. */
enum sl_err sl_auth_set_anonymous(struct sl_auth *auth, struct sl_text roles,
                                  struct sl_error *error) SL_USE_RESULT;

/* Makes a token known. `secret` is the token itself, or "sha256:" and 64 hex digits. Texts are
 * copied. SL_INVALID: a secret too short or too long, digits that are none, a name with control
 * characters, a name or secret that is there already; SL_LIMIT. */
enum sl_err sl_auth_add_token(struct sl_auth *auth, struct sl_text name, struct sl_text roles,
                              struct sl_text secret, struct sl_error *error) SL_USE_RESULT;

/* One more name that this server answers to ("shop.example"), besides localhost, 127.0.0.1 and
 * [::1]; without a port. SL_INVALID, SL_LIMIT. */
enum sl_err sl_auth_add_host(struct sl_auth *auth, struct sl_text host,
                             struct sl_error *error) SL_USE_RESULT;

/* A site whose pages may use this server ("https://shop.example"). SL_INVALID, SL_LIMIT. */
enum sl_err sl_auth_add_origin(struct sl_auth *auth, struct sl_text origin,
                               struct sl_error *error) SL_USE_RESULT;

/* Reads the admin's token from the file at `path`; where there is none, makes one (`*out_made`),
 * durably; its mode is what the process's umask leaves of 0666. It is made known under the name
 * "admin". */
enum sl_err sl_auth_admin_token(struct sl_auth *auth, struct sl_env *env, const char *path,
                                char out[SL_AUTH_ADMIN_TOKEN_SIZE], bool *out_made,
                                struct sl_error *error) SL_USE_RESULT;

/* ---- Who ----------------------------------------------------------------------------------- */

/* Principals live as long as `auth`. */
const struct sl_principal *sl_auth_anonymous(const struct sl_auth *auth);
const struct sl_principal *sl_auth_local(const struct sl_auth *auth);
/* NULL: nobody has this token. */
const struct sl_principal *sl_auth_token(const struct sl_auth *auth, struct sl_text token);
/* From the value of an Authorization header: the anonymous one where it is empty; NULL where it is
 * no bearer token, or one that nobody has. */
const struct sl_principal *sl_auth_bearer(const struct sl_auth *auth, struct sl_text header);

/* ---- Where from ---------------------------------------------------------------------------- */

/* Is this, but for its port, a name of this server? */
bool sl_auth_host_is_ours(const struct sl_auth *auth, struct sl_text host);

enum sl_origin {
    SL_ORIGIN_NONE = 1, /* no page sent it */
    SL_ORIGIN_SAME,     /* a page of this server */
    SL_ORIGIN_FRIEND,   /* a configured one: the answer may be shown to it */
    SL_ORIGIN_FOREIGN,  /* refuse */
};
/* Where the page that sent this lives; `tls`: the request came by TLS, and so must the page have
 * (in clear it may have come by TLS, too: to a proxy that ends it). Ports must be the same, of
 * which a scheme's own, 80 or 443, may be left out. */
enum sl_origin sl_auth_origin(const struct sl_auth *auth, struct sl_text origin,
                              struct sl_text host, bool tls);

/* Are there friends at all? Then what an answer says depends on who asks for it. */
bool sl_auth_has_origins(const struct sl_auth *auth);

/* ---- May they ------------------------------------------------------------------------------ */

enum sl_action {
    SL_DO_COMMAND = 1, /* send the command `name` of `domain` */
    SL_DO_READ,        /* read rows of the view `name` */
    SL_DO_READ_LOG,    /* read the domain's events */
    SL_DO_WATCH,       /* numbers about the running server, without anybody's data */
    SL_DO_ADMIN,       /* operations */
};

struct sl_deed {
    enum sl_action action;
    const char *domain;
    const char *name;
    const char
        *roles;    /* the table's: words, one of which is needed; NULL: any principal with a role */
    bool internal; /* a command that only processes send */
};

enum sl_permission {
    SL_PERMITTED = 0,
    SL_UNKNOWN_ASKER = 401, /* say who you are */
    SL_FORBIDDEN = 403,     /* we know who you are */
};

/* The policy. Who has the role "admin" may everything but what is internal; operations need it.
 * Whoever has no role at all may nothing. */
enum sl_permission sl_auth_may(const struct sl_principal *principal, const struct sl_deed *deed);

/* Is the word among the words, which are separated by spaces or commas? */
bool sl_auth_has_word(struct sl_text words, struct sl_text word);

/* The roles that reading a domain's whole log takes: where some view or command of it is not for
 * everybody, its events are not, either. NULL: any. */
const char *sl_auth_log_roles(const struct sl_domain *domain);

#endif
