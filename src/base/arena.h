/*
 * An arena: memory that is given back all at once.
 *
 * Zero-initialised it is empty and valid; its first block is taken when first needed, each further
 * one is larger. A reset keeps the largest block of at most 1 MiB, so that an arena that is reused
 * for the like of its last work soon allocates nothing. One owner. Under the address sanitizer,
 * memory that is not handed out may not be touched.
 */
#ifndef SL_BASE_ARENA_H
#define SL_BASE_ARENA_H

#include "base/error.h"

struct sl_arena_block;

struct sl_arena {
    struct sl_arena_block *current; /* the newest, largest block; older ones hang below it */
    uint8_t *next;                  /* free bytes of the current block: [next, end) */
    uint8_t *end;
    size_t total;     /* bytes handed out since the last reset, rounded up to 16 */
    size_t bytes_max; /* ceiling for `total`; 0: 64 MiB */
};

/* `size` bytes, aligned to 16, not zeroed. NULL when memory or the ceiling is out. */
void *sl_arena_take(struct sl_arena *arena, size_t size);

/* count × size zeroed bytes, checked for overflow. */
void *sl_arena_zeroed(struct sl_arena *arena, size_t count, size_t size);

/* Copies, so that they live as long as the arena's other memory; terminated, for convenience. The
 * ptr is NULL on failure, and never else. */
struct sl_text sl_arena_text(struct sl_arena *arena, struct sl_text text);
struct sl_slice sl_arena_slice(struct sl_arena *arena, struct sl_slice bytes);
struct sl_text sl_arena_printf(struct sl_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* All memory handed out is gone; one block stays for reuse. */
void sl_arena_reset(struct sl_arena *arena);
void sl_arena_close(struct sl_arena *arena);

#endif
