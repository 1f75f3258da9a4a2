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
  scopes: ['openid', 'offline_access', 'validate'],
  clients: [{
    client_id: 'bench',
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    id_token_signed_response_alg: 'ES256',
    grant_types: ['client_credentials', 'authorization_code', 'refresh_token'],
    response_types: ['code'],
    redirect_uris: [settings.redirect],
    jwks: settings.jwks,
  }],
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
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
// What a login would leave behind: a grant of one account and its refresh token, so that refreshing can be measured by itself.
async function refreshToken() {
  const client = await provider.Client.find('bench');
  const grant = new provider.Grant({ accountId: 'doctor', clientId: 'bench' });
  grant.addOIDCScope('openid offline_access');
  const grantId = await grant.save();
  const now = Math.floor(Date.now() / 1000);
  const token = new provider.RefreshToken({ client, accountId: 'doctor', grantId, scope: 'openid offline_access', authTime: now, gty: 'authorization_code', claims: {} });
  return token.save();
}

server.listen(settings.port, '127.0.0.1', async () => {
  const token = await refreshToken();
  console.log(issuer);
  console.log(token);
});
process.stdin.on('end', () => process.exit(0)).resume();
