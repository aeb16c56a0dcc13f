/*
 * Which build of a view serves.
 *
 * Build 0 is DOMAIN.VIEW.db, build N is DOMAIN.VIEW.N.db. The file DOMAIN.VIEW.serving names the
 * one that serves; without it that is build 0:
 *
 *     sluice view build 1
 *     3 0123456789abcdef
 *
 * the format's version, then the number and XXH64 of both lines up to the sum. It is written beside
 * itself, synced and renamed: that rename is the one moment in which one build takes the place of
 * another, and a power loss finds the old file or the new. What it names was made durable before.
 *
 * All builds but the serving one and those at work are leavings of an interrupted build, or of one
 * that was not removed in time: they go when the view is opened. A pointer that cannot be read
 * names nothing: the view starts over in a build that was never there (P7).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "stores/sqlite/parts.h"

enum { POINTER_BYTES_MAX = 64, POINTER_PATH_MAX = SL_SQLITE_PATH_MAX + 300 };

static const char head[] = "sluice view build 1\n";
static const char *const tails[] = {"-wal", "-journal", "-shm", ""};

/* ---- The pointer ----------------------------------------------------------------------------- */

static void pointer_path(const struct sl_sqlite_place *place, const struct sl_view_shape *shape,
                         const char *tail, char *out)
{
    snprintf(out, POINTER_PATH_MAX, "%s/%s.%s.serving%s", place->folder, shape->domain,
             shape->view->name, tail);
}

static size_t pointer_text(uint64_t build, char *out)
{
    const size_t len = (size_t)snprintf(out, POINTER_BYTES_MAX, "%s%" PRIu64 " ", head, build);
    const uint64_t sum = sl_hash64(out, len, 0);

    return len + (size_t)snprintf(out + len, POINTER_BYTES_MAX - len, "%016" PRIx64 "\n", sum);
}

/* SL_NOT_FOUND: there is none. SL_CORRUPT: it cannot be read. */
static enum sl_err read_pointer(const struct sl_sqlite_place *place,
                                const struct sl_view_shape *shape, uint64_t *out,
                                struct sl_error *error)
{
    char path[POINTER_PATH_MAX], text[POINTER_BYTES_MAX + 1], same[POINTER_BYTES_MAX];
    struct sl_file *file = NULL;
    size_t len = 0;

    pointer_path(place, shape, "", path);
    enum sl_err err = sl_disk_open(place->env, path, SL_OPEN_READ, &file, error);
    if (err != SL_OK)
        return err;
    err = sl_file_read(file, 0, text, POINTER_BYTES_MAX, &len, error);
    sl_file_close(file);
    if (err != SL_OK)
        return err;
    text[len] = '\0';
    const size_t head_len = sizeof head - 1;
    if (strncmp(text, "sluice view build ", 18) == 0 && strncmp(text, head, head_len) != 0)
        return sl_fail(error, SL_UNSUPPORTED,
                       "%s is of a newer format: use a newer program, or delete the view's files "
                       "to have it rebuilt",
                       path);
    const uint64_t build = len > head_len ? strtoull(text + head_len, NULL, 10) : 0;
    if (pointer_text(build, same) != len || memcmp(same, text, len) != 0)
        return sl_fail(error, SL_CORRUPT, "%s is damaged", path);
    *out = build;
    return SL_OK;
}

static enum sl_err write_pointer(const struct sl_sqlite_place *place,
                                 const struct sl_view_shape *shape, uint64_t build,
                                 struct sl_error *error)
{
    char path[POINTER_PATH_MAX], fresh[POINTER_PATH_MAX], text[POINTER_BYTES_MAX];
    struct sl_file *file = NULL;

    pointer_path(place, shape, "", path);
    pointer_path(place, shape, ".new", fresh);
    const size_t len = pointer_text(build, text);
    enum sl_err err =
        sl_disk_open(place->env, fresh, SL_OPEN_WRITE | SL_OPEN_CREATE, &file, error);
    if (err != SL_OK)
        return err;
    err = sl_file_truncate(file, 0, error);
    if (err == SL_OK)
        err = sl_file_write(file, 0, text, len, error);
    if (err == SL_OK)
        err = sl_file_sync(file, error);
    sl_file_close(file);
    if (err == SL_OK)
        err = sl_disk_rename(place->env, fresh, path, error);
    return err != SL_OK ? err : sl_disk_sync_folder(place->env, place->folder, error);
}

/* ---- Files of builds ------------------------------------------------------------------------- */

void sl_sqlite_build_path(const struct sl_sqlite_place *place, const struct sl_view_shape *shape,
                          char *out, size_t size, int *out_len)
{
    *out_len = shape->build == 0
                   ? snprintf(out, size, "%s/%s.%s.db", place->folder, shape->domain,
                              shape->view->name)
                   : snprintf(out, size, "%s/%s.%s.%" PRIu64 ".db", place->folder, shape->domain,
                              shape->view->name, shape->build);
}

/* Of a pointer that was not finished. */
static bool is_of_pointer(const struct sl_view_shape *shape, const char *name)
{
    char unfinished[300];

    snprintf(unfinished, sizeof unfinished, "%s.%s.serving.new", shape->domain,
             shape->view->name);
    return strcmp(name, unfinished) == 0;
}

