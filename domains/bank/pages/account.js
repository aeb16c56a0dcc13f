// One account: its balance and its statement, both live; its limit, and its end.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { command, follow, read } from '/ui/api.js';
import { byNumber, Plot } from '/ui/plot.js';
import { Confirm, html, Notice } from '/ui/ui.js';
import { toAccount } from './accounts.js';
import { minorUnits, money, when } from './money.js';

const SHOWN = 50;

// The account's row, live, and its newest entries. The row says how many entries there are, so each
// time it has more, those behind the newest one that is shown are read: one reading at a time,
// however quickly the row changes. What comes after the first reading is marked as fresh.
const useAccount = (id, onProblem) => {
  const [account, setAccount] = useState(null);
  const [rows, setRows] = useState(null);
  useEffect(() => {
    let kept = [];
    let seen = -1;
    let wanted = 0;
    let isReading = false;
    let isOver = false;
    const readNew = async () => {
      const asked = wanted;
      const from = kept.length ? kept[0].position + 1 : undefined;
      const page = await read(`/bank/statement/${encodeURIComponent(id)}`,
                              { desc: 1, limit: SHOWN, from });
      if (isOver) return;
      const fresh = page.rows.map((row) => ({ ...row, fresh: seen >= 0 }));
      kept = [...fresh, ...kept].slice(0, SHOWN);
      seen = Math.max(asked, kept[0]?.entry ?? 0);
      setRows(kept);
    };
    const catchUp = async () => {
      if (isReading) return;
      isReading = true;
      try {
        while (!isOver && seen < wanted) await readNew();
      } catch (error) {
        if (!isOver) onProblem(error);
      }
      isReading = false;
    };
    setRows(null);
    const stop = follow(`/bank/balance/${encodeURIComponent(id)}`, {
      row: ({ row }) => {
        setAccount(row ?? { isMissing: true });
        wanted = row?.entries ?? 0;
        if (row) catchUp();
      },
    });
    return () => {
      isOver = true;
      stop();
    };
  }, [id]);
  return { account, rows };
};

// What moved for good can be corrected by a transfer the other way, once.
const Entry = ({ row, currency, onCorrect }) => html`
  <tr class=${row.fresh ? 'fresh' : ''}>
    <td class="wide"><time datetime=${row.time}>${when(row.time)}</time></td>
    <td><a href=${toAccount(row.other)}>${row.other}</a>
      <div class="soft">${row.reverses && 'correction: '}${row.reference}
        ${row.held !== 0 && ` held ${money(row.held, currency, 'always')}`}</div>
      ${row.amount !== 0 && !row.reverses && html`
        <button class="small" aria-label=${`Correct entry ${row.entry}`}
          onClick=${() => onCorrect(row)}>Correct …</button>`}</td>
    <td class=${`number ${row.amount < 0 ? 'minus' : 'plus'}`}>
      ${money(row.amount, currency, 'always')}</td>
    <td class="number">${money(row.balance, currency)}</td>
  </tr>`;

// The balance after each entry, as a line; the last one holds until the next entry comes.
const Course = ({ rows, currency }) => {
  const data = useMemo(() => {
    const oldest = [...rows].reverse();
    const { entry, balance } = oldest.at(-1);
    return [[...oldest.map((row) => row.entry), entry + 1],
            [...oldest.map((row) => row.balance), balance]];
  }, [rows]);
  return html`<${Plot} title="Balance after each entry" series=${[currency]} data=${data}
    along=${byNumber} format=${(amount) => money(amount, currency)} />`;
};

const Statement = ({ rows, currency, onCorrect }) => html`
  <section aria-labelledby="statement">
    <h2 id="statement">Statement <span class="pill on">live</span></h2>
    ${rows.length > 1 && html`<${Course} rows=${rows} currency=${currency} />`}
    <div class="card scroll"><table>
      <thead><tr>
        <th scope="col" class="wide">Time</th><th scope="col">With</th>
        <th scope="col" class="number">Amount</th><th scope="col" class="number">Balance</th>
      </tr></thead>
      <tbody>
        ${rows.map((row) => html`<${Entry} key=${row.entry} row=${row} currency=${currency}
                                           onCorrect=${onCorrect} />`)}
        ${rows.length === 0 && html`
          <tr><td colspan="4" class="soft">Nothing has moved yet.</td></tr>`}
      </tbody>
    </table></div>
    ${rows.length === SHOWN && html`<p class="soft">The newest ${SHOWN} entries.</p>`}
  </section>`;

