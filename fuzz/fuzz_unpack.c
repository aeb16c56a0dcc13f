/* Any bytes as the packed form of a record that has every kind. What is taken packs again, into no
 * more bytes, and copies; what is refused is called corrupt. */
#include "fuzz.h"

#include <stdlib.h>

#include "record/json.h"
#include "record/pack.h"
#include "record/specimen.h"

static struct sl_arena arena;
static struct sl_buf packed, written;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sl_error error = {0};
    struct specimen item = {0}, back = {0};

    sl_arena_reset(&arena);
    const enum sl_err err =
        sl_unpack(&specimen_record, (struct sl_slice){bytes, len}, &arena, &item, &error);
    SL_ASSERT(err == SL_OK || err == SL_CORRUPT || err == SL_NO_MEMORY);
    if (err)
        return 0;

    sl_buf_reset(&packed);
    sl_pack(&packed, &specimen_record, &item);
    SL_ASSERT(!packed.failed && packed.len <= len, "a writer uses as few bytes as it takes");
    SL_ASSERT(sl_unpack(&specimen_record, sl_buf_slice(&packed), &arena, &back, NULL) == SL_OK,
              "packed, so readable");
    SL_ASSERT(sl_record_equals(&specimen_record, &item, &back), "bytes lose nothing");

    void *memory = malloc(sl_record_copy_size(&specimen_record, &item));
    const struct specimen *copy = sl_record_copy(&specimen_record, &item, memory);
    SL_ASSERT(sl_record_equals(&specimen_record, &item, copy), "a copy is equal");
    /* Values that break their rules may be in it: writing them must hold, whatever it gives. */
    sl_buf_reset(&written);
    sl_json_write(&written, &specimen_record, copy);
    free(memory);
    return 0;
}
