// Tokens bound to a key (DPoP), with openid-client and oauth4webapi as they come from npm.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { calculateJwkThumbprint, decodeJwt, exportJWK } from 'jose';
import * as oauth from 'oauth4webapi';
import * as client from 'openid-client';

import { openBrowser, openCallback, signIn, visit } from './browser.mjs';
import {
  BASE, ISSUER, SERVICE, authorizationRequest, discoverNative, discoverService, getUserinfo,
} from './clients.mjs';

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

async function thumbprint(keyPair) {
  return calculateJwkThumbprint(await exportJWK(keyPair.publicKey));
}

test('a public client signs alice in, refreshes and reads who she is with its key, and a thief with another gets nothing', async () => {
  const config = await discoverNative();
  const redirectUri = `http://127.0.0.1:${callback.port}/callback`;
  const keyPair = await client.randomDPoPKeyPair('ES256');
  const DPoP = client.getDPoPHandle(config, keyPair);
  const jkt = await DPoP.calculateThumbprint();
  assert.equal(jkt, await thumbprint(keyPair));
  const request = await authorizationRequest(config, redirectUri, (parameters) => { parameters.dpop_jkt = jkt; });
  const returned = await visit(browser, {}, (page) => signIn(page, request.url, redirectUri));
  await assert.rejects(
    client.authorizationCodeGrant(config, returned, request.checks),
    { error: 'invalid_dpop_proof' },
  );
  const thief = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'));
  await assert.rejects(
    client.authorizationCodeGrant(config, returned, request.checks, undefined, { DPoP: thief }),
    { error: 'invalid_grant' },
  );

  const tokens = await client.authorizationCodeGrant(config, returned, request.checks, undefined, { DPoP });
  assert.equal(tokens.token_type, 'dpop');
  assert.deepEqual(decodeJwt(tokens.access_token).cnf, { jkt });
  const { sub } = tokens.claims();
  const read = (accessToken) => client.fetchUserInfo(config, accessToken, sub, { DPoP });
  assert.equal((await read(tokens.access_token)).preferred_username, 'alice');
  assert.equal((await read(tokens.access_token)).sub, sub, 'each request has a proof of its own');
  assert.equal((await getUserinfo(config, tokens.access_token)).status, 401);
  await assert.rejects(client.fetchUserInfo(config, tokens.access_token, sub, { DPoP: thief }));

  const refresh = (options) => client.refreshTokenGrant(config, tokens.refresh_token, undefined, options);
  await assert.rejects(refresh(), { error: 'invalid_dpop_proof' });
  await assert.rejects(refresh({ DPoP: thief }), { error: 'invalid_grant' });
  const refreshed = await refresh({ DPoP });
  assert.equal(refreshed.token_type, 'dpop');
  assert.equal((await read(refreshed.access_token)).sub, sub);
});

for (const algorithm of ['ES256', 'RS256', 'PS256', 'Ed25519']) {
  test(`a service gets a token of a key for ${algorithm}`, async () => {
    const config = await discoverService();
    const keyPair = await client.randomDPoPKeyPair(algorithm);
    const DPoP = client.getDPoPHandle(config, keyPair);
    const tokens = await client.clientCredentialsGrant(config, {}, { DPoP });
    assert.equal(tokens.token_type, 'dpop');
    const jkt = await thumbprint(keyPair);
    const told = await client.tokenIntrospection(config, tokens.access_token);
    assert.deepEqual([told.active, told.token_type, told.cnf], [true, 'DPoP', { jkt }]);
  });
}

test('the strict library takes the answers, and as a resource server it checks the proof', async () => {
  const insecure = { [oauth.allowInsecureRequests]: true };
  const issuer = new URL(ISSUER);
  const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure));
  const registered = { client_id: SERVICE.id };
  const DPoP = oauth.DPoP(registered, await oauth.generateKeyPair('ES256'));
  const response = await oauth.clientCredentialsGrantRequest(
    server, registered, oauth.ClientSecretBasic(SERVICE.secret), {}, { DPoP, ...insecure },
  );
  const tokens = await oauth.processClientCredentialsResponse(server, registered, response);
  assert.equal(tokens.token_type, 'dpop');

  // Whatever is sent is looked at by the library's other half.
  const sent = [];
  await oauth.protectedResourceRequest(tokens.access_token, 'GET', new URL(`${BASE}/health`), undefined, undefined, {
    DPoP,
    ...insecure,
    [oauth.customFetch]: (url, options) => {
      sent.push(new Request(url, { method: options.method, headers: options.headers }));
      return new Response('{}');
    },
  });
  const claims = await oauth.validateJwtAccessToken(server, sent[0], ISSUER, { requireDPoP: true, ...insecure });
  assert.equal(claims.client_id, SERVICE.id);
});
