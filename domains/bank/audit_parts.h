/* What the audit's files share: its state, its accounts and ledgers. */
#ifndef BANK_AUDIT_PARTS_H
#define BANK_AUDIT_PARTS_H

#include "domains/bank/audit.h"
#include "domains/bank/id_table.h"

struct claim {
    sl_u128 sums[4];
    uint64_t entry;
    uint16_t flags;
};

/* One event, borrowed from the bytes that were taken. */
struct change {
    const uint8_t *canon;
    size_t canon_len;
    enum bank_canon_kind kind;
    uint64_t position;
    uint64_t timestamp;
    struct sl_text id, from, to, pending;
    sl_u128 amount, pending_amount;
    uint32_t ledger;
    uint16_t flags, pending_flags;
    int64_t limit;
    struct claim claims[2];
};

struct account {
    struct id_name name;
    uint32_t ledger;
    uint16_t flags;
    bool has_row[2]; /* by enum bank_served_kind */
    int64_t limit;
    uint64_t entries, links, position;
    sl_u128 sums[4], claimed[4];
    struct bank_head head;
};

struct pending {
    struct id_name name;
    bool resolved;
    sl_u128 amount;
};

/* A ledger's sums when a stretch of positions was over (trial.h). */
struct kept {
    uint64_t stretch;
    uint64_t accounts, transfers;
    sl_u128 claimed[4];
};

struct ledger {
    uint32_t number;
    bool has_row, has_running;
    struct kept now; /* its stretch: that of the last event */
    struct kept *kept;
    size_t kept_count, kept_max, kept_rows; /* rows: that were served */
};

/* A served row that does not fit yet. */
struct watch {
    struct bank_served row;
    struct id_name name;
    bool fitted;
};

struct bank_audit {
    struct bank_audit_options options;
    struct bank_audit_result result;
    uint64_t position; /* of the event taken last */
    uint64_t last_account, last_transfer;
    struct id_table accounts, pendings;
    struct ledger *ledgers;
    size_t ledger_count;
    struct watch *watches;
    size_t watch_count, watch_max;
};

/* audit.c */
void audit_differs(struct bank_audit *audit, struct sl_text account, const char *what,
                   const char *expected, const char *found);
void audit_compare(struct bank_audit *audit, struct sl_text account, const char *what,
                   sl_u128 expected, sl_u128 found);
void audit_u128(sl_u128 number, char out[BANK_ID_MAX + 1]);

/* NULL: no memory. */
struct ledger *audit_ledger(struct bank_audit *audit, uint32_t number);

static inline struct sl_text audit_id(const struct account *account)
{
    return (struct sl_text){account->name.text, account->name.len};
}

/* audit_served.c */
void audit_watch(struct bank_audit *audit, const struct change *change);
void audit_end_watches(struct bank_audit *audit);

#endif
