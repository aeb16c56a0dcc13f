#include "auth/auth.h"
#include "auth/sha256.h"

#include <stdio.h>
#include <string.h>

#include "base/env_sim.h"
#include "tap/tap.h"

static struct sl_text text(const char *string)
{
    return (struct sl_text){string, strlen(string)};
}

static void digests(void)
{
    char million[1000];
    static const struct {
        const char *given;
        const char *then;
    } table[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {NULL, "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3"},
    };

    memset(million, 'a', sizeof million);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct sl_text given =
            table[i].given ? text(table[i].given) : (struct sl_text){million, sizeof million};
        const struct sl_sha256 digest = sl_sha256(given);
        char hex[65];
        for (size_t b = 0; b < 32; b++)
            snprintf(hex + 2 * b, 3, "%02x", digest.bytes[b]);
        CHECK_STRING(hex, table[i].then);
    }
}

/* One who may everything that `roles` say. */
static struct sl_principal asker(const char *name, const char *roles)
{
    return (struct sl_principal){text(name), text(roles)};
}

static void policy(void)
{
    static const struct {
        const char *name;
        const char *asker;
        const char *roles;
        struct sl_deed deed;
        enum sl_permission then;
    } table[] = {
        {"anybody with a role may an open command",
         "anonymous",
         "user",
         {SL_DO_COMMAND, .roles = NULL},
         SL_PERMITTED},
        {"nobody may nothing", "anonymous", "", {SL_DO_COMMAND}, SL_UNKNOWN_ASKER},
        {"nobody may not even watch", "anonymous", "", {SL_DO_WATCH}, SL_UNKNOWN_ASKER},
        {"a needed role", "ada", "teller", {SL_DO_COMMAND, .roles = "teller"}, SL_PERMITTED},
        {"one of several",
         "ada",
         "user teller",
         {SL_DO_COMMAND, .roles = "boss, teller"},
         SL_PERMITTED},
        {"a part of a word is not the word",
         "ada",
         "tell",
         {SL_DO_COMMAND, .roles = "teller"},
         SL_FORBIDDEN},
        {"a longer word is not the word",
         "ada",
         "tellers",
         {SL_DO_READ, .roles = "teller"},
         SL_FORBIDDEN},
        {"the anonymous one is asked who he is",
         "anonymous",
         "user",
         {SL_DO_READ, .roles = "teller"},
         SL_UNKNOWN_ASKER},
        {"an admin may read", "root", "admin", {SL_DO_READ, .roles = "doctor"}, SL_PERMITTED},
        {"an admin may operate", "root", "admin", {SL_DO_ADMIN}, SL_PERMITTED},
        {"a user may not operate", "ada", "user", {SL_DO_ADMIN}, SL_FORBIDDEN},
        {"the anonymous one may not operate", "anonymous", "user", {SL_DO_ADMIN}, SL_UNKNOWN_ASKER},
        {"a user may watch", "anonymous", "user", {SL_DO_WATCH}, SL_PERMITTED},
        {"internal commands are for processes",
         "root",
         "admin",
         {SL_DO_COMMAND, .internal = true},
         SL_FORBIDDEN},
        {"the log by role", "eve", "user", {SL_DO_READ_LOG, .roles = "auditor"}, SL_FORBIDDEN},
        {"the open log", "eve", "user", {SL_DO_READ_LOG}, SL_PERMITTED},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct sl_principal who = asker(table[i].asker, table[i].roles);
        if (!CHECK(sl_auth_may(&who, &table[i].deed) == table[i].then))
            tap_note("%s", table[i].name);
    }
    CHECK(sl_auth_may(NULL, &(struct sl_deed){SL_DO_WATCH}) == SL_UNKNOWN_ASKER);
}

