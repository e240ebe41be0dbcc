// npm's oidc-client-ts in a page of another origin: everything goes through CORS, frames and popups.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { ACROSS, ELSEWHERE, HOME, openApplication, signInByRedirect } from './application.mjs';
import { ALICE, fillLogin, openBrowser, openCallback, visit } from './browser.mjs';
import { ISSUER, register } from './clients.mjs';

let application;
let callback;
let browser;

before(async () => {
  application = await openApplication();
  callback = await openCallback();
  browser = await openBrowser(callback, application.hosts);
});

after(async () => {
  await browser?.close();
  await callback?.close();
  await application?.close();
});

/** A visitor of the application, and what the page asked the server for. */
function atHome(act) {
  return visit(browser, {}, async (page, context) => {
    const requests = [];
    context.on('request', (request) => {
      if (request.url().startsWith(ISSUER)) requests.push(request);
    });
    return act(page, requests);
  });
}

/** Paths that were asked for, with their methods. */
function asked(requests) {
  return requests.map((request) => `${request.method()} ${new URL(request.url()).pathname.replace('/t/demo', '')}`);
}

/** What the server says of an access token to the page. */
function userinfoStatus(page, token) {
  return page.evaluate(async ([url, bearer]) => {
    const answer = await fetch(url, { headers: { authorization: `Bearer ${bearer}` } });
    return { status: answer.status, challenge: answer.headers.get('www-authenticate') };
  }, [`${ISSUER}/oauth/userinfo`, token]);
}

test('a page of another origin signs alice in and reads who she is', async () => {
  await atHome(async (page, requests) => {
    const user = await signInByRedirect(page);
    assert.equal(user.profile.iss, ISSUER);
    assert.equal(user.profile.preferred_username, ALICE.username);
    assert.equal(user.profile.email, 'alice@example.org');
    assert.ok(user.expires_at > Date.now() / 1000);
    const paths = asked(requests);
    for (const path of ['GET /.well-known/openid-configuration', 'POST /oauth/token', 'GET /oauth/userinfo']) {
      assert.ok(paths.includes(path), `${path} in ${paths}`);
    }
  });
});

test('a silent renewal uses the refresh token and no frame', async () => {
  await atHome(async (page, requests) => {
    const first = await signInByRedirect(page);
    requests.splice(0);
    const second = await page.evaluate(async () => plain(await manager.signinSilent()));
    assert.notEqual(second.access_token, first.access_token);
    assert.notEqual(second.refresh_token, first.refresh_token);
    assert.equal(second.profile.sub, first.profile.sub);
    assert.deepEqual(asked(requests), ['POST /oauth/token', 'GET /oauth/userinfo']);
    assert.match(requests[0].postData(), /grant_type=refresh_token/);
    assert.equal((await userinfoStatus(page, second.access_token)).status, 200);
  });
});

test('a silent renewal in a hidden frame uses the session at the server', async () => {
  await atHome(async (page, requests) => {
    const first = await signInByRedirect(page);
    requests.splice(0);
    const second = await page.evaluate(async () => plain(await manager.signinSilent({ forceIframeAuth: true })));
    assert.notEqual(second.access_token, first.access_token);
    assert.equal(second.profile.sub, first.profile.sub);
    assert.equal(second.profile.sid, first.profile.sid);
    const [framed] = requests.filter((request) => new URL(request.url()).pathname.endsWith('/oauth/authorize'));
    assert.notEqual(framed.frame(), page.mainFrame());
    assert.equal(new URL(framed.url()).searchParams.get('prompt'), 'none');
    const answer = await framed.response();
    assert.equal(answer.status(), 303);
    assert.equal(answer.headers()['x-frame-options'], undefined);
  });
});

test('a hidden frame of somebody who is not signed in is told so and shows no page', async () => {
  await atHome(async (page) => {
    await page.goto(HOME);
    const refused = await page.evaluate(() => manager.signinSilent().then(() => null, (error) => error.error));
    assert.equal(refused, 'login_required');
  });
});

test('the library renews by itself before a token expires', async () => {
  await atHome(async (page) => {
    const first = await signInByRedirect(page);
    const renewed = await page.evaluate(() => new Promise((resolve, reject) => {
      // A token that lives for less than this is about to expire.
      const early = { automaticSilentRenew: true, accessTokenExpiringNotificationTimeInSeconds: 86_400 };
      const watching = new oidc.UserManager({ ...settings, ...early });
      watching.events.addUserLoaded((user) => { watching.stopSilentRenew(); resolve(plain(user)); });
      watching.events.addSilentRenewError(reject);
    }));
    assert.notEqual(renewed.access_token, first.access_token);
    assert.equal(renewed.profile.sub, first.profile.sub);
  });
});

test('a popup signs alice in and closes', async () => {
  await atHome(async (page) => {
    await page.goto(HOME);
    const opened = page.waitForEvent('popup');
    const user = page.evaluate(async () => plain(await manager.signinPopup()));
    const popup = await opened;
    await popup.waitForURL(`${ISSUER}/**`);
    await fillLogin(popup, ALICE);
    const closed = popup.waitForEvent('close');
    await popup.locator('#login-submit').click();
    assert.equal((await user).profile.preferred_username, ALICE.username);
    await closed;
  });
});

test('revoked tokens are dead, and the page can read why', async () => {
  await atHome(async (page, requests) => {
    const { access_token: token } = await signInByRedirect(page);
    assert.equal((await userinfoStatus(page, token)).status, 200);
    await page.evaluate(() => manager.revokeTokens());
    assert.ok(asked(requests).includes('POST /oauth/revoke'));
    const refused = await userinfoStatus(page, token);
    assert.equal(refused.status, 401);
    assert.match(refused.challenge, /error="invalid_token"/);
  });
});

test('a page of an origin that no client has reads public documents and nothing else', async () => {
  await atHome(async (page) => {
    const { access_token: token } = await signInByRedirect(page);
    await page.goto(ELSEWHERE);
    const read = (path, options) => page.evaluate(
      ([url, how]) => fetch(url, how).then((answer) => answer.status, (error) => error.name),
      [`${ISSUER}${path}`, options],
    );
    assert.equal(await read('/.well-known/openid-configuration'), 200);
    assert.equal(await read('/.well-known/jwks.json'), 200);
    const headers = { authorization: `Bearer ${token}` };
    assert.equal(await read('/oauth/userinfo', { headers }), 'TypeError');
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const post = { method: 'POST', headers: form, body: 'client_id=browser-demo&token=x' };
    assert.equal(await read('/oauth/revoke', post), 'TypeError');
    assert.equal(await read('/oauth/token', post), 'TypeError');
  });
});

test('on another site the refresh token renews, and a hidden frame is told that nobody is there', async () => {
  await register(ACROSS.client, 'Across', [`${ACROSS.origin}/`, `${ACROSS.origin}/renewed`]);
  await atHome(async (page) => {
    const first = await signInByRedirect(page, ACROSS.origin);
    const second = await page.evaluate(async () => plain(await manager.signinSilent()));
    assert.notEqual(second.access_token, first.access_token);
    assert.equal(second.profile.sub, first.profile.sub);
    // Browsers keep cookies from frames of other sites; the answer is OpenID Connect's, not a page.
    const refused = await page.evaluate(() => (
      manager.signinSilent({ forceIframeAuth: true }).then(() => null, (error) => error.error)
    ));
    assert.equal(refused, 'login_required');
  });
});
