using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using Trust.Kernel.Hosting;

namespace Trust.Kernel.Residency;

/// <summary>
/// The signed declaration as files: the one that is given, in the public folder, and the newest that the service ever took, in the folder that only it writes.
/// </summary>
internal sealed class DeclarationFiles
{
    private readonly string _folder;
    private readonly string _own;
    private readonly Lazy<DeclarationTrust> _trust;

    /// <summary>Reads nothing yet.</summary>
    public DeclarationFiles(ServiceOptions options)
    {
        _folder = options.ResidencyDirectory ?? options.PublicDirectory;
        _own = options.DataDirectory;
        _trust = new Lazy<DeclarationTrust>(Load);
    }

    /// <summary>Every file, be it there or not.</summary>
    public IReadOnlyList<string> All => [Path.Combine(_folder, ResidencyGate.FileName), Path.Combine(_own, ResidencyGate.FileName)];

    /// <summary>True when there is a declaration, valid or not.</summary>
    public bool Any => All.Any(File.Exists);

    /// <summary>Reads a declaration.</summary>
    public ReadDeclaration Read(byte[] bytes, DateTimeOffset now) => ReadDeclaration.Of(bytes, _trust.Value, now);

    /// <summary>The newest valid one.</summary>
    /// <exception cref="ValidationException">There is none, or a newer one was in force that this program cannot read.</exception>
    public (ResidencyTerms Terms, byte[] Bytes) Newest(DateTimeOffset now)
    {
        // Whom to believe comes first: without it no declaration says anything.
        _ = _trust.Value;
        var read = All.Where(File.Exists).Select(f => Read(File.ReadAllBytes(f), now)).ToList();
        if (read.Where(r => r.Terms is not null).MaxBy(r => r.Terms!.Declaration.Version) is not { Terms: { } terms } newest)
        {
            throw new ValidationException(
                $"There is no valid residency declaration in {_folder}: {read.Find(r => r.Fault.Length > 0)?.Fault ?? ResidencyGate.FileName + " is missing."} Two officers sign one (docs/RESIDENCY.md).");
        }

        // What took a place or a network away may be the very document that does not read.
        return read.Find(r => r.Unread > terms.Declaration.Version) is { } unread
            ? throw new ValidationException($"A newer residency declaration than version {terms.Declaration.Version} is in force and cannot be read: {unread.Fault} An older one is not gone back to.")
            : (terms, newest.Bytes);
    }

    /// <summary>Keeps what is in force where only the service writes: nothing older is gone back to, also after a restart.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Keep(byte[] bytes)
    {
        if (Directory.Exists(_own))
        {
            var file = Path.Combine(_own, ResidencyGate.FileName);
            File.WriteAllBytes(file + ".next", bytes);
            File.Move(file + ".next", file, overwrite: true);
        }
    }

    private DeclarationTrust Load()
    {
        try
        {
            return DeclarationTrust.Load(_folder);
        }
        catch (IOException e)
        {
            throw new ValidationException($"The keys that a residency declaration is believed by cannot be read: {e.Message}", e);
        }
    }
}

/// <summary>What a service makes of a declaration.</summary>
/// <param name="Bytes">As it was read.</param>
/// <param name="Terms">What it says; null where it is not taken.</param>
/// <param name="Unread">Of one that ca accepted and that is not taken all the same: its version.</param>
/// <param name="Fault">Why it is not taken; empty where it is.</param>
internal sealed record ReadDeclaration(byte[] Bytes, ResidencyTerms? Terms, int? Unread, string Fault)
{
    /// <summary>Reads a declaration: signed by two officers and accepted by ca, or it says nothing.</summary>
    public static ReadDeclaration Of(byte[] bytes, DeclarationTrust trust, DateTimeOffset now)
    {
        if (SignedDeclaration.TryRead(bytes, trust, out var fault) is not { } signed)
        {
            return new ReadDeclaration(bytes, null, null, fault);
        }

        if (!signed.Accepted)
        {
            return new ReadDeclaration(bytes, null, null, "ca has not accepted the declaration.");
        }

        if (ResidencyTerms.TryReadInForce(signed.Document, now, out fault) is not { } terms)
        {
            return new ReadDeclaration(bytes, null, VersionOf(signed.Document), fault);
        }

        return signed.Fault(trust, terms.Declaration.IssuedAt, CancellationToken.None) is { } unsigned
            ? new ReadDeclaration(bytes, null, terms.Declaration.Version, unsigned) : new ReadDeclaration(bytes, terms, null, "");
    }

    // Of a document that is not understood at all nobody can say that it is older.
    private static int VersionOf(byte[] document)
    {
        try
        {
            return JsonElement.Parse(document).TryGetProperty("version", out var version) && version.TryGetInt32(out var number) ? number : int.MaxValue;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return int.MaxValue;
        }
    }
}