/* Is this the name of a file of one of the view's builds? */
static bool is_of_build(const struct sl_view_shape *shape, const char *name, uint64_t *out)
{
    char start[300];
    const char *rest;

    const int len = snprintf(start, sizeof start, "%s.%s.", shape->domain, shape->view->name);
    if (strncmp(name, start, (size_t)len) != 0)
        return false;
    rest = name + len;
    *out = 0;
    if (*rest >= '1' && *rest <= '9') {
        char *end = NULL;
        *out = strtoull(rest, &end, 10);
        if (*end != '.')
            return false;
        rest = end + 1;
    }
    if (strncmp(rest, "db", 2) != 0)
        return false;
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++)
        if (strcmp(rest + 2, tails[i]) == 0)
            return true;
    return false;
}

struct sweep {
    struct sl_view_store *store;
    const struct sl_view_shape *shape;
    uint64_t keep;
    uint64_t highest;
    bool removes;
    bool removed;
    enum sl_err err;
    struct sl_error *error;
};

static void visit(void *context, const char *name)
{
    struct sweep *sweep = context;
    const struct sl_sqlite_place *place = &((struct sl_sqlite_store *)sweep->store)->place;
    char path[POINTER_PATH_MAX];
    uint64_t build;

    if (is_of_build(sweep->shape, name, &build)) {
        if (build > sweep->highest)
            sweep->highest = build;
        if (build == sweep->keep || sl_sqlite_is_attached(sweep->store, sweep->shape, build))
            return;
    } else if (!is_of_pointer(sweep->shape, name)) {
        return;
    }
    if (!sweep->removes || sweep->err != SL_OK)
        return;
    SL_MARK("sqlite: an interrupted build removed");
    snprintf(path, sizeof path, "%s/%s", place->folder, name);
    sweep->removed = true;
    sweep->err = sl_disk_remove(place->env, path, sweep->error);
    if (sweep->err == SL_NOT_FOUND)
        sweep->err = SL_OK;
}

static enum sl_err walk(struct sweep *sweep)
{
    const struct sl_sqlite_place *place = &((struct sl_sqlite_store *)sweep->store)->place;
    const enum sl_err err =
        sl_disk_list(place->env, place->folder, visit, sweep, sweep->error);

    return err != SL_OK ? err : sweep->err;
}

enum sl_err sl_sqlite_serving(struct sl_view_store *store, const struct sl_view_shape *shape,
                              uint64_t *out, struct sl_error *error)
{
    const struct sl_sqlite_place *place = &((struct sl_sqlite_store *)store)->place;
    struct sweep sweep = {.store = store, .shape = shape, .error = error};
    enum sl_err err = read_pointer(place, shape, &sweep.keep, error);

    if (err == SL_CORRUPT) {
        SL_MARK("sqlite: no pointer that can be read");
        if ((err = walk(&sweep)) == SL_OK) {
            sweep.keep = sweep.highest + 1;
            err = write_pointer(place, shape, sweep.keep, error);
        }
    } else if (err == SL_NOT_FOUND) {
        err = SL_OK;
    }
    sweep.removes = true;
    if (err == SL_OK)
        err = walk(&sweep);
    if (err == SL_OK && sweep.removed)
        err = sl_disk_sync_folder(place->env, place->folder, error);
    if (err == SL_OK)
        *out = sweep.keep;
    return err;
}

enum sl_err sl_sqlite_remove_build(struct sl_view_store *store, const struct sl_view_shape *shape,
                                   struct sl_error *error)
{
    const struct sl_sqlite_place *place = &((struct sl_sqlite_store *)store)->place;
    char path[POINTER_PATH_MAX], file[POINTER_PATH_MAX + 16];
    int len;

    sl_sqlite_build_path(place, shape, path, sizeof path, &len);
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        snprintf(file, sizeof file, "%s%s", path, tails[i]);
        const enum sl_err err = sl_disk_remove(place->env, file, error);
        if (err != SL_OK && err != SL_NOT_FOUND)
            return err;
    }
    return sl_disk_sync_folder(place->env, place->folder, error);
}

/* ---- Changing over --------------------------------------------------------------------------- */

enum sl_err sl_sqlite_settle(struct sl_sqlite_db *db, struct sl_error *error)
{
    /* Whatever the readers allow to be moved, the log's file is synced first. */
    return sl_sqlite_exec(db, "PRAGMA wal_checkpoint(PASSIVE)", "make it durable", error);
}

enum sl_err sl_sqlite_point_at(struct sl_view_store *store, const struct sl_view_shape *shape,
                               struct sl_error *error)
{
    const struct sl_sqlite_place *place = &((struct sl_sqlite_store *)store)->place;
    uint64_t before = 0;
    enum sl_err err = read_pointer(place, shape, &before, error);

    if (err != SL_OK && err != SL_NOT_FOUND && err != SL_CORRUPT)
        return err;
    if ((err = sl_disk_sync_folder(place->env, place->folder, error)) != SL_OK)
        return err;
    err = write_pointer(place, shape, shape->build, error);
    /* It may have been renamed and not be durable: who is told of a failure goes on with the build
     * that he had, and so should a restart. Where this fails, too, the view starts over then. */
    if (err != SL_OK)
        (void)write_pointer(place, shape, before, NULL);
    return err;
}
