#include "conformance/view_near_suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "record/specimen.h"
#include "tap/tap.h"

static const struct view_store_bench *bench;

enum { TAXIS_MAX = 4000 };

struct taxi {
    int64_t id;
    struct sl_text name;
    bool has_lat;
    double lat;
    struct sl_decimal lon;
};

static const struct sl_record taxi_record =
    SL_RECORD(struct taxi, SL_FIELD(struct taxi, id), SL_FIELD(struct taxi, name),
              SL_FIELD(struct taxi, lat, SL_HAS(struct taxi, has_lat)), SL_FIELD(struct taxi, lon));

/* Tables differ with the key and with the search: all of them have places. */
static const struct sl_view views[] = {
    {"taxis", &taxi_record, "id", .near = "lat, lon"},
    {"taxis", &taxi_record, "name, id", .near = "lat,lon",
     .indexes = SL_LIST(const struct sl_index, {"near", "lon"})},
    {"taxis", &taxi_record, "name", .search = "name", .near = " lat , lon "},
};

struct fixture {
    struct sl_env *env;
    struct sl_view_store_options options;
    struct sl_view_store *store;
    struct sl_view_reader *reader;
    struct sl_view_shape shape;
    struct sl_arena names;
    struct sl_arena arena; /* of one call */
    struct sl_error error;
    uint64_t seed;
    uint64_t position;
    struct taxi taxis[TAXIS_MAX];
    bool is_gone[TAXIS_MAX];
    size_t count;
};

static struct fixture f;

static bool good(enum sl_err err)
{
    if (err != SL_OK)
        tap_note("%d: %s", (int)err, f.error.message);
    return err == SL_OK;
}

static bool begin(const struct sl_view *view)
{
    const char *seed = getenv("SLUICE_SEED");
    struct sl_checkpoint found;

    f = (struct fixture){.seed = seed ? strtoull(seed, NULL, 10) : 5};
    tap_note("seed %llu", (unsigned long long)f.seed);
    f.env = bench->start(&f.options);
    return CHECK(good(sl_view_shape_init(&f.shape, "test", view, &f.error))) &&
           CHECK(good(sl_view_store_open(bench->ops, f.env, &f.options, &f.store, &f.error))) &&
           CHECK(good(sl_view_store_attach(f.store, &f.shape, &found, &f.error))) &&
           CHECK(good(sl_view_reader_open(f.store, &f.reader, &f.error)));
}

static void end(void)
{
    sl_view_reader_close(f.reader);
    sl_view_store_close(f.store);
    bench->stop(f.env);
    sl_arena_close(&f.names);
    sl_arena_close(&f.arena);
}

static uint64_t below(uint64_t end_of)
{
    return specimen_random(&f.seed) % end_of;
}

static double between(double low, double high)
{
    return low + (high - low) * (double)below(1000001) / 1000000;
}

/* Puts or, of those that are gone, removes `count` taxis from `first` on, in one transaction. */
static bool put(size_t first, size_t count)
{
    struct sl_row_change *changes = sl_arena_zeroed(&f.arena, count, sizeof *changes);
    const struct sl_checkpoint checkpoint = {{{1}}, 77, ++f.position, 1, f.shape.digest};

    for (size_t i = 0; i < count; i++) {
        const struct taxi *taxi = &f.taxis[first + i];
        struct sl_buf key = {0};
        if (!CHECK(changes && sl_place_write(&f.shape.key, taxi, &key) == SL_OK))
            return false;
        changes[i] =
            (struct sl_row_change){sl_arena_text(&f.arena, sl_buf_as_text(&key)),
                                   f.is_gone[first + i] ? NULL : taxi, checkpoint.position};
        sl_buf_close(&key);
    }
    const bool done =
        CHECK(good(sl_view_store_apply(f.store, &f.shape, changes, count, &checkpoint, &f.error)));
    sl_arena_reset(&f.arena);
    return done;
}

static void add(double lat, double lon)
{
    struct taxi *taxi = &f.taxis[f.count];

    *taxi = (struct taxi){.id = (int64_t)f.count, .has_lat = true, .lat = lat};
    taxi->lon = (struct sl_decimal){llround(lon * 10000000), 7};
    taxi->name = sl_arena_printf(&f.names, "t%05zu", f.count);
    f.count++;
}

static struct sl_spot spot_of(const struct taxi *taxi)
{
    return (struct sl_spot){taxi->lat, (double)taxi->lon.unscaled / 10000000};
}

static bool ask(const struct sl_near_query *query, struct sl_near_page *page)
{
    sl_arena_reset(&f.arena);
    if (!good(sl_view_reader_begin(f.reader, &f.error)))
        return false;
    const enum sl_err err =
        sl_view_reader_near(f.reader, &f.shape, query, &f.arena, page, &f.error);
    sl_view_reader_end(f.reader);
    return good(err);
}

