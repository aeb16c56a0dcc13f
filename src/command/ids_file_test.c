/* Id files alone: what is written is found, what is damaged is known to be. */
#include "command/ids_file.h"

#include <string.h>

#include "base/env_sim.h"
#include "base/hash.h"
#include "tap/tap.h"

enum { FIRST = 5000 };

static struct sl_env *env;

static void begin(void)
{
    struct sl_error error;

    CHECK(sl_env_sim_new(3, &env) == SL_OK);
    CHECK(sl_disk_make_folder(env, "ids", &error) == SL_OK);
}

/* Sorted prints: `per_class` of each class, spread evenly; where `tight`, all but a few alike in
 * their high bits, as only somebody who knew the seed could make them. */
static uint64_t print_of(size_t i, size_t per_class, bool tight)
{
    const uint64_t all = UINT64_C(1) << SL_ID_HASH_BITS;
    const uint64_t at = i % per_class;

    return (uint64_t)(i / per_class) << SL_ID_HASH_BITS |
           (tight ? all / 2 + at / 2 : at * (all / per_class) + 17);
}

static struct sl_id_file *make(size_t per_class, bool tight)
{
    const size_t count = per_class * SL_ID_CLASSES;
    const struct sl_id_head head = {.key = 9, .seed = 4, .first = FIRST, .end = FIRST + count,
                                    .counts = {per_class, per_class, per_class}};
    struct sl_id_file_writer *writer;
    struct sl_id_file *file = NULL;
    struct sl_error error;

    if (!CHECK(sl_id_file_create(env, "ids", 1, &head, &writer, &error) == SL_OK))
        return NULL;
    for (size_t i = 0; i < count; i++)
        CHECK(sl_id_file_add(writer,
                             (struct sl_id_entry){print_of(i, per_class, tight), FIRST + i},
                             &error) == SL_OK);
    CHECK(sl_id_file_finish(writer, &error) == SL_OK);
    CHECK(sl_id_file_open(env, "ids", 1, &file, &error) == SL_OK);
    for (unsigned class = 0; file && class < SL_ID_CLASSES; class++)
        for (unsigned i = 0; i < SL_ID_LAYERS; i++)
            CHECK(sl_id_file_load_layer(file, (enum sl_id_class)class, &error) == SL_OK);
    return file;
}

static bool passes(const struct sl_id_file *file, uint64_t print, unsigned layers)
{
    return sl_id_filter_passes(&file->filters[sl_id_print_class(print)], layers, print);
}

static void finds_all(void)
{
    static const size_t sizes[] = {1, 2, 123, 124, 371, 5000, 130000};
    uint64_t cursors[4];
    struct sl_error error;
    size_t count;

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (int tight = 0; tight < 2; tight++) {
            begin();
            struct sl_id_file *file = make(sizes[s], tight == 1);
            REQUIRE(file != NULL);
            for (size_t i = 0; i < sizes[s] * SL_ID_CLASSES; i += 1 + sizes[s] / 500) {
                const uint64_t print = print_of(i, sizes[s], tight == 1);
                bool good = CHECK(passes(file, print, SL_ID_LAYERS));
                good = good && CHECK(sl_id_file_find(file, print, cursors, 4, &count, &error) ==
                                     SL_OK);
                bool met = false;
                for (size_t k = 0; good && k < count; k++)
                    met = met || cursors[k] == FIRST + i;
                CHECK(met);
                CHECK(count <= (tight ? 2u : 1u));
            }
            sl_id_file_close(file);
            sl_env_free(env);
        }
    }
}

static void layers_halve(void)
{
    enum { PER_CLASS = 100000, TRIES = 200000 };
    uint64_t passed[SL_ID_LAYERS + 1] = {0};

    begin();
    struct sl_id_file *file = make(PER_CLASS, false);
    REQUIRE(file != NULL);
    for (uint64_t i = 0; i < TRIES; i++) {
        const uint64_t print = sl_id_print(sl_hash64(&i, sizeof i, 1), SL_ID_STRAY);
        for (unsigned layers = 0; layers <= SL_ID_LAYERS; layers++)
            passed[layers] += passes(file, print, layers);
    }
    CHECK_U64(passed[0], TRIES);
    for (unsigned layers = 1; layers <= SL_ID_LAYERS; layers++) {
        const double share = (double)passed[layers] / (double)passed[layers - 1];
        if (!CHECK(share > 0.45 && share < 0.55))
            tap_note("layer %u passes %.3f", layers, share);
    }
    sl_id_file_close(file);
    sl_env_free(env);
}

