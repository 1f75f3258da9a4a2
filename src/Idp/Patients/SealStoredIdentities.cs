using System.Security.Cryptography;
using System.Text;
using Npgsql;
using Trust.Kernel.Keys;
using Trust.Kernel.Postgres;
using Trust.Pkcs11;

namespace Trust.Idp.Patients;

/// <summary>Seals under the patient's own key, a portion at a time, the identities that an earlier version sealed by one key of the token.</summary>
public sealed class SealStoredIdentities(NpgsqlDataSource db, IToken token, PersonKeys keys)
{
    /// <summary>From the end of one round to the begin of the next.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    private const int Portion = 200;
    private const string Select = "SELECT pseudonym, subject_key, region, identity_sealed FROM patients WHERE NOT by_person AND shredded_at IS NULL AND pseudonym > $1 ORDER BY pseudonym LIMIT 200";

    // A row of a patient who was shredded since has no identity and gets none: the key goes in the transaction that marks the row.
    private const string Store = "UPDATE patients SET identity_sealed = $2, by_person = true WHERE pseudonym = $1 AND NOT by_person AND shredded_at IS NULL";

    /// <summary>Seals all that are left.</summary>
    public async Task Round(CancellationToken ct)
    {
        var last = "";
        for (var rows = Portion; rows == Portion;)
        {
            var some = await db.Sql(Select).With(last).All(r => (Pseudonym: r.GetString(0), Person: r.GetFieldValue<byte[]>(1), Region: r.GetString(2), Sealed: r.GetFieldValue<byte[]>(3)), ct);
            foreach (var (pseudonym, person, region, old) in some)
            {
                var context = Encoding.ASCII.GetBytes(pseudonym);
                var identity = await token.Decrypt(RegisterPatient.SealKey, old, context, ct);
                try
                {
                    // Null: a shredding is under way, which takes the identity from the row.
                    if (await keys.Seal(person, region, identity, context, ct) is { } sealedIdentity)
                    {
                        await db.Sql(Store).With(pseudonym).With(sealedIdentity).Execute(ct);
                    }
                }
                finally
                {
                    CryptographicOperations.ZeroMemory(identity);
                }

                last = pseudonym;
            }

            rows = some.Count;
        }
    }
}
