/*
 * The head of an HTTP/1.1 request.
 *
 *     [CRLF] method SP target SP "HTTP/1.1" CRLF *( name ":" OWS value OWS CRLF ) CRLF
 *
 * One empty line before it is allowed (RFC 9112, 2.2). For the rest, what the grammar does not
 * produce is refused, above all where parsers are known to disagree:
 *
 *  - lines end with CRLF: a bare LF, a CR elsewhere, NUL and other controls are errors;
 *  - one space between the parts of the request line, no white space before a colon or at the start
 *    of a line (so no folded lines);
 *  - Content-Length is digits, once; Transfer-Encoding is "chunked", once, never in HTTP/1.0; never
 *    both of them;
 *  - Host stands there exactly once (HTTP/1.0 may leave it out), and looks like one;
 *  - the target is an absolute path, an http or https URI without user part (whose authority must
 *    then be Host), or "*" for OPTIONS. %XX must be well-formed.
 *
 * One leniency, which cannot move the end of a request: the query may hold []{}|\^` as browsers
 * send them there (the URL standard does not escape them, RFC 3986 does).
 *
 * The parser restarts from the first byte each time; its caller calls it only when a new line break
 * has arrived, so that at most SL_HTTP_HEADERS_MAX + 2 passes are made.
 */
#include "net/http_head.h"

#include <string.h>
#include <strings.h>

enum {
    TOKEN = 1, /* RFC 9110, 5.6.2 */
    VALUE = 2, /* of a header: HTAB, SP, visible, obs-text */
    PATH = 4,  /* pchar, "/", "%" */
    QUERY = 8, /* pchar, "/", "?", "%", and what browsers send */
    HOST = 16, /* reg-name, IP literal, port */
    HEX = 32,
};

/* clang-format off */
static const uint8_t kinds[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    2, 31, 2, 3, 31, 31, 31, 31, 30, 30, 31, 31, 30, 31, 31, 14,
    63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 30, 30, 2, 30, 2, 10,
    14, 63, 63, 63, 63, 63, 63, 31, 31, 31, 31, 31, 31, 31, 31, 31,
    31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 26, 10, 26, 11, 31,
    11, 63, 63, 63, 63, 63, 63, 31, 31, 31, 31, 31, 31, 31, 31, 31,
    31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 10, 11, 10, 31, 0,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
};
/* clang-format on */

struct scan {
    char *next;
    char *end;
    struct sl_http_head *head;
    uint32_t hosts;
    bool saw_length, saw_coding, close, keep;
};

static bool is(char c, unsigned kind)
{
    return kinds[(uint8_t)c] & kind;
}

static enum sl_head_verdict bad(struct scan *scan, int status, const char *rule, const char *detail)
{
    scan->head->fault = (struct sl_http_fault){status, rule, detail};
    return SL_HEAD_BAD;
}

/* The bytes of a kind from here on. */
static struct sl_text run_of(struct scan *scan, unsigned kind)
{
    char *first = scan->next;

    while (scan->next < scan->end && is(*scan->next, kind))
        scan->next++;
    return (struct sl_text){first, (size_t)(scan->next - first)};
}

/* CRLF, a part of it at the end of the bytes, or something else. */
static enum sl_head_verdict line_end(struct scan *scan)
{
    if (scan->next == scan->end)
        return SL_HEAD_MORE;
    if (*scan->next == '\n')
        return bad(scan, 400, "bare_line_feed", "a line ends with LF alone instead of CRLF");
    if (*scan->next != '\r')
        return bad(scan, 400, "invalid_character", "a character that is not allowed here");
    if (scan->next + 1 == scan->end)
        return SL_HEAD_MORE;
    if (scan->next[1] != '\n')
        return bad(scan, 400, "bare_carriage_return", "CR without LF");
    scan->next += 2;
    return SL_HEAD_WHOLE;
}

static bool escapes_good(struct sl_text text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '%' &&
            (text.len - i < 3 || !is(text.ptr[i + 1], HEX) || !is(text.ptr[i + 2], HEX)))
            return false;
    return true;
}

/* ---- The request line -------------------------------------------------------------------- */

static enum sl_method method_of(struct sl_text name)
{
    static const struct {
        struct sl_text name;
        enum sl_method method;
    } methods[] = {
        {{"GET", 3}, SL_GET},     {{"POST", 4}, SL_POST},     {{"HEAD", 4}, SL_HEAD},
        {{"PUT", 3}, SL_PUT},     {{"DELETE", 6}, SL_DELETE}, {{"OPTIONS", 7}, SL_OPTIONS},
        {{"PATCH", 5}, SL_PATCH}, {{"TRACE", 5}, SL_TRACE},   {{"QUERY", 5}, SL_QUERY},
    };

    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (sl_text_equals(name, methods[i].name))
            return methods[i].method;
    return 0;
}

