using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Trust.LogFormat;

namespace Trust.AuditLedger.Watching;

/// <summary>
/// Looks at reads as they are logged and alarms on one patient read too often and on too many patients read, by one actor within a window.
/// Holds pseudonyms only, bounded; forgets on a restart. Called by the sequencer after publishing, so it must be quick and never throw.
/// </summary>
internal sealed class AccessWatch(AuditLedgerOptions options, Alarms alarms)
{
    private const int MaxActors = 50_000;
    private const int MaxActor = 128;

    private static readonly byte[][] Reads = [.. new[] { "REC.read", "REC.export", "REG.query", "BG.open" }.Select(a => Encoding.ASCII.GetBytes($"{{\"action\":\"{a}\""))];

    private readonly Dictionary<string, Reader> _readers = new(StringComparer.Ordinal);

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
        var actor = root.GetProperty("actor").GetProperty("subject").GetString()!;
        if (!_readers.TryGetValue(actor, out var reader))
        {
            if (_readers.Count >= MaxActors)
            {
                _readers.Clear();
            }

            _readers[actor] = reader = new Reader();
        }

        var watching = options.Watching;
        var since = time - (long)watching.Window.TotalMicroseconds;
        foreach (var subject in root.GetProperty("subjects").EnumerateArray().Where(s => s.GetProperty("kind").ValueEquals("patient"u8)))
        {
            var (ofPatient, patients) = reader.Add(subject.GetProperty("key").GetString()!, time, since);
            // Once when the bound is passed, not again with every further read.
            if (ofPatient == watching.ReadsOfOnePatient + 1)
            {
                Alarm(AlarmKind.Snooping, actor, ofPatient);
            }

            if (patients == watching.PatientsOfOneReader + 1 && ofPatient == 1)
            {
                Alarm(AlarmKind.BulkReading, actor, patients);
            }
        }
    }

    private void Alarm(AlarmKind kind, string actor, int count) =>
        alarms.Raise(kind, FormattableString.Invariant($"actor:{NameOf(actor)} count:{count}"));

    // An event's text has a limit, which a name as long as it may be would break.
    private static string NameOf(string actor) => Encoding.UTF8.GetByteCount(actor) <= MaxActor
        ? actor
        : "sha256-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(actor)));

    private sealed class Reader
    {
        private readonly Queue<(long Time, string Patient)> _reads = new();
        private readonly Dictionary<string, int> _patients = new(StringComparer.Ordinal);

        public (int OfPatient, int Patients) Add(string patient, long time, long since)
        {
            while (_reads.TryPeek(out var old) && old.Time < since)
            {
                _reads.Dequeue();
                if (--_patients[old.Patient] == 0)
                {
                    _patients.Remove(old.Patient);
                }
            }

            _reads.Enqueue((time, patient));
            _patients[patient] = _patients.GetValueOrDefault(patient) + 1;
            return (_patients[patient], _patients.Count);
        }
    }
}
