// What must fail, and how: a page for a person, an OAuth error for a client, never a redirect to a stranger.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';

import * as client from 'openid-client';

import {
  ALICE,
  WEB_REDIRECT,
  fillLogin,
  openBrowser,
  openCallback,
  shownPage,
  signIn,
  submitLogin,
  visit,
} from './browser.mjs';
import {
  BASE,
  ISSUER,
  authorizationRequest,
  discoverNative,
  discoverWeb,
  getUserinfo,
  postAsWeb,
} from './clients.mjs';

let callback;
let browser;
let config;

before(async () => {
  callback = await openCallback();
  browser = await openBrowser(callback);
  config = await discoverWeb();
});

beforeEach(() => callback.visits.splice(0));

after(async () => {
  await browser?.close();
  await callback?.close();
});

function isInvalidGrant(error) {
  assert.equal(error.error, 'invalid_grant', error);
  assert.equal(error.status, 400);
  return true;
}

/** Tries to sign in and returns everything the visitor could tell the refusal by. */
async function refusedLogin(credentials) {
  const request = await authorizationRequest(config, WEB_REDIRECT);
  return visit(browser, {}, async (page) => {
    await page.goto(request.url.href);
    const status = await submitLogin(page, credentials);
    const alert = page.getByRole('alert');
    const text = (await alert.innerText()).trim();
    assert.equal(await shownPage(page), 'login');
    assert.equal(await page.locator('#username').inputValue(), credentials.username);
    assert.equal(await page.locator('#password').inputValue(), '');
    // Autofocus takes hold with the first frame.
    await page.locator('[role=alert]:focus').waitFor();
    return { status, text, title: await page.title() };
  });
}

test('a wrong password and an unknown user stay on the login page with one and the same answer', async () => {
  const wrong = await refusedLogin({ ...ALICE, password: 'incorrect horse battery staple' });
  const unknown = await refusedLogin({ ...ALICE, username: 'nobody-by-this-name' });
  assert.notEqual(wrong.text, '');
  assert.deepEqual(unknown, wrong);
  assert.deepEqual(callback.visits, []);
});

test('after a wrong password the right one signs in from the same page', async () => {
  const request = await authorizationRequest(config, WEB_REDIRECT);
  await visit(browser, {}, async (page) => {
    await page.goto(request.url.href);
    await submitLogin(page, { ...ALICE, password: 'wrong' });
    await page.getByRole('alert').waitFor();
    await fillLogin(page, ALICE);
    await page.locator('#login-submit').click();
    await page.waitForURL(`${WEB_REDIRECT}?**`);
    await client.authorizationCodeGrant(config, new URL(page.url()), request.checks);
  });
});

test('a user name full of markup comes back as text', async () => {
  const { text } = await refusedLogin({ username: `"><script>alert(1)</script>'`, password: 'x' });
  assert.notEqual(text, '');
});

test('a form without its CSRF token, or from another browser, signs nobody in', async () => {
  const request = await authorizationRequest(config, WEB_REDIRECT);
  const spoil = [
    (page) => page.locator('input[name=csrf]').evaluate((input) => { input.value = 'x'.repeat(43); }),
    (page) => page.locator('input[name=csrf]').evaluate((input) => input.remove()),
    (_page, context) => context.clearCookies(),
  ];
  for (const act of spoil) {
    await visit(browser, {}, async (page, context) => {
      await page.goto(request.url.href);
      await act(page, context);
      const status = await submitLogin(page, ALICE);
      assert.ok(status >= 400 && status < 500, `${status}`);
      await page.locator('body[data-page=login] [role=alert], body[data-page=error]').first().waitFor();
    });
  }
  assert.deepEqual(callback.visits, []);
});

test('a wrong verifier is refused with invalid_grant', async () => {
  const request = await authorizationRequest(config, WEB_REDIRECT);
  const returned = await visit(browser, {}, (page) => signIn(page, request.url, WEB_REDIRECT));
  const checks = { ...request.checks, pkceCodeVerifier: client.randomPKCECodeVerifier() };
  await assert.rejects(client.authorizationCodeGrant(config, returned, checks), isInvalidGrant);
});

test('a verifier for a code that was asked for without a challenge is refused', async () => {
  const request = await authorizationRequest(config, WEB_REDIRECT, (parameters) => {
    delete parameters.code_challenge;
    delete parameters.code_challenge_method;
  });
  const returned = await visit(browser, {}, (page) => signIn(page, request.url, WEB_REDIRECT));
  await assert.rejects(client.authorizationCodeGrant(config, returned, request.checks), isInvalidGrant);
});

test('a code asked for with a challenge is refused without a verifier', async () => {
  const request = await authorizationRequest(config, WEB_REDIRECT);
  const returned = await visit(browser, {}, (page) => signIn(page, request.url, WEB_REDIRECT));
  const answer = await postAsWeb(config.serverMetadata().token_endpoint, {
    grant_type: 'authorization_code',
    code: returned.searchParams.get('code'),
    redirect_uri: WEB_REDIRECT,
  });
  assert.equal(answer.status, 400);
  assert.equal((await answer.json()).error, 'invalid_grant');
});

