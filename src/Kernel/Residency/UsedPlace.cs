using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Net;
using Microsoft.Extensions.Configuration;
using Npgsql;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;

namespace Trust.Kernel.Residency;

/// <summary>A place that a process uses, by its configuration.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Address">Where, in the form of its kind.</param>
/// <param name="Claimed">Region that the configuration says; null where it says none. The declaration decides; a claim that differs stops the start.</param>
/// <param name="Action">What is done there.</param>
/// <param name="Class">With which data.</param>
/// <param name="Tls">How connections to it are protected.</param>
/// <param name="Essential">
/// True when the service has no work without it. Of a peer, a resolver or a receiver of telemetry only the connections to it end; of a time source, which the machine
/// asks and not the service, it is told; a token that is used by a verb alone is judged there.
/// </param>
public sealed record UsedPlace(PlaceKind Kind, string Address, string? Claimed, ResidencyAction Action, DataClass Class, PlaceTls Tls, bool Essential = true)
{
    /// <summary>What a service's own places hold.</summary>
    internal const DataClass Everything = DataClass.Personal | DataClass.Audit;

    /// <summary>The places that every service's common configuration names.</summary>
    /// <param name="configuration">The file.</param>
    /// <param name="service">The service, for the places of its own.</param>
    public static IReadOnlyList<UsedPlace> Of(IConfiguration configuration, ServiceDefinition service)
    {
        ArgumentNullException.ThrowIfNull(service);
        var options = configuration.Section<ServiceOptions>("Service");
        var places = new List<UsedPlace> { new(PlaceKind.Log, "console", null, ResidencyAction.Store, DataClass.Deidentified, PlaceTls.None) };
        if (service.HasDatabase && configuration.Has("Database"))
        {
            var database = configuration.Section<DatabaseOptions>("Database");
            places.AddRange(Databases(database));
        }

        if (configuration.Has("Token"))
        {
            places.Add(Token(configuration["Token:TokenLabel"] ?? "", RegionOfToken(configuration)));
        }

        foreach (var peer in configuration.Has("Peers") ? configuration.Section<List<PeerOptions>>("Peers") : [])
        {
            places.Add(Peer(peer));
        }

        if (options.OtlpEndpoint is { } telemetry)
        {
            places.Add(Telemetry(telemetry));
        }

        places.AddRange(options.Resolvers.Select(Resolver));
        places.AddRange(options.TimeSources.Select(t => new UsedPlace(PlaceKind.TimeSource, t, null, ResidencyAction.Provide, DataClass.Deidentified, PlaceTls.None, Essential: false)));
        places.AddRange(service.Places?.Invoke(configuration) ?? []);
        return places;
    }

    /// <summary>A peer as a place.</summary>
    public static UsedPlace Peer(PeerOptions peer)
    {
        ArgumentNullException.ThrowIfNull(peer);
        return new UsedPlace(PlaceKind.Peer, HostPort(peer.Address), peer.Region, ResidencyAction.Provide, Everything, TlsOf(peer.Address) is PlaceTls.None ? PlaceTls.None : PlaceTls.Mutual, Essential: false);
    }

    /// <summary>A token as a place where keys are kept.</summary>
    /// <param name="label">Its label.</param>
    /// <param name="region">Where it stands.</param>
    /// <param name="essential">False for one that only a verb uses.</param>
    public static UsedPlace Token(string label, string region, bool essential = true) =>
        new(PlaceKind.Token, label, region, ResidencyAction.KeyGeneration, DataClass.Key, PlaceTls.None, essential);

    /// <summary>Where the configured token stands. A key is nowhere that nobody named.</summary>
    /// <exception cref="ValidationException">The configuration does not say.</exception>
    public static string RegionOfToken(IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        return configuration["Token:Region"] is { Length: 6 } region && region.All(char.IsAsciiDigit)
            ? region : throw new ValidationException("Configuration section Token: Region is missing, or no GB/T 2260 code of six digits: a token without a region makes no key.");
    }

    /// <summary>A server that names are asked of.</summary>
    public static UsedPlace Resolver(string address) => new(PlaceKind.Resolver, address, null, ResidencyAction.Provide, DataClass.Deidentified, PlaceTls.None, Essential: false);

    /// <summary>A receiver of traces and metrics.</summary>
    public static UsedPlace Telemetry(Uri address) => new(PlaceKind.Telemetry, HostPort(address), null, ResidencyAction.Provide, DataClass.Deidentified, TlsOf(address), Essential: false);

    /// <summary>A folder of the service.</summary>
    public static UsedPlace Folder(PlaceKind kind, string path) =>
        new(kind, Path.GetFullPath(path), null, kind is PlaceKind.Mirror ? ResidencyAction.Replicate : ResidencyAction.Store, Everything, PlaceTls.None);

    /// <summary>Host and port of an address.</summary>
    public static string HostPort(Uri address)
    {
        ArgumentNullException.ThrowIfNull(address);
        return string.Create(CultureInfo.InvariantCulture, $"{address.Host}:{address.Port}");
    }

    // A connection string may name several hosts, the members of one cluster; each is a place.
    private static IEnumerable<UsedPlace> Databases(DatabaseOptions options)
    {
        var connection = new NpgsqlConnectionStringBuilder(options.ConnectionString);
        var tls = connection.SslMode is SslMode.VerifyFull ? PlaceTls.Server : PlaceTls.None;
        foreach (var host in (connection.Host ?? "").Split(',', StringSplitOptions.TrimEntries))
        {
            var at = host.StartsWith('/') || host.Contains(':', StringComparison.Ordinal) ? host : string.Create(CultureInfo.InvariantCulture, $"{host}:{connection.Port}");
            yield return new UsedPlace(PlaceKind.Database, $"{at}/{connection.Database}", options.Region, ResidencyAction.Store, Everything, tls);
        }
    }

    private static PlaceTls TlsOf(Uri address) => address.Scheme == Uri.UriSchemeHttps ? PlaceTls.Server : PlaceTls.None;
}
