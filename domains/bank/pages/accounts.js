// The accounts: a page of them at a time, one by its number, and a form to open another.
import { useEffect, useState } from 'preact/hooks';
import { command, read } from '/ui/api.js';
import { html, Notice } from '/ui/ui.js';
import { minorUnits, money } from './money.js';

const PAGE = 25;
const kinds = [['client', 'Clients'], ['external', 'Outside accounts']];

export const toAccount = (id) => `#/account/${encodeURIComponent(id)}`;

const Row = ({ row }) => html`
  <tr>
    <th scope="row"><a href=${toAccount(row.id)}>${row.id}</a>${row.closed && ' (closed)'}</th>
    <td class=${`number ${row.balance < 0 ? 'minus' : ''}`}>
      ${money(row.balance, row.currency)}</td>
    <td class="number wide">${money(row.limit, row.currency)}</td>
    <td class="number wide">${row.entries}</td>
  </tr>`;

const Table = ({ rows }) => html`
  <div class="card scroll"><table>
    <thead><tr>
      <th scope="col">Account</th><th scope="col" class="number">Balance</th>
      <th scope="col" class="number wide">Limit</th>
      <th scope="col" class="number wide">Entries</th>
    </tr></thead>
    <tbody>
      ${rows.map((row) => html`<${Row} key=${row.id} row=${row} />`)}
      ${rows.length === 0 && html`<tr><td colspan="4" class="soft">No accounts here yet. Open one
        below, or load the sample data on the <a href="/ui/">start page</a>.</td></tr>`}
    </tbody>
  </table></div>`;

const Find = () => {
  const [problem, setProblem] = useState(null);
  const submit = async (event) => {
    event.preventDefault();
    const id = new FormData(event.target).get('id').trim();
    try {
      await read(`/bank/balance/${encodeURIComponent(id)}`);
      location.hash = toAccount(id);
    } catch (error) {
      setProblem(error.status === 404 ? { title: 'Not found', message: `No account ${id}.` }
                                      : error);
    }
  };
  return html`
    <form class="line" role="search" onSubmit=${submit}>
      <label>Find an account<input name="id" required maxlength="39" autocomplete="off"
        spellcheck=${false} placeholder="its number" /></label>
      <button>Find</button>
    </form>
    <${Notice} problem=${problem} />`;
};

const Open = ({ onOpened }) => {
  const [problem, setProblem] = useState(null);
  const [good, setGood] = useState('');
  const submit = async (event) => {
    event.preventDefault();
    const form = event.target;
    const { id, kind, currency, limit } = Object.fromEntries(new FormData(form));
    setProblem(null);
    setGood('');
    const amount = minorUnits(limit, currency);
    if (amount === null) {
      setProblem({ title: 'Limit', message: 'Write an amount such as 100 or 100.50.' });
      return;
    }
    try {
      await command('/bank/OpenAccount', { id: id.trim(), kind, currency, limit: amount });
      setGood(html`Opened. <a href=${toAccount(id.trim())}>Account ${id}</a>`);
      form.reset();
      onOpened();
    } catch (error) {
      setProblem(error);
    }
  };
  return html`
    <section class="card narrow" aria-labelledby="open">
      <h2 id="open">Open an account</h2>
      <form onSubmit=${submit}>
        <label>Number<input name="id" required maxlength="39" autocomplete="off"
          spellcheck=${false} /></label>
        <label>Kind<select name="kind"><option value="client">Client</option>
          <option value="external">Outside: may go below zero</option></select></label>
        <div class="pair">
          <label>Limit below zero<input name="limit" required inputmode="decimal"
            defaultValue="0" /></label>
          <label>Currency<input name="currency" required pattern="[A-Z]{3}" maxlength="3"
            title="three capital letters, such as EUR" defaultValue="EUR" /></label>
        </div>
        <div class="row"><button class="main">Open account</button></div>
      </form>
      <${Notice} problem=${problem} good=${good} />
    </section>`;
};

export const Accounts = ({ kind }) => {
  const [cursors, setCursors] = useState([undefined]); // of the pages up to this one
  const [list, setList] = useState(null);
  const [problem, setProblem] = useState(null);
  const [turn, setTurn] = useState(0);
  const after = cursors.at(-1);
  useEffect(() => {
    let isWanted = true;
    const show = (set) => (value) => isWanted && set(value);
    read('/bank/balance', { index: 'by-kind', kind, limit: PAGE, after })
      .then(show(setList), show(setProblem));
    return () => { isWanted = false; };
  }, [kind, after, turn]);
  return html`
    <div class="row spread"><h1>Accounts</h1><div class="row">
      <a class="button" href="#/office">Back office</a>
      <a class="button main" href="#/transfer">New transfer</a></div></div>
    <section aria-label="List of accounts">
      <div class="row spread above">
        <nav class="tabs" aria-label="Kinds of accounts">${kinds.map(([name, title]) => html`
          <a href=${`#/${name}`} aria-current=${name === kind ? 'page' : null}>${title}</a>`)}
        </nav>
        <div><${Find} /></div>
      </div>
      <${Notice} problem=${problem} />
      ${list && html`<${Table} rows=${list.rows} />`}
      <div class="row end">
        <button disabled=${cursors.length === 1}
                onClick=${() => setCursors(cursors.slice(0, -1))}>Previous</button>
        <span class="soft" role="status">Page ${cursors.length}</span>
        <button disabled=${!list?.next}
                onClick=${() => setCursors([...cursors, list.next])}>Next</button>
      </div>
    </section>
    <${Open} onOpened=${() => setTurn(turn + 1)} />`;
};