static bool host_good(struct sl_text host)
{
    for (size_t i = 0; i < host.len; i++)
        if (!is(host.ptr[i], HOST))
            return false;
    /* Brackets hold an IPv6 address, and what follows them is a port. */
    const char *open = host.len > 0 ? memchr(host.ptr, '[', host.len) : NULL;
    const char *close = host.len > 0 ? memchr(host.ptr, ']', host.len) : NULL;
    if ((open != NULL) != (close != NULL) || (open && (open != host.ptr || close < open + 2)))
        return false;
    const char *end = host.ptr + host.len;
    const char *port = close ? close + 1 : host.len > 0 ? memchr(host.ptr, ':', host.len) : NULL;
    if (!port || port == end)
        return escapes_good(host);
    if (*port != ':')
        return false;
    for (port++; port < end; port++)
        if (*port < '0' || *port > '9')
            return false;
    return escapes_good(host);
}

/* "http://host:port", before the path of a target in absolute form. */
static enum sl_head_verdict parse_authority(struct scan *scan)
{
    static const char *const schemes[] = {"http://", "https://"};
    const size_t left = (size_t)(scan->end - scan->next);

    for (size_t i = 0; i < 2; i++) {
        const size_t len = strlen(schemes[i]);
        if (strncasecmp(scan->next, schemes[i], left < len ? left : len) != 0)
            continue;
        if (left < len)
            return SL_HEAD_MORE;
        scan->next += len;
        scan->head->host = run_of(scan, HOST);
        if (scan->next == scan->end)
            return SL_HEAD_MORE;
        if (scan->head->host.len == 0 || !host_good(scan->head->host))
            break;
        return SL_HEAD_WHOLE;
    }
    return bad(scan, 400, "bad_target", "the target is neither a path nor an http URI");
}

static enum sl_head_verdict parse_path_and_query(struct scan *scan)
{
    struct sl_http_head *head = scan->head;

    head->path = run_of(scan, PATH);
    if (scan->next == scan->end)
        return SL_HEAD_MORE;
    if (head->path.len == 0)
        head->path = SL_TEXT("/"); /* http://host or http://host?query */
    if (*scan->next == '?') {
        scan->next++;
        head->query = run_of(scan, QUERY);
        if (scan->next == scan->end)
            return SL_HEAD_MORE;
    }
    if (*scan->next != ' ')
        return bad(scan, 400, "bad_target", "a character in the target that must be escaped");
    head->path_escaped = memchr(head->path.ptr, '%', head->path.len) != NULL;
    if ((head->path_escaped && !escapes_good(head->path)) || !escapes_good(head->query))
        return bad(scan, 400, "bad_target", "a percent sign without two hexadecimal digits");
    return SL_HEAD_WHOLE;
}

static enum sl_head_verdict parse_target(struct scan *scan)
{
    if (scan->next == scan->end)
        return SL_HEAD_MORE;
    if (*scan->next == '*' && scan->head->method == SL_OPTIONS) {
        scan->head->path = (struct sl_text){scan->next++, 1};
        if (scan->next == scan->end)
            return SL_HEAD_MORE;
        return *scan->next == ' ' ? SL_HEAD_WHOLE
                                  : bad(scan, 400, "bad_target", "more than * in the target");
    }
    if (*scan->next != '/') {
        const enum sl_head_verdict verdict = parse_authority(scan);
        if (verdict != SL_HEAD_WHOLE)
            return verdict;
        if (*scan->next != '/' && *scan->next != '?' && *scan->next != ' ')
            return bad(scan, 400, "bad_target", "a host with characters that no host has");
    }
    return parse_path_and_query(scan);
}

static enum sl_head_verdict parse_version(struct scan *scan)
{
    static const char form[] = "HTTP/d.d";

    for (size_t i = 0; i < 8; i++) {
        if (scan->next + i == scan->end)
            return SL_HEAD_MORE;
        const char c = scan->next[i];
        if (form[i] == 'd' ? c < '0' || c > '9' : c != form[i])
            return bad(scan, 400, "bad_request_line", "the request line ends without a version");
    }
    const char major = scan->next[5], minor = scan->next[7];
    scan->next += 8;
    const enum sl_head_verdict verdict = line_end(scan);
    if (verdict != SL_HEAD_WHOLE)
        return verdict;
    if (major != '1' || minor > '1')
        return bad(scan, 505, "version_not_supported", "this server speaks HTTP/1.1");
    scan->head->http_1_0 = minor == '0';
    return SL_HEAD_WHOLE;
}

static enum sl_head_verdict parse_request_line(struct scan *scan)
{
    const struct sl_text name = run_of(scan, TOKEN);

