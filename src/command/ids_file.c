/*
 * The format of an id file
 * ------------------------
 * Pages of 4 KiB, integers little-endian. Each page begins with a checksum (XXH3, 64 bits) of the
 * rest of it, whose seed is the file's key plus the page's number; that of page 0, the head, is a
 * constant plus the version. So a page that is torn, old, of another file or in another place is
 * known for what it is.
 *
 *     head      8 magic  16 version  24 log 16 B  40 salt  48 position  56 seed  64 key
 *               72 first  80 end  88 witness  96 newest  104 timed from  112 timed to
 *               120, 128, 136 count of each class
 *     entries   8 number of entries, 10 entries of 11 bytes: print 6, cursor less `first` 5; sorted
 *               by print, every page full but the last
 *     fences    8 the high 32 bits of each entry page's first print, 1,022 a page
 *     filters   64 blocks of 64 bytes, 63 a page; for each class each layer begins a page
 *
 * What the head says gives the place of every page and the file's size, so that a file is whole or
 * known not to be. A reader keeps fences and some filter layers in memory, and reads one page a
 * lookup. 371 entries a page: 11.04 bytes an id, and 0.18 for each of seven layers.
 *
 * It is written as NAME.tmp, synced, renamed, and its folder synced; nobody believes in it before a
 * manifest names it (ids_builder.c).
 */
#include "command/ids_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"

enum {
    VERSION = 1,
    ENTRY = 11,
    ENTRIES_AT = 10,
    FENCES = 1022,
    BLOCKS_AT = 64,
    BLOCKS = 63,
    COUNTS_AT = 120,
    SCAN_PAGES = 64,
};

static const char magic[8] = "sluiceID";

/* ---- Prints ---------------------------------------------------------------------------------- */

uint64_t sl_id_hash(struct sl_uuid id, uint64_t seed)
{
    return sl_hash64(id.bytes, sizeof id.bytes, seed);
}

enum sl_id_class sl_id_classify(struct sl_uuid id, int64_t time_s)
{
    int64_t own_s;

    if (!sl_id_time(id, &own_s))
        return SL_ID_PLAIN;
    return own_s >= time_s - SL_ID_SKEW_S && own_s <= time_s + SL_ID_SKEW_S ? SL_ID_TIMED
                                                                             : SL_ID_STRAY;
}

/* ---- Pages ----------------------------------------------------------------------------------- */

static uint64_t page_seed(const struct sl_id_head *head, uint64_t page)
{
    return page == 0 ? 0x51D5 + VERSION : head->key + page;
}

static void seal(uint8_t *page, const struct sl_id_head *head, uint64_t number)
{
    sl_put_le64(page, sl_hash64(page + 8, SL_ID_PAGE - 8, page_seed(head, number)));
}

static bool is_whole(const uint8_t *page, const struct sl_id_head *head, uint64_t number)
{
    return sl_le64(page) == sl_hash64(page + 8, SL_ID_PAGE - 8, page_seed(head, number));
}

static uint64_t divided_up(uint64_t count, uint64_t by)
{
    return (count + by - 1) / by;
}

static uint64_t layer_pages(const struct sl_id_head *head, enum sl_id_class class)
{
    return divided_up(sl_id_filter_blocks(head->counts[class]), BLOCKS);
}

static uint64_t entry_pages(const struct sl_id_head *head)
{
    return divided_up(head->end - head->first, SL_ID_PAGE_ENTRIES);
}

static uint64_t fences_at(const struct sl_id_head *head)
{
    return 1 + entry_pages(head);
}

/* The page at which a layer begins; of class SL_ID_CLASSES, layer 0: the end of the file. */
static uint64_t layer_at(const struct sl_id_head *head, unsigned class, unsigned layer)
{
    uint64_t page = fences_at(head) + divided_up(entry_pages(head), FENCES);

    for (unsigned c = 0; c < class; c++)
        page += SL_ID_LAYERS * layer_pages(head, (enum sl_id_class)c);
    return layer > 0 ? page + layer * layer_pages(head, (enum sl_id_class)class) : page;
}

