/*
 * Segment files: names, making them, listing them. Raw ones are `…07.seg`, sealed ones
 * `…07.sealed`; where both are there, the sealed one is in force (sealed.c).
 *
 * A file that was filled with zeros but is no segment yet is `spare.seg`; one that is being filled
 * ends in `.tmp`. A segment gets its number by a rename, after its header is durable and before the
 * first batch: so a numbered file always has a whole header, and a crash leaves a spare or a .tmp
 * at most.
 */
#ifndef SL_STORES_LOG_SEGMENT_H
#define SL_STORES_LOG_SEGMENT_H

#include "stores/log/format.h"

#define SL_LOG_SEGMENT_BYTES_MIN (64u << 10)
#define SL_LOG_PATH_MAX 1024u

struct sl_log_folder {
    struct sl_env *env;
    char path[SL_LOG_PATH_MAX - 64];
};

/* The path of a file in the folder; `out` has SL_LOG_PATH_MAX bytes. */
void sl_log_path(const struct sl_log_folder *folder, const char *name, char *out);
void sl_log_segment_path(const struct sl_log_folder *folder, uint64_t number, char *out);

void sl_log_sealed_path(const struct sl_log_folder *folder, uint64_t number, char *out);
void sl_log_sealed_tmp_path(const struct sl_log_folder *folder, uint64_t number, char *out);

#define SL_LOG_SPARE "spare.seg"

struct sl_log_listing {
    uint64_t segment_count; /* raw files */
    uint64_t first, last;   /* their numbers; without gaps when last - first + 1 == segment_count */
    bool has_spare;
    uint64_t sealed_count;  /* sealed files, */
    uint64_t sealed_first, sealed_last; /* and their numbers, likewise */
};

/* Removes what unfinished work left. Only at open: later, the sealer may be at work. */
enum sl_err sl_log_folder_sweep(const struct sl_log_folder *folder,
                                struct sl_error *error) SL_USE_RESULT;

/* Removes the raw files with numbers up to `last`, which are sealed. Only at open. */
enum sl_err sl_log_folder_drop_raw(const struct sl_log_folder *folder, uint64_t last,
                                   struct sl_error *error) SL_USE_RESULT;

enum sl_err sl_log_folder_list(const struct sl_log_folder *folder, struct sl_log_listing *out,
                               struct sl_error *error) SL_USE_RESULT;

/* Writes zeros over [from, until), both multiples of the block size; not durable yet. */
enum sl_err sl_log_zero(struct sl_file *file, uint64_t from, uint64_t until,
                        struct sl_error *error) SL_USE_RESULT;

/* Makes segment head->number durable and opens it for writing: out of the spare if there is a
 * `spare` of head->bytes, else out of a file that is filled now. On failure no batch was written
 * anywhere. */
enum sl_err sl_log_segment_begin(const struct sl_log_folder *folder,
                                 const struct sl_log_segment_head *head, bool spare,
                                 struct sl_file **out, struct sl_error *error) SL_USE_RESULT;

/* Opens a raw segment and reads its header; checks that it is the one of this number. */
enum sl_err sl_log_segment_open(const struct sl_log_folder *folder, uint64_t number,
                                unsigned flags, struct sl_log_segment_head *out_head,
                                struct sl_file **out, struct sl_error *error) SL_USE_RESULT;

struct sl_log_sealed_head;

/* The same of a sealed segment, for reading. */
enum sl_err sl_log_sealed_open(const struct sl_log_folder *folder, uint64_t number,
                               struct sl_log_sealed_head *out_head, struct sl_file **out,
                               struct sl_error *error) SL_USE_RESULT;

#endif
