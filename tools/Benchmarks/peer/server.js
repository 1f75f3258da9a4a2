// The npm package oidc-provider, in memory, over HTTPS: what ./trust bench holds the OpenID provider against. Ends with its standard input.
import fs from 'node:fs';
import https from 'node:https';
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const settings = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const issuer = `https://localhost:${settings.port}`;
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const provider = new Provider(issuer, {
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256', kid: 'k1' }] },
  scopes: ['openid', 'validate'],
  clients: [{
    client_id: 'bench',
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    id_token_signed_response_alg: 'ES256',
    grant_types: ['client_credentials', 'authorization_code'],
    response_types: ['code'],
    redirect_uris: [settings.redirect],
    jwks: settings.jwks,
  }],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({ scope: 'validate', accessTokenFormat: 'jwt', accessTokenTTL: 300, jwt: { sign: { alg: 'ES256' } } }),
    },
  },
});
const tls = { cert: fs.readFileSync(settings.certificate), key: fs.readFileSync(settings.key) };
const server = https.createServer(tls, provider.callback());
// Kept open while the other side of the comparison has its turn.
server.keepAliveTimeout = 120_000;
server.listen(settings.port, '127.0.0.1', () => console.log(issuer));
process.stdin.on('end', () => process.exit(0)).resume();
