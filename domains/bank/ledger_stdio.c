/*
 * The ledger's rules behind a pipe, so that another implementation can be compared with them: one
 * book that holds all, no log and no server. It ends when its input does.
 *
 *     request   u32 operation | u32 bytes | u64 time | payload
 *     reply     u32 bytes | u32 zero | payload
 *
 * Operations and payloads are those of the binary protocol (docs of ledger_query.h); `time` is the
 * request's own. Operation 1, with a u64: what is due by then expires. All is little-endian.
 */
#include "domains/bank/ledger_book.h"
#include "domains/bank/ledger_query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HELD_MAX = 1 << 21,
    SLOTS = 1 << 22,
    PAYLOAD_MAX = LEDGER_BATCH_MAX * 128,
    EXPIRE = 1,
    LOOKUP_ACCOUNTS = 140,
    LOOKUP_TRANSFERS,
    GET_ACCOUNT_TRANSFERS,
    GET_ACCOUNT_BALANCES,
    QUERY_ACCOUNTS,
    QUERY_TRANSFERS,
    CREATE_ACCOUNTS,
    CREATE_TRANSFERS,
};

/* The balances of both accounts after a transfer, in the transfer's place. */
struct after {
    struct ledger_balance debit, credit;
};

struct world {
    struct ledger_book book;
    struct after *after;
    uint32_t *accounts; /* places of what is stored, by timestamp */
    size_t account_count;
    uint32_t *transfers;
    size_t transfer_count;
    _Alignas(16) uint8_t in[PAYLOAD_MAX];
    uint8_t out[PAYLOAD_MAX];
    size_t out_len;
    enum ledger_code codes[LEDGER_BATCH_MAX];
    uint64_t times[LEDGER_BATCH_MAX];
};

static void *room(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    if (!memory) {
        fputs("ledger_stdio: memory is out\n", stderr);
        abort();
    }
    return memory;
}

static struct world *world_open(void)
{
    struct world *world = room(1, sizeof *world);
    struct ledger_book *book = &world->book;

    book->accounts = room(HELD_MAX, sizeof *book->accounts);
    book->transfers = room(HELD_MAX, sizeof *book->transfers);
    book->moments = room(HELD_MAX, sizeof *book->moments);
    book->undo_max = (size_t)4 * LEDGER_BATCH_MAX;
    book->undo = room(book->undo_max, sizeof *book->undo);
    book->account_max = book->transfer_max = book->moment_max = HELD_MAX;
    ledger_index_init(&book->by_account, room(SLOTS, sizeof(uint32_t)), SLOTS);
    ledger_index_init(&book->by_transfer, room(SLOTS, sizeof(uint32_t)), SLOTS);
    ledger_index_init(&book->by_moment, room(SLOTS, sizeof(uint32_t)), SLOTS);
    world->after = room(HELD_MAX, sizeof *world->after);
    world->accounts = room(HELD_MAX, sizeof *world->accounts);
    world->transfers = room(HELD_MAX, sizeof *world->transfers);
    return world;
}

static void world_close(struct world *world)
{
    struct ledger_book *book = &world->book;

    free(book->accounts);
    free(book->transfers);
    free(book->moments);
    free(book->undo);
    free(book->by_account.slots);
    free(book->by_transfer.slots);
    free(book->by_moment.slots);
    free(world->after);
    free(world->accounts);
    free(world->transfers);
    free(world);
}

static bool answer(struct world *world, const void *record, size_t size)
{
    if (world->out_len + size > sizeof world->out)
        return false;
    memcpy(world->out + world->out_len, record, size);
    world->out_len += size;
    return true;
}

/* ---- Creating -------------------------------------------------------------------------------- */

static void note_transfers(struct world *world, size_t count)
{
    const struct ledger_transfer *transfers = (const struct ledger_transfer *)(void *)world->in;

    for (size_t i = 0; i < count; i++) {
        if (world->codes[i] != LEDGER_CREATED)
            continue;
        const struct ledger_held_transfer *held =
            ledger_book_transfer(&world->book, transfers[i].id);
        world->transfers[world->transfer_count++] = (uint32_t)(held - world->book.transfers);
    }
}

static void note_accounts(struct world *world, size_t count)
{
    const struct ledger_account *accounts = (const struct ledger_account *)(void *)world->in;

    for (size_t i = 0; i < count; i++)
        if (world->codes[i] == LEDGER_CREATED)
            world->accounts[world->account_count++] =
                (uint32_t)(ledger_book_account(&world->book, accounts[i].id) -
                           world->book.accounts);
}

static void on_created(void *user, const struct ledger_held_transfer *transfer,
                       const struct ledger_held_account *debit,
                       const struct ledger_held_account *credit)
{
    struct world *world = user;
    struct after *after = &world->after[transfer - world->book.transfers];

    after->debit = ledger_balance_at(&debit->account, transfer->transfer.timestamp);
    after->credit = ledger_balance_at(&credit->account, transfer->transfer.timestamp);
}

static void create(struct world *world, uint32_t operation, size_t bytes, uint64_t time)
{
    const size_t count = bytes / 128;
    const bool accounts = operation == CREATE_ACCOUNTS;

    if (accounts) {
        const struct ledger_account *items = (const void *)world->in;
        const struct ledger_request request = {count > 0 && items->flags & LEDGER_ACCOUNT_IMPORTED,
                                               time};
        ledger_book_create_accounts(&world->book, items, count, request, world->codes,
                                    world->times);
        note_accounts(world, count);
    } else {
        const struct ledger_transfer *items = (const void *)world->in;
        const struct ledger_request request = {count > 0 && items->flags & LEDGER_IMPORTED, time};
        ledger_book_create_transfers(&world->book, items, count, request, world->codes,
                                     world->times);
        note_transfers(world, count);
    }
    for (size_t i = 0; i < count; i++) {
        const struct ledger_verdict *verdict = ledger_verdict_of(world->codes[i]);
        const struct ledger_result result = {.timestamp = world->times[i],
                                             .status =
                                                 accounts ? verdict->account : verdict->transfer};
        answer(world, &result, sizeof result);
    }
}