static void put_head(uint8_t *page, const struct sl_id_head *head)
{
    memset(page, 0, SL_ID_PAGE);
    memcpy(page + 8, magic, sizeof magic);
    sl_put_le64(page + 16, VERSION);
    memcpy(page + 24, head->log.bytes, sizeof head->log.bytes);
    const uint64_t numbers[] = {head->salt, head->position, head->seed, head->key, head->first,
                                head->end, head->witness, (uint64_t)head->newest_s,
                                (uint64_t)head->timed_from_s, (uint64_t)head->timed_to_s};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sl_put_le64(page + 40 + 8 * i, numbers[i]);
    for (size_t i = 0; i < SL_ID_CLASSES; i++)
        sl_put_le64(page + COUNTS_AT + 8 * i, head->counts[i]);
    seal(page, head, 0);
}

/* Are the numbers such as a writer writes? No file holds 2^40 ids. */
static bool is_sound(const struct sl_id_head *head)
{
    const uint64_t most = UINT64_C(1) << 40;
    uint64_t sum = 0;

    if (head->end <= head->first || head->end - head->first > most)
        return false;
    for (size_t i = 0; i < SL_ID_CLASSES; i++) {
        if (head->counts[i] > most)
            return false;
        sum += head->counts[i];
    }
    return sum == head->end - head->first;
}

static enum sl_err get_head(const uint8_t *page, struct sl_id_head *out)
{
    if (memcmp(page + 8, magic, sizeof magic) != 0)
        return SL_CORRUPT;
    if (sl_le64(page + 16) > VERSION)
        return SL_UNSUPPORTED;
    if (!is_whole(page, out, 0) || sl_le64(page + 16) != VERSION)
        return SL_CORRUPT;
    *out = (struct sl_id_head){.salt = sl_le64(page + 40),
                               .position = sl_le64(page + 48),
                               .seed = sl_le64(page + 56),
                               .key = sl_le64(page + 64),
                               .first = sl_le64(page + 72),
                               .end = sl_le64(page + 80),
                               .witness = sl_le64(page + 88),
                               .newest_s = (int64_t)sl_le64(page + 96),
                               .timed_from_s = (int64_t)sl_le64(page + 104),
                               .timed_to_s = (int64_t)sl_le64(page + 112)};
    memcpy(out->log.bytes, page + 24, sizeof out->log.bytes);
    for (size_t i = 0; i < SL_ID_CLASSES; i++)
        out->counts[i] = sl_le64(page + COUNTS_AT + 8 * i);
    return is_sound(out) ? SL_OK : SL_CORRUPT;
}

static uint64_t get48(const uint8_t *p)
{
    return sl_le32(p) | (uint64_t)sl_le16(p + 4) << 32;
}

static struct sl_id_entry get_entry(const struct sl_id_head *head, const uint8_t *page, size_t at)
{
    const uint8_t *p = page + ENTRIES_AT + at * ENTRY;
    return (struct sl_id_entry){get48(p),
                                head->first + (sl_le32(p + 6) | (uint64_t)p[10] << 32)};
}

void sl_id_file_path(const char *folder, uint64_t number, char out[SL_ID_PATH_MAX])
{
    const int len = snprintf(out, SL_ID_PATH_MAX, "%s/%016llx.ids", folder,
                             (unsigned long long)number);
    SL_ASSERT(len > 0 && len < SL_ID_PATH_MAX - 8, "M1");
}

/* ---- Reading --------------------------------------------------------------------------------- */

static enum sl_err damaged(const struct sl_id_file *file, uint64_t page, struct sl_error *error)
{
    SL_MARK("ids: damaged page");
    return sl_fail(error, SL_CORRUPT, "id file %016llx: damaged at offset %llu",
                   (unsigned long long)file->number, (unsigned long long)page * SL_ID_PAGE);
}

