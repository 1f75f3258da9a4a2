using System.Buffers.Text;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Trust.Crypto.Asn1;
using Trust.SignService.Keys;
using Trust.SignService.Signatures;
using Trust.SignService.Timestamps;
using Trust.TestKit;

namespace Trust.SignService.Tests;

/// <summary>Requests for time-stamps in all the forms that the standard lets clients write.</summary>
public sealed class TimestampRequestTests
{
    // RFC 9110 8.3.1: a media type is compared without regard to case.
    [Fact]
    public async Task A_media_type_in_another_case_is_the_same_type()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var (status, reply) = await Ask(rig, new TimeStampRequest(Oids.Sha256, SHA256.HashData([])).Encode(), "application/Timestamp-Query");
        Assert.Equal(200, status);
        Assert.NotNull(TimeStamp.TokenOf(reply));
    }

    // RFC 3161 3.4 gives the type no parameters; one that would change how bytes are read is refused.
    [Fact]
    public async Task A_media_type_with_a_charset_of_no_text_is_unsupported()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        // Refused in the body of the protocol, which has no status of its own for it.
        var (status, reply) = await Ask(rig, new TimeStampRequest(Oids.Sha256, SHA256.HashData([])).Encode(), "application/timestamp-query; charset=binary");
        Assert.Equal(200, status);
        Assert.Null(TimeStamp.TokenOf(reply));
        Assert.NotNull(TimeStamp.TokenOf((await Ask(rig, new TimeStampRequest(Oids.Sha256, SHA256.HashData([])).Encode())).Reply));
    }

    // RFC 3161 2.4.1: a nonce is an INTEGER; stock clients of random bytes send negative ones.
    [Theory]
    [InlineData("0208923456789abcdef0")]
    [InlineData("0201ff")]
    [InlineData("024100ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff")]
    public async Task A_nonce_of_any_sign_and_length_comes_back_as_it_was_sent(string integer)
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var nonce = Convert.FromHexString(integer);
        var imprint = Convert.FromHexString("3031300d0609608648016503040201050004202d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881");
        var (_, reply) = await Ask(rig, Request(imprint, nonce));
        Assert.NotNull(TimeStamp.TokenOf(reply));
        Assert.True(reply.AsSpan().IndexOf(nonce) >= 0, "the nonce is in the answer");
    }

    // RFC 3161 2.4.2: the messageImprint has the value of the request's, with the NULL parameters that most clients send or without.
    [Theory]
    [InlineData("3031300d0609608648016503040201050004202d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881")]
    [InlineData("302f300b060960864801650304020104202d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881")]
    public async Task The_imprint_comes_back_to_the_byte(string hex)
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var imprint = Convert.FromHexString(hex);
        var (_, reply) = await Ask(rig, Request(imprint, [2, 1, 5]));
        Assert.NotNull(TimeStamp.TokenOf(reply));
        Assert.True(reply.AsSpan().IndexOf(imprint) >= 0, "the imprint is in the answer");
    }

    private static byte[] Request(byte[] imprint, byte[] nonce)
    {
        byte[] content = [2, 1, 1, .. imprint, .. nonce, 1, 1, 0xff];
        return content.Length < 128 ? [0x30, (byte)content.Length, .. content] : [0x30, 0x81, (byte)content.Length, .. content];
    }

    private static async Task<(int Status, byte[] Reply)> Ask(SignRig rig, byte[] body, string type = "application/timestamp-query")
    {
        using var content = new ByteArrayContent(body);
        content.Headers.ContentType = MediaTypeHeaderValue.Parse(type);
        using var answer = await rig.Client.PostAsync("/timestamp", content);
        return ((int)answer.StatusCode, await answer.Content.ReadAsByteArrayAsync());
    }
}