    if (scan->next == scan->end)
        return SL_HEAD_MORE;
    if (name.len == 0 || *scan->next != ' ')
        return bad(scan, 400, "bad_request_line", "a request starts with a method and a space");
    scan->head->method = method_of(name);
    scan->next++;
    enum sl_head_verdict verdict = parse_target(scan);
    /* Of a method that we do not know we do not know the form of the target either. */
    if (verdict == SL_HEAD_BAD && !scan->head->method)
        return bad(scan, 501, "method_not_known", "this server does not know the method");
    if (verdict != SL_HEAD_WHOLE)
        return verdict;
    scan->next++;
    verdict = parse_version(scan);
    if (verdict == SL_HEAD_WHOLE && !scan->head->method)
        return bad(scan, 501, "method_not_known", "this server does not know the method");
    return verdict;
}

/* ---- Headers that concern the connection ---------------------------------------------------- */

static bool same_text(struct sl_text a, struct sl_text b)
{
    return a.len == b.len && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

static bool same_word(struct sl_text text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.ptr, word, text.len) == 0;
}

static enum sl_head_verdict take_length(struct scan *scan, struct sl_text value)
{
    uint64_t length = 0;

    if (scan->saw_length)
        return bad(scan, 400, "content_length_twice", "more than one Content-Length");
    scan->saw_length = true;
    if (value.len == 0 || value.len > 19)
        return bad(scan, 400, "bad_content_length", "Content-Length is not a number");
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return bad(scan, 400, "bad_content_length", "Content-Length is not a number");
        length = length * 10 + (uint64_t)(value.ptr[i] - '0');
    }
    scan->head->has_length = true;
    scan->head->content_length = length;
    return SL_HEAD_WHOLE;
}

static enum sl_head_verdict take_coding(struct scan *scan, struct sl_text value)
{
    if (scan->saw_coding)
        return bad(scan, 400, "transfer_encoding_twice", "more than one Transfer-Encoding");
    scan->saw_coding = true;
    if (scan->head->http_1_0)
        return bad(scan, 400, "bad_transfer_encoding", "HTTP/1.0 has no Transfer-Encoding");
    if (!same_word(value, "chunked"))
        return bad(scan, 501, "bad_transfer_encoding", "the only Transfer-Encoding is chunked");
    scan->head->chunked = true;
    return SL_HEAD_WHOLE;
}

static enum sl_head_verdict take_host(struct scan *scan, struct sl_text value)
{
    if (!host_good(value))
        return bad(scan, 400, "bad_host", "Host is not a host's name");
    /* A target in absolute form has named the host already, and they are one. */
    if (scan->head->host.ptr && !same_text(scan->head->host, value))
        return bad(scan, 400, "bad_host", "Host is not the host that the target names");
    scan->head->host = value;
    return SL_HEAD_WHOLE;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* One option of the list. Two words in it are no option (RFC 9110, 7.6.1): a "close" among them is
 * heard all the same, as nobody is harmed by a connection that ends, a "keep-alive" is not. */
static void take_option(struct scan *scan, const char *p, const char *end)
{
    while (p < end && is_blank(*p))
        p++;
    while (end > p && is_blank(end[-1]))
        end--;
    scan->keep |= same_word((struct sl_text){p, (size_t)(end - p)}, "keep-alive");
    while (p < end) {
        const char *first = p;
        while (p < end && !is_blank(*p))
            p++;
        scan->close |= same_word((struct sl_text){first, (size_t)(p - first)}, "close");
        while (p < end && is_blank(*p))
            p++;
    }
}

static void take_connection(struct scan *scan, struct sl_text value)
{
    const char *end = value.ptr + value.len;

    for (const char *p = value.ptr; p < end;) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        take_option(scan, p, comma ? comma : end);
        p = comma ? comma + 1 : end;
    }
}

static enum sl_head_verdict take_header(struct scan *scan, struct sl_text name,
                                        struct sl_text value)
{
    switch (name.len) {
    case 4:
        if (memcmp(name.ptr, "host", 4) != 0)
            break;
        if (++scan->hosts > 1)
            return bad(scan, 400, "host_twice", "more than one Host");
        return take_host(scan, value);
    case 6:
        if (memcmp(name.ptr, "expect", 6) != 0 || scan->head->http_1_0)
            break;
        if (!same_word(value, "100-continue"))
            return bad(scan, 417, "expectation_failed", "the only expectation is 100-continue");
        scan->head->expects_continue = true;
        break;
    case 10:
        if (memcmp(name.ptr, "connection", 10) == 0)
            take_connection(scan, value);
        break;
    case 14:
        if (memcmp(name.ptr, "content-length", 14) == 0)
            return take_length(scan, value);
        break;
    case 17:
        if (memcmp(name.ptr, "transfer-encoding", 17) == 0)
            return take_coding(scan, value);
        break;
    default:
        break;
    }
    return SL_HEAD_WHOLE;
}

