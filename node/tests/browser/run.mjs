// Starts one server in development mode, runs every *.test.mjs against it, stops it and checks how it ended.

import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { findChromium } from './browser.mjs';
import { startServer } from './server.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));

async function main() {
  process.env.CHROMIUM_BIN = findChromium();
  mkdirSync(process.env.VAULTARA_SCREENSHOTS, { recursive: true });

  const server = await startServer(process.env.VAULTARA_BIN);
  let tests;
  const interrupt = () => {
    if (tests) return tests.kill('SIGTERM');
    server.discard();
    return process.exit(130);
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  try {
    await server.ready();
    tests = spawn(process.execPath, testArguments(), {
      cwd: here,
      stdio: 'inherit',
      env: { ...process.env, VAULTARA_URL: server.url, VAULTARA_STDOUT: server.stdout },
    });
    const failed = (await ended(tests)) !== 0;
    const code = await server.stop();
    if (code !== 0) console.error(`browser tests: the server ended with ${code} after SIGINT, not with 0`);
    if (failed || code !== 0) console.error(server.lastWords());
    return failed || code !== 0 ? 1 : 0;
  } finally {
    server.discard();
  }
}

/**
 * One file at a time: each drives a browser of its own. The time is that of a whole file as well as of each test in
 * it: the description alone takes minutes on a slow machine.
 */
function testArguments() {
  const isTest = (name) => name.endsWith('.test.mjs');
  const [first, ...others] = process.argv.slice(2);
  const alone = first !== undefined && isTest(first);
  const files = alone ? [first] : readdirSync(here).filter(isTest).sort();
  const given = alone ? others : process.argv.slice(2);
  const options = ['--test', '--test-concurrency=1', '--test-timeout=900000', '--test-reporter=spec'];
  return [...options, ...given, ...files];
}

function ended(child) {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? signal));
  });
}

main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(`browser tests: ${error.message}`);
    process.exit(1);
  },
);
