/*
 * Host and Origin.
 *
 * A page of another site can make a browser send requests to 127.0.0.1. Two headers that a page
 * cannot forge tell it: Origin, the site the page came from, and Host, the name that the browser
 * believes to speak to. Without the second check a site could point a name of its own at 127.0.0.1
 * (DNS rebinding) and would be "same origin".
 */
#include "auth/auth_private.h"

#include <string.h>
#include <strings.h>

static bool same_name(struct sl_text a, struct sl_text b)
{
    return a.len == b.len && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

/* "[::1]:7070" → "[::1]", "localhost:7070" → "localhost". Empty where the port is none. */
static struct sl_text without_port(struct sl_text host)
{
    const struct sl_text none = {NULL, 0};
    size_t end = 0;

    if (host.len > 0 && host.ptr[0] == '[') {
        while (end < host.len && host.ptr[end] != ']')
            end++;
        if (end == host.len)
            return none;
        end++;
    } else {
        while (end < host.len && host.ptr[end] != ':')
            end++;
    }
    if (end < host.len && (host.ptr[end] != ':' || end + 1 == host.len || host.len - end > 6))
        return none;
    for (size_t i = end + 1; i < host.len; i++)
        if (host.ptr[i] < '0' || host.ptr[i] > '9')
            return none;
    return (struct sl_text){host.ptr, end};
}

bool sl_auth_host_is_ours(const struct sl_auth *auth, struct sl_text host)
{
    static const struct sl_text always[] = {{"localhost", 9}, {"127.0.0.1", 9}, {"[::1]", 5}};
    const struct sl_text name = without_port(host);

    if (name.len == 0)
        return false;
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        if (same_name(name, always[i]))
            return true;
    for (size_t i = 0; i < auth->host_count; i++)
        if (same_name(name, auth->hosts[i]))
            return true;
    return false;
}

static bool strip(struct sl_text *text, struct sl_text prefix)
{
    if (text->len < prefix.len || strncasecmp(text->ptr, prefix.ptr, prefix.len) != 0)
        return false;
    text->ptr += prefix.len;
    text->len -= prefix.len;
    return true;
}

/* A browser leaves a scheme's own port out of both; others may write it. */
static struct sl_text without_own_port(struct sl_text host, struct sl_text port)
{
    if (host.len > port.len && memcmp(host.ptr + host.len - port.len, port.ptr, port.len) == 0)
        host.len -= port.len;
    return host;
}

/* With TLS a page must have come by TLS, too: whoever can put himself between makes pages of this
 * very name and port in clear, and must not command by them what he cannot by himself. */
enum sl_origin sl_auth_origin(const struct sl_auth *auth, struct sl_text origin,
                              struct sl_text host, bool tls)
{
    struct sl_text site = origin, port = SL_TEXT(":443");

    if (origin.len == 0)
        return SL_ORIGIN_NONE;
    for (size_t i = 0; i < auth->origin_count; i++)
        if (same_name(origin, auth->origins[i]))
            return SL_ORIGIN_FRIEND;
    if (!strip(&site, SL_TEXT("https://"))) {
        if (tls || !strip(&site, SL_TEXT("http://")))
            return SL_ORIGIN_FOREIGN;
        port = SL_TEXT(":80");
    }
    return same_name(without_own_port(site, port), without_own_port(host, port))
               ? SL_ORIGIN_SAME
               : SL_ORIGIN_FOREIGN;
}

bool sl_auth_has_origins(const struct sl_auth *auth)
{
    return auth->origin_count > 0;
}

static bool is_host_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
}

static bool is_host(struct sl_text host)
{
    for (size_t i = 0; i < host.len; i++)
        if (!is_host_byte(host.ptr[i]))
            return false;
    return host.len > 0 && host.len <= 255;
}

static enum sl_err keep(struct sl_auth *auth, struct sl_text *names, size_t *count,
                        struct sl_text name, struct sl_error *error)
{
    if (*count == SL_AUTH_NAMES_MAX)
        return sl_fail(error, SL_LIMIT, "at most %d hosts or origins", SL_AUTH_NAMES_MAX);
    names[*count] = sl_arena_text(&auth->arena, name);
    if (!names[*count].ptr)
        return sl_fail(error, SL_NO_MEMORY, "no memory for a name");
    ++*count;
    return SL_OK;
}

enum sl_err sl_auth_add_host(struct sl_auth *auth, struct sl_text host, struct sl_error *error)
{
    const struct sl_text name = without_port(host);

    if (!is_host(host) || name.len != host.len)
        return sl_fail(error, SL_INVALID, "%.*s is no host name (write it without a port)",
                       (int)host.len, host.ptr);
    return keep(auth, auth->hosts, &auth->host_count, host, error);
}

enum sl_err sl_auth_add_origin(struct sl_auth *auth, struct sl_text origin, struct sl_error *error)
{
    struct sl_text site = origin;

    if ((!strip(&site, SL_TEXT("http://")) && !strip(&site, SL_TEXT("https://"))) || !is_host(site))
        return sl_fail(error, SL_INVALID, "%.*s is no origin (write https://shop.example)",
                       (int)origin.len, origin.ptr);
    return keep(auth, auth->origins, &auth->origin_count, origin, error);
}
