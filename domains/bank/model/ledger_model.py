"""A second opinion on the ledger: TigerBeetle's accounts and transfers as tables of rules.

Written from the reference's tables (docs/reference of 0.17.9), not from the C beside it: each rule
is one line, a verdict's name and when it is said, in the order of precedence; the first that holds
is the verdict. Records are named tuples, never changed; the ledger's dictionaries are, and what a
failed chain did to them is undone from a journal.

Requests and replies are the binary ones: `Ledger.request(operation, time, payload)`.
"""
import collections
import struct

INT_MAX = (1 << 128) - 1
TIME_MAX = (1 << 63) - 1
SECOND = 10**9
BATCH_MAX = 8189

LINKED, PENDING, POST, VOID, BALANCING_DEBIT, BALANCING_CREDIT, CLOSING_DEBIT, CLOSING_CREDIT, \
    IMPORTED = (1 << bit for bit in range(9))
RESOLVING = POST | VOID
ACCOUNT_NO_OVERDRAFT, ACCOUNT_NO_OVERPAYMENT, HISTORY, ACCOUNT_IMPORTED, CLOSED = 2, 4, 8, 16, 32

ACCOUNT_CODES = {
    'created': 0xffffffff, 'linked_event_failed': 1, 'linked_event_chain_open': 2,
    'imported_event_expected': 22, 'imported_event_not_expected': 23, 'timestamp_must_be_zero': 3,
    'imported_event_timestamp_out_of_range': 24, 'imported_event_timestamp_must_not_advance': 25,
    'reserved_field': 4, 'reserved_flag': 5, 'id_must_not_be_zero': 6, 'id_must_not_be_int_max': 7,
    'exists_with_different_flags': 15, 'exists_with_different_user_data_128': 16,
    'exists_with_different_user_data_64': 17, 'exists_with_different_user_data_32': 18,
    'exists_with_different_ledger': 19, 'exists_with_different_code': 20, 'exists': 21,
    'flags_are_mutually_exclusive': 8, 'debits_pending_must_be_zero': 9,
    'debits_posted_must_be_zero': 10, 'credits_pending_must_be_zero': 11,
    'credits_posted_must_be_zero': 12, 'ledger_must_not_be_zero': 13, 'code_must_not_be_zero': 14,
    'imported_event_timestamp_must_not_regress': 26,
}

TRANSFER_CODES = {
    'created': 0xffffffff, 'linked_event_failed': 1, 'linked_event_chain_open': 2,
    'imported_event_expected': 56, 'imported_event_not_expected': 57, 'timestamp_must_be_zero': 3,
    'imported_event_timestamp_out_of_range': 58, 'imported_event_timestamp_must_not_advance': 59,
    'reserved_flag': 4, 'id_must_not_be_zero': 5, 'id_must_not_be_int_max': 6,
    'exists_with_different_flags': 36, 'exists_with_different_pending_id': 40,
    'exists_with_different_timeout': 44, 'exists_with_different_debit_account_id': 37,
    'exists_with_different_credit_account_id': 38, 'exists_with_different_amount': 39,
    'exists_with_different_user_data_128': 41, 'exists_with_different_user_data_64': 42,
    'exists_with_different_user_data_32': 43, 'exists_with_different_ledger': 67,
    'exists_with_different_code': 45, 'exists': 46, 'id_already_failed': 68,
    'flags_are_mutually_exclusive': 7, 'debit_account_id_must_not_be_zero': 8,
    'debit_account_id_must_not_be_int_max': 9, 'credit_account_id_must_not_be_zero': 10,
    'credit_account_id_must_not_be_int_max': 11, 'accounts_must_be_different': 12,
    'pending_id_must_be_zero': 13, 'pending_id_must_not_be_zero': 14,
    'pending_id_must_not_be_int_max': 15, 'pending_id_must_be_different': 16,
    'timeout_reserved_for_pending_transfer': 17, 'closing_transfer_must_be_pending': 64,
    'ledger_must_not_be_zero': 19, 'code_must_not_be_zero': 20, 'debit_account_not_found': 21,
    'credit_account_not_found': 22, 'accounts_must_have_the_same_ledger': 23,
    'transfer_must_have_the_same_ledger_as_accounts': 24, 'pending_transfer_not_found': 25,
    'pending_transfer_not_pending': 26, 'pending_transfer_has_different_debit_account_id': 27,
    'pending_transfer_has_different_credit_account_id': 28,
    'pending_transfer_has_different_ledger': 29, 'pending_transfer_has_different_code': 30,
    'exceeds_pending_transfer_amount': 31, 'pending_transfer_has_different_amount': 32,
    'pending_transfer_already_posted': 33, 'pending_transfer_already_voided': 34,
    'pending_transfer_expired': 35, 'imported_event_timestamp_must_not_regress': 60,
    'imported_event_timestamp_must_postdate_debit_account': 61,
    'imported_event_timestamp_must_postdate_credit_account': 62,
    'imported_event_timeout_must_be_zero': 63, 'debit_account_already_closed': 65,
    'credit_account_already_closed': 66, 'overflows_debits_pending': 47,
    'overflows_credits_pending': 48, 'overflows_debits_posted': 49,
    'overflows_credits_posted': 50, 'overflows_debits': 51, 'overflows_credits': 52,
    'overflows_timeout': 53, 'exceeds_credits': 54, 'exceeds_debits': 55,
}

