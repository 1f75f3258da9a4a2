using Trust.AuditLedger.Entries;
using Trust.Kernel.Hosting;

namespace Trust.AuditLedger;

/// <summary>What the ledger refuses, beside what every service may refuse.</summary>
[RefusalCatalogue("ledger")]
public static class LedgerRefusals
{
    /// <summary>The caller is a service, and no declared source.</summary>
    public static readonly Refusal SourceUnknown = new("source-unknown", 403,
        "服务 {source} 未在账本中登记为事件来源；请由运维人员在配置中登记后重试。",
        "The service {source} is not declared as a source; have the operator declare it and send again.");

    /// <summary>A service asks about another one's chain.</summary>
    public static readonly Refusal NotOwnSource = new("not-own-source", 403,
        "服务只能查询和接管自己的事件链。", "A service may ask for, and take over, its own chain only.");

    /// <summary>The body is not one batch.</summary>
    public static readonly Refusal MalformedBatch = new("malformed-batch", 400,
        "请求体不是一个完整的批次，或缺少 Content-Length；格式见 docs/LEDGER-FORMAT.md 第 5 节。",
        "The body is not one batch, or has no Content-Length (docs/LEDGER-FORMAT.md §5).");

    /// <summary>The head named is no hash.</summary>
    public static readonly Refusal MalformedHash = new("malformed-hash", 400,
        "链头的哈希值须为 64 位十六进制数字。", "The head's hash is 64 hexadecimal digits.");

    /// <summary>Another key signed the batch.</summary>
    public static readonly Refusal BatchSignature = new("batch-signature", 403,
        "批次签名不是该来源登记的批次密钥所签；请核对登记的公钥文件。",
        "The batch is not signed by the source's registered batch key; compare the registered key file.");

    /// <summary>An event of the batch will never be taken. Members: <c>position</c>, <c>reason</c>.</summary>
    public static readonly Refusal EventRefused = new("event-refused", 422,
        "批次中第 {position} 个事件（从 0 起）违反规则 {reason}，整个批次均未接收；再次发送也不会被接收。",
        "Event {position} of the batch (counted from 0) breaks the rule {reason}; nothing of the batch was taken, nor will be.");

    /// <summary>A later epoch of the source is open.</summary>
    public static readonly Refusal EpochStale = new("epoch-stale", 409,
        "该来源已开启更新的期；请重新查询链头并开启新的期。", "A later epoch of this source is open; ask for the head and open an epoch.");

    /// <summary>The batch does not follow the head.</summary>
    public static readonly Refusal HeadMoved = new("head-moved", 409,
        "批次没有接在该来源的链头之后；请重新查询链头。", "The batch does not follow the source's head; ask for the head.");

    /// <summary>The place holds another body.</summary>
    public static readonly Refusal BodyDiffers = new("body-differs", 409,
        "账本在该位置已存有另一个事件体；请停止发送并通知运维人员。",
        "The ledger holds another body at this place; stop sending and tell the operator.");

    /// <summary>The log is empty, and this is not what it begins with.</summary>
    public static readonly Refusal CeremonyPending = new("ceremony-pending", 503,
        "日志以密钥仪式的事件开始，该事件尚未到达；请稍后重试。",
        "The log begins with the key ceremony's event; it is not there yet. Try again later.");

    /// <summary>Another process sequences.</summary>
    public static readonly Refusal Standby = new("standby", 503,
        "当前由另一个进程定序，本进程处于备用状态；请稍后重试。", "Another process sequences; try again shortly.");

    /// <summary>Too much waits.</summary>
    public static readonly Refusal Busy = new("busy", 503,
        "等待定序的批次过多，请按 Retry-After 等待后重发。", "Too much is waiting to be sequenced; send the same again after Retry-After.");

    /// <summary>A volume is nearly full.</summary>
    public static readonly Refusal DiskLow = new("disk-low", 503,
        "账本的存储卷即将写满，腾出空间前不再接收；请通知运维人员。",
        "A volume of the ledger is nearly full; nothing is taken until there is room. Tell the operator.");