static void tokens(void)
{
    struct sl_auth *auth = NULL;
    struct sl_error error = {0};

    REQUIRE(sl_auth_new(&auth) == SL_OK);
    CHECK(sl_auth_add_token(auth, text("ada"), text("teller"), text("a-long-enough-secret"),
                            &error) == SL_OK);
    /* The digest of "abc…nopq" above. */
    CHECK(sl_auth_add_token(
              auth, text("bob"), text("user"),
              text("sha256:248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
              &error) == SL_OK);
    CHECK(sl_auth_add_token(auth, text("ada"), text(""), text("another-long-secret"), &error) ==
          SL_INVALID);
    CHECK(sl_auth_add_token(auth, text("eve"), text(""), text("a-long-enough-secret"), &error) ==
          SL_INVALID);
    CHECK(sl_auth_add_token(auth, text("eve"), text(""), text("short"), &error) == SL_INVALID);
    CHECK(sl_auth_add_token(auth, text("eve"), text(""), text("sha256:12"), &error) == SL_INVALID);
    CHECK(sl_auth_add_token(auth, text("local"), text(""), text("yet-another-secret"), &error) ==
          SL_INVALID);

    const struct sl_principal *who = sl_auth_bearer(auth, text("Bearer a-long-enough-secret"));
    REQUIRE(who != NULL);
    CHECK_TEXT(who->name, "ada");
    CHECK_TEXT(who->roles, "teller");
    who = sl_auth_bearer(auth,
                         text("bearer abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"));
    REQUIRE(who != NULL);
    CHECK_TEXT(who->name, "bob");
    CHECK(sl_auth_bearer(auth, text("Bearer a-long-enough-secreT")) == NULL);
    CHECK(sl_auth_bearer(auth, text("Basic YTpi")) == NULL);
    CHECK(sl_auth_bearer(auth, text("Bearer ")) == NULL);
    who = sl_auth_bearer(auth, text(""));
    REQUIRE(who != NULL);
    CHECK_TEXT(who->name, "anonymous");
    CHECK(sl_auth_may(who, &(struct sl_deed){SL_DO_READ}) == SL_UNKNOWN_ASKER);
    CHECK(sl_auth_set_anonymous(auth, text("user"), &error) == SL_OK);
    CHECK(sl_auth_may(sl_auth_anonymous(auth), &(struct sl_deed){SL_DO_READ}) == SL_PERMITTED);
    CHECK(sl_auth_may(sl_auth_local(auth), &(struct sl_deed){SL_DO_ADMIN}) == SL_PERMITTED);
    sl_auth_free(auth);
}

static void hosts(void)
{
    static const struct {
        const char *host;
        bool then;
    } table[] = {
        {"localhost", true},
        {"localhost:7070", true},
        {"LocalHost:1", true},
        {"127.0.0.1:7070", true},
        {"[::1]:7070", true},
        {"[::1]", true},
        {"shop.example:80", true},
        {"evil.example", false},
        {"localhost.evil.example", false},
        {"127.0.0.1.evil", false},
        {"", false},
        {":7070", false},
        {"localhost:", false},
        {"localhost:70a", false},
        {"localhost:707070", false},
        {"[::1", false},
        {"[::1]x", false},
        {"127.0.0.2", false},
        {"localhost:80:80", false},
    };
    struct sl_auth *auth = NULL;
    struct sl_error error = {0};

    REQUIRE(sl_auth_new(&auth) == SL_OK);
    CHECK(sl_auth_add_host(auth, text("shop.example"), &error) == SL_OK);
    CHECK(sl_auth_add_host(auth, text("shop.example:80"), &error) == SL_INVALID);
    CHECK(sl_auth_add_host(auth, text("shop example"), &error) == SL_INVALID);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!CHECK(sl_auth_host_is_ours(auth, text(table[i].host)) == table[i].then))
            tap_note("%s", table[i].host);
    sl_auth_free(auth);
}

