// The start page: the running engine, a measurement a second.
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { follow } from './api.js';
import { Plot } from './plot.js';
import { Frame, html, Notice } from './ui.js';

const KEPT = 180; // measurements: three minutes

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const count = (value) => (value < 100000 ? whole.format(value) : short.format(value));
const time = (us) => (us < 1000 ? `${whole.format(us)} µs` : `${(us / 1000).toFixed(1)} ms`);
const bytes = (value) => `${(value / 1048576).toFixed(1)} MiB`;

const maxLag = (domain) => Math.max(0, ...domain.views.map((view) => view.lag));
const maxStored = (domain) => Math.max(0, ...domain.views.map((view) => view.stored_lag));

// Columns of a domain: time, commands/s, events/s, p50, p99, lag in memory, lag on disk.
const measure = (domain) => [
  Date.now() / 1000, domain.commands_per_second, domain.events_per_second, domain.p50_us,
  domain.p99_us, maxLag(domain), maxStored(domain)];

const grow = (columns, values) =>
  values.map((value, i) => [...(columns?.[i] ?? []).slice(1 - KEPT), value]);

const useNumbers = () => {
  const [state, setState] = useState({ numbers: null, history: {}, live: false });
  useEffect(() => follow('/live', {
    numbers: (numbers) => setState(({ history }) => ({
      numbers, live: true,
      history: Object.fromEntries(numbers.domains.map((domain) =>
        [domain.name, grow(history[domain.name], measure(domain))])),
    })),
  }, (live) => setState((state) => ({ ...state, live }))), []);
  return state;
};

const Fact = ({ name, value }) => html`
  <div class="fact"><dt>${name}</dt><dd>${value}</dd></div>`;

const Domain = ({ domain, columns }) => {
  const [at, commands, events, p50, p99, lag, stored] = columns;
  return html`
    <section aria-labelledby=${`domain-${domain.name}`}>
      <h2 id=${`domain-${domain.name}`}>${domain.name}</h2>
      <dl class="facts">
        <${Fact} name="commands" value=${count(domain.commands)} />
        <${Fact} name="events" value=${count(domain.events)} />
        <${Fact} name="waiting" value=${count(domain.waiting)} />
        ${domain.views.map((view) => html`
          <${Fact} name=${`rows of ${view.name} in memory`} value=${count(view.rows)} />`)}
      </dl>
      <div class="plots">
        <${Plot} title="Throughput, a second" series=${['commands', 'events']}
                 format=${count} data=${[at, commands, events]} />
        <${Plot} title="Latency of commands" series=${['p50', 'p99']}
                 format=${time} data=${[at, p50, p99]} />
        <${Plot} title="View lag, in events" series=${['memory', 'disk']}
                 format=${count} data=${[at, lag, stored]} />
      </div>
    </section>`;
};

const Sample = () => {
  const [progress, setProgress] = useState(null);
  const [problem, setProblem] = useState(null);
  const [good, setGood] = useState('');
  const load = async () => {
    setProblem(null);
    setGood('');
    setProgress({ done: 0, total: 1 });
    try {
      const { loadSample } = await import('/ui/bank/sample.js');
      const { accepted, refused } = await loadSample(setProgress);
      setGood(html`${whole.format(accepted)} commands accepted, ${whole.format(refused)} refused
        by a rule. <a href="/ui/bank/">See the accounts</a>`);
    } catch (error) {
      setProblem(error);
    }
    setProgress(null);
  };
  return html`
    <section class="card sample" aria-labelledby="sample">
      <div>
        <h2 id="sample">Sample data</h2>
        <p class="soft">Accounts and the first 1,000 transactions of a simulated bank, sent as
          commands from this page. Loading it twice changes nothing.</p>
      </div>
      <button class="main" disabled=${progress !== null} onClick=${load}>Load sample data</button>
      ${progress && html`
        <progress aria-label="Loading sample data" max=${progress.total}
                  value=${progress.done}></progress>`}
      <${Notice} problem=${problem} good=${good} />
    </section>`;
};

const Start = () => {
  const { numbers, history, live } = useNumbers();
  const domains = numbers?.domains ?? [];
  return html`
    <${Frame} here="/ui/">
      <div class="row spread">
        <h1>The engine, live</h1>
        <span class=${live ? 'pill on' : 'pill'} role="status">
          ${live ? 'live' : 'connecting …'}</span>
      </div>
      ${numbers && html`
        <p class="soft">${count(numbers.connections)} connections,
          ${' '}${count(numbers.requests)} requests so far,
          ${' '}${bytes(numbers.memory_bytes)} of memory</p>`}
      ${domains.some(({ name }) => name === 'bank') && html`<${Sample} />`}
      ${domains.map((domain) => html`
        <${Domain} key=${domain.name} domain=${domain} columns=${history[domain.name]} />`)}
    <//>`;
};

render(html`<${Start} />`, document.body);
