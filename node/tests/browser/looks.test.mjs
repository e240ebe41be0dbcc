// How every page looks and whether everybody can use it: axe, contrast, narrow screens, large text, both
// schemes, two languages. Each look is also a picture for people to look at.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { isAccessible } from './accessible.mjs';
import { WEB_REDIRECT, openBrowser, openCallback, shownPage, submitLogin, visit } from './browser.mjs';
import { BASE, authorizationRequest, discoverWeb } from './clients.mjs';

const PHONE = { width: 320, height: 640 };
const DESKTOP = { width: 1280, height: 800 };
const LOOKS = {
  en: ['light', 'dark'].flatMap((colorScheme) => [PHONE, DESKTOP].map((viewport) => ({ colorScheme, viewport }))),
  de: [{ colorScheme: 'light', viewport: PHONE }, { colorScheme: 'dark', viewport: DESKTOP }],
  fr: [{ colorScheme: 'light', viewport: PHONE }],
};

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

async function openLogin(page) {
  return page.goto((await authorizationRequest(config, WEB_REDIRECT)).url.href);
}

const inGallery = (name) => (page) => page.goto(`${BASE}/gallery/${name}`);

/** Each page and how a visitor comes to see it: the real way, or with sample content. */
const PAGES = {
  home: (page) => page.goto(`${BASE}/`),
  login: openLogin,
  'login-refused': async (page) => {
    await openLogin(page);
    await submitLogin(page, { username: 'somebody', password: 'wrong' });
    await page.getByRole('alert').waitFor();
  },
  'login-notices': inGallery('login-notices'),
  error: async (page) => page.goto((await authorizationRequest(config, `${WEB_REDIRECT}/altered`)).url.href),
  'form-post': async (page) => {
    // It leaves at once; to be looked at it must stay.
    await page.addInitScript(() => { HTMLFormElement.prototype.submit = () => {}; });
    await inGallery('form-post')(page);
  },
  account: inGallery('account'),
  consent: inGallery('consent'),
  logout: inGallery('logout'),
  'logged-out': inGallery('logged-out'),
  'own-account': inGallery('own-account?done=profile'),
  'own-account-refused': inGallery('own-account?problem=short'),
};

/** What is measured must not be on its way to another colour. */
const STILL = { reducedMotion: 'reduce' };

for (const [name, open] of Object.entries(PAGES)) {
  test(`the ${name} page is for everybody, in every look`, async () => {
    for (const [locale, looks] of Object.entries(LOOKS)) {
      await visit(browser, { ...STILL, locale }, async (page) => {
        await open(page);
        assert.ok(name.startsWith(await shownPage(page)), `${name} is shown`);
        assert.equal(await page.locator('html').getAttribute('lang'), locale);
        for (const { colorScheme, viewport } of looks) {
          await page.emulateMedia({ colorScheme });
          await page.setViewportSize(viewport);
          const shown = `${name}-${locale}-${viewport.width}-${colorScheme}`;
          await fits(page, shown);
          await isReadable(page, shown);
          await isAccessible(page, shown);
          await shoot(page, shown);
        }
      });
    }
  });

  test(`the ${name} page holds letters twice as large and the other writing direction`, async () => {
    await visit(browser, { ...STILL, viewport: { width: 640, height: 800 } }, async (page) => {
      await open(page);
      await page.evaluate(() => { document.documentElement.style.fontSize = '200%'; });
      await fits(page, `${name} with large letters`);
      await shoot(page, `${name}-large`);
    });
    await visit(browser, { ...STILL, viewport: PHONE }, async (page) => {
      await open(page);
      await page.evaluate(() => { document.documentElement.dir = 'rtl'; });
      await fits(page, `${name} from right to left`);
      await shoot(page, `${name}-rtl`);
    });
  });
}

test('a brand of any colour is readable in both schemes', async () => {
  await visit(browser, { ...STILL, viewport: DESKTOP }, async (page) => {
    for (const accent of ['0f766e', 'ffee00', '000000', 'ffffff', 'ff2d78']) {
      await page.goto(`${BASE}/gallery/consent?accent=${accent}&radius=2&logo=1`);
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme });
        await isReadable(page, `${accent} ${colorScheme}`);
        await isAccessible(page, `${accent} ${colorScheme}`);
        const { radius, natural } = await page.evaluate(() => ({
          radius: getComputedStyle(document.querySelector('#consent-allow')).borderRadius,
          natural: document.querySelector('.logo').naturalWidth,
        }));
        assert.equal(radius, '2px');
        assert.ok(natural > 0, 'the logo is shown');
        await shoot(page, `brand-${accent}-${colorScheme}`);
      }
    }
  });
});

test('further colours of a brand are readable in both schemes', async () => {
  await visit(browser, { ...STILL, viewport: DESKTOP }, async (page) => {
    const palettes = [['fff7e6', 'fffdf7', '3b2f00'], ['0b1020', '141a2e', 'e8ebf4'], ['ffee00', 'ffffff', '000000']];
    for (const [background, surface, text] of palettes) {
      for (const name of ['login-refused', 'login-notices', 'consent', 'own-account']) {
        const palette = `background=${background}&surface=${surface}&text=${text}`;
        await page.goto(`${BASE}/gallery/${name}?accent=ff2d78&${palette}`);
        for (const colorScheme of ['light', 'dark']) {
          await page.emulateMedia({ colorScheme });
          await isReadable(page, `${name} ${background} ${colorScheme}`);
          await isAccessible(page, `${name} ${background} ${colorScheme}`);
          const ground = await page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue('--ground'));
          assert.equal(ground.trim() === `#${background}`, colorScheme === 'light');
          await shoot(page, `palette-${name}-${background}-${colorScheme}`);
        }
      }
    }
  });
});

function shoot(page, name) {
  return page.screenshot({ path: join(process.env.VAULTARA_SCREENSHOTS, `${name}.png`), fullPage: true });
}

/** Nothing stands outside the screen's width. */
async function fits(page, shown) {
  const widths = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return { scrollWidth, clientWidth };
  });
  assert.ok(widths.scrollWidth <= widths.clientWidth, `${shown}: ${JSON.stringify(widths)}`);
}

/** Text stands out from what it is on, also where axe cannot tell. */
async function isReadable(page, shown) {
  const texts = await page.evaluate(contrasts);
  assert.ok(texts.length >= 3, `${shown}: no text was found to measure`);
  for (const { text, ratio } of texts) assert.ok(ratio >= 4.5, `${shown}: ${ratio.toFixed(2)}: ${text}`);
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