static enum sl_err read_pages(const struct sl_id_file *file, uint64_t first, size_t count,
                              uint8_t *out, struct sl_error *error)
{
    size_t got;
    const enum sl_err err =
        sl_file_read(file->file, first * SL_ID_PAGE, out, count * SL_ID_PAGE, &got, error);

    if (err != SL_OK)
        return err;
    for (size_t i = 0; i < count; i++)
        if (got < (i + 1) * SL_ID_PAGE || !is_whole(out + i * SL_ID_PAGE, &file->head, first + i))
            return damaged(file, first + i, error);
    return SL_OK;
}

static enum sl_err load_fences(struct sl_id_file *file, struct sl_error *error)
{
    const uint64_t pages = divided_up(file->page_count, FENCES);
    uint8_t page[SL_ID_PAGE];

    file->fences = malloc(file->page_count * sizeof *file->fences);
    if (!file->fences)
        return sl_fail(error, SL_NO_MEMORY, "no memory for the fences of an id file");
    for (uint64_t i = 0; i < pages; i++) {
        const enum sl_err err = read_pages(file, fences_at(&file->head) + i, 1, page, error);
        if (err != SL_OK)
            return err;
        for (size_t k = 0; k < FENCES && i * FENCES + k < file->page_count; k++) {
            const size_t at = (size_t)i * FENCES + k;
            file->fences[at] = sl_le32(page + 8 + 4 * k);
            if (at > 0 && file->fences[at] < file->fences[at - 1])
                return damaged(file, fences_at(&file->head) + i, error);
        }
    }
    return SL_OK;
}

static enum sl_err open_parts(struct sl_id_file *file, struct sl_error *error)
{
    uint8_t page[SL_ID_PAGE];
    uint64_t size;
    size_t got;
    enum sl_err err = sl_file_read(file->file, 0, page, sizeof page, &got, error);

    if (err != SL_OK)
        return err;
    if (got < sizeof page)
        return damaged(file, 0, error);
    err = get_head(page, &file->head);
    if (err == SL_UNSUPPORTED)
        return sl_fail(error, err, "id file %016llx is of a newer version",
                       (unsigned long long)file->number);
    if (err != SL_OK)
        return damaged(file, 0, error);
    err = sl_file_size(file->file, &size, error);
    if (err != SL_OK)
        return err;
    if (size != layer_at(&file->head, SL_ID_CLASSES, 0) * SL_ID_PAGE)
        return damaged(file, size / SL_ID_PAGE, error);
    file->page_count = (size_t)entry_pages(&file->head);
    for (unsigned c = 0; c < SL_ID_CLASSES; c++)
        file->filters[c].blocks = sl_id_filter_blocks(file->head.counts[c]);
    return load_fences(file, error);
}

enum sl_err sl_id_file_open(struct sl_env *env, const char *folder, uint64_t number,
                            struct sl_id_file **out, struct sl_error *error)
{
    struct sl_id_file *file = calloc(1, sizeof *file);
    char path[SL_ID_PATH_MAX];

    if (!file)
        return sl_fail(error, SL_NO_MEMORY, "no memory for an id file");
    file->number = number;
    sl_id_file_path(folder, number, path);
    enum sl_err err = sl_disk_open(env, path, SL_OPEN_READ, &file->file, error);
    if (err == SL_OK)
        err = open_parts(file, error);
    if (err != SL_OK) {
        sl_id_file_close(file);
        return err;
    }
    *out = file;
    return SL_OK;
}

void sl_id_file_close(struct sl_id_file *file)
{
    if (!file)
        return;
    for (unsigned c = 0; c < SL_ID_CLASSES; c++)
        for (unsigned i = 0; i < SL_ID_LAYERS; i++)
            free(file->filters[c].layers[i]);
    sl_file_close(file->file);
    free(file->fences);
    free(file);
}