const Settings = ({ account }) => {
  const [problem, setProblem] = useState(null);
  const [good, setGood] = useState('');
  const [asks, setAsks] = useState(false);
  const send = async (name, body, done) => {
    setAsks(false);
    setProblem(null);
    setGood('');
    try {
      await command(`/bank/${name}`, body);
      setGood(done);
    } catch (error) {
      setProblem(error);
    }
  };
  const setLimit = (event) => {
    event.preventDefault();
    const limit = minorUnits(new FormData(event.target).get('limit'), account.currency);
    if (limit === null)
      setProblem({ title: 'Limit', message: 'Write an amount such as 100 or 100.50.' });
    else
      send('SetLimit', { id: account.id, limit }, 'The limit is set.');
  };
  return html`
    <section class="card narrow" aria-labelledby="settings">
      <h2 id="settings">Limit and closing</h2>
      <form class="line" onSubmit=${setLimit}>
        <label>May fall below zero by<input name="limit" required inputmode="decimal" /></label>
        <button>Set limit</button>
        <button type="button" onClick=${() => setAsks(true)}>Close account …</button>
      </form>
      <${Notice} problem=${problem} good=${good} />
      ${asks && html`
        <${Confirm} title="Close this account?" yes="Close account" onNo=${() => setAsks(false)}
          onYes=${() => send('CloseAccount', { id: account.id }, 'The account is closed.')}>
          <p>${account.id} will refuse every transfer from then on.</p>
        <//>`}
    </section>`;
};

// Asks for the reason, and for certainty.
const Correction = ({ row, currency, onDone }) => {
  const reason = useRef();
  const send = async () => {
    const reference = reason.current.value.trim();
    if (!reference) return reason.current.focus();
    try {
      await command('/bank/ReverseTransfer', { transfer: row.transfer, reference });
      onDone(null, `${money(Math.abs(row.amount), currency)} went back.`);
    } catch (error) {
      onDone(error, '');
    }
  };
  return html`
    <${Confirm} title="Correct this transfer?" yes="Send it back" onYes=${send}
        onNo=${() => onDone(null, '')}>
      <p>${money(Math.abs(row.amount), currency)} go the other way, by a transfer of its own.</p>
      <label>Reason<input ref=${reason} maxlength="140" required /></label>
    <//>`;
};

export const Account = ({ id }) => {
  const [problem, setProblem] = useState(null);
  const [good, setGood] = useState('');
  const [corrected, setCorrected] = useState(null);
  const { account, rows } = useAccount(id, setProblem);
  if (account?.isMissing)
    return html`<h1>${id}</h1><p>There is no such account.
      ${' '}<a href="#/client">All accounts</a></p>`;
  return html`
    <p><a href="#/client">Accounts</a></p>
    <div class="row spread">
      <h1>${id} ${account?.closed && html`<span class="pill">closed</span>`}</h1>
      <a class="button main" href=${`#/transfer/${encodeURIComponent(id)}`}>Transfer from here</a>
    </div>
    <${Notice} problem=${problem} good=${good} />
    ${account && html`
      <p class="balance" aria-live="polite">${money(account.balance, account.currency)}</p>
      ${account.debits_pending !== '0' && html`
        <p class="soft">${money(account.debits_pending, account.currency)} of it are held</p>`}
      <p class="soft">may fall ${money(account.limit, account.currency)} below zero;
        ${' '}${account.entries} entries</p>`}
    ${account && rows && html`<${Statement} rows=${rows} currency=${account.currency}
                                            onCorrect=${setCorrected} />`}
    ${corrected && html`<${Correction} row=${corrected} currency=${account.currency}
      onDone=${(error, done) => { setCorrected(null); setProblem(error); setGood(done); }} />`}
    ${account && !account.closed && html`<${Settings} account=${account} />`}`;
};
