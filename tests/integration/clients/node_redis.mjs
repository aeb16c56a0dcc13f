// node-redis as it is, PORT and TOKEN: ends with an error where something is not as it should be.
import assert from 'node:assert/strict';
import { createClient } from 'redis';

const [port, token] = process.argv.slice(2);
const day = '2026-11-23';
const uuid = (number) =>
  '00000000-0000-4000-8000-' + number.toString(16).padStart(12, '0');

async function book(client, number, desk) {
  const body = { id: uuid(number), desk, day, who: 'node-redis' };
  const words = ['SLUICE.DO', 'desks.BookDesk', JSON.stringify(body)];
  return JSON.parse(await client.sendCommand(words));
}

async function reads(client, base) {
  const { position } = await book(client, base, 'N' + base);
  assert.equal(await client.sendCommand(['SLUICE.WAIT', position]), 'OK');
  const key = 'desks:bookings:' + uuid(base), none = 'desks:bookings:' + uuid(0xffff);
  assert.equal(JSON.parse(await client.get(key)).desk, 'N' + base);
  assert.equal(await client.get(none), null);
  assert.deepEqual((await client.mGet([none, key])).map((row) => row === null), [true, false]);
  assert.equal(await client.exists([key, none]), 1);
  assert.equal(await client.type(key), 'string');
  assert.equal(await client.hGet(key, 'who'), 'node-redis');
  assert.equal((await client.hGetAll(key)).day, day);
  assert.equal((await client.hmGet(key, ['desk', 'day'])).length, 2);
  const found = [];
  const all = { MATCH: 'desks:bookings:*', COUNT: 3 };
  for await (const keys of client.scanIterator(all)) found.push(...keys);
  assert.equal(new Set(found).size, found.length);
  assert.ok(found.includes(key));
  const rows = await Promise.all(Array.from({ length: 100 }, () => client.get(key)));
  assert.equal(new Set(rows).size, 1);
  await assert.rejects(client.set('a', 'b'), /READONLY .*SLUICE\.DO/);
  assert.equal(await client.ping(), 'PONG');
  assert.match(await client.info(), /sluice_version/);
}

async function subscribes(client, base) {
  const reader = client.duplicate();
  await reader.connect();
  const channel = 'desks:bookings:' + uuid(base + 50);
  const told = new Promise((resolve) => reader.subscribe(channel, (message) => resolve(message)));
  const first = await new Promise((resolve) => reader.pSubscribe('desks:days:*@', resolve));
  assert.deepEqual(Object.keys(JSON.parse(first)), ['position']);
  assert.match(await reader.ping(), /^pong$/i);
  await book(client, base + 50, 'M' + base);
  assert.equal(JSON.parse(await told).desk, 'M' + base);
  await reader.pUnsubscribe('desks:days:*@');
  const again = 'desks:days:*@' + JSON.parse(first).position;
  const missed = await new Promise((resolve) => reader.pSubscribe(again, resolve));
  assert.equal(JSON.parse(missed).row.desk, 'M' + base);
  await reader.close();
}

for (const RESP of [2, 3]) {
  const client = createClient({ url: `redis://127.0.0.1:${port}`, RESP, name: 'test' });
  await client.connect();
  await reads(client, 0x10000 * RESP);
  await subscribes(client, 0x10000 * RESP);
  await client.close();
  const eve = createClient({ url: `redis://eve:${token}@127.0.0.1:${port}`, RESP });
  await eve.connect();
  assert.ok(await eve.get('desks:ledger:' + uuid(0x10000 * RESP)));
  await eve.close();
}
