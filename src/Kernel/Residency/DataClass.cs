using System.Text.Json;
using System.Text.Json.Serialization;

namespace Trust.Kernel.Residency;

/// <summary>
/// What kind of data something is, by its sensitivity (docs/RULES.md §10; GB/T 39725 names five levels). A set, because
/// <see cref="Important"/> is a mark beside a class, and a rule names several.
/// </summary>
[Flags]
[JsonConverter(typeof(DataClassJsonConverter))]
public enum DataClass
{
    /// <summary>None; of a rule it is refused.</summary>
    None = 0,

    /// <summary>Level 1: institutions, certificate status.</summary>
    Public = 1,

    /// <summary>Levels 2 to 3: quality control, research.</summary>
    Deidentified = 2,

    /// <summary>Level 4: name, identity number, telephone, face.</summary>
    Identity = 4,

    /// <summary>Level 4: record, prescription, results.</summary>
    Clinical = 8,

    /// <summary>Level 5: HIV, sexually transmitted and psychiatric; treating staff only.</summary>
    Restricted = 16,

    /// <summary>Above level 5: genomic.</summary>
    Genetic = 32,

    /// <summary>A private or secret key: it leaves neither token nor region.</summary>
    Key = 64,

    /// <summary>Level 3: the pseudonymous ledger.</summary>
    Audit = 128,

    /// <summary>A mark beside a class: declared important (重要数据) by a regulator.</summary>
    Important = 256,

    /// <summary>What the policies call sensitive: everything about one person that is not public.</summary>
    Personal = Identity | Clinical | Restricted | Genetic,
}

/// <summary>The classes' names on the wire: <c>IDENTITY</c>, and of a set <c>["IDENTITY", "CLINICAL"]</c>.</summary>
public sealed class DataClassJsonConverter : JsonConverter<DataClass>
{
    private static readonly (string Name, DataClass Class)[] Names =
    [
        ("PUBLIC", DataClass.Public), ("DEIDENTIFIED", DataClass.Deidentified), ("IDENTITY", DataClass.Identity), ("CLINICAL", DataClass.Clinical),
        ("RESTRICTED", DataClass.Restricted), ("GENETIC", DataClass.Genetic), ("KEY", DataClass.Key), ("AUDIT", DataClass.Audit), ("IMPORTANT", DataClass.Important),
    ];

    /// <summary>The name of one class.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is a set.</exception>
    public static string NameOf(DataClass one) => Array.Find(Names, n => n.Class == one).Name ?? throw new ArgumentOutOfRangeException(nameof(one));

    /// <summary>The class of a name; null for none of them.</summary>
    public static DataClass? Find(string? name) => Array.Find(Names, n => n.Name == name) is { Name: not null } found ? found.Class : null;

    /// <summary>The single classes of a set, in the order of their level.</summary>
    public static IEnumerable<DataClass> Each(DataClass set) => Names.Select(n => n.Class).Where(c => set.HasFlag(c));

    /// <inheritdoc/>
    public override DataClass Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var set = DataClass.None;
        if (reader.TokenType is not JsonTokenType.StartArray)
        {
            throw new JsonException("Classes are a list of names.");
        }

        while (reader.Read() && reader.TokenType is JsonTokenType.String)
        {
            set |= Find(reader.GetString()) ?? throw new JsonException("Not a data class.");
        }

        return reader.TokenType is JsonTokenType.EndArray ? set : throw new JsonException("Classes are a list of names.");
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, DataClass value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStartArray();
        foreach (var (name, _) in Names.Where(n => value.HasFlag(n.Class)))
        {
            writer.WriteStringValue(name);
        }

        writer.WriteEndArray();
    }
}
