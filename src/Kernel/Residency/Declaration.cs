using System.Text.Json.Serialization;

namespace Trust.Kernel.Residency;

/// <summary>An enum's members by their words alone: a number is no word, and none of ours may be written so.</summary>
/// <typeparam name="T">The enum.</typeparam>
public sealed class WordConverter<T>() : JsonStringEnumConverter<T>(namingPolicy: null, allowIntegerValues: false)
    where T : struct, Enum;

/// <summary>What a declared place is.</summary>
[JsonConverter(typeof(WordConverter<PlaceKind>))]
public enum PlaceKind
{
    /// <summary>A database: <c>host:port/name</c>.</summary>
    [JsonStringEnumMemberName("database")]
    Database,

    /// <summary>A PKCS#11 token, by its label.</summary>
    [JsonStringEnumMemberName("token")]
    Token,

    /// <summary>Where log lines go: <c>console</c> for the standard output of the process, whose reader the operator declares with it.</summary>
    [JsonStringEnumMemberName("log")]
    Log,

    /// <summary>A receiver of traces and metrics: <c>host:port</c>.</summary>
    [JsonStringEnumMemberName("telemetry")]
    Telemetry,

    /// <summary>A target of backups.</summary>
    [JsonStringEnumMemberName("backup")]
    Backup,

    /// <summary>An archive of the database's write-ahead log.</summary>
    [JsonStringEnumMemberName("walArchive")]
    WalArchive,

    /// <summary>A mirror of the log's bytes: its folder.</summary>
    [JsonStringEnumMemberName("mirror")]
    Mirror,

    /// <summary>Where the ledger keeps its newest head apart from its database: its folder.</summary>
    [JsonStringEnumMemberName("lockStore")]
    LockStore,

    /// <summary>A server that the machine's clock is set by.</summary>
    [JsonStringEnumMemberName("timeSource")]
    TimeSource,

    /// <summary>A server that names are resolved by: <c>address:port</c>.</summary>
    [JsonStringEnumMemberName("resolver")]
    Resolver,

    /// <summary>A receiver of notices: <c>host:port</c>.</summary>
    [JsonStringEnumMemberName("webhook")]
    Webhook,

    /// <summary>Another service: <c>host:port</c>.</summary>
    [JsonStringEnumMemberName("peer")]
    Peer,
}

/// <summary>What a connection to a place must be protected by.</summary>
[JsonConverter(typeof(WordConverter<PlaceTls>))]
public enum PlaceTls
{
    /// <summary>Nothing: a loopback address, a socket or a folder of this machine.</summary>
    [JsonStringEnumMemberName("none")]
    None,

    /// <summary>TLS, the server's name verified.</summary>
    [JsonStringEnumMemberName("server")]
    Server,

    /// <summary>TLS with certificates on both sides.</summary>
    [JsonStringEnumMemberName("mutual")]
    Mutual,
}

/// <summary>A place that data, keys or connections may be at.</summary>
/// <param name="Name">Names it in refusals, unique in a declaration.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Address">Where it is, in the form of its kind.</param>
/// <param name="Region">GB/T 2260 code of where it stands.</param>
/// <param name="Tls">What a connection to it must be protected by.</param>
/// <param name="Attester">Who says so: the data centre, the hospital's department.</param>
/// <param name="EvidenceSha256">Hash of what was shown for it (contract, inspection record), hex.</param>
/// <param name="Expires">From then on it is not declared any more.</param>
public sealed record Place(string Name, PlaceKind Kind, string Address, string Region, PlaceTls Tls, string Attester, string EvidenceSha256, DateTimeOffset Expires);

/// <summary>A network whose callers are in a region.</summary>
/// <param name="Cidr">For example <c>10.51.0.0/16</c>; of networks that hold an address the narrowest counts.</param>
/// <param name="Region">GB/T 2260 code.</param>
/// <param name="Attester">Who says so.</param>
/// <param name="EvidenceSha256">Hash of what was shown for it, hex.</param>
/// <param name="Expires">From then on it is not declared any more.</param>
public sealed record Network(string Cidr, string Region, string Attester, string EvidenceSha256, DateTimeOffset Expires);

/// <summary>A code that officers add to the table of regions, or a new period of one.</summary>
/// <param name="Code">GB/T 2260, six digits.</param>
/// <param name="Parent">The code that it lies in.</param>
/// <param name="Name">The place's name.</param>
/// <param name="From">First day.</param>
/// <param name="To">First day on which it is not so any more.</param>
public sealed record AddedRegion(string Code, string Parent, string Name, DateOnly From, DateOnly? To = null);

/// <summary>The installation of another region: where its services answer, for whoever asks here for what is kept there.</summary>
/// <param name="Region">GB/T 2260 code of the region that it serves.</param>
/// <param name="Services">Addresses (https) by service: <c>idp</c>, <c>ca</c>, <c>sign</c>, <c>ledger</c>.</param>
/// <param name="Attester">Who says so.</param>
/// <param name="EvidenceSha256">Hash of what was shown for it, hex.</param>
/// <param name="Expires">From then on it is not declared any more.</param>
public sealed record Neighbour(string Region, IReadOnlyDictionary<string, string> Services, string Attester, string EvidenceSha256, DateTimeOffset Expires);

/// <summary>
/// All that two officers declare about residency, as one document with one version: rules, places, networks, added regions. Each change is a
/// new document that replaces the one before.
/// </summary>
/// <param name="Format">1.</param>
/// <param name="Version">Rises with each document; a lower one is never taken back.</param>
/// <param name="Region">Region that this installation serves; its own data are governed by it.</param>
/// <param name="IssuedAt">When it was written.</param>
/// <param name="Rules">The rules.</param>
/// <param name="Places">The places.</param>
/// <param name="Networks">Where callers are.</param>
/// <param name="Regions">Codes beyond the table that the program carries.</param>
/// <param name="Neighbours">Installations of other regions; absent where there are none.</param>
public sealed record Declaration(
    int Format, int Version, string Region, DateTimeOffset IssuedAt, IReadOnlyList<ResidencyRule> Rules, IReadOnlyList<Place> Places, IReadOnlyList<Network> Networks,
    IReadOnlyList<AddedRegion> Regions, IReadOnlyList<Neighbour>? Neighbours = null);

/// <summary>How declarations are written: strictly, as every document of ours.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, AllowDuplicateProperties = false,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Declaration))]
[JsonSerializable(typeof(List<ResidencyRule>))]
internal sealed partial class ResidencyJson : JsonSerializerContext;
