using System.Security.Cryptography;

namespace Trust.Cli.Verify;

/// <summary>Inclusion and consistency in the log's RFC 6962 tree.</summary>
internal static class LogProof
{
    /// <summary>RFC 9162 §2.1.3.2.</summary>
    public static bool InTree(long index, long size, byte[] hash, List<byte[]> proof, byte[] root)
    {
        if (index < 0 || index >= size)
        {
            return false;
        }

        var (fn, sn) = (index, size - 1);
        foreach (var p in proof)
        {
            if (sn == 0)
            {
                return false;
            }

            if (fn % 2 == 1 || fn == sn)
            {
                hash = SHA256.HashData([1, .. p, .. hash]);
                while (fn % 2 == 0 && fn != 0)
                {
                    (fn, sn) = (fn / 2, sn / 2);
                }
            }
            else
            {
                hash = SHA256.HashData([1, .. hash, .. p]);
            }

            (fn, sn) = (fn / 2, sn / 2);
        }

        return sn == 0 && hash.AsSpan().SequenceEqual(root);
    }

    /// <summary>RFC 9162 §2.1.4.2.</summary>
    public static bool Extends(long first, byte[] firstRoot, long second, byte[] secondRoot, List<byte[]> proof)
    {
        if (first <= 0 || first >= second)
        {
            return first > 0 && first == second && proof.Count == 0 && firstRoot.AsSpan().SequenceEqual(secondRoot);
        }

        var path = long.IsPow2(first) ? [firstRoot, .. proof] : proof;
        var (fn, sn) = (first - 1, second - 1);
        while (fn % 2 == 1)
        {
            (fn, sn) = (fn / 2, sn / 2);
        }

        var (fr, sr) = path.Count == 0 ? ([], []) : (path[0], path[0]);
        foreach (var c in path.Skip(1))
        {
            if (sn == 0)
            {
                return false;
            }

            if (fn % 2 == 1 || fn == sn)
            {
                (fr, sr) = (SHA256.HashData([1, .. c, .. fr]), SHA256.HashData([1, .. c, .. sr]));
                while (fn % 2 == 0 && fn != 0)
                {
                    (fn, sn) = (fn / 2, sn / 2);
                }
            }
            else
            {
                sr = SHA256.HashData([1, .. sr, .. c]);
            }

            (fn, sn) = (fn / 2, sn / 2);
        }

        return sn == 0 && fr.AsSpan().SequenceEqual(firstRoot) && sr.AsSpan().SequenceEqual(secondRoot);
    }
}
