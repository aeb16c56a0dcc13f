/*
 * The trial balance as it is, a row a ledger; and as it was, a row a ledger and stretch of
 * positions in which the ledger had events, so that the sums at any position follow from one row
 * and less than a stretch of events (trial_at.c).
 */
#include "domains/bank/trial.h"
#include "domains/bank/bank.h"

#include <string.h>

const struct sl_record bank_trial_record = SL_RECORD(
    struct bank_trial, SL_FIELD(struct bank_trial, ledger), SL_FIELD(struct bank_trial, currency),
    SL_FIELD(struct bank_trial, accounts), SL_FIELD(struct bank_trial, transfers),
    SL_FIELD(struct bank_trial, debits_pending), SL_FIELD(struct bank_trial, credits_pending),
    SL_FIELD(struct bank_trial, debits_posted), SL_FIELD(struct bank_trial, credits_posted));

const struct sl_record bank_trial_kept_record =
    SL_RECORD(struct bank_trial_kept, SL_FIELD(struct bank_trial_kept, ledger),
              SL_FIELD(struct bank_trial_kept, number, .help = "0: as it is"),
              SL_FIELD(struct bank_trial_kept, stretch, .help = "of 1,024 positions, from 0"),
              SL_FIELD(struct bank_trial_kept, kept, .help = "of number 0: the greatest number"),
              SL_FIELD(struct bank_trial_kept, sums, .record = &bank_trial_record));

uint32_t bank_trial_ledger(const struct sl_event *event)
{
    if (event->type == &bank_account_opened_event)
        return ((const struct bank_account_opened *)event->body)->ledger;
    if (event->type == &bank_transferred_event)
        return ((const struct bank_transferred *)event->body)->ledger;
    if (event->type == &bank_transfer_expired_event)
        return ((const struct bank_transfer_expired *)event->body)->ledger;
    return 0;
}

static void add_transfer(struct bank_trial *sums, const struct bank_transferred *transferred)
{
    const bool pending = transferred->flags & LEDGER_PENDING;

    sums->transfers++;
    sums->debits_pending += pending ? transferred->amount : (sl_u128)0;
    sums->credits_pending += pending ? transferred->amount : (sl_u128)0;
    sums->debits_pending -= transferred->pending_amount;
    sums->credits_pending -= transferred->pending_amount;
    if (pending || transferred->flags & LEDGER_VOID)
        return;
    sums->debits_posted += transferred->amount;
    sums->credits_posted += transferred->amount;
}

void bank_trial_add(struct bank_trial *sums, const struct sl_event *event)
{
    if (event->type == &bank_account_opened_event) {
        const struct bank_account_opened *opened = event->body;
        if (sums->accounts++ == 0) {
            sums->ledger = opened->ledger;
            memcpy(sums->currency, opened->currency, sizeof sums->currency);
        }
    } else if (event->type == &bank_transferred_event) {
        add_transfer(sums, event->body);
    } else if (event->type == &bank_transfer_expired_event) {
        const struct bank_transfer_expired *expired = event->body;
        sums->debits_pending -= expired->amount;
        sums->credits_pending -= expired->amount;
    }
}

void bank_project_trial(const struct sl_event *event, struct sl_rows *rows)
{
    const uint32_t ledger = bank_trial_ledger(event);

    if (ledger == 0)
        return;
    struct bank_trial *row = sl_row_edit(rows, &ledger);
    if (!row) {
        row = sl_row_put(rows);
        row->ledger = ledger;
    }
    bank_trial_add(row, event);
}

void bank_project_trial_kept(const struct sl_event *event, struct sl_rows *rows)
{
    const uint32_t ledger = bank_trial_ledger(event);
    const uint64_t stretch = event->position / BANK_TRIAL_STRETCH, running = 0;
    struct bank_trial_kept kept = {0};

    if (ledger == 0)
        return;
    struct bank_trial_kept *row = sl_row_edit(rows, &ledger, &running);
    if (!row) {
        row = sl_row_put(rows);
        row->ledger = ledger;
    } else if (row->stretch != stretch) {
        kept = *row;
        kept.number = ++row->kept;
        kept.kept = 0;
    }
    row->stretch = stretch;
    bank_trial_add(&row->sums, event);
    if (kept.number > 0)
        *(struct bank_trial_kept *)sl_row_put(rows) = kept;
}
