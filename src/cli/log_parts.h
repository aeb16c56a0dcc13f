/* What the verbs on files share: options, logs, progress, JSON. Private to this folder. */
#ifndef SL_CLI_LOG_PARTS_H
#define SL_CLI_LOG_PARTS_H

#include "base/env.h"
#include "cli/parts.h"
#include "stores/log/inspect.h"

/* ---- Options --------------------------------------------------------------------------------- */

enum cli_option_kind {
    CLI_FLAG,   /* bool */
    CLI_TEXT,   /* const char * */
    CLI_NUMBER, /* uint64_t */
};

struct cli_option {
    const char *name; /* "--from" */
    enum cli_option_kind kind;
    void *target;
};

/* Takes the options out of the words behind argv[0]; other words go to `words`, at most word_max.
 * 0, or SL_EXIT_USAGE, the reason printed. */
int cli_read_options(int argc, char **argv, const struct cli_option *options, size_t option_count,
                     const char **words, int word_max, int *out_word_count);

/* ---- Logs ------------------------------------------------------------------------------------ */

enum { CLI_LOGS_MAX = 64, CLI_PATH_MAX = 1000 };

struct cli_log {
    char name[128];
    char path[CLI_PATH_MAX];
};

struct cli_logs {
    struct sl_env *env;
    struct cli_log logs[CLI_LOGS_MAX];
    size_t count;
};

/* The logs meant by `which`: NULL, all of DATA/logs, by name; a name, that of DATA/logs; a text
 * with a '/' in it, the folder itself. 0, or an exit code, the reason printed. Close it whatever
 * the result. */
int cli_logs_open(const struct sl_cli *cli, const char *which, struct cli_logs *out);
void cli_logs_close(struct cli_logs *logs);

/* Prints the error, returns its exit code. */
int cli_log_failed(const struct sl_error *error);

/* Does a program hold the lock: a server that of its data folder, "sluice.lock", and those of the
 * logs in it, "lock"? Nothing is made. */
bool cli_is_locked(struct sl_env *env, const char *folder, const char *name);

/* ---- Progress -------------------------------------------------------------------------------- */

/* On stderr, when that is a terminal, or with --progress. */
struct cli_progress {
    struct sl_env *env;
    const char *what; /* "bank" */
    uint64_t bytes_total; /* 0: not known */
    bool forced;
    bool shown;
    int64_t next_ns;
};

void cli_progress_step(struct cli_progress *progress, uint64_t bytes_done);
/* Wipes the line. */
void cli_progress_end(struct cli_progress *progress);

/* Bytes of a log's segments, roughly what a walk reads. */
uint64_t cli_log_bytes(struct sl_env *env, const char *path);

/* ---- JSON and text --------------------------------------------------------------------------- */

/* ,"name":value (without the comma at the start of an object). */
void cli_json_u64(struct sl_buf *out, const char *name, uint64_t value);
void cli_json_text(struct sl_buf *out, const char *name, const char *value);
void cli_json_hex(struct sl_buf *out, const char *name, uint64_t value);
void cli_json_bool(struct sl_buf *out, const char *name, bool value);
void cli_json_time(struct sl_buf *out, const char *name, struct sl_time value);
void cli_json_uuid(struct sl_buf *out, const char *name, struct sl_uuid value);
void cli_json_name(struct sl_buf *out, const char *name);
/* The start of an object, "{", with a comma before it where it follows another. */
void cli_json_item(struct sl_buf *out);

/* Writes the buffer to stdout and empties it; false, the reason printed, when that fails. */
bool cli_print(struct sl_buf *out);
/* Text of a size: "1.5 GiB". Lives until the next call but three. */
const char *cli_size(uint64_t bytes);

/* ---- The verbs of `sluice log` --------------------------------------------------------------- */

cli_verb cli_log_stat;
cli_verb cli_log_verify;
cli_verb cli_log_scan;
cli_verb cli_log_dump;
cli_verb cli_log_salvage;
cli_verb cli_log_scavenge;

#endif
