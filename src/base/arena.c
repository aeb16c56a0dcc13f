#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(WITH_ASAN)
#include <sanitizer/asan_interface.h>
#define FORBID(ptr, len) ASAN_POISON_MEMORY_REGION(ptr, len)
#define ALLOW(ptr, len) ASAN_UNPOISON_MEMORY_REGION(ptr, len)
#else
#define FORBID(ptr, len) ((void)(ptr))
#define ALLOW(ptr, len) ((void)(ptr))
#endif

enum {
    ALIGN = 16,
    FIRST_BLOCK = 4096,
    KEEP_MAX = 1 << 20, /* blocks grow up to this; a larger one holds a single large piece */
    BYTES_MAX = 64 << 20,
};

struct sl_arena_block {
    struct sl_arena_block *below;
    size_t size; /* of `bytes` */
    _Alignas(ALIGN) uint8_t bytes[];
};

static void use_block(struct sl_arena *arena, struct sl_arena_block *block)
{
    arena->current = block;
    arena->next = block->bytes;
    arena->end = block->bytes + block->size;
}

static bool add_block(struct sl_arena *arena, size_t size)
{
    size_t room = FIRST_BLOCK - sizeof(struct sl_arena_block);

    if (arena->current)
        room = arena->current->size * 2 < KEEP_MAX ? arena->current->size * 2 : KEEP_MAX;
    if (room < size)
        room = size;
    struct sl_arena_block *block = malloc(sizeof *block + room);
    if (!block)
        return false;
    block->below = arena->current;
    block->size = room;
    FORBID(block->bytes, block->size);
    use_block(arena, block);
    return true;
}

void *sl_arena_take(struct sl_arena *arena, size_t size)
{
    const size_t max = arena->bytes_max > 0 ? arena->bytes_max : BYTES_MAX;

    if (size > max)
        return NULL;
    const size_t whole = size > 0 ? (size + ALIGN - 1) & ~(size_t)(ALIGN - 1) : ALIGN;
    if (whole > max || arena->total > max - whole)
        return NULL;
    if ((size_t)(arena->end - arena->next) < whole && !add_block(arena, whole))
        return NULL;
    uint8_t *out = arena->next;
    arena->next += whole;
    arena->total += whole;
    ALLOW(out, size);
    return out;
}

void *sl_arena_zeroed(struct sl_arena *arena, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    void *out = sl_arena_take(arena, bytes);
    if (out)
        memset(out, 0, bytes);
    return out;
}

struct sl_text sl_arena_text(struct sl_arena *arena, struct sl_text text)
{
    if (text.len == SIZE_MAX)
        return (struct sl_text){NULL, 0};
    char *copy = sl_arena_take(arena, text.len + 1);
    if (!copy)
        return (struct sl_text){NULL, 0};
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return (struct sl_text){copy, text.len};
}

struct sl_slice sl_arena_slice(struct sl_arena *arena, struct sl_slice bytes)
{
    const struct sl_text copy =
        sl_arena_text(arena, (struct sl_text){(const char *)bytes.ptr, bytes.len});

    return (struct sl_slice){(const uint8_t *)copy.ptr, copy.len};
}

struct sl_text sl_arena_printf(struct sl_arena *arena, const char *format, ...)
{
    va_list arguments, again;
    char *text = NULL;

    va_start(arguments, format);
    va_copy(again, arguments);
    const int len = vsnprintf(NULL, 0, format, arguments);
    if (len >= 0)
        text = sl_arena_take(arena, (size_t)len + 1);
    if (text)
        vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    va_end(arguments);
    return (struct sl_text){text, text ? (size_t)len : 0};
}

/* Frees all blocks but `kept`, which may be NULL. */
static void free_blocks(struct sl_arena *arena, const struct sl_arena_block *kept)
{
    struct sl_arena_block *block = arena->current;

    while (block) {
        struct sl_arena_block *below = block->below;
        if (block != kept) {
            ALLOW(block->bytes, block->size);
            free(block);
        }
        block = below;
    }
}

void sl_arena_reset(struct sl_arena *arena)
{
    struct sl_arena_block *kept = NULL;

    for (struct sl_arena_block *block = arena->current; block; block = block->below)
        if (block->size <= KEEP_MAX && (!kept || block->size > kept->size))
            kept = block;
    free_blocks(arena, kept);
    arena->total = 0;
    arena->current = NULL;
    arena->next = arena->end = NULL;
    if (!kept)
        return;
    kept->below = NULL;
    FORBID(kept->bytes, kept->size);
    use_block(arena, kept);
}

void sl_arena_close(struct sl_arena *arena)
{
    free_blocks(arena, NULL);
    *arena = (struct sl_arena){.bytes_max = arena->bytes_max};
}
