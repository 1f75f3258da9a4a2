using System.Globalization;
using System.Security.Cryptography;
using Trust.LogFormat;

namespace Trust.Benchmarks.Ledger;

/// <summary>Whom the events of a load concern.</summary>
internal enum Subjects
{
    /// <summary>A patient and a prescription that no event concerned before: the dearest for an index.</summary>
    AllNew,

    /// <summary>As in a hospital: eight events a prescription, patients who come again, of 100,000.</summary>
    Recurring,
}

/// <summary>Makes the signed batches of one source, from its first event on: each event with four subjects, bodies of about 1 KB.</summary>
/// <param name="source">The source.</param>
/// <param name="key">Its batch key.</param>
/// <param name="subjects">Whom its events concern.</param>
internal sealed class BatchMaker(string source, ECDsa key, Subjects subjects)
{
    private const int EventsOfPrescription = 8;
    private const int Patients = 100_000;

    private byte[] _prev = new byte[Envelope.HashSize];
    private int _made;

    /// <summary>The ceremony's batch, which must be leaf 0.</summary>
    public static byte[] Ceremony(ECDsa key)
    {
        var prev = new byte[Envelope.HashSize];
        return Frame("ca", key, 1, ref prev, [Body(new AuditEvent
        {
            Action = "KEY.generate",
            Actor = new Actor("ceremony"),
            Subjects = [SubjectKey.Certificate(new string('0', 64))],
            Outcome = EventOutcome.Success,
            Basis = "ceremony:sha256:" + new string('0', 64),
        })]);
    }

    /// <summary>The next batch.</summary>
    /// <param name="count">Events of it.</param>
    public byte[] Next(int count)
    {
        var bodies = new byte[count][];
        for (var i = 0; i < count; i++)
        {
            bodies[i] = Event(_made + i);
        }

        var frame = Frame(source, key, _made + 1L, ref _prev, bodies);
        _made += count;
        return frame;
    }

    private byte[] Event(int n)
    {
        var prescription = subjects is Subjects.AllNew ? n : n / EventsOfPrescription;
        var patient = subjects is Subjects.AllNew ? RandomNumberGenerator.GetBytes(32) : SHA256.HashData(BitConverter.GetBytes(RandomNumberGenerator.GetInt32(Patients)));
        var number = n.ToString(CultureInfo.InvariantCulture);
        return Body(new AuditEvent
        {
            Action = "SIGN.request",
            Actor = new Actor("urn:mdid:p:01J0000000000000000000" + (n % 5000).ToString("D4", CultureInfo.InvariantCulture), new string('a', 64), "physician", "urn:mdid:o:01J00000000000000000000001"),
            Subjects =
            [
                SubjectKey.Prescription(string.Create(CultureInfo.InvariantCulture, $"{source}-{prescription}")), SubjectKey.Patient(patient),
                SubjectKey.Practitioner("urn:mdid:p:" + (n % 5000).ToString(CultureInfo.InvariantCulture)),
                SubjectKey.Institution("urn:mdid:o:" + (n % 200).ToString(CultureInfo.InvariantCulture)),
            ],
            Outcome = EventOutcome.Success,
            Class = "CLINICAL",
            Purpose = "TREATMENT",
            Basis = "sha256:" + new string('b', 64),
            RuleVersion = "2026-11-21/1",
            Correlation = $"{source}-{number}",
        });
    }

    private static byte[] Body(AuditEvent e) =>
        EventBody.TryBuild(e, new EventPlace("510000", "bench-1"), TimeProvider.System.GetUtcNow(), out var refusal)?.Bytes
            ?? throw new InvalidOperationException(refusal);

    private static byte[] Frame(string source, ECDsa key, long firstSeq, ref byte[] prev, byte[][] bodies)
    {
        var head = prev;
        for (var i = 0; i < bodies.Length; i++)
        {
            var next = new byte[Envelope.HashSize];
            Envelope.Hash(source, 1, firstSeq + i, head, SHA256.HashData(bodies[i]), next);
            head = next;
        }

        var signature = key.SignHash(Envelope.BatchDigest(source, 1, firstSeq, bodies.Length, head));
        var frame = BatchFrame.Write(1, firstSeq, prev, [.. bodies.Select(b => new FramedEvent(b, ReadOnlyMemory<byte>.Empty))], signature);
        prev = head;
        return frame;
    }
}
