/* The trial balance: what all accounts of a ledger were debited and credited. */
#ifndef BANK_TRIAL_H
#define BANK_TRIAL_H

#include <sluice/domain.h>

/* Positions of a stretch: so many events at most are added up for the balance at a position. */
enum { BANK_TRIAL_STRETCH = 1024 };

struct bank_trial {
    uint32_t ledger;
    char currency[4];
    uint64_t accounts;
    uint64_t transfers;
    sl_u128 debits_pending;
    sl_u128 credits_pending;
    sl_u128 debits_posted;
    sl_u128 credits_posted;
};

/* A ledger's sums behind some event: of number 0 behind its last one, from 1 on as they stood when
 * a stretch of positions was over in which it had events. */
struct bank_trial_kept {
    uint32_t ledger;
    uint64_t number;
    uint64_t stretch; /* in which the last event lies that is in the sums */
    uint64_t kept;    /* of number 0: the greatest number there is */
    struct bank_trial sums;
};

extern const struct sl_record bank_trial_record;
extern const struct sl_record bank_trial_kept_record;

/* The ledger whose sums the event changes; 0: none's. */
uint32_t bank_trial_ledger(const struct sl_event *event);

/* Adds such an event to its ledger's sums. */
void bank_trial_add(struct bank_trial *sums, const struct sl_event *event);

#endif