    /// <summary>The log should be anchored and is not.</summary>
    public static readonly Refusal IntakeNotAnchored = new("not-anchored", 503,
        "外部机构已过久未给日志加盖时间戳，恢复之前不再接收；请通知运维人员。",
        "No outside authority has stamped the log for too long; nothing is taken until one does. Tell the operator.");

    /// <summary>The sequencer lost its footing.</summary>
    public static readonly Refusal Unknown = new("unknown", 503,
        "批次是否已生效尚不确定；请原样重发同一批次。", "Whether the batch took effect is unknown; send the same again.");

    /// <summary>No witnessed checkpoint yet.</summary>
    public static readonly Refusal NoQuorum = new("no-quorum", 503,
        "尚无任何检查点获得足够多见证方的联署；请稍后重试。", "No quorum of witnesses has cosigned a checkpoint yet; try again shortly.");

    /// <summary>No SM3 root was signed.</summary>
    public static readonly Refusal NoSm3Checkpoint = new("no-sm3-checkpoint", 404,
        "本账本没有签署 SM3 根：没有 SM2 密钥、不是主进程，或刚刚启动。",
        "This ledger has signed no SM3 root: it has no SM2 key, does not lead, or has just started.");

    /// <summary>Entry or sizes outside the published tree. Member: <c>size</c>.</summary>
    public static readonly Refusal NoSuchProof = new("no-such-proof", 400,
        "无法给出该证明：索引须小于树的大小，第一个大小不得大于第二个，且均不得超过已发布的 {size}。",
        "There is no such proof: an index lies below the size, a first size is at most the second, and none is beyond the published {size}.");

    /// <summary>Entry that no shown checkpoint covers. Member: <c>size</c>.</summary>
    public static readonly Refusal NotCovered = new("no-such-proof", 404,
        "最新检查点只覆盖 {size} 个条目（从 0 起编号）；请稍后再取更新的条目。",
        "The latest checkpoint covers {size} entries, counted from 0; ask for a newer entry later.");

    /// <summary>No such tile.</summary>
    public static readonly Refusal NoSuchTile = new("no-such-tile", 404,
        "没有已发布的检查点覆盖该瓦片，或其条目已按期清除；完整瓦片的地址不带 .p。",
        "No published checkpoint covers such a tile, or its entries were pruned; a full tile is addressed without .p.");

    /// <summary>No anchor covers the size.</summary>
    public static readonly Refusal NoSuchAnchor = new("not-anchored", 404,
        "尚无锚定记录覆盖该大小；请稍后重试。", "No anchor covers that size yet; ask again later.");

    /// <summary>Asked by someone who is no regulator, or none of the region that the answer takes.</summary>
    public static readonly Refusal NotARegulator = new("not-a-regulator", 403,
        "此操作仅限监管人员，且须在其管辖区域之内；请使用监管人员的账号和角色登录。",
        "This is for regulators, within their own region; log in as one.");

    /// <summary>The question cannot be read.</summary>
    public static readonly Refusal MalformedQuestion = new("malformed-question", 400,
        "查询参数 {member} 无法读取：每个参数只能出现一次；from 和 to 须为带时区偏移的 RFC 3339 时间（如 2026-11-30T00:00:00+08:00，至微秒），且 from 早于 to；caseNumber 为 1 到 64 个字母、数字和连字符；size 至少为 1。",
        "The question's {member} cannot be read: each parameter stands once; from and to are RFC 3339 with an offset (2026-11-30T00:00:00+08:00, to the microsecond), the first before the second; "
        + "caseNumber is 1 to 64 letters, digits and hyphens; size is at least 1.");

