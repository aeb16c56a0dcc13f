/*
 * The admin's token: a file that holds it, made at the first start.
 *
 * The file appears whole or not at all: it is written under another name, made durable, and
 * renamed. Its mode is 0600 because the server sets its umask to 077 before it makes anything.
 */
#include "auth/auth_private.h"

#include <stdio.h>
#include <string.h>

enum { RANDOM_BYTES = (SL_AUTH_ADMIN_TOKEN_SIZE - 1) / 2 };

static enum sl_err read_token(struct sl_file *file, const char *path, char *out,
                              struct sl_error *error)
{
    char bytes[SL_AUTH_ADMIN_TOKEN_SIZE + 1];
    size_t len = 0;
    enum sl_err err = sl_file_read(file, 0, bytes, sizeof bytes, &len, error);

    if (err != SL_OK)
        return err;
    while (len > 0 && (bytes[len - 1] == '\n' || bytes[len - 1] == '\r'))
        len--;
    if (len != SL_AUTH_ADMIN_TOKEN_SIZE - 1)
        return sl_fail(error, SL_CORRUPT, "%s holds no token; remove it to have a new one made",
                       path);
    memcpy(out, bytes, len);
    out[len] = '\0';
    return SL_OK;
}

static void make_token(struct sl_env *env, char *out)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[RANDOM_BYTES];

    sl_env_random(env, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[SL_AUTH_ADMIN_TOKEN_SIZE - 1] = '\0';
}

static enum sl_err write_token(struct sl_env *env, const char *path, const char *token,
                               struct sl_error *error)
{
    char temporary[4096];
    char line[SL_AUTH_ADMIN_TOKEN_SIZE + 1];
    struct sl_file *file = NULL;

    if ((size_t)snprintf(temporary, sizeof temporary, "%s.new", path) >= sizeof temporary)
        return sl_fail(error, SL_INVALID, "the path of the data folder is too long");
    snprintf(line, sizeof line, "%s\n", token);
    enum sl_err err = sl_disk_open(env, temporary, SL_OPEN_WRITE | SL_OPEN_CREATE, &file, error);
    if (err == SL_OK)
        err = sl_file_truncate(file, 0, error);
    if (err == SL_OK)
        err = sl_file_write(file, 0, line, strlen(line), error);
    if (err == SL_OK)
        err = sl_file_sync(file, error);
    sl_file_close(file);
    if (err == SL_OK)
        err = sl_disk_rename(env, temporary, path, error);
    if (err != SL_OK)
        return err;

    const char *slash = strrchr(path, '/');
    snprintf(temporary, sizeof temporary, "%.*s", slash ? (int)(slash - path) : 1,
             slash ? path : ".");
    return sl_disk_sync_folder(env, temporary, error);
}

enum sl_err sl_auth_admin_token(struct sl_auth *auth, struct sl_env *env, const char *path,
                                char out[SL_AUTH_ADMIN_TOKEN_SIZE], bool *out_made,
                                struct sl_error *error)
{
    char token[SL_AUTH_ADMIN_TOKEN_SIZE];
    struct sl_file *file = NULL;
    bool made = false;
    enum sl_err err = sl_disk_open(env, path, SL_OPEN_READ, &file, error);

    if (err == SL_OK) {
        err = read_token(file, path, token, error);
        sl_file_close(file);
    } else if (err == SL_NOT_FOUND) {
        make_token(env, token);
        made = true;
        err = write_token(env, path, token, error);
    }
    if (err == SL_OK)
        err = sl_auth_add_token(auth, SL_TEXT("admin"), SL_TEXT("admin user"),
                                (struct sl_text){token, strlen(token)}, error);
    if (err != SL_OK)
        return err;
    memcpy(out, token, sizeof token);
    *out_made = made;
    return SL_OK;
}