TRANSIENT = {
    'debit_account_not_found', 'credit_account_not_found', 'pending_transfer_not_found',
    'debit_account_already_closed', 'credit_account_already_closed', 'exceeds_credits',
    'exceeds_debits',
}

# ---- Records -----------------------------------------------------------------------------------

Account = collections.namedtuple(
    'Account', 'id debits_pending debits_posted credits_pending credits_posted user_data_128 '
               'user_data_64 user_data_32 reserved ledger code flags timestamp')
Transfer = collections.namedtuple(
    'Transfer', 'id debit_account_id credit_account_id amount pending_id user_data_128 '
                'user_data_64 user_data_32 timeout ledger code flags timestamp')
LAYOUT = struct.Struct('<12QQIIIHHQ')  # of both: six numbers of 128 bits, and the rest


def decode(kind, payload):
    for low1, high1, low2, high2, low3, high3, low4, high4, low5, high5, low6, high6, *rest in \
            LAYOUT.iter_unpack(payload):
        yield kind(low1 | high1 << 64, low2 | high2 << 64, low3 | high3 << 64, low4 | high4 << 64,
                   low5 | high5 << 64, low6 | high6 << 64, *rest)


def encode(record):
    wide = []
    for number in record[:6]:
        wide += number & (1 << 64) - 1, number >> 64
    return LAYOUT.pack(*wide, *record[6:])


# ---- Rules -------------------------------------------------------------------------------------
#
# `r` is the record, `s` what it is judged in: the ledger and what the record names.

ENVELOPE = (
    ('imported_event_expected', lambda r, s: s.batch_imported and not s.imported),
    ('imported_event_not_expected', lambda r, s: s.imported and not s.batch_imported),
    ('timestamp_must_be_zero', lambda r, s: not s.imported and r.timestamp != 0),
    ('imported_event_timestamp_out_of_range',
     lambda r, s: s.imported and not 1 <= r.timestamp <= TIME_MAX),
    ('imported_event_timestamp_must_not_advance',
     lambda r, s: s.imported and r.timestamp >= s.batch_time),
)


def differs(field):
    return f'exists_with_different_{field}', lambda r, s: getattr(r, field) != getattr(s.old, field)


ACCOUNT_RULES = ENVELOPE + (
    ('reserved_field', lambda r, s: r.reserved),
    ('reserved_flag', lambda r, s: r.flags & ~63),
    ('id_must_not_be_zero', lambda r, s: r.id == 0),
    ('id_must_not_be_int_max', lambda r, s: r.id == INT_MAX),
)
ACCOUNT_SAME = tuple(map(differs, (
    'flags', 'user_data_128', 'user_data_64', 'user_data_32', 'ledger', 'code')))
