// Loads the sample, as `sluice bank import` would: accounts, their opening balances, then rows.
// Each array has a key of its own, so that loading again changes nothing.
import { command } from '/ui/api.js';

const CHUNK = 500;
const CURRENCY = "XXX";
const SOURCE = 'OPENING'; // where opening balances come from

const table = async (path) => {
  const reply = await fetch(path);
  if (!reply.ok) throw new Error(`${path} is not here`);
  const [head, ...lines] = (await reply.text()).trim().split('\n');
  const names = head.trim().split(',');
  return lines.map((line) => {
    const fields = line.trim().split(',');
    return Object.fromEntries(names.map((name, i) => [name, fields[i]]));
  });
};

const transfer = (from, to, amount, reference) =>
  ({ from, to, amount: Number(amount), currency: CURRENCY, reference });

// A CASH_IN credits the client, who stands in `from` all the same.
const ofRow = ({ seq, type, amount, from, to }) =>
  type === 'CASH_IN' ? transfer(to, from, amount, `${type} ${seq}`)
                     : transfer(from, to, amount, `${type} ${seq}`);

const opening = (id, kind, limit) => ({ id, kind, currency: CURRENCY, limit });

const commands = (accounts, rows) => {
  const clients = new Set(accounts.map(({ account }) => account));
  const named = rows.flatMap(({ from, to }) => [from, to]);
  const externals = [...new Set([SOURCE, ...named])].filter((id) => !clients.has(id));
  return [
    ['OpenAccount', [
      ...accounts.map((row) => opening(row.account, 'client', -Number(row.overdraft_floor))),
      ...externals.map((id) => opening(id, 'external', 0))]],
    ['Transfer', accounts.filter((row) => Number(row.opening) > 0)
      .map((row) => transfer(SOURCE, row.account, row.opening, 'opening'))],
    ['Transfer', rows.map(ofRow)],
  ];
};

// Sends all of it; `onProgress` gets {done, total}. Resolves to {accepted, refused}.
export const loadSample = async (onProgress) => {
  const steps = commands(await table('/ui/bank/sample/accounts.csv'),
                         await table('/ui/bank/sample/rows.csv'));
  const total = steps.reduce((sum, [, items]) => sum + items.length, 0);
  const result = { accepted: 0, refused: 0 };
  let done = 0;
  for (const [step, [name, items]] of steps.entries()) {
    for (let at = 0; at < items.length; at += CHUNK) {
      const part = items.slice(at, at + CHUNK);
      const outcomes = await command(`/bank/${name}`, part, `sample-page-${step}-${at}`);
      const accepted = outcomes.filter(({ status }) => status < 300).length;
      result.accepted += accepted;
      result.refused += part.length - accepted;
      done += part.length;
      onProgress({ done, total });
    }
  }
  return result;
};
