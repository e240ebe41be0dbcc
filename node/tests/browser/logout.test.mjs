// Signing out through openid-client: with an ID token at once, without one after a question; clients hear of it
// in frames of the page.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import * as client from 'openid-client';

import { isAccessible } from './accessible.mjs';
import { WEB_REDIRECT, arrival, openBrowser, openCallback, shownPage, signIn, visit } from './browser.mjs';
import { ISSUER, WEB, administer, authorizationRequest, demoTenant, discoverWeb } from './clients.mjs';

const BYE = 'http://localhost:3000/bye';
const FRONT = 'http://localhost:3000/front';

let callback;
let browser;
let config;
let rulesPath;

before(async () => {
  callback = await openCallback();
  browser = await openBrowser(callback);
  config = await discoverWeb();
  const tenant = await demoTenant();
  const { items } = await administer('GET', `${tenant}/clients?limit=100`);
  rulesPath = `${tenant}/clients/${items.find((one) => one.client_id === WEB.id).id}/logout-rules`;
});

after(async () => {
  // Other tests sign out too.
  if (rulesPath) await administer('PUT', rulesPath, {});
  await browser?.close();
  await callback?.close();
});

/** Signs alice in and gives the tokens. */
async function signedIn(page) {
  const { url, checks } = await authorizationRequest(config, WEB_REDIRECT);
  const returned = await signIn(page, url, WEB_REDIRECT);
  return client.authorizationCodeGrant(config, returned, checks);
}

/** Whether the server would sign the visitor on to a client without a page. */
async function isSignedIn(page) {
  const { url } = await authorizationRequest(config, WEB_REDIRECT, (parameters) => {
    parameters.prompt = 'none';
  });
  await page.goto(url.href);
  return (await arrival(page, WEB_REDIRECT)).searchParams.has('code');
}

for (const javaScriptEnabled of [true, false]) {
  const way = javaScriptEnabled ? 'on' : 'off';

  test(`a client sends people to sign out and gets them back, with JavaScript ${way}`, async () => {
    await administer('PUT', rulesPath, { post_logout_redirect_uris: [BYE] });
    await visit(browser, { javaScriptEnabled }, async (page) => {
      const tokens = await signedIn(page);
      const wanted = { post_logout_redirect_uri: BYE, state: 'a state & more', id_token_hint: tokens.id_token };
      await page.goto(client.buildEndSessionUrl(config, wanted).href);
      const back = await arrival(page, BYE);
      assert.deepEqual([...back.searchParams], [['state', 'a state & more']]);
      assert.equal(await isSignedIn(page), false);

      // Without the ID token anybody could have sent them: they are asked.
      await signedIn(page);
      delete wanted.id_token_hint;
      await page.goto(client.buildEndSessionUrl(config, wanted).href);
      assert.equal(await shownPage(page), 'logout');
      if (javaScriptEnabled) await isAccessible(page, 'logout');
      await page.locator('#logout-stay').click();
      await page.waitForURL(`${ISSUER}/account`);
      assert.equal(await isSignedIn(page), true);
      await page.goto(client.buildEndSessionUrl(config, wanted).href);
      await page.locator('#logout-confirm').click();
      await arrival(page, BYE);
      assert.equal(await isSignedIn(page), false);

      await page.goto(`${ISSUER}/oauth/logout`);
      assert.equal(await shownPage(page), 'logged-out');
    });
  });

  test(`clients are loaded in frames before the person goes back, with JavaScript ${way}`, async () => {
    await administer('PUT', rulesPath, { post_logout_redirect_uris: [BYE], frontchannel_logout_uri: FRONT });
    await visit(browser, { javaScriptEnabled }, async (page) => {
      const tokens = await signedIn(page);
      const wanted = { post_logout_redirect_uri: BYE, state: 's', id_token_hint: tokens.id_token };
      await page.goto(client.buildEndSessionUrl(config, wanted).href);
      if (!javaScriptEnabled) {
        assert.equal(await shownPage(page), 'logged-out');
        await page.locator('#logged-out-back').click();
      }
      const back = await arrival(page, BYE);
      assert.deepEqual([...back.searchParams], [['state', 's']]);
      const { sid } = tokens.claims();
      const told = `GET /front?${new URLSearchParams({ iss: ISSUER, sid })}`;
      assert.ok(callback.visits.includes(told), `${told} in ${callback.visits}`);

      const again = await signedIn(page);
      await page.goto(client.buildEndSessionUrl(config, { id_token_hint: again.id_token }).href);
      assert.equal(await shownPage(page), 'logged-out');
      if (javaScriptEnabled) await isAccessible(page, 'logged out');
      assert.equal(await isSignedIn(page), false);
    });
  });
}
