// One account: its balance and its statement, both live; its limit, and its end.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { command, follow, followList } from '/ui/api.js';
import { byNumber, Plot } from '/ui/plot.js';
import { Confirm, html, Notice } from '/ui/ui.js';
import { toAccount } from './accounts.js';
import { minorUnits, money, when } from './money.js';

const SHOWN = 50;

const useAccount = (id) => {
  const [account, setAccount] = useState(null);
  useEffect(() => follow(`/bank/balance/${encodeURIComponent(id)}`,
                         { row: ({ row }) => setAccount(row ?? { isMissing: true }) }), [id]);
  return account;
};

// Rows by entry, newest first. What arrives after the first list is marked as fresh.
const useStatement = (id, onProblem) => {
  const [rows, setRows] = useState(null);
  const kept = useRef(new Map());
  useEffect(() => {
    const put = (changes, fresh) => {
      for (const row of changes) kept.current.set(row.entry, { ...row, fresh });
      const newest = [...kept.current.values()].sort((a, b) => b.entry - a.entry);
      kept.current = new Map(newest.slice(0, SHOWN).map((row) => [row.entry, row]));
      setRows([...kept.current.values()]);
    };
    kept.current = new Map();
    return followList('/bank/statement',
      { index: 'by-account', account: id, desc: true, limit: SHOWN },
      (list) => put(list.rows.filter(({ entry }) => !kept.current.has(entry)), false),
      (_, row) => row && put([row], true), onProblem);
  }, [id]);
  return rows;
};

const Entry = ({ row, currency }) => html`
  <tr class=${row.fresh ? 'fresh' : ''}>
    <td class="wide"><time datetime=${row.time}>${when(row.time)}</time></td>
    <td><a href=${toAccount(row.other)}>${row.other}</a>
      <div class="soft">${row.reference}</div></td>
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

const Statement = ({ rows, currency }) => html`
  <section aria-labelledby="statement">
    <h2 id="statement">Statement <span class="pill on">live</span></h2>
    ${rows.length > 1 && html`<${Course} rows=${rows} currency=${currency} />`}
    <div class="card scroll"><table>
      <thead><tr>
        <th scope="col" class="wide">Time</th><th scope="col">With</th>
        <th scope="col" class="number">Amount</th><th scope="col" class="number">Balance</th>
      </tr></thead>
      <tbody>
        ${rows.map((row) => html`<${Entry} key=${row.entry} row=${row} currency=${currency} />`)}
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

export const Account = ({ id }) => {
  const [problem, setProblem] = useState(null);
  const account = useAccount(id);
  const rows = useStatement(id, setProblem);
  if (account?.isMissing)
    return html`<h1>${id}</h1><p>There is no such account.
      ${' '}<a href="#/client">All accounts</a></p>`;
  return html`
    <p><a href="#/client">Accounts</a></p>
    <div class="row spread">
      <h1>${id} ${account?.closed && html`<span class="pill">closed</span>`}</h1>
      <a class="button main" href=${`#/transfer/${encodeURIComponent(id)}`}>Transfer from here</a>
    </div>
    <${Notice} problem=${problem} />
    ${account && html`
      <p class="balance" aria-live="polite">${money(account.balance, account.currency)}</p>
      <p class="soft">may fall ${money(account.limit, account.currency)} below zero;
        ${' '}${account.entries} entries</p>`}
    ${account && rows && html`<${Statement} rows=${rows} currency=${account.currency} />`}
    ${account && !account.closed && html`<${Settings} account=${account} />`}`;
};