    /// <summary>The identifier is not one of its kind: nothing could stand under it.</summary>
    public static readonly Refusal MalformedIdentifier = new("malformed-identifier", 400,
        "对象标识不符合其种类的写法：prescription 为小写 UUID（不是处方号），practitioner 为 urn:mdid:p: 加大写 ULID（不是执业证号），institution 为 urn:mdid:o: 加大写 ULID，alarm 为报警种类的名称，actor 为 urn:mdid:p: 或 urn:mdid:o: 加大写 ULID，或客户端、服务的名称，certificate 为 64 位小写十六进制（DER 的 SHA-256），patient 为绑定时给出的 32 字节密钥（base64url）。",
        "The identifier has not the form of its kind: prescription, a UUID in lower case (not the number printed on it); practitioner, urn:mdid:p: and a ULID in upper case (not a licence number); "
        + "institution, urn:mdid:o: and a ULID in upper case; alarm, the name of a kind of alarm; actor, a person's or institution's URN, or the name of a client or service; certificate, 64 hexadecimal digits in lower case (SHA-256 of the DER); patient, the 32-byte key in base64url that its binding gave.");

    /// <summary>A parameter that no question has. Member: <c>parameter</c>.</summary>
    public static readonly Refusal UnknownParameter = new("unknown-parameter", 400,
        "查询没有名为 {parameter} 的参数；只有 from、to、size 和 caseNumber，区分大小写。",
        "A question has no parameter {parameter}: there are from, to, size and caseNumber, in this spelling.");

    /// <summary>A question about alarms that cannot be read. Member: <c>member</c>.</summary>
    public static readonly Refusal MalformedAlarmQuestion = new("malformed-alarm-question", 400,
        "查询参数 {member} 无法读取：参数只有 from、to、kind、after 和 limit，各只能出现一次；from 和 to 须为带时区偏移的 RFC 3339 时间，且 from 早于 to；kind 为报警种类的名称。",
        "The parameter {member} cannot be read: there are from, to, kind, after and limit, each once; from and to are RFC 3339 with an offset, the first before the second; kind is the name of a kind of alarm.");

    /// <summary>A stored entry is not what was logged. Member: <c>index</c>.</summary>
    public static readonly Refusal EntryDamaged = new("entry-damaged", 503,
        "第 {index} 条条目的存储内容与账本中的哈希不符，无法作为证据给出；请通知运维人员运行 fsck --repair 后重试。",
        "What is stored as entry {index} has not the hash that the log holds, and is no evidence; tell the operator to run fsck --repair, and ask again.");

    /// <summary>The tree asked about was never published. Member: <c>size</c>.</summary>
    public static readonly Refusal NoSuchTree = new("no-such-tree", 400,
        "没有发布过这个大小的检查点；最新的检查点有 {size} 个条目。", "No checkpoint of this size was published; the newest has {size} entries.");

    /// <summary>A question about who acted, in a period that ends before the log was indexed by that.</summary>
    public static readonly Refusal ActorsUnknown = new("actors-unknown", 404,
        "该时段内账本尚未按行为人建立索引，无法证明某人或某系统的全部行为；请查询更晚的时段，或按处方、机构等对象查询。",
        "In this period the log was not yet indexed by who acted, so that nobody's acts can be shown to be all; ask for a later period, or by prescription, institution or another subject.");

    /// <summary>As many files as may be are being made.</summary>
    public static readonly Refusal EvidenceBusy = new("evidence-busy", 503,
        "正在制作的证据文件已达上限；请按 Retry-After 等待后重试。", "As many evidence files as may be are being made; ask again after Retry-After.");

    /// <summary>More than one file holds. Members: <c>events</c>, <c>hashes</c>, <c>bytes</c>.</summary>
    public static readonly Refusal TooMuchRecorded = new("too-much-recorded", 413,
        "该时段内的事件超过 {events} 个，或其所在批次的哈希值超过 {hashes} 个，或文件超过 {bytes} 字节；请缩短查询时段。",
        "More than {events} events, more than {hashes} hashes of the batches they came in, or a file of more than {bytes} bytes; ask for a shorter period.");

    /// <summary>No quorum of witnesses for a tree that could answer.</summary>
    public static readonly Refusal WitnessesAway = new("witnesses-away", 503,
        "重建并联署日志的见证方不足，无法证明证据完整；请稍后再查。",
        "Too few witnesses have rebuilt the log and cosigned it, so completeness cannot be shown. Ask again.");

    /// <summary>The signing service does not answer.</summary>
    public static readonly Refusal SignaturesUnavailable = new("signatures-unavailable", 503,
        "签名服务没有应答；缺少签名的证据不完整，故未提供。请稍后再查。",
        "The signing service does not answer; evidence without signatures would be partial. Ask again.");

