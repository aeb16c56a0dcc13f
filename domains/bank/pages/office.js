// The back office: the trial balance, what is held, live, and a way to take or give it back; and
// who did what.
import { useEffect, useRef, useState } from 'preact/hooks';
import { command, followList, read } from '/ui/api.js';
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

// A position as it is, a time in the reader's zone as the server takes it; null: it is neither.
const momentOf = (text) => {
  if (/^\d{1,19}$/.test(text)) return text;
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? null : time.toISOString();
};

// Asks for the sums as they were; `onShow` gets the answer, or null for those of now.
const AsOf = ({ shown, onShow, onProblem }) => {
  const submit = async (event) => {
    event.preventDefault();
    const at = momentOf(new FormData(event.target).get('at').trim());
    if (at === null) {
      onProblem({ title: 'As of',
                  message: 'Write a position, or a time such as 2026-11-23 10:00.' });
      return;
    }
    try {
      onShow(await read('/bank/trial', { at, limit: SHOWN }));
      onProblem(null);
    } catch (error) {
      onProblem(error);
    }
  };
  return html`
    <form class="line" onSubmit=${submit}>
      <label>As of<input name="at" required autocomplete="off" spellcheck=${false}
        placeholder="a position or a time" /></label>
      <button>Show sums</button>
      ${shown && html`<button type="button" onClick=${() => onShow(null)}>Now</button>`}
    </form>`;
};

const Trial = ({ rows, onProblem }) => {
  const [past, setPast] = useState(null); // what /bank/trial answered
  const shown = past ? past.rows : rows;
  return html`
  <section aria-labelledby="trial">
    <h2 id="trial">Trial balance ${' '}${past
      ? html`<span class="pill">as of position ${past.position}</span>`
      : html`<span class="pill on">live</span>`}</h2>
    <${AsOf} shown=${past} onShow=${setPast} onProblem=${onProblem} />
    <div class="card scroll" role="region" aria-labelledby="trial" tabindex="0"><table>
      <thead><tr>
        <th scope="col">Ledger</th><th scope="col" class="number">Debits</th>
        <th scope="col" class="number">Credits</th>
        <th scope="col" class="number wide">Held</th>
        <th scope="col" class="number wide">Accounts</th>
        <th scope="col" class="number wide">Transfers</th><th scope="col">Sums</th>
      </tr></thead>
      <tbody>
        ${shown.map((row) => html`<${Sums} key=${row.ledger} row=${row} />`)}
        ${shown.length === 0 && html`<tr><td colspan="7" class="soft">
          ${past ? 'There was no ledger then.' : 'No ledger yet.'}</td></tr>`}
      </tbody>
    </table></div>
  </section>`;
};

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
    ${trial && html`<${Trial} rows=${trial} onProblem=${setProblem} />`}
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
