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

void sl_log_reader_init(struct sl_log_reader *reader, const struct sl_log_folder *folder);

/* Takes in a batch that the recovery read; before the start. */
enum sl_err sl_log_reader_learn(struct sl_log_reader *reader,
                                const struct sl_log_entry *entry, const uint64_t *keys,
                                size_t key_count, const struct sl_schema *const *schemas,
                                size_t schema_count) SL_USE_RESULT;

enum sl_err sl_log_reader_start(struct sl_log_reader *reader, struct sl_env *env,
                                struct sl_error *error) SL_USE_RESULT;

/* Hands a read over. */
void sl_log_reader_read(struct sl_log_reader *reader, struct sl_read *read);

/* Answers what is waiting, and releases all. Also for one that was not started. */
void sl_log_reader_close(struct sl_log_reader *reader);

#endif
