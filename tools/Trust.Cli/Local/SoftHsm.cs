using System.Security.Cryptography;
using System.Text;
using Trust.Pkcs11;

namespace Trust.Cli.Local;

/// <summary>
/// SoftHSM2 with a token directory of its own. The machine's own tokens and configuration are never touched. One per process:
/// the module reads its configuration once, when it is first initialised.
/// </summary>
public sealed class SoftHsm
{
    private static readonly string[] ModulePaths =
    [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
        "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    ];

    private readonly string _directory;

    private SoftHsm(string directory, string modulePath)
    {
        _directory = directory;
        ModulePath = modulePath;
    }

    /// <summary>The SoftHSM2 module of this machine; null when it is not installed.</summary>
    public static string? InstalledModule => Array.Find(ModulePaths, File.Exists);

    /// <summary>The module in use.</summary>
    public string ModulePath { get; }

    /// <summary>The configuration file; give it to child processes as SOFTHSM2_CONF.</summary>
    public string ConfigurationPath => Path.Combine(_directory, "softhsm2.conf");

    /// <summary>Opens a private token directory, making it when it is missing, and points this process's module at it.</summary>
    /// <param name="directory">Absolute; its owner alone can enter it.</param>
    /// <exception cref="TokenException">SoftHSM2 is not installed.</exception>
    public static SoftHsm Open(string directory)
    {
        var module = InstalledModule
            ?? throw new TokenException("MODULE", "SoftHSM2 is not installed: apt-get install softhsm2");
        const UnixFileMode ownerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        Directory.CreateDirectory(directory, ownerOnly);
        var tokens = Path.Combine(directory, "tokens");
        Directory.CreateDirectory(tokens, ownerOnly);
        var softHsm = new SoftHsm(directory, module);
        if (!File.Exists(softHsm.ConfigurationPath))
        {
            File.WriteAllText(
                softHsm.ConfigurationPath,
                $"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n");
        }

        NativeEnvironment.Set("SOFTHSM2_CONF", softHsm.ConfigurationPath);
        return softHsm;
    }

    /// <summary>
    /// Makes a token, unless it is there. Its PIN file (mode 0600) is written when missing, with a random PIN; a card whose
    /// holder types the PIN gets a file prepared by the caller. The security officer's PIN is random, beside the tokens.
    /// </summary>
    /// <param name="label">The token's label, 1 to 32 bytes.</param>
    /// <param name="pinFile">Where the user PIN is or shall be.</param>
    public TokenOptions InitToken(string label, string pinFile)
    {
        if (!File.Exists(pinFile))
        {
            WritePin(pinFile, RandomPin());
        }

        if (!TokenSetup.Exists(ModulePath, label))
        {
            var officerPin = Path.Combine(_directory, $"{label}.so-pin");
            if (!File.Exists(officerPin))
            {
                WritePin(officerPin, RandomPin());
            }

            TokenSetup.Initialize(ModulePath, label, officerPin, pinFile);
        }

        return Options(label, pinFile);
    }

    /// <summary>Options of a token in this directory.</summary>
    public TokenOptions Options(string label, string pinFile) =>
        new() { ModulePath = ModulePath, TokenLabel = label, PinFile = pinFile };

    /// <summary>Writes a PIN file that its owner alone can read.</summary>
    public static void WritePin(string path, ReadOnlySpan<byte> pin)
    {
        using var stream = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        stream.Write(pin);
    }

    private static byte[] RandomPin() => Encoding.ASCII.GetBytes(RandomNumberGenerator.GetString("0123456789", 12));
}
