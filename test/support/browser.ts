// Pages in a headless Chromium, for tests of an application as its users see it. A suite that opens pages calls closePages() after
// each test and closeBrowser() at the end.
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { DEADLINE, until } from './wait';

const ARGS =
  '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync';

let browser: Browser | undefined;
const people = new Set<BrowserContext>();
const mistakes: Error[] = [];

/** Opens a page for a new user, with its own cookies. */
export async function openPage(url: string, options: BrowserContextOptions = {}): Promise<Page> {
  browser ??= await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ARGS.split(' '),
  });
  const person = await browser.newContext(options);
  people.add(person);
  person.setDefaultTimeout(DEADLINE);
  person.on('weberror', (err) => mistakes.push(err.error()));
  const page = await person.newPage();
  await page.goto(url);
  return page;
}

/** Waits until the matching elements have exactly these texts. */
export async function reads(page: Page, selector: string, expected: string[]): Promise<void> {
  let seen: string[] = [];
  const same = async () => {
    seen = await page.locator(selector).allTextContents();
    return isDeepStrictEqual(seen, expected);
  };
  await until(`${selector} has the expected text`, same).catch(() =>
    assert.deepEqual(seen, expected, `${selector} of the page`),
  );
}

/** Closes the pages that openPage has opened, and fails if a script of a page has thrown. */
export async function closePages(): Promise<void> {
  await Promise.all(Array.from(people, (person) => person.close()));
  people.clear();
  assert.deepEqual(mistakes.splice(0), []);
}

export async function closeBrowser(): Promise<void> {
  await browser?.close();
  browser = undefined;
}
