using System.Collections.Concurrent;
using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Trust.Kernel.Hosting;

namespace Trust.Kernel.Residency;

/// <summary>Where a newer declaration may come from; null where there is none.</summary>
public delegate Task<byte[]?> DeclarationSource(CancellationToken ct);

/// <summary>
/// Holds the declaration in force, and everything of the process to it: places at the start and from then on, peers at each request, the token at
/// each use. A newer declaration, an end that comes, a place that was taken out: what does not fit any more is cut off within a minute, and the
/// refusal says which rule.
/// </summary>
public sealed class ResidencyGate : IReadinessCheck
{
    /// <summary>From one look to the next; declared ends are noticed no later.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    /// <summary>File name of the signed declaration.</summary>
    public const string FileName = "residency.jws";

    private readonly ServiceOptions _options;
    private readonly IReadOnlyList<UsedPlace> _own;
    private readonly TimeProvider _clock;
    private readonly DeclarationTrust? _trust;
    private HashSet<PlaceRefusal> _standing = [];
    private string? _notTaken;
    private volatile ResidencyTerms _terms;
    private volatile PlaceRefusal? _closed;

    private ResidencyGate(ServiceOptions options, IReadOnlyList<UsedPlace> own, TimeProvider clock, DeclarationTrust? trust, ResidencyTerms terms) =>
        (_options, _own, _clock, _trust, _terms) = (options, own, clock, trust, terms);

    /// <inheritdoc/>
    public string Name => "residency";

    /// <summary>The declaration in force.</summary>
    public ResidencyTerms Terms => _terms;

    /// <summary>Why the service is closed: a place that it cannot work without is not in order; null while all are.</summary>
    public PlaceRefusal? Closed => _closed;

    /// <summary>Kind of the place that closes the service.</summary>
    internal PlaceKind? ClosedKind { get; private set; }

    /// <summary>Told each closing, opening and new declaration; set before the host runs.</summary>
    public ILogger? Log { get; set; }

    /// <summary>Refusals of places that have not been recorded as events yet, each once until it is lifted.</summary>
    internal ConcurrentQueue<PlaceRefusal> Unrecorded { get; } = new();

    /// <summary>The gate of a process that serves: by the signed declaration.</summary>
    /// <exception cref="ValidationException">There is no valid declaration, or a place of the process is not in order; the message says which rule.</exception>
    public static ResidencyGate Open(IConfiguration configuration, ServiceDefinition service, TimeProvider clock)
    {
        var options = configuration.Section<ServiceOptions>("Service");
        var folder = options.ResidencyDirectory ?? options.PublicDirectory;
        DeclarationTrust trust;
        try
        {
            trust = DeclarationTrust.Load(folder);
        }
        catch (IOException e)
        {
            throw new ValidationException($"The keys that a residency declaration is believed by cannot be read: {e.Message}", e);
        }

        var found = Files(options).Select(f => (Terms: Read(f, trust, clock.GetUtcNow(), out var fault), Fault: fault)).ToList();
        var terms = found.ConvertAll(f => f.Terms).OfType<ResidencyTerms>().MaxBy(t => t.Declaration.Version)
            ?? throw new ValidationException(
                $"There is no valid residency declaration in {folder}: {found.Find(f => f.Fault.Length > 0).Fault ?? FileName + " is missing."} Two officers sign one (docs/RESIDENCY.md).");
        var gate = new ResidencyGate(options, UsedPlace.Of(configuration, service), clock, trust, terms);
        foreach (var place in gate._own)
        {
            if (gate.Judge(place) is { } refusal)
            {
                throw new ValidationException($"Residency rule {refusal.Rule}: {refusal.Sentence}");
            }
        }

        gate.Keep();
        return gate;
    }

