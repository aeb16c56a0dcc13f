#include "server/config.h"

#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FILE_BYTES_MAX = 1 << 20,
    LINE_BYTES_MAX = 190,
    SECTION_BYTES_MAX = 48, /* inih cuts longer names without a word */
};

/* ---- The table of keys --------------------------------------------------------------------- */

enum kind { WORDS, PORT, PORT_OR_NONE, NUMBER32, NUMBER64, YES_NO, ANONYMOUS, SETTING };

struct key {
    const char *name;
    enum kind kind;
    size_t offset; /* of the member, in the section's struct */
    uint64_t least, most;
};

#define SERVER(member) offsetof(struct sl_config, member)
#define TOKEN(member) offsetof(struct sl_config_token, member)
#define DOMAIN(member) offsetof(struct sl_config_domain, member)

static const struct key server_keys[] = {
    {"host", WORDS, SERVER(host), 0, 0},
    {"port", PORT, SERVER(port), 0, 65535},
    {"resp_port", PORT_OR_NONE, SERVER(resp_port), 0, 65535},
    {"data", WORDS, SERVER(data), 0, 0},
    {"connections_max", NUMBER32, SERVER(connections_max), 1, 1000000},
    {"readers", NUMBER32, SERVER(readers), 1, 16},
    {"queue_max", NUMBER32, SERVER(queue_max), 1, 1 << 24},
    {"id_window_s", NUMBER64, SERVER(id_window_s), 60, 366 * 86400},
    {"id_memory_bytes", NUMBER64, SERVER(id_memory_bytes), 1 << 20, INT64_MAX},
    {"aggregate_memory_bytes", NUMBER64, SERVER(aggregate_memory_bytes), 1 << 20, INT64_MAX},
    {"timeout_ms", NUMBER64, SERVER(timeout_ms), 1, 60000},
    {"tls_certificate", WORDS, SERVER(tls_certificate), 0, 0},
    {"tls_key", WORDS, SERVER(tls_key), 0, 0},
    {NULL, WORDS, 0, 0, 0}};

static const struct key http_keys[] = {
    {"head_bytes_max", NUMBER32, SERVER(head_bytes_max), 1024, 1 << 20},
    {"body_bytes_max", NUMBER32, SERVER(body_bytes_max), 1024, 64 << 20},
    {"idle_ms", NUMBER64, SERVER(idle_ms), 1, 86400000},
    {"head_ms", NUMBER64, SERVER(head_ms), 1, 86400000},
    {"request_ms", NUMBER64, SERVER(request_ms), 1, 86400000},
    {"send_ms", NUMBER64, SERVER(send_ms), 1, 86400000},
    {"beat_ms", NUMBER64, SERVER(beat_ms), 1, 86400000},
    {"handshake_ms", NUMBER64, SERVER(handshake_ms), 1, 86400000},
    {"body_rate_min", NUMBER32, SERVER(body_rate_min), 1, 1 << 30},
    {"send_rate_min", NUMBER32, SERVER(send_rate_min), 1, 1 << 30},
    {NULL, WORDS, 0, 0, 0}};

static const struct key auth_keys[] = {{"anonymous", ANONYMOUS, SERVER(anonymous), 0, 0},
                                       {"hosts", WORDS, SERVER(hosts), 0, 0},
                                       {"origins", WORDS, SERVER(origins), 0, 0},
                                       {NULL, WORDS, 0, 0, 0}};

static const struct key token_keys[] = {{"secret", WORDS, TOKEN(secret), 0, 0},
                                        {"roles", WORDS, TOKEN(roles), 0, 0},
                                        {NULL, WORDS, 0, 0, 0}};

static const struct key domain_keys[] = {{"enabled", YES_NO, DOMAIN(disabled), 0, 0},
                                         {"module", WORDS, DOMAIN(module), 0, 0},
                                         {"store", WORDS, DOMAIN(store), 0, 0},
                                         {"segment_bytes", SETTING, 0, 0, 0},
                                         {"index_memory", SETTING, 0, 0, 0},
                                         {NULL, WORDS, 0, 0, 0}};

static const struct key view_keys[] = {{"store", WORDS, SERVER(view_store), 0, 0},
                                       {"vfs", SETTING, 0, 0, 0},
                                       {"cache_kib", SETTING, 0, 0, 0},
                                       {"memory_bytes", NUMBER64, SERVER(view_memory_bytes),
                                        1 << 20, INT64_MAX},
                                       {NULL, WORDS, 0, 0, 0}};