enum sl_err sl_id_file_load_layer(struct sl_id_file *file, enum sl_id_class class,
                                  struct sl_error *error)
{
    struct sl_id_filter *filter = &file->filters[class];
    const uint64_t first = layer_at(&file->head, class, filter->loaded);
    uint8_t page[SL_ID_PAGE];

    SL_ASSERT(filter->loaded < SL_ID_LAYERS && filter->blocks > 0);
    uint8_t *layer = malloc((size_t)filter->blocks * SL_ID_BLOCK_BYTES);
    if (!layer)
        return sl_fail(error, SL_NO_MEMORY, "no memory for the filter of an id file");
    for (uint64_t block = 0; block < filter->blocks; block += BLOCKS) {
        const uint64_t left = filter->blocks - block;
        const enum sl_err err = read_pages(file, first + block / BLOCKS, 1, page, error);
        if (err != SL_OK) {
            free(layer);
            return err;
        }
        memcpy(layer + block * SL_ID_BLOCK_BYTES, page + BLOCKS_AT,
               (size_t)(left < BLOCKS ? left : BLOCKS) * SL_ID_BLOCK_BYTES);
    }
    filter->layers[filter->loaded++] = layer;
    return SL_OK;
}

size_t sl_id_file_layer_bytes(const struct sl_id_file *file, enum sl_id_class class)
{
    return (size_t)file->filters[class].blocks * SL_ID_BLOCK_BYTES;
}

size_t sl_id_file_fence_bytes(const struct sl_id_file *file)
{
    return file->page_count * sizeof *file->fences;
}

/* The first page that may hold the print: the last whose fence lies below it, or the first. */
static size_t page_of(const struct sl_id_file *file, uint64_t print)
{
    const uint32_t high = (uint32_t)(print >> (SL_ID_PRINT_BITS - 32));
    size_t low = 0, up = file->page_count;

    while (low < up) {
        const size_t middle = low + (up - low) / 2;
        if (file->fences[middle] < high)
            low = middle + 1;
        else
            up = middle;
    }
    return low > 0 ? low - 1 : 0;
}

enum sl_err sl_id_file_find(const struct sl_id_file *file, uint64_t print, uint64_t *cursors,
                            size_t room, size_t *count, struct sl_error *error)
{
    const uint32_t high = (uint32_t)(print >> (SL_ID_PRINT_BITS - 32));
    uint8_t page[SL_ID_PAGE];
    size_t found = 0;

    for (size_t at = page_of(file, print); at < file->page_count && file->fences[at] <= high;
         at++) {
        const enum sl_err err = read_pages(file, at + 1, 1, page, error);
        if (err != SL_OK)
            return err;
        const size_t entries = sl_le16(page + 8);
        if (entries > SL_ID_PAGE_ENTRIES)
            return damaged(file, at + 1, error);
        size_t low = 0, up = entries;
        while (low < up) {
            const size_t middle = low + (up - low) / 2;
            if (get_entry(&file->head, page, middle).print < print)
                low = middle + 1;
            else
                up = middle;
        }
        for (; low < entries; low++) {
            const struct sl_id_entry entry = get_entry(&file->head, page, low);
            if (entry.print != print)
                break;
            if (found == room)
                return sl_fail(error, SL_LIMIT, "too many ids with one print");
            cursors[found++] = entry.cursor;
        }
    }
    *count = found;
    return SL_OK;
}

/* ---- Reading all of it ----------------------------------------------------------------------- */

enum sl_err sl_id_scan_open(struct sl_id_scan *scan, const struct sl_id_file *file)
{
    *scan = (struct sl_id_scan){.file = file};
    scan->pages = malloc((size_t)SCAN_PAGES * SL_ID_PAGE);
    return scan->pages ? SL_OK : SL_NO_MEMORY;
}

static enum sl_err next_page(struct sl_id_scan *scan, struct sl_error *error)
{
    const struct sl_id_file *file = scan->file;

