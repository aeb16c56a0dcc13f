/*
 * Which filter layers are in memory.
 *
 * Each layer halves the number of ids that are looked for in a file in vain, and costs memory in
 * proportion to the file's ids: so the next layer goes where it saves most per byte, until the
 * memory is used up. Small files, the young ones, get all seven; the large ones two or three.
 * A class that says its time is asked for among the youngest files almost alone: in older ones a
 * layer of it counts for little.
 *
 * Layers that are dropped are freed when nobody uses them any more, and only then others take their
 * place: the ceiling holds meanwhile, too.
 */
#include <stdlib.h>

#include "command/ids_builder_parts.h"

enum { YOUNG = 12, OLD_TIMED = 16 };

static double gain(const struct sl_id_set *set, size_t at, unsigned class, unsigned layers)
{
    const struct sl_id_file *file = set->members[at].file;
    double gain = 1.0 / (double)(1u << layers);

    if (class == SL_ID_TIMED && set->count - at > YOUNG)
        gain /= OLD_TIMED;
    return gain / (double)sl_id_file_layer_bytes(file, (enum sl_id_class)class);
}

/* Gives the most useful layer that fits into `left`; false: there is none. */
static bool give_one(struct sl_id_set *set, size_t *left)
{
    double best = 0;
    size_t best_at = 0;
    unsigned best_class = 0;

    for (size_t at = 0; at < set->count; at++) {
        for (unsigned class = 0; class < SL_ID_CLASSES; class++) {
            const struct sl_id_member *member = &set->members[at];
            const size_t bytes = sl_id_file_layer_bytes(member->file, (enum sl_id_class)class);
            if (bytes == 0 || bytes > *left || member->layers[class] == SL_ID_LAYERS)
                continue;
            const double value = gain(set, at, class, member->layers[class]);
            if (value > best) {
                best = value;
                best_at = at;
                best_class = class;
            }
        }
    }
    if (best == 0)
        return false;
    *left -= sl_id_file_layer_bytes(set->members[best_at].file, (enum sl_id_class)best_class);
    set->members[best_at].layers[best_class]++;
    return true;
}

static size_t loaded_bytes(const struct sl_id_file *file)
{
    size_t bytes = sl_id_file_fence_bytes(file);

    for (unsigned class = 0; class < SL_ID_CLASSES; class++)
        bytes += file->filters[class].loaded *
                 sl_id_file_layer_bytes(file, (enum sl_id_class)class);
    return bytes;
}

static size_t memory_now(const struct sl_id_builder *builder)
{
    size_t bytes = 0;

    for (size_t i = 0; i < builder->set.count; i++)
        bytes += loaded_bytes(builder->set.members[i].file);
    for (size_t i = 0; i < builder->garbage_count; i++)
        bytes += loaded_bytes(builder->garbage[i]);
    return bytes;
}

static void want(const struct sl_id_builder *builder, struct sl_id_set *wanted)
{
    size_t left = builder->options.memory_max;

    for (size_t i = 0; i < wanted->count; i++) {
        const size_t fences = sl_id_file_fence_bytes(wanted->members[i].file);
        left = left > fences ? left - fences : 0;
        for (unsigned class = 0; class < SL_ID_CLASSES; class++)
            wanted->members[i].layers[class] = 0;
    }
    while (give_one(wanted, &left))
        continue;
}

static enum sl_err load_member(const struct sl_id_builder *builder,
                               const struct sl_id_member *wanted, struct sl_id_member *member,
                               size_t *used)
{
    struct sl_error error;

    for (unsigned class = 0; class < SL_ID_CLASSES; class++) {
        const size_t bytes = sl_id_file_layer_bytes(member->file, (enum sl_id_class)class);
        /* A layer that is on its way out is still there: it comes back when it is gone. */
        while (member->layers[class] < wanted->layers[class] &&
               member->file->filters[class].loaded == member->layers[class] &&
               *used + bytes <= builder->options.memory_max) {
            const enum sl_err err =
                sl_id_file_load_layer(member->file, (enum sl_id_class)class, &error);
            if (err != SL_OK)
                return err;
            *used += bytes;
            member->layers[class]++;
        }
    }
    return SL_OK;
}

/* SL_CORRUPT: the file at `*at` is damaged. */
static enum sl_err load_wanted(struct sl_id_builder *builder, const struct sl_id_set *wanted,
                               struct sl_id_set *next, size_t *at)
{
    size_t used = memory_now(builder);
    enum sl_err err = SL_OK;

    for (*at = 0; *at < wanted->count; ++*at) {
        err = load_member(builder, &wanted->members[*at], &next->members[*at], &used);
        if (err != SL_OK)
            break;
    }
    return err;
}

void sl_id_fill(struct sl_id_builder *builder, struct sl_id_set *set, size_t at)
{
    struct sl_id_set wanted = *set;
    size_t used = memory_now(builder) + loaded_bytes(set->members[at].file);

    want(builder, &wanted);
    /* What cannot be read now is met again when filters are balanced. */
    (void)!load_member(builder, &wanted.members[at], &set->members[at], &used);
}

static bool same_layers(const struct sl_id_set *a, const struct sl_id_set *b)
{
    for (size_t i = 0; i < a->count; i++)
        for (unsigned class = 0; class < SL_ID_CLASSES; class++)
            if (a->members[i].layers[class] != b->members[i].layers[class])
                return false;
    return true;
}

void sl_id_balance(struct sl_id_builder *builder)
{
    struct sl_id_set wanted = builder->set, next = builder->set;
    size_t at;

    builder->unbalanced = false;
    want(builder, &wanted);
    for (size_t i = 0; i < next.count; i++)
        for (unsigned class = 0; class < SL_ID_CLASSES; class++)
            if (next.members[i].layers[class] > wanted.members[i].layers[class])
                next.members[i].layers[class] = wanted.members[i].layers[class];
    const enum sl_err err = load_wanted(builder, &wanted, &next, &at);
    if (err == SL_CORRUPT) {
        next.count = at;
        sl_id_merge_give_up(builder);
    }
    if (err == SL_CORRUPT || !same_layers(&next, &builder->set))
        sl_id_take_set(builder, &next, err == SL_CORRUPT);
    /* What could not be had for want of memory or of a working disk is tried with the next change
     * of files. */
    if (err != SL_CORRUPT)
        builder->unbalanced = err == SL_OK && builder->change_out && !same_layers(&next, &wanted);
}

void sl_id_trim(struct sl_id_builder *builder)
{
    for (size_t i = 0; i < builder->set.count; i++) {
        struct sl_id_member *member = &builder->set.members[i];
        for (unsigned class = 0; class < SL_ID_CLASSES; class++) {
            struct sl_id_filter *filter = &member->file->filters[class];
            while (filter->loaded > member->layers[class]) {
                free(filter->layers[--filter->loaded]);
                filter->layers[filter->loaded] = NULL;
            }
        }
    }
}
