#include "server/config.h"

#include <string.h>

#include "base/env_sim.h"
#include "tap/tap.h"

static enum sl_err parse(struct sl_config *config, const char *text, bool tokens_only,
                         struct sl_error *error)
{
    sl_config_init(config);
    return sl_config_parse(config, "sluice.conf", (struct sl_text){text, strlen(text)}, tokens_only,
                           error);
}

static const struct {
    const char *name;
    const char *given;
    bool tokens_only;
    const char *then; /* a part of the message */
} refused[] = {
    {"an unknown key names the known", "[server]\nport = 1\nprot = 2\n", false,
     "sluice.conf:3: [server] has no key prot; it knows: host, port, resp_port"},
    {"an unknown section", "\n[sever]\nport = 1\n", false, "sluice.conf:3: no section [sever]"},
    {"no section", "port = 1\n", false, "sluice.conf:1: "},
    {"a port out of range", "[server]\nport = 70000\n", false,
     "sluice.conf:2: port is a number from 0 to 65535"},
    {"a port that is none", "[server]\nport = http\n", false, "sluice.conf:2: port"},
    {"a negative number", "[server]\nqueue_max = -1\n", false, "sluice.conf:2: queue_max"},
    {"a key twice", "[server]\nport = 1\nport = 2\n", false, "sluice.conf:3: port stands twice"},
    {"nothing said", "[server]\nhost =\n", false, "sluice.conf:2: host is empty"},
    {"a role for nobody", "[auth]\nanonymous = admin\n", false,
     "sluice.conf:2: anonymous is user or none"},
    {"a token without a secret", "[token ada]\nroles = user\n", false, "[token ada] has no secret"},
    {"a domain twice",
     "[domain a]\nstore = log\n[domain b]\nstore = log\n[domain a]\nstore = log\n", false,
     "sluice.conf:6: [domain a] stands twice"},
    {"a key of another section", "[domain a]\nport = 1\n", false,
     "sluice.conf:2: [domain a] has no key port"},
    {"neither yes nor no", "[domain a]\nenabled = maybe\n", false,
     "sluice.conf:2: enabled is yes or no"},
    {"no line of an INI file", "[server]\nport\n", false, "sluice.conf:2: "},
    {"an indented key is not a value's second line", "[server]\nport = 1\n  data = x\n", false,
     "sluice.conf:3: port stands twice"},
    {"a certificate without a key", "[server]\ntls_certificate = a.pem\n", false,
     "sluice.conf: [server] has tls_certificate, but no tls_key"},
    {"a key without a certificate", "[server]\ntls_key = a.pem\n", false,
     "sluice.conf: [server] has tls_key, but no tls_certificate"},
    {"a limit out of range", "[http]\nhead_bytes_max = 1\n", false,
     "sluice.conf:2: head_bytes_max is a number from 1024 to 1048576"},
    {"only tokens", "[server]\nport = 1\n", true, "nothing but [token NAME]"},
    {"the first of two errors", "[server]\nx = 1\ny = 2\n", false, "sluice.conf:2: "},
    {"a long line",
     "[server]\ndata = 0123456789012345678901234567890123456789012345678901234567890123456789"
     "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
     "8901234567890123456789012345678901234567890123456789\n",
     false, "sluice.conf:2: a line has at most"},
};

static void refusals(void)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct sl_config config;
        struct sl_error error = {0};
        bool good =
            CHECK(parse(&config, refused[i].given, refused[i].tokens_only, &error) == SL_INVALID);
        good &= CHECK(strstr(error.message, refused[i].then) != NULL);
        if (!good)
            tap_note("%s: %s", refused[i].name, error.message);
        sl_config_close(&config);
    }
}

static const char everything[] =
    "# comments\n"
    "[server]\nhost = 0.0.0.0 ; behind a proxy\nport = 0\nresp_port = none\n"
    "data = /var/lib/sluice\nconnections_max = 5\nreaders = 3\nqueue_max = 100\n"
    "id_window_s = 3600\nid_memory_bytes = 2097152\n"
    "aggregate_memory_bytes = 1048576\ntimeout_ms = 100\n"
    "tls_certificate = tls/cert.pem\ntls_key = tls/key.pem\n"
    "[http]\nhead_bytes_max = 2048\nbody_bytes_max = 4096\nidle_ms = 1\nrequest_ms = 2\n"
    "send_ms = 3\nbeat_ms = 8\nhandshake_ms = 4\nhead_ms = 5\n"
    "body_rate_min = 6\nsend_rate_min = 7\n"
    "[auth]\nanonymous = none\nhosts = shop.example, www.shop.example\n"
    "origins = https://shop.example\n"
    "[token ada]\nsecret = 0123456789abcdef0123\nroles = teller auditor\n"
    "[token bob]\nsecret = 0123456789abcdef0124\n"
    "[domain bank]\nstore = log\nsegment_bytes = 1048576\n"
    "[domain desks]\nmodule = ./desks.so\n"
    "[domain shop]\nenabled = no\n"
    "[views]\nstore = sqlite\ncache_kib = 512\nmemory_bytes = 4194304\n";

