#include "auth/auth.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/auth_private.h"
#include "auth/sha256.h"

static const struct sl_principal local = {{"local", 5}, {"admin user", 10}};

enum sl_err sl_auth_new(struct sl_auth **out)
{
    struct sl_auth *auth = calloc(1, sizeof *auth);

    if (!auth)
        return SL_NO_MEMORY;
    auth->anonymous.name = SL_TEXT("anonymous");
    auth->anonymous.roles = SL_TEXT("");
    *out = auth;
    return SL_OK;
}

void sl_auth_free(struct sl_auth *auth)
{
    if (!auth)
        return;
    sl_arena_close(&auth->arena);
    free(auth);
}

static bool is_plain(struct sl_text text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((uint8_t)text.ptr[i] <= ' ' || text.ptr[i] == 0x7f)
            return false;
    return text.len > 0 && text.len <= 255;
}

static bool is_separator(char c)
{
    return c == ' ' || c == ',' || c == '\t';
}

bool sl_auth_has_word(struct sl_text words, struct sl_text word)
{
    size_t at = 0;

    while (at < words.len) {
        size_t end = at;
        while (end < words.len && !is_separator(words.ptr[end]))
            end++;
        if (end > at && sl_text_equals((struct sl_text){words.ptr + at, end - at}, word))
            return true;
        at = end + 1;
    }
    return false;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool read_digest(struct sl_text hex, struct sl_sha256 *out)
{
    if (hex.len != 2 * sizeof out->bytes)
        return false;
    for (size_t i = 0; i < sizeof out->bytes; i++) {
        const int high = hex_digit(hex.ptr[2 * i]);
        const int low = hex_digit(hex.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool begins(struct sl_text text, const char *with)
{
    const size_t len = strlen(with);
    return text.len >= len && strncasecmp(text.ptr, with, len) == 0;
}

enum sl_err sl_auth_set_anonymous(struct sl_auth *auth, struct sl_text roles,
                                  struct sl_error *error)
{
    const struct sl_text copy = sl_arena_text(&auth->arena, roles);

    if (!copy.ptr)
        return sl_fail(error, SL_NO_MEMORY, "no memory for roles");
    auth->anonymous.roles = copy;
    return SL_OK;
}

static enum sl_err secret_digest(struct sl_text secret, struct sl_sha256 *out,
                                 struct sl_error *error)
{
    if (begins(secret, "sha256:")) {
        if (read_digest((struct sl_text){secret.ptr + 7, secret.len - 7}, out))
            return SL_OK;
        return sl_fail(error, SL_INVALID, "after sha256: come 64 hex digits");
    }
    if (!is_plain(secret) || secret.len < SL_AUTH_TOKEN_BYTES_MIN)
        return sl_fail(error, SL_INVALID, "a token has %d to 255 characters and no spaces",
                       SL_AUTH_TOKEN_BYTES_MIN);
    *out = sl_sha256(secret);
    return SL_OK;
}

enum sl_err sl_auth_add_token(struct sl_auth *auth, struct sl_text name, struct sl_text roles,
                              struct sl_text secret, struct sl_error *error)
{
    struct auth_token token;
    enum sl_err err = secret_digest(secret, &token.digest, error);

    if (err != SL_OK)
        return err;
    if (!is_plain(name) || name.len > SL_AUTH_NAME_BYTES_MAX)
        return sl_fail(error, SL_INVALID, "a token's name has 1 to %d bytes and no spaces",
                       SL_AUTH_NAME_BYTES_MAX);
    if (sl_text_equals(name, auth->anonymous.name) || sl_text_equals(name, local.name))
        return sl_fail(error, SL_INVALID, "the name %.*s is taken", (int)name.len, name.ptr);
    for (size_t i = 0; i < auth->token_count; i++) {
        if (sl_text_equals(auth->tokens[i].principal.name, name))
            return sl_fail(error, SL_INVALID, "the token %.*s is there twice", (int)name.len,
                           name.ptr);
        if (sl_sha256_equals(&auth->tokens[i].digest, &token.digest))
            return sl_fail(error, SL_INVALID, "%.*s has the secret of another token", (int)name.len,
                           name.ptr);
    }
    if (auth->token_count == SL_AUTH_TOKENS_MAX)
        return sl_fail(error, SL_LIMIT, "at most %d tokens", SL_AUTH_TOKENS_MAX);

    token.principal.name = sl_arena_text(&auth->arena, name);
    token.principal.roles = sl_arena_text(&auth->arena, roles);
    if (!token.principal.name.ptr || !token.principal.roles.ptr)
        return sl_fail(error, SL_NO_MEMORY, "no memory for a token");
    auth->tokens[auth->token_count++] = token;
    return SL_OK;
}

/* ---- Who ----------------------------------------------------------------------------------- */

const struct sl_principal *sl_auth_anonymous(const struct sl_auth *auth)
{
    return &auth->anonymous;
}

const struct sl_principal *sl_auth_local(const struct sl_auth *auth)
{
    (void)auth;
    return &local;
}

const struct sl_principal *sl_auth_token(const struct sl_auth *auth, struct sl_text token)
{
    const struct sl_principal *found = NULL;

    if (token.len == 0 || token.len > SL_AUTH_TOKEN_BYTES_MAX)
        return NULL;
    const struct sl_sha256 digest = sl_sha256(token);
    /* All are compared, also behind a hit: the time tells nothing of the place. */
    for (size_t i = 0; i < auth->token_count; i++)
        if (sl_sha256_equals(&auth->tokens[i].digest, &digest))
            found = &auth->tokens[i].principal;
    return found;
}

const struct sl_principal *sl_auth_bearer(const struct sl_auth *auth, struct sl_text header)
{
    if (header.len == 0)
        return &auth->anonymous;
    if (!begins(header, "bearer "))
        return NULL;
    header = (struct sl_text){header.ptr + 7, header.len - 7};
    while (header.len > 0 && header.ptr[0] == ' ') {
        header.ptr++;
        header.len--;
    }
    return sl_auth_token(auth, header);
}

/* ---- May they ------------------------------------------------------------------------------ */

static bool has_any(struct sl_text had, const char *needed)
{
    const char *at = needed;

    while (*at) {
        const size_t len = strcspn(at, " ,\t");
        if (len > 0 && sl_auth_has_word(had, (struct sl_text){at, len}))
            return true;
        at += len;
        at += *at != '\0';
    }
    return false;
}

enum sl_permission sl_auth_may(const struct sl_principal *principal, const struct sl_deed *deed)
{
    bool good = false;

    if (!principal || principal->roles.len == 0)
        return SL_UNKNOWN_ASKER;
    if (deed->internal)
        return SL_FORBIDDEN;
    if (sl_auth_has_word(principal->roles, SL_TEXT("admin")))
        return SL_PERMITTED;
    switch (deed->action) {
    case SL_DO_COMMAND:
    case SL_DO_READ:
    case SL_DO_READ_LOG:
        good = !deed->roles || has_any(principal->roles, deed->roles);
        break;
    case SL_DO_WATCH:
        good = true;
        break;
    case SL_DO_ADMIN:
        break;
    }
    if (good)
        return SL_PERMITTED;
    return sl_text_equals(principal->name, SL_TEXT("anonymous")) ? SL_UNKNOWN_ASKER : SL_FORBIDDEN;
}

const char *sl_auth_log_roles(const struct sl_domain *domain)
{
    for (size_t i = 0; i < domain->views.count; i++)
        if (domain->views.items[i].roles)
            return "auditor";
    for (size_t i = 0; i < domain->commands.count; i++)
        if (domain->commands.items[i].roles)
            return "auditor";
    return NULL;
}
