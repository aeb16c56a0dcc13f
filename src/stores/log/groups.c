#include "stores/log/groups.h"

#include "stores/log/shelf.h"

#include <stdlib.h>
#include <string.h>

/* In the cache of pages, groups have numbers that no segment has. */
static uint64_t number_in_cache(unsigned level, size_t index)
{
    return UINT64_C(1) << 63 | (uint64_t)level << 56 | index;
}

enum sl_err sl_log_groups_grow(struct sl_log_groups *groups, size_t segment_count)
{
    for (unsigned level = 0; level < SL_LOG_GROUP_LEVELS; level++) {
        const size_t count = segment_count >> sl_log_group_shift(level);
        if (count <= groups->capacities[level])
            continue;
        const size_t capacity = count * 2;
        struct sl_log_group *list = realloc(groups->levels[level], capacity * sizeof *list);
        if (!list)
            return SL_NO_MEMORY;
        memset(list + groups->counts[level], 0, (capacity - groups->counts[level]) * sizeof *list);
        groups->levels[level] = list;
        groups->capacities[level] = capacity;
    }
    for (unsigned level = 0; level < SL_LOG_GROUP_LEVELS; level++)
        groups->counts[level] = segment_count >> sl_log_group_shift(level);
    return SL_OK;
}

static void close_file(struct sl_log_groups *groups, struct sl_log_group *group)
{
    if (!group->file)
        return;
    sl_file_close(group->file);
    group->file = NULL;
    groups->open_count--;
}

void sl_log_groups_close(struct sl_log_groups *groups)
{
    for (unsigned level = 0; level < SL_LOG_GROUP_LEVELS; level++) {
        for (size_t i = 0; i < groups->counts[level]; i++)
            close_file(groups, &groups->levels[level][i]);
        free(groups->levels[level]);
    }
    *groups = (struct sl_log_groups){0};
}

/* ---- Files ----------------------------------------------------------------------------------- */

static void close_least_used(struct sl_log_groups *groups)
{
    struct sl_log_group *oldest = NULL;

    for (unsigned level = 0; level < SL_LOG_GROUP_LEVELS; level++)
        for (size_t i = 0; i < groups->counts[level]; i++) {
            struct sl_log_group *group = &groups->levels[level][i];
            if (group->file && (!oldest || group->used < oldest->used))
                oldest = group;
        }
    SL_ASSERT(oldest);
    close_file(groups, oldest);
}

static bool open_file(struct sl_log_shelf *shelf, unsigned level, size_t index)
{
    struct sl_log_group *group = &shelf->groups.levels[level][index];
    char name[SL_LOG_GROUP_NAME_MAX], path[SL_LOG_PATH_MAX];
    struct sl_error ignored = {0};

    group->used = ++shelf->clock;
    if (group->file)
        return true;
    if (shelf->groups.open_count == SL_LOG_GROUPS_FILES_MAX)
        close_least_used(&shelf->groups);
    sl_log_group_name(level, index, name);
    sl_log_path(shelf->folder, name, path);
    if (sl_disk_open(shelf->folder->env, path, SL_OPEN_READ, &group->file, &ignored) != SL_OK)
        return false;
    shelf->groups.open_count++;
    return true;
}

static bool read_page(const struct sl_log_group *group, uint64_t number, uint8_t *page)
{
    struct sl_error ignored = {0};
    size_t got = 0;

    return sl_file_read(group->file, number * SL_LOG_PAGE, page, SL_LOG_PAGE, &got, &ignored) ==
               SL_OK &&
           got == SL_LOG_PAGE;
}

/* Out of use; the sealer makes it again, perhaps with another number of pages, to which those that
 * are remembered of this one do not belong. */
static void lose(struct sl_log_shelf *shelf, unsigned level, size_t index)
{
    struct sl_log_group *group = &shelf->groups.levels[level][index];

    close_file(&shelf->groups, group);
    group->state = SL_LOG_GROUP_LACKING;
    sl_log_cache_forget(&shelf->pages, number_in_cache(level, index));
}

/* Is there a file with the one header that is right? */
static void look_at(struct sl_log_shelf *shelf, unsigned level, size_t index)
{
    struct sl_log_group *group = &shelf->groups.levels[level][index];
    const unsigned shift = sl_log_group_shift(level);
    struct sl_log_group_sum sum = {0};
    uint8_t block[SL_LOG_BLOCK];

    for (size_t i = index << shift; i < (index + 1) << shift; i++)
        sl_log_group_add(&sum, &shelf->segments[i].head);
    if (!sl_log_group_end(&sum)) {
        group->state = SL_LOG_GROUP_GIVEN_UP;
        return;
    }
    if (!open_file(shelf, level, index)) {
        group->state = SL_LOG_GROUP_LACKING;
    } else if (!read_page(group, 0, block) || !sl_log_group_head_check(block, &sum.head)) {
        SL_MARK("log: not this group");
        lose(shelf, level, index);
    } else {
        group->has_parts = sum.head.version != SL_LOG_GROUP_VERSION_OLD;
        group->page_count = sum.head.page_count;
        group->identity = sum.head.identity;
        group->state = SL_LOG_GROUP_HERE;
    }
}

