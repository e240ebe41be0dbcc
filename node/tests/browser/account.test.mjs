// A person at their own account: signed in there, with another name, another password, and out again.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { fillLogin, openBrowser, openCallback, shownPage, visit } from './browser.mjs';
import { ISSUER } from './clients.mjs';

const BOB = { username: 'bob', password: 'development administrator password' };
const NEW = 'a password that is new in this browser';

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

/** Presses a button and waits until the page that it leads to is there. */
async function press(page, id) {
  await Promise.all([page.waitForEvent('load'), page.locator(`#${id}`).click()]);
}

async function open(page, password) {
  await page.goto(`${ISSUER}/account`);
  assert.equal(await shownPage(page), 'login');
  await fillLogin(page, { ...BOB, password });
  await press(page, 'login-submit');
  assert.equal(await shownPage(page), 'own-account');
  assert.equal(page.url(), `${ISSUER}/account`);
}

async function change(page, current, next, again = next) {
  await page.locator('#password-current').fill(current);
  await page.locator('#password-new').fill(next);
  await page.locator('#password-again').fill(again);
  await press(page, 'password-save');
  assert.equal(await shownPage(page), 'own-account');
}

for (const javaScriptEnabled of [true, false]) {
  test(`a person changes their name and their password ${javaScriptEnabled ? 'with' : 'without'} JavaScript`, async () => {
    await visit(browser, { javaScriptEnabled, locale: 'en' }, async (page) => {
      await open(page, BOB.password);
      const nickname = `Bobby ${javaScriptEnabled}`;
      await page.getByLabel('Nickname').fill(nickname);
      await press(page, 'profile-save');
      assert.equal(await page.getByRole('status').innerText(), 'Your profile was saved.');
      assert.equal(await page.getByLabel('Nickname').inputValue(), nickname);
      assert.equal(await page.locator('#profile-email').getAttribute('readonly'), '');

      await change(page, BOB.password, NEW, `${NEW}.`);
      const alert = page.locator('#password-error');
      assert.equal((await alert.innerText()).trim(), 'The two new passwords are not the same.');
      assert.equal(await page.locator('#password-again').getAttribute('aria-invalid'), 'true');
      await change(page, BOB.password, NEW);
      assert.match(await page.getByRole('status').innerText(), /^Your password was changed\./);

      await press(page, 'sign-out');
      assert.equal(await shownPage(page), 'logged-out');
      await press(page, 'logged-out-back');
      await open(page, NEW);
      // As the other tests of this server know it.
      await change(page, NEW, BOB.password);
      assert.match(await page.getByRole('status').innerText(), /^Your password was changed\./);
    });
  });
}