    if (scan->loaded > 0 && ++scan->at < scan->loaded) {
        scan->entry = 0;
    } else {
        const size_t left = file->page_count - scan->next_page;
        if (left == 0)
            return SL_NOT_FOUND;
        scan->loaded = left < SCAN_PAGES ? left : SCAN_PAGES;
        const enum sl_err err =
            read_pages(file, scan->next_page + 1, scan->loaded, scan->pages, error);
        if (err != SL_OK)
            return err;
        scan->next_page += scan->loaded;
        scan->at = scan->entry = 0;
    }
    const size_t number = scan->next_page - scan->loaded + scan->at;
    const uint64_t left = file->head.end - file->head.first - number * SL_ID_PAGE_ENTRIES;
    scan->entry_count = sl_le16(scan->pages + scan->at * SL_ID_PAGE + 8);
    if (scan->entry_count != (left < SL_ID_PAGE_ENTRIES ? left : SL_ID_PAGE_ENTRIES))
        return damaged(file, number + 1, error);
    return SL_OK;
}

enum sl_err sl_id_scan_next(struct sl_id_scan *scan, struct sl_id_entry *out,
                            struct sl_error *error)
{
    const struct sl_id_head *head = &scan->file->head;

    if (scan->entry == scan->entry_count) {
        const enum sl_err err = next_page(scan, error);
        if (err != SL_OK)
            return err;
    }
    *out = get_entry(head, scan->pages + scan->at * SL_ID_PAGE, scan->entry++);
    if (out->print < scan->last || out->cursor >= head->end ||
        sl_id_print_class(out->print) >= SL_ID_CLASSES)
        return damaged(scan->file, scan->next_page - scan->loaded + scan->at + 1, error);
    scan->last = out->print;
    return SL_OK;
}

void sl_id_scan_close(struct sl_id_scan *scan)
{
    free(scan->pages);
    scan->pages = NULL;
}

/* ---- Writing --------------------------------------------------------------------------------- */

enum { WRITE_PAGES = 64, SYNC_BYTES = 8 << 20 };

struct sl_id_file_writer {
    struct sl_env *env;
    struct sl_id_head head;
    char folder[SL_ID_PATH_MAX], path[SL_ID_PATH_MAX], temporary[SL_ID_PATH_MAX];
    struct sl_file *file;
    uint8_t *pages; /* of entries, WRITE_PAGES of them */
    uint64_t added[SL_ID_CLASSES];
    uint64_t last;
    size_t entry, page; /* in the page at hand; its place in `pages` */
    uint64_t next_page; /* of the file: where `pages` goes */
    uint32_t *fences;
    size_t fence_count;
    uint8_t *layers; /* a page for each layer */
    unsigned class;
    uint64_t layer_page; /* which page of each layer that is */
    size_t unsynced;
};

static enum sl_err put(struct sl_id_file_writer *writer, uint64_t page, const uint8_t *bytes,
                       size_t count, struct sl_error *error)
{
    const size_t len = count * SL_ID_PAGE;
    enum sl_err err = sl_file_write(writer->file, page * SL_ID_PAGE, bytes, len, error);

    /* Synced as it goes: at the end at once, everybody else would wait for the disk. */
    writer->unsynced += len;
    if (err == SL_OK && writer->unsynced >= SYNC_BYTES) {
        writer->unsynced = 0;
        err = sl_file_sync(writer->file, error);
    }
    return err;
}

enum sl_err sl_id_file_create(struct sl_env *env, const char *folder, uint64_t number,
                              const struct sl_id_head *head, struct sl_id_file_writer **out,
                              struct sl_error *error)
{
    struct sl_id_file_writer *writer = calloc(1, sizeof *writer);

