using System.Collections.Frozen;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Trust.Crypto.Json;

namespace Trust.Kernel.Residency;

/// <summary>Why a place may not be used.</summary>
/// <param name="Place">What was asked for: its name where it is declared, its kind and address otherwise.</param>
/// <param name="Rule">The rule: <c>place-undeclared</c>, <c>place-expired</c>, <c>place-without-tls</c>, or the identifier of a residency rule.</param>
/// <param name="Sentence">In words, with what to do.</param>
public sealed record PlaceRefusal(string Place, string Rule, string Sentence);

/// <summary>
/// A declaration that holds together, read once and asked often: the tree with its additions, the rules, the places by address, the networks.
/// Pure: what time it is is the asker's to say.
/// </summary>
public sealed class ResidencyTerms
{
    /// <summary>Largest document that is read, in bytes.</summary>
    public const int MaxBytes = 1024 * 1024;

    private static readonly JsonLimits Limits = new(MaxBytes, 8);
    private static readonly TimeSpan China = TimeSpan.FromHours(8);

    private readonly FrozenDictionary<(PlaceKind, string), Place> _places;
    private readonly (IPNetwork Network, Network Declared)[] _networks;

    private ResidencyTerms(Declaration declaration, RegionTree regions, ResidencyRules rules, string sha256)
    {
        (Declaration, Regions, Rules, Sha256) = (declaration, regions, rules, sha256);
        _places = declaration.Places.ToFrozenDictionary(p => (p.Kind, p.Address));
        _networks = [.. declaration.Networks.Select(n => (IPNetwork.Parse(n.Cidr), n)).OrderByDescending(n => n.Item1.PrefixLength)];
    }

    /// <summary>The document.</summary>
    public Declaration Declaration { get; }

    /// <summary>The table of regions with the officers' additions.</summary>
    public RegionTree Regions { get; }

    /// <summary>The rules.</summary>
    public ResidencyRules Rules { get; }

    /// <summary>SHA-256 of the document, hex.</summary>
    public string Sha256 { get; }

    /// <summary>Region that the installation serves.</summary>
    public string Region => Declaration.Region;

    /// <summary>As events and answers name it.</summary>
    public string Version => Rules.Version;

    /// <summary>The rules that the program carries: the national floor and those of the five policy documents (docs/RESIDENCY.md).</summary>
    public static IReadOnlyList<ResidencyRule> StandardRules()
    {
        using var stream = typeof(ResidencyTerms).Assembly.GetManifestResourceStream("Trust.Kernel.Residency.rules.json")
            ?? throw new InvalidDataException("The standard rules are missing from the program.");
        return JsonSerializer.Deserialize(stream, ResidencyJson.Default.ListResidencyRule)!;
    }

    /// <summary>Regions whose personal data the standard rules let be stored at a place.</summary>
    /// <param name="place">Where the database stands.</param>
    public static IReadOnlyList<string> StandardStorable(string place)
    {
        var today = DayOf(TimeProvider.System.GetUtcNow());
        var rules = ResidencyRules.TryCreate(StandardRules(), RegionTree.Gbt2260, "standard", today, out var fault) ?? throw new InvalidDataException(fault);
        return Storable(rules, RegionTree.Gbt2260, place, today);
    }

    /// <summary>Regions whose personal data these terms let be stored at a place.</summary>
    public IReadOnlyList<string> Storable(string place, DateTimeOffset now) => Storable(Rules, Regions, place, DayOf(now));

    private static IReadOnlyList<string> Storable(ResidencyRules rules, RegionTree regions, string place, DateOnly on) =>
        [.. regions.Within(RegionTree.Mainland, on).Where(r => rules.Decide(new ResidencyQuestion(ResidencyAction.Store, DataClass.Personal, r, place, on)).Permitted)];

    /// <summary>Day of an instant, as Chinese law counts days.</summary>
    public static DateOnly DayOf(DateTimeOffset instant) => DateOnly.FromDateTime(instant.ToOffset(China).DateTime);

    /// <summary>The canonical bytes of a document (RFC 8785): what officers sign.</summary>
    public static byte[] Encode(Declaration declaration) => CanonicalJson.Encode(JsonSerializer.SerializeToNode(declaration, ResidencyJson.Default.Declaration)!);

    /// <summary>Reads a document that is to come into force.</summary>
    /// <param name="json">Its bytes.</param>
    /// <param name="now">Codes must be listed today.</param>
    /// <param name="fault">What is wrong.</param>
    /// <returns>Null when something is.</returns>
    public static ResidencyTerms? TryRead(ReadOnlyMemory<byte> json, DateTimeOffset now, out string fault) => TryRead(json, now, now, out fault);

    /// <summary>
    /// Reads a document that is in force: codes must have been listed when it was issued. One that ended since refuses the places that stand in it, and does not bring back
    /// what the document replaced.
    /// </summary>
    /// <param name="json">Its bytes.</param>
    /// <param name="now">Before when it was issued.</param>
    /// <param name="fault">What is wrong.</param>
    /// <returns>Null when something is.</returns>
    public static ResidencyTerms? TryReadInForce(ReadOnlyMemory<byte> json, DateTimeOffset now, out string fault) => TryRead(json, now, null, out fault);

