using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace Trust.Cli.Local;

/// <summary>
/// HTTP clients for an installation on this machine: loopback only, trusting only that installation's root, and showing the
/// certificate given, if any. The one place in this tool that makes them.
/// </summary>
public static class Connections
{
    /// <summary>A client that follows no redirect and keeps no cookie unless given a jar.</summary>
    /// <param name="rootFile">PEM of the installation's root; null for plain HTTP.</param>
    /// <param name="certificate">Client certificate with its (token-held) key, or null.</param>
    /// <param name="cookies">Cookie jar, as a browser keeps one, or null.</param>
    public static HttpClient Client(string? rootFile, X509Certificate2? certificate = null, CookieContainer? cookies = null)
    {
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false, UseProxy = false, UseCookies = cookies is not null,
            ConnectCallback = async (context, ct) =>
            {
                var addresses = await Dns.GetHostAddressesAsync(context.DnsEndPoint.Host, ct);
                var loopback = addresses.FirstOrDefault(a => IPAddress.IsLoopback(a) && a.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork)
                    ?? throw new HttpRequestException($"{context.DnsEndPoint.Host} is not on this machine.");
#pragma warning disable RS0030 // The one factory of this tool.
                var socket = new System.Net.Sockets.Socket(System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp) { NoDelay = true };
#pragma warning restore RS0030
                try
                {
                    await socket.ConnectAsync(loopback, context.DnsEndPoint.Port, ct);
                    return new System.Net.Sockets.NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
        };
        if (cookies is not null)
        {
            handler.CookieContainer = cookies;
        }

        if (rootFile is not null)
        {
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true };
            policy.CustomTrustStore.Add(X509CertificateLoader.LoadCertificateFromFile(rootFile));
            handler.SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = policy };
            if (certificate is not null)
            {
                // Offline: the platform would otherwise fetch issuers from addresses inside the certificate to send them along.
                handler.SslOptions.ClientCertificateContext = SslStreamCertificateContext.Create(certificate, null, offline: true);
            }
        }

#pragma warning disable RS0030 // The one factory of this tool.
        return new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(60) };
#pragma warning restore RS0030
    }
}
