/* The reader: an actor that answers reads, out of an index that notes of the writer extend. */
#ifndef SL_STORES_LOG_READER_H
#define SL_STORES_LOG_READER_H

#include "stores/log/query.h"

struct sl_log_reader {
    struct sl_env *env;
    struct sl_mailbox *mailbox; /* reads and notes come here */
    struct sl_log_known known;  /* the actor's, once it runs */
    enum sl_err failed;         /* the index lacks something: no read is answered any more */
};

/* `cache_bytes` for what sealed segments hold. */
enum sl_err sl_log_reader_init(struct sl_log_reader *reader, const struct sl_log_folder *folder,
                               uint64_t cache_bytes) SL_USE_RESULT;

/* Takes in a batch that the recovery read; before the start. */
enum sl_err sl_log_reader_learn(struct sl_log_reader *reader, const struct sl_log_entry *entry,
                                const uint64_t *keys, size_t key_count,
                                const struct sl_schema *const *schemas,
                                size_t schema_count) SL_USE_RESULT;

/* The same of a sealed segment. */
enum sl_err sl_log_reader_learn_sealed(struct sl_log_reader *reader,
                                       const struct sl_log_sealed_head *head,
                                       const struct sl_schema *const *schemas,
                                       size_t schema_count) SL_USE_RESULT;

enum sl_err sl_log_reader_start(struct sl_log_reader *reader, struct sl_env *env,
                                struct sl_error *error) SL_USE_RESULT;

/* A segment that is sealed, from the sealer to the reader. Comes back to message.reply_to when the
 * reader has changed over and holds nothing of the raw file; err: it has not, and never will. */
struct sl_log_handover {
    struct sl_message message;
    struct sl_log_sealed_head head;
    enum sl_err err;
};

/* Any thread; `reader` is its mailbox. */
void sl_log_reader_hand_over(struct sl_mailbox *reader, struct sl_log_handover *handover);

/* The sealer's question which group of segments has no file (groups.h), and what became of the one
 * before. Comes back to message.reply_to. */
struct sl_log_lack {
    struct sl_message message;
    bool tried;      /* to make the group below; */
    enum sl_err err; /* with this result */
    unsigned level;  /* answer, with SL_OK */
    size_t index;
    enum sl_err answer; /* SL_OK: this one; SL_BUSY: ask again; SL_NOT_FOUND: none */
};

/* Any thread; `reader` is its mailbox. */
void sl_log_reader_ask(struct sl_mailbox *reader, struct sl_log_lack *lack);

/* Answers a read out of memory, on the caller's thread, if the reader rests. `note`: what is
 * durable and not told to the reader yet; it is taken in, and left empty. NULL: nothing. False:
 * nothing of the answer is filled in. */
bool sl_log_reader_now(struct sl_log_reader *reader, struct sl_log_note *note,
                       struct sl_read *read);

/* Hands a read over. */
void sl_log_reader_read(struct sl_log_reader *reader, struct sl_read *read);

/* Answers what is waiting, and releases all. Also for one that was not started. */
void sl_log_reader_close(struct sl_log_reader *reader);

#endif
