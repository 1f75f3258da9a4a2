using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Trust.Cli.Residency;
using Trust.Crypto.Asn1;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.TestKit;

namespace Trust.CA.Tests.Residency;

/// <summary>Residency is declared by two officers, never by one, and taken by services from ca.</summary>
public sealed class DeclarationTests(CaFixture ca)
{
    private static int _version;

    [Fact]
    public async Task Two_officers_put_a_declaration_into_force_and_services_take_it()
    {
        var document = Document();
        var proposed = await Post(0, "/residency/declarations", DeclarationFile.Jws(document, [await Sign(0, document)]));
        Assert.Equal(HttpStatusCode.Created, proposed.Status);
        var id = proposed.Json["id"]!.GetValue<string>();
        var shown = await Get(1, "/residency/declarations/" + id);
        Assert.Equal(document, System.Buffers.Text.Base64Url.DecodeFromChars(shown["payload"]!.GetValue<string>()));

        Assert.Equal("own-request", Problem(await Second(0, id, document)));
        var accepted = await Second(1, id, document);
        Assert.Equal((HttpStatusCode.OK, "in-force"), (accepted.Status, accepted.Json["state"]!.GetValue<string>()));

        using var idp = ca.Peer();
        var taken = await idp.GetByteArrayAsync("/residency/declaration");
        var trust = DeclarationTrust.Load(ca.Public);
        var signed = SignedDeclaration.TryRead(taken, trust, out var fault);
        Assert.Equal("", fault);
        Assert.True(signed!.Accepted);
        Assert.Null(signed.Fault(trust, TimeProvider.System.GetUtcNow(), default));
        Assert.Equal(document, signed.Document);

        var events = await ca.Database.Owner.Sql("SELECT convert_from(body, 'UTF8') FROM audit_outbox WHERE action = 'ADMIN.rule' AND strpos(convert_from(body, 'UTF8'), $1) > 0 ORDER BY id")
            .With(accepted.Json["sha256"]!.GetValue<string>()).All(r => r.GetString(0), default);
        Assert.Equal(2, events.Count);
        Assert.Contains("residency-proposed", events[0], StringComparison.Ordinal);
        Assert.Contains("residency-accepted", events[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_officer_cannot_sign_for_two_nor_with_another_card()
    {
        var document = Document();
        var own = await Sign(0, document);
        Assert.Equal("not-your-signature-certificate", Problem(await Post(1, "/residency/declarations", DeclarationFile.Jws(document, [own]))));
        Assert.Equal("not-your-signature-certificate", Problem(await Post(0, "/residency/declarations", DeclarationFile.Jws(document, [own, await Sign(1, document)]))));
        var id = (await Post(0, "/residency/declarations", DeclarationFile.Jws(document, [own]))).Json["id"]!.GetValue<string>();
        Assert.Equal("declaration-refused", Problem(await Post(1, $"/residency/declarations/{id}/signatures", new JsonObject { ["protected"] = own.Header, ["signature"] = own.Signature })));
        var third = await Sign(2, document);
        Assert.Equal("not-your-signature-certificate", Problem(await Post(1, $"/residency/declarations/{id}/signatures", new JsonObject { ["protected"] = third.Header, ["signature"] = third.Signature })));
        Assert.Equal("declaration-refused", Problem(await Post(1, $"/residency/declarations/{id}/signatures", new JsonObject { ["protected"] = third.Header, ["signature"] = own.Signature })));
    }

    [Fact]
    public async Task A_document_for_another_is_not_signed_and_an_older_version_does_not_come_back()
    {
        var (older, newer) = (Document(), Document());
        var first = (await Post(0, "/residency/declarations", DeclarationFile.Jws(older, [await Sign(0, older)]))).Json["id"]!.GetValue<string>();
        var second = (await Post(0, "/residency/declarations", DeclarationFile.Jws(newer, [await Sign(0, newer)]))).Json["id"]!.GetValue<string>();
        Assert.Equal("declaration-refused", Problem(await Second(1, second, older)));
        Assert.Equal(HttpStatusCode.OK, (await Second(1, second, newer)).Status);
        Assert.Equal("declaration-refused", Problem(await Second(1, first, older)));
        Assert.Equal("declaration-refused", Problem(await Post(0, "/residency/declarations", DeclarationFile.Jws(older, [await Sign(0, older)]))));
    }

    [Theory]
    [InlineData("{\"payload\":\"e30\",\"signatures\":[]}")]
    [InlineData("{\"payload\":\"e30\",\"signatures\":[{\"protected\":\"e30\",\"signature\":\"AA\"}]}")]
    [InlineData("{\"payload\":\"no base64\",\"signatures\":[{\"protected\":\"e30\",\"signature\":\"AA\"}]}")]
    public async Task What_is_no_signed_declaration_is_refused(string body) =>
        Assert.Equal("declaration-refused", Problem(await Post(0, "/residency/declarations", JsonNode.Parse(body)!)));

    [Theory]
    [InlineData("places")]
    [InlineData("rules")]
    [InlineData("networks")]
    [InlineData("regions")]
    [InlineData("neighbours")]
    public async Task A_document_with_nothing_in_a_list_is_refused_and_no_fault(string member)
    {
        var document = JsonNode.Parse(Document())!;
        document[member] = new JsonArray((JsonNode?)null);
        var bytes = DeclarationFile.Canonical(document);
        Assert.Equal("declaration-refused", Problem(await Post(0, "/residency/declarations", DeclarationFile.Jws(bytes, [await Sign(0, bytes)]))));
    }

    // A code that is listed today and was not when the document says that it was written would be read here and by no service.
    [Fact]
    public async Task A_document_that_services_could_not_read_once_it_is_in_force_is_refused()
    {
        var bytes = ResidencyTerms.Encode(TestDeclaration.Of(Interlocked.Increment(ref _version) + 10) with
        {
            IssuedAt = TimeProvider.System.GetUtcNow().AddDays(-10), Networks = [TestDeclaration.Network("127.0.0.0/8", "510190")],
            Regions = [new AddedRegion("510190", "510100", "新区", ResidencyTerms.DayOf(TimeProvider.System.GetUtcNow().AddDays(-2)))],
        });
        Assert.Equal("declaration-refused", Problem(await Post(0, "/residency/declarations", DeclarationFile.Jws(bytes, [await Sign(0, bytes)]))));
    }

    [Fact]
    public async Task Of_two_documents_of_one_version_that_are_accepted_at_once_one_is_too_late_and_told_so()
    {
        var document = Document();
        var id = (await Post(0, "/residency/declarations", DeclarationFile.Jws(document, [await Sign(0, document)]))).Json["id"]!.GetValue<string>();
        await using var connection = await ca.Database.Owner.OpenConnectionAsync();
        await using var tx = await connection.BeginTransactionAsync();
        // As another document of that version, accepted by others and not yet committed.
        Assert.Equal(1, await tx.Sql("""
            INSERT INTO residency_declarations (id, version, sha256, jws, proposed_by, card_sha256, proposed_at, expires_at, state, accepted_by, accepted_at)
            SELECT gen_random_uuid(), version, 'x', jws, proposed_by, card_sha256, proposed_at, expires_at, 'in-force', (SELECT person FROM officers WHERE person <> proposed_by LIMIT 1), now()
            FROM residency_declarations WHERE id = $1
            """).With(Guid.Parse(id)).Execute(default));
        var own = await tx.Sql("SELECT pg_current_xact_id()::xid::text").Scalar<string>(default);
        var second = Second(1, id, document);
        const string waits = "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid' AND transactionid::text = $1)";
        await Eventually.Holds(async () => await ca.Database.Owner.Sql(waits).With(own!).Scalar<bool>(default), "the second waits for the first");
        await tx.CommitAsync();
        var answer = await second;
        Assert.Equal((HttpStatusCode.Conflict, "declaration-closed"), (answer.Status, Problem(answer)));
    }

    // Versions rise over all tests of the shared ca; what is signed and never taken by ca itself, whose test declaration is another authority's.
    private static byte[] Document() => ResidencyTerms.Encode(TestDeclaration.Of(Interlocked.Increment(ref _version) + 10));

    private async Task<(string Header, string Signature)> Sign(int officer, byte[] document)
    {
        var issuing = Certificate.ParsePem(await File.ReadAllTextAsync(Path.Combine(ca.Public, "practitioner-issuing.pem")))[0];
        var leaf = Certificate.Parse(ca.Officers[officer].SignatureCertificate.RawData);
        return await DeclarationFile.Sign(document, [leaf, issuing], ca.Officers[officer].Sign);
    }

    private async Task<(HttpStatusCode Status, JsonNode Json)> Second(int officer, string id, byte[] document)
    {
        var (header, signature) = await Sign(officer, document);
        return await Post(officer, $"/residency/declarations/{id}/signatures", new JsonObject { ["protected"] = header, ["signature"] = signature });
    }

    private async Task<(HttpStatusCode Status, JsonNode Json)> Post(int officer, string path, JsonNode body)
    {
        using var client = ca.Officer(officer);
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(body.ToJsonString(), Encoding.UTF8, new MediaTypeHeaderValue("application/json")) };
        request.Headers.Add("Idempotency-Key", Guid.NewGuid().ToString());
        using var answer = await client.SendAsync(request);
        return (answer.StatusCode, JsonNode.Parse(await answer.Content.ReadAsStringAsync())!);
    }

    private async Task<JsonNode> Get(int officer, string path)
    {
        using var client = ca.Officer(officer);
        return JsonNode.Parse(await client.GetStringAsync(path))!;
    }

    private static string? Problem((HttpStatusCode Status, JsonNode Json) answer) => answer.Json["type"]?.GetValue<string>().Split(':')[^1];
}
