#include "record/specimen.h"

#include <math.h>
#include <string.h>

const struct sl_record specimen_point_record = SL_RECORD(struct specimen_point,
    SL_FIELD(struct specimen_point, latitude, SL_RANGE(-90, 90)),
    SL_FIELD(struct specimen_point, longitude, SL_RANGE(-180, 180)));

const struct sl_record specimen_part_record = SL_RECORD(struct specimen_part,
    SL_FIELD(struct specimen_part, sku, .required = true, .length_max = 32),
    SL_FIELD(struct specimen_part, quantity, .required = true, SL_RANGE(1, 1000)),
    SL_FIELD(struct specimen_part, price, SL_HAS(struct specimen_part, has_price)),
    SL_FIELD(struct specimen_part, marks, .item = SL_TEXT_KIND, .length_max = 4),
    SL_FIELD(struct specimen_part, point, .record = &specimen_point_record,
             SL_HAS(struct specimen_part, has_point)));

const struct sl_record specimen_record = SL_RECORD(struct specimen,
    SL_FIELD(struct specimen, id, .required = true),
    SL_FIELD(struct specimen, flag),
    SL_FIELD(struct specimen, i8),
    SL_FIELD(struct specimen, i16),
    SL_FIELD(struct specimen, i32, SL_RANGE(-1000000, 1000000)),
    SL_FIELD(struct specimen, i64),
    SL_FIELD(struct specimen, u8, SL_RANGE(3, 200)),
    SL_FIELD(struct specimen, u16),
    SL_FIELD(struct specimen, u32),
    SL_FIELD(struct specimen, u64),
    SL_FIELD(struct specimen, u128),
    SL_FIELD(struct specimen, number, .help = "Any number that is finite."),
    SL_FIELD(struct specimen, text, .length_max = 200, .personal_of = "id"),
    SL_FIELD(struct specimen, code, .length_min = 2),
    SL_FIELD(struct specimen, day),
    SL_FIELD(struct specimen, at),
    SL_FIELD(struct specimen, money, SL_RANGE(-500, INT64_MAX)),
    SL_FIELD(struct specimen, decimal),
    SL_FIELD(struct specimen, state, SL_NAMES("open", "half-open", "closed")),
    SL_FIELD(struct specimen, point, .record = &specimen_point_record),
    SL_FIELD(struct specimen, parts, .record = &specimen_part_record, .length_max = 8),
    SL_FIELD(struct specimen, counts, .item = SL_U64),
    SL_FIELD(struct specimen, wide, .item = SL_U128),
    SL_FIELD(struct specimen, states, .item = SL_U8, SL_NAMES("new", "used")),
    SL_FIELD(struct specimen, days, .item = SL_DATE),
    SL_FIELD(struct specimen, note, SL_HAS(struct specimen, has_note)),
    SL_FIELD(struct specimen, limit, SL_HAS(struct specimen, has_limit)),
    SL_FIELD(struct specimen, more, .item = SL_DECIMAL, SL_HAS(struct specimen, has_more)));