    SL_ASSERT(is_sound(head), "L4");
    if (!writer)
        return sl_fail(error, SL_NO_MEMORY, "no memory to write an id file");
    writer->env = env;
    writer->head = *head;
    snprintf(writer->folder, sizeof writer->folder, "%s", folder);
    sl_id_file_path(folder, number, writer->path);
    snprintf(writer->temporary, sizeof writer->temporary, "%.*s.tmp", SL_ID_PATH_MAX - 8,
             writer->path);
    writer->next_page = 1;
    writer->pages = calloc(WRITE_PAGES, SL_ID_PAGE);
    writer->layers = calloc(SL_ID_LAYERS, SL_ID_PAGE);
    writer->fences = malloc((size_t)entry_pages(head) * sizeof *writer->fences);
    enum sl_err err = writer->pages && writer->layers && writer->fences
                          ? SL_OK
                          : sl_fail(error, SL_NO_MEMORY, "no memory to write an id file");
    if (err == SL_OK)
        err = sl_disk_open(env, writer->temporary, SL_OPEN_WRITE | SL_OPEN_CREATE, &writer->file,
                           error);
    if (err == SL_OK)
        err = sl_file_truncate(writer->file, 0, error);
    if (err != SL_OK) {
        sl_id_file_abandon(writer);
        return err;
    }
    *out = writer;
    return SL_OK;
}

static enum sl_err put_entries(struct sl_id_file_writer *writer, struct sl_error *error)
{
    const size_t count = writer->page + (writer->entry > 0);

    for (size_t i = 0; i < count; i++) {
        uint8_t *page = writer->pages + i * SL_ID_PAGE;
        sl_put_le16(page + 8, (uint16_t)(i < writer->page ? SL_ID_PAGE_ENTRIES : writer->entry));
        seal(page, &writer->head, writer->next_page + i);
    }
    const enum sl_err err =
        count > 0 ? put(writer, writer->next_page, writer->pages, count, error) : SL_OK;
    memset(writer->pages, 0, count * SL_ID_PAGE);
    writer->next_page += count;
    writer->page = writer->entry = 0;
    return err;
}

/* Writes the page at hand of every layer of the class. */
static enum sl_err put_layers(struct sl_id_file_writer *writer, struct sl_error *error)
{
    for (unsigned i = 0; i < SL_ID_LAYERS; i++) {
        uint8_t *page = writer->layers + i * SL_ID_PAGE;
        const uint64_t number = layer_at(&writer->head, writer->class, i) + writer->layer_page;
        seal(page, &writer->head, number);
        const enum sl_err err = put(writer, number, page, 1, error);
        if (err != SL_OK)
            return err;
        memset(page, 0, SL_ID_PAGE);
    }
    writer->layer_page++;
    return SL_OK;
}

/* Goes on to a page of a class's layers, writing all before it. */
static enum sl_err go_to(struct sl_id_file_writer *writer, unsigned class, uint64_t page,
                         struct sl_error *error)
{
    enum sl_err err = SL_OK;

    while (err == SL_OK && writer->class < class) {
        while (err == SL_OK &&
               writer->layer_page < layer_pages(&writer->head, (enum sl_id_class)writer->class))
            err = put_layers(writer, error);
        writer->class++;
        writer->layer_page = 0;
    }
    while (err == SL_OK && writer->layer_page < page)
        err = put_layers(writer, error);
    return err;
}

static enum sl_err add_to_filter(struct sl_id_file_writer *writer, uint64_t print,
                                 struct sl_error *error)
{
    const unsigned class = sl_id_print_class(print);
    const uint64_t block =
        sl_id_filter_block(print, sl_id_filter_blocks(writer->head.counts[class]));
    uint64_t bits = sl_id_filter_bits(print);

    if (class != writer->class || block / BLOCKS != writer->layer_page) {
        const enum sl_err err = go_to(writer, class, block / BLOCKS, error);
        if (err != SL_OK)
            return err;
    }
    for (unsigned i = 0; i < SL_ID_LAYERS; i++, bits >>= 9) {
        uint8_t *bytes = writer->layers + i * SL_ID_PAGE + BLOCKS_AT +
                         block % BLOCKS * SL_ID_BLOCK_BYTES;
        bytes[bits >> 3 & 63] |= (uint8_t)(1u << (bits & 7));
    }
    return SL_OK;
}

