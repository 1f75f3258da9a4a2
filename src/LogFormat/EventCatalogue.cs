using System.Buffers;
using System.Collections.Frozen;
using System.Text;

namespace Trust.LogFormat;

/// <summary>How an event of an action is recorded.</summary>
public enum EventMode
{
    /// <summary>The intent waits for the ledger's receipt (<c>Outbox.AppendConfirmed</c>); its result is then appended and never refused.</summary>
    Confirmed,

    /// <summary>Works on while the ledger is away, within the budget.</summary>
    Traced,

    /// <summary>Only takes rights away, so it never waits for the ledger and is never refused.</summary>
    RightsReducing,
}

/// <summary>The closed list of actions. An action that is not here cannot be appended and is refused by the ledger.</summary>
public static class EventCatalogue
{
    private const int LongestName = 32;

    private static readonly FrozenDictionary<string, EventMode> Modes = Entries().ToFrozenDictionary(StringComparer.Ordinal);

    private static readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> Listed =
        Modes.Keys.ToFrozenSet(StringComparer.Ordinal).GetAlternateLookup<ReadOnlySpan<char>>();

    // "RX.* (each transition)" and "GRANT.*": their services name the transitions.
    private static readonly string[] Families = ["RX.", "GRANT."];

    /// <summary>All names that are listed one by one.</summary>
    public static IEnumerable<string> Names => Modes.Keys;

    /// <summary>Finds how an action is recorded; false when there is no such action.</summary>
    public static bool TryGetMode(string action, out EventMode mode)
    {
        if (Modes.TryGetValue(action, out mode))
        {
            return true;
        }

        mode = EventMode.Traced;
        foreach (var family in Families)
        {
            if (action.StartsWith(family, StringComparison.Ordinal))
            {
                return action.Length > family.Length && action.Length <= LongestName
                    && !action.AsSpan(family.Length).ContainsAnyExceptInRange('a', 'z');
            }
        }

        return false;
    }

    /// <summary>The action that these bytes name; null when there is no such action.</summary>
    internal static string? Find(ReadOnlySpan<byte> name)
    {
        Span<char> characters = stackalloc char[LongestName];
        if (name.Length > LongestName || Ascii.ToUtf16(name, characters, out var length) != OperationStatus.Done)
        {
            return null;
        }

        if (Listed.TryGetValue(characters[..length], out var listed))
        {
            return listed;
        }

        var other = characters[..length].ToString();
        return TryGetMode(other, out _) ? other : null;
    }

    private static Dictionary<string, EventMode> Entries()
    {
        var modes = new Dictionary<string, EventMode>(StringComparer.Ordinal);
        Add(modes, EventMode.Confirmed,
            "CERT.issue", "KEY.activate", "SIGN.request", "REC.read", "REC.export", "BG.open", "REG.query", "RES.permit.use", "SUBJECT.bind");
        Add(modes, EventMode.RightsReducing,
            "AUTH.logout", "AUTH.fail", "ID.suspend", "CERT.hold", "CERT.revoke", "CERT.crl", "CONSENT.withdraw", "GRANT.revoke", "BL.add", "BG.close",
            "REG.freeze", "RES.deny", "RX.void", "RX.freeze", "KEY.destroy", "SIGN.deny",
            // What a confirmed act came to: the card has signed, and its result is recorded whatever else waits.
            "SIGN.done");
        Add(modes, EventMode.Traced,
            "AUTH.login", "AUTH.stepup", "ID.enrol", "ID.proof", "ID.file", "ID.state",
            "CERT.request", "CERT.approve", "CERT.resume", "KEY.generate", "SIGN.verify",
            "REC.write", "REC.amend", "REC.archive", "CONSENT.grant", "CONSENT.discard", "AUTH.discard", "BG.review", "BL.appeal", "BL.remove",
            "REG.verify", "RES.place", "ADMIN.rule", "ADMIN.role", "ADMIN.config",
            "LEDGER.anchor", "LEDGER.verify", "LEDGER.gap", "LEDGER.hold", "LEDGER.release", "LEDGER.prune", "LEDGER.repair", "LEDGER.alarm");
        return modes;
    }

    private static void Add(Dictionary<string, EventMode> modes, EventMode mode, params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            modes.Add(name, mode);
        }
    }
}
