namespace Trust.SignService.Signatures;

/// <summary>
/// The named instants between durable steps. Nothing happens here in service; a test stops the process at one of them and shows that
/// a retry loses nothing and releases one signature.
/// </summary>
public sealed class CommitPoints
{
    /// <summary>The signature verified; nothing is stored.</summary>
    public const string BeforeIntent = "before-intent";

    /// <summary>The intent is committed and confirmed by the ledger.</summary>
    public const string AfterIntent = "after-intent";

    /// <summary>The token has signed or stamped; the result is not stored.</summary>
    public const string AfterAct = "after-act";

    /// <summary>The result is committed; the caller has no answer yet.</summary>
    public const string AfterResult = "after-result";

    /// <summary>Called at each point with its name; null in service.</summary>
    public Action<string>? Reached { get; set; }

    internal void Pass(string name) => Reached?.Invoke(name);
}
