// A machine signs in: by the line that the server prints for a person to paste, and by the client library.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as client from 'openid-client';

import { ISSUER, SERVICE, discoverService } from './clients.mjs';
import { printedCurlLine } from './server.mjs';

async function verified(config, accessToken) {
  const keys = createRemoteJWKSet(new URL(config.serverMetadata().jwks_uri));
  const { payload } = await jwtVerify(accessToken, keys, { algorithms: ['ES256'], issuer: ISSUER, typ: 'at+jwt' });
  return payload;
}

test('the curl line that the server prints fetches a token', async () => {
  const line = printedCurlLine(process.env.VAULTARA_STDOUT);
  const { stdout } = await promisify(execFile)('bash', ['-c', line], { timeout: 15_000 });
  const answer = JSON.parse(stdout);
  assert.equal(answer.token_type.toLowerCase(), 'bearer');
  assert.ok(answer.expires_in > 0);

  const config = await discoverService();
  assert.equal((await verified(config, answer.access_token)).client_id, SERVICE.id);
  assert.equal((await client.tokenIntrospection(config, answer.access_token)).active, true);
});

test('a service asks for one of its scopes and gets no more', async () => {
  const config = await discoverService();
  const tokens = await client.clientCredentialsGrant(config, { scope: 'read' });
  const claims = await verified(config, tokens.access_token);
  assert.equal(claims.scope, 'read');
  assert.equal(claims.client_id, SERVICE.id);
  assert.equal(tokens.id_token, undefined);
  assert.equal(tokens.refresh_token, undefined);
});

test('a scope that the service does not have is refused with invalid_scope', async () => {
  const config = await discoverService();
  await assert.rejects(client.clientCredentialsGrant(config, { scope: 'read everything' }), (error) => {
    assert.equal(error.error, 'invalid_scope', error);
    return true;
  });
});

test('a wrong secret is refused with invalid_client and a challenge', async () => {
  const config = await discoverService('not-the-secret');
  await assert.rejects(client.clientCredentialsGrant(config, {}), (error) => {
    assert.equal(error.status ?? error.response?.status, 401, error);
    return true;
  });
  const answer = await fetch(config.serverMetadata().token_endpoint, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${SERVICE.id}:not-the-secret`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  });
  assert.equal(answer.status, 401);
  assert.match(answer.headers.get('www-authenticate'), /^Basic\b/);
  assert.match(answer.headers.get('cache-control'), /no-store/);
  assert.equal((await answer.json()).error, 'invalid_client');
});
