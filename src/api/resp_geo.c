/*
 * GEOSEARCH domain:view FROMLONLAT lon lat BYRADIUS r m|km|mi|ft [ASC] [COUNT n] [WITHDIST]
 * [WITHCOORD]: keys of the rows that are nearest to a spot, nearest first.
 */
#include "api/resp_parts.h"

#include <stdlib.h>
#include <string.h>

#include "contracts/near.h"
#include "record/value.h"

enum { COUNT_MAX = 1000 };

struct searching {
    struct sl_view_listing listing; /* first */
    struct sl_near_query near;
    struct api_pending pending;
    struct sl_wait wait;
    struct resp_session *session;
    struct sl_resp_command *command;
    double unit; /* metres */
    bool has_spot, has_radius, has_count, wants_distance, wants_spot;
    char prefix[RESP_PREFIX_MAX];
    size_t prefix_len;
};

static void free_searching(struct api_pending *pending)
{
    struct searching *searching =
        (struct searching *)(void *)((char *)pending - offsetof(struct searching, pending));

    sl_arena_close(&searching->listing.arena);
    resp_release(searching->session);
    free(searching);
}

static void end_searching(struct searching *searching)
{
    sl_resp_finish(searching->command);
    api_pending_remove(&searching->pending);
    free_searching(&searching->pending);
}

/* ---- Answering ----------------------------------------------------------------------------- */

/* A distance has four decimals, as in Redis; a coordinate as many as it needs. */
static void write_number(struct sl_buf *out, bool is_distance, double value)
{
    uint8_t room[48];
    struct sl_buf text = {.ptr = room, .capacity = sizeof room, .bytes_max = sizeof room};

    if (is_distance)
        sl_buf_printf(&text, "%.4f", value);
    else
        sl_value_write_double(&text, value);
    sl_resp_bulk(out, sl_buf_as_text(&text));
}

static void write_row(const struct searching *searching, uint32_t at, struct sl_buf *out)
{
    const struct sl_near_page *page = &searching->listing.nearby;
    const struct sl_text key = page->rows[at].key;
    char full[RESP_PREFIX_MAX + SL_PLACE_BYTES_MAX];
    struct sl_spot spot;

    if (searching->wants_distance || searching->wants_spot)
        sl_resp_array(out, 1u + searching->wants_distance + searching->wants_spot);
    memcpy(full, searching->prefix, searching->prefix_len);
    memcpy(full + searching->prefix_len, key.ptr, key.len);
    sl_resp_bulk(out, (struct sl_text){full, searching->prefix_len + key.len});
    if (searching->wants_distance)
        write_number(out, true, page->metres[at] / searching->unit);
    if (!searching->wants_spot)
        return;
    (void)sl_near_spot(sl_view_table_shape(searching->listing.table), page->rows[at].row, &spot);
    sl_resp_array(out, 2);
    write_number(out, false, spot.lon);
    write_number(out, false, spot.lat);
}

static void found(struct sl_view_listing *listing)
{
    struct searching *searching = (struct searching *)listing;
    struct sl_buf *out = searching->command->out;

    if (listing->err != SL_OK) {
        resp_error(out, "ERR", "%s", listing->error.message);
    } else {
        sl_resp_array(out, listing->nearby.count);
        for (uint32_t i = 0; i < listing->nearby.count; i++)
            write_row(searching, i, out);
    }
    end_searching(searching);
}

static void waited(struct sl_wait *wait, bool reached, uint64_t at)
{
    struct searching *searching = wait->user;

    if (reached) {
        sl_core_saw_reader(searching->session->api->options.core);
        sl_view_list(searching->listing.table, &searching->listing);
        return;
    }
    if (resp_can_reach(wait->view, wait->position, searching->command->out))
        resp_error(searching->command->out, "TIMEOUT", "%s has stored all below %llu",
                   sl_view_table_shape(wait->view)->view->name, (unsigned long long)at);
    end_searching(searching);
}

/* ---- The command --------------------------------------------------------------------------- */

static bool read_unit(struct sl_text word, double *out)
{
    static const struct {
        const char *name;
        double metres;
    } units[] = {{"M", 1}, {"KM", 1000}, {"MI", 1609.34}, {"FT", 0.3048}};

    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (resp_is(word, units[i].name)) {
            *out = units[i].metres;
            return true;
        }
    }
    return false;
}