ACCOUNT_NEW = (
    ('flags_are_mutually_exclusive', lambda r, s: r.flags & 6 == 6),
    ('debits_pending_must_be_zero', lambda r, s: r.debits_pending),
    ('debits_posted_must_be_zero', lambda r, s: r.debits_posted),
    ('credits_pending_must_be_zero', lambda r, s: r.credits_pending),
    ('credits_posted_must_be_zero', lambda r, s: r.credits_posted),
    ('ledger_must_not_be_zero', lambda r, s: r.ledger == 0),
    ('code_must_not_be_zero', lambda r, s: r.code == 0),
    ('imported_event_timestamp_must_not_regress', lambda r, s: s.regresses),
)

TRANSFER_RULES = ENVELOPE + (
    ('reserved_flag', lambda r, s: r.flags & ~511),
    ('id_must_not_be_zero', lambda r, s: r.id == 0),
    ('id_must_not_be_int_max', lambda r, s: r.id == INT_MAX),
)


def differs_unless_zero(field):
    name, test = differs(field)
    return name, lambda r, s: test(r, s) and not (r.flags & RESOLVING and getattr(r, field) == 0)


def differs_inherited(field):
    """Zero in a post or void stands for what the pending transfer has."""
    def test(r, s):
        meant = getattr(r, field)
        if r.flags & RESOLVING and meant == 0:
            meant = getattr(s.pending, field)
        return meant != getattr(s.old, field)
    return f'exists_with_different_{field}', test


def amount_differs(r, s):
    if r.flags & (BALANCING_DEBIT | BALANCING_CREDIT):
        return r.amount < s.old.amount
    if r.flags & VOID and r.amount == 0 or r.flags & POST and r.amount == INT_MAX:
        return s.old.amount != s.pending.amount
    return r.amount != s.old.amount


TRANSFER_SAME = (
    differs('flags'), differs('pending_id'), differs('timeout'),
    differs_unless_zero('debit_account_id'), differs_unless_zero('credit_account_id'),
    ('exists_with_different_amount', amount_differs),
    differs_inherited('user_data_128'), differs_inherited('user_data_64'),
    differs_inherited('user_data_32'),
    differs_unless_zero('ledger'), differs_unless_zero('code'),
)

RESOLVING_RULES = (
    ('flags_are_mutually_exclusive',
     lambda r, s: r.flags & RESOLVING == RESOLVING or
     r.flags & (PENDING | BALANCING_DEBIT | BALANCING_CREDIT | CLOSING_DEBIT | CLOSING_CREDIT)),
    ('pending_id_must_not_be_zero', lambda r, s: r.pending_id == 0),
    ('pending_id_must_not_be_int_max', lambda r, s: r.pending_id == INT_MAX),
    ('pending_id_must_be_different', lambda r, s: r.pending_id == r.id),
    ('timeout_reserved_for_pending_transfer', lambda r, s: r.timeout),
    ('pending_transfer_not_found', lambda r, s: s.pending is None),
    ('pending_transfer_not_pending', lambda r, s: not s.pending.flags & PENDING),
    ('pending_transfer_has_different_debit_account_id',
     lambda r, s: r.debit_account_id not in (0, s.pending.debit_account_id)),
    ('pending_transfer_has_different_credit_account_id',
     lambda r, s: r.credit_account_id not in (0, s.pending.credit_account_id)),
    ('pending_transfer_has_different_ledger', lambda r, s: r.ledger not in (0, s.pending.ledger)),
    ('pending_transfer_has_different_code', lambda r, s: r.code not in (0, s.pending.code)),
    ('exceeds_pending_transfer_amount', lambda r, s: s.amount > s.pending.amount),
    ('pending_transfer_has_different_amount',
     lambda r, s: r.flags & VOID and s.amount < s.pending.amount),
    ('pending_transfer_already_posted', lambda r, s: s.stage == 'posted'),
    ('pending_transfer_already_voided', lambda r, s: s.stage == 'voided'),
    ('pending_transfer_expired',
     lambda r, s: s.stage == 'expired' or
     s.pending.timeout and s.pending.timestamp + s.pending.timeout * SECOND <= s.time),
    ('imported_event_timestamp_must_not_regress', lambda r, s: s.regresses),
    ('debit_account_already_closed', lambda r, s: r.flags & POST and s.debit.flags & CLOSED),
    ('credit_account_already_closed', lambda r, s: r.flags & POST and s.credit.flags & CLOSED),
)

