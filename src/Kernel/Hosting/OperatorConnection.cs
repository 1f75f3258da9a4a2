using System.ComponentModel.DataAnnotations;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Trust.Kernel.Hosting;

/// <summary>Marks a connection that came in by the operator's listener: by the listener itself, not by its port, which another address may share.</summary>
internal sealed class OperatorConnection
{
    private static readonly OperatorConnection Mark = new();

    /// <summary>True for a request on the operator's listener: on this machine, or with a service certificate.</summary>
    public static bool Is(HttpContext context) =>
        context.Features.Get<OperatorConnection>() is not null
        && (!context.Request.IsHttps || (context.Connection.ClientCertificate is { } shown && context.RequestServices.GetRequiredService<ServiceIdentity>().PeerName(shown) is not null));

    /// <summary>The listener's options.</summary>
    /// <exception cref="ValidationException">Plain HTTP on an address that others reach.</exception>
    public static ListenerOptions Listener(Uri url) =>
        url.Scheme == Uri.UriSchemeHttps || (IPAddress.TryParse(url.Host, out var address) && IPAddress.IsLoopback(address))
            ? new ListenerOptions { Url = url, ClientCertificate = ClientCertificate.Peer, MaxConnections = 100 }
            : throw new ValidationException("Service:OperatorListener is neither https nor a loopback address.");

    /// <summary>Puts the mark on each of a listener's connections.</summary>
    public static void MarkAll(ListenOptions endpoint) => endpoint.Use(next => connection =>
    {
        connection.Features.Set(Mark);
        return next(connection);
    });
}
