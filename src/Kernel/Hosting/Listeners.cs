using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Trust.Kernel.Hosting;

/// <summary>Opens the configured listeners, each with its TLS and its bounds.</summary>
internal static class Listeners
{
    // A caller that opens a connection and sends nothing, or a byte now and then, holds it this long.
    private static readonly TimeSpan HeadersWithin = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan IdleFor = TimeSpan.FromSeconds(130);
    private static readonly TimeSpan HandshakeWithin = TimeSpan.FromSeconds(10);

    public static void Add(WebApplicationBuilder builder, ServiceOptions options, ServiceIdentity identity)
    {
        var listeners = builder.Configuration.GetSection("Listen").GetChildren()
            .Select(section => (Name: section.Key, Options: builder.Configuration.Section<ListenerOptions>(section.Path), Operator: false)).ToList();
        if (options.OperatorListener is { } own)
        {
            listeners.Add(("operator", OperatorConnection.Listener(own), true));
        }

        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = ServiceHost.MaximumBody;
            kestrel.Limits.MaxRequestHeadersTotalSize = 32 * 1024;
            kestrel.Limits.RequestHeadersTimeout = HeadersWithin;
            kestrel.Limits.KeepAliveTimeout = IdleFor;
            foreach (var (name, listener, isOperator) in listeners)
            {
                var address = IPAddress.TryParse(listener.Url.Host, out var ip) ? ip : IPAddress.Loopback;
                kestrel.Listen(address, listener.Url.Port, endpoint =>
                {
                    ConnectionListener.Mark(endpoint, name);
                    new ConnectionLimits(name, listener.MaxConnections, listener.MaxConnectionsPerAddress).Guard(endpoint);
                    if (isOperator)
                    {
                        OperatorConnection.MarkAll(endpoint);
                    }

                    Secure(endpoint, listener, options, identity);
                });
            }
        });
    }

    private static void Secure(ListenOptions endpoint, ListenerOptions listener, ServiceOptions options, ServiceIdentity identity)
    {
        if (listener.Url.Scheme != Uri.UriSchemeHttps)
        {
            endpoint.Protocols = HttpProtocols.Http1;
            return;
        }

        // HTTP/2 multiplexes callers' requests over one authenticated connection; a card's connection serves one request and closes.
        endpoint.Protocols = listener.ClientCertificate is ClientCertificate.Card ? HttpProtocols.Http1 : HttpProtocols.Http1AndHttp2;
        endpoint.UseHttps(new TlsHandshakeCallbackOptions
        {
            HandshakeTimeout = HandshakeWithin,
            // Per connection, so that a renewed certificate is served without a restart.
            OnConnection = _ => ValueTask.FromResult(identity.ServerOptions(listener, options.PublicDirectory)),
        });
    }
}
