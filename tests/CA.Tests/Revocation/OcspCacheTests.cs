using System.Formats.Asn1;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Trust.CA.Certificates;
using Trust.CA.Feed;
using Trust.CA.Revocation;
using Trust.Kernel.Audit;
using Trust.CA.Tests.Claims;
using Trust.Crypto.Asn1;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.TestKit;

namespace Trust.CA.Tests.Revocation;

/// <summary>What strangers' questions cost, in signatures and in memory.</summary>
public sealed class OcspCacheTests(CaFixture ca)
{
    [Fact]
    public async Task However_a_question_is_encoded_it_meets_one_answer()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        var serial = await Serial(await ca.Certified(person, institution, name));
        var der = new OcspRequest([CertificateId.Of(await Issuer(), serial)], null).Encode();
        var base64 = Convert.ToBase64String(der);
        using var client = ca.Anyone();
        Func<Task<byte[]>>[] ways =
        [
            () => client.GetByteArrayAsync("/ocsp/" + Uri.EscapeDataString(base64)),
            () => client.GetByteArrayAsync("/ocsp/" + string.Concat(Convert.ToBase64String(der).Select(c => $"%{(int)c:x2}"))),
            () => client.GetByteArrayAsync("/ocsp/" + Uri.EscapeDataString(Convert.ToBase64String(WithRequestor(der)))),
            async () => await Post(client, der),
            async () => await Post(client, WithRequestor(der)),
        ];

