using System.Security.Cryptography;

namespace Trust.AuditLedger.Watching;

/// <summary>Bounds that one read passed: a count each, null where none was passed by this read.</summary>
/// <param name="ReadsOfPatient">Reads of the one patient within the window.</param>
/// <param name="Patients">Different patients within the window.</param>
internal readonly record struct BoundsPassed(int? ReadsOfPatient, int? Patients);

/// <summary>
/// Who read whom within a window, in memory that no caller decides: of a patient as many reads are kept as the bound needs, of an actor as many patients, and of
/// all so many reads and actors. What is beyond is taken from those who have read least of some picked at random: a crowd that reads a little drives out
/// itself, and not the one who reads much. Not safe for concurrent use.
/// </summary>
internal sealed class ReaderTable(WatchingOptions options, int maxActors = 50_000, int maxReads = 2_000_000)
{
    private const int Picked = 16;

    private readonly Dictionary<string, Reader> _readers = new(StringComparer.Ordinal);
    private readonly List<Reader> _all = [];

    /// <summary>Reads that are kept.</summary>
    public int Remembered { get; private set; }

    /// <summary>Takes a read.</summary>
    /// <param name="actor">Who.</param>
    /// <param name="patient">Whom.</param>
    /// <param name="time">When; never before the read taken last.</param>
    /// <param name="since">Begin of the window.</param>
    public BoundsPassed Add(string actor, string patient, long time, long since)
    {
        if (!_readers.TryGetValue(actor, out var reader))
        {
            if (_all.Count >= maxActors)
            {
                DropOne();
            }

            _readers[actor] = reader = new Reader(actor, _all.Count);
            _all.Add(reader);
        }

        var before = reader.Reads;
        var passed = reader.Add(patient, time, since, options);
        Remembered += reader.Reads - before;
        while (Remembered > maxReads && _all.Count > 1)
        {
            DropOne();
        }

        return passed;
    }

    private void DropOne()
    {
        var least = _all[RandomNumberGenerator.GetInt32(_all.Count)];
        for (var i = 1; i < Picked; i++)
        {
            var other = _all[RandomNumberGenerator.GetInt32(_all.Count)];
            least = other.Reads < least.Reads ? other : least;
        }

        var last = _all[^1];
        (_all[least.Place], last.Place) = (last, least.Place);
        _all.RemoveAt(_all.Count - 1);
        _readers.Remove(least.Actor);
        Remembered -= least.Reads;
    }

    private sealed class Reader(string actor, int place)
    {
        // By the newest read, the oldest first.
        private readonly LinkedList<Patient> _order = new();
        private readonly Dictionary<string, LinkedListNode<Patient>> _patients = new(StringComparer.Ordinal);
        private bool _told;

        public string Actor => actor;

        public int Place { get; set; } = place;

        public int Reads { get; private set; }

        public BoundsPassed Add(string patient, long time, long since, WatchingOptions bounds)
        {
            while (_order.First is { } oldest && oldest.Value.Newest < since)
            {
                Forget(oldest);
            }

            _told &= _patients.Count > bounds.PatientsOfOneReader;
            if (!_patients.TryGetValue(patient, out var node))
            {
                _patients[patient] = node = new LinkedListNode<Patient>(new Patient(patient));
            }
            else
            {
                _order.Remove(node);
            }

            _order.AddLast(node);
            var before = node.Value.Count;
            var reads = node.Value.Add(time, since, bounds.ReadsOfOnePatient);
            Reads += node.Value.Count - before;
            // Once when the bound is passed, not again with every further read.
            int? patients = _patients.Count > bounds.PatientsOfOneReader && !_told ? _patients.Count : null;
            _told |= patients is not null;
            if (_patients.Count > bounds.PatientsOfOneReader + 1)
            {
                Forget(_order.First!);
            }

            return new BoundsPassed(reads, patients);
        }

        private void Forget(LinkedListNode<Patient> node)
        {
            _order.Remove(node);
            _patients.Remove(node.Value.Key);
            Reads -= node.Value.Count;
        }
    }

    private sealed class Patient(string key)
    {
        private readonly Queue<long> _times = new();
        private bool _told;

        public string Key => key;

        public int Count => _times.Count;

        public long Newest { get; private set; }

        public int? Add(long time, long since, int bound)
        {
            while (_times.TryPeek(out var old) && old < since)
            {
                _times.Dequeue();
            }

            _told &= _times.Count > bound;
            _times.Enqueue(time);
            Newest = time;
            int? passed = _times.Count > bound && !_told ? _times.Count : null;
            _told |= passed is not null;
            if (_times.Count > bound + 1)
            {
                _times.Dequeue();
            }

            return passed;
        }
    }
}