/* ---- Reading ------------------------------------------------------------------------------- */

struct reading {
    struct sl_config *config;
    bool tokens_only;
    char section[SECTION_BYTES_MAX + 1]; /* the present one, as it stands in the file */
    const struct key *keys;
    void *target; /* its struct */
    struct sl_config_setting *settings;
    size_t *setting_count;
    uint64_t seen; /* keys that stood in the section, by place */
    char message[240];
};

static int fail(struct reading *reading, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Keeps the first message: its line is the one that inih reports. */
static int fail(struct reading *reading, const char *format, ...)
{
    va_list arguments;

    if (reading->message[0])
        return 0;
    va_start(arguments, format);
    vsnprintf(reading->message, sizeof reading->message, format, arguments);
    va_end(arguments);
    return 0;
}

static const char *keep(struct reading *reading, const char *text)
{
    return sl_arena_text(&reading->config->arena, (struct sl_text){text, strlen(text)}).ptr;
}

static void list_keys(const struct key *keys, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (; keys->name && len < size; keys++)
        len += (size_t)snprintf(out + len, size - len, "%s%s", len ? ", " : "", keys->name);
}

static bool read_number(const char *text, uint64_t *out)
{
    uint64_t number = 0;

    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(number, UINT64_C(10), &number) ||
            __builtin_add_overflow(number, (uint64_t)(*text - '0'), &number))
            return false;
    }
    *out = number;
    return true;
}

static int set_number(struct reading *reading, const struct key *key, const char *value)
{
    uint8_t *member = (uint8_t *)reading->target + key->offset;
    uint64_t number = 0;

    if (key->kind == PORT_OR_NONE && strcmp(value, "none") == 0) {
        reading->config->no_resp = true;
        return 1;
    }
    if (!read_number(value, &number) || number < key->least || number > key->most)
        return fail(reading, "%s is a number from %llu to %llu", key->name,
                    (unsigned long long)key->least, (unsigned long long)key->most);
    if (key->kind == NUMBER64) {
        memcpy(member, &number, sizeof number);
    } else if (key->kind == NUMBER32) {
        const uint32_t narrow = (uint32_t)number;
        memcpy(member, &narrow, sizeof narrow);
    } else {
        const uint16_t port = (uint16_t)number;
        memcpy(member, &port, sizeof port);
    }
    return 1;
}

static int set_yes_no(struct reading *reading, const struct key *key, const char *value)
{
    const bool yes = strcmp(value, "yes") == 0;
    /* The struct says the opposite, so that zero means what is usual. */
    const bool disabled = !yes;

    if (!yes && strcmp(value, "no") != 0)
        return fail(reading, "%s is yes or no", key->name);
    memcpy((uint8_t *)reading->target + key->offset, &disabled, sizeof disabled);
    return 1;
}

static int set_text(struct reading *reading, const struct key *key, const char *value)
{
    const char *copy = keep(reading, value);

    if (!copy)
        return fail(reading, "no memory");
    if (!*value)
        return fail(reading, "%s is empty", key->name);
    if (key->kind == ANONYMOUS && strcmp(value, "user") != 0 && strcmp(value, "none") != 0)
        return fail(reading, "anonymous is user or none");
    memcpy((uint8_t *)reading->target + key->offset, &copy, sizeof copy);
    return 1;
}

static int add_setting(struct reading *reading, const struct key *key, const char *value)
{
    const char *copy = keep(reading, value);

    if (!copy || *reading->setting_count == SL_CONFIG_SETTINGS_MAX)
        return fail(reading, "too many settings");
    reading->settings[(*reading->setting_count)++] = (struct sl_config_setting){key->name, copy};
    return 1;
}

static int set(struct reading *reading, const struct key *key, const char *value)
{
    switch (key->kind) {
    case PORT:
    case PORT_OR_NONE:
    case NUMBER32:
    case NUMBER64:
        return set_number(reading, key, value);
    case YES_NO:
        return set_yes_no(reading, key, value);
    case SETTING:
        return add_setting(reading, key, value);
    default:
        return set_text(reading, key, value);
    }
}

/* ---- Sections ------------------------------------------------------------------------------ */