PLAIN_RULES = (
    ('debit_account_id_must_not_be_zero', lambda r, s: r.debit_account_id == 0),
    ('debit_account_id_must_not_be_int_max', lambda r, s: r.debit_account_id == INT_MAX),
    ('credit_account_id_must_not_be_zero', lambda r, s: r.credit_account_id == 0),
    ('credit_account_id_must_not_be_int_max', lambda r, s: r.credit_account_id == INT_MAX),
    ('accounts_must_be_different', lambda r, s: r.debit_account_id == r.credit_account_id),
    ('pending_id_must_be_zero', lambda r, s: r.pending_id),
    ('timeout_reserved_for_pending_transfer', lambda r, s: r.timeout and not r.flags & PENDING),
    ('closing_transfer_must_be_pending',
     lambda r, s: r.flags & (CLOSING_DEBIT | CLOSING_CREDIT) and not r.flags & PENDING),
    ('ledger_must_not_be_zero', lambda r, s: r.ledger == 0),
    ('code_must_not_be_zero', lambda r, s: r.code == 0),
    ('debit_account_not_found', lambda r, s: s.debit is None),
    ('credit_account_not_found', lambda r, s: s.credit is None),
    ('accounts_must_have_the_same_ledger', lambda r, s: s.debit.ledger != s.credit.ledger),
    ('transfer_must_have_the_same_ledger_as_accounts', lambda r, s: r.ledger != s.debit.ledger),
    ('imported_event_timestamp_must_not_regress', lambda r, s: s.regresses),
    ('imported_event_timestamp_must_postdate_debit_account',
     lambda r, s: s.imported and r.timestamp <= s.debit.timestamp),
    ('imported_event_timestamp_must_postdate_credit_account',
     lambda r, s: s.imported and r.timestamp <= s.credit.timestamp),
    ('imported_event_timeout_must_be_zero', lambda r, s: s.imported and r.timeout),
    ('debit_account_already_closed', lambda r, s: s.debit.flags & CLOSED),
    ('credit_account_already_closed', lambda r, s: s.credit.flags & CLOSED),
)

AMOUNT_RULES = (
    ('overflows_debits_pending',
     lambda r, s: r.flags & PENDING and s.debit.debits_pending + s.amount > INT_MAX),
    ('overflows_credits_pending',
     lambda r, s: r.flags & PENDING and s.credit.credits_pending + s.amount > INT_MAX),
    ('overflows_debits_posted', lambda r, s: s.debit.debits_posted + s.amount > INT_MAX),
    ('overflows_credits_posted', lambda r, s: s.credit.credits_posted + s.amount > INT_MAX),
    ('overflows_debits',
     lambda r, s: s.debit.debits_pending + s.debit.debits_posted + s.amount > INT_MAX),
    ('overflows_credits',
     lambda r, s: s.credit.credits_pending + s.credit.credits_posted + s.amount > INT_MAX),
    ('overflows_timeout', lambda r, s: s.time + r.timeout * SECOND > TIME_MAX),
    ('exceeds_credits',
     lambda r, s: s.debit.flags & ACCOUNT_NO_OVERDRAFT and
     s.debit.debits_pending + s.debit.debits_posted + s.amount > s.debit.credits_posted),
    ('exceeds_debits',
     lambda r, s: s.credit.flags & ACCOUNT_NO_OVERPAYMENT and
     s.credit.credits_pending + s.credit.credits_posted + s.amount > s.credit.debits_posted),
)


def first(rules, record, scene, otherwise):
    for name, broken in rules:
        if broken(record, scene):
            return name
    return otherwise


class Scene:
    """What one record is judged in."""
    __slots__ = ('batch_imported', 'imported', 'batch_time', 'time', 'regresses', 'old', 'pending',
                 'stage', 'debit', 'credit', 'amount')


# ---- The ledger --------------------------------------------------------------------------------