    /// <summary>
    /// The gate of a verb that sets a service up, before officers exist who could sign: what the configuration claims of its places, held to the standard rules.
    /// Nothing is served behind it.
    /// </summary>
    /// <exception cref="ValidationException">A claimed region is unknown or outside.</exception>
    public static ResidencyGate ForSetUp(IConfiguration configuration, ServiceDefinition service, TimeProvider clock)
    {
        var options = configuration.Section<ServiceOptions>("Service");
        var own = UsedPlace.Of(configuration, service);
        var terms = ResidencyTerms.TryRead(ResidencyTerms.Encode(Claimed(own, options.Region, clock.GetUtcNow())), clock.GetUtcNow(), out var fault) ?? throw new ValidationException("Residency: " + fault);
        var gate = new ResidencyGate(options, own, clock, null, terms);
        return own.Select(gate.Judge).OfType<PlaceRefusal>().FirstOrDefault() is { } refusal ? throw new ValidationException($"Residency rule {refusal.Rule}: {refusal.Sentence}") : gate;
    }

    /// <summary>The gate of a process that only calls others, by terms that were read already; nothing is looked for again.</summary>
    public static ResidencyGate Of(ResidencyTerms terms, ServiceOptions options, TimeProvider clock) => new(options, [], clock, null, terms);

    /// <summary>A draft of the declaration that a configuration needs, with the standard rules, for officers to complete.</summary>
    public static string DraftOf(IConfiguration configuration, ServiceDefinition service, DateTimeOffset now) =>
        System.Text.Encoding.UTF8.GetString(ResidencyTerms.Encode(Claimed(UsedPlace.Of(configuration, service), configuration.Section<ServiceOptions>("Service").Region, now)));

    /// <summary>A place as it would be declared, for officers to complete.</summary>
    public static Place Draft(UsedPlace place, int number, string region, DateTimeOffset expires)
    {
        ArgumentNullException.ThrowIfNull(place);
        return new Place(
            string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{place.Kind}-{number}"), place.Kind, place.Address, place.Claimed ?? region, place.Tls, "configuration", new string('0', 64), expires);
    }

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
        var answer = terms.Rules.Decide(new ResidencyQuestion(ResidencyAction.Access, data, terms.Region, terms.RegionOf(address, now), ResidencyTerms.DayOf(now)));
        return answer.Permitted ? null : answer.Violated[0];
    }