static const struct {
    const char *origin;
    const char *host;
    enum sl_origin clear, tls; /* by which the request came */
} sites[] = {
    {"", "localhost:7070", SL_ORIGIN_NONE, SL_ORIGIN_NONE},
    {"http://localhost:7070", "localhost:7070", SL_ORIGIN_SAME, SL_ORIGIN_FOREIGN},
    {"https://localhost:7070", "localhost:7070", SL_ORIGIN_SAME, SL_ORIGIN_SAME},
    {"HTTPS://LocalHost:7070", "LOCALHOST:7070", SL_ORIGIN_SAME, SL_ORIGIN_SAME},
    {"HTTP://localhost:7070", "localhost:7070", SL_ORIGIN_SAME, SL_ORIGIN_FOREIGN},
    /* ports */
    {"https://localhost:7071", "localhost:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"http://localhost:7071", "localhost:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"https://localhost", "localhost:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"https://localhost:7070", "localhost", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"https://localhost", "localhost", SL_ORIGIN_SAME, SL_ORIGIN_SAME},
    {"https://localhost", "localhost:443", SL_ORIGIN_SAME, SL_ORIGIN_SAME},
    {"https://localhost:443", "localhost", SL_ORIGIN_SAME, SL_ORIGIN_SAME},
    {"https://localhost", "localhost:80", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"http://localhost", "localhost:80", SL_ORIGIN_SAME, SL_ORIGIN_FOREIGN},
    {"http://localhost", "localhost:443", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"https://localhost:", "localhost:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"https://localhost:07070", "localhost:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    /* other names of the same, which are not looked up */
    {"https://localhost.:7070", "localhost:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"https://127.0.0.1:7070", "localhost:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"https://[::1]:7070", "[::1]:7070", SL_ORIGIN_SAME, SL_ORIGIN_SAME},
    {"https://[::1]", "[::1]:443", SL_ORIGIN_SAME, SL_ORIGIN_SAME},
    {"https://[0:0:0:0:0:0:0:1]:7070", "[::1]:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"https://::1:7070", "[::1]:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"https://[::1%25lo]:7070", "[::1]:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    /* what is no origin */
    {"null", "localhost:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"null", "null", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"*", "localhost:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"localhost:7070", "localhost:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"//localhost:7070", "localhost:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"https:localhost:7070", "localhost:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"ftp://localhost:7070", "localhost:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"file://", "localhost:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"https://", "localhost:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"https://localhost:7070/", "localhost:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"https://me@localhost:7070", "localhost:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"https://localhost:7070@evil.example", "localhost:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"https://localhost:7070.evil.example", "localhost:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"https://localhost:7070 https://evil.example", "localhost:7070", SL_ORIGIN_FOREIGN,
     SL_ORIGIN_FOREIGN},
    {"https://localhost:7070, https://evil.example", "localhost:7070", SL_ORIGIN_FOREIGN,
     SL_ORIGIN_FOREIGN},
    {"http://evil.example", "localhost:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    /* named ones: as they were named */
    {"https://app.example", "localhost:7070", SL_ORIGIN_FRIEND, SL_ORIGIN_FRIEND},
    {"https://APP.example", "localhost:7070", SL_ORIGIN_FRIEND, SL_ORIGIN_FRIEND},
    {"http://app.example", "localhost:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"https://app.example:8443", "localhost:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"https://app.example.", "localhost:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"https://an.app.example", "localhost:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"https://app.example.evil.example", "localhost:7070", SL_ORIGIN_FOREIGN, SL_ORIGIN_FOREIGN},
    {"http://old.example", "localhost:7070", SL_ORIGIN_FRIEND, SL_ORIGIN_FRIEND},
};

static void origins(void)
{
    struct sl_auth *auth = NULL;
    struct sl_error error = {0};

    REQUIRE(sl_auth_new(&auth) == SL_OK);
    CHECK(sl_auth_add_origin(auth, text("https://app.example"), &error) == SL_OK);
    CHECK(sl_auth_add_origin(auth, text("http://old.example"), &error) == SL_OK);
    CHECK(sl_auth_add_origin(auth, text("app.example"), &error) == SL_INVALID);
    CHECK(sl_auth_add_origin(auth, text("https://app.example/x"), &error) == SL_INVALID);
    for (size_t i = 0; i < sizeof sites / sizeof *sites; i++) {
        const struct sl_text origin = text(sites[i].origin), host = text(sites[i].host);
        bool good = CHECK(sl_auth_origin(auth, origin, host, false) == sites[i].clear);
        good &= CHECK(sl_auth_origin(auth, origin, host, true) == sites[i].tls);
        if (!good)
            tap_note("%s at %s", sites[i].origin, sites[i].host);
    }
    sl_auth_free(auth);
}

static void admin_token(void)
{
    struct sl_env *env = NULL;
    struct sl_auth *auth = NULL;
    struct sl_error error = {0};
    char first[SL_AUTH_ADMIN_TOKEN_SIZE], second[SL_AUTH_ADMIN_TOKEN_SIZE];
    bool made = false;

    REQUIRE(sl_env_sim_new(1, &env) == SL_OK);
    REQUIRE(sl_auth_new(&auth) == SL_OK);
    REQUIRE(sl_auth_admin_token(auth, env, "admin.token", first, &made, &error) == SL_OK);
    CHECK(made);
    CHECK(sl_auth_token(auth, text(first)) != NULL);
    sl_auth_free(auth);

    /* It outlives a power loss, and is not made anew. */
    sl_sim_power_loss_at(env, 0);
    REQUIRE(sl_auth_new(&auth) == SL_OK);
    REQUIRE(sl_auth_admin_token(auth, env, "admin.token", second, &made, &error) == SL_OK);
    CHECK(!made);
    CHECK_STRING(second, first);
    const struct sl_principal *who = sl_auth_token(auth, text(second));
    REQUIRE(who != NULL);
    CHECK(sl_auth_may(who, &(struct sl_deed){SL_DO_ADMIN}) == SL_PERMITTED);
    sl_auth_free(auth);
    sl_env_free(env);
}

int main(void)
{
    return TAP_RUN({"digests are those of the standard", digests}, {"the policy", policy},
                   {"tokens", tokens}, {"names of this server", hosts},
                   {"sites whose pages may ask", origins}, {"the admin's token", admin_token});
}
