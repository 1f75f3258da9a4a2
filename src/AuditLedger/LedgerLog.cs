namespace Trust.AuditLedger;

/// <summary>Log lines of the ledger, 5000 to 5099.</summary>
internal static partial class LedgerLog
{
    [LoggerMessage(5000, LogLevel.Information, "Sequencing from {Size} as writer {Writer}")]
    public static partial void Leading(ILogger log, long size, long writer);

    [LoggerMessage(5001, LogLevel.Error, "The sequencer lost its footing and loads again")]
    public static partial void LeadFailed(ILogger log, Exception e);

    [LoggerMessage(5002, LogLevel.Critical, "The ledger will not sign: {Why}")]
    public static partial void SetBack(ILogger log, string why);

    [LoggerMessage(5003, LogLevel.Warning, "Entries {From} to {To} were stored but not signed when the last sequencer ended; they are signed now")]
    public static partial void CaughtUp(ILogger log, long from, long to);

    [LoggerMessage(5004, LogLevel.Warning, "Event {Position} of a batch of {Source} is refused: {Reason}")]
    public static partial void EventRefused(ILogger log, int position, string source, string reason);

    [LoggerMessage(5005, LogLevel.Error, "A batch of {Source} is not signed by its batch key")]
    public static partial void BadSignature(ILogger log, string source);

    [LoggerMessage(5011, LogLevel.Error, "The stored SM3 tree of size {Size} is not the one that was signed; it is rebuilt from the entries")]
    public static partial void Sm3Rebuilt(ILogger log, long size);

    [LoggerMessage(5020, LogLevel.Warning, "A witness could not be asked at the start: {Why}")]
    public static partial void WitnessNotAsked(ILogger log, string why);

    [LoggerMessage(5026, LogLevel.Critical, "Not leading: {Why}")]
    public static partial void WitnessesUnheard(ILogger log, string why);

    [LoggerMessage(5021, LogLevel.Error, "The witness {Witness} does not cosign ({Status}): {Why}")]
    public static partial void WitnessRefused(ILogger log, string witness, int status, string why);

    [LoggerMessage(5022, LogLevel.Warning, "The witness {Witness} stands at {Theirs} entries, {Ours} were brought to it")]
    public static partial void WitnessElsewhere(ILogger log, string witness, long theirs, long ours);

    [LoggerMessage(5023, LogLevel.Error, "A round with {Witness} failed")]
    public static partial void RoundFailed(ILogger log, string witness, Exception e);

    [LoggerMessage(5024, LogLevel.Critical, "No quorum of {Quorum} witnesses since {Since}: {Lag} entries are not witnessed; published without: {FailOpen}")]
    public static partial void NoQuorum(ILogger log, int quorum, DateTimeOffset since, long lag, bool failOpen);

    [LoggerMessage(5025, LogLevel.Warning, "The witnesses cosign again, up to {Size}")]
    public static partial void QuorumAgain(ILogger log, long size);

    [LoggerMessage(5050, LogLevel.Information, "The subject index stands at {Size}, taken on from {From}: {Keys} keys in the live volume, {Sealed} volumes sealed")]
    public static partial void IndexReady(ILogger log, long size, long from, long keys, int @sealed);

    [LoggerMessage(5051, LogLevel.Information, "The subject index is being rebuilt: {At} of {Size} entries")]
    public static partial void IndexReplays(ILogger log, long at, long size);

    [LoggerMessage(5052, LogLevel.Critical, "The subject index is damaged, and nothing is proved from it: {Why}")]
    public static partial void IndexDamaged(ILogger log, string why);

    [LoggerMessage(5030, LogLevel.Warning, "{Authority} gave no time-stamp: {Why}")]
    public static partial void NoStamp(ILogger log, string authority, string why);

    [LoggerMessage(5032, LogLevel.Critical, "The log has grown and is not anchored since {Since}; intake stops: {Stops}")]
    public static partial void AnchorOverdue(ILogger log, DateTimeOffset since, bool stops);

    [LoggerMessage(5033, LogLevel.Error, "The anchor of {Size} could not be stamped again; its stamp ends {Ends}")]
    public static partial void NotRenewed(ILogger log, long size, DateTimeOffset ends);

    [LoggerMessage(5034, LogLevel.Critical, "Nothing is taken any more: {Why}")]
    public static partial void DiskLow(ILogger log, string why);

    [LoggerMessage(5035, LogLevel.Warning, "There is room again, batches are taken")]
    public static partial void DiskAgain(ILogger log);

    [LoggerMessage(5053, LogLevel.Error, "What the subject index keeps could not be stored; memory holds it, and the next start loads it from the entries")]
    public static partial void IndexNotStored(ILogger log, Exception e);

    [LoggerMessage(5060, LogLevel.Critical, "{Alarm}: {Detail}")]
    public static partial void Alarmed(ILogger log, Watching.AlarmKind alarm, string detail);

    [LoggerMessage(5063, LogLevel.Error, "An alarm of kind {Alarm} is not recorded as an event")]
    public static partial void AlarmNotRecorded(ILogger log, Watching.AlarmKind alarm, Exception? e);

    [LoggerMessage(5061, LogLevel.Critical, "The log is damaged: {Faults} faults, the first {Code} at {Index}; run fsck --repair")]
    public static partial void ScrubFound(ILogger log, int faults, string code, long? index);

    [LoggerMessage(5065, LogLevel.Warning, "Shredding {Id} waits for {Service}: {Why}")]
    public static partial void ShreddingWaits(ILogger log, Guid id, string service, string why);

    [LoggerMessage(5064, LogLevel.Critical, "What is stored as entry {Index} is not what was logged, and no evidence is made of it; run fsck --repair")]
    public static partial void EntryDamaged(ILogger log, long index);
}
