// How the pages look and behave in a browser: sizes, colours, headers, the way without scripts.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { WEB_REDIRECT, openBrowser, openCallback, shownPage, submitLogin, visit } from './browser.mjs';
import { BASE, authorizationRequest, discoverWeb } from './clients.mjs';

const PHONE = { viewport: { width: 320, height: 640 } };

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
  'login-refused': async (page) => {
    await PAGES.login(page);
    await submitLogin(page, { username: 'somebody', password: 'wrong' });
    await page.getByRole('alert').waitFor();
  },
  error: async (page) => page.goto((await authorizationRequest(config, `${WEB_REDIRECT}/altered`)).url.href),
};

function shoot(page, name) {
  return page.screenshot({ path: join(process.env.VAULTARA_SCREENSHOTS, `${name}.png`), fullPage: true });
}

for (const [name, open] of Object.entries(PAGES)) {
  test(`the ${name} page fits a screen 320 pixels wide`, async () => {
    await visit(browser, PHONE, async (page) => {
      await open(page);
      assert.equal(await shownPage(page), name.split('-')[0]);
      const widths = await page.evaluate(() => {
        const { scrollWidth, clientWidth } = document.documentElement;
        return { scrollWidth, clientWidth };
      });
      assert.ok(widths.scrollWidth <= widths.clientWidth, JSON.stringify(widths));
      await shoot(page, `${name}-320`);
    });
  });

  for (const colorScheme of ['light', 'dark']) {
    test(`the ${name} page is readable in the ${colorScheme} scheme`, async () => {
      await visit(browser, { colorScheme }, async (page) => {
        await open(page);
        const texts = await page.evaluate(contrasts);
        assert.ok(texts.length >= 3, 'no text was found to measure');
        for (const { text, ratio } of texts) assert.ok(ratio >= 4.5, `${ratio.toFixed(2)}: ${text}`);
        await shoot(page, `${name}-${colorScheme}`);
      });
    });
  }
}

/** Runs in the page: the WCAG contrast ratio of each element that holds text of its own. */
function contrasts() {
  const parse = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [red, green, blue] = parse(colour).slice(0, 3).map((channel) => {
      const value = channel / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const isOpaque = (colour) => (parse(colour)[3] ?? 1) === 1;
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (isOpaque(colour)) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  return [...document.querySelectorAll('body *')]
    .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== ''))
    .filter((element) => element.checkVisibility())
    .map((element) => {
      const colours = [getComputedStyle(element).color, ground(element)];
      const [high, low] = colours.map(luminance).sort((a, b) => b - a);
      return { text: element.textContent.trim(), ratio: (high + 0.05) / (low + 0.05) };
    });
}

test('the login page names its language, labels its fields and shows where the focus is', async () => {
  await visit(browser, {}, async (page) => {
    await PAGES.login(page);
    assert.notEqual(await page.locator('html').getAttribute('lang'), '');
    assert.equal(await page.getByLabel('User name').getAttribute('id'), 'username');
    assert.equal(await page.getByLabel('Password').getAttribute('id'), 'password');
    assert.equal(await page.locator('#username').getAttribute('autocomplete'), 'username');
    assert.equal(await page.locator('#password').getAttribute('autocomplete'), 'current-password');
    assert.equal(await page.getByRole('heading', { level: 1 }).count(), 1);
    for (const id of ['username', 'password', 'login-submit']) {
      const focused = page.locator(`#${id}:focus`);
      assert.equal(await focused.count(), 1, `${id} is reached by Tab in reading order`);
      const outline = await focused.evaluate((element) => getComputedStyle(element).outlineStyle);
      assert.notEqual(outline, 'none', id);
      await page.keyboard.press('Tab');
    }
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