    /// <summary>Regions whose personal data may be stored in the process's database.</summary>
    public IReadOnlyList<string> Storable()
    {
        var (terms, now) = (_terms, _clock.GetUtcNow());
        return terms.Storable(DatabaseRegion(terms), now);
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

    /// <summary>Looks for a newer declaration and judges the process's own places again.</summary>
    /// <param name="source">Another place to look than the files.</param>
    /// <param name="ct">Cancels.</param>
    public async Task Look(DeclarationSource? source, CancellationToken ct)
    {
        foreach (var file in Files(_options))
        {
            if (File.Exists(file))
            {
                Take(await File.ReadAllBytesAsync(file, ct));
            }
        }

        JudgeOwn();
        if (source is not null && await source(ct) is { } bytes)
        {
            Take(bytes);
            JudgeOwn();
        }
    }

    /// <inheritdoc/>
    public ValueTask<Readiness> Check(CancellationToken ct) =>
        ValueTask.FromResult(_closed is { } refusal ? new Readiness(false, $"{refusal.Rule}: {refusal.Sentence}") : new Readiness(true, "version " + _terms.Declaration.Version));

    // Of a cluster's several members all stand in one region, or the rules judge each at the start.
    private string DatabaseRegion(ResidencyTerms terms) =>
        _own.FirstOrDefault(p => p.Kind is PlaceKind.Database) is { } database && terms.Find(database.Kind, database.Address) is { } place ? place.Region : terms.Region;

    private static Declaration Claimed(IReadOnlyList<UsedPlace> own, string region, DateTimeOffset now) => new(
        1, 1, region, now, ResidencyTerms.StandardRules(), [.. own.DistinctBy(p => (p.Kind, p.Address)).Select((p, i) => Draft(p, i, region, now.AddYears(1)))], [], []);

    private void JudgeOwn()
    {
        var now = _own.Select(p => (Place: p, Refusal: Judge(p))).Where(j => j.Refusal is not null).ToList();
        var standing = now.ConvertAll(j => j.Refusal!).ToHashSet();
        foreach (var refusal in standing.Except(_standing))
        {
            Unrecorded.Enqueue(refusal);
        }

        _standing = standing;
        var (before, (place, closed)) = (_closed, now.Find(j => j.Place.Essential));
        ClosedKind = place?.Kind;
        _closed = closed;
        if (Log is { } log && closed != before)
        {
            if (closed is null)
            {
                HostLog.ResidencyOpened(log, _terms.Declaration.Version);
            }
            else
            {
                HostLog.ResidencyClosed(log, closed.Rule, closed.Sentence);
            }
        }
    }

    private void Take(byte[] bytes)
    {
        if (_trust is null)
        {
            return;
        }

        if (Read(bytes, _trust, _clock.GetUtcNow(), out var fault) is not { } terms)
        {
            if (Log is { } log && fault != _notTaken)
            {
                HostLog.DeclarationNotTaken(log, fault);
            }

            _notTaken = fault;
            return;
        }

        if (terms.Declaration.Version <= _terms.Declaration.Version)
        {
            return;
        }

        Write(_options, bytes);
        _terms = terms;
    }

    // What was once in force is never gone back behind, also after a restart: wherever it came from, it is kept where only the service writes.
    private void Keep()
    {
        var given = Files(_options)[0];
        if (File.Exists(given) && Read(File.ReadAllBytes(given), _trust!, _clock.GetUtcNow(), out _) is { } read && read.Sha256 == _terms.Sha256)
        {
            Write(_options, File.ReadAllBytes(given));
        }
    }

    private static void Write(ServiceOptions options, byte[] bytes)
    {
        if (Directory.Exists(options.DataDirectory))
        {
            var next = Path.Combine(options.DataDirectory, FileName + ".next");
            File.WriteAllBytes(next, bytes);
            File.Move(next, Path.Combine(options.DataDirectory, FileName), overwrite: true);
        }
    }

    private static string[] Files(ServiceOptions options) =>
        [Path.Combine(options.ResidencyDirectory ?? options.PublicDirectory, FileName), Path.Combine(options.DataDirectory, FileName)];

    private static ResidencyTerms? Read(string file, DeclarationTrust trust, DateTimeOffset now, out string fault)
    {
        fault = "";
        return File.Exists(file) ? Read(File.ReadAllBytes(file), trust, now, out fault) : null;
    }

    private static ResidencyTerms? Read(byte[] bytes, DeclarationTrust trust, DateTimeOffset now, out string fault)
    {
        if (SignedDeclaration.TryRead(bytes, trust, out fault) is not { } signed)
        {
            return null;
        }

        if (!signed.Accepted)
        {
            fault = "ca has not accepted the declaration.";
            return null;
        }

        if (ResidencyTerms.TryRead(signed.Document, now, out fault) is not { } terms)
        {
            return null;
        }

        fault = signed.Fault(trust, terms.Declaration.IssuedAt, CancellationToken.None) ?? "";
        return fault.Length == 0 ? terms : null;
    }

    private static PlaceRefusal? Compare(UsedPlace used, Place declared)
    {
        if (used.Claimed is { } claimed && claimed != declared.Region)
        {
            return new PlaceRefusal(declared.Name, "place-region-differs", $"The configuration says that {declared.Name} stands in region {claimed}, the declaration says {declared.Region}.");
        }

        return used.Tls < declared.Tls ? new PlaceRefusal(declared.Name, "place-without-tls", $"{declared.Name} is declared to be reached by TLS ({declared.Tls}); the configuration reaches it without.") : null;
    }
}

/// <summary>A place was used that the declaration does not allow.</summary>
public sealed class PlaceRefusedException(PlaceRefusal refusal) : HttpRequestException($"Residency rule {refusal.Rule}: {refusal.Sentence}")
{
    /// <summary>Why.</summary>
    public PlaceRefusal Refusal => refusal;
}
