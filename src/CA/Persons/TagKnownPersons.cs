using System.Security.Cryptography;
using Npgsql;
using Trust.CA.Registry;
using Trust.Kernel.Postgres;
using Trust.Pkcs11;

namespace Trust.CA.Persons;

/// <summary>Tags the practitioners whom this ca entered before it became a registrar, so that they keep their identifiers in other regions too.</summary>
internal sealed class TagKnownPersons(NpgsqlDataSource db, IToken token, PersonTags tags, PersonRegister register, RegistryKeys keys, CaOptions options)
{
    /// <summary>Time between rounds.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    private const int MostOfARound = 200;
    private const string Untagged = """
        SELECT p.urn, p.identity_type, p.identity_sealed FROM practitioners p
        WHERE NOT EXISTS (SELECT 1 FROM person_identifiers i WHERE i.person = p.urn) ORDER BY p.urn LIMIT $1
        """;
    private const string Any = "SELECT EXISTS (SELECT 1 FROM practitioners p WHERE NOT EXISTS (SELECT 1 FROM person_identifiers i WHERE i.person = p.urn))";

    // The first that was ever seen under the name.
    private const string FirstKey = "SELECT sha256 FROM key_register WHERE label = $1 ORDER BY seen_at LIMIT 1";

    private volatile bool _keyIsRight;

    /// <summary>True when all are, by the key that we have.</summary>
    public async Task<bool> AreTagged(CancellationToken ct) => await KeyIsRight(ct) && !await db.Sql(Any).Scalar<bool>(ct);

    /// <summary>True when our key is the one by which people were tagged before: a token that was made anew has one of the same name and another value.</summary>
    public async Task<bool> KeyIsRight(CancellationToken ct) => _keyIsRight || (_keyIsRight = await Compare(ct));

    /// <summary>Tags all that are not, in parts.</summary>
    /// <exception cref="InvalidDataException">Tags and key, or tags and registry, contradict one another: nobody is given an identifier until they agree.</exception>
    public async Task Round(CancellationToken ct)
    {
        if (!options.Persons.IsRegistrar && !await register.HasGiven(ct))
        {
            return;
        }

        if (!await KeyIsRight(ct))
        {
            throw new InvalidDataException("The key person-tags is missing, or not the one by which people were tagged: everyone would get a second identifier. `provision` makes the first; a lost one comes from the token's backup.");
        }

        while (!await AreTagged(ct))
        {
            var part = await db.Sql(Untagged).With(MostOfARound).All(r => (Urn: r.GetString(0), Type: r.GetString(1), Sealed: r.GetFieldValue<byte[]>(2)), ct);
            var found = new List<byte[]>(part.Count);
            foreach (var person in part)
            {
                found.Add(await tags.TagOf(person.Type, await keys.Open(person.Urn, person.Sealed, ct), ct));
            }

            string[] own = [.. part.Select(p => p.Urn)];
            switch (await register.For(found, own, "ca", ct))
            {
                case GiveOutcome.Given(var persons) when !persons.SequenceEqual(own, StringComparer.Ordinal):
                    throw new InvalidDataException("Someone entered here has another identifier already by his tag.");
                case GiveOutcome.NotRecorded:
                    // The ledger has waited too long; the next round goes on here.
                    return;
            }
        }
    }

    private async Task<bool> Compare(CancellationToken ct)
    {
        if (await token.Find(PersonTags.Key, ct) is not { } key)
        {
            return false;
        }

        return !await register.HasGiven(ct)
            || await db.Sql(FirstKey).With(PersonTags.Key.Label).Scalar<byte[]>(ct) is not { } first || first.AsSpan().SequenceEqual(SHA256.HashData(key.SubjectPublicKeyInfo.Span));
    }
}
