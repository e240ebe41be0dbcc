// The demo tenant's clients as openid-client sees them, and what the tests ask of them.

import * as client from 'openid-client';

export const BASE = process.env.VAULTARA_URL;
export const ISSUER = `${BASE}/t/demo`;

export const WEB = { id: 'web-demo', secret: 'web-demo-secret-for-development-only' };
export const NATIVE = { id: 'native-demo' };
const ADMIN = { id: 'admin-demo', secret: 'admin-demo-secret-for-development-only' };
export const SERVICE = { id: 'service-demo', secret: 'service-demo-secret-for-development-only' };

/** Plain http is what development mode speaks; signatures are checked although the channel is direct. */
const options = { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] };

/** Discovery with the library's own defaults (the secret goes into the body). */
export function discoverWeb() {
  return client.discovery(new URL(ISSUER), WEB.id, WEB.secret, undefined, options);
}

export function discoverNative() {
  return discoverPublic(NATIVE.id);
}

export function discoverPublic(id) {
  return client.discovery(new URL(ISSUER), id, undefined, client.None(), options);
}

export function discoverService(secret = SERVICE.secret) {
  return client.discovery(new URL(ISSUER), SERVICE.id, undefined, client.ClientSecretBasic(secret), options);
}

/** An authorization request with PKCE, state and nonce; `change` edits its parameters before it is built. */
export async function authorizationRequest(config, redirectUri, change = () => {}) {
  const checks = {
    pkceCodeVerifier: client.randomPKCECodeVerifier(),
    expectedState: client.randomState(),
    expectedNonce: client.randomNonce(),
    idTokenExpected: true,
  };
  const parameters = {
    redirect_uri: redirectUri,
    scope: 'openid profile email',
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
    code_challenge_method: 'S256',
  };
  change(parameters);
  return { url: client.buildAuthorizationUrl(config, parameters), checks };
}

/** A POST to an endpoint with the web client's secret in the body: for what no library would send. */
export function postAsWeb(endpoint, parameters) {
  const body = new URLSearchParams({ client_id: WEB.id, client_secret: WEB.secret, ...parameters });
  return fetch(endpoint, { method: 'POST', body });
}

/** Userinfo asked by hand, so that a refusal can be looked at. */
export function getUserinfo(config, accessToken) {
  return fetch(config.serverMetadata().userinfo_endpoint, {
    headers: { authorization: `Bearer ${accessToken}` },
  });
}

/** Asks the administration API with every right there is. */
export async function administer(method, path, body) {
  const authorization = `Basic ${Buffer.from(`${ADMIN.id}:${ADMIN.secret}`).toString('base64')}`;
  const asking = { grant_type: 'client_credentials', resource: `${BASE}/api`, scope: 'read write platform' };
  const given = await fetch(`${BASE}/oauth/token`, {
    method: 'POST',
    headers: { authorization },
    body: new URLSearchParams(asking),
  });
  const { access_token: token } = await given.json();
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const answer = await fetch(`${BASE}/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.status === 204 ? undefined : answer.json();
}

/** Where the administration API has the demo tenant. */
export async function demoTenant() {
  const { items } = await administer('GET', '/tenants?limit=100');
  return `/tenants/${items.find((tenant) => tenant.slug === 'demo').id}`;
}

/** Registers a public client of the demo tenant; what an administrator registers is third-party. */
export async function register(id, name, redirectUris) {
  return administer('POST', `${await demoTenant()}/clients`, {
    client_id: id,
    name,
    authentication: 'none',
    redirect_uris: redirectUris,
    grant_types: ['authorization_code', 'refresh_token'],
  });
}

/** Sets what a client of the demo tenant registers for logout. */
export async function registerLogout(id, rules) {
  const clients = `${await demoTenant()}/clients`;
  const { items } = await administer('GET', `${clients}?limit=100`);
  const { id: record } = items.find((item) => item.client_id === id);
  await administer('PUT', `${clients}/${record}/logout-rules`, rules);
}
