// What a client holds after a sign-in, checked with jose and at the server's endpoints.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import * as client from 'openid-client';

import { ALICE, WEB_REDIRECT, openBrowser, openCallback, signIn, visit } from './browser.mjs';
import { ISSUER, WEB, authorizationRequest, discoverWeb, getUserinfo } from './clients.mjs';

let callback;
let browser;
let config;
let keys;

before(async () => {
  callback = await openCallback();
  browser = await openBrowser(callback);
  config = await discoverWeb();
  keys = createRemoteJWKSet(new URL(config.serverMetadata().jwks_uri));
});

after(async () => {
  await browser?.close();
  await callback?.close();
});

async function freshTokens() {
  const request = await authorizationRequest(config, WEB_REDIRECT);
  const returned = await visit(browser, {}, (page) => signIn(page, request.url, WEB_REDIRECT));
  return client.authorizationCodeGrant(config, returned, request.checks);
}

async function publishedKeys() {
  return (await (await fetch(config.serverMetadata().jwks_uri)).json()).keys;
}

test('the ID token is signed with RS256 by a published key and says who signed in where', async () => {
  const tokens = await freshTokens();
  const { payload, protectedHeader } = await jwtVerify(tokens.id_token, keys, {
    algorithms: ['RS256'],
    issuer: ISSUER,
    audience: WEB.id,
    requiredClaims: ['sub', 'exp', 'iat', 'auth_time', 'nonce'],
    maxTokenAge: '5m',
  });
  assert.equal(typeof protectedHeader.kid, 'string');
  assert.ok(Number.isInteger(payload.auth_time));
  for (const claim of ['name', 'email', 'preferred_username']) {
    assert.equal(payload[claim], undefined, `${claim} belongs to userinfo when there is an access token`);
  }
});

test('the access token is an ES256 JWT of its own type, by another key than the ID token', async () => {
  const tokens = await freshTokens();
  const { payload, protectedHeader } = await jwtVerify(tokens.access_token, keys, {
    algorithms: ['ES256'],
    issuer: ISSUER,
    typ: 'at+jwt',
    requiredClaims: ['sub', 'aud', 'exp', 'iat', 'jti', 'client_id'],
  });
  assert.equal(payload.client_id, WEB.id);
  assert.equal(payload.sub, tokens.claims().sub);
  assert.ok(payload.scope.split(' ').includes('openid'));
  assert.notEqual(protectedHeader.kid, decodeProtectedHeader(tokens.id_token).kid);
});

test('the published keys are public, named and each for one algorithm', async () => {
  const published = await publishedKeys();
  const names = published.map((key) => key.kid);
  assert.equal(new Set(names).size, names.length);
  assert.ok(published.some((key) => key.alg === 'RS256'));
  assert.ok(published.some((key) => key.alg === 'ES256'));
  for (const key of published) {
    assert.equal(key.use, 'sig');
    for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) assert.equal(member in key, false, member);
  }
});

test('userinfo answers GET and POST with the same person', async () => {
  const tokens = await freshTokens();
  const subject = tokens.claims().sub;
  const byGet = await client.fetchUserInfo(config, tokens.access_token, subject);
  const endpoint = config.serverMetadata().userinfo_endpoint;
  const inHeader = await fetch(endpoint, {
    method: 'POST',
    headers: { authorization: `Bearer ${tokens.access_token}` },
  });
  const inBody = await fetch(endpoint, {
    method: 'POST',
    body: new URLSearchParams({ access_token: tokens.access_token }),
  });
  for (const answer of [inHeader, inBody]) {
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get('content-type'), /^application\/json/);
    assert.deepEqual(await answer.json(), byGet);
  }
  assert.equal(byGet.preferred_username, ALICE.username);
});

test('userinfo refuses a token in the query, no token and an ID token', async () => {
  const tokens = await freshTokens();
  const endpoint = config.serverMetadata().userinfo_endpoint;
  const inQuery = await fetch(`${endpoint}?access_token=${tokens.access_token}`);
  assert.ok([400, 401].includes(inQuery.status), `${inQuery.status}`);
  const none = await fetch(endpoint);
  assert.equal(none.status, 401);
  assert.match(none.headers.get('www-authenticate'), /^Bearer\b/);
  const idToken = await getUserinfo(config, tokens.id_token);
  assert.equal(idToken.status, 401);
  assert.match(idToken.headers.get('www-authenticate'), /error="invalid_token"/);
});

test('a token is active until it is revoked, and dead everywhere after', async () => {
  const tokens = await freshTokens();
  const live = await client.tokenIntrospection(config, tokens.access_token);
  assert.equal(live.active, true);
  assert.equal(live.client_id, WEB.id);
  assert.equal(live.sub, tokens.claims().sub);
  assert.equal(live.iss, ISSUER);

  await client.tokenRevocation(config, tokens.access_token);

  assert.deepEqual(await client.tokenIntrospection(config, tokens.access_token), { active: false });
  const refused = await getUserinfo(config, tokens.access_token);
  assert.equal(refused.status, 401);
  assert.match(refused.headers.get('www-authenticate'), /error="invalid_token"/);
});

test('revoking what is no token succeeds and introspecting it says inactive', async () => {
  await client.tokenRevocation(config, 'not-a-token');
  assert.deepEqual(await client.tokenIntrospection(config, 'not-a-token'), { active: false });
});

test('a refresh brings new tokens for the same person, and a revoked one ends them all', async () => {
  const first = await freshTokens();
  const second = await client.refreshTokenGrant(config, first.refresh_token);
  assert.notEqual(second.refresh_token, first.refresh_token);
  assert.equal(second.claims().sub, first.claims().sub);
  assert.equal(second.claims().auth_time, first.claims().auth_time);
  const subject = first.claims().sub;
  assert.equal((await client.fetchUserInfo(config, second.access_token, subject)).sub, subject);
  const third = await client.refreshTokenGrant(config, second.refresh_token);

  await assert.rejects(client.refreshTokenGrant(config, first.refresh_token), { error: 'invalid_grant' });
  assert.equal((await getUserinfo(config, third.access_token)).status, 200, 'a late repetition harms nobody');
  await client.tokenRevocation(config, third.refresh_token);
  await assert.rejects(client.refreshTokenGrant(config, third.refresh_token), { error: 'invalid_grant' });
  for (const { access_token: token } of [first, second, third]) {
    assert.equal((await getUserinfo(config, token)).status, 401);
  }
});
