using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Idp.Patients;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Keys;
using Trust.Kernel.Postgres;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.Idp.Tests.Patients;

/// <summary>What leads a pseudonym back to its patient lies under the patient's key, and goes with it.</summary>
public sealed class PatientShreddingTests : IAsyncLifetime
{
    private const string Insert = """
        INSERT INTO patients (pseudonym, subject_key, region, identity_lookup, identity_sealed, commitment_salt, created_at)
        VALUES ($1, $2, '510000', $3, $4, '\x00'::bytea, now())
        """;
    private const string Consent = """
        INSERT INTO consents (id, patient, institution, kind, notice_version, notice_sha256, method, acknowledged_at, recorded_by, region)
        VALUES ($1, $1, 'o', 'online-care', '1', 'x', '亲笔签名', now(), 'his', '510000')
        """;
    private const string Answer = """
        INSERT INTO idempotency (caller, endpoint, key, request_hash, lease_until, created_at, region, status, body)
        VALUES ('c', '/patients', $1, '\x01'::bytea, now(), now(), '510000', 201, convert_to('{"subjectKey":"' || encode($2, 'hex') || '"}', 'UTF8'))
        """;

    private static readonly byte[] Anna = [.. Enumerable.Repeat((byte)1, 32)];
    private static readonly byte[] Bela = [.. Enumerable.Repeat((byte)2, 32)];

    private TestDatabase _database = null!;
    private Pkcs11Token _token = null!;
    private PersonKeys _keys = null!;

    public async ValueTask InitializeAsync()
    {
        _database = await TestDatabase.Create("idp", typeof(Program).Assembly);
        _token = await Tokens.NewToken("idp");
        _ = await _token.Generate(RegisterPatient.SealKey, KeyAlgorithm.Aes256, default);
        _keys = new PersonKeys(_database.Runtime, _token, TimeProvider.System);
        foreach (var (name, key) in new[] { ("anna", Anna), ("bela", Bela) })
        {
            var old = await _token.Encrypt(RegisterPatient.SealKey, Encoding.ASCII.GetBytes("number of " + name), Encoding.ASCII.GetBytes(name), default);
            await _database.Runtime.Sql(Insert).With(name).With(key).With(key).With(old).Execute(default);
            await _database.Runtime.Sql(Consent).With(name).Execute(default);
            await _database.Runtime.Sql(Answer).With(name).With(key).Execute(default);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _token.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task An_identity_that_the_token_itself_sealed_is_sealed_under_its_patients_key()
    {
        await new SealStoredIdentities(_database.Runtime, _token, _keys).Round(default);
        Assert.Equal(2, await Count("SELECT count(*) FROM patients WHERE by_person"));
        Assert.Equal("number of anna", await Identity("anna", Anna));
        await Assert.ThrowsAnyAsync<Exception>(async () => await _token.Decrypt(RegisterPatient.SealKey, await Sealed("anna"), Encoding.ASCII.GetBytes("anna"), default));
    }

    [Fact]
    public async Task A_shredded_patients_pseudonym_leads_to_nobody_and_consents_to_nothing_and_others_stay()
    {
        await new SealStoredIdentities(_database.Runtime, _token, _keys).Round(default);
        var backup = await Sealed("anna");
        var id = Guid.NewGuid();
        using var shredding = Shredding();
        Assert.Equal("asked", await Ask(shredding, id));
        await shredding.CarryOut(default);
        Assert.Equal("destroyed", await Ask(shredding, id));

        Assert.Null(await _keys.Open(Anna, backup, Encoding.ASCII.GetBytes("anna"), default));
        Assert.Equal("number of bela", await Identity("bela", Bela));
        Assert.Equal(1, await Count("SELECT count(*) FROM patients WHERE pseudonym = 'anna' AND identity_lookup IS NULL AND identity_sealed IS NULL AND commitment_salt IS NULL AND shredded_at IS NOT NULL"));
        Assert.Equal(1, await Count("SELECT count(*) FROM consents WHERE method IS NULL AND withdrawn_at IS NOT NULL AND patient = 'anna'"));
        Assert.Equal(1, await Count("SELECT count(*) FROM consents WHERE method IS NOT NULL AND withdrawn_at IS NULL AND patient = 'bela'"));
        Assert.Equal(1, await Count("SELECT count(*) FROM idempotency WHERE key = 'bela'"));
        Assert.Equal(0, await Count("SELECT count(*) FROM idempotency WHERE key = 'anna'"));
        Assert.Equal(2, await Count("SELECT count(*) FROM audit_outbox WHERE action = 'KEY.destroy'"));
        Assert.Null(await _token.Find(PersonKeys.Master(1), default));
    }

    [Fact]
    public async Task No_key_is_made_for_a_patient_whose_shredding_is_under_way()
    {
        // The master that goes with it has been left: a key made now would lie under the next one, which stays.
        await _keys.Provision(default);
        (long Anna, long Bela) keys = (-1, -1);
        using var shredding = Shredding(new ShreddingPoints
        {
            Reached = at => keys = at == "after-new-master" ? SealedThen().GetAwaiter().GetResult() : keys,
        });
        var id = Guid.NewGuid();
        Assert.Equal("asked", await Ask(shredding, id));
        await shredding.CarryOut(default);
        Assert.Equal((0L, 1L), keys);
        Assert.Equal("destroyed", await Ask(shredding, id));
        Assert.Equal(1, await Count("SELECT count(*) FROM patients WHERE pseudonym = 'anna' AND identity_sealed IS NULL AND shredded_at IS NOT NULL"));
        Assert.Equal("number of bela", await Identity("bela", Bela));

        async Task<(long Anna, long Bela)> SealedThen()
        {
            await new SealStoredIdentities(_database.Runtime, _token, _keys).Round(default);
            return (await Keys(Anna), await Keys(Bela));
        }
    }

    private Task<long> Keys(byte[] person) => _database.Runtime.Sql("SELECT count(*) FROM person_keys WHERE person = $1 AND wrapped IS NOT NULL").With(person).Scalar<long>(default);

    private PersonShredding Shredding(ShreddingPoints? points = null) => new(
        _database.Runtime, _token, _keys, PatientShredding.Rules, null!, // Nothing here concerns anyone else.
        new Outbox(
            _database.Runtime, new AuditOptions { Source = "idp", Region = "510000", Node = "n" }, new OutboxState(TimeProvider.System), new ReceiptBoard(), TimeProvider.System,
            new GroupCommit(_database.Runtime)),
        new ServiceOptions { Region = "510000", Node = "n", PublicDirectory = "/", DataDirectory = "/" }, points ?? new ShreddingPoints(), TimeProvider.System);

    private static async Task<string> Ask(PersonShredding shredding, Guid id)
    {
        var answer = await shredding.Handle(id, new PersonShreddingRequest(Convert.ToHexStringLower(Anna)), new DefaultHttpContext());
        return Assert.IsType<Ok<PersonShreddingAnswer>>(answer.Result).Value!.State;
    }

    private async Task<string?> Identity(string pseudonym, byte[] person) =>
        await _keys.Open(person, await Sealed(pseudonym), Encoding.ASCII.GetBytes(pseudonym), default) is { } text ? Encoding.ASCII.GetString(text) : null;

    private async Task<byte[]> Sealed(string pseudonym) => (await _database.Runtime.Sql("SELECT identity_sealed FROM patients WHERE pseudonym = $1").With(pseudonym).Scalar<byte[]>(default))!;

    private async Task<long> Count(string sql)
    {
        await using var command = _database.Owner.CreateCommand(sql);
        return (long)(await command.ExecuteScalarAsync())!;
    }
}
