// A browser application of another origin: pages without a server side, with oidc-client-ts as it comes
// from npm. Tests use it through `window.manager`.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

import { ISSUER } from './clients.mjs';

/** Where the demo browser client is registered; the browser is told where it really is. */
export const HOME = 'http://localhost:3001';
/** The same pages at an origin that no client has. */
export const ELSEWHERE = 'http://localhost:3002';

const LIBRARY = readFileSync(
  new URL('node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js', import.meta.url),
  'utf8',
);

const SETTINGS = {
  authority: ISSUER,
  client_id: 'browser-demo',
  redirect_uri: `${HOME}/`,
  popup_redirect_uri: `${HOME}/renewed`,
  silent_redirect_uri: `${HOME}/renewed`,
  post_logout_redirect_uri: `${HOME}/`,
  scope: 'openid profile email',
  loadUserInfo: true,
  automaticSilentRenew: false,
};

const document = (title, script) => `<!doctype html>
<html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>${title}</title>
<script src="/oidc-client-ts.js"></script>
<script>${script}</script>
<p>${title}`;

const PAGES = {
  '/': document('Application', `
    window.settings = ${JSON.stringify(SETTINGS)};
    window.manager = new oidc.UserManager(settings);
  `),
  // In the hidden frame, or in the popup: tells the page that opened it.
  '/renewed': document('Renewed', `
    new oidc.UserManager(${JSON.stringify(SETTINGS)}).signinCallback();
  `),
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
    hosts: { 'localhost:3001': port, 'localhost:3002': port },
    close: () => new Promise((done) => server.close(done)),
  };
}
