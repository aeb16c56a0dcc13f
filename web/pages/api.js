// Speaking with the server: JSON over fetch, live rows over server-sent events.

// The position of the last answer, for each domain. A list read with it shows one's own writes.
const tokens = new Map();

const remember = (token) => {
  if (token) tokens.set(token.slice(0, token.indexOf(':')), token);
};

export const tokenOf = (domain) => tokens.get(domain);

// A refusal or a failure, as the server words it (RFC 9457).
export class Problem extends Error {
  constructor(body, status) {
    super(body.detail || body.title || `The server answered ${status}.`);
    this.title = body.title || 'That did not work';
    this.rule = body.rule;
    this.status = status;
  }
}

async function exchange(path, options) {
  let reply;
  try {
    reply = await fetch(path, options);
  } catch {
    throw new Problem({ title: 'No answer', detail: 'The server cannot be reached.' }, 0);
  }
  const body = await reply.json().catch(() => ({}));
  if (!reply.ok) throw new Problem(body, reply.status);
  return { body, token: reply.headers.get('Sluice-Position') };
}

// A path with a query; what is undefined is left out.
export const address = (path, query = {}) => {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
};

export const read = async (path, query = {}) => {
  const domain = path.split('/')[1];
  const { body } = await exchange(address(path, { min_position: tokenOf(domain), ...query }), {});
  return body;
};

// Sends a command. The same key with the same body changes nothing the second time.
export const command = async (path, body, key = newKey()) => {
  const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': key };
  const reply = await exchange(path, { method: 'POST', headers, body: JSON.stringify(body) });
  remember(reply.token);
  return reply.body;
};

// Works without a secure context too, which crypto.randomUUID does not.
export const newKey = () =>
  [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, '0')).join('');

// Follows a URL; `handlers` by event name get the parsed data. Returns what ends it.
export const follow = (url, handlers, onState = () => {}) => {
  const source = new EventSource(url);
  for (const [name, handle] of Object.entries(handlers))
    source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
  source.addEventListener('open', () => onState(true));
  source.addEventListener('error', () => onState(false));
  return () => source.close();
};

// Follows a list so that it is never stale: the stream first, then the list at the stream's
// position, then the changes over it: `onRow` gets a key and its row, or null when that is gone.
// A broken stream comes back by itself, and begins with a fresh list.
export const followList = (path, query, onList, onRow, onProblem) =>
  follow(address(path, query), {
    ready: ({ position }) =>
      read(path, { ...query, min_position: position }).then(onList, onProblem),
    row: ({ key, row }) => onRow(key, row),
  });
