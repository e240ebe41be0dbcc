// A tenant's own look: its logo, colours and words, seen by a browser under the content policy.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { isAccessible } from './accessible.mjs';
import { ALICE, WEB_REDIRECT, openBrowser, openCallback, shownPage, submitLogin, visit } from './browser.mjs';
import { ISSUER, administer, authorizationRequest, demoTenant, discoverWeb } from './clients.mjs';

/** 48 by 24 pixels of one colour. */
const LOGO =
  'iVBORw0KGgoAAAANSUhEUgAAADAAAAAYCAIAAAAzn+mLAAAALElEQVR42u3OQQkAAAgEsGtgU5/mt4bgYAGWmj4lQkJC' +
  'QkJCQkJCQkJCv0ILd5BFve34iCsAAAAASUVORK5CYII=';
const TEAL = 'rgb(15, 118, 110)';

let callback;
let browser;

before(async () => {
  callback = await openCallback();
  browser = await openBrowser(callback);
  const texts = { en: { title: 'Welcome', greeting: 'Nice to see you', footer: 'Acme Ltd' } };
  const links = { privacy: 'https://acme.example/privacy', support: 'https://acme.example/help' };
  const palette = { background: '#fff7e6', surface: '#fffdf7', text: '#3b2f00' };
  await inDemo('PUT', '/branding', { display_name: 'Acme', accent: '#0f766e', radius: 2, texts, links, palette });
  await inDemo('PUT', '/branding/logo', { image: LOGO });
});

after(async () => {
  // As the other tests of this server know it.
  await inDemo('PUT', '/branding', {});
  await inDemo('DELETE', '/branding/logo');
  await browser?.close();
  await callback?.close();
});

async function inDemo(method, path, body) {
  return administer(method, `${await demoTenant()}${path}`, body);
}

/** What the visitor sees of the look. */
function look(page) {
  return page.evaluate(() => {
    const logo = document.querySelector('.logo');
    const button = document.querySelector('.button.primary');
    const { backgroundColor, borderRadius } = getComputedStyle(button);
    return {
      natural: [logo?.naturalWidth, logo?.naturalHeight],
      name: document.querySelector('.brand-name').innerText,
      backgroundColor,
      borderRadius,
      ground: getComputedStyle(document.body).backgroundColor,
      text: getComputedStyle(document.body).color,
      card: getComputedStyle(button.closest('.card')).backgroundColor,
    };
  });
}

const WORN = {
  natural: [48, 24],
  name: 'Acme',
  backgroundColor: TEAL,
  borderRadius: '2px',
  ground: 'rgb(255, 247, 230)',
  text: 'rgb(59, 47, 0)',
  card: 'rgb(255, 253, 247)',
};

for (const javaScriptEnabled of [true, false]) {
  test(`pages wear the tenant's logo, colours and words ${javaScriptEnabled ? 'with' : 'without'} JavaScript`, async () => {
    const options = { javaScriptEnabled, locale: 'en', colorScheme: 'light', reducedMotion: 'reduce' };
    await visit(browser, options, async (page) => {
      await page.goto((await authorizationRequest(await discoverWeb(), WEB_REDIRECT)).url.href);
      assert.equal(await shownPage(page), 'login');
      assert.deepEqual(await look(page), WORN);
      assert.equal(await page.locator('h1').innerText(), 'Welcome');
      assert.equal(await page.locator('#brand-greeting').innerText(), 'Nice to see you');
      assert.equal(await page.locator('#brand-footer').innerText(), 'Acme Ltd');
      const help = page.getByRole('link', { name: 'Help' });
      assert.equal(await help.getAttribute('href'), 'https://acme.example/help');
      if (javaScriptEnabled) await isAccessible(page, 'branded login');
      await page.goto(`${ISSUER}/account`);
      assert.equal(await submitLogin(page, ALICE), 303);
      await page.locator('#sign-out').waitFor();
      assert.deepEqual(await look(page), WORN);
    });
  });
}

test("another tenant's pages keep the product's own look", async () => {
  await visit(browser, { locale: 'en', colorScheme: 'light' }, async (page) => {
    await page.goto(`${new URL(ISSUER).origin}/account`);
    assert.equal(await shownPage(page), 'login');
    const { natural, name, ground } = await look(page);
    assert.deepEqual(natural, [undefined, undefined]);
    assert.notEqual(name, 'Acme');
    assert.equal(ground, 'rgb(243, 244, 249)');
  });
});