/* ---- Header lines ------------------------------------------------------------------------- */

static enum sl_head_verdict parse_header(struct scan *scan)
{
    char *first = scan->next;
    struct sl_text name = run_of(scan, TOKEN);

    if (scan->next == scan->end)
        return SL_HEAD_MORE;
    if (name.len == 0 && (*scan->next == ' ' || *scan->next == '\t'))
        return bad(scan, 400, "folded_line", "a header line starts with white space");
    if (*scan->next == '\n' || *scan->next == '\r')
        return bad(scan, 400, "bad_header", "a header line without a colon");
    if (name.len == 0 || *scan->next != ':')
        return bad(scan, 400, "bad_header_name", "a character that a header's name cannot have");
    for (char *c = first; c < scan->next; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c | 0x20);
    scan->next++;
    struct sl_text value = run_of(scan, VALUE);
    const enum sl_head_verdict verdict = line_end(scan);
    if (verdict != SL_HEAD_WHOLE)
        return verdict;
    while (value.len > 0 && (value.ptr[0] == ' ' || value.ptr[0] == '\t')) {
        value.ptr++;
        value.len--;
    }
    while (value.len > 0 && (value.ptr[value.len - 1] == ' ' || value.ptr[value.len - 1] == '\t'))
        value.len--;
    if (scan->head->header_count == SL_HTTP_HEADERS_MAX)
        return bad(scan, 431, "too_many_headers", "more than 100 header lines");
    scan->head->headers[scan->head->header_count++] = (struct sl_header){name, value};
    return take_header(scan, name, value);
}

/* What can only be judged when all lines are there. */
static enum sl_head_verdict conclude(struct scan *scan)
{
    struct sl_http_head *head = scan->head;

    if (scan->hosts == 0 && !head->http_1_0)
        return bad(scan, 400, "host_missing", "Host is missing");
    if (scan->saw_length && scan->saw_coding)
        return bad(scan, 400, "two_lengths", "both Content-Length and Transfer-Encoding");
    head->keep_alive = !scan->close && (!head->http_1_0 || scan->keep);
    return SL_HEAD_WHOLE;
}

static enum sl_head_verdict parse_all(struct scan *scan)
{
    enum sl_head_verdict verdict;

    if (scan->next < scan->end && *scan->next == '\r') {
        verdict = line_end(scan);
        if (verdict != SL_HEAD_WHOLE)
            return verdict;
    }
    verdict = parse_request_line(scan);
    while (verdict == SL_HEAD_WHOLE) {
        if (scan->next == scan->end)
            return SL_HEAD_MORE;
        if (*scan->next == '\r' || *scan->next == '\n') {
            verdict = line_end(scan);
            return verdict == SL_HEAD_WHOLE ? conclude(scan) : verdict;
        }
        verdict = parse_header(scan);
    }
    return verdict;
}

enum sl_head_verdict sl_http_head_parse(char *bytes, size_t len, size_t bytes_max,
                                        struct sl_http_head *head, size_t *out_used)
{
    struct scan scan = {.next = bytes, .end = bytes + len, .head = head};

    *head = (struct sl_http_head){.headers = head->headers};
    const enum sl_head_verdict verdict = parse_all(&scan);
    const size_t used = (size_t)(scan.next - bytes);
    if (verdict == SL_HEAD_BAD)
        return verdict;
    if (verdict == SL_HEAD_WHOLE ? used > bytes_max : len >= bytes_max) {
        if (!memchr(bytes, '\n', len < bytes_max ? len : bytes_max))
            return bad(&scan, 414, "target_too_long", "the request line is too long");
        return bad(&scan, 431, "head_too_large", "request line and headers are too large");
    }
    if (verdict == SL_HEAD_WHOLE)
        *out_used = used;
    return verdict;
}

/* ---- Paths -------------------------------------------------------------------------------- */

static unsigned hex_value(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;
}

size_t sl_http_decode(struct sl_text raw, bool plus, char *out)
{
    size_t len = 0;

    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.ptr[i];
        if (c == '%' && raw.len - i >= 3 && is(raw.ptr[i + 1], HEX) && is(raw.ptr[i + 2], HEX)) {
            c = (char)(hex_value(raw.ptr[i + 1]) << 4 | hex_value(raw.ptr[i + 2]));
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        out[len++] = c;
    }
    return len;
}

bool sl_http_path_good(struct sl_text path)
{
    const char *end = path.ptr + path.len;

    if (path.len > 0 && memchr(path.ptr, '\0', path.len))
        return false;
    for (const char *p = path.ptr; p < end;) {
        const char *slash = memchr(p, '/', (size_t)(end - p));
        const char *stop = slash ? slash : end;
        if (stop - p == 2 && p[0] == '.' && p[1] == '.')
            return false;
        p = stop + 1;
    }
    return true;
}
