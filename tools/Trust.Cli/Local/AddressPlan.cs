using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Trust.Cli.Local;

/// <summary>
/// Where the services listen. Each has a loopback address of its own, because cookies ignore ports and not every system
/// resolves names below localhost.
/// </summary>
/// <param name="Idp">OpenID provider, for browsers.</param>
/// <param name="Card">Card login, a host of its own.</param>
/// <param name="IdpServices">OpenID provider, for the other services.</param>
/// <param name="Clients">OpenID provider, for clients that show a certificate.</param>
/// <param name="IdpOfficers">OpenID provider, for officers' cards.</param>
/// <param name="CA">Certification authority, for services.</param>
/// <param name="Officers">Certification authority, for officers' cards.</param>
/// <param name="Public">CRL, OCSP and CA certificates, plain HTTP.</param>
/// <param name="Sign">Signing service.</param>
/// <param name="Ledger">Audit ledger.</param>
/// <param name="Witness">Witness of the ledger.</param>
public sealed record AddressPlan(
    string Idp, string Card, string IdpServices, string Clients, string IdpOfficers, string CA, string Officers, string Public, string Sign, string Ledger, string Witness)
{
    /// <summary>The fixed development addresses of README.</summary>
    public static AddressPlan Development { get; } = At(Local, Ports);

    /// <summary>The same ports on addresses of a region's own, 127.51.0.1 and so on for 510000: regions run side by side, and callers of each are known by network.</summary>
    public static AddressPlan OfRegion(string code) => OfRegion(code, Ports);

    /// <summary>A region's own addresses on ports that are free now.</summary>
    public static AddressPlan FreePorts(string code) => OfRegion(code, FreePortsForAll());

    /// <summary>The same addresses on ports that are free now: several installations run side by side.</summary>
    public static AddressPlan FreePorts() => At(Local, FreePortsForAll());

    /// <summary>The network that a region's own addresses lie in.</summary>
    public static string NetworkOf(string code) => Prefix(code) + "0/24";

    /// <summary>The first address that something else already listens on, or null.</summary>
    public string? Taken() => new[] { Idp, Card, IdpServices, Clients, IdpOfficers, CA, Officers, Public, Sign, Ledger, Witness }.FirstOrDefault(url =>
    {
        var uri = new Uri(url);
#pragma warning disable RS0030 // Binds for an instant to see whether the address is free; connects to nothing.
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
#pragma warning restore RS0030
        try
        {
            probe.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            probe.Bind(new IPEndPoint(uri.Host == "localhost" ? IPAddress.Loopback : IPAddress.Parse(uri.Host), uri.Port));
            return false;
        }
        catch (SocketException)
        {
            return true;
        }
    });

    private static int[] Ports => [7001, 7011, 7021, 7031, 7041, 7002, 7012, 7080, 7003, 7004, 7005];

    private static string[] Local => ["localhost", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6"];

    private static int[] FreePortsForAll() => [.. Ports.Select(_ => PostgresCluster.FreePort())];

    private static AddressPlan OfRegion(string code, int[] ports) => At([.. Enumerable.Range(1, 6).Select(host => Prefix(code) + host.ToString(CultureInfo.InvariantCulture))], ports);

    private static string Prefix(string code) =>
        string.Create(CultureInfo.InvariantCulture, $"127.{int.Parse(code[..2], CultureInfo.InvariantCulture)}.{int.Parse(code[2..4], CultureInfo.InvariantCulture)}.");

    // Hosts: provider, its card login, ca, sign, ledger, witness.
    private static AddressPlan At(string[] hosts, int[] ports) => new(
        Url("https", hosts[0], ports[0]), Url("https", hosts[1], ports[1]), Url("https", hosts[1], ports[2]), Url("https", hosts[1], ports[3]), Url("https", hosts[1], ports[4]),
        Url("https", hosts[2], ports[5]), Url("https", hosts[2], ports[6]), Url("http", hosts[2], ports[7]), Url("https", hosts[3], ports[8]), Url("https", hosts[4], ports[9]),
        Url("https", hosts[5], ports[10]));

    private static string Url(string scheme, string host, int port) => string.Create(CultureInfo.InvariantCulture, $"{scheme}://{host}:{port}");
}
