/* Redis commands, whole and in growing pieces that move in memory: the same words, the same end. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "net/resp_parse.h"

static struct sl_buf whole, pieces;

/* Words are copied out with their lengths, after checking that they lie in the bytes. */
static void collect(const struct sl_resp_parser *parser, const uint8_t *bytes, size_t len,
                    struct sl_buf *out)
{
    SL_ASSERT(parser->used <= len && parser->word_count <= SL_RESP_WORDS_MAX, "within limits");
    for (uint32_t i = 0; i < parser->word_count; i++) {
        const struct sl_text word = parser->words[i];
        SL_ASSERT(word.ptr >= (const char *)bytes && word.len <= len, "a word within the bytes");
        SL_ASSERT(word.ptr + word.len <= (const char *)bytes + parser->used, "and before the end");
        sl_buf_le64(out, word.len);
        sl_buf_text(out, word);
    }
    sl_buf_le64(out, parser->used);
}

static enum sl_resp_verdict parse(const uint8_t *bytes, size_t len, size_t step, struct sl_buf *out)
{
    struct sl_resp_parser parser = {0};
    enum sl_resp_verdict verdict = SL_RESP_MORE;
    uint8_t *memory = NULL;
    size_t at = 0;

    sl_buf_reset(out);
    while (at < len && verdict == SL_RESP_MORE) {
        const size_t next = len - at < step ? len : at + step;
        uint8_t *fresh = malloc(next);
        SL_ASSERT(fresh);
        if (memory)
            memcpy(fresh, memory, at); /* as it is now: inline words are changed in place */
        memcpy(fresh + at, bytes + at, next - at);
        free(memory);
        memory = fresh;
        at = next;
        verdict = sl_resp_parse(&parser, memory, at);
        SL_ASSERT(verdict != SL_RESP_MORE || parser.need > at, "more is needed than is there");
        SL_ASSERT(verdict != SL_RESP_BAD || parser.error, "a reason");
    }
    if (verdict == SL_RESP_WHOLE)
        collect(&parser, memory, at, out);
    sl_resp_parser_close(&parser);
    free(memory);
    return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len > 4096)
        len = 4096; /* growing by one is quadratic */
    const enum sl_resp_verdict verdict = parse(bytes, len, SIZE_MAX, &whole);
    const size_t step = len > 0 ? 1 + bytes[len - 1] % 16U : 1;

    SL_ASSERT(parse(bytes, len, step, &pieces) == verdict, "the same verdict");
    SL_ASSERT(sl_text_equals(sl_buf_as_text(&whole), sl_buf_as_text(&pieces)), "the same words");
    return 0;
}
