using Org.BouncyCastle.Security;
using Org.BouncyCastle.Utilities;
using Trust.Crypto.Asn1;
using Trust.TestKit;

namespace Trust.Crypto.Tests.Asn1;

public sealed class DerGateTests
{
    [Theory]
    [InlineData("3000")]
    [InlineData("30060201000201FF")]
    [InlineData("0101FF")]
    [InlineData("170D3236303130313030303030305A")]
    [InlineData("180F32303530303130313030303030305A")]
    [InlineData("31060201000201FF")]
    [InlineData("A003800101")]
    [InlineData("03020780")]
    public void One_DER_structure_passes(string hex) => Assert.Null(Check(hex));

    [Theory]
    [InlineData("", DerFault.Size)]
    [InlineData("300000", DerFault.TrailingBytes)]
    [InlineData("30800000", DerFault.Malformed)] // indefinite length
    [InlineData("308100", DerFault.Malformed)] // length in more bytes than it needs
    [InlineData("3001", DerFault.Malformed)] // cut short
    [InlineData("010101", DerFault.Malformed)] // TRUE is FF
    [InlineData("02020001", DerFault.Malformed)] // leading zero
    [InlineData("0202FF80", DerFault.Malformed)] // leading ones
    [InlineData("0200", DerFault.Malformed)]
    [InlineData("05020000", DerFault.Malformed)]
    [InlineData("0603808001", DerFault.Malformed)] // a number that begins with zero
    [InlineData("060188", DerFault.Malformed)] // a number without an end
    [InlineData("03020701", DerFault.Malformed)] // unused bits that are set
    [InlineData("0C02C328", DerFault.Malformed)] // not UTF-8
    [InlineData("13012A", DerFault.Malformed)] // '*' is not printable
    [InlineData("170B323630313031303030305A", DerFault.Malformed)] // UTCTime without seconds
    [InlineData("181132303530303130313030303030302E305A", DerFault.Malformed)] // a fraction that ends in zero
    [InlineData("2403040101", DerFault.Malformed)] // OCTET STRING in parts
    [InlineData("31060201FF020100", DerFault.Malformed)] // SET OF out of order
    [InlineData("0903800100", DerFault.Malformed)] // REAL: no structure here has one
    public void What_is_not_DER_is_refused_and_named(string hex, DerFault fault) => Assert.Equal(fault, Check(hex));

    [Fact]
    public void Depth_and_size_are_bounded()
    {
        Assert.Null(DerGate.Check(Nested(DerGate.MaxDepth - 1), 4096));
        Assert.Equal(DerFault.TooDeep, DerGate.Check(Nested(DerGate.MaxDepth), 4096));
        Assert.Equal(DerFault.Size, DerGate.Check(Nested(10), 10));
    }

    [Fact]
    public void What_the_library_throws_becomes_a_refusal_and_a_cancelled_call_stays_one()
    {
        Assert.False(LibraryCall.Try<string>(() => throw new InvalidCastException("secret input"), out _, out var why));
        Assert.Equal(nameof(InvalidCastException), why);
        Assert.Throws<OperationCanceledException>(() => LibraryCall.Try<string>(() => throw new OperationCanceledException(), out _, out var _));
    }

    [Fact]
    public async Task No_thread_of_the_pool_proves_a_modulus_composite_or_keeps_the_switch()
    {
        using var rsa = SoftwareKey.New(PublicKeyKind.Rsa);
        var spki = rsa.Spki.ToArray();
        var seen = await Task.WhenAll(Enumerable.Range(0, 64).Select(i => Task.Run(() =>
        {
            Assert.True(LibraryCall.Try(
                () =>
                {
                    _ = PublicKeyFactory.CreateKey(spki);
                    return Properties.GetProperty(Properties.RsaMaxMRTests);
                },
                out var inside,
                out var _));
            return (inside, After: Properties.GetThreadProperty(Properties.RsaMaxMRTests));
        })));
        Assert.All(seen, s => Assert.Equal(("0", null), s));
    }

    [Fact]
    public void The_environment_cannot_loosen_the_library()
    {
        foreach (var name in new[] { Properties.RsaAllowUnsafeModulus, Properties.Asn1AllowUnsafeInteger, "Org.BouncyCastle.Something.New" })
        {
            Environment.SetEnvironmentVariable(name, "true");
            Assert.Equal("true", Properties.GetProperty(name));
            LibraryCall.ForgetEnvironment();
            Assert.Null(Properties.GetProperty(name));
        }
    }

    [Fact]
    public async Task Ten_thousand_mutations_pass_or_are_refused_and_none_is_an_exception()
    {
        var (_, _, leaf) = await CertificateTests.Chain(PublicKeyKind.P256);
        var random = new Random(690);
        var refused = 0;
        for (var i = 0; i < 10_000; i++)
        {
            refused += DerGate.Check(Mutation.Of(leaf.Der.ToArray(), random), Certificate.MaxBytes) is null ? 0 : 1;
        }

        Assert.InRange(refused, 1, 9_999);
    }

    private static DerFault? Check(string hex) => DerGate.Check(Convert.FromHexString(hex), 1024);

    private static byte[] Nested(int depth)
    {
        byte[] der = [5, 0];
        for (var i = 0; i < depth; i++)
        {
            der = Der.Encode(w =>
            {
                using (w.PushSequence())
                {
                    w.WriteEncodedValue(der);
                }
            });
        }

        return der;
    }
}
