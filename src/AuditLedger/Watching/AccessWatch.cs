using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Trust.Kernel.Identifiers;
using Trust.LogFormat;

namespace Trust.AuditLedger.Watching;

/// <summary>
/// Looks at reads as they are logged and alarms on one patient read too often and on too many patients read, by one actor within a window.
/// Holds pseudonyms only, bounded; forgets on a restart. Called by the sequencer after publishing, so it must be quick and never throw.
/// </summary>
internal sealed class AccessWatch(AuditLedgerOptions options, Alarms alarms)
{
    private const int MaxActor = 128;

    private static readonly byte[][] Reads = [.. new[] { "REC.read", "REC.export", "REG.query", "BG.open" }.Select(a => Encoding.ASCII.GetBytes($"{{\"action\":\"{a}\""))];

    private readonly ReaderTable _readers = new(options.Watching);

    /// <summary>Reads that are remembered.</summary>
    internal int Remembered => _readers.Remembered;

    /// <summary>Looks at leaves in the order of their indices.</summary>
    public void LookAtLeaves(IReadOnlyList<byte[]> leaves)
    {
        foreach (var leaf in leaves)
        {
            if (EventLeaf.TryRead(leaf, out var e) && IsRead(e.Body))
            {
                LookAtEvent(e.Body, e.Time);
            }
        }
    }

    private static bool IsRead(ReadOnlySpan<byte> body)
    {
        foreach (var read in Reads)
        {
            if (body.StartsWith(read))
            {
                return true;
            }
        }

        return false;
    }

    private void LookAtEvent(ReadOnlySpan<byte> body, long time)
    {
        using var json = JsonDocument.Parse(body.ToArray());
        var root = json.RootElement;
        var by = root.GetProperty("actor");
        var actor = by.GetProperty("subject").GetString()!;
        var since = time - (long)options.Watching.Window.TotalMicroseconds;
        foreach (var subject in root.GetProperty("subjects").EnumerateArray().Where(s => s.GetProperty("kind").ValueEquals("patient"u8)))
        {
            var patient = subject.GetProperty("key").GetString()!;
            var passed = _readers.Add(actor, patient, time, since);
            if (passed.ReadsOfPatient is { } reads)
            {
                alarms.Raise(AlarmKind.Snooping, Detail(actor, reads), [SubjectKey.Patient(Base64Url.DecodeFromChars(patient)), .. SubjectsOf(actor, by)]);
            }

            if (passed.Patients is { } patients)
            {
                alarms.Raise(AlarmKind.BulkReading, Detail(actor, patients), [.. SubjectsOf(actor, by)]);
            }
        }
    }

    // Whoever asks about the person, the client or the institution finds what was alarmed about them.
    private static IEnumerable<SubjectKey> SubjectsOf(string actor, JsonElement by)
    {
        yield return SubjectKey.Actor(actor);
        if (PersonId.TryParse(actor, out var person))
        {
            yield return SubjectKey.Practitioner(person.Value);
        }

        if (by.TryGetProperty("institution", out var at) && InstitutionId.TryParse(at.GetString(), out var institution))
        {
            yield return SubjectKey.Institution(institution.Value);
        }
    }

    private static string Detail(string actor, int count) => FormattableString.Invariant($"actor:{NameOf(actor)} count:{count}");

    // An event's text has a limit, which a name as long as it may be would break.
    private static string NameOf(string actor) => Encoding.UTF8.GetByteCount(actor) <= MaxActor
        ? actor
        : "sha256-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(actor)));
}