static void expire(struct world *world)
{
    uint64_t now;

    memcpy(&now, world->in, sizeof now);
    for (size_t i = 0; i < world->transfer_count; i++) {
        struct ledger_held_transfer *held = &world->book.transfers[world->transfers[i]];
        const uint64_t expiry = ledger_expiry(&held->transfer);
        if (held->stage == LEDGER_IS_PENDING && expiry && expiry <= now)
            ledger_book_expire(&world->book, held);
    }
}

/* ---- Asking ---------------------------------------------------------------------------------- */

static void look_up(struct world *world, uint32_t operation, size_t bytes)
{
    for (size_t i = 0; i + 16 <= bytes; i += 16) {
        sl_u128 id;
        memcpy(&id, world->in + i, sizeof id);
        if (operation == LOOKUP_ACCOUNTS) {
            const struct ledger_held_account *held = ledger_book_account(&world->book, id);
            if (held && held->account.timestamp)
                answer(world, &held->account, sizeof held->account);
        } else {
            const struct ledger_held_transfer *held = ledger_book_transfer(&world->book, id);
            if (held && held->stored)
                answer(world, &held->transfer, sizeof held->transfer);
        }
    }
}

static void account_balance(struct world *world, const struct ledger_account_filter *filter,
                            const struct ledger_transfer *transfer, size_t place)
{
    const struct ledger_held_account *held = ledger_book_account(&world->book, filter->account_id);
    const struct after *after = &world->after[place];

    if (!held || !(held->account.flags & LEDGER_HISTORY))
        return;
    answer(world, transfer->debit_account_id == filter->account_id ? &after->debit : &after->credit,
           sizeof after->debit);
}

static void account_filter(struct world *world, uint32_t operation)
{
    struct ledger_account_filter filter;
    size_t found = 0;

    memcpy(&filter, world->in, sizeof filter);
    if (!ledger_account_filter_is_valid(&filter))
        return;
    for (size_t i = 0; i < world->transfer_count && found < filter.limit; i++) {
        const size_t at = filter.flags & LEDGER_FILTER_REVERSED ? world->transfer_count - 1 - i : i;
        const size_t place = world->transfers[at];
        const struct ledger_transfer *transfer = &world->book.transfers[place].transfer;
        if (!ledger_account_filter_takes(&filter, transfer))
            continue;
        found++;
        if (operation == GET_ACCOUNT_TRANSFERS)
            answer(world, transfer, sizeof *transfer);
        else
            account_balance(world, &filter, transfer, place);
    }
}

static void query(struct world *world, uint32_t operation)
{
    const bool accounts = operation == QUERY_ACCOUNTS;
    const size_t count = accounts ? world->account_count : world->transfer_count;
    struct ledger_query_filter filter;
    size_t found = 0;

    memcpy(&filter, world->in, sizeof filter);
    if (!ledger_query_filter_is_valid(&filter))
        return;
    for (size_t i = 0; i < count && found < filter.limit; i++) {
        const size_t at = filter.flags & LEDGER_QUERY_REVERSED ? count - 1 - i : i;
        if (accounts) {
            const struct ledger_account *account =
                &world->book.accounts[world->accounts[at]].account;
            if (ledger_query_filter_takes_account(&filter, account))
                found += answer(world, account, sizeof *account);
        } else {
            const struct ledger_transfer *transfer =
                &world->book.transfers[world->transfers[at]].transfer;
            if (ledger_query_filter_takes_transfer(&filter, transfer))
                found += answer(world, transfer, sizeof *transfer);
        }
    }
}

static bool serve(struct world *world, uint32_t operation, size_t bytes, uint64_t time)
{
    world->out_len = 0;
    if (operation == CREATE_ACCOUNTS || operation == CREATE_TRANSFERS)
        create(world, operation, bytes, time);
    else if (operation == EXPIRE && bytes == 8)
        expire(world);
    else if (operation == LOOKUP_ACCOUNTS || operation == LOOKUP_TRANSFERS)
        look_up(world, operation, bytes);
    else if ((operation == GET_ACCOUNT_TRANSFERS || operation == GET_ACCOUNT_BALANCES) &&
             bytes == sizeof(struct ledger_account_filter))
        account_filter(world, operation);
    else if ((operation == QUERY_ACCOUNTS || operation == QUERY_TRANSFERS) &&
             bytes == sizeof(struct ledger_query_filter))
        query(world, operation);
    else
        return false;
    return true;
}

int main(void)
{
    struct world *world = world_open();
    struct {
        uint32_t operation, bytes;
        uint64_t time;
    } head;
    bool good = true;

    world->book.on_created = on_created;
    world->book.user = world;
    while (good && fread(&head, sizeof head, 1, stdin) == 1) {
        good = head.bytes <= sizeof world->in &&
               fread(world->in, 1, head.bytes, stdin) == head.bytes &&
               serve(world, head.operation, head.bytes, head.time);
        const uint32_t reply[2] = {(uint32_t)world->out_len, 0};
        good = good && fwrite(reply, sizeof reply, 1, stdout) == 1 &&
               fwrite(world->out, 1, world->out_len, stdout) == world->out_len &&
               fflush(stdout) == 0;
    }
    if (!good)
        fprintf(stderr, "ledger_stdio: operation %u of %u bytes is none\n", head.operation,
                head.bytes);
    world_close(world);
    return good ? 0 : 1;
}
