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
/// <param name="CA">Certification authority, for services.</param>
/// <param name="Officers">Certification authority, for officers' cards.</param>
/// <param name="Public">CRL, OCSP and CA certificates, plain HTTP.</param>
/// <param name="Sign">Signing service.</param>
/// <param name="Ledger">Audit ledger.</param>
/// <param name="Witness">Witness of the ledger.</param>
public sealed record AddressPlan(
    string Idp, string Card, string IdpServices, string CA, string Officers, string Public, string Sign, string Ledger, string Witness)
{
    /// <summary>The fixed development addresses of README.</summary>
    public static AddressPlan Development { get; } = At(7001, 7011, 7021, 7002, 7012, 7080, 7003, 7004, 7005);

    /// <summary>The same addresses on ports that are free now: several installations run side by side.</summary>
    public static AddressPlan FreePorts()
    {
        var ports = Enumerable.Range(0, 9).Select(_ => PostgresCluster.FreePort()).ToArray();
        return At(ports[0], ports[1], ports[2], ports[3], ports[4], ports[5], ports[6], ports[7], ports[8]);
    }

    /// <summary>The first address that something else already listens on, or null.</summary>
    public string? Taken() => new[] { Idp, Card, IdpServices, CA, Officers, Public, Sign, Ledger, Witness }.FirstOrDefault(url =>
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

    private static AddressPlan At(int idp, int card, int idpServices, int ca, int officers, int open, int sign, int ledger, int witness) => new(
        Url("https://localhost", idp), Url("https://127.0.0.2", card), Url("https://127.0.0.2", idpServices), Url("https://127.0.0.3", ca),
        Url("https://127.0.0.3", officers), Url("http://127.0.0.3", open), Url("https://127.0.0.4", sign), Url("https://127.0.0.5", ledger),
        Url("https://127.0.0.6", witness));

    private static string Url(string host, int port) => string.Create(CultureInfo.InvariantCulture, $"{host}:{port}");
}
