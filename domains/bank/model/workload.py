"""Random requests that reach every verdict of the ledger, from a seed.

Most records are near to something that is there: an id that exists, with one field changed; a
pending transfer, posted or voided, a little too much or too late; accounts near their limits or
near 2^128. Now and then a second field is spoilt, so that precedence is seen, too.
"""
import random

from ledger_model import (ACCOUNT_IMPORTED, Account, BALANCING_CREDIT, BALANCING_DEBIT, CLOSED,
                          CLOSING_CREDIT, CLOSING_DEBIT, HISTORY, IMPORTED, INT_MAX, LINKED,
                          PENDING, POST, SECOND, TIME_MAX, Transfer, VOID, encode)

ACCOUNTS, TRANSFERS = 146, 147
START = 5_500_000_000 * SECOND  # late enough for the longest time-out to pass the end of time
BOUNDARY = (0, 1, INT_MAX, INT_MAX - 1, 1 << 127, 1 << 64)


class Workload:
    """Makes requests; looks at the model, which has carried out those before, for what is near."""

    def __init__(self, seed, ledger):
        self.random = random.Random(seed)
        self.ledger = ledger
        self.time = START
        self.next_id = 1
        self.accounts, self.transfers, self.pendings = [], [], []  # ids that were tried

    def pick(self, ids, recent=40):
        if not ids:
            return self.random.randrange(1, 1000)
        if self.random.random() < 0.7:
            return ids[-1 - self.random.randrange(min(recent, len(ids)))]
        return self.random.choice(ids)

    def new_id(self):
        self.next_id += 1
        return self.next_id if self.random.random() < 0.9 else self.random.getrandbits(127) | 1

    # ---- Records

    def account(self):
        r = self.random
        flags = r.choice((0, 0, 0, 2, 4, 6, HISTORY, HISTORY, HISTORY | 2, HISTORY | 4))
        if r.random() < 0.02:
            flags |= CLOSED
        return Account(self.new_id(), 0, 0, 0, 0, r.choice((0, 0, 7, 8)), r.choice((0, 0, 5)),
                       r.choice((0, 0, 3)), 0, r.choice((1, 1, 1, 1, 2)), r.choice((1, 1, 2)),
                       flags, 0)

    def amount(self, *accounts):
        """Small, mostly; or near to what one of the accounts' sums has room for."""
        r = self.random.random()
        known = [self.ledger.accounts[id] for id in accounts if id in self.ledger.accounts]
        if r < 0.06 and known:
            account = self.random.choice(known)
            held = self.random.choice((
                account.debits_pending, account.debits_posted, account.credits_pending,
                account.credits_posted, account.debits_pending + account.debits_posted,
                account.credits_pending + account.credits_posted))
            return min(max(0, INT_MAX - held + self.random.choice((-1, 0, 0, 1, 2))), INT_MAX)
        if r < 0.9:
            return self.random.randrange(0, 200)
        if r < 0.96:
            return self.random.choice(BOUNDARY)
        return self.random.getrandbits(128)

    def transfer(self):
        r = self.random
        debit, credit = self.pick(self.accounts), self.pick(self.accounts)
        known = self.ledger.accounts.get(debit)
        flags = r.choice((0, 0, 0, PENDING, PENDING, PENDING, BALANCING_DEBIT, BALANCING_CREDIT,
                          BALANCING_DEBIT | BALANCING_CREDIT, PENDING | BALANCING_DEBIT))
        if r.random() < 0.03:
            flags = PENDING | r.choice((CLOSING_DEBIT, CLOSING_CREDIT))
        timeout = r.choice((0, 1, 2, 30, 4_294_967_295)) if flags & PENDING else 0
        return Transfer(self.new_id(), debit, credit, self.amount(debit, credit), 0,
                        r.choice((0, 0, 9)),
                        r.choice((0, 0, 4)), r.choice((0, 0, 2)), timeout,
                        known.ledger if known else 1, r.choice((1, 1, 2)), flags, 0)

    def resolution(self):
        r = self.random
        pending = self.ledger.transfers.get(self.pick(self.pendings or self.transfers))
        if pending is None:
            return self.transfer()
        flags = r.choice((POST, VOID))
        whole = INT_MAX if flags == POST else 0
        amount = r.choice((whole, whole, pending.amount, max(0, pending.amount - 1),
                           min(INT_MAX, pending.amount + 1), 0))
        def maybe(value):
            return r.choice((0, value))
        return Transfer(self.new_id(), maybe(pending.debit_account_id),
                        maybe(pending.credit_account_id), amount, pending.id, r.choice((0, 0, 9)),
                        r.choice((0, 4)), r.choice((0, 2)), 0, maybe(pending.ledger),
                        maybe(pending.code), flags, 0)

    def retry(self, record):
        """The same id again: as it was, or with one field changed."""
        r = self.random
        again = record._replace(flags=record.flags & ~LINKED, timestamp=0)
        if isinstance(record, Transfer):
            old = self.ledger.transfers.get(record.id)
            if old:
                again = old._replace(timestamp=0)
            if again.flags & (POST | VOID) and r.random() < 0.5:
                again = again._replace(debit_account_id=0, credit_account_id=0, ledger=0, code=0,
                                       user_data_128=0, user_data_64=0, user_data_32=0)
        if r.random() < 0.3:
            return again
        return self.spoil(again, r.choice(
            ('flags', 'user_data_128', 'user_data_64', 'user_data_32', 'ledger', 'code') +
            (('pending_id', 'timeout', 'debit_account_id', 'credit_account_id', 'amount')
             if isinstance(record, Transfer) else ())))

    FIELDS = {
        'id': (0, INT_MAX), 'flags': None, 'user_data_128': (0, 1, 9), 'user_data_64': (0, 1, 4),
        'user_data_32': (0, 1, 2), 'ledger': (0, 1, 2, 3), 'code': (0, 1, 2, 3),
        'pending_id': None, 'timeout': (0, 1, 1 << 31), 'debit_account_id': None,
        'credit_account_id': None, 'amount': None, 'timestamp': None, 'reserved': (1,),
        'debits_pending': (1,), 'debits_posted': (1,), 'credits_pending': (1,),
        'credits_posted': (1,),
    }

    def spoil(self, record, field=None):
        r = self.random
        field = field or r.choice(record._fields)
        choices = self.FIELDS[field]
        if field == 'flags':
            value = record.flags ^ 1 << r.randrange(16 if r.random() < 0.2 else 9)
            value &= ~LINKED
        elif field == 'timestamp':
            value = r.choice((0, 1, TIME_MAX, TIME_MAX + 1, self.time - r.randrange(1, 10**6),
                              self.time + r.randrange(10**6)))
        elif field == 'amount':
            value = self.amount()
        elif field == 'pending_id':
            value = r.choice((0, INT_MAX, record.id, self.pick(self.transfers),
                              self.pick(self.pendings), r.getrandbits(100)))
        elif choices is None:
            value = r.choice((0, INT_MAX, r.getrandbits(100), self.pick(self.accounts),
                              self.pick(self.accounts)))
        else:
            value = r.choice(choices)
        return record._replace(**{field: value})

    def record(self, operation):
        r = self.random
        draw = r.random()
        if operation == ACCOUNTS:
            record = self.account()
            if draw < 0.25 and self.accounts:
                old = self.ledger.accounts.get(self.pick(self.accounts))
                record = self.retry(old._replace(
                    debits_pending=0, debits_posted=0, credits_pending=0, credits_posted=0)) \
                    if old else record
            elif draw < 0.5:
                record = self.spoil(record)
        else:
            record = self.transfer() if draw < 0.5 else self.resolution()
            if record.pending_id and draw < 0.54:
                record = self.spoil(record, 'pending_id')
            elif 0.35 < draw < 0.65:
                record = self.spoil(record)
            elif draw > 0.9 and self.transfers:
                known = self.ledger.transfers.get(self.pick(self.transfers))
                record = self.retry(known) if known else \
                    record._replace(id=self.pick(self.transfers))
        if r.random() < 0.05:
            record = self.spoil(record)
        return record

    # ---- Requests

    def import_batch(self, operation, records):
        """All of them imported, mostly: at times past, rising, seldom not."""
        r, bit = self.random, ACCOUNT_IMPORTED if operation == ACCOUNTS else IMPORTED
        newest = self.ledger.newest['account' if operation == ACCOUNTS else 'transfer']
        if r.random() < 0.5:
            newest = max(self.ledger.newest.values())
        self.time = max(self.time, *self.ledger.newest.values()) + 1000 * (len(records) + 1)
        at, made = newest, []
        for record in records:
            at += r.randrange(1, 900)
            time = at
            if r.random() < 0.25:
                time = r.choice((0, at - 1000, newest, TIME_MAX + 1, self.time + 10**7,
                                 *self.ledger.newest.values()))
            flags = record.flags if r.random() < 0.03 else record.flags | bit
            timeout = {} if operation == ACCOUNTS or r.random() < 0.05 else {'timeout': 0}
            made.append(record._replace(flags=flags, timestamp=max(0, time), **timeout))
        return made

    def link(self, records):
        r, linked = self.random, False
        for i, record in enumerate(records):
            linked = r.random() < (0.7 if linked else 0.1)
            is_last = i == len(records) - 1
            if linked and (not is_last or r.random() < 0.3):
                records[i] = record._replace(flags=record.flags | LINKED)
        return records

    def creation(self):
        """(operation, time, records)"""
        r = self.random
        operation = ACCOUNTS if r.random() < 0.1 or len(self.accounts) < 20 else TRANSFERS
        count = r.choice((1, 2, 5, 20, 60))
        records = [self.record(operation) for _ in range(count)]
        self.time += r.choice((10**3, 10**6, SECOND // 2, SECOND)) + count
        if r.random() < (0.3 if operation == ACCOUNTS else 0.12):
            records = self.import_batch(operation, records)
        elif r.random() < 0.02:
            records[-1] = records[-1]._replace(
                flags=records[-1].flags | (ACCOUNT_IMPORTED if operation == ACCOUNTS
                                           else IMPORTED), timestamp=self.time - count - 1)
        records = self.link(records)
        self.time = max(self.time, max(self.ledger.newest.values()) + count + 1)
        for record in records:
            if operation == ACCOUNTS:
                self.accounts.append(record.id)
            else:
                self.transfers.append(record.id)
                if record.flags & PENDING:
                    self.pendings.append(record.id)
        return operation, self.time, records

    def filter(self, operation):
        r = self.random
        def bounds():
            return r.choice((0, 0, self.time - r.randrange(10**10))).to_bytes(8, 'little') + \
                r.choice((0, 0, self.time, START)).to_bytes(8, 'little')
        common = r.choice((0, 0, 0, 9)).to_bytes(16, 'little') + \
            r.choice((0, 0, 4)).to_bytes(8, 'little') + r.choice((0, 0, 2)).to_bytes(4, 'little')
        limit = r.choice((0, 1, 10, 8189, 10**6)).to_bytes(4, 'little')
        code = r.choice((0, 0, 1, 2)).to_bytes(2, 'little')
        if operation in (142, 143):
            return self.pick(self.accounts).to_bytes(16, 'little') + common + code + \
                r.choice((bytes(58), bytes(58), bytes(58), b'\1' * 58)) + bounds() + limit + \
                r.choice((0, 1, 2, 3, 3, 7, 7, 8)).to_bytes(4, 'little')
        return common + r.choice((0, 1, 2)).to_bytes(4, 'little') + code + \
            r.choice((bytes(6), bytes(6), bytes(6), b'\1' * 6)) + bounds() + limit + \
            r.choice((0, 0, 1, 2)).to_bytes(4, 'little')

    def requests(self):
        """(operation, time, payload, records), for ever."""
        r = self.random
        while True:
            operation, time, records = self.creation()
            yield operation, time, b''.join(map(encode, records)), len(records)
            if r.random() < 0.2:
                yield 1, time, time.to_bytes(8, 'little'), 0
            if r.random() < 0.1:
                ids = self.accounts if r.random() < 0.5 else self.transfers
                operation = 140 if ids is self.accounts else 141
                yield operation, time, b''.join(self.pick(ids).to_bytes(16, 'little')
                                                for _ in range(5)), 0
            if r.random() < 0.02:
                operation = r.choice((142, 143, 144, 145))
                yield operation, time, self.filter(operation), 0
