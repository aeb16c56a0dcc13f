/*
 * The bytes of a sealed segment: its header, blocks, batch marks and footer pages. Pure functions
 * over memory; the essay that owns the format stands in sealed.c.
 */
#ifndef SL_STORES_LOG_SEALED_H
#define SL_STORES_LOG_SEALED_H

#include "stores/log/format.h"

#define SL_LOG_SEALED_BLOCK_HEAD 48u
/* Frames of a block, unless one frame alone is larger; measured, see sealed.c. */
#define SL_LOG_SEALED_BLOCK_BYTES (16u << 10)
/* Ceiling of a block's frames: one event may have 1 MiB of body, and its names and tags. */
#define SL_LOG_SEALED_BLOCK_BYTES_MAX (2u << 20)
#define SL_LOG_PAGE SL_LOG_BLOCK
#define SL_LOG_PAGE_HEAD 16u
#define SL_LOG_PAGE_ROOM (SL_LOG_PAGE - SL_LOG_PAGE_HEAD)
#define SL_LOG_PLACE_BYTES 56u
#define SL_LOG_PLACES_A_PAGE (SL_LOG_PAGE_ROOM / SL_LOG_PLACE_BYTES)
#define SL_LOG_GUIDE_BYTES 16u
#define SL_LOG_GUIDES_A_PAGE (SL_LOG_PAGE_ROOM / SL_LOG_GUIDE_BYTES)
#define SL_LOG_KEYS_A_PAGE_MAX (SL_LOG_PAGE_ROOM) /* a position takes a byte at least */

/* ---- The header ------------------------------------------------------------------------------ */

/* Footer pages of one kind lie side by side. */
enum sl_log_page_kind {
    SL_LOG_PAGES_PLACES = 1, /* of the blocks, by position */
    SL_LOG_PAGES_KEYS,       /* runs of (hash, positions), sorted */
    SL_LOG_PAGES_GUIDES,     /* the first pair of each page of keys */
    SL_LOG_PAGES_FILTER,     /* which hashes are there at all */
    SL_LOG_PAGES_CATALOG,    /* schemas and epochs that begin in the segment */
    SL_LOG_PAGES_KINDS = SL_LOG_PAGES_CATALOG,
};

struct sl_log_pages {
    uint32_t first; /* page number: the offset in the file is this many times SL_LOG_PAGE */
    uint32_t count;
};

struct sl_log_sealed_head {
    struct sl_log_segment_head segment; /* the raw one's, salt too; but bytes: of this file */
    uint64_t next_position;
    uint64_t next_batch;
    uint64_t last;           /* checksum of the last batch: `previous` of the next segment */
    uint64_t first_outcome;  /* outcomes of the log before this segment */
    uint64_t next_outcome;
    struct sl_time outcome_latest; /* INT64_MIN: it has no outcomes */
    uint64_t raw_bytes;      /* of its batches, padding included */
    uint64_t frame_bytes;    /* of its blocks' frames before they were compressed */
    uint64_t data_end;       /* offset behind the last block */
    uint64_t stones;         /* of events that were scavenged (stone.h) */
    uint32_t block_count;
    uint32_t key_count;      /* pairs of hash and position */
    uint32_t catalog_bytes;
    struct sl_log_pages pages[SL_LOG_PAGES_KINDS]; /* by kind - 1 */
};

static inline const struct sl_log_pages *sl_log_sealed_pages(const struct sl_log_sealed_head *head,
                                                             enum sl_log_page_kind kind)
{
    return &head->pages[kind - 1];
}

/* Fills a block of SL_LOG_BLOCK bytes. */
void sl_log_sealed_head_write(const struct sl_log_sealed_head *head, uint8_t *block);

/* SL_CORRUPT, or SL_UNSUPPORTED when a newer program wrote it (F1). `path` is for the message. */
enum sl_err sl_log_sealed_head_read(const uint8_t *block, const char *path,
                                    struct sl_log_sealed_head *out,
                                    struct sl_error *error) SL_USE_RESULT;

/* ---- Blocks ---------------------------------------------------------------------------------- */

enum sl_log_codec {
    SL_LOG_STORED = 0,
    SL_LOG_ZSTD = 1,
};

struct sl_log_block_head {
    uint64_t checksum;
    uint32_t codec;
    uint32_t stored_bytes; /* behind the head */
    uint32_t frame_bytes;  /* when unpacked */
    uint32_t event_count;
    uint32_t outcome_count;
    uint64_t first_position;
    uint64_t first_batch; /* that its first frame belongs to */
};

/* Writes the head over the first bytes of `block`, behind which stored_bytes lie, and puts the
 * checksum in; also into `head`. */
void sl_log_block_seal(struct sl_log_block_head *head, uint64_t salt, uint8_t *block);

/* Reads a head from SL_LOG_SEALED_BLOCK_HEAD bytes; false: there is none. Its sizes are within
 * limits; nothing else is believed before sl_log_block_is_whole. */
bool sl_log_block_peek(const uint8_t *block, struct sl_log_block_head *out);

/* `block` has its head and all stored bytes. */
bool sl_log_block_is_whole(const struct sl_log_block_head *head, uint64_t salt,
                           const uint8_t *block);