static int compare(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

/* The distances that going through all rows finds; returns how many of them are wanted. */
static size_t wanted(const struct sl_near_query *query, double *out)
{
    size_t count = 0;

    for (size_t i = 0; i < f.count; i++) {
        const struct sl_spot spot = spot_of(&f.taxis[i]);
        if (f.is_gone[i] || !f.taxis[i].has_lat || !sl_spot_is_valid(spot))
            continue;
        const double metres = sl_earth_metres(query->spot, spot);
        if (metres <= query->within)
            out[count++] = metres;
    }
    qsort(out, count, sizeof *out, compare);
    return count < query->limit ? count : query->limit;
}

/* Is the answer what going through all rows finds? */
static bool is_right(const struct sl_near_query *query)
{
    static double metres[TAXIS_MAX];
    static bool seen[TAXIS_MAX];
    const size_t count = wanted(query, metres);
    struct sl_near_page page;
    struct sl_buf key = {0};
    bool right = CHECK(ask(query, &page)) && CHECK_U64(page.count, count) && CHECK(page.exact) &&
                 CHECK_U64(page.checkpoint.position, f.position);

    memset(seen, 0, sizeof seen);
    for (size_t i = 0; right && i < count; i++) {
        const struct taxi *taxi = page.rows[i].row;
        sl_buf_reset(&key);
        right = CHECK(page.metres[i] == metres[i]) && CHECK(!seen[taxi->id]) &&
                CHECK(!f.is_gone[taxi->id]) &&
                CHECK(sl_earth_metres(query->spot, spot_of(&f.taxis[taxi->id])) == metres[i]) &&
                CHECK(sl_place_write(&f.shape.key, taxi, &key) == SL_OK &&
                      sl_text_equals(page.rows[i].key, sl_buf_as_text(&key)));
        seen[taxi->id] = true;
    }
    if (!right)
        tap_note("of %.7f %.7f, %u within %f", query->spot.lat, query->spot.lon, query->limit,
                 query->within);
    sl_buf_close(&key);
    return right;
}

/* Everywhere, and more of them where maps end: at the poles, and on both sides of 180 degrees. */
static void add_anywhere(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        switch (below(6)) {
        case 0:
            add(between(88, 90) * (below(2) ? 1 : -1), between(-180, 180));
            break;
        case 1:
            add(between(-60, 60), between(179, 180) * (below(2) ? 1 : -1));
            break;
        case 2:
            add(below(2) ? 90 : -90, (double)below(5) * 90 - 180);
            break;
        case 3:
            add(between(52.4, 52.6), between(13.3, 13.5));
            break;
        default:
            add(between(-90, 90), between(-180, 180));
        }
    }
}

static struct sl_near_query random_query(void)
{
    static const struct sl_spot edges[] = {{90, 0}, {-90, 77}, {0, 180},    {0, -180},
                                           {0, 0},  {90, 180}, {-90, -180}, {51.3, 180}};
    struct sl_spot known = spot_of(&f.taxis[below(f.count)]);
    struct sl_near_query query = {.within = INFINITY, .limit = 1 + (uint32_t)below(50)};

    known.lat = fmin(90, known.lat); /* of one without a place */
    switch (below(4)) {
    case 0:
        query.spot = edges[below(sizeof edges / sizeof *edges)];
        break;
    case 1:
        query.spot = (struct sl_spot){between(-90, 90), between(-180, 180)};
        break;
    case 2:
        query.spot = known;
        break;
    default:
        query.spot =
            (struct sl_spot){fmax(-90, fmin(90, known.lat + between(-0.1, 0.1))), known.lon};
    }
    if (below(2) > 0)
        query.within = pow(10, between(2, 7));
    return query;
}

static void the_nearest_are_what_going_through_all_finds(void)
{
    for (size_t v = 0; v < sizeof views / sizeof *views; v++) {
        REQUIRE(begin(&views[v]));
        add_anywhere(1200);
        for (size_t i = 0; i < f.count; i += 40)
            f.taxis[i].has_lat = false;
        REQUIRE(put(0, f.count));
        for (int round = 0; round < 250; round++) {
            const struct sl_near_query query = random_query();
            if (!is_right(&query))
                break;
        }
        const struct sl_near_query all = {{12, 34}, INFINITY, 1000};
        CHECK(is_right(&all));
        /* They move, go, lose their place, or get one that there is not. */
        for (size_t i = 0; i < 300; i++) {
            f.taxis[i].lat = between(-90, 92);
            f.taxis[i].has_lat = below(8) > 0;
            f.is_gone[i] = below(5) == 0;
        }
        REQUIRE(put(0, 300));
        for (int round = 0; round < 100; round++) {
            const struct sl_near_query query = random_query();
            if (!is_right(&query))
                break;
        }
        REQUIRE(good(sl_view_store_clear(f.store, &f.shape, &f.error)));
        f.position = 0;
        f.count = 0;
        CHECK(is_right(&all));
        end();
    }
}

/* How much is looked at for so many of what is nearest to a spot. */
static uint64_t looked(double lat, double lon, uint32_t limit)
{
    const struct sl_near_query query = {{lat, lon}, INFINITY, limit};
    struct sl_near_page page = {0};

    CHECK(ask(&query, &page) && page.exact && page.count == limit);
    tap_note("%u near %.4f %.4f: %llu looks", limit, lat, lon, (unsigned long long)page.looked);
    return page.looked;
}