/* One byte of every page, and the size: nothing of it is answered from any more. */
static void damage_is_known(void)
{
    struct sl_error error;
    struct sl_slice bytes;
    uint64_t cursors[4];
    size_t count, known = 0;

    begin();
    struct sl_id_file *file = make(2000, false);
    REQUIRE(file != NULL);
    sl_id_file_close(file);
    REQUIRE(sl_sim_disk_peek(env, "ids/0000000000000001.ids", &bytes) == SL_OK);
    const size_t size = bytes.len;
    for (size_t at = 100; at < size; at += 1000) {
        uint8_t byte;
        REQUIRE(sl_sim_disk_peek(env, "ids/0000000000000001.ids", &bytes) == SL_OK);
        byte = bytes.ptr[at] ^ 4;
        REQUIRE(sl_sim_disk_poke(env, "ids/0000000000000001.ids", at,
                                 (struct sl_slice){&byte, 1}) == SL_OK);
        bool refused = sl_id_file_open(env, "ids", 1, &file, &error) == SL_CORRUPT;
        if (!refused) {
            for (unsigned class = 0; class < SL_ID_CLASSES; class++)
                for (unsigned i = 0; i < SL_ID_LAYERS; i++)
                    refused = refused || sl_id_file_load_layer(file, (enum sl_id_class)class,
                                                               &error) != SL_OK;
            for (size_t i = 0; i < 6000; i += 50) {
                const enum sl_err err = sl_id_file_find(file, print_of(i, 2000, false), cursors, 4,
                                                        &count, &error);
                refused = refused || err == SL_CORRUPT;
                CHECK(err == SL_CORRUPT || (count == 1 && cursors[0] == FIRST + i));
            }
            sl_id_file_close(file);
        }
        CHECK(refused);
        known += refused;
        byte ^= 4;
        REQUIRE(sl_sim_disk_poke(env, "ids/0000000000000001.ids", at,
                                 (struct sl_slice){&byte, 1}) == SL_OK);
    }
    CHECK(known > 60);
    sl_env_free(env);
}

/* The power fails at each write, sync and rename: the file is there whole, or not believed. */
static void power_fails(void)
{
    struct sl_error error;
    struct sl_id_file *file;
    unsigned whole = 0;

    for (uint64_t nth = 1; nth < 60; nth++) {
        const struct sl_id_head head = {.key = nth, .first = 0, .end = 900, .counts = {900, 0, 0}};
        struct sl_id_file_writer *writer;
        begin();
        sl_sim_power_loss_at(env, nth);
        enum sl_err err = sl_id_file_create(env, "ids", 1, &head, &writer, &error);
        for (size_t i = 0; i < 900 && err == SL_OK; i++)
            err = sl_id_file_add(writer, (struct sl_id_entry){print_of(i, 900, false), i}, &error);
        if (sl_sim_power_is_out(env) && err != SL_OK && nth > 2)
            sl_id_file_abandon(writer);
        else if (err == SL_OK)
            err = sl_id_file_finish(writer, &error);
        sl_sim_power_loss(env);
        const enum sl_err opened = sl_id_file_open(env, "ids", 1, &file, &error);
        CHECK(opened == SL_OK || opened == SL_CORRUPT || opened == SL_NOT_FOUND);
        CHECK(err != SL_OK || opened == SL_OK); /* what was finished is there */
        if (opened == SL_OK) {
            struct sl_id_scan scan;
            struct sl_id_entry entry;
            size_t count = 0;
            REQUIRE(sl_id_scan_open(&scan, file) == SL_OK);
            while (sl_id_scan_next(&scan, &entry, &error) == SL_OK)
                CHECK_U64(entry.cursor, count++);
            CHECK_U64(count, 900);
            sl_id_scan_close(&scan);
            sl_id_file_close(file);
            whole++;
        }
        sl_env_free(env);
    }
    CHECK(whole > 10);
}

static void classes(void)
{
    static const struct {
        uint8_t version, variant;
        int64_t skew_s;
        enum sl_id_class class;
    } table[] = {
        {0x40, 0x80, 0, SL_ID_PLAIN},   {0x70, 0x80, 0, SL_ID_TIMED},
        {0x70, 0x40, 0, SL_ID_PLAIN},   {0x70, 0xB0, 60, SL_ID_TIMED},
        {0x70, 0x80, -60, SL_ID_TIMED}, {0x70, 0x80, 62, SL_ID_STRAY},
        {0x70, 0x80, -62, SL_ID_STRAY}, {0x80, 0x80, 0, SL_ID_PLAIN},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct sl_uuid id = {{0}};
        const int64_t ms = (1800000000 + table[i].skew_s) * 1000;
        for (int k = 0; k < 6; k++)
            id.bytes[k] = (uint8_t)((uint64_t)ms >> (40 - 8 * k));
        id.bytes[6] = table[i].version;
        id.bytes[8] = table[i].variant;
        CHECK_U64(sl_id_classify(id, 1800000000), table[i].class);
    }
}

int main(void)
{
    return TAP_RUN({"what is written is found", finds_all},
                   {"each layer of a filter halves what passes", layers_halve},
                   {"damage is known", damage_is_known},
                   {"the power fails", power_fails},
                   {"classes of ids", classes});
}