test('another redirect URI at the token endpoint is refused with invalid_grant', async () => {
  const request = await authorizationRequest(config, WEB_REDIRECT);
  const returned = await visit(browser, {}, (page) => signIn(page, request.url, WEB_REDIRECT));
  const answer = await postAsWeb(config.serverMetadata().token_endpoint, {
    grant_type: 'authorization_code',
    code: returned.searchParams.get('code'),
    redirect_uri: 'http://127.0.0.1:3000/callback',
    code_verifier: request.checks.pkceCodeVerifier,
  });
  assert.equal(answer.status, 400);
  assert.equal((await answer.json()).error, 'invalid_grant');
});

test('an altered redirect URI gets an error page and no redirect', async () => {
  const altered = [
    'http://localhost:3000/callback?added=1',
    'http://localhost:3000/callback/',
    'http://localhost:3000/callback/more',
    'http://localhost:3000/Callback',
    'http://localhost:3000/callback#fragment',
    'http://localhost:3001/callback',
    'http://LOCALHOST:3000/callback',
    'http://localhost:3000/x/../callback',
    'https://localhost:3000/callback',
    'http://alice@localhost:3000/callback',
    'http://localhost:3000/callback%2F',
    'javascript:alert(1)',
    '',
  ];
  await visit(browser, {}, async (page) => {
    for (const redirectUri of altered) {
      const { url } = await authorizationRequest(config, redirectUri);
      const response = await page.goto(url.href);
      assert.equal(response.status(), 400, redirectUri);
      assert.equal(new URL(page.url()).origin, BASE, redirectUri);
      assert.equal(await shownPage(page), 'error', redirectUri);
      assert.notEqual((await page.locator('#error-code').innerText()).trim(), '');
      assert.notEqual((await page.locator('#error-description').innerText()).trim(), '');
    }
  });
  assert.deepEqual(callback.visits, []);
});

test('an unknown client gets an error page and no redirect', async () => {
  const { url } = await authorizationRequest(config, WEB_REDIRECT);
  url.searchParams.set('client_id', 'nobody');
  await visit(browser, {}, async (page) => {
    const response = await page.goto(url.href);
    assert.equal(response.status(), 400);
    assert.equal(await shownPage(page), 'error');
  });
  assert.deepEqual(callback.visits, []);
});

test('a reused code is refused and takes the first access token with it', async () => {
  const request = await authorizationRequest(config, WEB_REDIRECT);
  const returned = await visit(browser, {}, (page) => signIn(page, request.url, WEB_REDIRECT));
  const tokens = await client.authorizationCodeGrant(config, returned, request.checks);
  assert.equal((await getUserinfo(config, tokens.access_token)).status, 200);

  await assert.rejects(client.authorizationCodeGrant(config, returned, request.checks), isInvalidGrant);

  const refused = await getUserinfo(config, tokens.access_token);
  assert.equal(refused.status, 401);
  assert.match(refused.headers.get('www-authenticate'), /error="invalid_token"/);
  assert.deepEqual(await client.tokenIntrospection(config, tokens.access_token), { active: false });
});

test('a public client without PKCE, or with plain, is sent back with invalid_request', async () => {
  const changes = {
    without: (parameters) => {
      delete parameters.code_challenge;
      delete parameters.code_challenge_method;
    },
    plain: (parameters) => {
      parameters.code_challenge_method = 'plain';
    },
    'no method, which means plain': (parameters) => {
      delete parameters.code_challenge_method;
    },
  };
  const native = await openCallback();
  try {
    const nativeConfig = await discoverNative();
    const redirectUri = `http://127.0.0.1:${native.port}/callback`;
    for (const [name, change] of Object.entries(changes)) {
      const request = await authorizationRequest(nativeConfig, redirectUri, change);
      const returned = await visit(browser, {}, async (page) => {
        await page.goto(request.url.href);
        return new URL(page.url());
      });
      assert.equal(returned.origin + returned.pathname, redirectUri, name);
      assert.equal(returned.searchParams.get('error'), 'invalid_request', name);
      assert.equal(returned.searchParams.get('state'), request.checks.expectedState, name);
      assert.equal(returned.searchParams.get('iss'), ISSUER, name);
      assert.equal(returned.searchParams.has('code'), false, name);
    }
  } finally {
    await native.close();
  }
});

test('a wrong client secret is refused with invalid_client and the code stays good', async () => {
  const request = await authorizationRequest(config, WEB_REDIRECT);
  const returned = await visit(browser, {}, (page) => signIn(page, request.url, WEB_REDIRECT));
  const refused = await postAsWeb(config.serverMetadata().token_endpoint, {
    client_secret: 'not-the-secret',
    grant_type: 'authorization_code',
    code: returned.searchParams.get('code'),
    redirect_uri: WEB_REDIRECT,
    code_verifier: request.checks.pkceCodeVerifier,
  });
  assert.ok([400, 401].includes(refused.status), `${refused.status}`);
  assert.equal((await refused.json()).error, 'invalid_client');
  await client.authorizationCodeGrant(config, returned, request.checks);
});
