#include "base/hash.h"
#include "base/table.h"
#include "tap/tap.h"

#include <string.h>

struct entry {
    uint32_t key;
    bool there;
    bool seen;
};

static bool same(const void *value, struct sl_slice key)
{
    const struct entry *entry = value;

    return key.len == sizeof entry->key && memcmp(&entry->key, key.ptr, key.len) == 0;
}

static struct sl_slice key_of(const struct entry *entry)
{
    return (struct sl_slice){(const uint8_t *)&entry->key, sizeof entry->key};
}

static uint64_t good_hash(const struct entry *entry)
{
    return sl_hash64(&entry->key, sizeof entry->key, 0);
}

/* Long runs that wrap around the array's end. */
static uint64_t bad_hash(const struct entry *entry)
{
    return UINT64_MAX - entry->key % 4;
}

static uint32_t pick(uint64_t *state, uint32_t limit)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (uint32_t)((*state >> 33) % limit);
}

enum { ENTRIES = 3000 };
static struct entry entries[ENTRIES];

static void check_all(const struct sl_table *table, uint64_t (*hash)(const struct entry *entry),
                      size_t count)
{
    size_t cursor = 0, seen = 0;
    struct entry *entry;

    CHECK_U64(table->count, count);
    for (size_t i = 0; i < ENTRIES; i++) {
        void *want = entries[i].there ? &entries[i] : NULL;
        REQUIRE(sl_table_find(table, hash(&entries[i]), key_of(&entries[i])) == want);
        entries[i].seen = false;
    }
    while ((entry = sl_table_next(table, &cursor))) {
        REQUIRE(entry->there && !entry->seen);
        entry->seen = true;
        seen++;
    }
    CHECK_U64(seen, count);
}

/* Adds and removes at random, now more of these, now more of those, and compares with a model. */
static void model(uint64_t (*hash)(const struct entry *entry), uint32_t used, unsigned rounds)
{
    struct sl_table table = {.same = same};
    uint64_t state = 1;
    size_t count = 0;

    for (uint32_t i = 0; i < ENTRIES; i++)
        entries[i] = (struct entry){.key = i};
    for (unsigned i = 0; i < rounds; i++) {
        struct entry *entry = &entries[pick(&state, used)];
        const bool more = i / (rounds / 4) % 2 == 0;

        if (!entry->there && (more || pick(&state, 4) == 0)) {
            REQUIRE(sl_table_add(&table, hash(entry), entry) == SL_OK);
            entry->there = true;
            count++;
        } else if (entry->there && (!more || pick(&state, 4) == 0)) {
            sl_table_remove(&table, hash(entry), entry);
            entry->there = false;
            count--;
        }
        if (i % (rounds / 50) == 0)
            check_all(&table, hash, count);
    }
    check_all(&table, hash, count);
    sl_table_close(&table);
}

static void agrees_with_a_model(void)
{
    model(good_hash, ENTRIES, 40000);
}

static void agrees_when_hashes_collide(void)
{
    model(bad_hash, 200, 10000);
}

static void tells_equal_hashes_apart(void)
{
    struct sl_table table = {.same = same};

    for (uint32_t i = 0; i < 20; i++) {
        entries[i] = (struct entry){.key = i};
        CHECK(sl_table_add(&table, 7, &entries[i]) == SL_OK);
    }
    for (uint32_t i = 0; i < 20; i++)
        CHECK(sl_table_find(&table, 7, key_of(&entries[i])) == &entries[i]);
    const struct entry other = {.key = 99};
    CHECK(!sl_table_find(&table, 7, key_of(&other)));
    sl_table_close(&table);
}