/* Reads what begins with the word at `at`, which is moved behind it. NULL, or what is wrong. */
static const char *take(struct searching *s, const struct sl_resp_command *command, uint32_t *at)
{
    const struct sl_text *words = command->words + *at;
    const uint32_t left = command->word_count - *at;
    uint64_t count;

    *at += 1;
    if (resp_is(words[0], "ASC")) {
        return NULL;
    } else if (resp_is(words[0], "WITHDIST")) {
        s->wants_distance = true;
    } else if (resp_is(words[0], "WITHCOORD")) {
        s->wants_spot = true;
    } else if (resp_is(words[0], "COUNT") && left > 1) {
        *at += 1;
        s->has_count = sl_url_number(words[1], &count) && count > 0;
        if (!s->has_count)
            return "COUNT is a number from 1 on";
        s->near.limit = count < COUNT_MAX ? (uint32_t)count : COUNT_MAX;
    } else if (resp_is(words[0], "FROMLONLAT") && left > 2) {
        *at += 2;
        s->has_spot = sl_value_read_double(words[1], &s->near.spot.lon) &&
                      sl_value_read_double(words[2], &s->near.spot.lat) &&
                      sl_spot_is_valid(s->near.spot);
        return s->has_spot ? NULL
                           : "FROMLONLAT is a longitude between -180 and 180, then a latitude "
                             "between -90 and 90";
    } else if (resp_is(words[0], "BYRADIUS") && left > 2) {
        *at += 2;
        s->has_radius = sl_value_read_double(words[1], &s->near.within) && s->near.within >= 0 &&
                        read_unit(words[2], &s->unit);
        s->near.within *= s->unit;
        return s->has_radius ? NULL : "BYRADIUS is a number from 0 on and one of m km mi ft";
    } else {
        return "GEOSEARCH domain:view FROMLONLAT longitude latitude BYRADIUS r m|km|mi|ft [ASC] "
               "[COUNT n] [WITHDIST] [WITHCOORD]; other words of Redis are not known here";
    }
    return NULL;
}

static const char *read_words(struct searching *searching, const struct sl_resp_command *command)
{
    const char *wrong = NULL;

    searching->near.limit = COUNT_MAX;
    for (uint32_t at = 2; !wrong && at < command->word_count;)
        wrong = take(searching, command, &at);
    if (!wrong && !searching->has_spot)
        wrong = "FROMLONLAT longitude latitude is missing";
    if (!wrong && !searching->has_radius)
        wrong = "BYRADIUS r m|km|mi|ft is missing";
    return wrong;
}

/* Finds the view of "domain:view". False: an error was written. */
static bool find_view(struct searching *searching, struct resp_session *session,
                      struct sl_text name, struct sl_buf *out)
{
    struct sl_text rest;

    if (name.len + 1 > RESP_PREFIX_MAX) {
        resp_error(out, "ERR", "the key of GEOSEARCH is domain:view");
        return false;
    }
    memcpy(searching->prefix, name.ptr, name.len);
    searching->prefix[name.len] = ':';
    searching->prefix_len = name.len + 1;
    if (!resp_resolve(session, (struct sl_text){searching->prefix, searching->prefix_len}, &rest,
                      out))
        return false;
    const struct sl_view_shape *shape = sl_view_table_shape(session->view);
    if (rest.len == 0 && shape->near[0])
        return true;
    if (rest.len > 0)
        resp_error(out, "ERR", "the key of GEOSEARCH is domain:view");
    else
        resp_error(out, "ERR", "the view %s does not say where its rows are", shape->view->name);
    return false;
}

static void start(struct searching *searching, struct resp_session *session)
{
    struct sl_api *api = session->api;
    struct sl_wait *wait = &searching->wait;

    searching->listing.table = session->view;
    searching->listing.near = &searching->near;
    searching->listing.as_rows = true;
    searching->listing.done = found;
    resp_hold(session);
    api_pending_add(api, &searching->pending, free_searching);
    wait->domain = session->domain;
    wait->view = session->view;
    wait->path = SL_PATH_LIST;
    wait->position = resp_own_position(session);
    wait->until_ns = sl_env_monotonic(api->options.env) + api->options.timeout_ms * 1000000;
    wait->done = waited;
    wait->user = searching;
    if (wait->position > 0)
        sl_view_hurry(session->view);
    sl_core_wait(wait);
}

enum sl_resp_result resp_geosearch(struct resp_session *session, struct sl_resp_command *command)
{
    struct searching *searching = calloc(1, sizeof *searching);

    if (!searching) {
        resp_error(command->out, "ERR", "no memory");
        return SL_RESP_DONE;
    }
    searching->session = session;
    searching->command = command;
    const char *wrong = read_words(searching, command);
    if (wrong)
        resp_error(command->out, "ERR", "%s", wrong);
    if (wrong || !find_view(searching, session, command->words[1], command->out)) {
        free(searching);
        return SL_RESP_DONE;
    }
    start(searching, session);
    return SL_RESP_LATER;
}