static int begin_token(struct reading *reading, const char *name)
{
    struct sl_config *config = reading->config;

    if (config->token_count == SL_CONFIG_SECTIONS_MAX)
        return fail(reading, "at most %d tokens", SL_CONFIG_SECTIONS_MAX);
    struct sl_config_token *token = &config->tokens[config->token_count++];
    token->name = keep(reading, name);
    token->roles = "user";
    reading->keys = token_keys;
    reading->target = token;
    return token->name ? 1 : fail(reading, "no memory");
}

static int begin_domain(struct reading *reading, const char *name)
{
    struct sl_config *config = reading->config;

    if (sl_config_domain(config, name))
        return fail(reading, "[domain %s] stands twice", name);
    if (config->domain_count == SL_CONFIG_SECTIONS_MAX)
        return fail(reading, "at most %d domains", SL_CONFIG_SECTIONS_MAX);
    struct sl_config_domain *domain = &config->domains[config->domain_count++];
    domain->name = keep(reading, name);
    reading->keys = domain_keys;
    reading->target = domain;
    reading->settings = domain->settings;
    reading->setting_count = &domain->setting_count;
    return domain->name ? 1 : fail(reading, "no memory");
}

static int begin_section(struct reading *reading, const char *section)
{
    struct sl_config *config = reading->config;

    if (strlen(section) > SECTION_BYTES_MAX)
        return fail(reading, "the section's name is too long: %d characters at most",
                    SECTION_BYTES_MAX);
    memcpy(reading->section, section, strlen(section) + 1);
    reading->seen = 0;
    reading->keys = NULL;
    reading->target = config;
    if (strncmp(section, "token ", 6) == 0)
        return begin_token(reading, section + 6);
    if (reading->tokens_only)
        return fail(reading, "here stands nothing but [token NAME]");
    if (strncmp(section, "domain ", 7) == 0)
        return begin_domain(reading, section + 7);
    if (strcmp(section, "server") == 0)
        reading->keys = server_keys;
    else if (strcmp(section, "http") == 0)
        reading->keys = http_keys;
    else if (strcmp(section, "auth") == 0)
        reading->keys = auth_keys;
    else if (strcmp(section, "views") == 0)
        reading->keys = view_keys;
    if (!reading->keys)
        return fail(reading,
                    "no section [%s]; there are: server, http, auth, views, token NAME, "
                    "domain NAME",
                    section);
    reading->settings = config->view_settings;
    reading->setting_count = &config->view_setting_count;
    return 1;
}

/* inih calls it for each "key = value". */
static int take(void *context, const char *section, const char *name, const char *value)
{
    struct reading *reading = context;
    char known[200];

    if (strcmp(section, reading->section) != 0 && !begin_section(reading, section))
        return 0;
    if (!reading->keys) /* of a section that was refused already, or of none */
        return fail(reading, "%s stands outside of any section", name);
    for (size_t i = 0; reading->keys[i].name; i++) {
        if (strcmp(name, reading->keys[i].name) != 0)
            continue;
        if (reading->seen & UINT64_C(1) << i)
            return fail(reading, "%s stands twice in [%s]", name, section);
        reading->seen |= UINT64_C(1) << i;
        return set(reading, &reading->keys[i], value);
    }
    list_keys(reading->keys, known, sizeof known);
    return fail(reading, "[%s] has no key %.40s; it knows: %s", section, name, known);
}

/* ---- Texts and files ----------------------------------------------------------------------- */

/* inih reads lines of at most 200 bytes and would take the rest for another. */
static size_t find_long_line(const char *text)
{
    size_t line = 1;

    for (const char *at = text; *at; line++) {
        const size_t len = strcspn(at, "\n");
        if (len > LINE_BYTES_MAX)
            return line;
        at += len + (at[len] == '\n');
    }
    return 0;
}

static enum sl_err check_sections(const struct sl_config *config, const char *name,
                                  struct sl_error *error)
{
    for (size_t i = 0; i < config->token_count; i++)
        if (!config->tokens[i].secret)
            return sl_fail(error, SL_INVALID, "%s: [token %s] has no secret", name,
                           config->tokens[i].name);
    if (!config->tls_certificate != !config->tls_key)
        return sl_fail(error, SL_INVALID, "%s: [server] has %s, but no %s: TLS takes both", name,
                       config->tls_key ? "tls_key" : "tls_certificate",
                       config->tls_key ? "tls_certificate" : "tls_key");
    return SL_OK;
}

