using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using System.Text.Json.Serialization;
using Trust.Cli.Local;

namespace Trust.Upgrade.Tests;

/// <summary>
/// The files of an installation that some commit made, as they lie in <c>Installations/</c>: a dump of each cluster, its folder, and what was
/// handed to others while it ran. In its text files a mark stands for each folder, port and address, so that it can be put anywhere.
/// </summary>
/// <param name="Folder">Where the files lie.</param>
internal sealed record KeptInstallation(string Folder)
{
    /// <summary>Database of each cluster's services.</summary>
    public static IReadOnlyDictionary<string, string> Databases { get; } = new Dictionary<string, string>(StringComparer.Ordinal) { ["main"] = "trust", ["ledger"] = "ledger" };

    /// <summary>The installation's folder without its clusters, its logs and the notes on running processes.</summary>
    public string Files => Path.Combine(Folder, "files.tar.gz");

    /// <summary>What the regulator was given on the dispensed prescription.</summary>
    public string Evidence => Path.Combine(Folder, "evidence.json");

    /// <summary>What it was to be judged against.</summary>
    public string TrustedList => Path.Combine(Folder, "trusted-list.json");

    /// <summary>The last checkpoint that was published.</summary>
    public string Checkpoint => Path.Combine(Folder, "checkpoint.txt");

    /// <summary>Who and what is in it.</summary>
    public string Facts => Path.Combine(Folder, "facts.json");

    /// <summary>Dump of one cluster: its roles and its database, SQL.</summary>
    public string Dump(string cluster) => Path.Combine(Folder, cluster + ".sql.gz");

    /// <summary>The text files that name folders, ports and addresses.</summary>
    public static IEnumerable<string> Placed(string directory) =>
        Directory.EnumerateFiles(Path.Combine(directory, "config"), "*.json").Concat(Directory.EnumerateFiles(directory, "softhsm2.conf", SearchOption.AllDirectories));

    /// <summary>What each mark stands for; applied in this order.</summary>
    public static (string Mark, string Value)[] Marks(string directory, AddressPlan addresses, int mainPort, int ledgerPort) =>
    [
        ("{directory}", directory), ("{repository}", Cli.Program.RepositoryRoot()), ("{module}", SoftHsm.InstalledModule ?? "{module}"),
        ("{main}", FormattableString.Invariant($"Host=127.0.0.1;Port={mainPort}")), ("{ledger-cluster}", FormattableString.Invariant($"Host=127.0.0.1;Port={ledgerPort}")),
        ("{idp}", addresses.Idp), ("{card}", addresses.Card), ("{idp-services}", addresses.IdpServices), ("{ca}", addresses.CA), ("{officers}", addresses.Officers),
        ("{public}", addresses.Public), ("{sign}", addresses.Sign), ("{ledger}", addresses.Ledger), ("{witness}", addresses.Witness),
    ];

    /// <summary>Packs a file.</summary>
    public static async Task Write(string path, string text, CancellationToken ct)
    {
        await using var zip = new GZipStream(File.Create(path), CompressionLevel.SmallestSize);
        await zip.WriteAsync(Encoding.UTF8.GetBytes(text), ct);
    }

    /// <summary>A packed file's text.</summary>
    public static async Task<string> Read(string path, CancellationToken ct)
    {
        await using var zip = new GZipStream(File.OpenRead(path), CompressionMode.Decompress);
        using var reader = new StreamReader(zip, Encoding.UTF8);
        return await reader.ReadToEndAsync(ct);
    }

    /// <summary>Puts the installation's files into a folder, with the modes they had.</summary>
    public async Task Unpack(string directory, CancellationToken ct)
    {
        await using var zip = new GZipStream(File.OpenRead(Files), CompressionMode.Decompress);
        await TarFile.ExtractToDirectoryAsync(zip, directory, overwriteFiles: false, ct);
    }

    /// <summary>Packs a folder.</summary>
    public async Task Pack(string directory, CancellationToken ct)
    {
        await using var zip = new GZipStream(File.Create(Files), CompressionLevel.SmallestSize);
        await TarFile.CreateFromDirectoryAsync(directory, zip, includeBaseDirectory: false, ct);
    }
}

/// <summary>Who and what an installation holds.</summary>
/// <param name="Dispensed">The prescription that was reviewed, sealed, claimed and dispensed.</param>
/// <param name="Signed">One that its doctor signed and nobody reviewed.</param>
/// <param name="Prepared">One that was prepared and never signed.</param>
/// <param name="DispensedAsRead">What the pharmacy's system read of the dispensed one.</param>
/// <param name="SignedAsRead">What the hospital's system read of the signed one.</param>
/// <param name="Institutions">URNs: hospital, clinic, pharmacy.</param>
/// <param name="Practitioners">URNs: physician, pharmacist, retail pharmacist.</param>
/// <param name="SealCertificate">SHA-256 of the hospital's seal certificate, hex.</param>
/// <param name="Hold">The open hold on the dispensed prescription.</param>
internal sealed record Facts(
    string Dispensed, string Signed, string Prepared, string DispensedAsRead, string SignedAsRead, IReadOnlyList<string> Institutions, IReadOnlyList<string> Practitioners,
    string SealCertificate, string Hold);

/// <summary>How <see cref="Facts"/> are written.</summary>
[JsonSourceGenerationOptions(WriteIndented = true)]
[JsonSerializable(typeof(Facts))]
internal sealed partial class FactsJson : JsonSerializerContext;