static void all_at_one_place(void)
{
    const struct sl_near_query query = {{0, 0}, INFINITY, 20};
    struct sl_near_page page;

    REQUIRE(begin(&views[0]));
    for (size_t i = 0; i < TAXIS_MAX; i++)
        add(47.5, 19.05);
    REQUIRE(put(0, f.count));
    CHECK(looked(47.5, 19.05, 1) < 700);
    CHECK(looked(47.5, 19.05, 100) < 800);
    CHECK(looked(-47.5, -160.95, 100) < 1200);
    REQUIRE(ask(&query, &page));
    for (uint32_t i = 0; i < page.count; i++)
        CHECK(((const struct taxi *)page.rows[i].row)->id == i); /* in the order of the key */
    end();
}

static void dense_places_cost_no_more(void)
{
    uint64_t few, many;

    REQUIRE(begin(&views[1]));
    for (size_t i = 0; i < 200; i++)
        add(between(-80, 80), between(-180, 180));
    REQUIRE(put(0, 200));
    few = looked(52.5, 13.4, 10);
    /* Thousands within some metres. */
    while (f.count < TAXIS_MAX)
        add(between(52.49995, 52.50005), between(13.39995, 13.40005));
    REQUIRE(put(200, f.count - 200));
    many = looked(52.5, 13.4, 10);
    CHECK(many < few + 600);
    CHECK(looked(52.5, 13.4, 1) < 700);
    CHECK(looked(10, 10, 10) < 2000);
    CHECK(looked(52.5, 13.4, 1000) < 12 * 1000);
    const struct sl_near_query here = {{52.5, 13.4}, 3, 500};
    CHECK(is_right(&here));
    end();
}

/* A ring of rows, all as far from its middle: no order of cells helps. The work has its bound, and
 * the answer says so. */
static void a_ring_is_bounded(void)
{
    const struct sl_near_query query = {{90, 0}, INFINITY, 5};
    struct sl_near_page page;

    REQUIRE(begin(&views[0]));
    for (size_t i = 0; i < TAXIS_MAX; i++)
        add(60, (double)i * 0.09 - 180);
    REQUIRE(put(0, f.count));
    REQUIRE(ask(&query, &page));
    tap_note("%llu looks, %s", (unsigned long long)page.looked, page.exact ? "exact" : "not exact");
    CHECK(page.count == 5 && !page.exact && page.looked <= SL_NEAR_LOOKS(5));
    for (uint32_t i = 0; i < page.count; i++)
        CHECK(fabs(page.metres[i] - 30 * 111195.08) < 1);
    end();
}

static void what_is_wrong_is_refused(void)
{
    static const struct {
        struct sl_near_query query;
        const char *says;
    } queries[] = {
        {{{91, 0}, INFINITY, 1}, "latitude"},  {{{0, -181}, INFINITY, 1}, "longitude"},
        {{{NAN, 0}, INFINITY, 1}, "latitude"}, {{{0, 0}, -1, 1}, "within"},
        {{{0, 0}, NAN, 1}, "within"},          {{{0, 0}, INFINITY, 0}, "limit"},
        {{{0, 0}, INFINITY, 1001}, "limit"},
    };
    static const struct {
        const char *near, *says;
    } wrong[] = {{"lat", "two fields"},     {"lat, lon, id", "two fields"}, {"", "no field"},
                 {"lat, height", "height"}, {"name, lon", "name must be"},  {"lat, lat", "are one"},
                 {"lat lon", "two fields"}};
    struct sl_near_page page;
    struct sl_view_shape shape;

    REQUIRE(begin(&views[0]));
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        REQUIRE(good(sl_view_reader_begin(f.reader, &f.error)));
        CHECK(sl_view_reader_near(f.reader, &f.shape, &queries[i].query, &f.arena, &page,
                                  &f.error) == SL_INVALID);
        sl_view_reader_end(f.reader);
        CHECK(strstr(f.error.message, queries[i].says));
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const struct sl_view view = {"taxis", &taxi_record, "id", .near = wrong[i].near};
        CHECK(sl_view_shape_init(&shape, "test", &view, &f.error) == SL_INVALID);
        if (!CHECK(strstr(f.error.message, wrong[i].says)))
            tap_note("%s", f.error.message);
    }
    /* Another place is another build; none is what it was. */
    const struct sl_view none = {"taxis", &taxi_record, "id"};
    REQUIRE(good(sl_view_shape_init(&shape, "test", &none, &f.error)));
    CHECK(shape.digest != f.shape.digest && !shape.near[0]);
    end();
}

int view_near_suite(const struct view_store_bench *of)
{
    bench = of;
    return TAP_RUN({"the nearest are what going through all rows finds",
                    the_nearest_are_what_going_through_all_finds},
                   {"all at one place", all_at_one_place},
                   {"dense places cost no more", dense_places_cost_no_more},
                   {"a ring is bounded", a_ring_is_bounded},
                   {"what is wrong is refused", what_is_wrong_is_refused});
}
