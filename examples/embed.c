/*
 * The engine inside of a program of your own, without a network: a guest book.
 *
 *     cc embed.c $(pkg-config --cflags --libs sluice) && ./a.out /tmp/guests
 *
 * Run it twice: what was written the first time is there the second time.
 */
#include <sluice/sluice.h>

#include <stdio.h>

struct entry {
    struct sl_text guest;
    struct sl_text words;
};

static const struct sl_record entry_record = SL_RECORD(struct entry,
    SL_FIELD(struct entry, guest, .required = true, .length_max = 40),
    SL_FIELD(struct entry, words, .required = true, .length_max = 500));

static const struct sl_event_type signed_event = {"Signed", 1, &entry_record};

struct page {
    uint32_t entries;
};

static const struct sl_record page_record =
    SL_RECORD(struct page, SL_FIELD(struct page, entries));

static void evolve_page(void *state, const struct sl_event *event)
{
    struct page *page = state;

    (void)event;
    page->entries++;
}

static const struct sl_aggregate pages = {"page", &page_record, evolve_page};

static enum sl_verdict decide_sign(const struct sl_case *c, struct sl_decision *out)
{
    const struct page *page = c->state[0];

    if (page->entries >= 3)
        return sl_refuse(out, "said_enough", "{guest} has signed three times already");
    struct entry *event = sl_emit(out, &signed_event, 0);
    *event = *(const struct entry *)c->command;
    return SL_ACCEPTED;
}

struct guest_row {
    struct sl_text guest;
    struct sl_text last_words;
    uint32_t entries;
};

static const struct sl_record guest_record = SL_RECORD(struct guest_row,
    SL_FIELD(struct guest_row, guest),
    SL_FIELD(struct guest_row, last_words),
    SL_FIELD(struct guest_row, entries));

static void project_guests(const struct sl_event *event, struct sl_rows *rows)
{
    const struct entry *entry = event->body;
    struct guest_row *row = sl_row_edit(rows, &entry->guest);

    if (!row) {
        row = sl_row_put(rows);
        row->guest = entry->guest;
    }
    row->last_words = entry->words;
    row->entries++;
}

static const struct sl_domain guests = {
    .name = "guests",
    .commands = SL_LIST(const struct sl_command,
        { "Sign", &entry_record, decide_sign,
          SL_LIST(const struct sl_need, { &pages, "guest" }) }),
    .events = SL_LIST(const struct sl_event_type *const, &signed_event),
    .views = SL_LIST(const struct sl_view, { "guests", &guest_record, "guest", project_guests }),
};

static void show(const char *what, struct sl_reply *reply)
{
    printf("%s: %d %.*s\n", what, reply->status, (int)reply->body.len, reply->body.ptr);
    sl_reply_close(reply);
}

int main(int argc, char **argv)
{
    const struct sl_domain *const domains[] = {&guests};
    const struct sl_options options = {.data = argc > 1 ? argv[1] : "guests.data",
                                       .domains = {domains, 1}};
    struct sl_error error = {0};
    struct sl_engine *engine;
    struct sl_reply reply;

    if (sl_open(&options, &engine, &error) != SL_OK) {
        fprintf(stderr, "embed: %s\n", error.message);
        return 1;
    }
    const struct sl_text entry =
        SL_TEXT("{\"guest\": \"Ada\", \"words\": \"What a fine engine.\"}");
    enum sl_err err = sl_execute(engine, "guests", "Sign", entry, (struct sl_text){0}, &reply,
                                 &error);
    if (err == SL_OK) {
        const uint64_t position = reply.position;
        show("sign", &reply);
        err = sl_lookup(engine, "guests", "guests", SL_TEXT("Ada"), position, &reply, &error);
        if (err == SL_OK)
            show("guest", &reply);
    }
    if (err != SL_OK)
        fprintf(stderr, "embed: %s\n", error.message);
    sl_close(engine);
    return err != SL_OK;
}