class Ledger:
    def __init__(self):
        self.accounts, self.transfers, self.stages = {}, {}, {}
        self.burnt, self.moments = set(), {}
        self.newest = {'account': 0, 'transfer': 0}
        self.order = {'account': [], 'transfer': []}  # ids, as they were stored
        self.after = {}   # transfer: both accounts after it
        self.due = {}     # pending transfers that run out
        self.journal = []

    def put(self, table, key, value):
        self.journal.append((table, key, table.get(key)))
        table[key] = value

    def take_back(self):
        while self.journal:
            table, key, old = self.journal.pop()
            if old is None:
                table.pop(key, None)
            else:
                table[key] = old

    # ---- Requests of many

    def create(self, kind, records, time):
        judge = self.create_account if kind == 'account' else self.create_transfer
        imported_bit = ACCOUNT_IMPORTED if kind == 'account' else IMPORTED
        results, start = [], 0
        count = len(records)
        while start < count:
            end = start
            while end < count and records[end].flags & LINKED:
                end += 1
            is_open = end == count
            end = count if is_open else end + 1
            results += self.chain(kind, judge, records[start:end], is_open, Batch(
                bool(records[0].flags & imported_bit), imported_bit, time, count, start))
            start = end
        return results

    def chain(self, kind, judge, records, is_open, batch):
        """[(verdict, time)] of one chain, all or none."""
        self.journal, verdicts, times = [], [], []
        failed = None
        for i, record in enumerate(records):
            time = batch.time - batch.count + batch.start + i + 1
            if is_open and i == len(records) - 1:
                verdict = 'linked_event_chain_open'
            elif failed is not None:
                verdict = 'linked_event_failed'
            else:
                verdict, time = judge(record, time, batch)
            if verdict != 'created' and failed is None:
                failed = i
            verdicts.append(verdict)
            times.append(time)
        if failed is None:
            for record, time in zip(records, times):
                self.order[kind].append(record.id)
                self.moments.setdefault(time, set()).add(kind)
            return list(zip(verdicts, times))
        self.take_back()
        verdicts[:failed] = ['linked_event_failed'] * failed
        if kind == 'transfer' and verdicts[failed] in TRANSIENT:
            self.burnt.add(records[failed].id)
        return list(zip(verdicts, times))

    def scene(self, kind, record, time, batch):
        s = Scene()
        s.batch_imported, s.batch_time = batch.imported, batch.time
        s.imported = bool(record.flags & batch.imported_bit)
        s.time = record.timestamp if s.imported else time
        other = 'transfer' if kind == 'account' else 'account'
        s.regresses = s.imported and (record.timestamp <= self.newest[kind] or
                                      other in self.moments.get(record.timestamp, ()))
        return s

    # ---- Accounts

    def create_account(self, r, time, batch):
        s = self.scene('account', r, time, batch)
        verdict = first(ACCOUNT_RULES, r, s, None)
        s.old = self.accounts.get(r.id)
        if not verdict and s.old:
            verdict = first(ACCOUNT_SAME, r, s, 'exists')
            if verdict == 'exists':
                return verdict, s.old.timestamp
        verdict = verdict or first(ACCOUNT_NEW, r, s, 'created')
        if verdict != 'created':
            return verdict, time
        self.put(self.accounts, r.id, r._replace(timestamp=s.time))
        self.put(self.newest, 'account', s.time)
        return verdict, s.time

    # ---- Transfers

    def create_transfer(self, r, time, batch):
        s = self.scene('transfer', r, time, batch)
        verdict = first(TRANSFER_RULES, r, s, None)
        if verdict:
            return verdict, time
        s.old = self.transfers.get(r.id)
        s.pending = self.transfers.get(r.pending_id)
        if s.old:
            verdict = first(TRANSFER_SAME, r, s, 'exists')
            return verdict, s.old.timestamp if verdict == 'exists' else time
        if r.id in self.burnt:
            return 'id_already_failed', time
        verdict, stored = self.resolve(r, s) if r.flags & RESOLVING else self.move(r, s)
        if verdict != 'created':
            return verdict, time
        self.put(self.transfers, r.id, stored)
        self.put(self.newest, 'transfer', s.time)
        self.put(self.after, r.id, (self.accounts[stored.debit_account_id],
                                    self.accounts[stored.credit_account_id]))
        return verdict, s.time

    def resolve(self, r, s):
        if s.pending:
            whole = 0 if r.flags & VOID else INT_MAX
            s.amount = s.pending.amount if r.amount == whole else r.amount
            s.stage = self.stages.get(r.pending_id)
            s.debit = self.accounts[s.pending.debit_account_id]
            s.credit = self.accounts[s.pending.credit_account_id]
        verdict = first(RESOLVING_RULES, r, s, 'created')
        if verdict != 'created':
            return verdict, None
        p, posted = s.pending, s.amount if r.flags & POST else 0
        self.release(p, posted, reopen=r.flags & VOID)
        self.put(self.stages, p.id, 'posted' if r.flags & POST else 'voided')
        return verdict, r._replace(
            debit_account_id=p.debit_account_id, credit_account_id=p.credit_account_id,
            amount=s.amount, ledger=p.ledger, code=p.code, timestamp=s.time,
            user_data_128=r.user_data_128 or p.user_data_128,
            user_data_64=r.user_data_64 or p.user_data_64,
            user_data_32=r.user_data_32 or p.user_data_32)

    def release(self, p, posted, reopen):
        """Takes what is pending back; a part of it may be posted."""
        debit, credit = self.accounts[p.debit_account_id], self.accounts[p.credit_account_id]
        self.put(self.accounts, debit.id, debit._replace(
            debits_pending=debit.debits_pending - p.amount,
            debits_posted=debit.debits_posted + posted,
            flags=debit.flags & ~CLOSED if reopen and p.flags & CLOSING_DEBIT else debit.flags))
        self.put(self.accounts, credit.id, credit._replace(
            credits_pending=credit.credits_pending - p.amount,
            credits_posted=credit.credits_posted + posted,
            flags=credit.flags & ~CLOSED if reopen and p.flags & CLOSING_CREDIT
            else credit.flags))

    def move(self, r, s):
        s.debit = self.accounts.get(r.debit_account_id)
        s.credit = self.accounts.get(r.credit_account_id)
        verdict = first(PLAIN_RULES, r, s, None)
        if verdict:
            return verdict, None
        debit, credit = s.debit, s.credit
        s.amount = r.amount
        if r.flags & BALANCING_DEBIT:
            s.amount = min(s.amount, max(0, debit.credits_posted - debit.debits_posted -
                                         debit.debits_pending))
        if r.flags & BALANCING_CREDIT:
            s.amount = min(s.amount, max(0, credit.debits_posted - credit.credits_posted -
                                         credit.credits_pending))
        verdict = first(AMOUNT_RULES, r, s, 'created')
        if verdict != 'created':
            return verdict, None
        if r.flags & PENDING:
            debit = debit._replace(
                debits_pending=debit.debits_pending + s.amount,
                flags=debit.flags | (CLOSED if r.flags & CLOSING_DEBIT else 0))
            credit = credit._replace(
                credits_pending=credit.credits_pending + s.amount,
                flags=credit.flags | (CLOSED if r.flags & CLOSING_CREDIT else 0))
            self.put(self.stages, r.id, 'pending')
            if r.timeout:
                self.put(self.due, r.id, s.time + r.timeout * SECOND)
        else:
            debit = debit._replace(debits_posted=debit.debits_posted + s.amount)
            credit = credit._replace(credits_posted=credit.credits_posted + s.amount)
        self.put(self.accounts, debit.id, debit)
        self.put(self.accounts, credit.id, credit)
        return verdict, r._replace(amount=s.amount, timestamp=s.time)

    def expire(self, now):
        for id in [id for id, due in self.due.items() if due <= now]:
            del self.due[id]
            if self.stages[id] == 'pending':
                self.release(self.transfers[id], 0, reopen=True)
                self.stages[id] = 'expired'
        self.journal = []

    # ---- Asking

    def lookup(self, kind, ids):
        table = self.accounts if kind == 'account' else self.transfers
        return [table[id] for id in ids if id in table]

    def of_account(self, payload):
        """The transfers that an account's filter takes."""
        f = AccountFilter.of(payload)
        if f is None:
            return []
        taken = (t for t in map(self.transfers.get, f.ordered(self.order['transfer']))
                 if (f.flags & 1 and t.debit_account_id == f.account_id or
                     f.flags & 2 and t.credit_account_id == f.account_id) and f.takes(t))
        return [t for t, _ in zip(taken, range(min(f.limit, BATCH_MAX)))]

    def balances(self, payload):
        account = int.from_bytes(payload[:16], 'little')
        if not self.accounts.get(account, NOBODY).flags & HISTORY:
            return b''
        return b''.join(
            encode_balance(self.after[t.id][t.debit_account_id != account], t.timestamp)
            for t in self.of_account(payload))

    def query(self, kind, payload):
        f = QueryFilter.of(payload)
        if f is None:
            return []
        table = self.accounts if kind == 'account' else self.transfers
        taken = (o for o in map(table.get, f.ordered(self.order[kind]))
                 if f.takes(o) and f.ledger in (0, o.ledger))
        return [o for o, _ in zip(taken, range(min(f.limit, BATCH_MAX)))]

    def request(self, operation, time, payload):
        """The reply's payload, and the verdicts of what was to be created."""
        if operation == 1:
            self.expire(int.from_bytes(payload, 'little'))
            return b'', []
        if operation in (146, 147):
            kind = 'account' if operation == 146 else 'transfer'
            codes = ACCOUNT_CODES if operation == 146 else TRANSFER_CODES
            records = list(decode(Account if operation == 146 else Transfer, payload))
            results = self.create(kind, records, time)
            return (b''.join(RESULT.pack(at, codes[verdict], 0) for verdict, at in results),
                    [verdict for verdict, _ in results])
        if operation in (140, 141):
            ids = [int.from_bytes(payload[i:i + 16], 'little') for i in range(0, len(payload), 16)]
            found = self.lookup('account' if operation == 140 else 'transfer', ids)
        elif operation == 142:
            found = self.of_account(payload)
        elif operation == 143:
            return self.balances(payload), []
        else:
            found = self.query('account' if operation == 144 else 'transfer', payload)
        return b''.join(map(encode, found)), []


