/*
 * sluice.conf: INI, read by a table of known keys. What is not known is refused, with file, line
 * and what there is, so that a misspelt key is never ignored in silence.
 *
 *     [server]      host port resp_port data connections_max readers queue_max id_window_s
 *                   id_memory_bytes aggregate_memory_bytes timeout_ms tls_certificate tls_key
 *     [http]        head_bytes_max body_bytes_max idle_ms head_ms request_ms send_ms beat_ms
 *                   handshake_ms body_rate_min send_rate_min
 *     [auth]        anonymous hosts origins
 *     [token NAME]  secret roles
 *     [domain NAME] enabled module store segment_bytes index_memory
 *     [views]       store vfs cache_kib memory_bytes
 *
 * aggregate_memory_bytes (256 MiB unless said, for each domain): the states that decide. Beyond it
 * those longest unused are dropped and read again when they are needed: slower, never wrong. States
 * with long histories are kept in DATA/snapshots, which may be deleted at any time.
 *
 * [views] memory_bytes (64 MiB unless said, for each view): the rows in memory. Beyond it those
 * longest unused go, and are fetched from the view's file again.
 *
 * tls_certificate and tls_key, PEM files, are said together or not at all; they are read anew at
 * SIGHUP. What [http] says is described in docs/http.md.
 *
 * Filled at start, constant afterwards.
 */
#ifndef SL_SERVER_CONFIG_H
#define SL_SERVER_CONFIG_H

#include "base/arena.h"
#include "base/env.h"

enum { SL_CONFIG_SECTIONS_MAX = 64, SL_CONFIG_SETTINGS_MAX = 8 };

struct sl_config_setting {
    const char *key;
    const char *value;
};

struct sl_config_token {
    const char *name;
    const char *secret;
    const char *roles;
};

struct sl_config_domain {
    const char *name;
    const char *store;  /* "log" or NULL */
    const char *module; /* path of a shared object, or NULL */
    bool disabled;
    struct sl_config_setting settings[SL_CONFIG_SETTINGS_MAX]; /* for the store */
    size_t setting_count;
};

struct sl_config {
    struct sl_arena arena; /* of all texts */

    const char *host; /* never NULL */
    uint16_t port;
    uint16_t resp_port;
    bool no_resp; /* resp_port = none */
    const char *data;
    uint32_t connections_max;
    uint32_t readers;
    uint32_t queue_max;
    int64_t id_window_s;
    uint64_t id_memory_bytes; /* 0: the engine's own choice */
    uint64_t aggregate_memory_bytes;
    uint64_t view_memory_bytes; /* [views] memory_bytes */
    int64_t timeout_ms;
    const char *tls_certificate; /* both, or both NULL */
    const char *tls_key;

    uint32_t head_bytes_max; /* 0, as below: what is usual */
    uint32_t body_bytes_max;
    uint32_t body_rate_min;
    uint32_t send_rate_min;
    int64_t idle_ms;
    int64_t head_ms;
    int64_t request_ms;
    int64_t send_ms;
    int64_t beat_ms;
    int64_t handshake_ms;

    const char *anonymous; /* "user", "none" or NULL: by host */
    const char *hosts;     /* words, or NULL */
    const char *origins;

    struct sl_config_token tokens[SL_CONFIG_SECTIONS_MAX];
    size_t token_count;
    struct sl_config_domain domains[SL_CONFIG_SECTIONS_MAX];
    size_t domain_count;

    const char *view_store;
    struct sl_config_setting view_settings[SL_CONFIG_SETTINGS_MAX];
    size_t view_setting_count;
};

/* What holds where no file says anything. */
void sl_config_init(struct sl_config *config);
void sl_config_close(struct sl_config *config);

/* Adds what a text says; `name` stands in messages. With `tokens_only`, there may be nothing but
 * [token NAME]. SL_INVALID: "sluice.conf:12: …". */
enum sl_err sl_config_parse(struct sl_config *config, const char *name, struct sl_text text,
                            bool tokens_only, struct sl_error *error) SL_USE_RESULT;

/* Adds what a file says. SL_NOT_FOUND; SL_IO; SL_LIMIT over 1 MiB; else as above. */
enum sl_err sl_config_read(struct sl_config *config, struct sl_env *env, const char *path,
                           bool tokens_only, struct sl_error *error) SL_USE_RESULT;

/* The section of a domain; NULL where there is none. */
const struct sl_config_domain *sl_config_domain(const struct sl_config *config, const char *name);

/* As adapters ask for their settings; the contexts are a sl_config_domain, and a sl_config. */
const char *sl_config_domain_setting(void *context, const char *key);
const char *sl_config_view_setting(void *context, const char *key);

/* May it listen where it shall without anybody having said "--insecure"? On an address that others
 * reach it takes TLS, and nobody may do anything without a token. SL_INVALID says what is missing.
 */
enum sl_err sl_config_check_exposure(const struct sl_config *config,
                                     struct sl_error *error) SL_USE_RESULT;

/* Is the host one that only this machine reaches? */
bool sl_config_is_loopback(const char *host);

#endif
