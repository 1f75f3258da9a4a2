using System.Text.Json;
using Trust.Kernel.Log;

namespace Trust.AuditLedger.Watching;

/// <summary>What looks like abuse of access.</summary>
internal enum AccessAlarm
{
    /// <summary>One actor reads one patient again and again.</summary>
    Snooping,

    /// <summary>One actor reads many patients.</summary>
    BulkReading,
}

/// <summary>
/// Looks at reads as they are logged and alarms on one patient read too often and on too many patients read, by one actor within a window.
/// Holds pseudonyms only, bounded; forgets on a restart. Called by the sequencer after publishing, so it must be quick and never throw.
/// </summary>
internal sealed class AccessWatch(AuditLedgerOptions options, ILogger<AccessWatch> log)
{
    private const int MaxActors = 50_000;

    private static readonly byte[][] Reads = [.. new[] { "REC.read", "REC.export", "REG.query", "BG.open" }.Select(a => System.Text.Encoding.ASCII.GetBytes($"{{\"action\":\"{a}\""))];

    private readonly Dictionary<string, Reader> _readers = new(StringComparer.Ordinal);

    /// <summary>Looks at leaves in the order of their indices.</summary>
    public void Look(IReadOnlyList<byte[]> leaves)
    {
        foreach (var leaf in leaves)
        {
            if (EventLeaf.TryRead(leaf, out var e) && IsRead(e.Body))
            {
                Look(e.Body, e.Time);
            }
        }
    }

    /// <summary>Told of each alarm.</summary>
    internal Action<AccessAlarm, string>? OnAlarm { get; set; }

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

    private void Look(ReadOnlySpan<byte> body, long time)
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
                Alarm(AccessAlarm.Snooping, actor, ofPatient);
            }

            if (patients == watching.PatientsOfOneReader + 1 && ofPatient == 1)
            {
                Alarm(AccessAlarm.BulkReading, actor, patients);
            }
        }
    }

    private void Alarm(AccessAlarm alarm, string actor, int count)
    {
        LedgerLog.AccessAlarmed(log, alarm, actor, count);
        LedgerMetrics.Alarmed(alarm.ToString());
        OnAlarm?.Invoke(alarm, actor);
    }

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
