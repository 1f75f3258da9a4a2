using System.Collections.Concurrent;
using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Trust.Kernel.Hosting;
using Trust.Pkcs11;

namespace Trust.Kernel.Residency;

/// <summary>Where a newer declaration may come from; null where there is none.</summary>
public delegate Task<byte[]?> DeclarationSource(CancellationToken ct);

/// <summary>
/// Holds the declaration in force, and everything of the process to it: places at the start and from then on, peers at each request, the token at
/// each use. A newer declaration, an end that comes, a place that was taken out: what does not fit any more is cut off within a minute, and the
/// refusal says which rule.
/// </summary>
public sealed partial class ResidencyGate : IReadinessCheck
{
    /// <summary>From one look to the next; declared ends are noticed no later.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    /// <summary>File name of the signed declaration.</summary>
    public const string FileName = "residency.jws";

    // What ca has not answered by then is asked for again at the next look.
    private static readonly TimeSpan AskLimit = TimeSpan.FromSeconds(5);

    private readonly ServiceOptions _options;
    private readonly IReadOnlyList<UsedPlace> _own;
    private readonly TimeProvider _clock;
    private readonly DeclarationFiles? _files;
    private readonly Lock _judging = new();
    private volatile HashSet<PlaceRefusal> _standing = [];
    private string? _notTaken;
    private bool _unkept;
    private volatile ReadDeclaration? _unread;
    private volatile ResidencyTerms _terms;
    private volatile byte[]? _signed;
    private volatile PlaceRefusal? _closed;
    private volatile IReadOnlyList<PlaceKind> _closedBy = [];
    private volatile TaskCompletionSource _closing = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ResidencyGate(ServiceOptions options, IReadOnlyList<UsedPlace> own, TimeProvider clock, DeclarationFiles? files, ResidencyTerms terms) =>
        (_options, _own, _clock, _files, _terms) = (options, own, clock, files, terms);

    /// <inheritdoc/>
    public string Name => "residency";

    /// <summary>The declaration in force.</summary>
    public ResidencyTerms Terms => _terms;

    /// <summary>Why the service is closed: a place that it cannot work without is not in order; null while all are.</summary>
    public PlaceRefusal? Closed => _closed;

    /// <summary>The signed declaration in force, as it was read; null for a gate that was not opened by one.</summary>
    public ReadOnlyMemory<byte>? Signed => _signed is { } bytes ? new ReadOnlyMemory<byte>(bytes) : null;

    /// <summary>True while a place of that kind is among those that close the service: it is then not used for anything at all.</summary>
    public bool IsClosedBy(PlaceKind kind) => _closedBy.Contains(kind);

    /// <summary>Completes when the service closes; another one from when it opens again.</summary>
    internal Task Closing => _closing.Task;

    /// <summary>Told each closing, opening and new declaration; set before the host runs.</summary>
    public ILogger? Log { get; set; }

    /// <summary>Refusals of places that have not been recorded as events yet, each once until it is lifted.</summary>
    internal ConcurrentQueue<PlaceRefusal> Unrecorded { get; } = new();

    /// <summary>The gate of a process that serves: by the signed declaration.</summary>
    /// <exception cref="ValidationException">There is no valid declaration, or a place of the process is not in order; the message says which rule.</exception>
    public static ResidencyGate Open(IConfiguration configuration, ServiceDefinition service, TimeProvider clock)
    {
        var options = configuration.Section<ServiceOptions>("Service");
        var files = new DeclarationFiles(options);
        var (terms, signed) = files.Newest(clock.GetUtcNow());
        var gate = new ResidencyGate(options, UsedPlace.Of(configuration, service), clock, files, terms) { _signed = signed, _unkept = true };
        gate.Require(_ => true);
        try
        {
            gate.Keep();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is in force all the same; the first look tries again, and readiness tells when it cannot.
            return gate;
        }

        return gate;
    }

