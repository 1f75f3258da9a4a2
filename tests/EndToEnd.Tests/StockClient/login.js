// A relying party that is the npm package openid-client and nothing else: metadata, PKCE, private_key_jwt, state, nonce, ID token and UserInfo are the library's own.
// Prints the address a browser must open, reads the address the browser was sent back to, prints what it got.
import fs from 'node:fs';
import readline from 'node:readline';
import * as client from 'openid-client';

const settings = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const { kid, ...jwk } = settings.key;
const key = await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
const config = await client.discovery(
  new URL(settings.issuer), settings.clientId, { id_token_signed_response_alg: 'ES256' }, client.PrivateKeyJwt({ key, kid }));

const pkceCodeVerifier = client.randomPKCECodeVerifier();
const expectedState = client.randomState();
const expectedNonce = client.randomNonce();
const address = client.buildAuthorizationUrl(config, {
  redirect_uri: settings.redirect,
  scope: settings.scope,
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: 'S256',
  state: expectedState,
  nonce: expectedNonce,
});
console.log(address.href);

for await (const line of readline.createInterface({ input: process.stdin })) {
  const tokens = await client.authorizationCodeGrant(config, new URL(line), { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true });
  const claims = tokens.claims();
  const user = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
  const live = await client.tokenIntrospection(config, tokens.access_token);
  console.log(JSON.stringify({ claims, user, live, scope: tokens.scope, type: tokens.token_type }));
  break;
}
process.exit(0);