        // Signatures are random, so equal answers are one answer. While the feed still tells of the certificate, none is kept.
        await Eventually.Holds(
            async () =>
            {
                var answers = new List<string>();
                foreach (var way in ways)
                {
                    answers.Add(Convert.ToHexString(await way()));
                }

                return answers.Distinct(StringComparer.Ordinal).Count() == 1 && answers[0].Length > 100;
            },
            "every encoding meets the same answer");
    }

    [Fact]
    public async Task A_client_that_names_the_certificate_by_SHA1_is_answered_by_SHA1()
    {
        var issuer = await Issuer();
        var id = CertificateId.Of(issuer, CertificateContent.NewSerialNumber(), Oids.Sha1);
        using var client = ca.Anyone();
        var answer = await client.GetByteArrayAsync("/ocsp/" + Uri.EscapeDataString(Convert.ToBase64String(new OcspRequest([id], null).Encode())));

        Assert.True(answer.AsSpan().IndexOf(id.IssuerNameHash.Span) >= 0);
        Assert.True(answer.AsSpan().IndexOf(SHA256.HashData(issuer.Subject.Span)) < 0);
    }

    [Fact]
    public async Task A_question_asked_for_ever_is_kept_once_whatever_its_answers_have_been()
    {
        var clock = new ManualClock(DateTimeOffset.UtcNow);
        var services = ca.App.Services;
        using var hub = new FeedHub(services.GetRequiredService<NpgsqlDataSource>(), services.GetRequiredService<OutboxState>(), clock);
        var options = services.GetRequiredService<CaOptions>();
        var ocsp = new AnswerOcsp(services.GetRequiredService<NpgsqlDataSource>(), services.GetRequiredService<OcspResponders>(), options, clock, hub);
        var (person, institution, name) = await ca.NewPractitioner();
        var id = CertificateId.Of(await Issuer(), await Serial(await ca.Certified(person, institution, name)));
        var text = Uri.EscapeDataString(Convert.ToBase64String(new OcspRequest([id], null).Encode()));
        var signed = new HashSet<string>(StringComparer.Ordinal);
        for (var round = 0; round < 30; round++)
        {
            var first = await ocsp.Get(new DefaultHttpContext { RequestServices = services }, text);
            Assert.Same(first, await ocsp.Get(new DefaultHttpContext { RequestServices = services }, text));
            signed.Add(Convert.ToHexString(first.Response));
            clock.Advance(options.OcspLifetime);
        }

        Assert.Equal(30, signed.Count);
        // The answer by its CertID, by its text, and the certificate's name for it.
        Assert.Equal(3, ocsp.Cache.Size);
    }

    [Fact]
    public async Task A_question_in_the_path_that_no_kept_answer_meets_is_counted_as_the_signature_it_costs()
    {
        var services = ca.App.Services;
        var options = services.GetRequiredService<CaOptions>();
        using var hub = new FeedHub(services.GetRequiredService<NpgsqlDataSource>(), services.GetRequiredService<OutboxState>(), TimeProvider.System);
        var ocsp = new AnswerOcsp(services.GetRequiredService<NpgsqlDataSource>(), services.GetRequiredService<OcspResponders>(), options, TimeProvider.System, hub);
        var id = CertificateId.Of(await Issuer(), CertificateContent.NewSerialNumber());
        var kept = Question(id, null);
        await Eventually.Holds(async () => (await Ask(kept)).Response.Length > 100, "the responder is made and answers");
        // Under a nonce no answer is kept. Of an issuer that is not ours, so that the token is left to the other tests.
        var foreign = id with { IssuerKeyHash = new byte[32] };
        await Eventually.Holds(
            async () => (await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => Ask(Question(foreign, RandomNumberGenerator.GetBytes(16)))))).Contains(OcspAnswer.TooMany),
            "one address asks for no more signatures");
        Assert.True((await Ask(kept)).Response.Length > 100);

        async Task<OcspAnswer> Ask(string question)
        {
            var context = new DefaultHttpContext { RequestServices = services };
            // For documentation (RFC 5737): nobody else is counted under it.
            context.Connection.RemoteIpAddress = System.Net.IPAddress.Parse("198.51.100.7");
            return await ocsp.Get(context, question);
        }

        static string Question(CertificateId id, ReadOnlyMemory<byte>? nonce) => Uri.EscapeDataString(Convert.ToBase64String(new OcspRequest([id], nonce).Encode()));
    }

    [Fact]
    public void A_change_drops_every_way_to_the_answer_and_what_was_made_before_it_does_not_enter()
    {
        var cache = new OcspCache();
        var clock = new ManualClock(DateTimeOffset.UtcNow);
        var generation = cache.Generation;
        cache.Keep("key", "one", "sha", Answer(), generation);
        Assert.NotNull(cache.Find("key", "two"));
        Assert.NotNull(cache.FindByText("one"));
        Assert.NotNull(cache.FindByText("two"));

        cache.Changed("sha");
        Assert.Null(cache.Find("key", null));
        Assert.Null(cache.FindByText("one"));
        Assert.Null(cache.FindByText("two"));
        cache.Keep("key", "one", "sha", Answer(), generation);
        Assert.Null(cache.Find("key", null));
        Assert.Null(cache.FindByText("one"));

        cache.Keep("unissued", "three", null, Answer(), cache.Generation);
        cache.Changed("issued-now");
        Assert.Null(cache.FindByText("three"));

        KeptOcspAnswer Answer() => new([1, 2, 3], clock.GetUtcNow() + TimeSpan.FromMinutes(1), clock);
    }

    [Fact]
    public void A_stranger_cannot_fill_the_cache_with_ways_of_asking_one_question()
    {
        var cache = new OcspCache();
        var clock = new ManualClock(DateTimeOffset.UtcNow);
        cache.Keep("key", null, "sha", new KeptOcspAnswer([1], clock.GetUtcNow() + TimeSpan.FromMinutes(1), clock), cache.Generation);
        for (var i = 0; i < 1000; i++)
        {
            Assert.NotNull(cache.Find("key", $"way {i}"));
            Assert.NotNull(cache.Find("key", new string('x', 1000 + i)));
        }

        Assert.InRange(cache.Size, 2, 10);
    }

    [Theory]
    [InlineData(429, OcspError.TryLater, 429)]
    [InlineData(503, OcspError.TryLater, 503)]
    [InlineData(500, OcspError.InternalError, 500)]
    [InlineData(413, OcspError.MalformedRequest, 200)]
    public async Task Refusals_of_the_host_are_OCSP_answers(int status, OcspError expected, int answered)
    {
        var context = new DefaultHttpContext();
        using var body = new MemoryStream();
        context.Response.Body = body;
        await OcspAnswer.Refuse(context, CommonRefusals.Fault with { Status = status });

        Assert.Equal(OcspResponse.Error(expected), body.ToArray());
        Assert.Equal((answered, "application/ocsp-response"), (context.Response.StatusCode, context.Response.ContentType));
    }

    private static async Task<byte[]> Post(HttpClient client, byte[] request)
    {
        using var content = new ByteArrayContent(request);
        content.Headers.ContentType = new("application/ocsp-request");
        using var response = await client.PostAsync(new Uri("/ocsp", UriKind.Relative), content);
        return await response.Content.ReadAsByteArrayAsync();
    }

    // The same question with the optional name of who asks (RFC 6960 4.1.1): requestorName [1] EXPLICIT GeneralName, here a DNS name.
    private static byte[] WithRequestor(byte[] der)
    {
        var list = new AsnReader(der, AsnEncodingRules.DER).ReadSequence().ReadSequence().ReadEncodedValue();
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        using (writer.PushSequence())
        {
            using (writer.PushSequence(new Asn1Tag(TagClass.ContextSpecific, 1)))
            {
                writer.WriteCharacterString(UniversalTagNumber.IA5String, "somebody.example", new Asn1Tag(TagClass.ContextSpecific, 2));
            }

            writer.WriteEncodedValue(list.Span);
        }

        return writer.Encode();
    }

    private async Task<Certificate> Issuer() => Certificate.ParsePem(await File.ReadAllTextAsync(Path.Combine(ca.Public, "practitioner-issuing.pem")))[0];

    private async Task<byte[]> Serial(string sha256) =>
        (await ca.Database.Owner.Sql("SELECT serial FROM certificates WHERE sha256 = $1").With(sha256).Scalar<byte[]>(default))!;
}
