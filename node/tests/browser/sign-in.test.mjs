// The product's main job: a person, a browser and an unmodified client library.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import * as client from 'openid-client';

import {
  ALICE,
  WEB_REDIRECT,
  arrival,
  openBrowser,
  openCallback,
  shownPage,
  signIn,
  submitLogin,
  visit,
} from './browser.mjs';
import { ISSUER, authorizationRequest, discoverNative, discoverWeb } from './clients.mjs';

let callback;
let browser;

before(async () => {
  callback = await openCallback();
  browser = await openBrowser(callback);
});

after(async () => {
  await browser?.close();
  await callback?.close();
});

for (const javaScriptEnabled of [true, false]) {
  test(`alice signs in through the real page with JavaScript ${javaScriptEnabled ? 'on' : 'off'}`, async () => {
    const config = await discoverWeb();
    const request = await authorizationRequest(config, WEB_REDIRECT);
    const returned = await visit(browser, { javaScriptEnabled }, (page) => signIn(page, request.url, WEB_REDIRECT));

    assert.equal(returned.searchParams.get('state'), request.checks.expectedState);
    assert.equal(returned.searchParams.get('iss'), ISSUER);
    assert.equal(returned.hash, '');

    const tokens = await client.authorizationCodeGrant(config, returned, request.checks);
    assert.equal(tokens.token_type, 'bearer');
    assert.ok(tokens.expiresIn() > 0);
    const claims = tokens.claims();
    assert.equal(claims.iss, ISSUER);
    assert.equal(claims.nonce, request.checks.expectedNonce);

    const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
    assert.equal(userinfo.preferred_username, ALICE.username);
  });

  test(`an answer can be posted to the client with JavaScript ${javaScriptEnabled ? 'on' : 'off'}`, async () => {
    const config = await discoverWeb();
    const request = await authorizationRequest(config, WEB_REDIRECT, (parameters) => {
      parameters.response_mode = 'form_post';
    });
    callback.posted.splice(0);
    await visit(browser, { javaScriptEnabled }, async (page) => {
      await page.goto(request.url.href);
      await submitLogin(page, ALICE);
      if (!javaScriptEnabled) await page.locator('#form-post-submit').click();
      const returned = await arrival(page, WEB_REDIRECT);
      assert.equal(returned.search, '');
    });
    const [body] = callback.posted;
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const posted = new Request(WEB_REDIRECT, { method: 'POST', headers, body });
    const tokens = await client.authorizationCodeGrant(config, posted, request.checks);
    assert.equal(tokens.claims().nonce, request.checks.expectedNonce);
  });
}

test('a public client signs alice in on a loopback port of its own choosing', async () => {
  const native = await openCallback();
  try {
    const redirectUri = `http://127.0.0.1:${native.port}/callback`;
    const config = await discoverNative();
    const request = await authorizationRequest(config, redirectUri);
    const returned = await visit(browser, {}, (page) => signIn(page, request.url, redirectUri));
    const tokens = await client.authorizationCodeGrant(config, returned, request.checks);
    await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
  } finally {
    await native.close();
  }
});

test('alice signs in with the keyboard alone', async () => {
  const config = await discoverWeb();
  const request = await authorizationRequest(config, WEB_REDIRECT);
  await visit(browser, {}, async (page) => {
    await page.goto(request.url.href);
    // Autofocus takes hold after the load event; a person sees the caret before typing.
    await page.locator('#username:focus').waitFor();
    await page.keyboard.type(ALICE.username);
    await page.keyboard.press('Tab');
    await page.keyboard.type(ALICE.password);
    await page.keyboard.press('Enter');
    const returned = await arrival(page, WEB_REDIRECT);
    await client.authorizationCodeGrant(config, returned, request.checks);
  });
});

test('an authorization request may come by POST', async () => {
  const config = await discoverWeb();
  const request = await authorizationRequest(config, WEB_REDIRECT);
  await visit(browser, {}, async (page) => {
    // A client's own page with a form, as a client without our content policy would send it.
    await page.setContent('<form method="post"></form>');
    await page.evaluate(({ action, fields }) => {
      const form = document.forms[0];
      form.action = action;
      for (const [name, value] of fields) {
        form.append(Object.assign(document.createElement('input'), { type: 'hidden', name, value }));
      }
      form.submit();
    }, { action: request.url.origin + request.url.pathname, fields: [...request.url.searchParams] });
    await page.locator('#login-submit').waitFor();
    assert.equal(await shownPage(page), 'login');
    await page.locator('#username').fill(ALICE.username);
    await page.locator('#password').fill(ALICE.password);
    await page.locator('#login-submit').click();
    const returned = await arrival(page, WEB_REDIRECT);
    await client.authorizationCodeGrant(config, returned, request.checks);
  });
});

test('what the server keeps in the browser is out of reach of scripts', async () => {
  const config = await discoverWeb();
  const request = await authorizationRequest(config, WEB_REDIRECT);
  await visit(browser, {}, async (page, context) => {
    await signIn(page, request.url, WEB_REDIRECT);
    const cookies = await context.cookies();
    assert.notEqual(cookies.length, 0);
    for (const cookie of cookies) {
      assert.equal(cookie.httpOnly, true, cookie.name);
      assert.ok(['Lax', 'Strict'].includes(cookie.sameSite), `${cookie.name} is SameSite=${cookie.sameSite}`);
    }
  });
});