uint64_t specimen_random(uint64_t *seed)
{
    uint64_t x = *seed += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t below(uint64_t *seed, uint64_t end)
{
    return specimen_random(seed) % end;
}

/* Of all sizes: few bits are as likely as many. */
static uint64_t any_u64(uint64_t *seed)
{
    const uint64_t shift = below(seed, 65);

    return shift == 64 ? 0 : shift == 63 ? UINT64_MAX : specimen_random(seed) >> shift;
}

static int64_t any_i64(uint64_t *seed)
{
    const uint64_t size = any_u64(seed);

    return below(seed, 20) == 0 ? INT64_MIN : (int64_t)(below(seed, 2) ? size : 0 - size);
}

static sl_u128 any_u128(uint64_t *seed)
{
    const sl_u128 low = any_u64(seed);

    return below(seed, 2) ? low : (sl_u128)any_u64(seed) << 64 | low;
}

static double any_double(uint64_t *seed)
{
    const double simple[] = {0.0, -0.0, 0.1, 1e15, 1e22, 5e-324, 1.7976931348623157e308, -12.34};
    const uint64_t bits = specimen_random(seed);
    double value;

    if (below(seed, 3) == 0)
        return simple[below(seed, sizeof simple / sizeof simple[0])];
    memcpy(&value, &bits, sizeof value);
    return isfinite(value) ? value : 1.5;
}

static struct sl_text any_text(uint64_t *seed, struct sl_arena *arena, size_t least, size_t most)
{
    static const char *const pieces[] = {"a",    "B7", " ", "\"", "\\", "/", "\n", "\x01",
                                         "\x7f", "%",  ",", ":",  "ä",  "€", "𝄞",  "lang und lang",
                                         "\t",   "'"};
    char bytes[256];
    size_t len = 0;
    const size_t wanted = least + below(seed, most - least + 1);

    while (len < wanted) {
        const char *piece = pieces[below(seed, sizeof pieces / sizeof pieces[0])];
        const size_t more = strlen(piece);
        if (len + more > most)
            break;
        memcpy(bytes + len, piece, more);
        len += more;
    }
    while (len < least)
        bytes[len++] = 'x';
    return sl_arena_text(arena, (struct sl_text){bytes, len});
}

static struct sl_money any_money(uint64_t *seed, int64_t least)
{
    struct sl_money money = {any_i64(seed), "EUR"};

    if (money.minor < least)
        money.minor = least;
    money.currency[0] = (char)('A' + below(seed, 26));
    return money;
}

static struct sl_decimal any_decimal(uint64_t *seed)
{
    return (struct sl_decimal){any_i64(seed), (uint8_t)below(seed, 19)};
}

static struct sl_date any_date(uint64_t *seed)
{
    return (struct sl_date){(int32_t)below(seed, 3652059) - 719162};
}

static struct specimen_point any_point(uint64_t *seed)
{
    return (struct specimen_point){(double)below(seed, 18001) / 100 - 90,
                                   (double)below(seed, 36001) / 100 - 180};
}

static struct sl_list any_list(uint64_t *seed, struct sl_arena *arena, size_t size, size_t most)
{
    const size_t count = below(seed, most + 1);

    if (count == 0)
        return (struct sl_list){NULL, 0};
    return (struct sl_list){sl_arena_zeroed(arena, count, size), count};
}

static void fill_part(struct specimen_part *part, uint64_t *seed, struct sl_arena *arena)
{
    part->sku = any_text(seed, arena, 1, 32);
    part->quantity = 1 + (int64_t)below(seed, 1000);
    part->has_price = below(seed, 2);
    if (part->has_price)
        part->price = any_money(seed, INT64_MIN);
    part->marks = any_list(seed, arena, sizeof(struct sl_text), 4);
    for (size_t i = 0; i < part->marks.count; i++)
        ((struct sl_text *)part->marks.items)[i] = any_text(seed, arena, 0, 10);
    part->has_point = below(seed, 2);
    if (part->has_point)
        part->point = any_point(seed);
}

static void fill_lists(struct specimen *out, uint64_t *seed, struct sl_arena *arena)
{
    out->parts = any_list(seed, arena, sizeof(struct specimen_part), 8);
    for (size_t i = 0; i < out->parts.count; i++)
        fill_part((struct specimen_part *)out->parts.items + i, seed, arena);
    out->counts = any_list(seed, arena, sizeof(uint64_t), 5);
    for (size_t i = 0; i < out->counts.count; i++)
        ((uint64_t *)out->counts.items)[i] = any_u64(seed);
    out->wide = any_list(seed, arena, sizeof(sl_u128), 3);
    for (size_t i = 0; i < out->wide.count; i++)
        ((sl_u128 *)out->wide.items)[i] = any_u128(seed);
    out->states = any_list(seed, arena, 1, 3);
    for (size_t i = 0; i < out->states.count; i++)
        ((uint8_t *)out->states.items)[i] = (uint8_t)below(seed, 2);
    out->days = any_list(seed, arena, sizeof(struct sl_date), 3);
    for (size_t i = 0; i < out->days.count; i++)
        ((struct sl_date *)out->days.items)[i] = any_date(seed);
    out->has_more = below(seed, 2);
    if (!out->has_more)
        return;
    out->more = any_list(seed, arena, sizeof(struct sl_decimal), 3);
    for (size_t i = 0; i < out->more.count; i++)
        ((struct sl_decimal *)out->more.items)[i] = any_decimal(seed);
}

void specimen_fill(struct specimen *out, uint64_t *seed, struct sl_arena *arena)
{
    const bool sparse = below(seed, 8) == 0; /* all that may be left out is */

    *out = (struct specimen){.flag = below(seed, 2)};
    for (size_t i = 0; i < sizeof out->id.bytes; i++)
        out->id.bytes[i] = (uint8_t)specimen_random(seed);
    if (sparse)
        return;
    out->i8 = (int8_t)any_i64(seed);
    out->i16 = (int16_t)any_i64(seed);
    out->i32 = (int32_t)below(seed, 2000001) - 1000000;
    out->i64 = any_i64(seed);
    out->u8 = (uint8_t)(3 + below(seed, 198));
    out->u16 = (uint16_t)any_u64(seed);
    out->u32 = (uint32_t)any_u64(seed);
    out->u64 = any_u64(seed);
    out->u128 = any_u128(seed);
    out->number = any_double(seed);
    out->text = any_text(seed, arena, 0, 200);
    const struct sl_text code = any_text(seed, arena, 2, 7);
    memcpy(out->code, code.ptr, code.len);
    out->day = any_date(seed);
    out->at.ns = any_i64(seed);
    out->money = any_money(seed, -500);
    out->decimal = any_decimal(seed);
    out->state = (enum specimen_state)below(seed, 3);
    out->point = any_point(seed);
    fill_lists(out, seed, arena);
    out->has_note = below(seed, 2);
    if (out->has_note)
        out->note = any_text(seed, arena, 0, 40);
    out->has_limit = below(seed, 2);
    if (out->has_limit)
        out->limit = any_u128(seed);
}
