// How the pages behave in a browser: names, focus, headers, languages.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { WEB_REDIRECT, openBrowser, openCallback, shownPage, submitLogin, visit } from './browser.mjs';
import { BASE, authorizationRequest, discoverWeb } from './clients.mjs';

let callback;
let browser;
let config;

before(async () => {
  callback = await openCallback();
  browser = await openBrowser(callback);
  config = await discoverWeb();
});

after(async () => {
  await browser?.close();
  await callback?.close();
});

/** Each kind of page and how a visitor comes to see it. */
const PAGES = {
  home: (page) => page.goto(`${BASE}/`),
  login: async (page) => page.goto((await authorizationRequest(config, WEB_REDIRECT)).url.href),
  error: async (page) => page.goto((await authorizationRequest(config, `${WEB_REDIRECT}/altered`)).url.href),
};

test('the login page names its language, labels its fields and shows where the focus is', async () => {
  await visit(browser, {}, async (page) => {
    await PAGES.login(page);
    assert.notEqual(await page.locator('html').getAttribute('lang'), '');
    assert.equal(await page.getByLabel('User name').getAttribute('id'), 'username');
    assert.equal(await page.getByLabel('Password').getAttribute('id'), 'password');
    assert.equal(await page.locator('#username').getAttribute('autocomplete'), 'username');
    assert.equal(await page.locator('#password').getAttribute('autocomplete'), 'current-password');
    assert.equal(await page.getByRole('heading', { level: 1 }).count(), 1);
    // Autofocus takes hold with the first frame.
    await page.locator('#username:focus').waitFor();
    for (const id of ['username', 'password', 'login-submit']) {
      const focused = page.locator(`#${id}:focus`);
      assert.equal(await focused.count(), 1, `${id} is reached by Tab in reading order`);
      const outline = await focused.evaluate((element) => getComputedStyle(element).outlineStyle);
      assert.notEqual(outline, 'none', id);
      await page.keyboard.press('Tab');
    }
  });
});

test('the application chooses the language before the browser, and a wrong password does not change it', async () => {
  const { url } = await authorizationRequest(config, WEB_REDIRECT, (parameters) => {
    parameters.ui_locales = 'nl fr-CA de';
  });
  await visit(browser, { locale: 'de-AT' }, async (page) => {
    await page.goto(url.href);
    assert.equal(await page.locator('html').getAttribute('lang'), 'fr');
    assert.equal(await page.title(), 'Se connecter à Demo');
    await submitLogin(page, { username: 'somebody', password: 'wrong' });
    const alert = page.getByRole('alert');
    assert.equal((await alert.innerText()).trim(), 'Le nom d’utilisateur ou le mot de passe est incorrect.');
    assert.equal(await page.locator('html').getAttribute('lang'), 'fr');
    await PAGES.login(page);
    assert.equal(await page.locator('html').getAttribute('lang'), 'de');
    assert.equal(await page.getByRole('button').innerText(), 'Anmelden');
  });
});

test('our pages are styled by our stylesheet, which browsers may keep for ever', async () => {
  await visit(browser, {}, async (page) => {
    const styles = page.waitForResponse((response) => response.request().resourceType() === 'stylesheet');
    await PAGES.login(page);
    const response = await styles;
    assert.equal(response.status(), 200);
    assert.match(response.headers()['cache-control'], /immutable/);
    assert.equal(new URL(response.url()).origin, BASE);
    const display = await page.locator('body').evaluate((body) => getComputedStyle(body).display);
    assert.equal(display, 'flex');
  });
});

test('a page for people is not cached, not framed, sends no referrer and runs no script', async () => {
  await visit(browser, {}, async (page) => {
    const policies = {};
    for (const name of ['login', 'error', 'home']) {
      const headers = await (await PAGES[name](page)).allHeaders();
      const policy = headers['content-security-policy'];
      assert.match(policy, /^default-src 'none';/);
      assert.match(policy, /frame-ancestors 'none'/);
      assert.match(policy, /base-uri 'none'/);
      assert.doesNotMatch(policy, /script-src|unsafe/);
      assert.match(headers['content-type'], /^text\/html; charset=utf-8$/i);
      assert.equal(headers['cache-control'], 'no-store');
      assert.equal(headers['referrer-policy'], 'no-referrer');
      assert.equal(headers['x-content-type-options'], 'nosniff');
      policies[name] = policy;
    }
    assert.match(policies.login, /form-action 'self' http:\/\/localhost:3000[ ;]/);
    assert.match(policies.error, /form-action 'self';/);
  });
});
