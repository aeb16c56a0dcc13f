#include "tests/fault/memory.h"

#include "base/env_sim.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

static uint64_t fail_at, fail_count, calls, failed;
static int64_t live;
static const void **recorded;
static sqlite3_mem_methods sqlite_memory;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void __real_free(void *old);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
char *__wrap_strdup(const char *text);
void __wrap_free(void *old);

void memory_fail(uint64_t nth, uint64_t count)
{
    fail_at = nth;
    fail_count = count;
    calls = failed = 0;
}

uint64_t memory_count(void)
{
    return calls;
}

uint64_t memory_failed(void)
{
    return failed;
}

int64_t memory_live(void)
{
    return live;
}

void memory_record(const void **sites)
{
    recorded = sites;
}

/* Is it this one's turn to fail? */
static bool fails(const void *site)
{
    if (sl_sim_takes_memory > 0)
        return false;
    if (recorded && calls < MEMORY_SITES_MAX)
        recorded[calls] = site;
    calls++;
    if (fail_at == 0 || calls < fail_at || calls - fail_at >= fail_count)
        return false;
    failed++;
    errno = ENOMEM;
    return true;
}

static void *taken(void *got)
{
    live += got != NULL;
    return got;
}

void *__wrap_malloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : taken(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : taken(__real_calloc(count, size));
}

static void *change(void *old, size_t size)
{
    void *got = __real_realloc(old, size);

    live += !old && got;
    return got;
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : change(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes) || fails(__builtin_return_address(0)))
        return NULL;
    return change(old, bytes);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : taken(__real_aligned_alloc(align, size));
}

char *__wrap_strdup(const char *text)
{
    const size_t size = strlen(text) + 1;
    char *copy = fails(__builtin_return_address(0)) ? NULL : taken(__real_malloc(size));

    return copy ? memcpy(copy, text, size) : NULL;
}

void __wrap_free(void *old)
{
    live -= old != NULL;
    __real_free(old);
}

/* ---- SQLite ---------------------------------------------------------------------------------- */

static void *sqlite_malloc_or_fail(int size)
{
    return fails(&sqlite_memory.xMalloc) ? NULL : sqlite_memory.xMalloc(size);
}

static void *sqlite_realloc_or_fail(void *old, int size)
{
    return fails(&sqlite_memory.xRealloc) ? NULL : sqlite_memory.xRealloc(old, size);
}

void memory_take_sqlite(void)
{
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_memory) != SQLITE_OK)
        return;
    sqlite3_mem_methods ours = sqlite_memory;
    ours.xMalloc = sqlite_malloc_or_fail;
    ours.xRealloc = sqlite_realloc_or_fail;
    (void)sqlite3_config(SQLITE_CONFIG_MALLOC, &ours);
}