    /// <summary>
    /// The gate of a verb, behind which nothing is served: by the signed declaration where there is one. Where there is none, before officers exist who could sign, and for the
    /// verb that puts one into force: by what the configuration claims of its places, held to the standard rules.
    /// </summary>
    /// <param name="configuration">The file.</param>
    /// <param name="service">The service.</param>
    /// <param name="clock">Tells the time.</param>
    /// <param name="byClaims">True for a verb that mends the declaration itself, which may be the one that closed the service.</param>
    /// <exception cref="ValidationException">A place that the service cannot work without is not in order, or none of the declarations there is valid.</exception>
    public static ResidencyGate ForSetUp(IConfiguration configuration, ServiceDefinition service, TimeProvider clock, bool byClaims = false)
    {
        var options = configuration.Section<ServiceOptions>("Service");
        var own = UsedPlace.Of(configuration, service);
        var files = new DeclarationFiles(options);
        if (!byClaims && files.Any)
        {
            var declared = new ResidencyGate(options, own, clock, null, files.Newest(clock.GetUtcNow()).Terms);
            declared.Require(p => p.Essential);
            return declared;
        }

        var terms = ResidencyTerms.TryRead(ResidencyTerms.Encode(Claimed(own, options.Region, clock.GetUtcNow())), clock.GetUtcNow(), out var fault) ?? throw new ValidationException("Residency: " + fault);
        var gate = new ResidencyGate(options, own, clock, null, terms);
        gate.Require(_ => true);
        return gate;
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

    /// <summary>A token that no key is made, used or looked for in while its place is not in order.</summary>
    /// <param name="token">The token; disposed with what is returned.</param>
    /// <param name="place">Where it stands.</param>
    public IToken Around(IToken token, UsedPlace place) => new GatedToken(token, place, this);

    /// <summary>Looks for a newer declaration in the files, and judges the process's own places again whatever came of that.</summary>
    /// <exception cref="IOException">A file cannot be read, or what is in force cannot be kept.</exception>
    public async Task Look(CancellationToken ct)
    {
        var faults = new List<Exception>();
        foreach (var file in _files?.All ?? [])
        {
            try
            {
                if (File.Exists(file))
                {
                    Take(await File.ReadAllBytesAsync(file, ct));
                }
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                // The other file may hold what closes the service, and so may the clock.
                faults.Add(e);
            }
        }

        JudgeOwn();
        try
        {
            Keep();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            faults.Add(e);
        }

        if (faults is [var first, ..])
        {
            throw new IOException("A residency declaration cannot be read or kept: " + first.Message, first);
        }
    }

    /// <summary>Asks elsewhere for a newer declaration.</summary>
    /// <exception cref="OperationCanceledException">There was no answer within a few seconds.</exception>
    /// <exception cref="IOException">What is in force now cannot be kept.</exception>
    public async Task Ask(DeclarationSource source, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(source);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(AskLimit);
        if (await source(limit.Token) is { } bytes)
        {
            Take(bytes);
            JudgeOwn();
            // At once: a process that ends before its next look must not begin again by what was in force before.
            Keep();
        }
    }

    /// <inheritdoc/>
    public ValueTask<Readiness> Check(CancellationToken ct)
    {
        var version = _terms.Declaration.Version;
        return ValueTask.FromResult(
            _closed is { } refusal ? new Readiness(false, $"{refusal.Rule}: {refusal.Sentence}")
            : _unread is { } unread && unread.Unread > version ? new Readiness(false, "a newer declaration is in force and cannot be read: " + unread.Fault)
            : new Readiness(true, "version " + version + Beside()));
    }

    // What is refused and closes nothing but itself.
    private string Beside() => _standing is { Count: > 0 } standing ? "; refused: " + string.Join(", ", standing.Select(r => r.Place + " by " + r.Rule)) : "";

    private static Declaration Claimed(IReadOnlyList<UsedPlace> own, string region, DateTimeOffset now) => new(
        1, 1, region, now, ResidencyTerms.StandardRules(), [.. own.DistinctBy(p => (p.Kind, p.Address)).Select((p, i) => Draft(p, i, region, now.AddYears(1)))], [], []);

    private void Require(Func<UsedPlace, bool> which)
    {
        if (Refused(which).FirstOrDefault().Refusal is { } refusal)
        {
            throw new ValidationException($"Residency rule {refusal.Rule}: {refusal.Sentence}");
        }
    }

    // The process itself stands somewhere too: what it holds in memory is looked at there.
    private IEnumerable<(UsedPlace? Place, PlaceRefusal Refusal)> Refused(Func<UsedPlace, bool> which)
    {
        foreach (var place in _own.Where(which))
        {
            if (Judge(place) is { } refusal)
            {
                yield return (place, refusal);
            }
        }

        var (terms, today) = (_terms, ResidencyTerms.DayOf(_clock.GetUtcNow()));
        var answer = terms.Rules.Decide(new ResidencyQuestion(ResidencyAction.Access, UsedPlace.Everything, terms.Region, _options.Region, today));
        if (!answer.Permitted)
        {
            yield return (null, new PlaceRefusal(
                "process " + _options.Node, answer.Violated[0].Id,
                $"The process {_options.Node} runs in region {_options.Region} (Service:Region), which rule {answer.Violated[0].Id} ({answer.Violated[0].Clause}) does not allow for {terms.Region}."));
        }
    }

    private void JudgeOwn()
    {
        lock (_judging)
        {
            var now = Refused(_ => true).ToList();
            var standing = now.ConvertAll(j => j.Refusal).ToHashSet();
            foreach (var refusal in standing.Except(_standing))
            {
                Unrecorded.Enqueue(refusal);
            }

            _standing = standing;
            var closing = now.FindAll(j => j.Place is not { Essential: false });
            // Which kinds before that it is closed: whoever sees that it is must not ask a database that closed it.
            _closedBy = [.. closing.Select(j => j.Place?.Kind).OfType<PlaceKind>().Distinct()];
            var before = _closed;
            _closed = closing.FirstOrDefault().Refusal;
            if (_closed is not null)
            {
                _closing.TrySetResult();
            }
            else if (before is not null)
            {
                _closing = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            Tell(before);
        }
    }

    private void Tell(PlaceRefusal? before)
    {
        if (Log is not { } log || _closed == before)
        {
            return;
        }

        if (_closed is { } closed)
        {
            HostLog.ResidencyClosed(log, closed.Rule, closed.Sentence);
        }
        else
        {
            HostLog.ResidencyOpened(log, _terms.Declaration.Version);
        }
    }

    private void Take(byte[] bytes)
    {
        if (_files is null || _signed is { } current && current.AsSpan().SequenceEqual(bytes))
        {
            return;
        }

        var read = _files.Read(bytes, _clock.GetUtcNow());
        lock (_judging)
        {
            if (read.Terms is not { } terms)
            {
                NotTaken(read);
                return;
            }

            if (terms.Declaration.Version > _terms.Declaration.Version)
            {
                // In force from here on, whether it can be kept or not.
                (_terms, _signed, _unkept) = (terms, bytes, true);
            }
        }
    }

    private void NotTaken(ReadDeclaration read)
    {
        if (Log is { } log && read.Fault != _notTaken)
        {
            HostLog.DeclarationNotTaken(log, read.Fault);
        }

        _notTaken = read.Fault;
        if (read.Unread > (_unread?.Unread ?? 0))
        {
            _unread = read;
        }
    }

    // What was once in force is never gone back behind, also after a restart: wherever it came from, it is kept where only the service writes.
    private void Keep()
    {
        lock (_judging)
        {
            if (_unkept && _files is { } files && _signed is { } signed)
            {
                files.Keep(signed);
                _unkept = false;
            }
        }
    }
}

/// <summary>A place was used that the declaration does not allow.</summary>
public sealed class PlaceRefusedException(PlaceRefusal refusal) : HttpRequestException($"Residency rule {refusal.Rule}: {refusal.Sentence}")
{
    /// <summary>Why.</summary>
    public PlaceRefusal Refusal => refusal;
}
