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

    /// <summary>Witnesses (C2SP vkey lines, type 04) whose cosignature says that they rebuilt log and index.</summary>
    public IReadOnlyList<string> Witnesses { get; init; } = [];

    /// <summary>How many of them must have cosigned; 0 takes the log's own word for its index.</summary>
    public int WitnessQuorum { get; init; }

    /// <summary>Reads a list file, or a folder of published material.</summary>
    /// <exception cref="InvalidDataException">Not a trusted list; the message says what is wrong.</exception>
    /// <exception cref="IOException">Cannot be read.</exception>
    public static TrustedList Load(string path)
    {
        var file = Directory.Exists(path) ? Path.Combine(path, "trusted-list.json") : path;
        return Directory.Exists(path) && !File.Exists(file) ? FromFolder(path) : FromFile(file);
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
        if (!StrictJson.TryParse(File.ReadAllBytes(path), new JsonLimits(MaxBytes), out var root, out _) || root.ValueKind != JsonValueKind.Object)
        {
            throw new InvalidDataException($"{path} is not JSON in the form of docs/LEDGER-FORMAT.md §10");
        }

        try
        {
            var helpers = Certificates(root, "issuers");
            if (root.TryGetProperty("timeStamping", out var stamp))
            {
                helpers.Add(Certificate.Parse(stamp.GetBytesFromBase64()));
            }

            return new TrustedList(
                Certificates(root, "roots"),
                helpers,
                [.. root.GetProperty("checkpointKeys").EnumerateArray().Select(k => k.GetString()!)],
                BySource(root.GetProperty("sources").EnumerateArray()
                    .Select(s => (s.GetProperty("name").GetString()!, s.GetProperty("batchKey").GetBytesFromBase64()))))
            {
                Witnesses = root.TryGetProperty("witnesses", out var witnesses) ? [.. witnesses.EnumerateArray().Select(k => k.GetString()!)] : [],
                WitnessQuorum = root.TryGetProperty("witnessQuorum", out var quorum) ? quorum.GetInt32() : 0,
            };
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException or ArgumentException or System.Formats.Asn1.AsnContentException
            or System.Security.Cryptography.CryptographicException)
        {
            throw new InvalidDataException($"{path} is not a trusted list: {e.Message}", e);
        }
    }

    private static Dictionary<string, IReadOnlyList<byte[]>> BySource(IEnumerable<(string Source, byte[] Key)> keys) =>
        keys.GroupBy(k => k.Source, StringComparer.Ordinal).ToDictionary(g => g.Key, IReadOnlyList<byte[]> (g) => [.. g.Select(k => k.Key)], StringComparer.Ordinal);

    private static List<Certificate> Certificates(JsonElement root, string name) =>
        root.TryGetProperty(name, out var list) ? [.. list.EnumerateArray().Select(c => Certificate.Parse(c.GetBytesFromBase64()))] : [];
}
