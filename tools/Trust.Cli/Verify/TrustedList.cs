using System.Security.Cryptography;
using System.Text.Json;
using Trust.Crypto.Asn1;
using Trust.Crypto.Json;

namespace Trust.Cli.Verify;

/// <summary>The verifier's own idea of whom to trust; never taken from the evidence.</summary>
/// <param name="Roots">Root certificates.</param>
/// <param name="Helpers">Issuing and time-stamping certificates that help to build paths; not trusted for being here.</param>
/// <param name="CheckpointKeys">C2SP vkey lines of the ledger.</param>
/// <param name="BatchKeys">By source the SubjectPublicKeyInfo of its batch keys, given up or not.</param>
public sealed record TrustedList(
    IReadOnlyList<Certificate> Roots, IReadOnlyList<Certificate> Helpers, IReadOnlyList<string> CheckpointKeys, IReadOnlyDictionary<string, IReadOnlyList<byte[]>> BatchKeys)
{
    private const int MaxBytes = 1 << 20;
    private const int MaxItems = 1000;
    private const int MaxKeys = 64;
    private const string Root = "$";

    /// <summary>Witnesses (C2SP vkey lines, type 04) whose cosignature says that they rebuilt log and index.</summary>
    public IReadOnlyList<string> Witnesses { get; init; } = [];

    /// <summary>How many of them must have cosigned; 0, where there are none, takes the log's own word for its index.</summary>
    public int WitnessQuorum { get; init; }

    /// <summary>Reads a list file, or a folder of published material.</summary>
    /// <exception cref="InvalidDataException">Not a trusted list; the message says what is wrong.</exception>
    /// <exception cref="IOException">Cannot be read.</exception>
    public static TrustedList Load(string path)
    {
        var file = Directory.Exists(path) ? Path.Combine(path, "trusted-list.json") : path;
        try
        {
            return (Directory.Exists(path) && !File.Exists(file) ? FromFolder(path) : FromFile(file)).Checked();
        }
        catch (Exception e) when (e is EvidenceRefusedException or CryptographicException or ArgumentException or FormatException or System.Formats.Asn1.AsnContentException)
        {
            var why = e is EvidenceRefusedException refused ? $"{refused.Finding.Code} {refused.Finding.Detail}" : e.Message;
            throw new InvalidDataException($"{file} is not a trusted list (docs/LEDGER-FORMAT.md §12): {why}", e);
        }
    }

    private static TrustedList FromFolder(string path)
    {
        var keys = Path.Combine(path, "ledger.vkeys");
        var roots = Directory.EnumerateFiles(path, "root*.pem").Order(StringComparer.Ordinal)
            .SelectMany(file => Certificate.ParsePem(File.ReadAllText(file))).ToList();
        var batchKeys = BySource(Directory.EnumerateFiles(path, "*-batch*.spki").Order(StringComparer.Ordinal)
            .Select(file => (Path.GetFileName(file)[..Path.GetFileName(file).LastIndexOf("-batch", StringComparison.Ordinal)], File.ReadAllBytes(file))));
        var witnesses = Path.Combine(path, "witnesses.vkeys");
        IReadOnlyList<string> trusted = File.Exists(witnesses) ? [.. File.ReadAllLines(witnesses).Where(line => line.Length > 0)] : [];
        return File.Exists(keys)
            ? new TrustedList(roots, [], [.. File.ReadAllLines(keys).Where(line => line.Length > 0)], batchKeys)
            {
                Witnesses = trusted, WitnessQuorum = trusted.Count == 0 ? 0 : (trusted.Count / 2) + 1,
            }
            : throw new InvalidDataException($"{path} holds no ledger.vkeys");
    }

    private static TrustedList FromFile(string path)
    {
        var bytes = BoundedFile.Read(path, MaxBytes);
        EvidenceRefusedException.When(bytes is null, "size");
        var parsed = StrictJson.TryParse(bytes, new JsonLimits(MaxBytes, 8), out var root, out _);
        EvidenceRefusedException.When(!parsed, "JSON");
        Strict.Members(root, Root, "version", "roots", "issuers", "timeStamping?", "checkpointKeys", "witnesses?", "witnessQuorum?", "sources");
        EvidenceRefusedException.When(Strict.Number(root, "version", Root) != 1, "version");
        var helpers = Certificates(root, "issuers");
        if (root.TryGetProperty("timeStamping", out var stamp) && stamp.ValueKind != JsonValueKind.Null)
        {
            helpers.Add(Certificate.Parse(Strict.Bytes(stamp, "$.timeStamping")));
        }

        List<string> witnesses = root.TryGetProperty("witnesses", out _) ? Texts(root, "witnesses") : [];
        // Left out beside witnesses it would mean that none of them has to have cosigned.
        EvidenceRefusedException.When(witnesses.Count > 0 && !root.TryGetProperty("witnessQuorum", out _), "witnessQuorum", null, "is missing");
        var quorum = root.TryGetProperty("witnessQuorum", out _) ? Strict.Number(root, "witnessQuorum", Root) : 0;
        return new TrustedList(Certificates(root, "roots"), helpers, Texts(root, "checkpointKeys"), BySource(Strict.Items(root, "sources", Root, MaxItems).Select(Source)))
        {
            Witnesses = witnesses, WitnessQuorum = (int)Math.Min(quorum, int.MaxValue),
        };
    }

    private static (string Name, byte[] Key) Source(JsonElement source)
    {
        Strict.Members(source, "$.sources", "name", "batchKey");
        return (Strict.Text(source, "name", "$.sources"), Strict.Bytes(source, "batchKey", "$.sources"));
    }

    // What a list of any form has to keep: every key is one that can be used, none is there twice, and the quorum is one of these witnesses.
    private TrustedList Checked()
    {
        EvidenceRefusedException.When(Roots.Count == 0, "roots", null, "are missing");
        EvidenceRefusedException.When(CheckpointKeys.Count is 0 or > MaxKeys || CheckpointKeys.Distinct(StringComparer.Ordinal).Count() != CheckpointKeys.Count, "checkpointKeys");
        EvidenceRefusedException.When(Witnesses.Count > MaxKeys || Witnesses.Distinct(StringComparer.Ordinal).Count() != Witnesses.Count, "witnesses");
        EvidenceRefusedException.When(Witnesses.Count == 0 ? WitnessQuorum != 0 : WitnessQuorum < 1 || WitnessQuorum > Witnesses.Count, "witnessQuorum");
        CheckpointKeys.Select(CheckpointKey.OfLog).ToList().ForEach(key => key.CheckUsable());
        Witnesses.Select(CheckpointKey.OfWitness).ToList().ForEach(key => key.CheckUsable());
        foreach (var (source, keys) in BatchKeys)
        {
            EvidenceRefusedException.When(
                keys.Count > MaxKeys || keys.Select(Convert.ToHexString).Distinct(StringComparer.Ordinal).Count() != keys.Count, "sources", null, source);
            EvidenceRefusedException.When(!keys.All(CheckpointKey.IsP256), "sources", null, source);
        }

        return this;
    }

    private static Dictionary<string, IReadOnlyList<byte[]>> BySource(IEnumerable<(string Source, byte[] Key)> keys) =>
        keys.GroupBy(k => k.Source, StringComparer.Ordinal).ToDictionary(g => g.Key, IReadOnlyList<byte[]> (g) => [.. g.Select(k => k.Key)], StringComparer.Ordinal);

    private static List<Certificate> Certificates(JsonElement root, string name) =>
        [.. Strict.Items(root, name, "$", MaxItems).Select(c => Certificate.Parse(Strict.Bytes(c, "$." + name)))];

    private static List<string> Texts(JsonElement root, string name) => [.. Strict.Items(root, name, "$", MaxItems).Select(k => Strict.Text(k, "$." + name))];
}
