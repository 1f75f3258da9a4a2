using System.Collections.Concurrent;

namespace Trust.Kernel.Residency;

// What is asked of the declaration in force.
public sealed partial class ResidencyGate
{
    private volatile StorableRegions? _storable;
    private volatile CallerAnswers? _callers;

    /// <summary>Why a place may not be used now; null when it may.</summary>
    public PlaceRefusal? Judge(UsedPlace place)
    {
        ArgumentNullException.ThrowIfNull(place);
        var terms = _terms;
        return terms.Refuse(place.Kind, place.Address, place.Action, place.Class, _clock.GetUtcNow()) ?? Compare(place, terms.Find(place.Kind, place.Address)!);
    }

    /// <summary>
    /// Why a caller may not be shown data of a class: the rule that calls looking at them from there an export; null when there is none. Where a caller is
    /// is said by the declared networks and the connection's own address, never by a header.
    /// </summary>
    public ResidencyRule? RefuseCaller(System.Net.IPAddress? address, DataClass data)
    {
        var (terms, now) = (_terms, _clock.GetUtcNow());
        var today = ResidencyTerms.DayOf(now);
        if (_callers is not { } known || known.Terms != terms || known.Day != today)
        {
            // Asked at each request, with a handful of answers a day.
            _callers = known = new CallerAnswers(terms, today, []);
        }

        return known.Refusals.GetOrAdd((terms.RegionOf(address, now), data), static (asked, about) =>
        {
            var answer = about.Terms.Rules.Decide(new ResidencyQuestion(ResidencyAction.Access, asked.Data, about.Terms.Region, asked.Region, about.Day));
            return answer.Permitted ? null : answer.Violated[0];
        }, known);
    }

    /// <summary>Regions whose personal data may be stored in the process's database.</summary>
    public IReadOnlyList<string> Storable()
    {
        var (terms, now) = (_terms, _clock.GetUtcNow());
        var today = ResidencyTerms.DayOf(now);
        if (_storable is not { } known || known.Terms != terms || known.Day != today)
        {
            // Over the whole table, and asked for at each look.
            _storable = known = new StorableRegions(terms, today, terms.Storable(DatabaseRegion(terms), now));
        }

        return known.Codes;
    }

    /// <summary>Why data of a class that come from a region may not be stored in the process's database; null when they may.</summary>
    public ResidencyRule? RefuseStorage(string governing, DataClass data)
    {
        var (terms, now) = (_terms, _clock.GetUtcNow());
        var answer = terms.Rules.Decide(new ResidencyQuestion(ResidencyAction.Store, data, governing, DatabaseRegion(terms), ResidencyTerms.DayOf(now)));
        return answer.Permitted ? null : answer.Violated[0];
    }

    /// <summary>The installation of another region that keeps a record, where its identifier says one (<see cref="Identifiers.RecordId"/>) and the declaration knows it.</summary>
    public Neighbour? KeeperElsewhere(Guid record) =>
        Identifiers.RecordId.KeeperOf(record) is { } keeper ? _terms.KeeperElsewhere(keeper, _clock.GetUtcNow()) : null;

    /// <summary>Region of the caller at an address; null where nobody declared it.</summary>
    public string? RegionOf(System.Net.IPAddress? address) => _terms.RegionOf(address, _clock.GetUtcNow());

    /// <summary>True when an address lies in a declared network that the place may be in.</summary>
    public bool Admits(System.Net.IPAddress address, UsedPlace place)
    {
        ArgumentNullException.ThrowIfNull(place);
        var (terms, now) = (_terms, _clock.GetUtcNow());
        return terms.RegionOf(address, now) is { } region
            && terms.Rules.Decide(new ResidencyQuestion(place.Action, place.Class, terms.Region, region, ResidencyTerms.DayOf(now))).Permitted;
    }

    // Of a cluster's several members all stand in one region, or the rules judge each at the start.
    private string DatabaseRegion(ResidencyTerms terms) =>
        _own.FirstOrDefault(p => p.Kind is PlaceKind.Database) is { } database && terms.Find(database.Kind, database.Address) is { } place ? place.Region : terms.Region;

    private static PlaceRefusal? Compare(UsedPlace used, Place declared)
    {
        if (used.Claimed is { } claimed && claimed != declared.Region)
        {
            return new PlaceRefusal(declared.Name, "place-region-differs", $"The configuration says that {declared.Name} stands in region {claimed}, the declaration says {declared.Region}.");
        }

        return used.Tls < declared.Tls ? new PlaceRefusal(declared.Name, "place-without-tls", $"{declared.Name} is declared to be reached by TLS ({declared.Tls}); the configuration reaches it without.") : null;
    }

    private sealed record StorableRegions(ResidencyTerms Terms, DateOnly Day, IReadOnlyList<string> Codes);

    private sealed record CallerAnswers(ResidencyTerms Terms, DateOnly Day, ConcurrentDictionary<(string? Region, DataClass Data), ResidencyRule?> Refusals);
}
