// The pages as a reader meets them. Speaks TAP.
//     node pages.mjs ORIGIN BROWSER PLAYWRIGHT AXE SOCKET
// Elements are found by role and name, as a screen reader finds them.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';

const [origin, executablePath, playwright, axePath, socketPath] = process.argv.slice(2);
const axe = await readFile(axePath, 'utf8');
const { chromium } = await import(playwright);

const browser = await chromium.launch({
  executablePath,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run',
         '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
page.setDefaultTimeout(15000);

// What no page may do: fail in a script, break the content policy, speak to another host.
const faults = [];
page.on('pageerror', (error) => faults.push(`script: ${error.message}`));
page.on('console', (message) => {
  // A refused command is a failed load to the browser's console, and no fault of the page.
  if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
    faults.push(`console: ${message.text()}`);
});
page.on('request', (request) => {
  if (!request.url().startsWith(origin) && !request.url().startsWith('data:'))
    faults.push(`foreign: ${request.url()}`);
});

const shot = (name, fullPage = true) => process.env.SLUICE_SHOTS &&
  page.screenshot({ path: `${process.env.SLUICE_SHOTS}/${name}.png`, fullPage });

const post = async (name, body) => {
  const reply = await fetch(`${origin}/bank/${name}`, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
  });
  assert.equal(reply.status, 201, await reply.text());
};
// Over the server's own socket, where whoever sends is "local".
const postLocally = (name, body) => new Promise((resolve, reject) => {
  const sent = request({ socketPath, path: `/bank/${name}`, method: 'POST',
                         headers: { 'Content-Type': 'application/json' } }, (reply) => {
    reply.resume();
    if (reply.statusCode === 201) resolve();
    else reject(new Error(`${name}: ${reply.statusCode}`));
  });
  sent.on('error', reject);
  sent.end(JSON.stringify(body));
});
const button = (name) => page.getByRole('button', { name, exact: true });
const alertText = async () => {
  await page.locator('[role=alert] .notice').first().waitFor();
  return page.locator('[role=alert] .notice').first().textContent();
};
const balance = (text) => page.locator('.balance', { hasText: text }).waitFor();
const fillTransfer = async (to, amount) => {
  await page.getByLabel('To account').fill(to);
  await page.getByLabel('Amount').fill(amount);
  await page.getByLabel('Reference').fill('rent');
  await button('Continue …').click();
};
// What axe finds that keeps somebody out. The rules are its own, those of taste left aside.
const hinders = async () => {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run());
  return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
};
// Plots take their new width a moment after the window has.
const noSidewaysScroll = () => page.waitForFunction(() =>
  document.documentElement.scrollWidth <= document.documentElement.clientWidth);