Batch = collections.namedtuple('Batch', 'imported imported_bit time count start')
RESULT = struct.Struct('<QII')
NOBODY = Account(*[0] * 13)


def encode_balance(account, time):
    return b''.join(n.to_bytes(16, 'little') for n in (
        account.debits_pending, account.debits_posted, account.credits_pending,
        account.credits_posted)) + time.to_bytes(8, 'little') + bytes(56)


# ---- Filters -----------------------------------------------------------------------------------

class Filter:
    def takes(self, o):
        return (self.user_data_128 in (0, o.user_data_128) and
                self.user_data_64 in (0, o.user_data_64) and
                self.user_data_32 in (0, o.user_data_32) and self.code in (0, o.code) and
                o.timestamp >= self.timestamp_min and
                (self.timestamp_max == 0 or o.timestamp <= self.timestamp_max))

    def ordered(self, ids):
        return reversed(ids) if self.flags & self.REVERSED else ids

    def is_sound(self, reserved):
        return (not any(reserved) and self.limit > 0 and
                self.timestamp_min <= TIME_MAX and self.timestamp_max <= TIME_MAX and
                (self.timestamp_max == 0 or self.timestamp_min <= self.timestamp_max))


class AccountFilter(Filter):
    REVERSED = 4
    LAYOUT = struct.Struct('<16s16sQIH58sQQII')

    @classmethod
    def of(cls, payload):
        f = cls()
        id, ud128, f.user_data_64, f.user_data_32, f.code, reserved, f.timestamp_min, \
            f.timestamp_max, f.limit, f.flags = cls.LAYOUT.unpack(payload)
        f.account_id = int.from_bytes(id, 'little')
        f.user_data_128 = int.from_bytes(ud128, 'little')
        sound = f.account_id not in (0, INT_MAX) and f.flags & 3 and f.flags < 8
        return f if sound and f.is_sound(reserved) else None


class QueryFilter(Filter):
    REVERSED = 1
    LAYOUT = struct.Struct('<16sQIIH6sQQII')

    @classmethod
    def of(cls, payload):
        f = cls()
        ud128, f.user_data_64, f.user_data_32, f.ledger, f.code, reserved, f.timestamp_min, \
            f.timestamp_max, f.limit, f.flags = cls.LAYOUT.unpack(payload)
        f.user_data_128 = int.from_bytes(ud128, 'little')
        return f if f.flags < 2 and f.is_sound(reserved) else None