enum sl_err sl_id_file_add(struct sl_id_file_writer *writer, struct sl_id_entry entry,
                           struct sl_error *error)
{
    const enum sl_id_class class = sl_id_print_class(entry.print);

    SL_ASSERT(entry.print >= writer->last && class < SL_ID_CLASSES &&
                  writer->added[class] < writer->head.counts[class], "L4");
    SL_ASSERT(entry.cursor >= writer->head.first && entry.cursor < writer->head.end, "L4");
    writer->last = entry.print;
    writer->added[class]++;
    if (writer->entry == 0)
        writer->fences[writer->fence_count++] =
            (uint32_t)(entry.print >> (SL_ID_PRINT_BITS - 32));
    uint8_t *p =
        writer->pages + writer->page * SL_ID_PAGE + ENTRIES_AT + writer->entry * ENTRY;
    const uint64_t cursor = entry.cursor - writer->head.first;
    sl_put_le32(p, (uint32_t)entry.print);
    sl_put_le16(p + 4, (uint16_t)(entry.print >> 32));
    sl_put_le32(p + 6, (uint32_t)cursor);
    p[10] = (uint8_t)(cursor >> 32);
    enum sl_err err = add_to_filter(writer, entry.print, error);
    if (++writer->entry == SL_ID_PAGE_ENTRIES) {
        writer->entry = 0;
        writer->page++;
    }
    if (err == SL_OK && writer->page == WRITE_PAGES)
        err = put_entries(writer, error);
    return err;
}

static enum sl_err put_fences(struct sl_id_file_writer *writer, struct sl_error *error)
{
    uint8_t page[SL_ID_PAGE];
    enum sl_err err = SL_OK;

    for (size_t i = 0; i < writer->fence_count && err == SL_OK; i += FENCES) {
        const uint64_t number = fences_at(&writer->head) + i / FENCES;
        memset(page, 0, sizeof page);
        for (size_t k = 0; k < FENCES && i + k < writer->fence_count; k++)
            sl_put_le32(page + 8 + 4 * k, writer->fences[i + k]);
        seal(page, &writer->head, number);
        err = put(writer, number, page, 1, error);
    }
    return err;
}

enum sl_err sl_id_file_finish(struct sl_id_file_writer *writer, struct sl_error *error)
{
    uint8_t head[SL_ID_PAGE];

    for (size_t i = 0; i < SL_ID_CLASSES; i++)
        SL_ASSERT(writer->added[i] == writer->head.counts[i], "L4");
    enum sl_err err = put_entries(writer, error);
    if (err == SL_OK)
        err = go_to(writer, SL_ID_CLASSES, 0, error);
    if (err == SL_OK)
        err = put_fences(writer, error);
    put_head(head, &writer->head);
    if (err == SL_OK)
        err = put(writer, 0, head, 1, error);
    if (err == SL_OK)
        err = sl_file_sync(writer->file, error);
    if (err == SL_OK)
        err = sl_disk_rename(writer->env, writer->temporary, writer->path, error);
    if (err == SL_OK)
        err = sl_disk_sync_folder(writer->env, writer->folder, error);
    sl_id_file_abandon(writer);
    return err;
}

void sl_id_file_abandon(struct sl_id_file_writer *writer)
{
    struct sl_error error;

    if (!writer)
        return;
    if (writer->file) {
        sl_file_close(writer->file);
        /* What cannot be removed now is, when the folder is opened next. After a rename there is
         * nothing of that name. */
        (void)!sl_disk_remove(writer->env, writer->temporary, &error);
    }
    free(writer->pages);
    free(writer->layers);
    free(writer->fences);
    free(writer);
}
