// PyPI's authlib: the tests are Python's own, this runs them and looks at the count.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { WEB, registerLogout } from './clients.mjs';

const SCRIPT = fileURLToPath(new URL('python/authlib_test.py', import.meta.url));

test('authlib signs in and out, refreshes, revokes and gets tokens for services', async () => {
  await registerLogout(WEB.id, { post_logout_redirect_uris: ['http://localhost:3000/goodbye'] });
  const written = readFileSync(SCRIPT, 'utf8').match(/^ {4}def test_/gm).length;
  const { error, output } = await run(process.env.VAULTARA_PYTHON, ['-B', SCRIPT]);
  assert.equal(error, null, output);
  assert.match(output, new RegExp(`^Ran ${written} tests in `, 'm'), output);
  assert.match(output, /^OK$/m, output);
});

function run(program, argv) {
  return new Promise((resolve) => {
    execFile(program, argv, { timeout: 100_000 }, (error, stdout, stderr) => {
      resolve({ error, output: `${stdout}${stderr}${error ?? ''}` });
    });
  });
}
