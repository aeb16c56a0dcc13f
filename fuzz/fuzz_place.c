/* The first line as a list of fields or tags, the rest as a key. A key that is taken is written
 * again and read again to the same values. */
#include "fuzz.h"

#include <string.h>

#include "record/pack.h"
#include "record/place.h"
#include "record/specimen.h"

static struct sl_arena arena;
static struct sl_buf once, twice;

static void check_key(const struct sl_place *place, struct sl_text key)
{
    struct specimen item = {0}, back = {0};
    struct sl_error error = {0};

    if (sl_place_read(place, key, &arena, &item, &error) != SL_OK) {
        SL_ASSERT(error.message[0], "refused with reason");
        return;
    }
    sl_buf_reset(&once);
    sl_buf_reset(&twice);
    if (sl_place_write(place, &item, &once) != SL_OK)
        return; /* "%0a" may come as three bytes and others as one, so that a key grows */
    SL_ASSERT(sl_place_read(place, sl_buf_as_text(&once), &arena, &back, &error) == SL_OK,
              "written, so readable");
    SL_ASSERT(sl_place_write(place, &back, &twice) == SL_OK, "and again");
    SL_ASSERT(sl_text_equals(sl_buf_as_text(&once), sl_buf_as_text(&twice)), "one text, one place");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const uint8_t *line = len > 0 ? memchr(bytes, '\n', len) : NULL;
    struct sl_tag_rule tags[SL_TAGS_MAX];
    struct sl_place place;
    size_t count = 0;
    char text[256];

    if (!line || (size_t)(line - bytes) >= sizeof text)
        return 0;
    const size_t text_len = (size_t)(line - bytes);
    memcpy(text, bytes, text_len);
    text[text_len] = '\0';
    const struct sl_text key = {(const char *)line + 1, len - text_len - 1};
    sl_arena_reset(&arena);
    if (sl_place_parse(&specimen_record, text, &place, NULL) == SL_OK)
        check_key(&place, key);
    if (sl_tags_parse(&specimen_record, text, tags, &count, NULL) == SL_OK)
        for (size_t i = 0; i < count; i++)
            check_key(&tags[i].place, key);
    return 0;
}
