/*
 * The bank's hash chains: each event has one canonical form in bytes, and a chain's head after an
 * event is SHA-256(the head before it, 32 bytes, then the event's canonical form). The first head
 * is 32 zero bytes. There is one chain over all events, and one for each account over those that
 * concern it. docs/bank.md has the form byte by byte: it must never change for events that were
 * written before, or heads that people noted would no longer fit.
 */
#ifndef BANK_CHAIN_H
#define BANK_CHAIN_H

#include "domains/bank/bank.h"

enum { BANK_HEAD_BYTES = 32, BANK_HEAD_HEX = 64, BANK_CANON_MAX = 1024, BANK_CLAIM_BYTES = 148 };

/* What stands in the second byte of a canonical form. */
enum bank_canon_kind {
    BANK_CANON_OPENED = 1,
    BANK_CANON_CLOSED,
    BANK_CANON_LIMIT,
    BANK_CANON_TRANSFERRED,
    BANK_CANON_FAILED,
    BANK_CANON_EXPIRED,
};

struct bank_head {
    uint8_t bytes[BANK_HEAD_BYTES];
};

/* Writes the event's canonical form; returns its length. 0: it is no event of the bank, or has a
 * text of more than 255 bytes, which the bank's commands do not let through. Pure. */
size_t bank_canon_write(const struct sl_event *event, uint8_t out[BANK_CANON_MAX]);

/* Writes what a Transferred or TransferExpired says of both accounts after it: for the debited,
 * then the credited one, debits_pending, debits_posted, credits_pending, credits_posted (16 bytes
 * each), entry (8) and flags (2). False: the event is neither. Pure. */
bool bank_claim_write(const struct sl_event *event, uint8_t out[BANK_CLAIM_BYTES]);

/* The head after an event with this canonical form. Pure. */
struct bank_head bank_head_after(const struct bank_head *head, const uint8_t *canon, size_t len);

void bank_head_write(const struct bank_head *head, char out[BANK_HEAD_HEX]);

/* Reads 64 hexadecimal digits; false: they are none, and `out` is as it was. */
bool bank_head_read(struct sl_text text, struct bank_head *out);

#endif
