// A transfer: a form, a question, and the server's word. The key of a transfer is kept until the
// server has answered, so that sending it again after a lost answer cannot move the money twice.
import { useRef, useState } from 'preact/hooks';
import { command, newKey, Problem, read } from '/ui/api.js';
import { Confirm, html, Notice } from '/ui/ui.js';
import { toAccount } from './accounts.js';
import { minorUnits, money } from './money.js';

const Fields = ({ from, onSubmit }) => html`
  <form onSubmit=${onSubmit}>
    <label>From account<input name="from" required maxlength="39" autocomplete="off"
      spellcheck=${false} defaultValue=${from} /></label>
    <label>To account<input name="to" required maxlength="39" autocomplete="off"
      spellcheck=${false} /></label>
    <label>Amount<input name="amount" required inputmode="decimal" autocomplete="off"
      placeholder="12.50" /></label>
    <label>Reference<input name="reference" maxlength="140" autocomplete="off" /></label>
    <label class="check"><input type="checkbox" name="pending" /> Only hold it for now</label>
    <div class="row"><button class="main">Continue …</button></div>
  </form>`;

// What the form says, in minor units of the debited account's currency.
const transferOf = async (form) => {
  const { from, to, amount, reference, pending } = Object.fromEntries(new FormData(form));
  const account = await read(`/bank/balance/${encodeURIComponent(from.trim())}`).catch((error) => {
    throw error.status === 404
      ? new Problem({ title: 'From', detail: `There is no account ${from}.` }) : error;
  });
  const minor = minorUnits(amount, account.currency);
  if (!minor)
    throw new Problem({ title: 'Amount', detail: 'Write an amount such as 12 or 12.50.' });
  return { from: from.trim(), to: to.trim(), amount: minor, currency: account.currency, reference,
           pending: pending === 'on' };
};

// The server speaks of minor units; here they are read as they were written.
const inWords = (problem, { from, amount, currency }) => {
  if (problem.rule === 'exceeds_credits')
    problem.message = `Account ${from} has not ${money(amount, currency)} to give.`;
  return problem;
};

// Gives a transfer the key that it had, if it was sent and never answered.
const useKey = () => {
  const open = useRef(null);
  return {
    keyOf: (transfer) => {
      const text = JSON.stringify(transfer);
      if (open.current?.text !== text) open.current = { text, key: newKey() };
      return open.current.key;
    },
    answered: () => { open.current = null; },
  };
};

export const Transfer = ({ from }) => {
  const [asked, setAsked] = useState(null); // the transfer in question
  const { keyOf, answered } = useKey();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const [good, setGood] = useState('');
  const ask = async (event) => {
    event.preventDefault();
    setProblem(null);
    setGood('');
    try {
      setAsked(await transferOf(event.target));
    } catch (error) {
      setProblem(error);
    }
  };
  const send = async () => {
    setProblem(null);
    setBusy(true);
    try {
      await command('/bank/Transfer', asked, keyOf(asked));
      answered();
      setGood(html`${money(asked.amount, asked.currency)}
        ${asked.pending ? ' are held for ' : ' went to '}${asked.to}.
        <a href=${toAccount(asked.from)}>Statement of ${asked.from}</a>`);
      setAsked(null);
    } catch (error) {
      setProblem(inWords(error, asked));
      // Without an answer the question stands; a refusal is an answer.
      if (error.status > 0 && error.status < 500) {
        answered();
        setAsked(null);
      }
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
          <dt>From</dt><dd>${asked.from}</dd>
          <dt>To</dt><dd>${asked.to}</dd>
          <dt>Amount</dt><dd>${money(asked.amount, asked.currency)}</dd>
          ${asked.pending && html`<dt>When</dt><dd>held, until it is posted or voided</dd>`}
          ${asked.reference && html`
            <dt>Reference</dt><dd>${asked.reference}</dd>`}
        </dl>
        <${Notice} problem=${problem} />
      <//>`}`;
};
