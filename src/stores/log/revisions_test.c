/* Revisions of many streams in little memory. */
#include "stores/log/revisions.h"
#include "tap/tap.h"

#include <stdio.h>

enum { STREAMS = 5000, ROUNDS = 4 };

static enum sl_err feed(struct sl_log_revisions *revisions, unsigned stream, uint64_t revision,
                        uint64_t *out_expected)
{
    char name[32];
    const int len = snprintf(name, sizeof name, "account/%u", stream);

    return sl_log_revisions_take(revisions, (struct sl_text){name, (size_t)len}, revision,
                                 out_expected);
}

/* One pass over a log of STREAMS streams with ROUNDS events each; in `wrong`, one event has a
 * revision too many. */
static unsigned pass(struct sl_log_revisions *revisions, unsigned wrong)
{
    unsigned found = 0;

    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned stream = 0; stream < STREAMS; stream++) {
            uint64_t expected = 99;
            const uint64_t revision = round + (round == 2 && stream == wrong);
            const enum sl_err err = feed(revisions, stream, revision, &expected);
            if (err == SL_CORRUPT) {
                CHECK_U64(stream, wrong);
                found += expected == 2;
                CHECK(feed(revisions, stream, 2, &expected) == SL_OK);
            } else {
                CHECK_U64(err, SL_OK);
            }
        }
    return found;
}

static unsigned check_all(size_t bytes_max, unsigned wrong, unsigned *out_passes)
{
    struct sl_log_revisions revisions;
    unsigned found = 0;

    sl_log_revisions_init(&revisions, bytes_max);
    do
        found += pass(&revisions, wrong);
    while (sl_log_revisions_again(&revisions));
    *out_passes = revisions.passes;
    sl_log_revisions_close(&revisions);
    return found;
}

static void every_stream_is_checked_whatever_the_memory(void)
{
    static const size_t sizes[] = {0, 10000, 50000, 200000, 10 << 20};
    unsigned passes = 0;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        CHECK_U64(check_all(sizes[i], STREAMS, &passes), 0);
        CHECK((passes == 1) == (sizes[i] == 10 << 20));
        /* Each wrong one is found, and in one pass only, wherever its hash puts it. */
        for (unsigned wrong = 0; wrong < 12; wrong++)
            CHECK_U64(check_all(sizes[i], wrong * 401, &passes), 1);
    }
    tap_note("%u passes in the largest table", passes);
}

static void memory_stays_below_the_ceiling(void)
{
    struct sl_log_revisions revisions;

    sl_log_revisions_init(&revisions, 100000);
    (void)pass(&revisions, STREAMS);
    CHECK(revisions.capacity * 24 <= 100000);
    CHECK(revisions.count <= revisions.capacity / 4 * 3);
    CHECK(revisions.put_off_count > 0);
    sl_log_revisions_close(&revisions);
}

int main(void)
{
    return TAP_RUN({"every stream is checked, whatever the memory",
                    every_stream_is_checked_whatever_the_memory},
                   {"memory stays below the ceiling", memory_stays_below_the_ceiling});
}