/* What compressing needs, kept from block to block. */
struct sl_log_packer;
struct sl_log_packer *sl_log_packer_new(void); /* NULL: no memory */
void sl_log_packer_free(struct sl_log_packer *packer); /* NULL is allowed */

/* Packs `frames` behind the head's place of `block`, which has room for the head and
 * frames.len bytes; sets codec, stored_bytes, frame_bytes. `packer` NULL: nothing is compressed. */
void sl_log_block_pack(struct sl_log_packer *packer, struct sl_slice frames,
                       struct sl_log_block_head *head, uint8_t *block);

/* What unpacking needs, likewise: without it each block allocates it anew. */
struct sl_log_unpacker;
struct sl_log_unpacker *sl_log_unpacker_new(void); /* NULL: no memory */
void sl_log_unpacker_free(struct sl_log_unpacker *unpacker); /* NULL is allowed */

/* Unpacks a whole block into `frames`, which has head->frame_bytes; false: damage. */
bool sl_log_block_unpack_with(struct sl_log_unpacker *unpacker,
                              const struct sl_log_block_head *head, const uint8_t *block,
                              uint8_t *frames) SL_USE_RESULT;

/* The same, now and then. */
bool sl_log_block_unpack(const struct sl_log_block_head *head, const uint8_t *block,
                         uint8_t *frames) SL_USE_RESULT;

/* ---- Batch marks ----------------------------------------------------------------------------- */

/* A frame of kind SL_LOG_BATCH (with SL_LOG_MAY_SKIP) that stands before the frames of each batch,
 * from which, with those frames, the batch can be made again byte by byte. */
#define SL_LOG_BATCH_FRAME_MAX 80u

/* Returns the frame's bytes. */
size_t sl_log_batch_frame_write(uint8_t *p, const struct sl_log_batch_head *head);

/* Reads a payload; number, first_position, previous and salt are known from what comes before and
 * set by the caller, first. Of a batch that was scavenged `checksum` is the one that it had. */
bool sl_log_batch_frame_read(struct sl_slice payload, struct sl_log_batch_head *inout);

/* ---- Footer pages ---------------------------------------------------------------------------- */

struct sl_log_page_head {
    enum sl_log_page_kind kind;
    uint32_t count; /* of what the kind counts: places, positions, guides; else bytes or 0 */
};

/* Puts head and checksum over the first bytes of a page whose room is filled. */
void sl_log_page_seal(const struct sl_log_page_head *head, uint64_t salt, uint64_t number,
                      uint8_t *page);

/* Is this page `number` of the segment with this salt, of this kind, and whole? */
bool sl_log_page_check(const uint8_t *page, uint64_t salt, uint64_t number,
                       enum sl_log_page_kind kind, uint32_t *out_count);

/* Where a block lies and what it holds. */
struct sl_log_place {
    uint64_t offset;
    uint32_t bytes; /* head included */
    uint32_t frame_bytes;
    uint64_t first_position;
    uint64_t first_outcome;
    uint32_t event_count;
    uint32_t outcome_count;
    struct sl_time outcome_latest; /* INT64_MIN: it has no outcomes */
    struct sl_time time;           /* of the batch that its first frame belongs to */
};

void sl_log_place_write(uint8_t *p, const struct sl_log_place *place);
void sl_log_place_read(const uint8_t *p, struct sl_log_place *out);

/* Keys of a sealed segment are the upper 40 bits of their hash; whoever uses a position compares
 * the event's own text anyway. */
static inline uint64_t sl_log_short_hash(uint64_t hash)
{
    return hash >> 24;
}

struct sl_log_pair {
    uint64_t hash; /* short */
    uint64_t position;
};

/* The run of pairs in one page: reading. */
struct sl_log_run {
    struct sl_cursor cursor;
    uint64_t base;     /* the segment's first position */
    uint32_t left;     /* positions in the page */
    uint32_t in_group; /* positions of the current hash */
    bool begun;
    struct sl_log_pair pair;
};

void sl_log_run_begin(struct sl_log_run *run, const uint8_t *page, uint32_t count, uint64_t base);
/* Passes over what has smaller hashes. */
void sl_log_run_seek(struct sl_log_run *run, uint64_t hash);
/* False at the end, or where the page makes no sense: then cursor.failed. */
bool sl_log_run_next(struct sl_log_run *run, struct sl_log_pair *out);

/* Writes as many of the sorted pairs as fit into the page's room; returns how many. */
size_t sl_log_run_write(uint8_t *page, const struct sl_log_pair *pairs, size_t count,
                        uint64_t base);

void sl_log_guide_write(uint8_t *p, const struct sl_log_pair *first);
void sl_log_guide_read(const uint8_t *p, struct sl_log_pair *out);

/* The filter: which of `page_count` pages is the hash's; its bits there. */
#define SL_LOG_FILTER_KEYS_A_PAGE 3264u /* ten bits a key */
uint32_t sl_log_filter_page(uint64_t hash, uint32_t page_count);
void sl_log_filter_add(uint8_t *page, uint64_t hash);
bool sl_log_filter_has(const uint8_t *page, uint64_t hash);

#endif