    /// <summary>The hold cannot be read.</summary>
    public static readonly Refusal MalformedHold = new("malformed-hold", 400,
        "法律保全须写明对象的种类和标识（写法与查询相同），以及 1 到 64 个字母、数字和连字符组成的案件编号。",
        "A hold names kind and subject as a question does, and a case number of 1 to 64 letters, digits and hyphens.");

    /// <summary>No open hold of the id.</summary>
    public static readonly Refusal NoOpenHold = new("no-open-hold", 404,
        "没有这个编号的未解除保全；请核对编号。", "There is no open hold of this id; compare the id.");

    /// <summary>The hold belongs to another region.</summary>
    public static readonly Refusal NotOwnHold = new("not-own-hold", 403,
        "该保全由其他辖区的监管机构设置，只能由该辖区解除。", "The hold was placed by another region's regulator; only that region releases it.");

    /// <summary>The shredding cannot be read.</summary>
    public static readonly Refusal MalformedShredding = new("malformed-shredding", 400,
        "销毁申请须写明对象的种类和标识（写法与查询相同），以及 1 到 128 个字符的理由。",
        "A shredding names kind and subject as a question does, and a reason of 1 to 128 characters.");

    /// <summary>Asked by someone who is no records officer.</summary>
    public static readonly Refusal NotARecordsOfficer = new("not-a-records-officer", 403,
        "此操作仅限档案管理员；请使用档案管理员的账号和角色登录。", "This is for records officers; log in as one.");

    /// <summary>No shredding of the id.</summary>
    public static readonly Refusal NoSuchShredding = new("no-such-shredding", 404,
        "没有这个编号的销毁申请；请核对编号。", "There is no shredding of this id; compare the id.");

    /// <summary>The asker approves.</summary>
    public static readonly Refusal SamePerson = new("same-person", 403,
        "申请人不能审批自己的销毁申请；请由另一名档案管理员审批。",
        "Who asked for a shredding cannot approve it; a second records officer has to.");

    /// <summary>Approved, carried out or refused before. Member: <c>state</c>.</summary>
    public static readonly Refusal AlreadyApproved = new("already-approved", 409,
        "该销毁申请的状态已是 {state}，无需再次审批。", "The shredding is {state} already; there is nothing to approve.");

    /// <summary>A hold keeps the detail.</summary>
    public static readonly Refusal LegalHold = new("legal-hold", 409,
        "该对象，或其明细所在事件涉及的另一对象，处于法律保全之中；须先解除保全。",
        "A legal hold lies on this subject, or on another of the events whose detail would go; it has to be released first.");

    /// <summary>The detail has to be kept longer. Member: <c>until</c>.</summary>
    public static readonly Refusal Retention = new("retention", 409,
        "该对象的明细须保存至 {until}，届时方可销毁。", "Detail on this subject has to be kept until {until}.");

    /// <summary>What the sequencer's refusal means to a caller.</summary>
    internal static Refusal From(SubmitRefusal why) => why switch
    {
        SubmitRefusal.EpochStale => EpochStale,
        SubmitRefusal.HeadMoved => HeadMoved,
        SubmitRefusal.BodyDiffers => BodyDiffers,
        SubmitRefusal.CeremonyPending => CeremonyPending,
        SubmitRefusal.Standby => Standby,
        SubmitRefusal.Busy or SubmitRefusal.KeyGone => Busy,
        SubmitRefusal.DiskLow => DiskLow,
        SubmitRefusal.NotAnchored => IntakeNotAnchored,
        _ => Unknown,
    };

    /// <summary>The same as an answer, which says when to come again.</summary>
    internal static Refusal Answer(this SubmitRefusal why, HttpContext context)
    {
        var refusal = From(why);
        if (refusal.Status == StatusCodes.Status503ServiceUnavailable)
        {
            context.Response.Headers.RetryAfter = why is SubmitRefusal.DiskLow or SubmitRefusal.NotAnchored ? "30" : "1";
        }

        return refusal;
    }
}
