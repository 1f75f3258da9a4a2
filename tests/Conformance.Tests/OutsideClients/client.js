// Relying parties that are npm packages and nothing else: metadata, assertions, proofs, PKCE, state, nonce, iss and ID token are the libraries' own.
// Prints the address a browser must open (or what a person must decide), reads where the browser was sent back to, prints what it got.
import fs from 'node:fs';
import readline from 'node:readline';
import * as client from 'openid-client';
import * as oauth from 'oauth4webapi';

const settings = JSON.parse(fs.readFileSync(process.argv[3], 'utf8'));
const issuer = new URL(settings.issuer);
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (value) => console.log(typeof value === 'string' ? value : JSON.stringify(value));
const hear = async () => (await lines.next()).value;
const key = settings.key && await crypto.subtle.importKey('jwk', settings.key, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
const kid = settings.kid;

const kinds = {
  // openid-client: code, private_key_jwt, pushed request, DPoP, refresh.
  async fapi2() {
    const config = await client.discovery(issuer, settings.clientId, { id_token_signed_response_alg: 'ES256', use_mtls_endpoint_aliases: false }, client.PrivateKeyJwt({ key, kid }));
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'));
    const pkceCodeVerifier = client.randomPKCECodeVerifier();
    const expectedState = client.randomState();
    const expectedNonce = client.randomNonce();
    const address = await client.buildAuthorizationUrlWithPAR(config, {
      redirect_uri: settings.redirect, scope: settings.scope, state: expectedState, nonce: expectedNonce,
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: 'S256',
    }, { DPoP });
    say(address.href);
    const tokens = await client.authorizationCodeGrant(config, new URL(await hear()), { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true }, undefined, { DPoP });
    const claims = tokens.claims();
    const user = await client.fetchUserInfo(config, tokens.access_token, claims.sub, { DPoP });
    const renewed = tokens.refresh_token && await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
    say({ claims, user, type: tokens.token_type, renewed: Boolean(renewed?.access_token) });
  },

  // oauth4webapi: the same by its own functions, step by step.
  async oauth4webapi() {
    const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer));
    const party = { client_id: settings.clientId, id_token_signed_response_alg: 'ES256' };
    const authentication = oauth.PrivateKeyJwt({ key, kid });
    const DPoP = oauth.DPoP(party, await oauth.generateKeyPair('ES256'));
    const verifier = oauth.generateRandomCodeVerifier();
    const state = oauth.generateRandomState();
    const nonce = oauth.generateRandomNonce();
    const parameters = new URLSearchParams({
      client_id: party.client_id, response_type: 'code', redirect_uri: settings.redirect, scope: settings.scope, state, nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
    });
    const pushed = await oauth.processPushedAuthorizationResponse(as, party, await oauth.pushedAuthorizationRequest(as, party, authentication, parameters, { DPoP }));
    const address = new URL(as.authorization_endpoint);
    address.searchParams.set('client_id', party.client_id);
    address.searchParams.set('request_uri', pushed.request_uri);
    say(address.href);
    const answered = oauth.validateAuthResponse(as, party, new URL(await hear()), state);
    const response = await oauth.authorizationCodeGrantRequest(as, party, authentication, answered, settings.redirect, verifier, { DPoP });
    const tokens = await oauth.processAuthorizationCodeResponse(as, party, response, { expectedNonce: nonce, requireIdToken: true });
    const claims = oauth.getValidatedIdTokenClaims(tokens);
    const user = await oauth.processUserInfoResponse(as, party, claims.sub, await oauth.userInfoRequest(as, party, tokens.access_token, { DPoP }));
    say({ claims, user, type: tokens.token_type });
  },

  // openid-client: the classic flow with a secret.
  async code() {
    const config = await client.discovery(issuer, settings.clientId, { id_token_signed_response_alg: 'RS256' }, client.ClientSecretBasic(settings.secret));
    const pkceCodeVerifier = client.randomPKCECodeVerifier();
    const expectedState = client.randomState();
    const address = client.buildAuthorizationUrl(config, {
      redirect_uri: settings.redirect, scope: settings.scope, state: expectedState,
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: 'S256',
    });
    say(address.href);
    const tokens = await client.authorizationCodeGrant(config, new URL(await hear()), { pkceCodeVerifier, expectedState, idTokenExpected: true });
    const claims = tokens.claims();
    say({ claims, user: await client.fetchUserInfo(config, tokens.access_token, claims.sub), type: tokens.token_type });
  },

  // openid-client: CIBA by poll. Says auth_req_id; the person decides; the library asks until it is told.
  async ciba() {
    const config = await client.discovery(issuer, settings.clientId, { id_token_signed_response_alg: 'ES256' }, client.PrivateKeyJwt({ key, kid }));
    const begun = await client.initiateBackchannelAuthentication(config, { scope: settings.scope, login_hint: settings.person, binding_message: '1234' });
    say(begun.auth_req_id);
    await hear();
    const tokens = await client.pollBackchannelAuthenticationGrant(config, begun);
    say({ claims: tokens.claims(), type: tokens.token_type });
  },

  // openid-client: the device flow. Says where the person goes and which code is typed there.
  async device() {
    const config = await client.discovery(issuer, settings.clientId, { id_token_signed_response_alg: 'ES256' }, client.PrivateKeyJwt({ key, kid }));
    const begun = await client.initiateDeviceAuthorization(config, { scope: settings.scope });
    say({ address: begun.verification_uri, code: begun.user_code });
    await hear();
    const tokens = await client.pollDeviceAuthorizationGrant(config, begun);
    say({ claims: tokens.claims(), type: tokens.token_type });
  },
};

await kinds[process.argv[2]]();
process.exit(0);
