/*
 * Our grammar of JSON against simdjson's own: what one takes as a document, the other takes, and
 * the texts in it are the same. They differ where it is meant: depth, numbers beyond 64 bits, and
 * halves of surrogate pairs.
 */
#include "fuzz.h"

#include <stdbool.h>
#include <stdlib.h>

#include "json_dom.h"
#include "record/json_scan.h"

static enum sl_scan_flaw scan_all(struct sl_json_scan *scan)
{
    static struct sl_json_index *index;

    if (!index)
        index = sl_json_index_new();
    if (!index || sl_json_index_make(index, scan->json, scan->len, &scan->starts, &scan->count) !=
                      SL_INDEX_OK)
        return SL_SCAN_SYNTAX;
    scan->plain = !memchr(scan->json, '\\', scan->len);
    const enum sl_scan_flaw flaw = sl_scan_skip(scan, 0);
    return flaw == SL_SCAN_FINE && scan->next < scan->count ? SL_SCAN_SYNTAX : flaw;
}

/* False where a text holds what we refuse. */
static bool sum_texts(struct sl_json_scan *scan, uint64_t *sum)
{
    bool good = true;

    *sum = 0;
    for (scan->next = 0; good && scan->next < scan->count;) {
        struct sl_text raw;
        bool escaped;
        if (sl_scan_peek(scan) != '"') {
            scan->next++;
            continue;
        }
        SL_ASSERT(sl_scan_string(scan, &raw, &escaped), "it was taken before");
        char *plain = malloc(raw.len + 1);
        size_t len = 0;
        good = plain && sl_scan_unescape(raw, plain, &len) == SL_SCAN_FINE;
        SL_ASSERT(!good || escaped || len == raw.len, "what has no escapes stays");
        *sum = good ? json_text_sum(*sum, plain, len) : *sum;
        free(plain);
    }
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sl_json_scan scan = {.json = (const char *)bytes, .len = len};
    uint64_t ours, theirs = 0;
    const enum sl_scan_flaw flaw = scan_all(&scan);
    const enum json_dom_answer answer = json_dom_parse(bytes, len, &theirs);
    const bool has_unicode = len > 0 && memmem(bytes, len, "\\u", 2) != NULL;

    if (flaw == SL_SCAN_DEPTH || (flaw == SL_SCAN_FINE && answer == JSON_DOM_NUMBER) ||
        (flaw == SL_SCAN_FINE && answer == JSON_DOM_STRING && has_unicode))
        return 0;
    SL_ASSERT((flaw == SL_SCAN_FINE) == (answer == JSON_DOM_TAKEN), "two parsers, one grammar");
    if (flaw == SL_SCAN_FINE && sum_texts(&scan, &ours))
        SL_ASSERT(ours == theirs, "two parsers, the same texts");
    return 0;
}
