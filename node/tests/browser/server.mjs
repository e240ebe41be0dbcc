// The server as a process: started with nothing of the caller's settings, in an empty directory of its own.

import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const READY_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 20_000;

/** Starts `binary server --dev` on free ports of loopback. */
export async function startServer(binary) {
  const directory = mkdtempSync(join(tmpdir(), 'vaultara-browser-'));
  const [port, managementPort] = await freePorts(2);
  const url = `http://localhost:${port}`;
  const stdout = join(directory, 'stdout');
  const stderr = join(directory, 'stderr');
  const out = openSync(stdout, 'w');
  const err = openSync(stderr, 'w');
  const child = spawn(binary, ['server', '--dev'], {
    cwd: directory,
    stdio: ['ignore', out, err],
    env: {
      ...inherited(['PATH', 'HOME', 'LANG', 'TMPDIR', 'RUST_LOG', 'RUST_BACKTRACE']),
      SERVER_PORT: String(port),
      EXTERNAL_URL: url,
      MANAGEMENT_BIND: `127.0.0.1:${managementPort}`,
      DATA_DIR: join(directory, 'data'),
      BACKUP_DIR: join(directory, 'backups'),
    },
  });
  closeSync(out);
  closeSync(err);
  const exit = new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(code ?? signal));
  });
  let ending;
  exit.then((how) => (ending = { how }));

  const lastWords = () =>
    `--- the server's last lines\n${readFileSync(stderr, 'utf8').split('\n').slice(-40).join('\n')}`;

  /** Ready as a person sees it: the health check says so and the ready-made curl line is printed. */
  async function ready() {
    const deadline = Date.now() + READY_WITHIN_MS;
    let missing = '/health/ready answers 200';
    while (Date.now() < deadline) {
      if (ending) throw new Error(`the server ended with ${ending.how} at start\n${lastWords()}`);
      if (!(await answers(`${url}/health/ready`))) missing = '/health/ready answers 200';
      else if (!printedCurlLine(stdout)) missing = 'a line starting with "curl " is printed';
      else return;
      await pause(50);
    }
    throw new Error(`not within ${READY_WITHIN_MS} ms: ${missing}\n${lastWords()}`);
  }

  /** Ctrl-C, then how the process ended. */
  async function stop() {
    child.kill('SIGINT');
    const late = pause(STOP_WITHIN_MS, 'no end in time', { ref: false });
    return Promise.race([exit, late]);
  }

  function discard() {
    if (!ending) child.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }

  return { url, stdout, ready, stop, discard, lastWords };
}

/** The line that the server prints for a person to paste, or undefined. */
export function printedCurlLine(stdoutPath) {
  const lines = readFileSync(stdoutPath, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => line.trim()).find((line) => line.startsWith('curl '));
}

async function answers(url) {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).status === 200;
  } catch {
    return false;
  }
}

function inherited(names) {
  return Object.fromEntries(names.filter((name) => name in process.env).map((name) => [name, process.env[name]]));
}

/** Ports that were free a moment ago, different from each other. */
async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer());
  const opened = servers.map(
    (server) => new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve)),
  );
  await Promise.all(opened);
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
