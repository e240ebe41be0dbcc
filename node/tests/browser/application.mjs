// A browser application of another origin: pages without a server side, with oidc-client-ts as it comes
// from npm. Tests use it through `window.manager`.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

import { ALICE, arrival, fillLogin, shownPage } from './browser.mjs';
import { ISSUER } from './clients.mjs';

/** Where the demo browser client is registered; the browser is told where it really is. */
export const HOME = 'http://localhost:3001';
/** The same pages at an origin that no client has. */
export const ELSEWHERE = 'http://localhost:3002';
/** The same pages on another site than the server, for a client that the test registers. */
export const ACROSS = { origin: 'http://127.0.0.1:3003', client: 'browser-across' };

const LIBRARY = readFileSync(
  new URL('node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js', import.meta.url),
  'utf8',
);

/** Runs in every page of it. */
const SETTINGS = `
  window.settings = {
    authority: ${JSON.stringify(ISSUER)},
    client_id: location.origin === ${JSON.stringify(ACROSS.origin)} ? ${JSON.stringify(ACROSS.client)} : 'browser-demo',
    redirect_uri: location.origin + '/',
    popup_redirect_uri: location.origin + '/renewed',
    silent_redirect_uri: location.origin + '/renewed',
    post_logout_redirect_uri: location.origin + '/',
    scope: 'openid profile email',
    loadUserInfo: true,
    automaticSilentRenew: false,
  };
  window.manager = new oidc.UserManager(settings);
  // What of a user can be handed to a test.
  window.plain = (user) => user && JSON.parse(user.toStorageString());
`;

const document = (title, script) => `<!doctype html>
<html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>${title}</title>
<script src="/oidc-client-ts.js"></script>
<script>${script}</script>
<p>${title}`;

const PAGES = {
  '/': document('Application', SETTINGS),
  // In the hidden frame, or in the popup: tells the page that opened it.
  '/renewed': document('Renewed', `${SETTINGS} manager.signinCallback();`),
  '/signed-out': document('Signed out', `${SETTINGS} manager.signoutSilentCallback();`),
  // Loaded by the server when the session ends.
  '/heard': document('Heard', ''),
};

/** Serves the application on a free port of loopback. */
export async function openApplication() {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, HOME);
    const send = (status, type, body) => {
      response.writeHead(status, { 'content-type': `${type}; charset=utf-8`, connection: 'close' });
      response.end(body);
    };
    if (pathname === '/oidc-client-ts.js') return send(200, 'text/javascript', LIBRARY);
    if (pathname in PAGES) return send(200, 'text/html', PAGES[pathname]);
    return send(404, 'text/plain', 'nothing here');
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  return {
    hosts: { 'localhost:3001': port, 'localhost:3002': port, '127.0.0.1:3003': port },
    close: () => new Promise((done) => server.close(done)),
  };
}

/** Signs in by redirect and returns the user as the library has it. */
export async function signInByRedirect(page, home = HOME) {
  await page.goto(home);
  // Not waited for: the page is gone before it could tell.
  await page.evaluate(() => { manager.signinRedirect(); });
  await page.waitForURL(`${ISSUER}/**`);
  assert.equal(await shownPage(page), 'login');
  await fillLogin(page, ALICE);
  await page.locator('#login-submit').click();
  if (home === ACROSS.origin) await page.locator('#consent-allow').click();
  await arrival(page, `${home}/`);
  return page.evaluate(async () => plain(await manager.signinRedirectCallback()));
}
