#include "stores/log/footer.h"

#include <stdlib.h>
#include <string.h>

enum {
    DIGIT_BITS = 8,
    DIGITS = 5, /* of the 40 bits that a short hash keeps */
};

static bool grow(void *items, size_t *capacity, size_t count, size_t size)
{
    const size_t room = *capacity > 0 ? *capacity * 2 : 64;
    void *old, *larger;
    size_t bytes;

    if (count <= *capacity)
        return true;
    memcpy(&old, items, sizeof old); /* object pointers look alike, whatever they point to */
    if (__builtin_mul_overflow(room, size, &bytes) || !(larger = realloc(old, bytes)))
        return false;
    memcpy(items, &larger, sizeof larger);
    *capacity = room;
    return true;
}

bool sl_log_footer_place(struct sl_log_footer *footer, const struct sl_log_place *place)
{
    if (!grow(&footer->places, &footer->place_capacity, footer->place_count + 1, sizeof *place))
        return false;
    footer->places[footer->place_count++] = *place;
    return true;
}

bool sl_log_footer_pair(struct sl_log_footer *footer, uint64_t hash, uint64_t position)
{
    if (!grow(&footer->pairs, &footer->pair_capacity, footer->pair_count + 1,
              sizeof *footer->pairs))
        return false;
    footer->pairs[footer->pair_count++] = (struct sl_log_pair){hash, position};
    return true;
}

/* ---- Sorting --------------------------------------------------------------------------------- */

static size_t digit_of(const struct sl_log_pair *pair, int digit)
{
    return (size_t)(sl_log_short_hash(pair->hash) >> (digit * DIGIT_BITS)) & 0xff;
}

/* By short hash, least digit first; it is stable, so positions stay in order under each hash. */
static bool sort_pairs(struct sl_log_footer *footer)
{
    struct sl_log_pair *from = footer->pairs, *to;

    if (footer->pair_count == 0)
        return true;
    to = calloc(footer->pair_count, sizeof *to);
    if (!to)
        return false;
    for (int digit = 0; digit < DIGITS; digit++) {
        size_t starts[257] = {0};
        struct sl_log_pair *swap = from;
        for (size_t i = 0; i < footer->pair_count; i++)
            starts[digit_of(&from[i], digit) + 1]++;
        for (size_t i = 1; i < 257; i++)
            starts[i] += starts[i - 1];
        for (size_t i = 0; i < footer->pair_count; i++)
            to[starts[digit_of(&from[i], digit)]++] = from[i];
        from = to;
        to = swap;
    }
    footer->pairs = from;
    footer->pair_capacity = footer->pair_count;
    free(to);
    return true;
}

/* A tag that an event carries twice is one pair. Counts the hashes that differ. */
static size_t drop_repeats(struct sl_log_footer *footer)
{
    size_t kept = 0, distinct = 0;

    for (size_t i = 0; i < footer->pair_count; i++) {
        const struct sl_log_pair *pair = &footer->pairs[i];
        const bool same = kept > 0 && sl_log_short_hash(footer->pairs[kept - 1].hash) ==
                                          sl_log_short_hash(pair->hash);
        if (same && footer->pairs[kept - 1].position == pair->position)
            continue;
        distinct += !same;
        footer->pairs[kept++] = *pair;
    }
    footer->pair_count = kept;
    return distinct;
}

bool sl_log_footer_finish(struct sl_log_footer *footer, uint32_t number)
{
    if (!sort_pairs(footer))
        return false;
    const size_t distinct = drop_repeats(footer);
    footer->filter_pages =
        (uint32_t)((distinct + SL_LOG_FILTER_KEYS_A_PAGE - 1) / SL_LOG_FILTER_KEYS_A_PAGE);
    footer->number = number;
    footer->kind = SL_LOG_PAGES_PLACES;
    footer->next = 0;
    return true;
}

/* ---- Pages ----------------------------------------------------------------------------------- */

/* Each fills the room of a page from footer->next on and returns the page's count. */

static uint32_t fill_places(struct sl_log_footer *footer, uint8_t *page)
{
    uint32_t count = 0;

    for (; count < SL_LOG_PLACES_A_PAGE && footer->next < footer->place_count; count++)
        sl_log_place_write(page + SL_LOG_PAGE_HEAD + count * SL_LOG_PLACE_BYTES,
                           &footer->places[footer->next++]);
    return count;
}

/* Pairs are sorted by the bits that choose the page. */
static uint32_t fill_filter(struct sl_log_footer *footer, uint32_t index, uint8_t *page)
{
    for (; footer->next < footer->pair_count; footer->next++) {
        const uint64_t hash = footer->pairs[footer->next].hash;
        if (sl_log_filter_page(hash, footer->filter_pages) != index)
            break;
        sl_log_filter_add(page, hash);
    }
    return 0;
}

