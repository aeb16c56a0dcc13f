/*
 * An id file: which outcome of the log each of many command ids had. See ids_file.c for the format.
 *
 * It holds no id and no outcome, only a print of each id (46 bits of a keyed hash, and its class)
 * and the outcome's cursor in the log (SL_READ_OUTCOMES): whoever meets a print asks the
 * log. So it is derived data (L4, P7), and a thirtieth of what it stands for.
 *
 * An open file does not change, but for filter layers that one thread loads and drops behind what
 * it has told the others of. Any thread may look prints up.
 */
#ifndef SL_COMMAND_IDS_FILE_H
#define SL_COMMAND_IDS_FILE_H

#include "base/env.h"
#include "command/ids_filter.h"

enum {
    SL_ID_PAGE = 4096,
    SL_ID_PAGE_ENTRIES = 371,
    SL_ID_PATH_MAX = 512,
};

struct sl_id_head {
    struct sl_uuid log;
    uint64_t salt;     /* of the reign that wrote it */
    uint64_t position; /* all below was durable then; not above the end of that reign */
    uint64_t seed;     /* of the prints; one for all files of a folder */
    uint64_t key;      /* random: a page of another file is not taken for one of this */
    uint64_t first, end; /* cursors of the outcomes it knows: all in [first, end) */
    uint64_t witness;  /* of the outcome end - 1 (sl_id_witness): another history has another */
    int64_t newest_s;  /* no outcome is younger */
    int64_t timed_from_s, timed_to_s; /* when SL_ID_TIMED ones were decided; to < from: none */
    uint64_t counts[SL_ID_CLASSES];   /* their sum is end - first */
};

struct sl_id_entry {
    uint64_t print;
    uint64_t cursor;
};

struct sl_id_file {
    struct sl_id_head head;
    uint64_t number; /* its name */
    struct sl_file *file;
    uint32_t *fences; /* high 32 bits of each page's first print */
    size_t page_count;
    struct sl_id_filter filters[SL_ID_CLASSES];
};

void sl_id_file_path(const char *folder, uint64_t number, char out[SL_ID_PATH_MAX]);

/* Opens, and reads the head and the fences. SL_CORRUPT, SL_UNSUPPORTED (a newer version),
 * SL_NOT_FOUND, SL_IO, SL_NO_MEMORY. */
enum sl_err sl_id_file_open(struct sl_env *env, const char *folder, uint64_t number,
                            struct sl_id_file **out, struct sl_error *error) SL_USE_RESULT;
void sl_id_file_close(struct sl_id_file *file); /* NULL is allowed */

/* Reads a class's next filter layer into memory. Errors as above. */
enum sl_err sl_id_file_load_layer(struct sl_id_file *file, enum sl_id_class class,
                                  struct sl_error *error) SL_USE_RESULT;

/* Bytes of memory that one more filter layer of a class takes, and those of the fences. */
size_t sl_id_file_layer_bytes(const struct sl_id_file *file, enum sl_id_class class);
size_t sl_id_file_fence_bytes(const struct sl_id_file *file);

/* Finds the cursors of a print: at most `room` of them to `cursors`, their number to `*count`.
 * Reads a page, rarely more. SL_LIMIT: more than `room`. SL_CORRUPT, SL_IO. Any thread. */
enum sl_err sl_id_file_find(const struct sl_id_file *file, uint64_t print, uint64_t *cursors,
                            size_t room, size_t *count, struct sl_error *error) SL_USE_RESULT;

/* ---- Reading all of it ----------------------------------------------------------------------- */

struct sl_id_scan {
    const struct sl_id_file *file;
    uint8_t *pages;
    size_t next_page;   /* of the file, behind those in memory */
    size_t loaded, at;  /* pages in memory; the one at hand */
    size_t entry, entry_count;
    uint64_t last;
};

enum sl_err sl_id_scan_open(struct sl_id_scan *scan, const struct sl_id_file *file) SL_USE_RESULT;
/* The next entry in order of prints. SL_NOT_FOUND: that was all. SL_CORRUPT, SL_IO. */
enum sl_err sl_id_scan_next(struct sl_id_scan *scan, struct sl_id_entry *out,
                            struct sl_error *error) SL_USE_RESULT;
void sl_id_scan_close(struct sl_id_scan *scan);

/* ---- Writing --------------------------------------------------------------------------------- */

struct sl_id_file_writer;

/* Begins a file under a temporary name. All of `head` is known beforehand. */
enum sl_err sl_id_file_create(struct sl_env *env, const char *folder, uint64_t number,
                              const struct sl_id_head *head, struct sl_id_file_writer **out,
                              struct sl_error *error) SL_USE_RESULT;
/* Prints must not fall; their number and classes are as the head says. */
enum sl_err sl_id_file_add(struct sl_id_file_writer *writer, struct sl_id_entry entry,
                           struct sl_error *error) SL_USE_RESULT;
/* Makes it durable and gives it its name, durable too. Frees the writer, also on failure, which
 * leaves no file of that name that anybody would believe. */
enum sl_err sl_id_file_finish(struct sl_id_file_writer *writer,
                              struct sl_error *error) SL_USE_RESULT;
void sl_id_file_abandon(struct sl_id_file_writer *writer); /* NULL is allowed */

#endif
