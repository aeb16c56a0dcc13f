/*
 * Our grammar of JSON against simdjson's own: what one takes as a document, the other takes. They
 * differ where it is meant: depth, numbers beyond 64 bits, and halves of surrogate pairs.
 */
#include "fuzz.h"

#include <string.h>

#include "json_dom.h"
#include "record/json_scan.h"

static enum sl_scan_flaw scan_all(const char *json, size_t len)
{
    static struct sl_json_index *index;
    struct sl_json_scan scan = {.json = json, .len = len};

    if (!index)
        index = sl_json_index_new();
    if (!index || sl_json_index_make(index, json, len, &scan.starts, &scan.count) != SL_INDEX_OK)
        return SL_SCAN_SYNTAX;
    const enum sl_scan_flaw flaw = sl_scan_skip(&scan, 0);
    return flaw == SL_SCAN_FINE && scan.next < scan.count ? SL_SCAN_SYNTAX : flaw;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const enum sl_scan_flaw flaw = scan_all((const char *)bytes, len);
    const enum json_dom_answer answer = json_dom_parse(bytes, len);
    const bool has_unicode = memmem(bytes, len, "\\u", 2) != NULL;

    if (flaw == SL_SCAN_DEPTH || (flaw == SL_SCAN_FINE && answer == JSON_DOM_NUMBER) ||
        (flaw == SL_SCAN_FINE && answer == JSON_DOM_STRING && has_unicode))
        return 0;
    SL_ASSERT((flaw == SL_SCAN_FINE) == (answer == JSON_DOM_TAKEN), "two parsers, one grammar");
    return 0;
}