enum sl_err sl_config_parse(struct sl_config *config, const char *name, struct sl_text text,
                            bool tokens_only, struct sl_error *error)
{
    struct reading reading = {.config = config, .tokens_only = tokens_only};
    const char *copy = sl_arena_text(&config->arena, text).ptr;

    if (!copy)
        return sl_fail(error, SL_NO_MEMORY, "no memory for %s", name);
    if (strlen(copy) != text.len)
        return sl_fail(error, SL_INVALID, "%s has zero bytes", name);
    const size_t long_line = find_long_line(copy);
    if (long_line > 0)
        return sl_fail(error, SL_INVALID, "%s:%zu: a line has at most %d bytes", name, long_line,
                       LINE_BYTES_MAX);
    const int line = ini_parse_string(copy, take, &reading);
    if (line < 0)
        return sl_fail(error, SL_NO_MEMORY, "no memory for %s", name);
    if (line > 0)
        return sl_fail(error, SL_INVALID, "%s:%d: %s", name, line,
                       reading.message[0] ? reading.message : "this is no line of an INI file");
    return check_sections(config, name, error);
}

enum sl_err sl_config_read(struct sl_config *config, struct sl_env *env, const char *path,
                           bool tokens_only, struct sl_error *error)
{
    struct sl_file *file = NULL;
    uint64_t size = 0;
    size_t len = 0;
    char *bytes = NULL;
    enum sl_err err = sl_disk_open(env, path, SL_OPEN_READ, &file, error);

    if (err == SL_OK)
        err = sl_file_size(file, &size, error);
    if (err == SL_OK && size > FILE_BYTES_MAX)
        err = sl_fail(error, SL_LIMIT, "%s has more than %d bytes", path, FILE_BYTES_MAX);
    if (err == SL_OK) {
        bytes = malloc((size_t)size + 1);
        err = bytes ? sl_file_read(file, 0, bytes, (size_t)size, &len, error)
                    : sl_fail(error, SL_NO_MEMORY, "no memory for %s", path);
    }
    sl_file_close(file);
    if (err == SL_OK)
        err = sl_config_parse(config, path, (struct sl_text){bytes, len}, tokens_only, error);
    free(bytes);
    return err;
}

/* ---- Asking -------------------------------------------------------------------------------- */

void sl_config_init(struct sl_config *config)
{
    memset(config, 0, sizeof *config);
    config->host = "127.0.0.1";
    config->port = 7070;
    config->resp_port = 7071;
    config->data = "data";
}

void sl_config_close(struct sl_config *config)
{
    sl_arena_close(&config->arena);
}

const struct sl_config_domain *sl_config_domain(const struct sl_config *config, const char *name)
{
    for (size_t i = 0; i < config->domain_count; i++)
        if (strcmp(config->domains[i].name, name) == 0)
            return &config->domains[i];
    return NULL;
}

static const char *find_setting(const struct sl_config_setting *settings, size_t count,
                                const char *key)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(settings[i].key, key) == 0)
            return settings[i].value;
    return NULL;
}

const char *sl_config_domain_setting(void *context, const char *key)
{
    const struct sl_config_domain *domain = context;

    return domain ? find_setting(domain->settings, domain->setting_count, key) : NULL;
}

const char *sl_config_view_setting(void *context, const char *key)
{
    const struct sl_config *config = context;

    return find_setting(config->view_settings, config->view_setting_count, key);
}

enum sl_err sl_config_check_exposure(const struct sl_config *config, struct sl_error *error)
{
    if (sl_config_is_loopback(config->host))
        return SL_OK;
    if (!config->tls_certificate)
        return sl_fail(error, SL_INVALID,
                       "others can reach %s, and tokens would travel in clear. Say tls_certificate "
                       "and tls_key in [server]; or keep 127.0.0.1 behind a proxy with TLS; or "
                       "say --insecure.",
                       config->host);
    if (config->anonymous && strcmp(config->anonymous, "user") == 0)
        return sl_fail(error, SL_INVALID,
                       "others can reach %s, and [auth] anonymous = user lets them act without a "
                       "token. Leave it out and give [token NAME]s; or say --insecure.",
                       config->host);
    return SL_OK;
}

bool sl_config_is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
           strncmp(host, "127.", 4) == 0;
}
