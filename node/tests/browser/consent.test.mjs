// A third-party client: people are asked before it gets anything, and can take it back.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import * as client from 'openid-client';

import { isAccessible } from './accessible.mjs';
import { ALICE, WEB_REDIRECT, arrival, openBrowser, openCallback, shownPage, submitLogin, visit } from './browser.mjs';
import { ISSUER, authorizationRequest, discoverPublic, getUserinfo, register } from './clients.mjs';

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

/** Sends the visitor to the client's sign-in. */
async function open(page, config) {
  const request = await authorizationRequest(config, WEB_REDIRECT);
  await page.goto(request.url.href);
  return request;
}

for (const javaScriptEnabled of [true, false]) {
  const way = javaScriptEnabled ? 'on' : 'off';

  test(`people allow, deny and take back what a third-party client gets, with JavaScript ${way}`, async () => {
    const name = `Photo prints ${way}`;
    const id = `photo-prints-${way}`;
    await register(id, name, [WEB_REDIRECT]);
    const config = await discoverPublic(id);

    const revoked = await visit(browser, { javaScriptEnabled }, async (page) => {
      const first = await open(page, config);
      await submitLogin(page, ALICE);
      await page.locator('#consent-allow').waitFor();
      assert.equal(await shownPage(page), 'consent');
      assert.ok((await page.title()).includes(name));
      const text = await page.locator('main').innerText();
      for (const part of [name, 'Alice Liddell', 'see your e-mail address']) assert.ok(text.includes(part), text);
      if (javaScriptEnabled) await isAccessible(page, 'consent');

      await page.locator('#consent-deny').click();
      const denied = await arrival(page, WEB_REDIRECT);
      assert.equal(denied.searchParams.get('state'), first.checks.expectedState);
      await assert.rejects(client.authorizationCodeGrant(config, denied, first.checks), { error: 'access_denied' });

      // No is not remembered; yes is.
      const second = await open(page, config);
      assert.equal(await shownPage(page), 'consent');
      await page.locator('#consent-allow').click();
      const returned = await arrival(page, WEB_REDIRECT);
      const tokens = await client.authorizationCodeGrant(config, returned, second.checks);
      const { sub } = tokens.claims();
      assert.equal((await client.fetchUserInfo(config, tokens.access_token, sub)).sub, sub);

      const third = await open(page, config);
      await client.authorizationCodeGrant(config, await arrival(page, WEB_REDIRECT), third.checks);
      return tokens;
    });

    await visit(browser, { javaScriptEnabled }, async (page) => {
      // In another browser a password is enough.
      const request = await open(page, config);
      await submitLogin(page, ALICE);
      await client.authorizationCodeGrant(config, await arrival(page, WEB_REDIRECT), request.checks);

      await page.goto(`${ISSUER}/account`);
      assert.equal(await shownPage(page), 'own-account');
      const row = page.getByRole('listitem').filter({ has: page.getByRole('heading', { name }) });
      if (javaScriptEnabled) await isAccessible(page, 'own account with a consent');
      await row.getByRole('button').click();
      await page.locator('#account-done').waitFor();
      assert.equal(await row.count(), 0);

      await open(page, config);
      assert.equal(await shownPage(page), 'consent');
    });

    assert.equal((await getUserinfo(config, revoked.access_token)).status, 401);
    const again = client.refreshTokenGrant(config, revoked.refresh_token);
    await assert.rejects(again, { error: 'invalid_grant' });
  });
}
