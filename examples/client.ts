// A client of Sluice with nothing but fetch; docs/clients.md explains it.
import { randomUUID } from 'node:crypto';

const token = process.env.SLUICE_TOKEN;
const who: Record<string, string> = token ? { Authorization: `Bearer ${token}` } : {};
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
export type Answer = { status: number; body: any };

/** Asks until there is an answer that stays. */
async function askPatiently(url: string, init: RequestInit): Promise<Answer> {
  for (const ms of [50, 100, 200, 500, 1000, ...Array(20).fill(2000)]) {
    try {
      const reply = await fetch(url, { ...init, signal: AbortSignal.timeout(30000) });
      const body = await reply.json();
      if (![429, 503, 504].includes(reply.status)) return { status: reply.status, body };
    } catch {} // nobody knows whether it was carried out: the id makes asking again safe
    await sleep(ms);
  }
  throw new Error('the server does not answer');
}

/** Has a command carried out, once: its id stays the same however often it has to be sent. */
export function send(url: string, body: unknown, id: string = randomUUID()) {
  const headers = { ...who, 'Idempotency-Key': id, 'Content-Type': 'application/json' };
  return askPatiently(url, { method: 'POST', headers, body: JSON.stringify(body) });
}

/** A row that reflects all below the position, such as what the reply to a command says. */
export function get(url: string, position = '') {
  return askPatiently(`${url}?min_position=${position}`, { headers: who });
}

class Refused extends Error {}

/** Events as [position behind, event], each once, though the server goes away and comes back. */
export async function* follow(url: string, position = ''): AsyncGenerator<[string, any]> {
  for (;;) {
    try {
      const headers = { ...who, Accept: 'text/event-stream', 'Last-Event-ID': position };
      const reply = await fetch(url, { headers });
      if (reply.status !== 200 && reply.status !== 503) throw new Refused(await reply.text());
      let rest = '';
      for await (const piece of reply.body!.pipeThrough(new TextDecoderStream()) as any) {
        const lines = (rest + piece).split('\n');
        rest = lines.pop()!;
        for (const line of lines) {
          if (line.startsWith('id: ')) position = line.slice(4);
          if (line.startsWith('data: ')) yield [position, JSON.parse(line.slice(6))];
        }
      }
    } catch (error) {
      if (error instanceof Refused) throw error;
    }
    await sleep(200);
  }
}
