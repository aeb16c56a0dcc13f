/* What this folder's files share. Private to it. */
#ifndef SL_SERVER_PARTS_H
#define SL_SERVER_PARTS_H

#include "auth/auth.h"
#include "server/server.h"

#define SERVER_PATH_MAX 1024

/* "folder/name". SL_INVALID: it is too long. */
enum sl_err server_path(char out[SERVER_PATH_MAX], const char *folder, const char *name,
                        struct sl_error *error) SL_USE_RESULT;
/* "127.0.0.1:7070", as one would type it: brackets around IPv6, this machine for "any address". */
void server_address(const char *host, uint16_t port, char *out, size_t size);
/* A taken port, and what to do. */
enum sl_err server_taken(struct sl_error *error, const char *host, uint16_t port,
                         const char *option);
/* Prints the error to stderr and returns its exit code. */
int server_complain(enum sl_err err, const struct sl_error *error);

/* Who may what (rights.c): from the configuration, from DATA/auth.conf, and the admin's token. */
struct server_rights {
    struct sl_env *env;
    const struct sl_config *config;
    char *out_token; /* SL_AUTH_ADMIN_TOKEN_SIZE bytes */
    bool *out_made;
};
/* Only whether what the configuration says of them is right. */
enum sl_err server_check_rights(const struct sl_config *config,
                                struct sl_error *error) SL_USE_RESULT;
enum sl_err server_open_auth(const struct server_rights *rights, struct sl_auth **out,
                             struct sl_error *error) SL_USE_RESULT;

#endif
