// PyPI's schemathesis makes requests out of the served OpenAPI document; the test is Python's own. It has a
// server to itself, whose contents it turns upside down.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { startServer } from './server.mjs';

const SCRIPT = fileURLToPath(new URL('python/description_test.py', import.meta.url));

test('every operation of the administration API does what its description says', { timeout: 900_000 }, async (t) => {
  const server = await startServer(process.env.VAULTARA_BIN);
  try {
    await server.ready();
    const { error, output } = await run(process.env.VAULTARA_PYTHON, ['-B', SCRIPT], server.url);
    for (const line of output.split('\n')) if (/answered 2xx|never: /.test(line)) t.diagnostic(line.trim());
    assert.equal(error, null, output);
    assert.match(output, /^Ran 1 test in /m, output);
    assert.equal(await server.stop(), 0, server.lastWords());
  } finally {
    server.discard();
  }
});

function run(program, argv, url) {
  return new Promise((resolve) => {
    const env = { ...process.env, VAULTARA_URL: url };
    execFile(program, argv, { timeout: 880_000, maxBuffer: 64 << 20, env }, (error, stdout, stderr) => {
      resolve({ error, output: `${stdout}${stderr}${error ?? ''}` });
    });
  });
}
