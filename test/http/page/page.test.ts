// The page in a real Chromium. Skipped, and said to be so, where there is none.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../../src/lib/clock.ts';
import { recordingId } from '../../archive/library-suite.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { openDoor } from '../door-under-test.ts';
import { isChromiumMissing, launchBrowser, type OpenPage, openPage } from './browser.ts';
import { fileCalls, HOSTILE, RunningCall } from './calls.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 });
if (isChromiumMissing) process.stderr.write('SKIPPED: the page is not tested, there is no /usr/bin/chromium\n');

const ERIKA = `#/r/${recordingId(3)}`;

describe.skipIf(isChromiumMissing)('the page', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  async function start(options: Parameters<typeof openPage>[2] = {}) {
    const call = new RunningCall(await temporaryDirectory());
    const door = await openDoor({ control: call.control, time: systemClock });
    await fileCalls(door.dataDirectory);
    const opened = await openPage(browser, door.loginLink, options);
    await opened.page.waitForSelector('.row');
    const go = (hash: string) => opened.page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
    return { call, door, go, ...opened };
  }

  /** Nothing was complained of; `but` is what had to be. */
  function quiet({ complaints }: OpenPage, but?: RegExp) {
    expect(complaints.filter((one) => !but?.test(one))).toEqual([]);
  }

  const widthOf = (opened: OpenPage) => opened.page.evaluate('document.documentElement.scrollWidth');

  test('search, play, seek, mute, tag, note, hold, delete', async () => {
    const opened = await start();
    const { page, door } = opened;
    expect(page.url()).not.toContain('login');
    expect(await page.locator('.row').count()).toBe(3);

    // As one types, by keyboard alone.
    await page.keyboard.press('/');
    await page.keyboard.type('muster');
    await expect.poll(() => page.locator('.row').count()).toBe(1);
    expect(page.url()).toContain('text=muster');
    await page.keyboard.type('xyz');
    await page.waitForSelector('text=No recording fits');
    await page.locator('[type=reset]').click();
    await expect.poll(() => page.locator('.row').count()).toBe(3);
    await page.locator('summary', { hasText: 'Filters' }).click();
    await page.getByLabel('Number').fill('030 123456');
    await page.getByLabel('Number').fill('+49 30 123456');
    await expect.poll(() => page.locator('.row').count()).toBe(1);
    await page.locator('[type=reset]').click();
    await page.getByLabel('Length').selectOption('1 minute and more');
    await page.waitForSelector('text=No recording fits');
    await page.locator('[type=reset]').click();
    await page.getByLabel('Group').fill(HOSTILE);
    await expect.poll(() => page.locator('.row').count()).toBe(1);
    await page.locator('[type=reset]').click();
    // Not asked for before there is a value.
    await page.getByLabel('Header field').fill('X-Nothing:');
    await expect.poll(() => page.locator('.row').count()).toBe(3);
    await page.getByLabel('Header field').fill('X-Nothing: of it');
    await page.waitForSelector('text=No recording fits');
    await page.locator('[type=reset]').click();
    await page.getByLabel('One side silent').check();
    await expect.poll(() => page.locator('.row').count()).toBe(1);
    await page.locator('[type=reset]').click();
    await expect.poll(() => page.locator('.row').count()).toBe(3);
    await page.locator('summary', { hasText: 'Filters' }).focus();
    await page.keyboard.press('j');
    expect(await page.evaluate('document.activeElement.textContent')).toContain('Erika Mustermann');
    await page.keyboard.press('Enter');

    // Understood.
    await page.waitForSelector('.wave canvas');
    expect(await page.locator('.quality').textContent()).toMatch(
      /Erika Mustermann heard well[\s\S]*Bob heard with small gaps, 2.1 % of packets lost/,
    );
    expect(await page.locator('.legend li').allInnerTexts()).toEqual([
      'Key pressed',
      'On hold',
      'Paused',
      'Nothing arrived',
    ]);
    // By share of the waveform's width: a key at 2 s of 20, a hold at 4 s, a pause at 9 s, a gap at 14 s.
    const marked = () =>
      page
        .locator('.wave [part~=region], .wave [part~=marker]')
        .evaluateAll((marks) => marks.map((mark) => (mark as unknown as { style: { left: string } }).style.left));
    await expect.poll(marked).toEqual(['10%', '20%', '45%', '70%']);
    expect(door.told.filter(({ action }) => action === 'play')).toEqual([]);

    // Heard.
    const position = () => page.getByLabel('Position').inputValue().then(Number);
    await page.locator('h1').click();
    await page.keyboard.press('Space');
    await expect.poll(position).toBeGreaterThan(0.3);
    expect(door.told.filter(({ action }) => action === 'play').length).toBeGreaterThan(0);
    const wave = (await page.locator('.wave').boundingBox())!;
    await page.mouse.click(wave.x + wave.width / 2, wave.y + 30);
    await expect.poll(position).toBeGreaterThan(9.5);
    await page.locator('h1').click();
    await page.keyboard.press('ArrowLeft');
    await expect.poll(position).toBeLessThan(9);
    const mute = page.getByRole('button', { name: 'Mute Bob' });
    await mute.click();
    expect(await mute.getAttribute('aria-pressed')).toBe('true');
    await page.getByLabel('Speed').selectOption('2');
    const before = await position();
    await expect.poll(position).toBeGreaterThan(before + 0.5);
    await page.getByRole('button', { name: 'Pause' }).click();

    // Described and kept.
    await page.getByLabel('New tag').fill('complaint');
    await page.getByLabel('New tag').press('Enter');
    await page.getByRole('button', { name: 'Remove the tag complaint' }).waitFor();
    await page.getByLabel('New note').fill(HOSTILE);
    await page.getByRole('button', { name: 'Add note' }).click();
    await expect.poll(() => page.locator('.notes p').allInnerTexts()).toEqual([HOSTILE]);
    await page.getByRole('button', { name: 'Put on legal hold' }).click();
    await page.waitForSelector('text=It cannot be deleted');
    await page.getByRole('button', { name: 'Delete this recording' }).click();
    await page.getByRole('button', { name: 'Delete', exact: true }).click();
    await page.waitForSelector('text=on legal hold and cannot be deleted');
    await page.getByRole('button', { name: 'Take the hold away' }).click();
    await page.getByRole('button', { name: 'Put on legal hold' }).waitFor();

    // Let go: only after "yes".
    await page.getByRole('button', { name: 'Delete this recording' }).click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    expect(await door.library.get(recordingId(3))).not.toBeNull();
    await page.getByRole('button', { name: 'Delete this recording' }).click();
    await page.getByRole('button', { name: 'Delete', exact: true }).click();
    await expect.poll(() => page.locator('.row').count()).toBe(2);
    expect(await door.library.get(recordingId(3))).toBeNull();

    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByLabel('Token').waitFor();
    quiet(opened, /409/);
    await opened.close();
  });

  test('a running call comes, is metered, heard, paused and stopped', async () => {
    const opened = await start();
    const { page, call, door, go } = opened;
    await go('#/live');
    await page.waitForSelector('text=Nobody is being recorded');
    call.begin();
    await page.waitForSelector('.card');
    expect(await page.locator('.card h2').innerText()).toBe(HOSTILE);
    await expect
      .poll(() => page.evaluate("getComputedStyle(document.querySelector('.level')).transform"))
      .toMatch(/matrix\(0\.[5-9]/);
    await page.getByRole('button', { name: 'Listen' }).click();
    await page.waitForSelector('text=about a second late');
    expect(door.told.filter(({ action }) => action === 'listen')).toHaveLength(1);
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByRole('button', { name: 'Pause' }).waitFor();
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.getByRole('button', { name: 'Stop recording' }).click();
    await page.waitForSelector('text=Ended.');
    await page.waitForSelector('text=Nobody is being recorded');
    expect(call.orders).toEqual(['pause', 'resume', 'stop']);
    quiet(opened);
    await opened.close();
  });

  test('names are text, on a phone, in the dark, and nothing sticks out', async () => {
    const opened = await start({ viewport: { width: 360, height: 740 }, colorScheme: 'dark' });
    const { page, call, door, go } = opened;
    call.begin();
    expect(await page.evaluate('getComputedStyle(document.documentElement).backgroundColor')).toBe('rgb(17, 22, 28)');
    expect(await page.locator('.row', { hasText: HOSTILE }).count()).toBe(1);
    expect(await widthOf(opened)).toBe(360);
    for (const hash of [`#/r/${recordingId(2)}`, ERIKA, `#/r/${recordingId(1)}`, '#/live', '#/?text=none']) {
      await go(hash);
      await page.waitForSelector(hash.startsWith('#/r') ? '.panel' : hash === '#/live' ? '.card' : '.empty');
      await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true");
      expect(await widthOf(opened), hash).toBe(360);
    }
    expect(await page.title()).not.toBe('broken in');
    expect(await page.locator('img:not([src="/icon.svg"])').count()).toBe(0);
    await go('#/r/nothing');
    await page.waitForSelector('text=There is no such recording');
    call.end();
    quiet(opened, /404/);
    await opened.close();
    await door.door.close();
  });

  test('a role sees what it may do, and a wrong token is told', async () => {
    const door = await openDoor({ time: systemClock });
    await fileCalls(door.dataDirectory);
    const opened = await openPage(browser, door.url);
    const { page } = opened;
    await page.getByLabel('Token').fill('wrong');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.waitForSelector('text=not, or no longer, valid');
    await page.getByLabel('Token').fill(await door.newToken('listen'));
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.waitForSelector('.row');
    await page.evaluate(`location.hash = ${JSON.stringify(ERIKA)}`);
    await page.waitForSelector('.player');
    for (const name of ['Delete this recording', 'Add tag', 'Add note', 'Put on legal hold']) {
      expect(await page.getByRole('button', { name }).count(), name).toBe(0);
    }
    quiet(opened, /40[14]/);
    await opened.close();
  });
});