/* No insert moves more than a few entries, and growing is over before it must begin again. */
static void grows_a_few_at_a_time(void)
{
    static struct entry many[200000];
    struct sl_table table = {.same = same};
    size_t grown = 0, left_before = 0;

    for (uint32_t i = 0; i < 200000; i++) {
        many[i].key = i;
        const size_t capacity = table.capacity;
        REQUIRE(sl_table_add(&table, good_hash(&many[i]), &many[i]) == SL_OK);
        const size_t left = table.old_capacity - table.old_next;
        if (table.capacity != capacity) {
            grown++;
            CHECK(left_before == 0);
            left_before = left + 4;
        }
        REQUIRE(left_before - left <= 4);
        left_before = left;
        REQUIRE(table.filled * 4 <= table.capacity * 3);
        if (i % 1000 == 0)
            for (uint32_t j = 0; j <= i; j += 17)
                REQUIRE(sl_table_find(&table, good_hash(&many[j]), key_of(&many[j])) == &many[j]);
    }
    CHECK(grown > 10);
    sl_table_close(&table);
}

/* A window of entries moves on for ever: the table must not. */
static void stays_small_when_entries_come_and_go(void)
{
    struct sl_table table = {.same = same};

    for (uint32_t i = 0; i < 200000; i++) {
        struct entry *entry = &entries[i % ENTRIES];
        if (i >= 100) {
            const struct entry *oldest = &entries[(i - 100) % ENTRIES];
            sl_table_remove(&table, good_hash(oldest), oldest);
        }
        entry->key = i;
        REQUIRE(sl_table_add(&table, good_hash(entry), entry) == SL_OK);
    }
    CHECK_U64(table.count, 100);
    CHECK(table.capacity <= 512);
    sl_table_close(&table);
}

/* When stones fill it, the table is made anew, not larger. */
static void sweeps_stones_out(void)
{
    struct sl_table table = {.same = same};
    struct entry passing = {.key = 1000};

    for (uint32_t i = 0; i < 6; i++) {
        entries[i] = (struct entry){.key = i};
        REQUIRE(sl_table_add(&table, UINT64_C(2) * i + 1, &entries[i]) == SL_OK);
    }
    /* Each leaves a stone between two entries. */
    for (uint32_t i = 0; i < 6; i++) {
        REQUIRE(sl_table_add(&table, UINT64_C(2) * i, &passing) == SL_OK);
        sl_table_remove(&table, UINT64_C(2) * i, &passing);
    }
    CHECK_U64(table.filled, 12);
    REQUIRE(sl_table_add(&table, 14, &passing) == SL_OK);
    CHECK_U64(table.capacity, 16);
    CHECK(table.filled <= 7);
    for (uint32_t i = 0; i < 6; i++)
        CHECK(sl_table_find(&table, UINT64_C(2) * i + 1, key_of(&entries[i])) == &entries[i]);
    CHECK(sl_table_find(&table, 14, key_of(&passing)) == &passing);
    sl_table_close(&table);
}

static void may_be_emptied_on_the_way(void)
{
    struct sl_table table = {.same = same};
    struct entry *entry;
    size_t cursor = 0, count = 0;

    for (uint32_t i = 0; i < 1000; i++) {
        entries[i].key = i;
        REQUIRE(sl_table_add(&table, good_hash(&entries[i]), &entries[i]) == SL_OK);
    }
    while ((entry = sl_table_next(&table, &cursor))) {
        sl_table_remove(&table, good_hash(entry), entry);
        count++;
    }
    CHECK_U64(count, 1000);
    CHECK_U64(table.count, 0);
    sl_table_close(&table);
}

static void empty_ones_are_valid(void)
{
    struct sl_table table = {.same = same};
    size_t cursor = 0;

    CHECK(!sl_table_find(&table, 1, (struct sl_slice){NULL, 0}));
    CHECK(!sl_table_next(&table, &cursor));
    sl_table_close(&table);
    sl_table_close(&table);
    CHECK(table.same == same);
}

int main(void)
{
    return TAP_RUN({"agrees with a model", agrees_with_a_model},
                   {"agrees when hashes collide", agrees_when_hashes_collide},
                   {"tells equal hashes apart", tells_equal_hashes_apart},
                   {"grows a few at a time", grows_a_few_at_a_time},
                   {"stays small when entries come and go", stays_small_when_entries_come_and_go},
                   {"sweeps stones out", sweeps_stones_out},
                   {"may be emptied on the way", may_be_emptied_on_the_way},
                   {"empty ones are valid", empty_ones_are_valid});
}
