using System.Globalization;
using Trust.Cli.Local;
using Trust.Pkcs11;

namespace Trust.TestKit;

/// <summary>SoftHSM tokens for tests: one private directory per test process, in memory where the machine offers it.</summary>
public static class Tokens
{
    private static readonly Lazy<SoftHsm> Hsm = new(Create);
    private static int _count;

    /// <summary>The module, configured for this process.</summary>
    public static SoftHsm SoftHsm => Hsm.Value;

    /// <summary>A fresh blank token with its PIN file; a few milliseconds.</summary>
    /// <param name="name">Shown in the label, which is unique in any case; at most 20 characters.</param>
    public static TokenOptions NewOptions(string name = "t")
    {
        var label = string.Create(CultureInfo.InvariantCulture, $"{name}-{Interlocked.Increment(ref _count)}");
        var hsm = Hsm.Value;
        // A busy machine is no token that hangs: tests of the deadline set their own.
        return hsm.InitToken(label, Path.Combine(Path.GetDirectoryName(hsm.ConfigurationPath)!, label + ".pin")) with
        {
            Sessions = 2,
            CallTimeout = TimeSpan.FromMinutes(1),
        };
    }

    /// <summary>A fresh token, open and logged in.</summary>
    public static ValueTask<Pkcs11Token> NewToken(string name = "t") =>
        Pkcs11Token.Open(NewOptions(name), CancellationToken.None);

    private static SoftHsm Create()
    {
        var parent = Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath();
        var directory = Directory.CreateTempSubdirectory("trust-tokens-").FullName;
        if (string.Equals(parent, "/dev/shm", StringComparison.Ordinal))
        {
            Directory.Delete(directory);
            directory = Path.Combine(parent, Path.GetFileName(directory));
        }

        AppDomain.CurrentDomain.ProcessExit += (_, _) =>
        {
            if (Directory.Exists(directory))
            {
                Directory.Delete(directory, recursive: true);
            }
        };
        return SoftHsm.Open(directory);
    }
}
