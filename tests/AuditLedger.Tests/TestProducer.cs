using System.Globalization;
using System.Security.Cryptography;
using Trust.LogFormat;

namespace Trust.AuditLedger.Tests;

/// <summary>Builds batches as a relay would.</summary>
public sealed class TestProducer(string source, ECDsa key)
{
    private int _made;

    public string Source => source;

    public long Epoch { get; set; } = 1;

    public long Seq { get; set; }

    public byte[] Head { get; set; } = new byte[32];

    /// <summary>A body about a prescription.</summary>
    public byte[] Body(string prescription = "rx-1", string action = "RX.review", string? basis = null, TimeSpan ago = default, string? certificate = null) => Build(new AuditEvent
    {
        Action = action,
        Actor = new Actor(string.Create(CultureInfo.InvariantCulture, $"urn:mdid:p:{Interlocked.Increment(ref _made)}"), certificate),
        Subjects = [SubjectKey.Prescription(SampleSubjects.Id(prescription)), SubjectKey.Institution(SampleSubjects.Institution)],
        Outcome = EventOutcome.Success,
        Basis = basis,
    }, ago);

    /// <summary>The event that must be leaf 0.</summary>
    public static byte[] Ceremony() => Build(new AuditEvent
    {
        Action = "KEY.generate",
        Actor = new Actor("ceremony"),
        Subjects = [SubjectKey.Certificate(new string('0', 64))],
        Outcome = EventOutcome.Success,
        Basis = "ceremony:sha256:" + new string('1', 64),
    });

    /// <summary>The next batch; the chain moves on.</summary>
    public byte[] Next(params byte[][] bodies)
    {
        var frame = Frame(Epoch, Seq + 1, Head, bodies, out var head);
        (Seq, Head) = (Seq + bodies.Length, head);
        return frame;
    }

    /// <summary>The next batch with the data keys of sealed detail beside the bodies.</summary>
    internal byte[] Next(params BuiltEvent[] events)
    {
        var frame = Frame(Epoch, Seq + 1, Head, [.. events.Select(e => e.Bytes)], out var head, [.. events.Select(e => e.DataKey)]);
        (Seq, Head) = (Seq + events.Length, head);
        return frame;
    }

    public byte[] Frame(long epoch, long firstSeq, byte[] prev, byte[][] bodies, out byte[] head, byte[][]? dataKeys = null)
    {
        head = prev;
        for (var i = 0; i < bodies.Length; i++)
        {
            var next = new byte[32];
            Envelope.Hash(source, epoch, firstSeq + i, head, SHA256.HashData(bodies[i]), next);
            head = next;
        }

        var signature = key.SignHash(Envelope.BatchDigest(source, epoch, firstSeq, bodies.Length, head));
        return BatchFrame.Write(epoch, firstSeq, prev, [.. bodies.Select((b, i) => new FramedEvent(b, dataKeys?[i] ?? []))], signature);
    }

    private static byte[] Build(AuditEvent e, TimeSpan ago = default) =>
        EventBody.TryBuild(e, new EventPlace("510000", "node-1"), TimeProvider.System.GetUtcNow() - ago, out var refusal)?.Bytes
            ?? throw new InvalidOperationException(refusal);
}
