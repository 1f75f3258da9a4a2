using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using Org.BouncyCastle.Asn1.X509;
using Org.BouncyCastle.Math;
using Trust.Crypto.Asn1;
using CertificateList = Trust.Crypto.Asn1.CertificateList;

namespace Trust.Benchmarks.Crypto;

/// <summary>
/// <c>crl.write</c>: a list of 1,000,000 entries written and signed, beside BouncyCastle's generator on 100,000 (its time grows with the
/// entries); then the list is read, and entries are looked up.
/// </summary>
internal static class ListWriting
{
    /// <summary>Name of the row.</summary>
    public const string Name = "crl.write";

    /// <summary>What it should reach.</summary>
    public const string Target = "1,000,000 entries ≤2 s; look-up ≤10 µs";
    private const int Many = 1_000_000;
    private const int Few = 100_000;

    /// <summary>Measures; the row is entries a second.</summary>
    public static async Task<Row> Measure(BenchRun run, CancellationToken ct)
    {
        _ = run;
        using var chain = await SampleChain.Make(sm2: false, ct);
        var now = TimeProvider.System.GetUtcNow();
        var entries = new RevokedEntry[Many];
        for (var i = 0; i < Many; i++)
        {
            entries[i] = new RevokedEntry(CertificateContent.NewSerialNumber(), now, RevocationReason.Superseded);
        }

        _ = await Write(chain, entries[..1000], now, ct);
        var (few, _) = await Write(chain, entries[..Few], now, ct);
        var (many, der) = await Write(chain, entries, now, ct);
        var peer = Peer(entries[..Few], now);
        var watch = Stopwatch.StartNew();
        if (!CertificateList.TryParse(der, out var list, out var why))
        {
            return Row.Missing(Name, "/s", Target, why);
        }

        var read = watch.Elapsed;
        var lookUp = LookUp(list, entries);
        return new Row(Name, Many / many.TotalSeconds, "/s", Few / peer.TotalSeconds, "BouncyCastle's generator", Target, many < TimeSpan.FromSeconds(2) && lookUp <= 10, string.Create(
            CultureInfo.InvariantCulture,
            $"1,000,000 entries in {many.TotalSeconds:F2} s, 100,000 in {few.TotalSeconds:F2} s (BouncyCastle {peer.TotalSeconds:F2} s); {der.Length / 1048576.0:F0} MiB read in {read.TotalSeconds:F2} s, a look-up {lookUp:F2} µs"));
    }

    private static async Task<(TimeSpan Took, byte[] Der)> Write(SampleChain chain, RevokedEntry[] entries, DateTimeOffset now, CancellationToken ct)
    {
        var watch = Stopwatch.StartNew();
        var der = await chain.Sign(new CertificateListContent
        {
            Suite = SignatureSuite.ES256, Issuer = new X500DistinguishedName(chain.Issuing.Subject.Span), AuthorityKeyIdentifier = chain.Issuing.SubjectKeyIdentifier,
            Number = 1, ThisUpdate = now, NextUpdate = now.AddDays(1), Entries = entries,
        }, ct);
        return (watch.Elapsed, der);
    }

    // What it must do before it signs: build the list and encode it.
    private static TimeSpan Peer(RevokedEntry[] entries, DateTimeOffset now)
    {
        var watch = Stopwatch.StartNew();
        var generator = new V2TbsCertListGenerator();
        generator.SetSignature(new AlgorithmIdentifier(new Org.BouncyCastle.Asn1.DerObjectIdentifier(Oids.EcdsaSha256)));
        generator.SetIssuer(new X509Name("CN=Bench Issuing"));
        generator.SetThisUpdate(new Time(now.UtcDateTime));
        generator.SetNextUpdate(new Time(now.AddDays(1).UtcDateTime));
        foreach (var entry in entries)
        {
            generator.AddCrlEntry(new Org.BouncyCastle.Asn1.DerInteger(new BigInteger(1, entry.SerialNumber.ToArray())), new Time(entry.RevokedAt.UtcDateTime), (int)entry.Reason);
        }

        _ = generator.GenerateTbsCertList().GetDerEncoded();
        return watch.Elapsed;
    }

    private static double LookUp(CertificateList list, RevokedEntry[] entries)
    {
        const int questions = 10_000;
        for (var i = 0; i < 1000; i++)
        {
            _ = list.Find(entries[i].SerialNumber.Span);
        }

        var watch = Stopwatch.StartNew();
        for (var i = 0; i < questions; i++)
        {
            if (list.Find(entries[i * (Many / questions)].SerialNumber.Span) is null)
            {
                throw new InvalidOperationException("An entry was not found.");
            }
        }

        return watch.Elapsed.TotalMicroseconds / questions;
    }
}
