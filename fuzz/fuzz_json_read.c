/* Any bytes as JSON of a record that has every kind. What is taken keeps the record's rules and
 * comes back equal from its own JSON and from its packed form; what is refused says why. */
#include "fuzz.h"

#include <string.h>

#include "record/json.h"
#include "record/pack.h"
#include "record/specimen.h"

static struct sl_json_parser *parser;
static struct sl_arena arena;
static struct sl_buf written;

static void check_good(const struct specimen *item)
{
    struct sl_broken_rule broken = {0};
    struct specimen back = {0};

    SL_ASSERT(sl_record_validate(&specimen_record, item, &broken) == SL_OK, "taken, so valid");
    sl_buf_reset(&written);
    sl_json_write(&written, &specimen_record, item);
    SL_ASSERT(sl_json_read(parser, &specimen_record, sl_buf_as_text(&written), &arena, &back,
                           &broken) == SL_OK,
              "written, so readable");
    SL_ASSERT(sl_record_equals(&specimen_record, item, &back), "JSON loses nothing");

    sl_buf_reset(&written);
    sl_pack(&written, &specimen_record, item);
    back = (struct specimen){0};
    SL_ASSERT(sl_unpack(&specimen_record, sl_buf_slice(&written), &arena, &back, NULL) == SL_OK,
              "packed, so readable");
    SL_ASSERT(sl_record_equals(&specimen_record, item, &back), "bytes lose nothing");
}

static void check_array(struct sl_text json)
{
    struct sl_broken_rule whole = {0}, *broken;
    void *items;
    size_t count;

    if (sl_json_read_array(parser, &specimen_part_record, json, 100, &arena, &items, &broken,
                           &count, &whole) != SL_OK)
        return;
    for (size_t i = 0; i < count; i++) {
        const struct specimen_part *part = (const struct specimen_part *)items + i;
        struct sl_broken_rule rule = {0};
        SL_ASSERT(broken[i].rule[0]
                      ? part->sku.len == 0
                      : sl_record_validate(&specimen_part_record, part, &rule) == SL_OK,
                  "each is good, or zero and named");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const struct sl_text json = {(const char *)bytes, len};
    const struct sl_record *stranger;
    struct sl_broken_rule broken = {0};
    struct specimen item = {0};

    if (!parser && sl_json_parser_new(&parser) != SL_OK)
        return 0;
    sl_arena_reset(&arena);
    const enum sl_err err = sl_json_read(parser, &specimen_record, json, &arena, &item, &broken);
    if (err == SL_OK)
        check_good(&item);
    else
        SL_ASSERT(err != SL_INVALID || (broken.rule[0] && broken.message[0]),
                  "refused with reason");
    if (sl_json_is_array(json))
        check_array(json);
    if (sl_record_from_description(json, &arena, &stranger, NULL) == SL_OK) {
        sl_buf_reset(&written);
        sl_record_describe(&written, stranger);
        sl_json_write_schema(&written, stranger);
    }
    return 0;
}
