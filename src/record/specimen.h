/* For tests and fuzzers: a record that has every kind, in every form, and random structs of it. */
#ifndef SL_RECORD_SPECIMEN_H
#define SL_RECORD_SPECIMEN_H

#include <sluice/record.h>

#include "base/arena.h"

enum specimen_state { STATE_OPEN, STATE_HALF_OPEN, STATE_CLOSED };

struct specimen_point {
    double latitude;
    double longitude;
};

struct specimen_part {
    struct sl_text sku;
    int64_t quantity;
    bool has_price;
    struct sl_money price;
    struct sl_list marks; /* of text */
    bool has_point;
    struct specimen_point point;
};

struct specimen {
    struct sl_uuid id;
    bool flag;
    int8_t i8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    sl_u128 u128;
    double number;
    struct sl_text text;
    char code[8];
    struct sl_date day;
    struct sl_time at;
    struct sl_money money;
    struct sl_decimal decimal;
    enum specimen_state state;
    struct specimen_point point;
    struct sl_list parts;  /* of struct specimen_part */
    struct sl_list counts; /* of u64 */
    struct sl_list wide;   /* of u128 */
    struct sl_list states; /* of u8 with names */
    struct sl_list days;   /* of dates */
    bool has_note, has_limit, has_more;
    struct sl_text note;
    sl_u128 limit;
    struct sl_list more; /* of decimals */
};

extern const struct sl_record specimen_point_record;
extern const struct sl_record specimen_part_record;
extern const struct sl_record specimen_record;

/* A repeatable row of numbers. */
uint64_t specimen_random(uint64_t *seed);

/* A struct that keeps all rules, extremes more often than chance has them; texts and lists in
 * `arena`. */
void specimen_fill(struct specimen *out, uint64_t *seed, struct sl_arena *arena);

#endif
