/* What the files of the builder share. Nobody else includes this. */
#ifndef SL_COMMAND_IDS_BUILDER_PARTS_H
#define SL_COMMAND_IDS_BUILDER_PARTS_H

#include "command/ids_manifest.h"

enum { SL_ID_FAN = 8 };

/* Consecutive files on their way to be one. */
struct sl_id_merge {
    bool on;
    size_t first, count; /* members of the set */
    struct sl_id_scan scans[SL_ID_FAN];
    struct sl_id_entry entries[SL_ID_FAN];
    bool ended[SL_ID_FAN];
    uint64_t number;
    struct sl_id_file_writer *writer;
};

/* Owned by the builder's actor, but for `change` while it is out. */
struct sl_id_builder {
    struct sl_id_builder_options options;
    char folder[SL_ID_PATH_MAX];
    struct sl_mailbox *mailbox, *looker;
    struct sl_id_change change;
    bool change_out;
    struct sl_uuid log;
    struct sl_id_set set; /* as the manifest has it */
    uint64_t next_number;
    struct sl_message *jobs, **jobs_end;
    struct sl_id_file *garbage[2 * SL_ID_FILES_MAX]; /* unused when the change is home */
    size_t garbage_count;
    bool unbalanced; /* filters in memory are not those that there should be */
    struct sl_id_merge merge;
    int64_t retry_ns; /* after a failure */
    struct sl_id_builder_numbers numbers;
};

/* Writes the manifest of a set; then that is the set, what it lacks of the old one becomes garbage,
 * and the owner is told. The change must be at home. On failure nothing has happened. */
enum sl_err sl_id_commit(struct sl_id_builder *builder, const struct sl_id_set *set,
                         struct sl_error *error) SL_USE_RESULT;
/* Takes a set that is shorter, for damage or not, or has other layers, and tells the owner. */
void sl_id_take_set(struct sl_id_builder *builder, const struct sl_id_set *set, bool damaged);

/* ids_merge.c: begins a merge if one is due; goes on with it for a while, and commits it. */
void sl_id_merge_begin(struct sl_id_builder *builder);
void sl_id_merge_step(struct sl_id_builder *builder);
void sl_id_merge_give_up(struct sl_id_builder *builder);
enum sl_err sl_id_flush(struct sl_id_builder *builder, const struct sl_id_job *job,
                        struct sl_error *error) SL_USE_RESULT;

/* ids_balance.c: loads and drops filter layers such that the memory is used best. */
void sl_id_balance(struct sl_id_builder *builder);
/* Loads layers of a file that is to join the set, as far as there is memory for them now. */
void sl_id_fill(struct sl_id_builder *builder, struct sl_id_set *set, size_t at);
/* Frees layers that the set does not name. */
void sl_id_trim(struct sl_id_builder *builder);

#endif