    private static ResidencyTerms? TryRead(ReadOnlyMemory<byte> json, DateTimeOffset now, DateTimeOffset? listed, out string fault)
    {
        if (!StrictJson.TryParse(json.ToArray(), Limits, out var element, out var refusal))
        {
            fault = $"The declaration is not strict JSON: {refusal.Reason} at byte {refusal.Offset}.";
            return null;
        }

        try
        {
            var declaration = JsonSerializer.Deserialize(element, ResidencyJson.Default.Declaration);
            if (declaration is null)
            {
                fault = "The declaration is null.";
                return null;
            }

            fault = DeclarationForm.FaultOf(declaration, now);
            return fault.Length > 0 ? null : TryCreate(
                declaration, Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(json.Span)), DayOf(listed ?? declaration.IssuedAt), out fault);
        }
        catch (JsonException e)
        {
            fault = $"A member of the declaration is missing, unknown or of the wrong kind at {e.Path}.";
            return null;
        }
    }

    /// <summary>Why a place may not be used for data of a class now; null when it may.</summary>
    /// <param name="kind">What it is.</param>
    /// <param name="address">In the form of its kind.</param>
    /// <param name="action">What is done there.</param>
    /// <param name="class">With which data.</param>
    /// <param name="now">The instant.</param>
    public PlaceRefusal? Refuse(PlaceKind kind, string address, ResidencyAction action, DataClass @class, DateTimeOffset now)
    {
        if (!_places.TryGetValue((kind, address), out var place))
        {
            return new PlaceRefusal($"{kind} {address}", "place-undeclared", $"The {kind} at {address} is not declared (declaration {Declaration.Version}); two officers must declare it.");
        }

        if (place.Expires <= now)
        {
            return new PlaceRefusal(place.Name, "place-expired", $"The declaration of {place.Name} ended at {place.Expires:O}; two officers must renew it.");
        }

        var answer = Rules.Decide(new ResidencyQuestion(action, @class, Region, place.Region, DayOf(now)));
        return answer.Permitted ? null : new PlaceRefusal(
            place.Name, answer.Violated[0].Id, $"{place.Name} stands in region {place.Region}, which rule {answer.Violated[0].Id} ({answer.Violated[0].Clause}) does not allow for {Region}.");
    }

    /// <summary>The declared place of that kind at that address; null when there is none. Whether it may be used is <see cref="Refuse"/>'s to say.</summary>
    public Place? Find(PlaceKind kind, string address) => _places.GetValueOrDefault((kind, address));

    /// <summary>The installation that keeps what its identifier says is kept for a region; null for this one's own region and what lies in it, and where none is declared.</summary>
    /// <param name="keeper">GB/T 2260 code.</param>
    /// <param name="now">The instant.</param>
    public Neighbour? KeeperElsewhere(string keeper, DateTimeOffset now)
    {
        // The nearest that is named keeps it: a city with an installation of its own is not its province's.
        var today = DayOf(now);
        var at = (string?)keeper;
        for (var depth = 0; depth < RegionTree.MaxDepth && at is not null && at != Region; depth++, at = Regions.ParentOf(at, today))
        {
            if (Declaration.Neighbours?.FirstOrDefault(n => n.Region == at) is { } neighbour)
            {
                return neighbour.Expires > now ? neighbour : null;
            }
        }

        return null;
    }

    /// <summary>Region of the caller at an address; null where no declared network holds it, and nobody knows where it is.</summary>
    public string? RegionOf(IPAddress? address, DateTimeOffset now)
    {
        var plain = address is { IsIPv4MappedToIPv6: true } ? address.MapToIPv4() : address;
        foreach (var (network, declared) in _networks)
        {
            if (plain is not null && network.Contains(plain))
            {
                // The narrowest speaks for its addresses also when it has ended: a wider one around it says nothing of them.
                return declared.Expires > now ? declared.Region : null;
            }
        }

        return null;
    }

    private static ResidencyTerms? TryCreate(Declaration declaration, string sha256, DateOnly today, out string fault)
    {
        var added = declaration.Regions.Select(r => new RegionRow(r.Code, r.Parent, r.Name, r.From, r.To)).ToList();
        var regions = RegionTree.Gbt2260.With(added);
        if (RegionTree.Gbt2260.MovedBy(added, today) is { } moved)
        {
            fault = $"Added region '{moved}' is one of the table's, and would be taken in or out of the mainland (CN-1).";
            return null;
        }

        fault = declaration.Places.Select(p => (p.Name, p.Region)).Concat(declaration.Networks.Select(n => (Name: n.Cidr, n.Region)))
            .Concat((declaration.Neighbours ?? []).Select(n => (Name: "a neighbour", n.Region))).FirstOrDefault(p => !regions.Knows(p.Region, today)) is { Name: { } name } unknown
            ? $"Region {unknown.Region} of {name} is not listed."
            : regions.IsInside(declaration.Region, today) ? "" : $"Region {declaration.Region} is not inside the mainland.";
        if (fault.Length > 0)
        {
            return null;
        }

        var version = string.Create(CultureInfo.InvariantCulture, $"residency-{declaration.Version}/{regions.Edition}");
        return ResidencyRules.TryCreate(declaration.Rules, regions, version, today, out fault) is { } rules ? new ResidencyTerms(declaration, regions, rules, sha256) : null;
    }
}
