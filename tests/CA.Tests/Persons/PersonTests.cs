using System.ComponentModel.DataAnnotations;
using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Trust.CA.Persons;
using Trust.CA.Registry;
using Trust.Crypto;
using Trust.Kernel.Hosting;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.CA.Tests.Persons;

/// <summary>One person is one identifier in every region, and no region learns another's documents (docs/RESIDENCY.md §8).</summary>
public sealed class PersonTests(CaFixture shared)
{
    private static readonly PersonOptions Registrar = new() { Askers = ["idp"] };
    private static readonly PersonOptions Follower = new() { Registrar = RegistrarStandIn.Name };

    [Fact]
    public async Task Who_is_known_here_is_given_the_same_identifier_to_every_region_by_a_question_that_hides_the_document()
    {
        await using var ca = await CaFixture.Own(persons: Registrar);
        var row = Samples.Practitioner();
        var urn = (await ca.Import(new ImportRequest(Practitioners: [row]))).Single().Urn!;
        var stranger = Samples.Practitioner();

        var tags = await TagsOf(ca, row, stranger, row);
        Assert.Equal(tags[0], tags[2]);
        var first = await Given(ca, tags[..2]);
        Assert.Equal(urn, first[0]);
        Assert.NotEqual(urn, first[1]);
        Assert.Equal(first, await Given(ca, tags[..2]));

        // Entered here later, the stranger is who he was in the other region.
        Assert.Equal(first[1], (await ca.Import(new ImportRequest(Practitioners: [stranger]))).Single().Urn);
        var asked = ca.Ledger.Events.Where(e => e.GetProperty("action").GetString() == "REG.query").ToList();
        Assert.All(asked, e => Assert.Equal("idp", e.GetProperty("actor").GetProperty("subject").GetString()));
        Assert.Contains(asked, e => e.GetProperty("basis").GetString() == "elements:3");
    }

