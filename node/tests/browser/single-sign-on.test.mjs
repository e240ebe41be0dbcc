// Signed in once with a browser: what another client, and what prompt, max_age and a hint make of it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import * as client from 'openid-client';

import { isAccessible } from './accessible.mjs';
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
import { authorizationRequest, discoverNative, discoverWeb } from './clients.mjs';

const BOB = { username: 'bob', password: 'development administrator password' };

let callback;
let native;
let browser;
let web;

before(async () => {
  callback = await openCallback();
  native = await openCallback();
  browser = await openBrowser(callback);
  web = await discoverWeb();
});

after(async () => {
  await browser?.close();
  await native?.close();
  await callback?.close();
});

/** Sends the visitor to a sign-in with further parameters. */
async function open(page, more = {}) {
  const request = await authorizationRequest(web, WEB_REDIRECT, (parameters) => Object.assign(parameters, more));
  await page.goto(request.url.href);
  return request;
}

/** The claims of who came back to the client; the library checks all of them. */
async function claims(page, request, more = {}) {
  const returned = await arrival(page, WEB_REDIRECT);
  const tokens = await client.authorizationCodeGrant(web, returned, { ...request.checks, ...more });
  return { ...tokens.claims(), token: tokens.id_token };
}

/** A signed-in visitor. */
async function aliceIn(page) {
  const request = await authorizationRequest(web, WEB_REDIRECT);
  await signIn(page, request.url, WEB_REDIRECT);
  return claims(page, request);
}

for (const javaScriptEnabled of [true, false]) {
  const way = `with JavaScript ${javaScriptEnabled ? 'on' : 'off'}`;

  test(`another client gets the same person and session without a page, ${way}`, async () => {
    await visit(browser, { javaScriptEnabled }, async (page) => {
      const first = await aliceIn(page);
      const redirectUri = `http://127.0.0.1:${native.port}/callback`;
      const config = await discoverNative();
      const request = await authorizationRequest(config, redirectUri);
      await page.goto(request.url.href);
      const returned = await arrival(page, redirectUri);
      const second = (await client.authorizationCodeGrant(config, returned, request.checks)).claims();
      for (const claim of ['sub', 'sid', 'auth_time']) assert.equal(second[claim], first[claim], claim);
    });
  });

  test(`a client that shows nothing is told whether somebody is there, ${way}`, async () => {
    await visit(browser, { javaScriptEnabled }, async (page) => {
      const stranger = await open(page, { prompt: 'none' });
      const refused = await arrival(page, WEB_REDIRECT);
      const answer = client.authorizationCodeGrant(web, refused, stranger.checks);
      await assert.rejects(answer, { error: 'login_required' });
      const first = await aliceIn(page);
      const again = await open(page, { prompt: 'none', id_token_hint: first.token });
      assert.equal((await claims(page, again)).sid, first.sid);
    });
  });

  test(`a client that wants a new proof gets one, ${way}`, async () => {
    await visit(browser, { javaScriptEnabled }, async (page) => {
      const first = await aliceIn(page);
      for (const wanted of [{ prompt: 'login' }, { max_age: '0' }]) {
        const request = await open(page, wanted);
        assert.equal(await shownPage(page), 'login', JSON.stringify(wanted));
        await submitLogin(page, ALICE);
        const maxAge = 'max_age' in wanted ? { maxAge: 0 } : {};
        const again = await claims(page, request, maxAge);
        assert.equal(again.sub, first.sub);
        assert.ok(again.auth_time >= first.auth_time);
      }
    });
  });

  test(`people choose who they are, ${way}`, async () => {
    await visit(browser, { javaScriptEnabled }, async (page) => {
      const first = await aliceIn(page);
      const same = await open(page, { prompt: 'select_account' });
      assert.equal(await shownPage(page), 'account');
      if (javaScriptEnabled) await isAccessible(page, 'account');
      await page.locator('#account-same').click();
      assert.equal((await claims(page, same)).sub, first.sub);

      const other = await open(page, { prompt: 'select_account' });
      await page.locator('#account-other').click();
      await page.locator('#login-submit').waitFor();
      await submitLogin(page, BOB);
      const bob = await claims(page, other);
      assert.notEqual(bob.sub, first.sub);
      // Now it is Bob who is here: a hint of Alice does not get her tokens.
      await open(page, { prompt: 'none', id_token_hint: first.token });
      const refused = await arrival(page, WEB_REDIRECT);
      assert.equal(refused.searchParams.get('error'), 'login_required');
    });
  });
}
