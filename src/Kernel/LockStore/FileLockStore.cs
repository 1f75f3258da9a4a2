using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Trust.Kernel.LockStore;

/// <summary>
/// Lock store in two files written in turn, each flushed to the device before the swap counts. A torn write spoils only the older copy's
/// successor; no rename happens, so no directory entry has to become durable after the first start. Exclusion is flock(2) on a third file,
/// which the kernel drops when the process dies. For processes on one machine, or a file system whose flock spans machines.
/// </summary>
public sealed class FileLockStore : ILockStore
{
    private const int HeaderSize = 4 + 8 + 4;

    private static readonly byte[] Magic = "TLS1"u8.ToArray();

    private readonly string _directory;

    /// <param name="directory">Made if missing; readable and writable by the ledger alone.</param>
    public FileLockStore(string directory)
    {
        _directory = directory;
        Directory.CreateDirectory(directory);
    }

    /// <inheritdoc/>
    public IDisposable? TryAcquire()
    {
        try
        {
            // FileShare.None is flock(LOCK_EX | LOCK_NB) on Linux.
            return new FileStream(Path.Combine(_directory, "holder"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (e is not (DirectoryNotFoundException or FileNotFoundException))
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public string Read() => Latest().Note;

    /// <inheritdoc/>
    public void Swap(string expected, string note)
    {
        var latest = Latest();
        if (!string.Equals(latest.Note, expected, StringComparison.Ordinal))
        {
            throw new LockStoreException("the lock store holds another checkpoint than its holder believes");
        }

        var generation = latest.Generation + 1;
        var text = Encoding.UTF8.GetBytes(note);
        var bytes = new byte[HeaderSize + text.Length + SHA256.HashSizeInBytes];
        Magic.CopyTo(bytes, 0);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(4), generation);
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(12), text.Length);
        text.CopyTo(bytes, HeaderSize);
        SHA256.HashData(bytes.AsSpan(0, HeaderSize + text.Length), bytes.AsSpan(HeaderSize + text.Length));
        using var file = File.OpenHandle(Slot(generation), FileMode.OpenOrCreate, FileAccess.Write);
        RandomAccess.Write(file, bytes, 0);
        if (DataSync(file) != 0)
        {
            throw new IOException($"{Slot(generation)} was not flushed to the device: {Marshal.GetLastPInvokeErrorMessage()}");
        }
    }

    // What the file holds is flushed, and its length when that has grown. Its time of change is not: to make that durable too, as fsync(2) does, a
    // journaling file system first writes out whatever others have lately put into new blocks, and a database that grows puts much there.
#pragma warning disable SYSLIB1054 // What is generated instead would make the whole assembly one that may be unsafe, for a handle and a number.
    [DllImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int DataSync(SafeFileHandle file);
#pragma warning restore SYSLIB1054

    private string Slot(long generation) => Path.Combine(_directory, generation % 2 == 0 ? "checkpoint.0" : "checkpoint.1");

    private (long Generation, string Note) Latest()
    {
        var one = TryRead(Slot(0));
        var two = TryRead(Slot(1));
        if (one is null && two is null)
        {
            // A first swap cut off by a crash leaves one spoiled file and nothing signed to lose.
            return File.Exists(Slot(0)) && File.Exists(Slot(1))
                ? throw new LockStoreException($"neither copy in {_directory} is whole")
                : (0, "");
        }

        return (one?.Generation ?? -1) > (two?.Generation ?? -1) ? one!.Value : two!.Value;
    }

    private static (long Generation, string Note)? TryRead(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        var bytes = File.ReadAllBytes(path);
        if (bytes.Length < HeaderSize + SHA256.HashSizeInBytes || !bytes.AsSpan().StartsWith(Magic))
        {
            return null;
        }

        // The file keeps the length of its longest note; what counts is the length in the header.
        var length = BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(12));
        var end = HeaderSize + length;
        return length >= 0 && end <= bytes.Length - SHA256.HashSizeInBytes
            && SHA256.HashData(bytes.AsSpan(0, end)).AsSpan().SequenceEqual(bytes.AsSpan(end, SHA256.HashSizeInBytes))
            ? (BinaryPrimitives.ReadInt64BigEndian(bytes.AsSpan(4)), Encoding.UTF8.GetString(bytes, HeaderSize, length))
            : null;
    }
}
