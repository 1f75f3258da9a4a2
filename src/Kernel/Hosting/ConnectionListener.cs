using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Trust.Kernel.Hosting;

/// <summary>Which of the service's listeners a request came in by: two may share a port on different addresses, so no number tells them apart.</summary>
public static class ConnectionListener
{
    extension(HttpContext context)
    {
        /// <summary>The listener's name in the section Listen; null for a request that came by none.</summary>
        public string? ListenerName => context.Features.Get<Name>()?.Value;
    }

    internal static void Mark(ListenOptions endpoint, string name)
    {
        var feature = new Name(name);
        endpoint.Use(next => connection =>
        {
            connection.Features.Set(feature);
            return next(connection);
        });
    }

    private sealed record Name(string Value);
}
