namespace Trust.CA.Certificates;

/// <summary>
/// The named instants between the durable steps of an issuance. Nothing happens here in service; a test stops the process at one of
/// them and shows that a retry loses nothing and releases one certificate.
/// </summary>
public sealed class CommitPoints
{
    /// <summary>Linted; nothing is stored.</summary>
    public const string BeforeReserve = "before-reserve";

    /// <summary>Serial number and bytes are reserved, the intent is confirmed by the ledger.</summary>
    public const string AfterReserve = "after-reserve";

    /// <summary>The token has signed; nothing of it is stored.</summary>
    public const string AfterSign = "after-sign";

    /// <summary>The certificate is recorded; the caller has no answer yet.</summary>
    public const string AfterRecord = "after-record";

    /// <summary>Called at each point with its name; null in service.</summary>
    public Action<string>? Reached { get; set; }

    internal void Pass(string name) => Reached?.Invoke(name);
}
