// The same sign-in with oauth4webapi, which looks at every header and member of every answer.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { decodeJwt } from 'jose';
import * as oauth from 'oauth4webapi';

import { WEB_REDIRECT, openBrowser, openCallback, signIn, visit } from './browser.mjs';
import { BASE, ISSUER, WEB } from './clients.mjs';

const insecure = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(ISSUER);

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

async function discovered(algorithm) {
  const response = await oauth.discoveryRequest(issuer, { ...insecure, algorithm });
  return oauth.processDiscoveryResponse(issuer, response);
}

test('the OpenID and the OAuth metadata, in both path styles, say the same', async () => {
  const openid = await discovered('oidc');
  const inserted = await discovered('oauth2');
  assert.equal(openid.authorization_response_iss_parameter_supported, true);
  assert.deepEqual(openid.code_challenge_methods_supported, ['S256']);
  assert.ok(openid.id_token_signing_alg_values_supported.includes('RS256'));
  for (const [name, value] of Object.entries(inserted)) assert.deepEqual(value, openid[name], name);

  const appended = await (await fetch(`${ISSUER}/.well-known/oauth-authorization-server`)).json();
  assert.deepEqual(appended, inserted);
  const openidInserted = await (await fetch(`${BASE}/.well-known/openid-configuration/t/demo`)).json();
  assert.deepEqual(openidInserted, openid);
});

for (const javaScriptEnabled of [true, false]) {
  test(`every answer of a sign-in passes the strict library with JavaScript ${javaScriptEnabled ? 'on' : 'off'}`, async () => {
    const server = await discovered('oidc');
    const registered = { client_id: WEB.id };
    const authentication = oauth.ClientSecretPost(WEB.secret);
    const verifier = oauth.generateRandomCodeVerifier();
    const state = oauth.generateRandomState();
    const nonce = oauth.generateRandomNonce();

    const url = new URL(server.authorization_endpoint);
    url.search = new URLSearchParams({
      client_id: WEB.id,
      redirect_uri: WEB_REDIRECT,
      response_type: 'code',
      scope: 'openid profile email',
      state,
      nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    const returned = await visit(browser, { javaScriptEnabled }, (page) => signIn(page, url, WEB_REDIRECT));
    const parameters = oauth.validateAuthResponse(server, registered, returned, state);

    const tokenResponse = await oauth.authorizationCodeGrantRequest(
      server, registered, authentication, parameters, WEB_REDIRECT, verifier, insecure,
    );
    assert.match(tokenResponse.headers.get('cache-control'), /no-store/);
    const tokens = await oauth.processAuthorizationCodeResponse(server, registered, tokenResponse, {
      expectedNonce: nonce,
      requireIdToken: true,
    });
    await oauth.validateApplicationLevelSignature(server, tokenResponse, insecure);
    const { sub } = oauth.getValidatedIdTokenClaims(tokens);

    const userinfoResponse = await oauth.userInfoRequest(server, registered, tokens.access_token, insecure);
    const userinfo = await oauth.processUserInfoResponse(server, registered, sub, userinfoResponse);
    assert.equal(userinfo.sub, sub);

    // RFC 9068 as a resource server checks it; which audience is ours to choose, that there is one is not.
    const { aud } = decodeJwt(tokens.access_token);
    const asked = new Request(ISSUER, { headers: { authorization: `Bearer ${tokens.access_token}` } });
    const claims = await oauth.validateJwtAccessToken(server, asked, [aud].flat()[0], insecure);
    assert.equal(claims.sub, sub);

    const refreshResponse = await oauth.refreshTokenGrantRequest(
      server, registered, authentication, tokens.refresh_token, insecure,
    );
    const refreshed = await oauth.processRefreshTokenResponse(server, registered, refreshResponse);
    await oauth.validateApplicationLevelSignature(server, refreshResponse, insecure);
    assert.equal(oauth.getValidatedIdTokenClaims(refreshed).sub, sub);

    const introspect = () => oauth
      .introspectionRequest(server, registered, authentication, tokens.access_token, insecure)
      .then((response) => oauth.processIntrospectionResponse(server, registered, response));
    assert.equal((await introspect()).active, true);
    const revocation = await oauth.revocationRequest(server, registered, authentication, tokens.access_token, insecure);
    await oauth.processRevocationResponse(revocation);
    assert.equal((await introspect()).active, false);
  });
}