    [Fact]
    public async Task Two_that_ask_for_the_same_people_at_once_get_the_same_identifiers()
    {
        await using var ca = await CaFixture.Own(persons: Registrar);
        byte[][] tags = [.. Enumerable.Range(0, 20).Select(_ => RandomNumberGenerator.GetBytes(32))];
        var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => Given(ca, i % 2 == 0 ? tags : [.. tags.Reverse()])));
        var expected = answers[0];
        Assert.All(answers.Select((a, i) => i % 2 == 0 ? a : [.. a.Reverse()]), a => Assert.Equal(expected, a));
        Assert.Equal(20, expected.Distinct().Count());
    }

    [Fact]
    public async Task What_is_no_element_or_no_tag_twice_or_too_many_is_refused_before_the_token_is_asked()
    {
        await using var ca = await CaFixture.Own(persons: Registrar);
        using var peer = ca.Peer();
        var good = PersonTags.Blind("resident-id", "1").Element.ToArray();
        byte[][][] elements = [[], [[]], [good[1..]], [[4, .. good[1..]]], [[2, .. Enumerable.Repeat((byte)0xff, 32)]], [.. Enumerable.Repeat(good, EvaluateTags.Most + 1)]];
        foreach (var asked in elements)
        {
            using var answer = await peer.PostAsJsonAsync(EvaluateTags.Path, new EvaluationRequest(asked), CaJson.Default.EvaluationRequest);
            Assert.Equal((HttpStatusCode.BadRequest, "malformed-tags"), (answer.StatusCode, await answer.Problem()));
        }

        foreach (var (route, body) in MalformedBodies.RoutesOf(ca.App.Services).Where(r => r.Route.Path is EvaluateTags.Path or GiveIdentifiers.Path))
        {
            Assert.True(await MalformedBodies.Hold(ca.App.Services, body, content => peer.PostAsync(route.Path, content)) > 0);
        }

        var tag = RandomNumberGenerator.GetBytes(32);
        foreach (var asked in (byte[][][])[[], [null!], [tag, tag], [tag[1..]], [[.. tag, 0]]])
        {
            using var answer = await peer.PostAsJsonAsync(GiveIdentifiers.Path, new IdentifierRequest(asked), CaJson.Default.IdentifierRequest);
            Assert.Equal((HttpStatusCode.BadRequest, "malformed-tags"), (answer.StatusCode, await answer.Problem()));
        }
    }

    [Fact]
    public async Task Nobody_may_ask_where_no_region_is_configured_to()
    {
        using var peer = shared.Peer();
        using var evaluation = await peer.PostAsJsonAsync(EvaluateTags.Path, new EvaluationRequest([PersonTags.Blind("resident-id", "1").Element.ToArray()]), CaJson.Default.EvaluationRequest);
        using var given = await peer.PostAsJsonAsync(GiveIdentifiers.Path, new IdentifierRequest([RandomNumberGenerator.GetBytes(32)]), CaJson.Default.IdentifierRequest);
        Assert.Equal(["peer-not-allowed", "peer-not-allowed"], [await evaluation.Problem(), await given.Problem()]);
    }

    [Fact]
    public async Task People_entered_before_others_may_ask_keep_their_identifiers_and_nobody_is_given_one_before_they_are_tagged()
    {
        await using var ca = await CaFixture.Own();
        var row = Samples.Practitioner();
        var urn = (await ca.Import(new ImportRequest(Practitioners: [row]))).Single().Urn!;
        await ca.Stop();
        ca.Persons = Registrar;
        ca.WriteConfig();
        Assert.Equal(0, await ServiceHost.Run(["provision", "--config", ca.Config], Program.Service));
        await ca.Start();
        var tags = await TagsOf(ca, row);
        await Eventually.Holds(async () => await TryGive(ca, tags) is { } given && given[0] == urn, "who was entered before is tagged");

        // As before the first round of tagging; which may come between the two.
        using var peer = ca.Peer();
        await Eventually.Holds(
            async () =>
            {
                await using var command = ca.Database.Owner.CreateCommand("DELETE FROM person_identifiers");
                await command.ExecuteNonQueryAsync();
                using var answer = await peer.PostAsJsonAsync(GiveIdentifiers.Path, new IdentifierRequest([RandomNumberGenerator.GetBytes(32)]), CaJson.Default.IdentifierRequest);
                return answer.StatusCode is HttpStatusCode.ServiceUnavailable && await answer.Problem() == "persons-not-tagged";
            },
            "nobody is given an identifier while someone has no tag");
        await Eventually.Holds(async () => await TryGive(ca, tags) is { } given && given[0] == urn, "it is tagged again");
    }

    [Fact]
    public async Task A_key_that_is_not_the_one_by_which_people_were_tagged_gives_nobody_a_second_identifier()
    {
        await using var ca = await CaFixture.Own(persons: Registrar);
        await ca.Import(new ImportRequest(Practitioners: [Samples.Practitioner()]));
        await ca.App.Services.GetRequiredService<KeyRegister>().Round(CancellationToken.None);
        await ca.Stop();
        // Seen and told of before it goes; as a token that was made anew would have it.
        await using (var token = await Pkcs11Token.Open(ca.TokenOptions, CancellationToken.None))
        {
            await token.Destroy(PersonTags.Key, CancellationToken.None);
            await token.Generate(PersonTags.Key, KeyAlgorithm.EcdhP256, CancellationToken.None);
        }

        await ca.Start();
        using var peer = ca.Peer();
        using var answer = await peer.PostAsJsonAsync(GiveIdentifiers.Path, new IdentifierRequest([RandomNumberGenerator.GetBytes(32)]), CaJson.Default.IdentifierRequest);
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "persons-not-tagged"), (answer.StatusCode, await answer.Problem()));
        await Assert.ThrowsAsync<InvalidDataException>(() => ca.App.Services.GetRequiredService<TagKnownPersons>().Round(CancellationToken.None));
    }

    [Fact]
    public async Task Who_gave_identifiers_to_others_gives_none_without_a_tag_also_when_nobody_may_ask_any_more()
    {
        await using var ca = await CaFixture.Own(persons: Registrar);
        var row = Samples.Practitioner();
        var given = (await Given(ca, await TagsOf(ca, row)))[0];
        await ca.Stop();
        ca.Persons = new();
        ca.WriteConfig();
        await ca.Start();
        Assert.Equal(given, (await ca.Import(new ImportRequest(Practitioners: [row]))).Single().Urn);
    }

    [Theory]
    [InlineData("ca-registrar", "idp", "asks a registrar or is one")]
    [InlineData("ca-nobody", null, "ca-nobody, which is none of Peers")]
    [InlineData(null, "nobody", "nobody, which is none of Peers")]
    public async Task A_configuration_by_which_one_person_could_become_two_does_not_start(string? registrar, string? asker, string why)
    {
        var json = JsonNode.Parse(await File.ReadAllTextAsync(shared.Config))!;
        json["Ca"]!["Persons"] = new JsonObject { ["Registrar"] = registrar, ["Askers"] = asker is null ? new JsonArray() : new JsonArray(asker) };
        var file = Path.Combine(shared.Directory, $"persons-{registrar}-{asker}.json");
        await File.WriteAllTextAsync(file, json.ToJsonString());
        var refused = Assert.Throws<ValidationException>(() => ServiceHost.Build(["run", "--config", file], Program.Service));
        Assert.Contains(why, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_region_that_asks_enters_people_by_the_registrars_identifiers_and_sends_it_no_document()
    {
        await using var ca = await CaFixture.Own(persons: Follower);
        var row = Samples.Practitioner();
        var urn = (await ca.Import(new ImportRequest(Practitioners: [row]))).Single().Urn!;
        Assert.Equal(2, ca.Registrar.Seen.Count(s => s.Contains("tags", StringComparison.Ordinal)));
        // Asked at the proposal and at its confirmation: the same tag, by questions that have nothing in common.
        Assert.Equal(4, ca.Registrar.Seen.Count);
        Assert.Equal(3, ca.Registrar.Seen.Distinct(StringComparer.Ordinal).Count());
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(row.IdentityNumber)));
        Assert.All(ca.Registrar.Seen, s => Assert.False(s.Contains(row.IdentityNumber, StringComparison.Ordinal) || s.Contains(hash, StringComparison.Ordinal)));

        // Whoever is known is not asked about again.
        Assert.Equal(urn, (await ca.Import(new ImportRequest(Practitioners: [row with { Name = row.Name + "改" }]))).Single().Urn);
        Assert.Equal(4, ca.Registrar.Seen.Count);
    }

    [Theory]
    [InlineData(RegistrarFault.Away)]
    [InlineData(RegistrarFault.Refuses)]
    [InlineData(RegistrarFault.TooFew)]
    [InlineData(RegistrarFault.NoPoint)]
    [InlineData(RegistrarFault.NoIdentifier)]
    [InlineData(RegistrarFault.NoJson)]
    [InlineData(RegistrarFault.SomeoneElse)]
    public async Task While_the_registrar_does_not_answer_as_it_should_nobody_new_is_entered_and_the_known_go_on(RegistrarFault fault)
    {
        await using var ca = await CaFixture.Own(persons: Follower);
        var (known, fresh) = (Samples.Practitioner(), Samples.Practitioner());
        var urn = (await ca.Import(new ImportRequest(Practitioners: [known]))).Single().Urn;
        var waiting = await ca.Propose(new ImportRequest(Practitioners: [fresh]));

        ca.Registrar.Fault = fault;
        var results = (await ca.Propose(new ImportRequest(Practitioners: [known with { Name = known.Name + "改" }, Samples.Practitioner()]))).Results;
        Assert.Equal([("updated", null), ("refused", "registrar-away")], results.Select(r => (r.Result, r.Rule)));
        Assert.Equal(urn, results[0].Urn);
        using (var refused = await ca.ConfirmImport(1, waiting.Proposal!.Id, waiting.Proposal.Sha256))
        {
            Assert.Equal((HttpStatusCode.ServiceUnavailable, "registrar-away"), (refused.StatusCode, await refused.Problem()));
        }

        // What waits still waits.
        ca.Registrar.Fault = RegistrarFault.None;
        using var confirmed = await ca.ConfirmImport(1, waiting.Proposal.Id, waiting.Proposal.Sha256);
        Assert.Equal("created", (await confirmed.Content.ReadFromJsonAsync(CaJson.Default.ImportResponse))!.Results.Single().Result);
    }

    private static async Task<byte[][]> TagsOf(CaFixture ca, params PractitionerRow[] rows)
    {
        using var peer = ca.Peer();
        BlindedInput[] questions = [.. rows.Select(r => PersonTags.Blind(r.IdentityType, r.IdentityNumber))];
        using var answer = await peer.PostAsJsonAsync(EvaluateTags.Path, new EvaluationRequest([.. questions.Select(q => q.Element.ToArray())]), CaJson.Default.EvaluationRequest);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        var evaluated = (await answer.Content.ReadFromJsonAsync(CaJson.Default.EvaluationResponse))!.Evaluated;
        return [.. questions.Zip(evaluated, (q, e) => q.TryFinish(e, out var tag) ? tag : throw new InvalidDataException("No point."))];
    }

    private static async Task<IReadOnlyList<string>> Given(CaFixture ca, byte[][] tags) => await TryGive(ca, tags) ?? throw new InvalidDataException("Nothing was given.");

    private static async Task<IReadOnlyList<string>?> TryGive(CaFixture ca, byte[][] tags)
    {
        using var peer = ca.Peer();
        using var answer = await peer.PostAsJsonAsync(GiveIdentifiers.Path, new IdentifierRequest(tags), CaJson.Default.IdentifierRequest);
        return answer.IsSuccessStatusCode ? (await answer.Content.ReadFromJsonAsync(CaJson.Default.IdentifierResponse))!.Persons : null;
    }
}
