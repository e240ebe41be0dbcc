// The browser side: Chromium, visitors with their own cookies, the client's callback address, and what a
// person does on the login page.

import assert from 'node:assert/strict';
import { accessSync, constants } from 'node:fs';
import { createServer } from 'node:http';
import { delimiter, join } from 'node:path';

import { chromium } from 'playwright-core';

export const ALICE = { username: 'alice', password: 'correct horse battery staple' };

/** The web client's registered address; the browser is told where it really is. */
export const WEB_REDIRECT = 'http://localhost:3000/callback';

/** The browser's path: CHROMIUM_BIN or the first usual name in PATH. */
export function findChromium() {
  if (process.env.CHROMIUM_BIN) return process.env.CHROMIUM_BIN;
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    for (const directory of (process.env.PATH ?? '').split(delimiter)) {
      const path = join(directory, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // Not here.
      }
    }
  }
  throw new Error('no Chromium found: install the package chromium or set CHROMIUM_BIN');
}

/** A client's callback address: it only remembers who came and which forms were posted. */
export async function openCallback() {
  const visits = [];
  const posted = [];
  const server = createServer(async (request, response) => {
    visits.push(`${request.method} ${request.url}`);
    const body = Buffer.concat(await request.toArray()).toString();
    if (request.method === 'POST') posted.push(body);
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', connection: 'close' });
    response.end('<!doctype html><link rel="icon" href="data:,"><title>Callback</title><p>Back at the client.');
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return { port: server.address().port, visits, posted, close: () => new Promise((done) => server.close(done)) };
}

/**
 * Chromium with `localhost:3000` leading to `webCallback`, so that the registered redirect URI is used
 * as it is, whatever else listens on that port of this machine; `hosts` are more such names with ports.
 */
export function openBrowser(webCallback, hosts = {}) {
  const places = Object.entries({ 'localhost:3000': webCallback.port, ...hosts });
  return chromium.launch({
    executablePath: findChromium(),
    args: [
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      `--host-resolver-rules=${places.map(([name, port]) => `MAP ${name} 127.0.0.1:${port}`).join(', ')}`,
    ],
  });
}

/**
 * Runs `act` with a page of a new visitor (own cookies), then insists that no page broke its own
 * content policy.
 */
export async function visit(browser, options, act) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(15_000);
  const violations = [];
  let page;
  try {
    await context.exposeBinding('reportViolation', (_source, text) => violations.push(text));
    await context.addInitScript(() => {
      const tell = (event) => window.reportViolation(`${event.violatedDirective} ${event.blockedURI}`);
      document.addEventListener('securitypolicyviolation', tell);
    });
    page = await context.newPage();
    page.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) violations.push(message.text());
    });
    const result = await act(page, context);
    assert.deepEqual(violations, []);
    return result;
  } catch (error) {
    // The last thing the visitor saw helps to understand the error, which stays the one reported.
    await page?.screenshot({ path: join(process.env.VAULTARA_SCREENSHOTS, 'failed.png') }).catch(() => {});
    throw error;
  } finally {
    await context.close();
  }
}

/** Which of our pages is shown: login, error, form-post, home. */
export function shownPage(page) {
  return page.locator('body').getAttribute('data-page');
}

export async function fillLogin(page, { username, password }) {
  await page.locator('#username').fill(username);
  await page.locator('#password').fill(password);
}

/** Fills the form, sends it and returns the answer's status; what the answer shows is waited for by the caller. */
export async function submitLogin(page, credentials) {
  await fillLogin(page, credentials);
  const answer = page.waitForResponse((response) => response.request().method() === 'POST');
  await page.locator('#login-submit').click();
  return (await answer).status();
}

/** Signs in on the page at `url` and returns the URL at which the client gets the visitor back. */
export async function signIn(page, url, redirectUri, credentials = ALICE) {
  await page.goto(url.href);
  assert.equal(await shownPage(page), 'login');
  await fillLogin(page, credentials);
  await page.locator('#login-submit').click();
  return arrival(page, redirectUri);
}

/** Waits until the visitor is at the client. */
export async function arrival(page, redirectUri) {
  const callback = new URL(redirectUri);
  await page.waitForURL((url) => url.origin === callback.origin && url.pathname === callback.pathname);
  return new URL(page.url());
}
