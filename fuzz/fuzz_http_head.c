/* A request's head. What is good keeps the rules that handlers rely on; no cut changes a verdict;
 * what is good has no other end for a parser that goes by line breaks alone. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "net/http_head.h"

enum { HEAD_MAX = 4096 };

static struct sl_header headers[SL_HTTP_HEADERS_MAX];

static enum sl_head_verdict parse(const uint8_t *bytes, size_t len, char **out_copy,
                                  struct sl_http_head *head, size_t *out_used)
{
    *out_copy = malloc(len > 0 ? len : 1);
    SL_ASSERT(*out_copy);
    if (len > 0)
        memcpy(*out_copy, bytes, len);
    *head = (struct sl_http_head){.headers = headers};
    return sl_http_head_parse(*out_copy, len, HEAD_MAX, head, out_used);
}

static bool has_break(struct sl_text text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\r' || text.ptr[i] == '\n' || text.ptr[i] == '\0')
            return true;
    return false;
}

static void check_good(const struct sl_http_head *head, const char *bytes, size_t used)
{
    char decoded[HEAD_MAX];

    SL_ASSERT(used <= HEAD_MAX && used >= 4 && memcmp(bytes + used - 4, "\r\n\r\n", 4) == 0, "end");
    SL_ASSERT(memmem(bytes + 2, used - 2, "\r\n\r\n", 4) == bytes + used - 4, "no other end");
    SL_ASSERT(head->method >= SL_GET && head->method <= SL_QUERY, "a method we know");
    SL_ASSERT(!(head->chunked && head->has_length), "one way to know the length");
    SL_ASSERT(!has_break(head->path) && !has_break(head->query) && !has_break(head->host),
              "one line");
    SL_ASSERT(head->path.len > 0 && (head->path.ptr[0] == '/' || head->path.ptr[0] == '*'), "path");
    SL_ASSERT(sl_http_decode(head->path, false, decoded) <= head->path.len, "decoded is shorter");
    for (uint32_t i = 0; i < head->header_count; i++) {
        const struct sl_header *header = &head->headers[i];
        SL_ASSERT(header->name.len > 0 && !has_break(header->name), "a name");
        SL_ASSERT(!has_break(header->value), "a value in one line");
        for (size_t c = 0; c < header->name.len; c++)
            SL_ASSERT(header->name.ptr[c] < 'A' || header->name.ptr[c] > 'Z', "lower-case");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sl_http_head head, cut_head;
    size_t used = 0, cut_used = 0;
    char *copy, *cut_copy;

    const enum sl_head_verdict verdict = parse(bytes, len, &copy, &head, &used);
    if (verdict == SL_HEAD_WHOLE)
        check_good(&head, copy, used);
    if (verdict == SL_HEAD_BAD)
        SL_ASSERT(head.fault.status >= 400 && head.fault.rule && head.fault.detail, "a reason");
    /* Cut where the bytes themselves say. */
    const size_t cut = len > 0 ? (bytes[len / 2] * len) >> 8 : 0;
    const enum sl_head_verdict before = parse(bytes, cut, &cut_copy, &cut_head, &cut_used);
    SL_ASSERT(before == SL_HEAD_MORE || before == verdict, "good and bad stay so");
    SL_ASSERT(before != SL_HEAD_WHOLE || cut_used == used, "the same end");
    free(cut_copy);
    free(copy);
    return 0;
}