/* ---- Lookups --------------------------------------------------------------------------------- */

/* The filter page of a hash, through the shelf's cache; NULL: it can't be had. */
static const uint8_t *get_page(struct sl_log_shelf *shelf, unsigned level, size_t index,
                               uint64_t hash)
{
    struct sl_log_group *group = &shelf->groups.levels[level][index];
    const uint32_t number = 1 + sl_log_filter_page(hash, group->page_count);
    const uint64_t file = number_in_cache(level, index);
    uint32_t count;
    bool hit;

    struct sl_log_cached *slot = sl_log_cache_slot(&shelf->pages, file, number, &hit);
    slot->used = ++shelf->clock;
    if (hit)
        return slot->bytes;
    if (shelf->memory_only)
        return NULL;
    if (!sl_log_slot_room(slot, SL_LOG_PAGE))
        return NULL;
    if (!open_file(shelf, level, index) || !read_page(group, number, slot->bytes) ||
        !sl_log_page_check(slot->bytes, group->identity, number, SL_LOG_PAGES_FILTER, &count)) {
        SL_MARK("log: damage met in a group");
        lose(shelf, level, index);
        return NULL;
    }
    shelf->groups.page_reads++;
    slot->segment = file;
    slot->number = number;
    slot->len = SL_LOG_PAGE;
    return slot->bytes;
}

unsigned sl_log_groups_parts(struct sl_log_shelf *shelf, unsigned level, size_t index,
                             uint64_t hash)
{
    struct sl_log_group *group = &shelf->groups.levels[level][index];
    unsigned parts = 0;

    SL_ASSERT(index < shelf->groups.counts[level], "L4");
    if (group->state == SL_LOG_GROUP_UNKNOWN && !shelf->memory_only)
        look_at(shelf, level, index);
    if (group->state != SL_LOG_GROUP_HERE)
        return SL_LOG_GROUP_UNKNOWN_PARTS;
    if (group->page_count == 0)
        return 0;
    const uint8_t *page = get_page(shelf, level, index, hash);
    if (!page)
        return SL_LOG_GROUP_UNKNOWN_PARTS;
    if (!sl_log_filter_has(page, sl_log_group_hash(hash)))
        return 0;
    if (!group->has_parts)
        return SL_LOG_GROUP_UNKNOWN_PARTS;
    for (unsigned part = 0; part < SL_LOG_GROUP_PARTS; part++)
        if (sl_log_filter_has(page, sl_log_group_part_hash(hash, part)))
            parts |= 1u << part;
    return parts;
}

/* ---- What is lacking ------------------------------------------------------------------------- */

enum sl_err sl_log_groups_lacking(struct sl_log_shelf *shelf, unsigned looks_max,
                                  unsigned *out_level, size_t *out_index)
{
    struct sl_log_groups *groups = &shelf->groups;
    unsigned looks = 0;

    for (unsigned level = 0; level < SL_LOG_GROUP_LEVELS; level++)
        for (size_t i = 0; i < groups->counts[level]; i++) {
            struct sl_log_group *group = &groups->levels[level][i];
            if (group->state == SL_LOG_GROUP_UNKNOWN) {
                if (looks++ == looks_max)
                    return SL_BUSY;
                look_at(shelf, level, i);
            }
            if (group->state != SL_LOG_GROUP_LACKING)
                continue;
            group->state = SL_LOG_GROUP_GIVEN_UP;
            *out_level = level;
            *out_index = i;
            return SL_OK;
        }
    return SL_NOT_FOUND;
}

void sl_log_groups_made(struct sl_log_shelf *shelf, unsigned level, size_t index, bool made)
{
    struct sl_log_group *group = &shelf->groups.levels[level][index];

    SL_ASSERT(group->state == SL_LOG_GROUP_GIVEN_UP, "T1");
    group->state = SL_LOG_GROUP_LACKING;
    if (!made)
        return;
    look_at(shelf, level, index);
    /* A disk that does not keep what is written to it is not written to again and again. */
    if (group->state == SL_LOG_GROUP_LACKING)
        group->state = SL_LOG_GROUP_GIVEN_UP;
}
