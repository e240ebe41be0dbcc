// The end of a session: asked for by an application, with and without proof, and heard of in a frame.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import * as client from 'openid-client';

import { isAccessible } from './accessible.mjs';
import { HOME, openApplication, signInByRedirect } from './application.mjs';
import { WEB_REDIRECT, arrival, openBrowser, openCallback, shownPage, signIn, visit } from './browser.mjs';
import { ISSUER, WEB, authorizationRequest, discoverWeb, getUserinfo, registerLogout } from './clients.mjs';

const WEB_GOODBYE = 'http://localhost:3000/goodbye';

let application;
let callback;
let browser;
let web;

before(async () => {
  application = await openApplication();
  callback = await openCallback();
  browser = await openBrowser(callback, application.hosts);
  web = await discoverWeb();
});

after(async () => {
  await browser?.close();
  await callback?.close();
  await application?.close();
});

/** Signs alice in to the web client. */
async function aliceIn(page) {
  const request = await authorizationRequest(web, WEB_REDIRECT);
  const returned = await signIn(page, request.url, WEB_REDIRECT);
  return client.authorizationCodeGrant(web, returned, request.checks);
}

/** Whether the server still knows who this browser is. */
async function isSignedIn(page) {
  const request = await authorizationRequest(web, WEB_REDIRECT, (parameters) => { parameters.prompt = 'none'; });
  await page.goto(request.url.href);
  return (await arrival(page, WEB_REDIRECT)).searchParams.has('code');
}

test('oidc-client-ts signs alice out everywhere and gets her back', async () => {
  await registerLogout('browser-demo', { post_logout_redirect_uris: [`${HOME}/`] });
  await visit(browser, {}, async (page) => {
    const user = await signInByRedirect(page);
    await page.evaluate(() => { manager.signoutRedirect({ state: 'what the page was about' }); });
    await page.waitForURL(({ href, searchParams }) => (
      href.startsWith(`${HOME}/`) && searchParams.has('state') && !searchParams.has('code')
    ));
    const left = await page.evaluate(async () => {
      const answer = await manager.signoutRedirectCallback();
      return { error: answer.error, kept: answer.userState, user: await manager.getUser() };
    });
    assert.deepEqual(left, { error: null, kept: 'what the page was about', user: null });
    assert.equal((await getUserinfo(web, user.access_token)).status, 401);
    assert.equal(await isSignedIn(page), false);
  });
});

test('oidc-client-ts signs alice out in a hidden frame', async () => {
  await registerLogout('browser-demo', { post_logout_redirect_uris: [`${HOME}/signed-out`] });
  await visit(browser, {}, async (page) => {
    await signInByRedirect(page);
    await page.evaluate(async (uri) => {
      const { id_token: hint } = await manager.getUser();
      const silent = new oidc.UserManager({ ...settings, post_logout_redirect_uri: uri });
      await silent.signoutSilent({ id_token_hint: hint, post_logout_redirect_uri: uri });
    }, `${HOME}/signed-out`);
    assert.equal(await isSignedIn(page), false);
  });
});

for (const javaScriptEnabled of [true, false]) {
  const way = `with JavaScript ${javaScriptEnabled ? 'on' : 'off'}`;

  test(`whoever shows no proof makes the server ask, ${way}`, async () => {
    await registerLogout(WEB.id, { post_logout_redirect_uris: [WEB_GOODBYE] });
    await visit(browser, { javaScriptEnabled }, async (page) => {
      const tokens = await aliceIn(page);
      const asked = { post_logout_redirect_uri: WEB_GOODBYE, state: 'some state' };
      const url = client.buildEndSessionUrl(web, asked);
      await page.goto(url.href);
      assert.equal(await shownPage(page), 'logout');
      if (javaScriptEnabled) await isAccessible(page, 'logout');
      await page.locator('#logout-stay').click();
      await page.waitForURL(`${ISSUER}/account`);
      assert.equal(await isSignedIn(page), true);

      await page.goto(url.href);
      await page.locator('#logout-confirm').click();
      const back = await arrival(page, WEB_GOODBYE);
      assert.equal(back.search, '?state=some%20state');
      assert.equal((await getUserinfo(web, tokens.access_token)).status, 401);
      assert.equal(await isSignedIn(page), false);
    });
  });

  test(`a proof needs no question, and an address of nobody leads nowhere, ${way}`, async () => {
    await registerLogout(WEB.id, { post_logout_redirect_uris: [WEB_GOODBYE] });
    await visit(browser, { javaScriptEnabled }, async (page) => {
      const tokens = await aliceIn(page);
      const asked = { id_token_hint: tokens.id_token, post_logout_redirect_uri: `${WEB_GOODBYE}/altered` };
      await page.goto(client.buildEndSessionUrl(web, asked).href);
      assert.equal(await shownPage(page), 'error');
      assert.equal(await isSignedIn(page), true);

      await page.goto(client.buildEndSessionUrl(web, { id_token_hint: tokens.id_token }).href);
      assert.equal(await shownPage(page), 'logged-out');
      if (javaScriptEnabled) await isAccessible(page, 'logged out');
      assert.equal(await isSignedIn(page), false);
    });
  });
}

test('another client of the session hears of its end in a frame', async () => {
  await registerLogout('browser-demo', { frontchannel_logout_uri: `${HOME}/heard` });
  await registerLogout(WEB.id, { post_logout_redirect_uris: [WEB_GOODBYE] });
  await visit(browser, {}, async (page) => {
    const { profile } = await signInByRedirect(page);
    const request = await authorizationRequest(web, WEB_REDIRECT);
    await page.goto(request.url.href);
    const returned = await arrival(page, WEB_REDIRECT);
    const tokens = await client.authorizationCodeGrant(web, returned, request.checks);
    const heard = page.waitForResponse((answer) => answer.url().startsWith(`${HOME}/heard`));
    const asked = { id_token_hint: tokens.id_token, post_logout_redirect_uri: WEB_GOODBYE };
    await page.goto(client.buildEndSessionUrl(web, asked).href);
    const told = await heard;
    assert.equal(told.status(), 200);
    const { searchParams } = new URL(told.url());
    assert.deepEqual([searchParams.get('iss'), searchParams.get('sid')], [ISSUER, profile.sid]);
    // The page goes on by itself.
    await arrival(page, WEB_GOODBYE);
  });
});