static void all_of_it(void)
{
    struct sl_config config;
    struct sl_error error = {0};

    if (!CHECK(parse(&config, everything, false, &error) == SL_OK))
        tap_note("%s", error.message);
    CHECK_STRING(config.host, "0.0.0.0");
    CHECK_U64(config.port, 0);
    CHECK(config.no_resp);
    CHECK_STRING(config.data, "/var/lib/sluice");
    CHECK_U64(config.connections_max, 5);
    CHECK_U64(config.readers, 3);
    CHECK_U64(config.queue_max, 100);
    CHECK_U64(config.id_window_s, 3600);
    CHECK_U64(config.id_memory_bytes, 2097152);
    CHECK_U64(config.aggregate_memory_bytes, 1048576);
    CHECK_U64(config.view_memory_bytes, 4194304);
    CHECK_U64(config.timeout_ms, 100);
    CHECK_STRING(config.tls_certificate, "tls/cert.pem");
    CHECK_STRING(config.tls_key, "tls/key.pem");
    CHECK_U64(config.head_bytes_max, 2048);
    CHECK_U64(config.body_bytes_max, 4096);
    CHECK(config.idle_ms == 1);
    CHECK(config.request_ms == 2);
    CHECK(config.send_ms == 3);
    CHECK(config.beat_ms == 8);
    CHECK(config.handshake_ms == 4);
    CHECK(config.head_ms == 5);
    CHECK_U64(config.body_rate_min, 6);
    CHECK_U64(config.send_rate_min, 7);
    CHECK_STRING(config.anonymous, "none");
    CHECK_STRING(config.hosts, "shop.example, www.shop.example");
    CHECK_STRING(config.origins, "https://shop.example");
    CHECK_U64(config.token_count, 2);
    CHECK_STRING(config.tokens[0].roles, "teller auditor");
    CHECK_STRING(config.tokens[1].roles, "user");
    const struct sl_config_domain *bank = sl_config_domain(&config, "bank");
    CHECK(bank && strcmp(bank->store, "log") == 0 && !bank->disabled);
    CHECK(bank && bank->setting_count == 1 &&
          strcmp(sl_config_domain_setting(&config.domains[0], "segment_bytes"), "1048576") == 0);
    CHECK(sl_config_domain_setting(NULL, "segment_bytes") == NULL);
    const struct sl_config_domain *desks = sl_config_domain(&config, "desks");
    CHECK(desks && strcmp(desks->module, "./desks.so") == 0 && desks->setting_count == 0);
    const struct sl_config_domain *shop = sl_config_domain(&config, "shop");
    CHECK(shop && shop->disabled);
    CHECK(sl_config_domain(&config, "clinic") == NULL);
    CHECK_STRING(sl_config_view_setting(&config, "cache_kib"), "512");
    CHECK(sl_config_view_setting(&config, "vfs") == NULL);
    sl_config_close(&config);
}

static void defaults(void)
{
    struct sl_config config;
    struct sl_error error = {0};

    CHECK(parse(&config, "", false, &error) == SL_OK);
    CHECK_STRING(config.host, "127.0.0.1");
    CHECK_U64(config.port, 7070);
    CHECK_U64(config.resp_port, 7071);
    CHECK(!config.no_resp);
    CHECK_STRING(config.data, "data");
    CHECK(config.anonymous == NULL);
    sl_config_close(&config);
}

static void files(void)
{
    struct sl_env *env = NULL;
    struct sl_config config;
    struct sl_error error = {0};
    struct sl_file *file = NULL;

    REQUIRE(sl_env_sim_new(1, &env) == SL_OK);
    sl_config_init(&config);
    CHECK(sl_config_read(&config, env, "sluice.conf", false, &error) == SL_NOT_FOUND);
    REQUIRE(sl_disk_open(env, "sluice.conf", SL_OPEN_WRITE | SL_OPEN_CREATE, &file, &error) ==
            SL_OK);
    CHECK(sl_file_write(file, 0, "[server]\nport = 9\n", 18, &error) == SL_OK);
    sl_file_close(file);
    CHECK(sl_config_read(&config, env, "sluice.conf", false, &error) == SL_OK);
    CHECK_U64(config.port, 9);
    sl_config_close(&config);
    sl_env_free(env);
}

static void exposure(void)
{
    static const struct {
        const char *name;
        const char *given;
        const char *then; /* a part of the message; NULL: it may */
    } table[] = {
        {"this machine alone", "", NULL},
        {"this machine alone, anybody", "[auth]\nanonymous = user\n", NULL},
        {"others, in clear", "[server]\nhost = 0.0.0.0\n", "tokens would travel in clear"},
        {"others, in clear, with tokens",
         "[server]\nhost = 0.0.0.0\n[token a]\nsecret = 0123456789abcdef0123\n",
         "tokens would travel in clear"},
        {"others, by TLS, without tokens",
         "[server]\nhost = ::\ntls_certificate = a\ntls_key = b\n[auth]\nanonymous = user\n",
         "act without a token"},
        {"others, by TLS", "[server]\nhost = 0.0.0.0\ntls_certificate = a\ntls_key = b\n", NULL},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct sl_config config;
        struct sl_error error = {0};
        REQUIRE(parse(&config, table[i].given, false, &error) == SL_OK);
        const enum sl_err err = sl_config_check_exposure(&config, &error);
        if (!CHECK(err == (table[i].then ? SL_INVALID : SL_OK)) ||
            !CHECK(!table[i].then || strstr(error.message, table[i].then)))
            tap_note("%s: %s", table[i].name, error.message);
        sl_config_close(&config);
    }
}

static void loopback(void)
{
    CHECK(sl_config_is_loopback("127.0.0.1"));
    CHECK(sl_config_is_loopback("localhost"));
    CHECK(sl_config_is_loopback("::1"));
    CHECK(!sl_config_is_loopback("0.0.0.0"));
    CHECK(!sl_config_is_loopback("192.168.1.1"));
    CHECK(!sl_config_is_loopback("::"));
}

int main(void)
{
    return TAP_RUN({"what is wrong is said with its line", refusals}, {"every key", all_of_it},
                   {"nothing said", defaults}, {"files", files}, {"who may listen where", exposure},
                   {"addresses of this machine", loopback});
}
