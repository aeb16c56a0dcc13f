// Who did what: the log's events, the newest first, of everybody, of one, or of one account.
import { useEffect, useState } from 'preact/hooks';
import { read } from '/ui/api.js';
import { html, Notice } from '/ui/ui.js';
import { toAccount } from './accounts.js';
import { when } from './money.js';

const SHOWN = 20;

// "TransferPosted" is read as "Transfer posted".
const inWords = (type) => {
  const [first, ...more] = type.replace('$', '').split(/(?=[A-Z])/);
  return [first, ...more.map((word) => word.toLowerCase())].join(' ');
};

const accountsOf = ({ stream, tags }) => [...new Set([stream.replace('/', ':'), ...tags]
  .filter((tag) => tag.startsWith('account:')).map((tag) => tag.slice(8)))];

// A transfer's own id; an account's stands beside it.
const keyOf = ({ stream }) => (stream.startsWith('account/') ? ''
  : stream.slice(stream.indexOf('/') + 1));

const Deed = ({ event, onBy }) => html`
  <tr>
    <td><time datetime=${event.time}>${when(event.time)}</time></td>
    <td>${event.by
      ? html`<button class="small" aria-label=${`Only what ${event.by} did`}
          onClick=${() => onBy(event.by)}>${event.by}</button>`
      : html`<span class="soft">nobody known</span>`}</td>
    <td>${inWords(event.type)}<div class="soft">${keyOf(event)}</div></td>
    <td class="wide">${accountsOf(event).map((id) => html`
      <a key=${id} href=${toAccount(id)}>${id}</a>${' '}`)}</td>
  </tr>`;

// `by` and `account` exclude each other: the log is read by one of them.
const useDeeds = (asked, onProblem) => {
  const [deeds, setDeeds] = useState({ events: [], next: '', end: true });
  const load = async (after) => {
    const query = { backwards: 1, limit: SHOWN, after };
    if (asked.by) query.by = asked.by;
    else if (asked.account) query.aggregate = `account/${asked.account}`;
    const page = await read('/bank/events', query);
    setDeeds((before) => ({ ...page, events: [...(after ? before.events : []), ...page.events] }));
  };
  useEffect(() => {
    load().catch(onProblem);
  }, [asked]);
  return [deeds, () => load(deeds.next).catch(onProblem)];
};

export const Audit = () => {
  const [asked, setAsked] = useState({});
  const [problem, setProblem] = useState(null);
  const [deeds, loadMore] = useDeeds(asked, setProblem);
  const ask = (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    const by = form.get('by').trim();
    setProblem(null);
    setAsked(by ? { by } : { account: form.get('account').trim() });
  };
  return html`
    <section aria-labelledby="audit">
      <h2 id="audit">Who did what</h2>
      <form class="line" onSubmit=${ask} key=${JSON.stringify(asked)}>
        <label>By<input name="by" value=${asked.by ?? ''} placeholder="everybody" /></label>
        <label>or on account<input name="account" value=${asked.account ?? ''}
          placeholder="all" /></label>
        <button>Show</button>
      </form>
      <${Notice} problem=${problem} good="" />
      <div class="card scroll" role="region" aria-labelledby="audit" tabindex="0"><table>
        <thead><tr>
          <th scope="col">Time</th><th scope="col">By</th><th scope="col">What</th>
          <th scope="col" class="wide">Accounts</th>
        </tr></thead>
        <tbody>
          ${deeds.events.map((event) => html`<${Deed} key=${event.position} event=${event}
            onBy=${(by) => setAsked({ by })} />`)}
          ${deeds.events.length === 0 && html`
            <tr><td colspan="4" class="soft">Nothing.</td></tr>`}
        </tbody>
      </table></div>
      ${!deeds.end && html`<p><button onClick=${loadMore}>Earlier</button></p>`}
    </section>`;
};
