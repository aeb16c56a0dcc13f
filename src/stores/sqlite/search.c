#include "stores/sqlite/parts.h"

enum { TYPED_BYTES_MAX = 512 };

static bool is_space(char c)
{
    return (unsigned char)c <= ' ';
}

/* Each word becomes a string of FTS5, in which only the quote means something, and is doubled. A
 * star at a word's end asks for words that begin so. */
enum sl_err sl_sqlite_search_words(struct sl_text typed, struct sl_arena *arena,
                                   struct sl_text *out, struct sl_error *error)
{
    struct sl_buf words = {0};
    size_t count = 0;

    if (typed.len > TYPED_BYTES_MAX)
        return sl_fail(error, SL_INVALID, "a search has at most %d bytes", TYPED_BYTES_MAX);
    for (size_t i = 0; i < typed.len;) {
        size_t end = i;
        while (end < typed.len && !is_space(typed.ptr[end]))
            end++;
        const bool prefix = end > i + 1 && typed.ptr[end - 1] == '*';
        const size_t word_end = prefix ? end - 1 : end;
        if (end > i) {
            if (++count > SL_SQLITE_WORDS_MAX) {
                sl_buf_close(&words);
                return sl_fail(error, SL_INVALID, "a search has at most %d words",
                               SL_SQLITE_WORDS_MAX);
            }
            sl_buf_byte(&words, '"');
            for (size_t at = i; at < word_end; at++) {
                if (typed.ptr[at] == '"')
                    sl_buf_byte(&words, '"');
                sl_buf_byte(&words, (uint8_t)typed.ptr[at]);
            }
            sl_buf_text(&words, prefix ? SL_TEXT("\"* ") : SL_TEXT("\" "));
        }
        i = end < typed.len ? end + 1 : end;
    }
    const struct sl_text copy =
        words.failed ? (struct sl_text){NULL, 0} : sl_arena_text(arena, sl_buf_as_text(&words));
    sl_buf_close(&words);
    if (count == 0)
        return sl_fail(error, SL_INVALID, "a search needs words");
    if (!copy.ptr)
        return sl_fail(error, SL_NO_MEMORY, "no memory for a search");
    *out = copy;
    return SL_OK;
}
