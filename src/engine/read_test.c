/*
 * Reads in slices. What shows that a long read does not hold up the others is not a clock but the
 * mailbox: other mail is handled before the read goes on.
 */
#include "engine/core.h"
#include "tap/tap.h"

#include <string.h>

enum { EVENTS_MAX = 2000, OTHER = 1 };

static struct sl_core core;
static struct sl_core_domain domain = {.core = &core};
static struct sl_stored_event stored[EVENTS_MAX];
static size_t given, decoded, most_decoded, turns;
static size_t fails_at; /* SIZE_MAX: nowhere */
static bool is_done;

/* What read.c asks of the rest. */
bool sl_event_store_read(struct sl_event_store *store, struct sl_read *read)
{
    (void)store;
    read->events = stored;
    read->event_count = given;
    sl_mailbox_post(core.options.mailbox, &read->message);
    return false;
}

static enum sl_err decode(const struct sl_stored_event *event)
{
    decoded++;
    return (size_t)(event - stored) == fails_at ? SL_CORRUPT : SL_OK;
}

enum sl_err sl_core_event_json(struct sl_core_domain *of, const struct sl_stored_event *event,
                               struct sl_buf *out)
{
    (void)of;
    sl_buf_byte(out, 'e');
    return decode(event);
}

enum sl_err sl_core_event_decode(const struct sl_core_domain *of,
                                 const struct sl_stored_event *event, struct sl_arena *arena,
                                 struct sl_event *out, struct sl_error *error)
{
    static const struct sl_event_type type = {.name = "Happened"};

    (void)of, (void)arena, (void)error;
    out->type = &type;
    return decode(event);
}

void sl_core_saw_reader(struct sl_core *seen)
{
    (void)seen;
}

static void done(struct sl_core_read *read)
{
    (void)read;
    is_done = true;
}

/* Turns of the engine until the read is done; in each somebody else has posted something, too. */
static void run(struct sl_core_read *read)
{
    struct sl_message others[EVENTS_MAX];

    decoded = most_decoded = turns = 0;
    is_done = false;
    read->domain = &domain;
    read->done = done;
    sl_core_read(read);
    while (!is_done && turns < EVENTS_MAX) {
        const size_t before = decoded;
        others[turns] = (struct sl_message){.kind = OTHER};
        sl_mailbox_post(core.options.mailbox, &others[turns++]);
        struct sl_message *mail = sl_mailbox_take_all(core.options.mailbox);
        size_t reads = 0;
        for (struct sl_message *next; mail; mail = next) {
            next = mail->next;
            if (mail->kind == SL_CORE_READ && ++reads)
                sl_core_read_done(mail);
        }
        CHECK_U64(reads, 1);
        most_decoded = decoded - before > most_decoded ? decoded - before : most_decoded;
    }
    CHECK(is_done && !sl_mailbox_has_mail(core.options.mailbox));
}

static void reads_in_slices(void)
{
    static const struct {
        const char *name;
        size_t events, body, most, turns;
    } table[] = {
        {"nothing", 0, 0, 0, 1},
        {"one", 1, 10, 1, 1},
        {"a slice", 64, 10, 64, 1},
        {"a slice and one", 65, 10, 64, 2},
        {"the most", 1000, 100, 64, 16},
        {"large bodies", 20, 64 << 10, 1, 20},
        {"middling", 100, 16 << 10, 4, 25},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        for (int as_events = 0; as_events < 2; as_events++) {
            struct sl_core_read read = {.as_events = as_events == 1};
            memset(stored, 0, sizeof stored);
            for (size_t at = 0; at < table[i].events; at++)
                stored[at].body.len = table[i].body;
            given = table[i].events;
            fails_at = SIZE_MAX;
            SL_BUF_LITERAL(&read.json, "[");
            run(&read);
            bool good = CHECK(read.read.err == SL_OK);
            good &= CHECK_U64(decoded, table[i].events);
            good &= CHECK_U64(most_decoded, table[i].most);
            good &= CHECK_U64(turns, table[i].turns);
            good &= CHECK_U64(read.event_count, table[i].events);
            const size_t commas = given > 0 ? given - 1 : 0;
            good &= CHECK_U64(read.json.len, 1 + (as_events ? 0 : given + commas));
            if (!good)
                tap_note("%s, as events: %d", table[i].name, as_events);
            sl_core_read_close(&read);
        }
    }
}

static void leaves_out_stones(void)
{
    struct sl_core_read read = {0};

    memset(stored, 0, sizeof stored);
    given = 70;
    fails_at = SIZE_MAX;
    for (size_t i = 0; i < 70; i++)
        stored[i].is_stone = i % 7 != 5;
    run(&read);
    CHECK_U64(read.event_count, 10);
    CHECK_TEXT(sl_buf_as_text(&read.json), "e,e,e,e,e,e,e,e,e,e");
    sl_core_read_close(&read);
}

static void ends_at_what_is_broken(void)
{
    struct sl_core_read read = {0};

    memset(stored, 0, sizeof stored);
    given = 1000;
    fails_at = 100;
    run(&read);
    CHECK(read.read.err == SL_CORRUPT);
    CHECK_U64(decoded, 101);
    CHECK_U64(turns, 2);
    sl_core_read_close(&read);
}

/* Who looks at the stored events himself gets them at once. */
static void gives_them_as_stored(void)
{
    struct sl_core_read read = {.as_stored = true};

    given = 1000;
    run(&read);
    CHECK_U64(turns, 1);
    CHECK_U64(decoded, 0);
    CHECK_U64(read.read.event_count, 1000);
}

int main(void)
{
    if (sl_mailbox_new(NULL, NULL, &core.options.mailbox) != SL_OK)
        return 1;
    const int code =
        TAP_RUN({"slices", reads_in_slices}, {"stones", leaves_out_stones},
                {"a broken event", ends_at_what_is_broken}, {"as stored", gives_them_as_stored});
    sl_mailbox_free(core.options.mailbox);
    return code;
}
