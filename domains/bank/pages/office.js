// The back office: the trial balance, what is held, live, and a way to take or give it back; and
// who did what.
import { useEffect, useRef, useState } from 'preact/hooks';
import { command, followList } from '/ui/api.js';
import { Confirm, html, Notice } from '/ui/ui.js';
import { toAccount } from './accounts.js';
import { Audit } from './audit.js';
import { money, when } from './money.js';

const SHOWN = 100;

// The rows of a list by key, kept up to date.
const useRows = (path, query, keyOf, onProblem) => {
  const [rows, setRows] = useState(null);
  const kept = useRef(new Map());
  useEffect(() => {
    const show = () => setRows([...kept.current.values()]);
    return followList(path, query,
      (list) => {
        kept.current = new Map(list.rows.map((row) => [keyOf(row), row]));
        show();
      },
      (key, row) => {
        if (row) kept.current.set(keyOf(row), row);
        else kept.current.delete(String(key));
        show();
      }, onProblem);
  }, [path]);
  return rows;
};

const Sums = ({ row }) => {
  const isEven = row.debits_posted === row.credits_posted &&
    row.debits_pending === row.credits_pending;
  return html`
    <tr>
      <th scope="row">${row.currency || `ledger ${row.ledger}`}</th>
      <td class="number">${money(row.debits_posted, row.currency)}</td>
      <td class="number">${money(row.credits_posted, row.currency)}</td>
      <td class="number wide">${money(row.debits_pending, row.currency)}</td>
      <td class="number wide">${row.accounts}</td>
      <td class="number wide">${row.transfers}</td>
      <td>${isEven ? 'even' : html`<strong>uneven</strong>`}</td>
    </tr>`;
};

const Trial = ({ rows }) => html`
  <section aria-labelledby="trial">
    <h2 id="trial">Trial balance <span class="pill on">live</span></h2>
    <div class="card scroll" role="region" aria-labelledby="trial" tabindex="0"><table>
      <thead><tr>
        <th scope="col">Ledger</th><th scope="col" class="number">Debits</th>
        <th scope="col" class="number">Credits</th>
        <th scope="col" class="number wide">Held</th>
        <th scope="col" class="number wide">Accounts</th>
        <th scope="col" class="number wide">Transfers</th><th scope="col">Sums</th>
      </tr></thead>
      <tbody>
        ${rows.map((row) => html`<${Sums} key=${row.ledger} row=${row} />`)}
        ${rows.length === 0 && html`<tr><td colspan="7" class="soft">No ledger yet.</td></tr>`}
      </tbody>
    </table></div>
  </section>`;

const Hold = ({ row, onAsk }) => html`
  <tr>
    <td><a href=${toAccount(row.from)}>${row.from}</a> to
      ${' '}<a href=${toAccount(row.to)}>${row.to}</a>
      <div class="soft">${row.reference || row.id}</div></td>
    <td class="number">${money(row.amount, row.currency)}</td>
    <td class="wide">${row.due.startsWith('1970') ? 'never'
      : html`<time datetime=${row.due}>${when(row.due)}</time>`}</td>
    <td><div class="row">
      <button aria-label=${`Post ${row.id}`}
        onClick=${() => onAsk({ row, verb: 'PostTransfer' })}>Post</button>
      <button aria-label=${`Void ${row.id}`}
        onClick=${() => onAsk({ row, verb: 'VoidTransfer' })}>Void</button>
    </div></td>
  </tr>`;

const Holds = ({ rows, onAsk }) => html`
  <section aria-labelledby="holds">
    <h2 id="holds">Pending transfers <span class="pill on">live</span></h2>
    <div class="card scroll" role="region" aria-labelledby="holds" tabindex="0"><table>
      <thead><tr>
        <th scope="col">Transfer</th><th scope="col" class="number">Held</th>
        <th scope="col" class="wide">Runs out</th><th scope="col">Resolve</th>
      </tr></thead>
      <tbody>
        ${rows.map((row) => html`<${Hold} key=${row.id} row=${row} onAsk=${onAsk} />`)}
        ${rows.length === 0 && html`
          <tr><td colspan="4" class="soft">Nothing is held.</td></tr>`}
      </tbody>
    </table></div>
  </section>`;

export const Office = () => {
  const [problem, setProblem] = useState(null);
  const [good, setGood] = useState('');
  const [asked, setAsked] = useState(null); // { row, verb }
  const trial = useRows('/bank/trial-balance', { limit: SHOWN }, (row) => String(row.ledger),
                        setProblem);
  const holds = useRows('/bank/holds', { limit: SHOWN }, (row) => row.id, setProblem);
  const send = async () => {
    const { row, verb } = asked;
    setAsked(null);
    setProblem(null);
    setGood('');
    try {
      await command(`/bank/${verb}`, { pending: row.id });
      setGood(verb === 'PostTransfer' ? `${money(row.amount, row.currency)} went to ${row.to}.`
        : `${money(row.amount, row.currency)} stay with ${row.from}.`);
    } catch (error) {
      setProblem(error);
    }
  };
  return html`
    <p><a href="#/client">Accounts</a></p>
    <h1>Back office</h1>
    <${Notice} problem=${problem} good=${good} />
    ${trial && html`<${Trial} rows=${trial} />`}
    ${holds && html`<${Holds} rows=${holds} onAsk=${setAsked} />`}
    <${Audit} key=${good} />
    ${asked && html`
      <${Confirm} title=${asked.verb === 'PostTransfer' ? 'Carry it out?' : 'Give it back?'}
          yes=${asked.verb === 'PostTransfer' ? 'Post transfer' : 'Void transfer'}
          onYes=${send} onNo=${() => setAsked(null)}>
        <p>${money(asked.row.amount, asked.row.currency)} from ${asked.row.from} to
          ${' '}${asked.row.to}</p>
      <//>`}`;
};
