#include "stores/log/reader.h"

enum {
    /* Above the caller's bits of message.kind. */
    NOTE = 0,
    READ = 1,
    SEALED = 2,
    LACK = 3,
    LOOKS_MAX = 16, /* at files of groups, for one answer: reads wait behind it */
};

enum sl_err sl_log_reader_init(struct sl_log_reader *reader, const struct sl_log_folder *folder,
                               uint64_t cache_bytes)
{
    *reader = (struct sl_log_reader){0};
    return sl_log_known_init(&reader->known, folder, cache_bytes);
}

enum sl_err sl_log_reader_learn(struct sl_log_reader *reader, const struct sl_log_entry *entry,
                                const uint64_t *keys, size_t key_count,
                                const struct sl_schema *const *schemas, size_t schema_count)
{
    enum sl_err err = SL_OK;

    for (size_t i = 0; i < schema_count && err == SL_OK; i++)
        err = sl_log_known_schema(&reader->known, schemas[i]);
    if (err == SL_OK)
        err = sl_log_known_learn(&reader->known, entry, keys, key_count);
    return err;
}

enum sl_err sl_log_reader_learn_sealed(struct sl_log_reader *reader,
                                       const struct sl_log_sealed_head *head,
                                       const struct sl_schema *const *schemas, size_t schema_count)
{
    enum sl_err err = SL_OK;

    for (size_t i = 0; i < schema_count && err == SL_OK; i++)
        err = sl_log_known_schema(&reader->known, schemas[i]);
    return err == SL_OK ? sl_log_known_shelve(&reader->known, head) : err;
}

/* ---- The actor ------------------------------------------------------------------------------- */

/* How many of the keys belong to the first `event_count` events. */
static size_t keys_of(const uint64_t *keys, uint32_t event_count)
{
    size_t count = 0;

    for (uint32_t i = 0; i < event_count; i++)
        count += 1 + sl_log_mark_keys(keys[count]);
    return count;
}

static void learn_note(struct sl_log_reader *reader, struct sl_log_note *note)
{
    const uint64_t *keys = note->keys.items;
    enum sl_err err = reader->failed;

    for (size_t i = 0; i < note->schema_count && err == SL_OK; i++)
        err = sl_log_known_schema(&reader->known, note->schemas[i]);
    for (size_t i = 0; i < note->entry_count && err == SL_OK; i++) {
        const size_t key_count = keys_of(keys, note->entries[i].event_count);
        err = sl_log_known_learn(&reader->known, &note->entries[i], keys, key_count);
        if (key_count > 0) /* NULL + 0 is undefined */
            keys += key_count;
    }
    reader->failed = err;
    sl_log_note_empty(note);
}

static void take_note(struct sl_log_reader *reader, struct sl_log_note *note)
{
    learn_note(reader, note);
    sl_mailbox_post(note->message.reply_to, &note->message);
}

/* From here on reads go to the sealed file. */
static void take_sealed(struct sl_log_reader *reader, struct sl_log_handover *handover)
{
    handover->err = reader->failed;
    if (handover->err == SL_OK)
        handover->err = sl_log_known_shelve(&reader->known, &handover->head);
    sl_mailbox_post(handover->message.reply_to, &handover->message);
}

static void take_lack(struct sl_log_reader *reader, struct sl_log_lack *lack)
{
    struct sl_log_shelf *shelf = &reader->known.shelf;

    /* A group of damaged segments is not tried again before the next open. */
    if (lack->tried && lack->err != SL_CORRUPT && lack->err != SL_UNSUPPORTED)
        sl_log_groups_made(shelf, lack->level, lack->index, lack->err == SL_OK);
    lack->tried = false;
    lack->answer = sl_log_groups_lacking(shelf, LOOKS_MAX, &lack->level, &lack->index);
    sl_mailbox_post(lack->message.reply_to, &lack->message);
}

static void step(void *self, struct sl_message *message)
{
    struct sl_log_reader *reader = self;

    if (message->kind >> SL_STORE_KIND_BITS == NOTE) {
        take_note(reader, (struct sl_log_note *)message);
        return;
    }
    if (message->kind >> SL_STORE_KIND_BITS == SEALED) {
        take_sealed(reader, (struct sl_log_handover *)message);
        return;
    }
    if (message->kind >> SL_STORE_KIND_BITS == LACK) {
        take_lack(reader, (struct sl_log_lack *)message);
        return;
    }
    struct sl_read *read = (struct sl_read *)message;
    message->kind &= (UINT32_C(1) << SL_STORE_KIND_BITS) - 1;
    /* An index that lacks a batch would skip events (P1). */
    if (reader->failed != SL_OK)
        read->err = sl_fail(&read->error, reader->failed,
                            "no memory for the log's index: start "
                            "again with more");
    else
        sl_log_query(&reader->known, read);
    sl_mailbox_post(message->reply_to, message);
}

enum sl_err sl_log_reader_start(struct sl_log_reader *reader, struct sl_env *env,
                                struct sl_error *error)
{
    const struct sl_actor actor = {"log-reader", reader, step, NULL, false};

    reader->env = env;
    return sl_env_start(env, &actor, &reader->mailbox, error);
}

bool sl_log_reader_now(struct sl_log_reader *reader, struct sl_log_note *note, struct sl_read *read)
{
    bool done = false;

    if (!sl_env_borrow(reader->env, reader->mailbox))
        return false;
    if (note)
        learn_note(reader, note);
    if (reader->failed == SL_OK)
        done = sl_log_query_memory(&reader->known, read);
    sl_env_give_back(reader->env, reader->mailbox);
    return done;
}

void sl_log_reader_read(struct sl_log_reader *reader, struct sl_read *read)
{
    read->message.kind |= (uint32_t)READ << SL_STORE_KIND_BITS;
    sl_mailbox_post(reader->mailbox, &read->message);
}

void sl_log_reader_hand_over(struct sl_mailbox *reader, struct sl_log_handover *handover)
{
    handover->message.kind = (uint32_t)SEALED << SL_STORE_KIND_BITS;
    sl_mailbox_post(reader, &handover->message);
}

void sl_log_reader_ask(struct sl_mailbox *reader, struct sl_log_lack *lack)
{
    lack->message.kind = (uint32_t)LACK << SL_STORE_KIND_BITS;
    sl_mailbox_post(reader, &lack->message);
}

void sl_log_reader_close(struct sl_log_reader *reader)
{
    if (reader->mailbox)
        sl_env_stop(reader->env, reader->mailbox);
    sl_log_known_close(&reader->known);
    *reader = (struct sl_log_reader){0};
}
