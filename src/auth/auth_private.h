/* What auth.c, origin.c and admin_token.c share. Private to this folder. */
#ifndef SL_AUTH_PRIVATE_H
#define SL_AUTH_PRIVATE_H

#include "auth/auth.h"
#include "auth/sha256.h"
#include "base/arena.h"

struct auth_token {
    struct sl_principal principal;
    struct sl_sha256 digest;
};

struct sl_auth {
    struct sl_arena arena; /* of all texts */
    struct sl_principal anonymous;
    struct auth_token tokens[SL_AUTH_TOKENS_MAX];
    size_t token_count;
    struct sl_text hosts[SL_AUTH_NAMES_MAX];
    size_t host_count;
    struct sl_text origins[SL_AUTH_NAMES_MAX];
    size_t origin_count;
};

#endif
