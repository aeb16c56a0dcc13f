#include <stdio.h>
#include <string.h>

#include "cli/exit_codes.h"
#include "server/parts.h"

/* ---- Small things that the folder shares --------------------------------------------------- */

enum sl_err server_path(char out[SERVER_PATH_MAX], const char *folder, const char *name,
                        struct sl_error *error)
{
    const int len = snprintf(out, SERVER_PATH_MAX, "%s/%s", folder, name);

    if (len < 0 || len >= SERVER_PATH_MAX)
        return sl_fail(error, SL_INVALID, "the path of the data folder is too long");
    return SL_OK;
}

void server_address(const char *host, uint16_t port, char *out, size_t size)
{
    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0)
        host = "127.0.0.1";
    snprintf(out, size, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, (unsigned)port);
}

enum sl_err server_taken(struct sl_error *error, const char *host, uint16_t port,
                         const char *option)
{
    return sl_fail(
        error, SL_BUSY,
        "port %u of %s is taken, perhaps by another sluice; stop that program, or choose "
        "another port: %s %u",
        (unsigned)port, host, option, port < 65000 ? (unsigned)port + 10 : 0u);
}

int server_complain(enum sl_err err, const struct sl_error *error)
{
    fprintf(stderr, "sluice: %s\n", error->message[0] ? error->message : sl_err_name(err));
    switch (err) {
    case SL_BUSY:
        return SL_EXIT_IN_USE;
    case SL_CORRUPT:
        return SL_EXIT_DAMAGED;
    case SL_INVALID:
    case SL_UNSUPPORTED:
        return SL_EXIT_CONFIG;
    default:
        return SL_EXIT_FAILED;
    }
}

/* ---- Who may what -------------------------------------------------------------------------- */

static struct sl_text text(const char *string)
{
    return (struct sl_text){string, strlen(string)};
}

/* Calls `add` for each word. */
static enum sl_err add_words(struct sl_auth *auth, const char *words,
                             enum sl_err (*add)(struct sl_auth *, struct sl_text,
                                                struct sl_error *),
                             struct sl_error *error)
{
    enum sl_err err = SL_OK;

    while (words && *words && err == SL_OK) {
        const size_t len = strcspn(words, " ,\t");
        if (len > 0)
            err = add(auth, (struct sl_text){words, len}, error);
        words += len + (words[len] != '\0');
    }
    return err;
}

static enum sl_err add_tokens(struct sl_auth *auth, const struct sl_config *config,
                              struct sl_error *error)
{
    enum sl_err err = SL_OK;

    for (size_t i = 0; i < config->token_count && err == SL_OK; i++)
        err = sl_auth_add_token(auth, text(config->tokens[i].name), text(config->tokens[i].roles),
                                text(config->tokens[i].secret), error);
    return err;
}

/* Tokens of DATA/auth.conf, which may be missing. */
static enum sl_err add_file(struct sl_auth *auth, const struct server_rights *rights,
                            struct sl_error *error)
{
    struct sl_config file;
    char path[SERVER_PATH_MAX];
    enum sl_err err = server_path(path, rights->config->data, "auth.conf", error);

    if (err != SL_OK)
        return err;
    sl_config_init(&file);
    err = sl_config_read(&file, rights->env, path, true, error);
    if (err == SL_OK)
        err = add_tokens(auth, &file, error);
    else if (err == SL_NOT_FOUND)
        err = SL_OK;
    sl_config_close(&file);
    return err;
}

/* Who says nothing of himself may what a user may, where only this machine can ask. */
static const char *anonymous_roles(const struct sl_config *config)
{
    if (config->anonymous)
        return strcmp(config->anonymous, "user") == 0 ? "user" : "";
    return sl_config_is_loopback(config->host) ? "user" : "";
}

/* What the configuration says of rights. */
static enum sl_err of_config(const struct sl_config *config, struct sl_auth **out,
                             struct sl_error *error)
{
    struct sl_auth *auth = NULL;
    enum sl_err err = sl_auth_new(&auth);

    if (err != SL_OK)
        return sl_fail(error, err, "no memory for rights");
    err = sl_auth_set_anonymous(auth, text(anonymous_roles(config)), error);
    if (err == SL_OK)
        err = add_words(auth, config->hosts, sl_auth_add_host, error);
    if (err == SL_OK)
        err = add_words(auth, config->origins, sl_auth_add_origin, error);
    if (err == SL_OK)
        err = add_tokens(auth, config, error);
    if (err == SL_OK)
        *out = auth;
    else
        sl_auth_free(auth);
    return err;
}

enum sl_err server_check_rights(const struct sl_config *config, struct sl_error *error)
{
    struct sl_auth *auth = NULL;
    const enum sl_err err = of_config(config, &auth, error);

    sl_auth_free(auth);
    return err;
}

enum sl_err server_open_auth(const struct server_rights *rights, struct sl_auth **out,
                             struct sl_error *error)
{
    const struct sl_config *config = rights->config;
    struct sl_auth *auth = NULL;
    char path[SERVER_PATH_MAX];
    enum sl_err err = of_config(config, &auth, error);

    if (err != SL_OK)
        return err;
    err = add_file(auth, rights, error);
    if (err == SL_OK)
        err = server_path(path, config->data, "admin.token", error);
    if (err == SL_OK)
        err = sl_auth_admin_token(auth, rights->env, path, rights->out_token, rights->out_made,
                                  error);
    if (err == SL_OK)
        *out = auth;
    else
        sl_auth_free(auth);
    return err;
}