static uint32_t fill_keys(struct sl_log_footer *footer, uint64_t base, uint8_t *page)
{
    const struct sl_log_pair *first = &footer->pairs[footer->next];

    /* Room was made before: see begin_kind. */
    footer->guides[footer->guide_count++] = *first;
    const size_t count = sl_log_run_write(page, first, footer->pair_count - footer->next, base);
    footer->next += count;
    return (uint32_t)count;
}

static uint32_t fill_guides(struct sl_log_footer *footer, uint8_t *page)
{
    uint32_t count = 0;

    for (; count < SL_LOG_GUIDES_A_PAGE && footer->next < footer->guide_count; count++)
        sl_log_guide_write(page + SL_LOG_PAGE_HEAD + count * SL_LOG_GUIDE_BYTES,
                           &footer->guides[footer->next++]);
    return count;
}

static uint32_t fill_catalog(struct sl_log_footer *footer, uint8_t *page)
{
    const size_t left = footer->catalog.len - footer->next;
    const size_t len = left < SL_LOG_PAGE_ROOM ? left : SL_LOG_PAGE_ROOM;

    memcpy(page + SL_LOG_PAGE_HEAD, footer->catalog.ptr + footer->next, len);
    footer->next += len;
    return (uint32_t)len;
}

/* The order in which pages are written: the filter wants whole hashes, the run short ones. */
static const enum sl_log_page_kind after[] = {
    [SL_LOG_PAGES_PLACES] = SL_LOG_PAGES_FILTER, [SL_LOG_PAGES_FILTER] = SL_LOG_PAGES_KEYS,
    [SL_LOG_PAGES_KEYS] = SL_LOG_PAGES_GUIDES,   [SL_LOG_PAGES_GUIDES] = SL_LOG_PAGES_CATALOG,
    [SL_LOG_PAGES_CATALOG] = 0,
};

static bool has_more(const struct sl_log_footer *footer, uint32_t made)
{
    switch (footer->kind) {
    case SL_LOG_PAGES_PLACES:
        return footer->next < footer->place_count;
    case SL_LOG_PAGES_FILTER:
        return made < footer->filter_pages;
    case SL_LOG_PAGES_KEYS:
        return footer->next < footer->pair_count;
    case SL_LOG_PAGES_GUIDES:
        return footer->next < footer->guide_count;
    case SL_LOG_PAGES_CATALOG:
        return footer->next < footer->catalog.len;
    }
    return false;
}

static void begin_kind(struct sl_log_footer *footer, struct sl_log_sealed_head *head)
{
    footer->next = 0;
    if (footer->kind == 0)
        return;
    head->pages[footer->kind - 1] = (struct sl_log_pages){footer->number, 0};
    if (footer->kind == SL_LOG_PAGES_KEYS)
        for (size_t i = 0; i < footer->pair_count; i++)
            footer->pairs[i].hash = sl_log_short_hash(footer->pairs[i].hash);
}

enum sl_err sl_log_footer_page(struct sl_log_footer *footer, struct sl_log_sealed_head *head,
                               uint8_t *page)
{
    struct sl_log_page_head page_head = {0};

    if (footer->kind == SL_LOG_PAGES_PLACES && footer->next == 0)
        begin_kind(footer, head);
    while (footer->kind != 0 && !has_more(footer, head->pages[footer->kind - 1].count)) {
        footer->kind = after[footer->kind];
        begin_kind(footer, head);
    }
    if (footer->kind == 0)
        return SL_NOT_FOUND;
    if (!grow(&footer->guides, &footer->guide_capacity, footer->guide_count + 1,
              sizeof *footer->guides))
        return SL_NO_MEMORY;
    struct sl_log_pages *pages = &head->pages[footer->kind - 1];
    memset(page, 0, SL_LOG_PAGE);
    page_head.kind = footer->kind;
    switch (footer->kind) {
    case SL_LOG_PAGES_PLACES:
        page_head.count = fill_places(footer, page);
        break;
    case SL_LOG_PAGES_FILTER:
        page_head.count = fill_filter(footer, pages->count, page);
        break;
    case SL_LOG_PAGES_KEYS:
        page_head.count = fill_keys(footer, head->segment.first_position, page);
        break;
    case SL_LOG_PAGES_GUIDES:
        page_head.count = fill_guides(footer, page);
        break;
    case SL_LOG_PAGES_CATALOG:
        page_head.count = fill_catalog(footer, page);
        break;
    }
    sl_log_page_seal(&page_head, head->segment.salt, footer->number, page);
    footer->number++;
    pages->count++;
    return SL_OK;
}

void sl_log_footer_close(struct sl_log_footer *footer)
{
    free(footer->places);
    free(footer->pairs);
    free(footer->guides);
    sl_buf_close(&footer->catalog);
    *footer = (struct sl_log_footer){0};
}
