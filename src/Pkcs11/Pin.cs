using System.Security.Cryptography;

namespace Trust.Pkcs11;

/// <summary>A token PIN: bytes read from a protected file for the length of one login, then zeroed.</summary>
public sealed class Pin : IDisposable
{
    private const int MaxBytes = 256;
    private readonly byte[] _bytes;

    private Pin(byte[] bytes) => _bytes = bytes;

    // Pinned, so that the library hands the module this very memory.
    internal byte[] Bytes => _bytes;

    /// <summary>Reads a PIN file: its first line, 4 to 256 bytes. Refuses a file that others than its owner can read or write.</summary>
    /// <exception cref="TokenException">PIN_FILE: missing, readable by others, or of an impossible length.</exception>
    public static Pin Read(string path)
    {
        var file = new FileInfo(path);
        if (!file.Exists)
        {
            throw new TokenException("PIN_FILE", $"The PIN file {path} does not exist.");
        }

        if (!OperatingSystem.IsWindows())
        {
            const UnixFileMode others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
                | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;
            if ((file.UnixFileMode & others) != UnixFileMode.None)
            {
                throw new TokenException("PIN_FILE", $"The PIN file {path} can be reached by others than its owner: chmod 600 it.");
            }
        }

        var buffer = GC.AllocateArray<byte>(MaxBytes + 1, pinned: true);
        try
        {
            using var stream = file.OpenRead();
            var read = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
            var line = buffer.AsSpan(0, read);
            var end = line.IndexOfAny((byte)'\n', (byte)'\r');
            line = end < 0 ? line : line[..end];
            if (line.Length is < 4 or > MaxBytes)
            {
                throw new TokenException("PIN_FILE", $"The PIN file {path} must hold one line of 4 to {MaxBytes} bytes.");
            }

            // Pinned, so that the collector leaves no copies behind.
            var bytes = GC.AllocateArray<byte>(line.Length, pinned: true);
            line.CopyTo(bytes);
            return new Pin(bytes);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(buffer);
        }
    }

    /// <summary>Never the PIN.</summary>
    public override string ToString() => "Pin(redacted)";

    /// <summary>Zeroes the bytes.</summary>
    public void Dispose() => CryptographicOperations.ZeroMemory(_bytes);
}
