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

namespace Trust.SignService.Tests.Claims;

/// <summary>What the service does today when it judges, stamps and makes keys, where a review says that it should do otherwise.</summary>
public sealed class SignatureClaims
{
    // RFC 9110 8.3.1: a media type is compared without regard to case.
    [Fact]
    public async Task N_A_media_type_in_another_case_is_the_same_type()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var (status, reply) = await Ask(rig, new TimeStampRequest(Oids.Sha256, SHA256.HashData([])).Encode(), "application/Timestamp-Query");
        Assert.Equal(200, status);
        Assert.NotNull(TimeStamp.TokenOf(reply));
    }

    // RFC 9110 8.3.1: it may carry parameters; today a charset that is none of text's is unsupported.
    [Fact]
    public async Task N_A_media_type_with_a_charset_of_no_text_is_unsupported()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        // Refused in the body of the protocol, which has no status of its own for it.
        var (status, reply) = await Ask(rig, new TimeStampRequest(Oids.Sha256, SHA256.HashData([])).Encode(), "application/timestamp-query; charset=binary");
        Assert.Equal(200, status);
        Assert.Null(TimeStamp.TokenOf(reply));
        Assert.NotNull(TimeStamp.TokenOf((await Ask(rig, new TimeStampRequest(Oids.Sha256, SHA256.HashData([])).Encode())).Reply));
    }

    // RFC 3161 2.4.1: a nonce is an INTEGER; this one is negative, as stock clients of random bytes send it.
    [Fact]
    public async Task N_A_request_with_a_negative_nonce_gets_no_stamp()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var (status, reply) = await Ask(rig, Convert.FromHexString(
            "30430201013031300d0609608648016503040201050004202d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a48810208923456789abcdef00101ff"));
        Assert.Equal(200, status);
        Assert.Null(TimeStamp.TokenOf(reply));
    }

    // RFC 3161 2.4.2: the messageImprint has the value of the request's; the NULL parameters that most clients send are dropped.
    [Fact]
    public async Task N_The_imprints_parameters_come_back_changed()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var imprint = Convert.FromHexString("3031300d0609608648016503040201050004202d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881");
        var (_, reply) = await Ask(rig, [0x30, (byte)(3 + imprint.Length + 6), 2, 1, 1, .. imprint, 2, 1, 5, 1, 1, 0xff]);
        Assert.NotNull(TimeStamp.TokenOf(reply));
        Assert.True(reply.AsSpan().IndexOf(imprint.AsSpan(19)) >= 0, "the hash is in the answer");
        Assert.True(reply.AsSpan().IndexOf(imprint) < 0, "the parameters are in the answer");
    }

    private static async Task<(int Status, byte[] Reply)> Ask(SignRig rig, byte[] body, string type = "application/timestamp-query")
    {
        using var content = new ByteArrayContent(body);
        content.Headers.ContentType = MediaTypeHeaderValue.Parse(type);
        using var answer = await rig.Client.PostAsync("/timestamp", content);
        return ((int)answer.StatusCode, await answer.Content.ReadAsByteArrayAsync());
    }
}
