namespace Trust.Cli.Verify;

/// <summary>Files of strangers, never read further than they may be long.</summary>
internal static class BoundedFile
{
    /// <summary>The bytes of a file; null when there are more.</summary>
    /// <param name="path">File.</param>
    /// <param name="most">Longest file read.</param>
    /// <exception cref="IOException">Cannot be read.</exception>
    public static byte[]? Read(string path, int most)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        using var bytes = new MemoryStream();
        var block = new byte[1 << 16];
        // What is no regular file tells no length.
        for (int read; bytes.Length <= most && (read = file.Read(block)) > 0;)
        {
            bytes.Write(block, 0, read);
        }

        return bytes.Length > most ? null : bytes.ToArray();
    }
}