const cases = {
  async 'the start page shows the engine live'() {
    await page.goto(`${origin}/ui/`);
    await page.getByRole('heading', { name: 'bank' }).waitFor();
    await page.getByText('live', { exact: true }).waitFor();
    assert.equal(await page.locator('.plot canvas').count(), 3);
  },
  async 'the sample is loaded, and loading it again changes nothing'() {
    await button('Load sample data').click();
    const said = page.getByText(/commands accepted/);
    await said.waitFor();
    const first = await said.textContent();
    assert.match(first, /^[1-9][\d,]+ commands accepted, \d+ refused/);
    const position = async () =>
      (await fetch(`${origin}/bank/balance/OPENING`)).headers.get('sluice-position');
    const before = await position();
    // The second word may follow the first too quickly to be missed in between.
    await said.evaluate((notice) => { notice.dataset.first = 'yes'; });
    await button('Load sample data').click();
    const again = page.locator('.notice:not([data-first])', { hasText: 'commands accepted' });
    await again.waitFor();
    assert.equal(await again.textContent(), first);
    assert.equal(await position(), before);
    await page.waitForTimeout(process.env.SLUICE_SHOTS ? 3000 : 0);
    await shot('start');
  },
  async 'accounts come in pages, forth and back'() {
    await page.getByRole('link', { name: 'Bank', exact: true }).click();
    const rows = page.locator('tbody tr');
    await rows.nth(24).waitFor();
    const first = await rows.first().textContent();
    await button('Next').click();
    await page.getByText('Page 2').waitFor();
    await rows.first().filter({ hasNotText: first.slice(0, 11) }).waitFor();
    await shot('accounts');
    await button('Previous').click();
    await rows.first().filter({ hasText: first.slice(0, 11) }).waitFor();
  },
  async 'an account is opened and found by its number'() {
    await post('OpenAccount', { id: 'till', kind: 'external', currency: 'EUR', limit: 0 });
    await page.getByLabel('Number', { exact: true }).fill('ada');
    await button('Open account').click();
    await page.getByText('Opened.').waitFor();
    await page.getByLabel('Find an account').fill('nobody');
    await button('Find').click();
    assert.match(await alertText(), /No account nobody/);
    await page.getByLabel('Find an account').fill('ada');
    await page.getByLabel('Find an account').press('Enter');
    await page.getByRole('heading', { name: 'ada' }).waitFor();
    await page.getByText('Nothing has moved yet.').waitFor();
  },
  async 'a statement shows what happens elsewhere, live'() {
    await post('Transfer',
      { from: 'till', to: 'ada', amount: 5000, currency: 'EUR', reference: 'salary' });
    await page.getByRole('row', { name: /salary/ }).waitFor();
    await balance('50.00 EUR');
    assert.equal(await page.getByRole('figure').count(), 0); // one entry makes no line
  },
  async 'a transfer asks before it moves money'() {
    await page.getByRole('link', { name: 'Transfer from here' }).click();
    await fillTransfer('till', '12.50');
    await page.getByRole('dialog', { name: 'Move this money?' }).getByText('12.50 EUR').waitFor();
    await shot('confirm');
    for (const leave of [() => page.keyboard.press('Escape'), () => button('Back').click()]) {
      await leave();
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      // The focus is back where it was, a moment later where the machine is busy.
      await page.waitForFunction(() => document.activeElement.textContent === 'Continue …');
      await button('Continue …').click();
    }
    await button('Back').click();
    await button('Continue …').click();
    await button('Transfer').click();
    await page.getByText('12.50 EUR went to till.').waitFor();
  },
  async 'a lost answer, sent again, moves the money once'() {
    let isLost = false;
    await page.route('**/bank/Transfer', async (route) => {
      await route.fetch(); // the server has it; the page never hears of it
      isLost = true;
      await route.abort();
    }, { times: 1 });
    await fillTransfer('till', '1.00');
    await button('Transfer').click();
    assert.match(await alertText(), /No answer/);
    assert.ok(isLost);
    await button('Back').click();
    await button('Continue …').click();
    await button('Transfer').click();
    await page.getByText('1.00 EUR went to till.').waitFor();
  },
  async 'a refusal says its reason'() {
    await fillTransfer('till', '1000');
    await button('Transfer').click();
    assert.match(await alertText(), /Exceeds credits.*ada has not 1,000.00 EUR/);
    await page.getByRole('link', { name: 'About this rule' }).waitFor();
    await shot('refused');
  },
  async 'the transfers that were accepted, each once, stand in the statement'() {
    await page.goto(`${origin}/ui/bank/#/account/ada`);
    await balance('36.50 EUR');
    await page.getByRole('row', { name: /rent/ }).first().waitFor();
    assert.equal(await page.locator('tbody tr').count(), 3);
    await page.getByRole('figure', { name: 'Balance after each entry' }).getByText('36.50 EUR')
      .waitFor();
    await shot('account');
  },
  async 'money is held, and the back office gives it back or takes it'() {
    for (const [reference, verb, done] of [['taxi', 'Void', '5.00 EUR stay with ada.'],
                                           ['hotel', 'Post', '5.00 EUR went to till.']]) {
      await page.goto(`${origin}/ui/bank/#/transfer/ada`);
      await page.getByLabel('To account').fill('till');
      await page.getByLabel('Amount').fill('5');
      await page.getByLabel('Reference').fill(reference);
      await page.getByLabel('Only hold it for now').check();
      await button('Continue …').click();
      await page.getByText('held, until it is posted or voided').waitFor();
      await button('Transfer').click();
      await page.getByText('5.00 EUR are held for till.').waitFor();
      await page.goto(`${origin}/ui/bank/#/office`);
      const row = page.getByRole('row', { name: new RegExp(reference) });
      await row.waitFor();
      await page.getByRole('row', { name: /EUR.*even/ }).first().waitFor();
      await shot('office', false);
      await row.getByRole('button', { name: verb }).click();
      await button(`${verb} transfer`).click();
      await page.getByText(done).waitFor();
      await row.waitFor({ state: 'detached' });
    }
    await page.goto(`${origin}/ui/bank/#/account/ada`);
    await balance('31.50 EUR');
  },
  async 'the back office tells who did what, of all, of one, of an account'() {
    const deeds = page.getByRole('region', { name: 'Who did what' }).locator('tbody tr');
    await postLocally('SetLimit', { id: 'ada', limit: 100 });
    await page.goto(`${origin}/ui/bank/#/office`);
    await deeds.first().getByText('Limit set').waitFor();
    const all = await deeds.count();
    assert.ok(all > 3, `${all} rows`);
    await page.getByRole('button', { name: 'Only what local did' }).first().click();
    await page.waitForFunction((before) =>
      document.querySelectorAll('[aria-labelledby=audit] tbody tr').length < before, all);
    assert.match(await deeds.first().textContent(), /local.*Limit set.*ada/);
    assert.equal(await deeds.count(), 1);
    await page.getByLabel('By', { exact: true }).fill('');
    await page.getByLabel('or on account').fill('till');
    await button('Show').click();
    await deeds.nth(1).waitFor();
    await deeds.filter({ hasText: 'Account opened' }).waitFor();
    assert.equal(await deeds.filter({ hasNotText: 'till' }).count(), 0);
    await page.goto(`${origin}/ui/bank/#/account/ada`);
    await balance('31.50 EUR');
  },
  async 'the trial balance as of a position and a time, and back to now'() {
    await page.goto(`${origin}/ui/bank/#/office`);
    const trial = page.getByRole('region', { name: /Trial balance/ });
    const euros = trial.getByRole('row', { name: /EUR/ });
    await euros.getByText('even').waitFor();
    const now = await euros.textContent();
    const { rows } = await (await fetch(`${origin}/bank/statement/ada?limit=1`)).json();
    const ask = async (at) => {
      await page.getByLabel('As of', { exact: true }).fill(at);
      await button('Show sums').click();
    };
    await ask(String(rows[0].position + 1)); // behind ada's first entry
    await page.getByText(`as of position ${rows[0].position + 1}`).waitFor();
    await euros.filter({ hasText: '50.00 EUR50.00 EUR0.00 EUR21even' }).waitFor();
    await shot('office-as-of');
    await ask('2020-01-01 00:00');
    await trial.getByText('There was no ledger then.').waitFor();
    assert.deepEqual(await hinders(), []);
    await ask('some day');
    assert.match(await alertText(), /Write a position/);
    await button('Now').click();
    await euros.filter({ hasText: now }).waitFor();
    await page.goto(`${origin}/ui/bank/#/account/ada`);
    await balance('31.50 EUR');
  },
  async 'a transfer is corrected, with a reason, once'() {
    const newest = page.getByRole('button', { name: /Correct entry/ }).first();
    await newest.click();
    await page.getByLabel('Reason').fill('never went there');
    await button('Send it back').click();
    await page.getByText('5.00 EUR went back.').waitFor();
    await balance('36.50 EUR');
    await newest.click();
    await page.getByLabel('Reason').fill('again');
    await button('Send it back').click();
    assert.match(await alertText(), /already reversed/i);
  },
  async 'a limit lets it fall below zero; closing is refused while money is there'() {
    await page.getByLabel('May fall below zero by').fill('20');
    await button('Set limit').click();
    await page.getByText('may fall 20.00 EUR below zero').waitFor();
    await button('Close account …').click();
    await button('Close account').click();
    assert.notEqual(await alertText(), '');
  },
  async 'at the width of a phone, in the dark, nothing hangs over'() {
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.setViewportSize({ width: 360, height: 740 });
    await noSidewaysScroll();
    await shot('phone-account');
    await page.goto(`${origin}/ui/bank/#/client`);
    await page.locator('tbody tr').first().waitFor();
    await noSidewaysScroll();
    await page.goto(`${origin}/ui/`);
    await page.locator('.plot canvas').first().waitFor();
    await noSidewaysScroll();
    await shot('phone-start');
  },
  async 'the keyboard reaches the pages'() {
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
  },
  async 'nothing on any page keeps a reader out, in the light or in the dark'() {
    for (const colorScheme of ['dark', 'light']) {
      await page.emulateMedia({ colorScheme });
      for (const [path, there] of [['', '.plot canvas'], ['bank/#/client', 'tbody tr'],
                                   ['bank/#/account/ada', '.plot canvas'],
                                   ['bank/#/transfer/ada', 'form'],
                                   ['bank/#/account/nobody', 'p'], ['bank/#/office', 'tbody tr']]) {
        await page.goto(`${origin}/ui/${path}`);
        await page.locator(there).first().waitFor();
        assert.deepEqual([path, ...await hinders()], [path]);
      }
    }
  },
  async 'no script failed, no policy was broken, no other host was asked'() {
    assert.deepEqual(faults, []);
  },
};

let count = 0;
let failed = 0;
for (const [name, run] of Object.entries(cases)) {
  count++;
  try {
    await run();
    console.log(`ok ${count} - ${name}`);
  } catch (error) {
    failed++;
    console.log(String(error.stack).replace(/^/gm, '# '));
    await shot(`failed-${count}`);
    console.log(`not ok ${count} - ${name}`);
  }
}
console.log(`1..${count}`);
await browser.close();
process.exit(failed ? 1 : 0);
