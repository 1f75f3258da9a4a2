using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Trust.Crypto.Asn1;
using Trust.Crypto.Jose;
using Trust.TestKit;

namespace Trust.Crypto.Tests;

public sealed class JwsTests
{
    private const int Max = 4096;

    // RFC 7515 A.3 and its key.
    private const string Example =
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        + ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

    [Fact]
    public void The_signed_bytes_are_the_known_ones()
    {
        Assert.Equal("""{"alg":"ES256","typ":"entitlement+jwt"}""", Encoding.UTF8.GetString(Base64Url.DecodeFromChars(Jws.Header("entitlement+jwt"))));
        Assert.Equal("""{"alg":"ES256","typ":"at+jwt","kid":"k"}""", Encoding.UTF8.GetString(Base64Url.DecodeFromChars(Jws.Header("at+jwt", "k"))));
        Assert.Equal("aGVhZGVy.\0x"u8.ToArray(), Jws.DetachedInput("aGVhZGVy", "\0x"u8));
    }

    [Fact]
    public void The_example_of_RFC_7515_verifies()
    {
        using var key = ECDsa.Create(new ECParameters
        {
            Curve = ECCurve.NamedCurves.nistP256,
            Q = new ECPoint
            {
                X = Base64Url.DecodeFromChars("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"), Y = Base64Url.DecodeFromChars("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
            },
        });
        var dot = Example.LastIndexOf('.');
        Assert.True(Jws.Verify(key.ExportSubjectPublicKeyInfo(), Encoding.ASCII.GetBytes(Example[..dot]), Example[(dot + 1)..]));
        Assert.False(Jws.TryVerify(Example, Max, "at+jwt", key.ExportSubjectPublicKeyInfo(), out _)); // no typ
        Assert.Equal("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", Jwk.Of(key.ExportSubjectPublicKeyInfo()).X);
    }

    [Fact]
    public async Task What_is_written_is_read_by_its_key_under_its_type_and_within_its_length()
    {
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        using var other = SoftwareKey.New(PublicKeyKind.P256);
        var text = await Jws.Sign(Jws.Header("a+jwt"), "{}"u8.ToArray(), key.Signer, CancellationToken.None);
        Assert.True(Jws.TryVerify(text, Max, "a+jwt", key.Spki, out var payload));
        Assert.Equal("{}"u8.ToArray(), payload);
        Assert.True(Jws.TryVerify(text, Max, null, key.Spki, out _));
        Assert.False(Jws.TryVerify(text, Max, "b+jwt", key.Spki, out _));
        Assert.False(Jws.TryVerify(text, Max, "a+jwt", other.Spki, out _));
        Assert.False(Jws.TryVerify(text, text.Length - 1, "a+jwt", key.Spki, out _));
        Assert.False(Jws.TryVerify(text + "=", Max, "a+jwt", key.Spki, out _));
        Assert.False(Jws.TryVerify(text + ".", Max, "a+jwt", key.Spki, out _));
    }

    [Theory]
    [InlineData("""{"alg":"none","typ":"a+jwt"}""")]
    [InlineData("""{"alg":"HS256","typ":"a+jwt"}""")]
    [InlineData("""{"alg":"ES256","alg":"ES256","typ":"a+jwt"}""")]
    [InlineData("""{"alg":["ES256"],"typ":"a+jwt"}""")]
    [InlineData("""{"alg":"ES256","typ":1}""")]
    [InlineData("""{"alg":"ES256","typ":"a+jwt","crit":[]}""")]
    [InlineData("""{"alg":"ES256","typ":"a+jwt","crit":["exp"],"exp":1}""")]
    [InlineData("""{"alg":"ES256","typ":"a+jwt","b64":true}""")]
    [InlineData("""["ES256"]""")]
    [InlineData("""{"alg":"ES256","typ":"a+jwt"} x""")]
    public async Task A_header_that_is_not_strictly_ours_is_refused_though_well_signed(string header)
    {
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var text = await Jws.Sign(Base64Url.EncodeToString(Encoding.UTF8.GetBytes(header)), "{}"u8.ToArray(), key.Signer, CancellationToken.None);
        Assert.False(Jws.TryVerify(text, Max, "a+jwt", key.Spki, out _));
    }

    [Fact]
    public async Task Ten_thousand_mutations_are_refused()
    {
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var text = await Jws.Sign(Jws.Header("a+jwt"), "{}"u8.ToArray(), key.Signer, CancellationToken.None);
        var random = new Random(7515);
        for (var i = 0; i < 10_000; i++)
        {
            var mutant = Encoding.Latin1.GetString(Mutation.Of(Encoding.ASCII.GetBytes(text), random));
            Assert.Equal(mutant == text, Jws.TryVerify(mutant, Max, "a+jwt", key.Spki, out _));
        }
    }
}
