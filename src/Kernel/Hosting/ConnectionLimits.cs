using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Trust.Kernel.Hosting;

/// <summary>
/// Counts the connections of one listener, in all and by address, before TLS costs anything; what is beyond a limit is closed. Each listener counts
/// its own, so that strangers who fill a public one leave those of services, officers and token bearers alone.
/// </summary>
internal sealed class ConnectionLimits(string listener, int most, int mostByAddress)
{
    private static readonly Counter<long> Refused = new Meter("Trust").CreateCounter<long>("trust.connections.refused", description: "Connections closed because a listener or an address had too many.");

    private readonly ConcurrentDictionary<string, int> _byAddress = new(StringComparer.Ordinal);
    private int _open;

    /// <summary>Puts the count in front of whatever else the listener does.</summary>
    public void Guard(ListenOptions endpoint) => endpoint.Use((connection, next) => Count(connection, next));

    private async Task Count(ConnectionContext connection, ConnectionDelegate next)
    {
        var address = Name((connection.RemoteEndPoint as IPEndPoint)?.Address);
        var open = Interlocked.Increment(ref _open);
        var ofAddress = _byAddress.AddOrUpdate(address, 1, (_, n) => n + 1);
        try
        {
            if ((most > 0 && open > most) || (mostByAddress > 0 && ofAddress > mostByAddress))
            {
                Refused.Add(1, new KeyValuePair<string, object?>("listener", listener));
                connection.Abort(new ConnectionAbortedException("Too many connections."));
                return;
            }

            await next(connection);
        }
        finally
        {
            Interlocked.Decrement(ref _open);
            Leave(address);
        }
    }

    private void Leave(string address)
    {
        // Removed only while it is 0, so that a connection that comes meanwhile is not lost.
        if (_byAddress.AddOrUpdate(address, 0, (_, n) => n - 1) == 0)
        {
            _byAddress.TryRemove(new KeyValuePair<string, int>(address, 0));
        }
    }

    /// <summary>The name a caller is counted under: an IPv6 host has a whole /64 to call from.</summary>
    public static string Name(IPAddress? address) => address switch
    {
        null => "",
        { AddressFamily: System.Net.Sockets.AddressFamily.InterNetworkV6, IsIPv4MappedToIPv6: false } => Convert.ToHexString(address.GetAddressBytes().AsSpan(0, 8)),
        _ => address.MapToIPv4().ToString(),
    };
}
