using System.Net;

namespace Trust.Kernel.Residency;

/// <summary>What a declaration must hold before its regions and rules are looked at.</summary>
internal static class DeclarationForm
{
    // A revision of GB/T 2260 changes some hundred codes.
    private const int MostRegions = 1000;

    // Those that people are sent to with a record's identifier.
    private static readonly string[] RecordServices = ["sign", "ledger"];
    private static readonly string[] NeighbourServices = ["idp", "ca", "sign", "ledger"];

    /// <summary>What is wrong; empty when nothing is.</summary>
    public static string FaultOf(Declaration declaration, DateTimeOffset now)
    {
        if (declaration is not { Format: 1, Version: > 0 })
        {
            return "The declaration needs format 1 and a version from 1.";
        }

        if (HasNothing(declaration))
        {
            return "A list of the declaration has an element that is null.";
        }

        if (declaration.IssuedAt > now + TimeSpan.FromDays(1))
        {
            return "The declaration is dated in the future.";
        }

        return OfPlaces(declaration.Places) ?? OfNetworks(declaration.Networks) ?? OfNeighbours(declaration) ?? OfRegions(declaration.Regions) ?? "";
    }

    // The serializer holds members to being there, and the elements of lists to nothing.
    private static bool HasNothing(Declaration declaration) =>
        declaration.Places.Contains(null!) || declaration.Rules.Contains(null!) || declaration.Networks.Contains(null!) || declaration.Regions.Contains(null!)
        || (declaration.Neighbours ?? []).Any(n => n is null || n.Services.Values.Contains(null!));

    private static string? OfPlaces(IReadOnlyList<Place> places)
    {
        if (places.GroupBy(p => p.Name, StringComparer.Ordinal).Any(g => g.Count() > 1) || places.GroupBy(p => (p.Kind, p.Address)).Any(g => g.Count() > 1))
        {
            return "A place is declared twice, by name or by kind and address.";
        }

        if (places.FirstOrDefault(p => p.Name.Length is 0 or > 80 || p.Address.Length is 0 or > 400 || !IsAttested(p.Attester, p.EvidenceSha256)) is { } place)
        {
            return $"Place '{place.Name}' needs a name, an address, an attester and the hash of the evidence.";
        }

        return places.FirstOrDefault(p => p.Tls is PlaceTls.None && p.Kind is PlaceKind.Database or PlaceKind.Peer or PlaceKind.Telemetry or PlaceKind.Webhook && !IsHere(p.Address)) is { } open
            ? $"Place '{open.Name}' at {open.Address} is reached over a network and declared without TLS (place-without-tls): only a loopback address or a socket needs none." : null;
    }

    private static string? OfNetworks(IReadOnlyList<Network> networks)
    {
        if (networks.FirstOrDefault(n => !IPNetwork.TryParse(n.Cidr, out _) || !IsAttested(n.Attester, n.EvidenceSha256)) is { } network)
        {
            return $"Network '{network.Cidr}' needs a network in CIDR form, an attester and the hash of the evidence.";
        }

        // By what they are, not by how they are written: of two that say one network nobody could tell which counts.
        return networks.GroupBy(n => IPNetwork.Parse(n.Cidr)).Any(g => g.Count() > 1) ? "A network is declared twice." : null;
    }

    private static string? OfNeighbours(Declaration declaration)
    {
        var neighbours = declaration.Neighbours ?? [];
        if (neighbours.FirstOrDefault(n => !IsCode(n.Region) || n.Region == declaration.Region || !IsAttested(n.Attester, n.EvidenceSha256) || !n.Services.All(IsService)
            || !RecordServices.All(n.Services.ContainsKey)) is { } neighbour)
        {
            return $"Neighbour '{neighbour.Region}' needs the code of another region, addresses (https) of {string.Join(" and ", RecordServices)}, none but of {string.Join(", ", NeighbourServices)}, an attester and the hash of the evidence.";
        }

        return neighbours.GroupBy(n => n.Region, StringComparer.Ordinal).Any(g => g.Count() > 1) ? "A neighbour is declared twice." : null;
    }

    private static string? OfRegions(IReadOnlyList<AddedRegion> regions)
    {
        if (regions.Count > MostRegions)
        {
            return $"The declaration adds more than {MostRegions} regions.";
        }

        if (regions.FirstOrDefault(r => RegionTree.IsOfOutside(r.Code)) is { } outside)
        {
            return $"Added region '{outside.Code}' belongs to Taiwan, Hong Kong or Macau (71, 81, 82), which no declaration touches (CN-1).";
        }

        return regions.FirstOrDefault(r => !IsCode(r.Code) || !IsCode(r.Parent) || r.Code == r.Parent || r.To <= r.From || r.Code is RegionTree.Mainland || r.Name.Length is 0 or > 80) is { } region
            ? $"Added region '{region.Code}' needs six digits, another parent, a name and a period." : null;
    }

    // Of a database whose host is a folder: PostgreSQL's socket. The forms are those of UsedPlace.
    private static bool IsHere(string address)
    {
        if (address.StartsWith('/'))
        {
            return true;
        }

        var at = address.IndexOf('/', StringComparison.Ordinal) is >= 0 and var slash ? address[..slash] : address;
        if (IPAddress.TryParse(at, out var whole))
        {
            return IPAddress.IsLoopback(whole);
        }

        var host = at.LastIndexOf(':') is >= 0 and var colon ? at[..colon] : at;
        // RFC 6761 6.3: that name is asked of no one.
        return host is "localhost" || (IPAddress.TryParse(host, out var literal) && IPAddress.IsLoopback(literal));
    }

    private static bool IsService(KeyValuePair<string, string> service) =>
        NeighbourServices.Contains(service.Key, StringComparer.Ordinal) && service.Value.Length <= 200
        && Uri.TryCreate(service.Value, UriKind.Absolute, out var address) && address.Scheme == Uri.UriSchemeHttps && (address.UserInfo + address.Query + address.Fragment).Length == 0;

    private static bool IsCode(string text) => text.Length == 6 && !text.AsSpan().ContainsAnyExceptInRange('0', '9');

    private static bool IsAttested(string attester, string sha256) =>
        attester.Length is > 0 and <= 200 && sha256.Length == 64 && sha256.All(char.IsAsciiHexDigitLower);
}
