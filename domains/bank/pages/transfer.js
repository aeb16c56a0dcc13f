// A transfer: a form, a question, and the server's word. A key is kept for as long as the question
// stands, so that asking again after a lost answer cannot move the money twice.
import { useState } from 'preact/hooks';
import { command, newKey, read } from '/ui/api.js';
import { Confirm, html, Notice } from '/ui/ui.js';
import { toAccount } from './accounts.js';
import { minorUnits, money } from './money.js';

const Fields = ({ from, onSubmit }) => html`
  <form onSubmit=${onSubmit}>
    <label>From account<input name="from" required maxlength="40" autocomplete="off"
      spellcheck=${false} defaultValue=${from} /></label>
    <label>To account<input name="to" required maxlength="40" autocomplete="off"
      spellcheck=${false} /></label>
    <label>Amount<input name="amount" required inputmode="decimal" autocomplete="off"
      placeholder="12.50" /></label>
    <label>Reference<input name="reference" maxlength="140" autocomplete="off" /></label>
    <div class="row"><button class="main">Continue …</button></div>
  </form>`;

// What the form says, in minor units of the debited account's currency.
const transferOf = async (form) => {
  const { from, to, amount, reference } = Object.fromEntries(new FormData(form));
  const account = await read(`/bank/balance/${encodeURIComponent(from.trim())}`).catch((error) => {
    throw error.status === 404 ? { title: 'From', message: `There is no account ${from}.` } : error;
  });
  const minor = minorUnits(amount, account.currency);
  if (!minor) throw { title: 'Amount', message: 'Write an amount such as 12 or 12.50.' };
  return { from: from.trim(), to: to.trim(), amount: minor, currency: account.currency, reference };
};

export const Transfer = ({ from }) => {
  const [asked, setAsked] = useState(null); // {transfer, key}
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const [good, setGood] = useState('');
  const ask = async (event) => {
    event.preventDefault();
    setProblem(null);
    setGood('');
    try {
      setAsked({ transfer: await transferOf(event.target), key: newKey() });
    } catch (error) {
      setProblem(error);
    }
  };
  const send = async () => {
    const { transfer, key } = asked;
    setBusy(true);
    try {
      await command('/bank/Transfer', transfer, key);
      setGood(html`${money(transfer.amount, transfer.currency)} went to ${transfer.to}.
        <a href=${toAccount(transfer.from)}>Statement of ${transfer.from}</a>`);
      setAsked(null);
    } catch (error) {
      setProblem(error);
      // Without an answer the question stands, with its key; a refusal is an answer.
      if (error.status > 0 && error.status < 500) setAsked(null);
    }
    setBusy(false);
  };
  return html`
    <p><a href="#/client">Accounts</a></p>
    <h1>New transfer</h1>
    <section class="card narrow">
      <${Fields} from=${from} onSubmit=${ask} />
      <${Notice} problem=${asked ? null : problem} good=${good} />
    </section>
    ${asked && html`
      <${Confirm} title="Move this money?" yes="Transfer" busy=${busy} onYes=${send}
                  onNo=${() => setAsked(null)}>
        <dl>
          <dt>From</dt><dd>${asked.transfer.from}</dd>
          <dt>To</dt><dd>${asked.transfer.to}</dd>
          <dt>Amount</dt><dd>${money(asked.transfer.amount, asked.transfer.currency)}</dd>
          ${asked.transfer.reference && html`
            <dt>Reference</dt><dd>${asked.transfer.reference}</dd>`}
        </dl>
        <${Notice} problem=${problem} />
      <//>`}`;
};
