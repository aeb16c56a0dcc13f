/* The head of an answer. Our server says Content-Length in every answer that is no stream. */
#include "client/parts.h"

#include <string.h>
#include <strings.h>

static bool read_number(struct sl_text text, size_t *out)
{
    size_t number = 0;

    if (text.len == 0 || text.len > 12)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        number = number * 10 + (size_t)(text.ptr[i] - '0');
    }
    *out = number;
    return true;
}

static bool is(struct sl_text text, const char *with)
{
    return text.len == strlen(with) && strncasecmp(text.ptr, with, text.len) == 0;
}

/* The line up to "\r\n", which is eaten. */
static struct sl_text next_line(struct sl_text *rest)
{
    const char *end = memmem(rest->ptr, rest->len, "\r\n", 2);
    const struct sl_text line = {rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len};
    const size_t eaten = end ? line.len + 2 : line.len;

    *rest = (struct sl_text){rest->ptr + eaten, rest->len - eaten};
    return line;
}

static bool take_header(struct sl_text line, struct client_head *head)
{
    const char *colon = memchr(line.ptr, ':', line.len);

    if (!colon)
        return false;
    const struct sl_text name = {line.ptr, (size_t)(colon - line.ptr)};
    struct sl_text value = {colon + 1, line.len - name.len - 1};
    while (value.len > 0 && *value.ptr == ' ') {
        value.ptr++;
        value.len--;
    }
    if (is(name, "content-length"))
        return read_number(value, &head->length);
    if (is(name, "transfer-encoding"))
        return false;
    if (is(name, "connection"))
        head->close = is(value, "close");
    if (is(name, "sluice-position"))
        head->position = value;
    return true;
}

enum sl_err client_read_head(struct sl_text head, struct client_head *out, struct sl_error *error)
{
    struct client_head read = {0};
    struct sl_text rest = head;
    const struct sl_text first = next_line(&rest);
    size_t status = 0;

    if (first.len < 12 || strncmp(first.ptr, "HTTP/1.", 7) != 0 || first.ptr[8] != ' ' ||
        !read_number((struct sl_text){first.ptr + 9, 3}, &status) || status < 100)
        return sl_fail(error, SL_INVALID, "what answers there does not speak HTTP/1.1");
    read.status = (int)status;
    for (;;) {
        const struct sl_text line = next_line(&rest);
        if (line.len == 0)
            break;
        if (!take_header(line, &read))
            return sl_fail(error, SL_INVALID, "the answer's head cannot be read: %.*s",
                           (int)(line.len < 80 ? line.len : 80), line.ptr);
    }
    *out = read;
    return SL_OK;
}
